/*
 * session_row.h - sessions as they are shown, made and changed by people.
 */
#ifndef WACRM_DOMAIN_SESSION_ROW_H
#define WACRM_DOMAIN_SESSION_ROW_H

#include "base/buf.h"
#include "domain/session.h"
#include "domain/user.h"

#define SESSION_WIRE_MAX   300
#define SESSION_NAME_MAX   100 /* characters */
#define SESSION_REMOTE_MAX 100 /* of those that are made here */

/* The session of that id on the wire, if it is visible; else WERR_NOTFOUND. */
int session_find_visible(db_t *db, const session_set_t *visible,
                         const char *wire, int64_t *id) WACRM_CHECKED;

/* What one looks like to its gateway and to its users. */
typedef struct {
    int64_t id;
    char wire[SESSION_WIRE_MAX];
    char status[16], raw[64], phone[64]; /* "": not known */
    int64_t owner;                       /* 0: nobody's */
    bool wanted;
} session_row_t;
int session_get(db_t *db, int64_t id, session_row_t *out) WACRM_CHECKED;

typedef struct {
    int64_t sessions, connected, chats; /* chats: with unread messages */
} session_sums_t;

/* Appends [Session], those of the set; sums may be NULL. with_user: each has
 * its owner as `user`. */
int session_list(db_t *db, const session_set_t *visible, bool with_user,
                 buf_t *out, session_sums_t *sums) WACRM_CHECKED;
/* Appends the Session under key. */
int session_write(db_t *db, int64_t id, const char *key,
                  buf_t *out) WACRM_CHECKED;

/* WERR_CONFLICT if there is one of that name, whosever. Status connecting. */
typedef struct {
    const char *account, *remote, *name;
    int64_t owner;
    int64_t id; /* out */
} session_new_t;
int session_create(tx_t *tx, session_new_t *n) WACRM_CHECKED;
/* Of one just made, which the gateway would not have: nothing hangs on it,
 * else it stays, disconnected. */
int session_discard(tx_t *tx, int64_t id) WACRM_CHECKED;

int session_rename(tx_t *tx, int64_t id, const char *name) WACRM_CHECKED;
/* owner 0: nobody. WERR_NOTFOUND: no such active user. */
int session_set_owner(tx_t *tx, int64_t id, int64_t owner) WACRM_CHECKED;
/* Whether it is to be connected: is reconnected by itself when it is not. */
int session_set_wanted(tx_t *tx, int64_t id, bool wanted) WACRM_CHECKED;
/* The one that the user's calls mean from now on. */
int session_activate(tx_t *tx, int64_t user, int64_t id) WACRM_CHECKED;

/* Appends [{id, name, email, role}] under key. */
int session_members(db_t *db, int64_t id, const char *key,
                    buf_t *out) WACRM_CHECKED;
/* Exactly these. WERR_NOTFOUND: one is no active user. */
int session_set_members(tx_t *tx, int64_t id, const int64_t *users,
                        size_t n) WACRM_CHECKED;

#endif
