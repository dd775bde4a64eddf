/*
 * draft.h - what somebody wants to send, read and checked.
 */
#ifndef WACRM_HTTP_DRAFT_H
#define WACRM_HTTP_DRAFT_H

#include "base/phone.h"
#include "db/db.h"
#include "http/invalid.h"

typedef struct {
    char phone[ALIAS_MAX]; /* canonical, or a known alias */
    const char *typed;     /* as it was typed; of the body */
    const char *type;
    const char *text;
    int64_t reply_to; /* 0: none */
    int64_t seen_seq; /* -1: none */
} draft_t;

/* Every field is looked at; errors go to invalid. Texts belong to body. */
int draft_read(db_t *db, const json_t *body, invalid_t *invalid,
               draft_t *out) WACRM_CHECKED;

#endif
