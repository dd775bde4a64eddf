/*
 * session.h - WhatsApp numbers (sessions) of the gateway accounts, and who
 * may see them.
 */
#ifndef WACRM_DOMAIN_SESSION_H
#define WACRM_DOMAIN_SESSION_H

#include "domain/domain.h"

/* The id of an account by its name in wacrmd.conf, made if it is not there. */
int account_ensure(tx_t *tx, const char *name, int64_t *id) WACRM_CHECKED;

/*
 * The session (account, remote id), made with status disconnected if it is
 * not there. Its id on the wire is the remote id, prefixed with "account:"
 * where another account uses the same one.
 */
int session_ensure(tx_t *tx, int64_t account, const char *remote,
                   int64_t *id) WACRM_CHECKED;

/* What a gateway says of a session; raw is its own word. Raises an event
 * only on a change. phone may be NULL. */
int session_set_status(tx_t *tx, int64_t session, const char *raw,
                       const char *phone) WACRM_CHECKED;
/* G36: "open" "working" -> connected, "qr" "scan" -> connecting ... */
const char *session_status_of(const char *raw);

/* The sessions a user may see: as many as there are. A set that is filled
 * here is {0} before, keeps its memory when it is filled again, and is freed
 * in the end; one of somebody else's ids is just written down. */
typedef struct {
    int64_t *ids;
    size_t n, cap;
} session_set_t;

typedef struct user_s user_t; /* user.h */

/* Owned, member of, or `everyone`; role supervisor and admin: all. */
int session_visible(db_t *db, const user_t *user,
                    session_set_t *out) WACRM_CHECKED;
void session_set_free(session_set_t *set);
bool session_set_has(const session_set_t *set, int64_t id);
/*
 * The session a call means (G37): wire_id if given (must be visible, else
 * WERR_NOTFOUND), the user's active one, the configured default, the only
 * visible one; WERR_NOTFOUND if none.
 */
int session_acting(db_t *db, const domain_t *d, const user_t *user,
                   const session_set_t *visible, const char *wire_id,
                   int64_t *id) WACRM_CHECKED;

#endif
