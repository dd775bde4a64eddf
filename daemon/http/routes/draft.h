/*
 * draft.h - what somebody wants to send, read and checked.
 */
#ifndef WACRM_HTTP_DRAFT_H
#define WACRM_HTTP_DRAFT_H

#include "base/phone.h"
#include "db/db.h"
#include "domain/message.h"
#include "http/invalid.h"
#include "http/request.h"

/* Where the file is: with the request, here already, elsewhere, nowhere. */
typedef enum {
    DRAFT_NO_MEDIA,
    DRAFT_FILE,
    DRAFT_MEDIA_ID,
    DRAFT_URL
} draft_source_t;

typedef struct {
    char phone[ALIAS_MAX]; /* canonical, or a known alias */
    const char *typed;     /* as it was typed; of the body */
    const char *type;      /* NULL: by the file */
    const char *text;      /* NULL: a file without a caption */
    draft_source_t media;
    const struct draft_media_s *file; /* draft_media.h; NULL: none */
    const char *url;                  /* DRAFT_URL; of the body */
    bool type_told;                   /* false: the file decides */
    int64_t scheduled_at;             /* ms; 0: at once */
    int64_t reply_to;                 /* 0: none */
    int64_t seen_seq;                 /* -1: none */
    const char *source;
    bool unasked; /* refused to who has opted out, also as an answer */
    const message_template_t *template; /* or NULL */
} draft_t;

#define DRAFT_TEXT_MAX 4096 /* characters, as WhatsApp has it */
size_t draft_characters(const char *text);

/* Every field is looked at; errors go to invalid. Texts belong to body. */
int draft_read(const request_t *r, const json_t *body, invalid_t *invalid,
               draft_t *out) WACRM_CHECKED;
/* Only phone, seen_seq and scheduled_at; a text of an agent so far. */
int draft_read_to(const request_t *r, const json_t *body, invalid_t *invalid,
                  draft_t *out) WACRM_CHECKED;

/* scheduled_at as ms; 0: not told, or an error. */
int64_t draft_schedule(const json_t *body, invalid_t *invalid);

/* Answers 422 if there are errors; else queues it as the caller's, under the
 * Idempotency-Key, and answers. */
void draft_send(request_t *r, const draft_t *draft, invalid_t *invalid);

#endif
