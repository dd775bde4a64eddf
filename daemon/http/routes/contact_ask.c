/* contact_ask.c - what the gateway knows of a number (S23-S25): from the
 * database for a day, else asked, 2 s at most. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "domain/contact_info.h"
#include "gateway/gateway.h"
#include "http/await.h"
#include "http/routes/contact.h"
#include "http/routes/routes.h"
#include "http/server.h"

#define PATIENCE_MS 2000
/* A gateway that does not answer is not asked at each look at a profile. */
#define FAILURE_MS 60000
/* WhatsApp bans a number that asks for many strangers. */
static const pace_rule_t strangers = {60000, 20};

static const char *const kinds[] = {[GW_CONTACT_INFO] = "info",
                                    [GW_CONTACT_CHECK] = "check",
                                    [GW_CONTACT_PICTURE] = "picture"};

/* A question on its way. */
typedef struct {
    contact_named_t contact;
    gw_contact_ask_t ask;
    int64_t session;
    const gw_driver_t *driver;
} asked_t;

static const char *told(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static void write_told(const asked_t *a, const gw_contact_t *c, buf_t *out)
{
    jw_open_object(out, NULL);
    jw_str(out, "phone", a->contact.phone);
    if (a->ask == GW_CONTACT_PICTURE) {
        jw_str(out, "url", told(c->picture));
    } else if (c->told) {
        jw_bool(out, "registered", c->registered);
    } else {
        jw_null(out, "registered");
    }
    if (a->ask == GW_CONTACT_INFO) {
        jw_str(out, "name", told(c->name));
        jw_str(out, "about", told(c->about));
        jw_str(out, "jid", told(c->jid));
        jw_str(out, "picture", told(c->picture));
        jw_bool(out, "business", c->business);
    }
    jw_close_object(out);
}

static void answer(request_t *r, const asked_t *a, const char *json, size_t len,
                   const char *message)
{
    buf_t *b = &r->response.body;
    bool ok = len > 0 && strncmp(json, "null", len) != 0;

    if (a->ask == GW_CONTACT_INFO) {
        contact_answer_profile(r, &a->contact, json, len);
        return;
    }
    response_reset(&r->response, 200);
    jw_open_object(b, NULL);
    jw_bool(b, "success", ok);
    jw_raw(b, "data", ok ? json : "null", ok ? len : 4);
    jw_str(b, "message", ok ? "Success" : message);
    jw_close_object(b);
}

/* ---- the cache ---- */

typedef struct {
    contact_info_t key;
    const buf_t *json;
    int64_t keep_ms;
} keep_t;

static int keep_info(tx_t *tx, void *arg)
{
    const keep_t *k = arg;

    return contact_info_put(tx, &k->key, k->json->data, k->json->len,
                            k->keep_ms);
}

/* Without it the answer stands, too: it is asked again then. */
static void keep(request_t *r, const asked_t *a, const buf_t *json,
                 int64_t keep_ms)
{
    keep_t k = {.key = {a->session, a->contact.phone, kinds[a->ask]},
                .json = json,
                .keep_ms = keep_ms};
    int rc = json->failed ? WERR_NOMEM
                          : domain_write(r->options->domain, keep_info, &k);

    (void)rc;
}

/* true: answered from the cache. */
static bool answer_kept(request_t *r, const asked_t *a)
{
    contact_info_t key = {a->session, a->contact.phone, kinds[a->ask]};
    buf_t json;
    bool found;

    buf_init(&json, 0);
    found = contact_info_get(r->db, &key, &json) == WERR_OK && !json.failed;
    if (found) {
        answer(r, a, json.data, json.len, "The gateway did not answer.");
    }
    buf_free(&json);
    return found;
}

/* ---- the gateway ---- */

static void on_answer(request_t *r, const await_result_t *result, void *state)
{
    const asked_t *a = state;
    gw_answer_t said = {.ok = false};
    gw_contact_t c = {.told = false};
    buf_t json;

    buf_init(&json, 0);
    a->driver->contact_reply(result->http_status, result->body, result->len,
                             &said, &c);
    if (said.ok) {
        write_told(a, &c, &json);
        keep(r, a, &json, DAY_MS);
    } else if (a->ask == GW_CONTACT_INFO) {
        buf_adds(&json, "null");
        keep(r, a, &json, FAILURE_MS);
    }
    answer(r, a, json.failed ? "" : json.data, json.failed ? 0 : json.len,
           said.message[0] != '\0' ? said.message
                                   : "The gateway did not answer.");
    buf_free(&json);
}

/* WERR_OK: the question is on its way, and a is taken over. */
static int ask_gateway(request_t *r, asked_t *a)
{
    const gateway_account_t *account;
    char remote[200];
    gw_request_t request;
    int rc = request_account(r, a->session, &account, remote, sizeof(remote));

    if (rc != WERR_OK) {
        return rc;
    }
    a->driver = gw_driver(account->driver);
    if (a->driver == NULL || a->driver->contact == NULL) {
        return WERR_NOTFOUND;
    }
    gw_request_init(&request);
    rc =
        a->driver->contact(account, remote, a->contact.phone, a->ask, &request);
    if (rc != WERR_OK) {
        gw_request_free(&request);
        return rc;
    }
    request_await(r, account, &request, PATIENCE_MS, on_answer, a);
    return WERR_OK;
}

/* Whoever tries out numbers is stopped, and not the charity's number. */
static int64_t stranger_wait(const request_t *r, const contact_named_t *c)
{
    pace_key_t key;

    if (c->id != 0) {
        return 0;
    }
    pace_key(&key, 's');
    pace_key_add(&key, &r->user.id, sizeof(r->user.id));
    return pace_take(r->server->pace, &strangers, &key, clock_mono_ms());
}

static bool put_off(request_t *r, const asked_t *a)
{
    int64_t wait_ms = stranger_wait(r, &a->contact);

    if (wait_ms == 0) {
        return false;
    }
    if (a->ask == GW_CONTACT_INFO) {
        answer(r, a, "", 0, NULL);
    } else {
        response_too_many(&r->response,
                          "Too many numbers were looked up. Please wait.",
                          (wait_ms + 999) / 1000);
    }
    return true;
}

static void ask(request_t *r, const contact_named_t *c, gw_contact_ask_t what)
{
    asked_t *a = calloc(1, sizeof(*a));
    int rc;

    if (a == NULL) {
        response_error(&r->response, WERR_NOMEM);
        return;
    }
    a->contact = *c;
    a->ask = what;
    rc = session_acting(r->db, r->options->domain, &r->user, &r->visible,
                        request_session(r), &a->session);
    if (rc == WERR_NOTFOUND && what != GW_CONTACT_INFO) {
        response_not_found(&r->response, "Session not found.");
    } else if (rc != WERR_OK && rc != WERR_NOTFOUND) {
        response_error(&r->response, rc);
    } else if (rc == WERR_NOTFOUND || !c->number) {
        answer(r, a, "", 0, "The gateway knows numbers only.");
    } else if (!answer_kept(r, a) && !put_off(r, a)) {
        if (ask_gateway(r, a) == WERR_OK) {
            return;
        }
        answer(r, a, "", 0, "The gateway cannot be asked.");
    }
    free(a);
}

void contact_ask_profile(request_t *r, const contact_named_t *c)
{
    ask(r, c, GW_CONTACT_INFO);
}

void route_contact_check(request_t *r)
{
    contact_named_t c;

    if (contact_of_path(r, &c)) {
        ask(r, &c, GW_CONTACT_CHECK);
    }
}

void route_contact_picture(request_t *r)
{
    contact_named_t c;

    if (contact_of_path(r, &c)) {
        ask(r, &c, GW_CONTACT_PICTURE);
    }
}
