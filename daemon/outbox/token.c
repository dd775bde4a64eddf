/*
 * token.c - bearers got by login, kept over restarts (S9).
 */
#include "outbox/internal.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"

DB_QUERY(token_get,
         "SELECT token FROM accounts WHERE name = $1 AND token IS NOT NULL "
         "AND token_expires_at > $2");
DB_QUERY(token_put, "UPDATE accounts SET token = $2, token_expires_at = $3 "
                    "WHERE name = $1");

void outbox_token_load(void *outbox, const char *account, char *token,
                       size_t size)
{
    outbox_t *o = outbox;
    db_stmt_t *s = db_stmt(o->db, &token_get);
    const char *text;

    token[0] = '\0';
    db_bind_text(s, 1, account);
    db_bind_i64(s, 2, clock_now_ms());
    if (db_first(s) == DB_ROW) {
        text = db_text(s, 0);
        if (text && strlen(text) < size) {
            memcpy(token, text, strlen(text) + 1);
        }
    }
    db_done(s);
}

typedef struct {
    const char *account, *token;
    int64_t expires;
} new_token_t;

static int put_token(tx_t *tx, void *arg)
{
    const new_token_t *t = arg;
    db_stmt_t *s = db_stmt(tx->db, &token_put);

    db_bind_text(s, 1, t->account);
    db_bind_text(s, 2, t->token);
    db_bind_i64(s, 3, t->expires);
    return db_exec(s);
}

void outbox_token_store(void *outbox, const char *account, const char *token,
                        int64_t expires_ms)
{
    outbox_t *o = outbox;
    new_token_t t = {account, token, expires_ms};
    int rc = domain_write(o->domain, put_token, &t);

    if (rc != WERR_OK) {
        log_warn("outbox", "msg=\"token not kept\" account=%s error=%s",
                 log_str(account), log_str(werr_text(rc)));
    }
}
