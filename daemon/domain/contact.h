/*
 * contact.h - a person we talk with, who may be a donor.
 */
#ifndef WACRM_DOMAIN_CONTACT_H
#define WACRM_DOMAIN_CONTACT_H

#include "base/phone.h"
#include "domain/domain.h"

/* Begins the phone of who was erased (contact_file.h). */
#define CONTACT_ERASED "erased-"

/* What an event says of a person; NULL or "" where it says nothing. */
typedef struct {
    const char *phone; /* canonical digits */
    const char *alias; /* "..@lid" or BSUID */
    const char *name;  /* push name */
    const char *typed; /* the phone as a person typed it */
    bool wrote;        /* they wrote to us: a donatur from now on (S59) */
    bool past;         /* of a history: no news of whose the alias is */
} contact_hint_t;

typedef struct {
    int64_t id;
    bool created;
    bool newcomer;         /* wrote, and was nobody to us before */
    char phone[ALIAS_MAX]; /* phone, or the alias where none is known */
} contact_ref_t;

/*
 * Finds or makes the contact, race-free (the writer is alone). Where phone
 * and alias are both told, the phone says who it is and the alias is bound to
 * them. Whom the alias named before becomes the same person (contact_merge)
 * only if no number of theirs was known; one with a number keeps it and all
 * else, and only loses the alias (not to `past`): nothing that is meant for
 * one number goes to another. A name "Unknown" or a formatted phone gives way
 * to a push name; a name that a person set stays.
 */
int contact_ensure(tx_t *tx, const contact_hint_t *hint,
                   contact_ref_t *out) WACRM_CHECKED;

/* The same of whom the hint tells nothing new, and without a change; else
 * WERR_NOTFOUND. */
int contact_settled(tx_t *tx, const contact_hint_t *hint,
                    contact_ref_t *out) WACRM_CHECKED;

/* Moves chats, messages, gifts and aliases of `from` to `into`. */
int contact_merge(tx_t *tx, int64_t into, int64_t from) WACRM_CHECKED;

/*
 * Who `id`, found before this transaction began, is by now: itself, or the
 * one that it was merged into since. WERR_NOTFOUND: erased, or not there.
 */
int contact_now(tx_t *tx, int64_t id, int64_t *now) WACRM_CHECKED;
/* The same, erased or not. */
int contact_still(tx_t *tx, int64_t id, int64_t *now) WACRM_CHECKED;

/* By canonical phone or alias. */
int contact_find(db_t *db, const char *phone, int64_t *id) WACRM_CHECKED;
/* The phone that all outputs show of whom this phone or alias names: the
 * alias itself where no phone is known. WERR_NOTFOUND. */
int contact_phone(db_t *db, const char *phone,
                  char out[ALIAS_MAX]) WACRM_CHECKED;

#endif
