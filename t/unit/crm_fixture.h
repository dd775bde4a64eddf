/*
 * crm_fixture.h - a database with a domain on it in a directory of its own,
 * and some people and sessions.
 */
#ifndef WACRM_T_CRM_FIXTURE_H
#define WACRM_T_CRM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "domain/domain.h"
#include "domain/user.h"
#include "session_of.h"

typedef struct {
    char dir[128];
    char path[160];
    store_t *store;
    domain_t domain;
} crm_t;

static inline void crm_open(crm_t *c)
{
    const char *tmp = getenv("TMPDIR");
    domain_settings_t settings;

    memset(c, 0, sizeof(*c));
    log_setup(LOG_ERROR, 2);
    snprintf(c->dir, sizeof(c->dir), "%.90s/wacrm-http-XXXXXX",
             tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(c->dir));
    snprintf(c->path, sizeof(c->path), "%s/crm.db", c->dir);
    store_options_t o = {.path = c->path};
    assert_int_equal(store_open(&c->store, &o), WERR_OK);
    domain_settings_default(&settings);
    settings.welcome = false;
    assert_int_equal(domain_init(&c->domain, c->store, &settings), WERR_OK);
}

static inline void crm_close(crm_t *c)
{
    char path[512];
    store_close(&c->store);
    DIR *dir = opendir(c->dir);
    struct dirent *e;
    while (dir != NULL && (e = readdir(dir)) != NULL) {
        snprintf(path, sizeof(path), "%s/%s", c->dir, e->d_name);
        unlink(path);
    }
    if (dir != NULL) {
        closedir(dir);
    }
    rmdir(c->dir);
}

DB_QUERY(fixture_user,
         "INSERT INTO users (id, name, email, password_hash, role, active,"
         " created_at, updated_at) VALUES ($1, $2, $3, 'x', $4, $5, 0, 0)");
DB_QUERY(fixture_owner, "UPDATE sessions SET user_id = $2 WHERE id = $1");

typedef struct {
    int64_t id;
    const char *name;
    role_t role;
    bool active;
    int64_t session, owner;
    const char *remote;
} crm_arg_t;

static inline int crm_user_tx(tx_t *tx, void *arg)
{
    const crm_arg_t *a = arg;
    char email[64];
    snprintf(email, sizeof(email), "%s@example.org", a->name);
    db_stmt_t *s = db_stmt(tx->db, &fixture_user);
    db_bind_i64(s, 1, a->id);
    db_bind_text(s, 2, a->name);
    db_bind_text(s, 3, email);
    db_bind_text(s, 4, role_name(a->role));
    db_bind_i64(s, 5, a->active);
    return db_exec(s);
}

/* A user that no password opens: much cheaper than a hash. */
static inline void crm_user(crm_t *c, int64_t id, const char *name, role_t role,
                            bool active)
{
    crm_arg_t a = {.id = id, .name = name, .role = role, .active = active};
    assert_int_equal(domain_write(&c->domain, crm_user_tx, &a), WERR_OK);
}

static inline int crm_session_tx(tx_t *tx, void *arg)
{
    crm_arg_t *a = arg;
    int rc = ensure_session(tx, "main", a->remote, &a->session);
    if (rc == WERR_OK && a->owner != 0) {
        db_stmt_t *s = db_stmt(tx->db, &fixture_owner);
        db_bind_i64(s, 1, a->session);
        db_bind_i64(s, 2, a->owner);
        rc = db_exec(s);
    }
    return rc;
}

static inline int64_t crm_session(crm_t *c, const char *remote, int64_t owner)
{
    crm_arg_t a = {.remote = remote, .owner = owner};
    assert_int_equal(domain_write(&c->domain, crm_session_tx, &a), WERR_OK);
    return a.session;
}

#endif
