/*
 * user.h - the people who work here: CS agents, supervisors, administrators.
 * Their passwords: password.h.
 */
#ifndef WACRM_DOMAIN_USER_H
#define WACRM_DOMAIN_USER_H

#include "base/buf.h"
#include "domain/domain.h"
#include "domain/session.h"

typedef enum { ROLE_CS, ROLE_SUPERVISOR, ROLE_ADMIN } role_t;
const char *role_name(role_t role);
bool role_parse(const char *name, role_t *role);

#define USER_TEXT_MAX 200
struct user_s {
    int64_t id;
    char name[USER_TEXT_MAX];
    char email[USER_TEXT_MAX];
    role_t role;
    bool active;
    int64_t active_session; /* sessions.id, 0 = none */
    int64_t not_before;     /* s */
};

int user_get(db_t *db, int64_t id, user_t *out) WACRM_CHECKED;
int user_by_email(db_t *db, const char *email, user_t *out) WACRM_CHECKED;

/* WERR_INVALID for a bad address, a password under 8 bytes or a bad role,
 * WERR_CONFLICT if the address is taken. */
int user_add(domain_t *d, const char *name, const char *email, role_t role,
             const char *password, int64_t *id) WACRM_CHECKED;
/* Sets the password, revokes all tokens. */
int user_set_password(domain_t *d, const char *email,
                      const char *password) WACRM_CHECKED;

/* Appends [{id, name, email, role, active, created_at}] under key, or one of
 * them. */
int user_list(db_t *db, const char *key, buf_t *out) WACRM_CHECKED;
int user_write(db_t *db, int64_t id, const char *key, buf_t *out) WACRM_CHECKED;

/* NULL: as it is. */
typedef struct {
    const char *name;
    const role_t *role;
    const bool *active;
    const char *password;
    bool last_admin; /* out: refused, as nobody else could administer */
} user_change_t;
/* All of it or nothing. A new password and switching off revoke all tokens.
 * WERR_NOTFOUND; WERR_CONFLICT with last_admin; WERR_INVALID for a name or a
 * password that does not fit. */
int user_change(domain_t *d, int64_t id, user_change_t *change) WACRM_CHECKED;

/* Out everywhere: revokes all tokens. WERR_NOTFOUND. */
int user_logout(domain_t *d, int64_t id) WACRM_CHECKED;

/*
 * Checks a password in constant effort: also for an unknown address. WERR_OK
 * with *out, WERR_DENIED (unknown, inactive, wrong), or a fault.
 */
int user_check_password(db_t *db, const char *email, const char *password,
                        user_t *out) WACRM_CHECKED;

#endif
