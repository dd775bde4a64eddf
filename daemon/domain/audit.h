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
    int64_t user;       /* 0: none */
    const char *who;    /* AUDIT_CTL, or NULL: the user, else "system" */
    const char *action; /* "message.send": docs/http.md lists them */
    int64_t contact;    /* 0: none */
    int64_t session;    /* 0: none */
    int64_t object;     /* row that the action is about; 0: none */
    const char *detail; /* a few words, or NULL */
} audit_t;

int audit_note(tx_t *tx, const audit_t *a) WACRM_CHECKED;
/* The same with the contact and the session of the message a->object. */
int audit_message(tx_t *tx, const audit_t *a) WACRM_CHECKED;

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
