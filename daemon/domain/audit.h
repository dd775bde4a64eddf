/*
 * audit.h - who did what, to whom, when. Append-only: the database itself
 * refuses to change or delete a row. No bodies, names, numbers or addresses.
 *
 * A row is written in the transaction of what it tells of, so that neither
 * is there without the other.
 */
#ifndef WACRM_DOMAIN_AUDIT_H
#define WACRM_DOMAIN_AUDIT_H

#include "base/buf.h"
#include "domain/domain.h"

#define AUDIT_CTL "wacrmctl"

typedef struct {
    int64_t user;       /* 0: who acts on this thread (audit_as) */
    const char *action; /* "message.send": docs/openapi.yaml lists them */
    int64_t contact;    /* 0: none */
    int64_t session;    /* 0: none */
    int64_t object;     /* row that the action is about; 0: none */
    const char *detail; /* a few words, or NULL */
} audit_t;

/*
 * Who acts on this thread from now on: a user, or who (AUDIT_CTL); 0 and NULL
 * are wacrmd itself. The caller of a request is set before its route runs.
 */
void audit_as(int64_t user, const char *who);

int audit_note(tx_t *tx, const audit_t *a) WACRM_CHECKED;
/* In a transaction of its own, of what changes nothing. */
int audit_write(domain_t *d, const audit_t *a) WACRM_CHECKED;
/* The same with the contact and the session of the message a->object. */
int audit_message(tx_t *tx, const audit_t *a) WACRM_CHECKED;

/* The same of a chat. */
int audit_chat(tx_t *tx, int64_t chat, const char *action,
               const char *detail) WACRM_CHECKED;

/* "a***@example.org": an address as the audit may keep it. */
void audit_mask_email(const char *email, char *out, size_t size);

typedef struct {
    int64_t user, contact; /* 0: any */
    const char *action;    /* NULL: any */
    int64_t before;        /* id; 0: from the newest */
    int limit;
} audit_query_t;

/* Newest first, as an array; *more, and the id of the last one. */
int audit_list(db_t *db, const audit_query_t *q, buf_t *out, const char *key,
               bool *more, int64_t *last) WACRM_CHECKED;

#endif
