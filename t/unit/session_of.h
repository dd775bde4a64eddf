/*
 * session_of.h - a session of a gateway's account, each made where there is
 * none of that name.
 */
#ifndef WACRM_T_SESSION_OF_H
#define WACRM_T_SESSION_OF_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "domain/domain.h"
#include "domain/session.h"

static inline int ensure_session(tx_t *tx, const char *account,
                                 const char *remote, int64_t *session)
{
    int64_t id;
    int rc = account_ensure(tx, account, &id);

    return rc == WERR_OK ? session_ensure(tx, id, remote, session) : rc;
}

typedef struct {
    const char *account, *remote;
    int64_t session;
} session_of_t;

static inline int session_of_tx(tx_t *tx, void *arg)
{
    session_of_t *s = arg;

    return ensure_session(tx, s->account, s->remote, &s->session);
}

/* In a transaction of its own. */
static inline int64_t session_of(domain_t *d, const char *account,
                                 const char *remote)
{
    session_of_t s = {.account = account, .remote = remote};

    assert_int_equal(domain_write(d, session_of_tx, &s), WERR_OK);
    return s.session;
}

#endif
