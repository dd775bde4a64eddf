#include "intake/apply.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

#include "domain/chat.h"
#include "domain/consent.h"
#include "domain/contact.h"
#include "domain/event.h"
#include "domain/message.h"
#include "domain/session.h"

/* A gateway's clock may run ahead of ours by so much. */
#define SKEW_MS   (5 * 60 * INT64_C(1000))
#define TYPING_MS (30 * INT64_C(1000))
#define HASH_ID   80
#define PROBE_MS  (60 * INT64_C(1000))

typedef struct {
    apply_t *a;
    tx_t *tx;
    const item_t *item;
    const gw_event_t *ev;
    size_t index; /* of ev in the item */
    int64_t session;
    int64_t ts;
    bool past; /* others came later and have been applied: a replay, or one that
                * lay in quarantine or in a spool put aside */
} work_t;

void apply_begin(apply_t *a, bool live, welcome_pace_t *pace)
{
    a->live = live;
    a->pace = pace;
    a->duplicates = a->dead = a->ignored = 0;
    a->ntyping = a->nsessions = 0;
    a->reason[0] = '\0';
}

static int refuse(const work_t *w, const char *why)
{
    snprintf(w->a->reason, sizeof(w->a->reason), "%s: %s",
             w->ev->name != NULL ? w->ev->name : "event", why);
    return WERR_INVALID;
}

static int ignore(const work_t *w)
{
    w->a->ignored++;
    return WERR_OK;
}

/* An event that names no session means the account's default one. */
static const char *default_remote(const work_t *w)
{
    const domain_settings_t *set = &w->tx->domain->settings;

    if (set->default_session != NULL &&
        (set->default_account == NULL ||
         strcmp(set->default_account, w->item->account->name) == 0)) {
        return set->default_session;
    }
    return "default";
}

/*
 * Far above all that WhatsApp itself allows (65536 characters of text); what
 * is longer would make every page slow that shows it.
 */
static const struct {
    size_t at, max;
    const char *why;
} bounds[] = {
    {offsetof(gw_event_t, text), 262144, "text too long"},
    {offsetof(gw_event_t, wa_id), 255, "message id too long"},
    {offsetof(gw_event_t, reply_to), 255, "quoted id too long"},
    {offsetof(gw_event_t, client_id), 255, "client id too long"},
    {offsetof(gw_event_t, push_name), 4096, "name too long"},
    {offsetof(gw_event_t, media_url), 8192, "media URL too long"},
    {offsetof(gw_event_t, media_mime), 255, "media type too long"},
    {offsetof(gw_event_t, media_name), 1024, "file name too long"},
    {offsetof(gw_event_t, status), 255, "status too long"},
    {offsetof(gw_event_t, error_code), 255, "error code too long"},
    {offsetof(gw_event_t, error_title), 4096, "error text too long"},
    {offsetof(gw_event_t, emoji), 255, "reaction too long"},
};

static int check_bounds(const work_t *w)
{
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        const char *text;

        memcpy(&text, (const char *)w->ev + bounds[i].at, sizeof(text));
        if (text != NULL && strlen(text) > bounds[i].max) {
            return refuse(w, bounds[i].why);
        }
    }
    return WERR_OK;
}

static int find_session(work_t *w)
{
    apply_t *a = w->a;
    const char *remote = w->ev->session;
    int64_t account;
    int rc;

    if (remote == NULL || *remote == '\0') {
        remote = default_remote(w);
    }
    if (strlen(remote) >= sizeof(a->sessions[0].remote)) {
        return refuse(w, "session id too long");
    }
    for (size_t i = 0; i < a->nsessions; i++) {
        if (a->sessions[i].account == w->item->account &&
            strcmp(a->sessions[i].remote, remote) == 0) {
            w->session = a->sessions[i].id;
            return WERR_OK;
        }
    }
    rc = account_ensure(w->tx, w->item->account->name, &account);
    if (rc == WERR_OK) {
        rc = session_ensure(w->tx, account, remote, &w->session);
    }
    if (rc == WERR_OK && a->nsessions < SESSIONS_MAX) {
        a->sessions[a->nsessions].account = w->item->account;
        a->sessions[a->nsessions].account_id = account;
        a->sessions[a->nsessions].id = w->session;
        snprintf(a->sessions[a->nsessions].remote,
                 sizeof(a->sessions[0].remote), "%s", remote);
        a->nsessions++;
    }
    return rc;
}

/* What was never given an id has that of its bytes. */
static int hash_id(const work_t *w, char out[HASH_ID])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    int n;

    if (SHA256((const unsigned char *)w->item->body.data, w->item->body.len,
               digest) == NULL) {
        return WERR_NOMEM; /* it fails for nothing else */
    }
    n = snprintf(out, HASH_ID, "sha256-");
    for (size_t i = 0; i < 16; i++) {
        n += snprintf(out + n, HASH_ID - (size_t)n, "%02x", digest[i]);
    }
    if (w->index > 0) {
        snprintf(out + n, HASH_ID - (size_t)n, "-%zu", w->index);
    }
    return WERR_OK;
}

static int greet(const work_t *w, const contact_ref_t *contact)
{
    bool opted_out;
    int rc;

    if (!w->a->live || w->a->pace == NULL || w->ev->from_me ||
        !contact->newcomer) {
        return WERR_OK;
    }
    rc = consent_opted_out(w->tx->db, contact->id, &opted_out);
    if (rc != WERR_OK || opted_out) {
        return rc;
    }
    return welcome_queue(w->tx, w->a->pace, w->session, contact->phone,
                         w->ev->push_name, w->ts);
}

static int store_message(const work_t *w, const char *wa_id,
                         const contact_ref_t *contact, bool *created)
{
    const gw_event_t *ev = w->ev;
    media_t media = {.remote_url = ev->media_url,
                     .mime = ev->media_mime,
                     .filename = ev->media_name,
                     .size = ev->media_size};
    message_in_t in = {
        .session = w->session,
        .from_me = ev->from_me,
        .wa_id = wa_id,
        .ts = w->ts,
        .type = ev->type != NULL ? ev->type : "unsupported",
        .text = ev->text != NULL ? ev->text : "",
        .reply_to = ev->reply_to,
        .live = w->a->live,
        .received = w->item->received,
    };
    message_ref_t ref;
    int rc;

    if (ev->media_url != NULL || ev->media_mime != NULL ||
        ev->media_name != NULL) {
        in.media = &media;
    }
    rc = message_receive(w->tx, contact->id, &in, &ref);
    *created = rc == WERR_OK && ref.created;
    return rc;
}

/*
 * WERR_OK, and who it is from, where nothing but the message can be new: then
 * to store it tells whether it was known. WERR_NOTFOUND: it is to be asked
 * first, or a copy that comes late would change whom it names.
 */
static int settled(const work_t *w, const contact_hint_t *hint,
                   contact_ref_t *contact)
{
    int rc =
        w->ev->from_me ? WERR_NOTFOUND : contact_settled(w->tx, hint, contact);

    return rc == WERR_OK ? chat_find(w->tx, w->session, contact->id) : rc;
}

static int apply_message(const work_t *w)
{
    const gw_event_t *ev = w->ev;
    contact_hint_t hint = {.phone = ev->phone,
                           .alias = ev->alias,
                           .name = ev->from_me ? NULL : ev->push_name,
                           .wrote = !ev->from_me,
                           .past = w->past};
    const char *wa_id = ev->wa_id;
    char hashed[HASH_ID];
    contact_ref_t contact;
    message_ref_t known;
    bool created = false, asked = false;
    int rc;

    if (ev->phone == NULL && ev->alias == NULL) {
        return refuse(w, "neither phone nor alias");
    }
    if (wa_id == NULL || *wa_id == '\0') {
        rc = hash_id(w, hashed);
        if (rc != WERR_OK) {
            return rc;
        }
        wa_id = hashed;
    }
    rc = settled(w, &hint, &contact);
    if (rc == WERR_NOTFOUND) {
        asked = true;
        rc = message_known(w->tx->db, w->session, ev->from_me, wa_id, &known);
        if (rc == WERR_OK) {
            w->a->duplicates++;
        }
        if (rc != WERR_NOTFOUND) {
            return rc;
        }
        rc = contact_ensure(w->tx, &hint, &contact);
    }
    if (rc == WERR_OK) {
        rc = store_message(w, wa_id, &contact, &created);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    if (created) {
        return greet(w, &contact);
    }
    w->a->duplicates += !asked;
    return WERR_OK;
}

static int apply_status(const work_t *w)
{
    status_t status;

    if (w->ev->wa_id == NULL || !status_parse(w->ev->status, &status)) {
        return ignore(w);
    }
    return message_status(w->tx, w->session, w->ev->wa_id, status,
                          w->ev->error_code, w->ev->error_title);
}

static int apply_reaction(const work_t *w)
{
    const gw_event_t *ev = w->ev;
    const char *sender = ev->from_me         ? "me"
                         : ev->phone != NULL ? ev->phone
                                             : ev->alias;

    if (ev->wa_id == NULL || sender == NULL) {
        return ignore(w);
    }
    return message_react(w->tx, w->session, ev->wa_id, sender,
                         ev->emoji != NULL ? ev->emoji : "", w->ts);
}

static int apply_edit(const work_t *w)
{
    if (w->ev->wa_id == NULL || w->ev->text == NULL) {
        return ignore(w);
    }
    return message_edit(w->tx, w->session, w->ev->wa_id, w->ev->text, w->ts);
}

static int apply_delete(const work_t *w)
{
    if (w->ev->wa_id == NULL) {
        return ignore(w);
    }
    return message_delete(w->tx, w->session, w->ev->wa_id, w->ts);
}

/* Only told, and only while it is true: of somebody we talk with. */
static int apply_typing(const work_t *w)
{
    const char *phone = w->ev->phone != NULL ? w->ev->phone : w->ev->alias;
    apply_t *a = w->a;
    typing_t *t = &a->typing[a->ntyping];
    int rc;

    if (phone == NULL || !a->live || a->ntyping == TYPING_MAX ||
        w->tx->now - w->item->received > TYPING_MS) {
        return ignore(w);
    }
    rc = contact_phone(w->tx->db, phone, t->phone);
    if (rc != WERR_OK) {
        return rc == WERR_NOTFOUND ? ignore(w) : rc;
    }
    t->session = w->session;
    t->on = w->ev->typing;
    a->ntyping++;
    return WERR_OK;
}

static int apply_session(const work_t *w)
{
    const char *word = w->ev->status;

    if (w->past) { /* the gateway is asked what it is now */
        return ignore(w);
    }
    if (word == NULL) {
        if (w->ev->kind != GW_QR) {
            return ignore(w);
        }
        word = "qr";
    }
    return session_set_status(w->tx, w->session, word, w->ev->session_phone);
}

static int apply_alias(const work_t *w)
{
    contact_hint_t hint = {
        .phone = w->ev->phone, .alias = w->ev->alias, .past = w->past};
    contact_ref_t contact;

    if (hint.phone == NULL || hint.alias == NULL) {
        return ignore(w);
    }
    return contact_ensure(w->tx, &hint, &contact);
}

/* The gateway's time, or ours where it told none or one to come. */
static int64_t time_of(const item_t *item, const gw_event_t *ev)
{
    if (ev->ts <= 0 || ev->ts > item->received + SKEW_MS) {
        return item->received;
    }
    return ev->ts;
}

static int apply_event(work_t *w)
{
    int rc;

    if (w->ev->group || w->ev->kind == GW_OTHER) {
        return ignore(w);
    }
    if (w->ev->kind == GW_ALIAS) {
        return apply_alias(w);
    }
    rc = check_bounds(w);
    if (rc == WERR_OK) {
        rc = find_session(w);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    w->ts = time_of(w->item, w->ev);
    switch (w->ev->kind) {
    case GW_MESSAGE:
        return apply_message(w);
    case GW_STATUS:
        return apply_status(w);
    case GW_REACTION:
        return apply_reaction(w);
    case GW_EDIT:
        return apply_edit(w);
    case GW_DELETE:
        return apply_delete(w);
    case GW_TYPING:
        return apply_typing(w);
    case GW_SESSION:
    case GW_QR:
        return apply_session(w);
    default:
        return ignore(w);
    }
}

/* A number in the events, and nothing else of it is kept. One that comes late
 * is waited for by nobody. */
static int apply_probe(apply_t *a, tx_t *tx, const item_t *item)
{
    a->ignored++;
    if (!a->live || tx->now - item->received > PROBE_MS) {
        return WERR_OK;
    }
    return event_raise(tx, EVENT_PROBE, 0, 0, item->probe);
}

static bool is_past(apply_t *a, const tx_t *tx, const item_t *item)
{
    if (a->newest > tx->now + SKEW_MS) {
        a->newest = 0; /* the clock was ahead then */
    }
    if (!a->live || item->received < a->newest - SKEW_MS) {
        return true;
    }
    if (item->received > a->newest) {
        a->newest = item->received;
    }
    return false;
}

int apply_item(apply_t *a, tx_t *tx, const item_t *item)
{
    work_t w = {.a = a, .tx = tx, .item = item};
    int rc = WERR_OK;

    a->reason[0] = '\0';
    if (item->probe != 0) {
        return apply_probe(a, tx, item);
    }
    w.past = is_past(a, tx, item);
    for (size_t i = 0; rc == WERR_OK && i < item->events.n; i++) {
        w.ev = &item->events.items[i];
        w.index = i;
        rc = apply_event(&w);
    }
    if (rc != WERR_OK && a->reason[0] == '\0') {
        snprintf(a->reason, sizeof(a->reason), "%s", werr_text(rc));
    }
    return rc;
}
