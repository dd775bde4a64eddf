/*
 * contact.h - the contact that a path or a field names.
 */
#ifndef WACRM_HTTP_CONTACT_H
#define WACRM_HTTP_CONTACT_H

#include "base/phone.h"
#include "http/request.h"

typedef struct {
    char phone[ALIAS_MAX]; /* canonical, or an alias */
    bool number;
    int64_t id; /* 0: nobody whom the caller may see */
} contact_named_t;

/* Path parameter 0. false: answered (422, or a fault). */
bool contact_of_path(request_t *r, contact_named_t *out);
/* The same; who is not there is answered 404. */
bool contact_there(request_t *r, contact_named_t *out);

/* WERR_OK (id may be 0), WERR_INVALID: neither a number nor an alias of
 * somebody. */
int contact_of_text(const request_t *r, const char *text,
                    contact_named_t *out) WACRM_CHECKED;

/* 403 is answered, and false, to a CS. */
bool contact_by_lead(request_t *r);

/* WhatsApp's word on the contact, by gateway or from the cache, then the
 * answer: contact_ask.c */
void contact_answer_profile(request_t *r, const contact_named_t *c,
                            const char *whatsapp, size_t len);
void contact_ask_profile(request_t *r, const contact_named_t *c);

#endif
