/*
 * routes_fixture.h - a running server with agents, sessions and donors who
 * wrote; calls to it.
 */
#ifndef WACRM_T_ROUTES_FIXTURE_H
#define WACRM_T_ROUTES_FIXTURE_H

#include "http_fixture.h"

#include "domain/contact.h"
#include "domain/event.h"
#include "domain/message.h"

enum { CS = 1, OTHER_CS = 2, BOSS = 3 };

static web_t web;
static int64_t mine, theirs; /* sessions */
static db_t *db;

/* ---- what donors said ---- */

typedef struct {
    int64_t session;
    const char *phone, *alias, *name, *text, *wa_id;
    int64_t ts;
    bool from_me;
    message_ref_t ref;
} said_t;

static inline int receive(tx_t *tx, void *arg)
{
    said_t *s = arg;
    contact_hint_t hint = {
        .phone = s->phone, .alias = s->alias, .name = s->name, .wrote = true};
    contact_ref_t contact;
    int rc = contact_ensure(tx, &hint, &contact);
    if (rc != WERR_OK) {
        return rc;
    }
    message_in_t in = {.session = s->session,
                       .wa_id = s->wa_id,
                       .ts = s->ts,
                       .type = "text",
                       .text = s->text,
                       .from_me = s->from_me,
                       .live = true,
                       .received = s->ts};
    return message_receive(tx, contact.id, &in, &s->ref);
}

static inline int64_t hear(int64_t session, const char *phone, const char *text,
                           int64_t ts)
{
    static int n;
    char wa_id[32];
    snprintf(wa_id, sizeof(wa_id), "wa-%d", n++);
    said_t s = {.session = session,
                .phone = phone,
                .name = "Budi",
                .text = text,
                .wa_id = wa_id,
                .ts = ts};
    assert_int_equal(domain_write(&web.crm.domain, receive, &s), WERR_OK);
    return s.ref.chat;
}

static inline int setup(void **state)
{
    (void)state;
    web_open(&web);
    crm_user(&web.crm, CS, "siti", ROLE_CS, true);
    crm_user(&web.crm, OTHER_CS, "dewi", ROLE_CS, true);
    crm_user(&web.crm, BOSS, "boss", ROLE_SUPERVISOR, true);
    theirs = crm_session(&web.crm, "two", OTHER_CS);
    mine = crm_session(&web.crm, "one", CS);
    return store_reader(web.crm.store, &db);
}

static inline int teardown(void **state)
{
    (void)state;
    store_reader_close(&db);
    web_close(&web);
    return 0;
}

DB_QUERY(routes_everyone, "UPDATE sessions SET everyone = 0 WHERE id > 0");
DB_QUERY(routes_clear_chats, "DELETE FROM chats WHERE id > 0");
DB_QUERY(routes_clear_messages, "DELETE FROM messages WHERE id > 0");
DB_QUERY(routes_clear_outbox, "DELETE FROM outbox WHERE id > 0");
DB_QUERY(routes_clear_keys, "DELETE FROM idempotency WHERE user_id > 0");

static inline int clear(tx_t *tx, void *arg)
{
    const db_query_t *all[] = {&routes_clear_outbox, &routes_clear_messages,
                               &routes_clear_chats, &routes_clear_keys,
                               &routes_everyone};
    (void)arg;
    for (size_t i = 0; i < 5; i++) {
        int rc = db_exec(db_stmt(tx->db, all[i]));
        if (rc != WERR_OK) {
            return rc;
        }
    }
    return event_raise(tx, EVENT_CHAT, mine, 0, 0);
}

static inline int fresh(void **state)
{
    (void)state;
    return domain_write(&web.crm.domain, clear, NULL);
}

/* ---- calls ---- */

static inline json_t *get(const char *target, int64_t user, int status)
{
    answer_t a;
    assert_int_equal(web_call(&web, "GET", target, user, "", NULL, &a), status);
    json_t *json = answer_json(&a);
    answer_free(&a);
    return json;
}

static inline json_t *post(const char *target, int64_t user, const char *extra,
                           const char *body, int status)
{
    answer_t a;
    web_call(&web, "POST", target, user, extra, body, &a);
    if (a.status != status) {
        print_error("%s %s: %d %s\n", target, body != NULL ? body : "",
                    a.status, a.body.data != NULL ? a.body.data : "");
    }
    assert_int_equal(a.status, status);
    json_t *json = answer_json(&a);
    answer_free(&a);
    return json;
}

static inline const char *str(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s != NULL ? s : "(none)";
}

#define SEND "/api/crm/messages/send"

#define T(name) cmocka_unit_test_setup(name, fresh)

#endif
