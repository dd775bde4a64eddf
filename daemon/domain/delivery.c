#include "domain/delivery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS                                                            \
    "SELECT o.id, coalesce(o.message_id, 0), o.session_id, o.chat_id, "    \
    "s.account_id, o.kind, s.remote_id, a.name, k.phone, m.type, m.body, " \
    "o.attempts, o.not_before, o.first, t.gateway_name, t.language, "      \
    "t.variables, o.created_at "
#define HELD_COLUMNS ", o.attempt_id, o.deadline, m.ts "
#define JOINS                                      \
    "JOIN sessions s ON s.id = o.session_id "      \
    "JOIN accounts a ON a.id = s.account_id "      \
    "JOIN chats c ON c.id = o.chat_id "            \
    "JOIN contacts k ON k.id = c.contact_id "      \
    "LEFT JOIN messages m ON m.id = o.message_id " \
    "LEFT JOIN message_template_sends t ON t.message_id = o.message_id "

/* By outbox_queued, from the one that is due first: as far as the limit. A row
 * behind another of its lane is passed over; delivery_outcome.c keeps those
 * behind one that waits from coming before it. */
DB_QUERY(delivery_heads,
         COLUMNS "FROM outbox o " JOINS "WHERE o.state = 0 AND NOT EXISTS "
                 "(SELECT 1 FROM outbox e WHERE e.session_id = o.session_id "
                 "AND e.chat_id = o.chat_id AND e.id < o.id AND e.state < 4) "
                 "AND NOT EXISTS (SELECT 1 FROM message_media x "
                 "WHERE x.message_id = o.message_id AND x.fetch_state <> 0) "
                 "ORDER BY o.not_before, o.id LIMIT $1");
DB_QUERY(delivery_unknowns, COLUMNS HELD_COLUMNS
         "FROM outbox o " JOINS "WHERE o.state = 2 AND o.kind = 'message' "
         "ORDER BY o.updated_at LIMIT $1");
DB_QUERY(delivery_deadline, "SELECT min(deadline) FROM outbox WHERE state = 2");
DB_QUERY(delivery_count,
         "SELECT count(*), min(created_at) FROM outbox WHERE state = $1");

void delivery_free(delivery_t *d, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(d[i].text);
        free(d[i].template_variables);
        d[i].text = d[i].template_variables = NULL;
    }
}

static void copy(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text == NULL ? "" : text);
}

static int read_delivery(db_stmt_t *s, delivery_t *d)
{
    const char *text = db_text(s, 10), *variables = db_text(s, 16);

    memset(d, 0, sizeof(*d));
    d->text = strdup(text == NULL ? "" : text);
    d->template_variables = variables == NULL ? NULL : strdup(variables);
    if (d->text == NULL ||
        (d->template_variables == NULL) != (variables == NULL)) {
        delivery_free(d, 1);
        return WERR_NOMEM;
    }
    d->id = db_i64(s, 0);
    d->message = db_i64(s, 1);
    d->session = db_i64(s, 2);
    d->chat = db_i64(s, 3);
    d->account = db_i64(s, 4);
    copy(d->kind, sizeof(d->kind), db_text(s, 5));
    copy(d->remote, sizeof(d->remote), db_text(s, 6));
    copy(d->account_name, sizeof(d->account_name), db_text(s, 7));
    copy(d->phone, sizeof(d->phone), db_text(s, 8));
    copy(d->type, sizeof(d->type), db_text(s, 9));
    d->attempts = db_i64(s, 11);
    d->not_before = db_i64(s, 12);
    d->first = db_i64(s, 13) != 0;
    d->queued_at = db_i64(s, 17);
    copy(d->template_name, sizeof(d->template_name), db_text(s, 14));
    copy(d->template_language, sizeof(d->template_language), db_text(s, 15));
    return WERR_OK;
}

int delivery_held(db_t *db, held_t *out, size_t max, size_t *n)
{
    db_stmt_t *s = db_stmt(db, &delivery_unknowns);
    int rc;

    *n = 0;
    db_bind_i64(s, 1, (int64_t)max);
    while ((rc = db_step(s)) == DB_ROW) {
        held_t *h = &out[*n];

        rc = read_delivery(s, &h->d);
        if (rc != WERR_OK) {
            break;
        }
        copy(h->attempt, sizeof(h->attempt), db_text(s, 18));
        h->deadline = db_i64(s, 19);
        h->said = db_i64(s, 20);
        (*n)++;
    }
    db_done(s);
    if (rc != DB_DONE) {
        while (*n > 0) {
            delivery_free(&out[--*n].d, 1);
        }
    }
    return rc;
}

/* An unknown that holds its lane lets it go at its deadline. */
static int next_deadline(db_t *db, int64_t *next)
{
    int64_t deadline;
    int rc = db_first_min(db_stmt(db, &delivery_deadline), &deadline);

    if (rc == WERR_OK && deadline < *next) {
        *next = deadline;
    }
    return rc;
}

int delivery_due(db_t *db, int64_t now, delivery_t *out, size_t max, size_t *n,
                 int64_t *next_due)
{
    db_stmt_t *s = db_stmt(db, &delivery_heads);
    int rc;

    *n = 0;
    *next_due = INT64_MAX;
    db_bind_i64(s, 1, (int64_t)max + 1);
    while ((rc = db_step(s)) == DB_ROW) {
        int64_t due = db_i64(s, 12);

        if (due > now || *n == max) {
            *next_due = due;
            break;
        }
        rc = read_delivery(s, &out[*n]);
        if (rc != WERR_OK) {
            break;
        }
        (*n)++;
    }
    db_done(s);
    if (rc == DB_ROW || rc == DB_DONE) {
        rc = next_deadline(db, next_due);
    }
    if (rc != WERR_OK) {
        delivery_free(out, *n);
        *n = 0;
    }
    return rc;
}

static int count(db_t *db, delivery_state_t state, int64_t *n, int64_t *oldest)
{
    db_stmt_t *s = db_stmt(db, &delivery_count);
    int rc;

    db_bind_i64(s, 1, state);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    *n = db_i64(s, 0);
    if (oldest != NULL) {
        *oldest = db_is_null(s, 1) ? 0 : db_i64(s, 1);
    }
    db_done(s);
    return WERR_OK;
}

int delivery_stat(db_t *db, delivery_stat_t *st)
{
    int64_t left = 0;
    int rc;

    memset(st, 0, sizeof(*st));
    rc = count(db, DELIVERY_QUEUED, &st->queued, &st->oldest);
    if (rc == WERR_OK) {
        rc = count(db, DELIVERY_INFLIGHT, &st->inflight, NULL);
    }
    if (rc == WERR_OK) {
        rc = count(db, DELIVERY_UNKNOWN, &st->unknown, NULL);
    }
    if (rc == WERR_OK) {
        rc = count(db, DELIVERY_UNKNOWN_LEFT, &left, NULL);
    }
    if (rc == WERR_OK) {
        st->unknown += left;
        rc = count(db, DELIVERY_FAILED, &st->failed, NULL);
    }
    if (rc == WERR_OK) {
        rc = count(db, DELIVERY_SCHEDULED, &st->scheduled, NULL);
    }
    return rc;
}
