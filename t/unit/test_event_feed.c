#include "domain_fixture.h"

#include <jansson.h>

#include "domain/contact_file.h"
#include "domain/contact_merge.h"
#include "domain/donor.h"
#include "domain/event_feed.h"
#include "domain/event_number.h"
#include "domain/note.h"
#include "domain/reminder.h"
#include "domain/session_row.h"
#include "domain/template.h"
#include "domain/user.h"

#define MAX_EVENTS 2000

typedef struct {
    struct {
        int64_t seq, session;
        event_kind_t kind;
        char name[32];
        char socket[SOCKET_ID_MAX];
        int64_t socket_user;
        json_t *data;
    } e[MAX_EVENTS];
    size_t n, stop; /* stop: after so many, 0: never */
    size_t longest;
} heard_t;

static bool hear(void *arg, const feed_event_t *e)
{
    heard_t *h = arg;
    json_error_t err;

    assert_true(h->n < MAX_EVENTS);
    assert_int_equal(strlen(e->data), e->data_len);
    h->e[h->n].seq = e->seq;
    h->e[h->n].kind = e->kind;
    h->e[h->n].session = e->session;
    snprintf(h->e[h->n].name, sizeof(h->e[0].name), "%s", e->name);
    snprintf(h->e[h->n].socket, sizeof(h->e[0].socket), "%s",
             e->socket != NULL ? e->socket : "");
    h->e[h->n].socket_user = e->socket_user;
    h->e[h->n].data = json_loadb(e->data, e->data_len, 0, &err);
    if (h->e[h->n].data == NULL) {
        fail_msg("%s in %s", err.text, e->data);
    }
    assert_int_equal(
        json_integer_value(json_object_get(h->e[h->n].data, "seq")), e->seq);
    assert_non_null(json_object_get(h->e[h->n].data, "timestamp"));
    h->longest = e->data_len > h->longest ? e->data_len : h->longest;
    h->n++;
    return h->n != h->stop;
}

static void forget(heard_t *h)
{
    for (size_t i = 0; i < h->n; i++) {
        json_decref(h->e[i].data);
    }
    free(h);
}

/* All after since, in pages. */
static heard_t *listen_to(fixture_t *f, int64_t since, size_t page,
                          const visibility_t *who)
{
    heard_t *h = calloc(1, sizeof(*h));
    int64_t next;
    int n;

    assert_non_null(h);
    while ((n = feed_read(f->db, &f->d, since, page, who, hear, h, &next)) >
           0) {
        assert_true(next > since);
        since = next;
    }
    assert_int_equal(n, 0);
    assert_int_equal(next, since);
    return h;
}

static int64_t now_at(fixture_t *f)
{
    return atomic_load(&f->d.last_seq);
}

static json_t *member(json_t *o, const char *path)
{
    char key[64];

    while (o != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");

        snprintf(key, sizeof(key), "%.*s", (int)len, path);
        o = json_object_get(o, key);
        path += len + (path[len] == '.');
    }
    return o;
}

static const char *text(json_t *o, const char *path)
{
    const char *v = json_string_value(member(o, path));

    return v != NULL ? v : "(none)";
}

/* What is told of one change: exactly these names, blanks between them. */
static json_t *told(fixture_t *f, int64_t since, const char *names)
{
    heard_t *h = listen_to(f, since, FEED_ROWS, NULL);
    char all[256] = "";
    json_t *last = NULL;

    for (size_t i = 0; i < h->n; i++) {
        size_t len = strlen(all);

        snprintf(all + len, sizeof(all) - len, "%s%s", i > 0 ? " " : "",
                 h->e[i].name);
        last = h->e[i].data;
    }
    assert_string_equal(all, names);
    json_incref(last);
    forget(h);
    return last;
}

/* ---- what is told ---- */

static void message_with_donor_and_conversation(void **state)
{
    fixture_t *f = *state;
    int64_t since = now_at(f);
    json_t *d;

    say(f, "6281234567890", "ID1", "halo", clock_now_ms(), false);
    d = told(f, since, "NewMessageReceived");
    assert_string_equal(text(d, "message.message"), "halo");
    assert_string_equal(text(d, "message.direction"), "incoming");
    assert_string_equal(text(d, "message.donatur.phone"), "6281234567890");
    assert_string_equal(text(d, "message.donatur.segment"), "New");
    assert_true(json_is_integer(member(d, "message.donatur.id")));
    assert_string_equal(text(d, "conversation.phone"), "6281234567890");
    assert_string_equal(text(d, "conversation.last_message"), "halo");
    assert_string_equal(text(d, "conversation.id"), text(d, "message.chat_id"));
    assert_int_equal(json_integer_value(member(d, "conversation.unread_count")),
                     1);
    assert_null(member(d, "truncated"));
    json_decref(d);
}

/* G7: byte for byte, also where there is no phone, nor a donor yet. */
static void alias_only_contact_has_its_donatur(void **state)
{
    fixture_t *f = *state;
    said_t s = {
        .hint = {.alias = "1234567890123@lid"},
        .in = {.session = f->session,
               .wa_id = "ID1",
               .ts = clock_now_ms(),
               .type = "text",
               .text = "x",
               .live = true},
    };
    int64_t since = now_at(f);
    json_t *d;

    assert_int_equal(domain_write(&f->d, say_tx, &s), WERR_OK);
    d = told(f, since, "NewMessageReceived");
    assert_string_equal(text(d, "message.donatur.phone"), s.contact.phone);
    assert_string_equal(text(d, "message.donatur.phone"),
                        text(d, "conversation.phone"));
    assert_true(json_is_null(member(d, "conversation.donatur")));
    json_decref(d);
}

/* The alias becomes a number: who shows the conversation can tell that it is
 * the same one. */
static void told_phone_takes_the_place_of_an_alias(void **state)
{
    fixture_t *f = *state;
    said_t s = {
        .hint = {.alias = "1234567890123@lid", .wrote = true},
        .in = {.session = f->session,
               .wa_id = "ID1",
               .ts = clock_now_ms(),
               .type = "text",
               .text = "x",
               .live = true},
    };
    int64_t since;
    char was[ALIAS_MAX];
    json_t *d;

    assert_int_equal(domain_write(&f->d, say_tx, &s), WERR_OK);
    snprintf(was, sizeof(was), "%s", s.contact.phone);
    since = now_at(f);
    s.hint.phone = "6281234567890";
    s.in.wa_id = "ID2";
    assert_int_equal(domain_write(&f->d, say_tx, &s), WERR_OK);
    d = told(f, since, "DonorUpdated NewMessageReceived");
    assert_string_equal(text(d, "message.donatur.phone"), "6281234567890");
    assert_string_equal(text(d, "conversation.phone"), "6281234567890");
    json_decref(d);
    {
        heard_t *h = listen_to(f, since, FEED_ROWS, NULL);

        d = h->e[0].data;
        assert_string_equal(text(d, "donatur.phone"), "6281234567890");
        assert_string_equal(
            json_string_value(json_array_get(member(d, "donatur.aliases"), 0)),
            was);
        forget(h);
    }
}

static int reader_tx(tx_t *tx, void *arg)
{
    fixture_t *f = arg;

    return message_status(tx, f->session, "OUT1", STATUS_READ, NULL, NULL);
}

static int react_tx(tx_t *tx, void *arg)
{
    fixture_t *f = arg;

    return message_react(tx, f->session, "ID1", "6281", "\xe2\x9d\xa4",
                         tx->now);
}

static void sent_moved_and_changed(void **state)
{
    fixture_t *f = *state;
    int64_t since, id;
    json_t *d;

    say(f, "6281", "ID1", "halo", clock_now_ms(), false);
    since = now_at(f);
    id = queue(f, "6281", "balas");
    d = told(f, since, "MessageSent");
    assert_string_equal(text(d, "message.status"), "queued");
    assert_string_equal(text(d, "message.donatur.phone"), "6281");
    json_decref(d);

    RUN(f,
        "UPDATE messages SET wa_id = 'OUT1', status = 2 WHERE direction = 1");
    since = now_at(f);
    assert_int_equal(domain_write(&f->d, reader_tx, f), WERR_OK);
    d = told(f, since, "MessageStatusUpdated");
    assert_int_equal(json_integer_value(member(d, "id")), id);
    assert_string_equal(text(d, "status"), "read");
    assert_string_equal(text(d, "wa_message_id"), "OUT1");
    assert_true(json_is_null(member(d, "error")));
    json_decref(d);

    since = now_at(f);
    assert_int_equal(domain_write(&f->d, react_tx, f), WERR_OK);
    d = told(f, since, "MessageUpdated");
    assert_int_equal(json_array_size(member(d, "message.reactions")), 1);
    json_decref(d);
}

static int read_tx(tx_t *tx, void *arg)
{
    return chat_mark_read(tx, *(int64_t *)arg, false);
}

static int star_tx(tx_t *tx, void *arg)
{
    bool starred;

    return chat_toggle_star(tx, *(int64_t *)arg, &starred);
}

static void chat_read_and_starred(void **state)
{
    fixture_t *f = *state;
    said_t s = say(f, "6281", "ID1", "halo", clock_now_ms(), false);
    int64_t since = now_at(f);
    json_t *d;

    assert_int_equal(domain_write(&f->d, read_tx, &s.ref.chat), WERR_OK);
    d = told(f, since, "ChatRead");
    assert_int_equal(json_integer_value(member(d, "conversation.unread_count")),
                     0);
    json_decref(d);
    since = now_at(f);
    /* nothing was unread: nothing to tell */
    assert_int_equal(domain_write(&f->d, read_tx, &s.ref.chat), WERR_OK);
    assert_int_equal(now_at(f), since);
    assert_int_equal(domain_write(&f->d, star_tx, &s.ref.chat), WERR_OK);
    d = told(f, since, "ChatUpdated");
    assert_true(json_is_true(member(d, "conversation.is_starred")));
    json_decref(d);
}

typedef struct {
    int64_t contact, id;
    const char *text;
} about_t;

static int gift_tx(tx_t *tx, void *arg)
{
    about_t *a = arg;
    gift_t gift = {.amount = 12000000, .day = tx->today};

    return donor_add_gift(tx, a->contact, &gift, &a->id);
}

static int note_tx(tx_t *tx, void *arg)
{
    about_t *a = arg;

    return note_add(tx, a->contact, "x", 0, &a->id);
}

static int remind_tx(tx_t *tx, void *arg)
{
    about_t *a = arg;
    reminder_t r = {.contact = a->contact, .at = tx->now - 1, .note = a->text};

    return reminder_add(tx, &r, &a->id);
}

/* Old events show rows as they are now: nothing of who was erased. */
static void erased_is_not_told_any_more(void **state)
{
    fixture_t *f = *state;
    about_t a = {.text = "rahasia ingat"};
    said_t s = say(f, "6281234567890", "ID1", "rahasia", clock_now_ms(), false);
    heard_t *h;

    RUN(f, "UPDATE contacts SET name = 'rahasia nama'");
    a.contact = s.contact.id;
    assert_int_equal(domain_write(&f->d, remind_tx, &a), WERR_OK);
    assert_int_equal(reminder_fire(&f->d), 1);
    assert_int_equal(contact_erase(&f->d, f->db, s.contact.id, 0), WERR_OK);
    h = listen_to(f, 0, FEED_ROWS, NULL);
    assert_true(h->n >= 4);
    for (size_t i = 0; i < h->n; i++) {
        char *data = json_dumps(h->e[i].data, 0);

        assert_null(strstr(data, "rahasia"));
        assert_null(strstr(data, "6281234567890"));
        free(data);
    }
    forget(h);
}

/* A gift that changes the segment, too, is told once. */
static void gift_note_and_reminder(void **state)
{
    fixture_t *f = *state;
    said_t s = say(f, "6281", "ID1", "halo", clock_now_ms(), false);
    about_t a = {.contact = s.contact.id, .text = "telepon"};
    int64_t since = now_at(f);
    json_t *d;

    assert_int_equal(domain_write(&f->d, gift_tx, &a), WERR_OK);
    d = told(f, since, "DonorUpdated");
    assert_string_equal(text(d, "donatur.segment"), "VIP");
    assert_string_equal(text(d, "donatur.phone"), "6281");
    assert_int_equal(json_array_size(member(d, "donatur.aliases")), 0);
    json_decref(d);
    since = now_at(f);
    assert_int_equal(domain_write(&f->d, note_tx, &a), WERR_OK);
    json_decref(told(f, since, "DonorUpdated"));
    since = now_at(f);
    assert_int_equal(domain_write(&f->d, remind_tx, &a), WERR_OK);
    assert_int_equal(reminder_fire(&f->d), 1);
    d = told(f, since, "DonorUpdated ReminderDue");
    assert_string_equal(text(d, "reminder.note"), "telepon");
    assert_string_equal(text(d, "reminder.state"), "open");
    assert_string_equal(text(d, "phone"), "6281");
    assert_true(strlen(text(d, "name")) > 0);
    json_decref(d);
}

static int session_tx(tx_t *tx, void *arg)
{
    fixture_t *f = arg;

    return session_set_status(tx, f->session, "open", NULL);
}

static int members_tx(tx_t *tx, void *arg)
{
    fixture_t *f = arg;

    return session_set_members(tx, f->session, NULL, 0);
}

static int create_tx(tx_t *tx, void *arg)
{
    return session_create(tx, arg);
}

static int discard_tx(tx_t *tx, void *arg)
{
    const session_new_t *n = arg;

    return session_discard(tx, n->id);
}

static int template_tx(tx_t *tx, void *arg)
{
    int64_t *id = arg;
    template_t t = {.name = "salam", .content = "Halo"};
    int rc = template_add(tx, &t, id);

    return rc == WERR_OK ? template_remove(tx, *id) : rc;
}

static void session_access_and_template(void **state)
{
    fixture_t *f = *state;
    int64_t since = now_at(f), id;
    json_t *d;

    assert_int_equal(domain_write(&f->d, session_tx, f), WERR_OK);
    d = told(f, since, "SessionStatusChanged");
    assert_string_equal(text(d, "session_id"), "cs-1");
    assert_string_equal(text(d, "status"), "connected");
    assert_string_equal(text(d, "raw_status"), "open");
    json_decref(d);
    since = now_at(f);
    assert_int_equal(domain_write(&f->d, members_tx, f), WERR_OK);
    json_decref(told(f, since, "AccessChanged"));
    since = now_at(f);
    assert_int_equal(domain_write(&f->d, template_tx, &id), WERR_OK);
    d = told(f, since, "TemplateUpdated");
    assert_int_equal(json_integer_value(member(d, "template_id")), id);
    json_decref(d);
}

/* Whoever keeps who sees what has to look again: before the session that was
 * made is told of, and when a role, a name or the active flag changes. */
static void changed_access_is_told(void **state)
{
    fixture_t *f = *state;
    session_new_t n = {.account = "seed", .remote = "baru", .name = "Baru"};
    const role_t role = ROLE_SUPERVISOR;
    user_change_t c = {.role = &role};
    int64_t since = now_at(f), user;

    assert_int_equal(user_add(&f->d, "Satu", "satu@test.example", ROLE_CS,
                              "rahasia-sekali", &user),
                     WERR_OK);
    json_decref(told(f, since, "AccessChanged"));
    since = now_at(f);
    assert_int_equal(user_change(&f->d, user, &c), WERR_OK);
    json_decref(told(f, since, "AccessChanged"));
    since = now_at(f);
    n.owner = user;
    assert_int_equal(domain_write(&f->d, create_tx, &n), WERR_OK);
    json_decref(told(f, since, "AccessChanged SessionStatusChanged"));
    since = now_at(f);
    /* the gateway would not have it */
    assert_int_equal(domain_write(&f->d, discard_tx, &n), WERR_OK);
    json_decref(told(f, since, "AccessChanged"));
}

static int merge_tx(tx_t *tx, void *arg)
{
    const int64_t *ids = arg;

    return contact_merge(tx, ids[0], ids[1]);
}

/* The chat that was joined goes from the list; the other has its messages. */
static void merge_tells_of_both_chats(void **state)
{
    fixture_t *f = *state;
    said_t a = say(f, "6281", "ID1", "satu", clock_now_ms() - 1000, false);
    said_t b = say(f, "6282", "ID2", "dua", clock_now_ms(), false);
    int64_t ids[2] = {a.contact.id, b.contact.id}, since = now_at(f);
    bool gone = false, whole = false, donor = false;
    heard_t *h;

    assert_int_equal(domain_write(&f->d, merge_tx, ids), WERR_OK);
    h = listen_to(f, since, FEED_ROWS, NULL);
    for (size_t i = 0; i < h->n; i++) {
        json_t *d = h->e[i].data;

        if (h->e[i].kind == EVENT_CHAT) {
            int64_t chat = strtoll(text(d, "chat_id"), NULL, 10);
            bool none = json_is_null(member(d, "conversation"));

            gone = gone || (chat == b.ref.chat && none);
            whole = whole ||
                    (chat == a.ref.chat &&
                     strcmp(text(d, "conversation.last_message"), "dua") == 0);
        } else if (h->e[i].kind == EVENT_CONTACT) {
            donor = strcmp(text(d, "donatur.phone"), "6281") == 0 &&
                    json_array_size(member(d, "donatur.aliases")) == 1;
        }
    }
    assert_true(gone);
    assert_true(whole);
    assert_true(donor);
    forget(h);
}

static int twin_tx(tx_t *tx, void *arg)
{
    fixture_t *f = arg;

    return event_raise(tx, EVENT_MESSAGE_CHANGED, f->session, 7, 12345);
}

static void message_that_is_gone(void **state)
{
    fixture_t *f = *state;
    int64_t since = now_at(f);
    json_t *d;

    assert_int_equal(domain_write(&f->d, twin_tx, f), WERR_OK);
    d = told(f, since, "MessageUpdated");
    assert_true(json_is_null(member(d, "message")));
    assert_int_equal(json_integer_value(member(d, "id")), 12345);
    assert_string_equal(text(d, "chat_id"), "7");
    json_decref(d);
}

static int many_tx(tx_t *tx, void *arg)
{
    const int64_t *contact = arg;
    int rc = WERR_OK;

    event_many_begin(tx);
    for (int i = 0; rc == WERR_OK && i < 500; i++) {
        rc = event_raise(tx, EVENT_CONTACT, 0, 0, *contact + i);
    }
    return rc == WERR_OK ? event_many_end(tx) : rc;
}

static void many_at_once_are_one(void **state)
{
    fixture_t *f = *state;
    int64_t since = now_at(f), contact = 1;

    assert_int_equal(domain_write(&f->d, many_tx, &contact), WERR_OK);
    json_decref(told(f, since, "DonorsImported"));
}

static int midnight_tx(tx_t *tx, void *arg)
{
    return donor_refresh_due(tx, 100, arg);
}

/* Forty donors lapse in one night. */
static void midnight_is_one(void **state)
{
    fixture_t *f = *state;
    int64_t since;
    bool left;

    RUN(f, "INSERT INTO contacts (phone, name, segment, gift_sum, gift_count, "
           "gift_max, gift_first, gift_last, created_at, updated_at) "
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
           "WHERE i < 40) SELECT '6281' || i, 'X', 'Active', 50000, 1, 50000, "
           "10000, 10000, 0, 0 FROM n");
    RUN(f, "INSERT INTO donations (contact_id, amount, gift_day, status, "
           "created_at) SELECT id, 50000, 10000, 'confirmed', 0 "
           "FROM contacts");
    since = now_at(f);
    assert_int_equal(domain_write(&f->d, midnight_tx, &left), WERR_OK);
    assert_int_equal(ASK(f, "SELECT count(*) FROM contacts WHERE "
                            "segment = 'Lapsed'"),
                     40);
    json_decref(told(f, since, "DonorsImported"));
}

/* ---- limits ---- */

static char *repeat(const char *what, size_t n)
{
    size_t len = strlen(what);
    char *out = malloc(n * len + 1);

    assert_non_null(out);
    for (size_t i = 0; i < n; i++) {
        memcpy(out + i * len, what, len);
    }
    out[n * len] = '\0';
    return out;
}

static void check_cut(fixture_t *f, const char *id, const char *body,
                      bool whole)
{
    int64_t since = now_at(f);
    heard_t *h;
    json_t *d;

    say(f, "6281", id, body, clock_now_ms(), false);
    h = listen_to(f, since, FEED_ROWS, NULL);
    assert_int_equal(h->n, 1);
    d = h->e[0].data;
    assert_true(h->longest <= FEED_DATA_MAX);
    assert_true(json_is_true(member(d, "truncated")) == !whole);
    assert_string_equal(text(d, "message.donatur.phone"), "6281");
    if (whole) {
        assert_string_equal(text(d, "message.message"), body);
    }
    forget(h);
}

static void long_text_is_cut(void **state)
{
    fixture_t *f = *state;
    char *a = repeat("a", 1000), *b = repeat("a", 1001);
    char *face = repeat("\xf0\x9f\x98\x80", 50000);
    char *control = repeat("\x01", 200000);

    check_cut(f, "A", a, true);
    check_cut(f, "B", b, false);
    check_cut(f, "C", face, false);
    check_cut(f, "D", control, false);
    free(a);
    free(b);
    free(face);
    free(control);
}

/* Everything that others may write, as long and as costly as it may be. */
static void nothing_is_longer_than_allowed(void **state)
{
    fixture_t *f = *state;
    about_t a = {.text = repeat("\x01", 4000)};
    said_t s = say(f, "6281", "A", a.text, clock_now_ms(), false);
    int64_t since = now_at(f) - 1;
    heard_t *h;

    a.contact = s.contact.id;
    RUN(f, "UPDATE contacts SET name = replace(hex(zeroblob(2000)), '0', "
           "char(1))");
    RUN(f, "UPDATE messages SET wa_id = replace(hex(zeroblob(127)), '0', "
           "char(1)), error_code = wa_id, error_title = body");
    RUN(f, "INSERT INTO message_media (message_id, mime, filename) "
           "SELECT id, replace(hex(zeroblob(127)), '0', char(2)), body "
           "FROM messages");
    RUN(f, "INSERT INTO reactions (message_id, sender, emoji, ts) "
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
           "WHERE i < 200) SELECT m.id, i, 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', "
           "0 FROM n JOIN messages m");
    RUN(f, "INSERT INTO contact_aliases (alias, contact_id) "
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
           "WHERE i < 200) SELECT '9999999999999999999999999999999' || i, "
           "k.id FROM n JOIN contacts k");
    assert_int_equal(domain_write(&f->d, remind_tx, &a), WERR_OK);
    assert_int_equal(reminder_fire(&f->d), 1);
    h = listen_to(f, since, FEED_ROWS, NULL);
    assert_int_equal(h->n, 3);
    assert_true(h->longest <= FEED_DATA_MAX);
    assert_true(json_is_true(member(h->e[0].data, "truncated")));
    assert_string_equal(text(h->e[0].data, "message.donatur.phone"), "6281");
    assert_int_equal(json_array_size(member(h->e[1].data, "donatur.aliases")),
                     20);
    assert_true(json_is_true(member(h->e[2].data, "truncated")));
    forget(h);
    free((char *)(uintptr_t)a.text);
}

/* ---- order ---- */

static int flood_tx(tx_t *tx, void *arg)
{
    const fixture_t *f = arg;
    int rc = WERR_OK;

    for (int i = 0; rc == WERR_OK && i < 997; i++) {
        rc = i % 3 == 0 ? event_raise(tx, EVENT_CHAT, f->session, 1 + i % 2, 0)
             : i % 3 == 1 ? event_raise(tx, EVENT_MESSAGE_STATUS, f->session, 1,
                                        1 + i % 2)
                          : event_raise(tx, EVENT_CONTACT, 0, 0, 1 + i % 2);
    }
    return rc;
}

static void pages_miss_and_repeat_nothing(void **state)
{
    fixture_t *f = *state;
    static const size_t pages[] = {1, 7, 50, 199, 200};
    int64_t since;
    heard_t *h;
    int64_t next;

    say(f, "6281", "ID1", "satu", clock_now_ms(), false);
    say(f, "6282", "ID2", "dua", clock_now_ms(), false);
    since = now_at(f);
    assert_int_equal(domain_write(&f->d, flood_tx, f), WERR_OK);
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        h = listen_to(f, since, pages[i], NULL);
        assert_int_equal(h->n, 997);
        for (size_t k = 0; k < h->n; k++) {
            assert_int_equal(h->e[k].seq, since + 1 + (int64_t)k);
        }
        forget(h);
    }
    h = calloc(1, sizeof(*h));
    h->stop = 3;
    assert_int_equal(feed_read(f->db, &f->d, since, 50, NULL, hear, h, &next),
                     3);
    assert_int_equal(next, since + 3);
    forget(h);
}

static void the_same_again_is_told_once(void **state)
{
    fixture_t *f = *state;
    said_t s = say(f, "6281", "ID1", "halo", clock_now_ms(), false);
    int64_t since = now_at(f);

    /* each in a transaction of its own: twice */
    assert_int_equal(domain_write(&f->d, star_tx, &s.ref.chat), WERR_OK);
    assert_int_equal(domain_write(&f->d, star_tx, &s.ref.chat), WERR_OK);
    json_decref(told(f, since, "ChatUpdated ChatUpdated"));
}

typedef struct {
    fixture_t *f;
    int64_t chat;
} undo_t;

/* What a savepoint took back is told when it happens after all. */
static int undone_tx(tx_t *tx, void *arg)
{
    const undo_t *u = arg;
    int64_t mark;
    int rc = domain_savepoint(tx, &mark);

    if (rc == WERR_OK) {
        rc = event_raise(tx, EVENT_CHAT, u->f->session, u->chat, 0);
    }
    if (rc == WERR_OK) {
        rc = domain_rollback(tx, mark);
    }
    if (rc == WERR_OK) {
        rc = event_raise(tx, EVENT_CHAT, u->f->session, u->chat, 0);
    }
    return rc == WERR_OK
               ? event_raise(tx, EVENT_CHAT, u->f->session, u->chat, 0)
               : rc;
}

static void undone_is_not_told(void **state)
{
    fixture_t *f = *state;
    said_t s = say(f, "6281", "ID1", "halo", clock_now_ms(), false);
    undo_t u = {f, s.ref.chat};
    int64_t since = now_at(f);

    assert_int_equal(domain_write(&f->d, undone_tx, &u), WERR_OK);
    json_decref(told(f, since, "ChatUpdated"));
    assert_int_equal(now_at(f), since + 1);
}

static void position_knows_what_is_gone(void **state)
{
    fixture_t *f = *state;
    int64_t last, end;
    bool resync;

    say(f, "6281", "ID1", "satu", clock_now_ms(), false);
    say(f, "6281", "ID2", "dua", clock_now_ms(), false);
    say(f, "6281", "ID3", "tiga", clock_now_ms(), false);
    end = now_at(f);
#define POSITION(since, want)                                               \
    assert_int_equal(feed_position(f->db, since, &resync, &last), WERR_OK); \
    assert_int_equal(resync, want);                                         \
    assert_int_equal(last, end)
    POSITION(0, false);
    POSITION(end - 1, false);
    POSITION(end, false);
    POSITION(end + 1, true);
    RUN(f, "DELETE FROM events WHERE seq <= 2");
    POSITION(0, true);
    POSITION(1, true);
    POSITION(2, false);
    POSITION(3, false);
    RUN(f, "DELETE FROM events");
    POSITION(end - 1, true);
    POSITION(end, false);
    POSITION(0, true);
#undef POSITION
}

/* ---- who ---- */

typedef struct {
    fixture_t *f;
    const char *remote;
    int64_t id, owner;
} number_t;

static int number_tx(tx_t *tx, void *arg)
{
    number_t *n = arg;
    int rc = session_ensure(tx, n->f->account, n->remote, &n->id);

    return rc == WERR_OK ? session_set_owner(tx, n->id, n->owner) : rc;
}

static visibility_t *sees(fixture_t *f, int64_t user)
{
    visibility_t *v;

    assert_int_equal(visibility_of(f->db, user, &v), WERR_OK);
    return v;
}

/* The fixture's own session is everyone's. */
static void everyone_gets_what_they_may_see(void **state)
{
    fixture_t *f = *state;
    number_t one = {.f = f, .remote = "satu"}, two = {.f = f, .remote = "dua"};
    int64_t boss, since, home = f->session;
    visibility_t *v1, *v2, *all, *none;
    about_t a = {.text = "telepon"};
    said_t s;
    heard_t *h;

    assert_int_equal(user_add(&f->d, "Satu", "satu@test.example", ROLE_CS,
                              "rahasia-sekali", &one.owner),
                     WERR_OK);
    assert_int_equal(user_add(&f->d, "Dua", "dua@test.example", ROLE_CS,
                              "rahasia-sekali", &two.owner),
                     WERR_OK);
    assert_int_equal(user_add(&f->d, "Bos", "bos@test.example", ROLE_SUPERVISOR,
                              "rahasia-sekali", &boss),
                     WERR_OK);
    assert_int_equal(domain_write(&f->d, number_tx, &one), WERR_OK);
    assert_int_equal(domain_write(&f->d, number_tx, &two), WERR_OK);
    v1 = sees(f, one.owner);
    v2 = sees(f, two.owner);
    all = sees(f, boss);
    assert_true(visibility_has(v1, one.id) && !visibility_has(v1, two.id));
    assert_true(visibility_has(v2, two.id) && !visibility_has(v2, one.id));
    assert_true(visibility_has(v1, home) && visibility_has(v2, home));
    assert_true(all->all && !visibility_same(v1, v2));
    assert_int_equal(visibility_of(f->db, 999, &none), WERR_NOTFOUND);
    assert_null(none);

    since = now_at(f);
    f->session = one.id;
    s = say(f, "6281", "ID1", "halo", clock_now_ms(), false);
    a.contact = s.contact.id;
    assert_int_equal(domain_write(&f->d, gift_tx, &a), WERR_OK);
    assert_int_equal(domain_write(&f->d, remind_tx, &a), WERR_OK);
    assert_int_equal(reminder_fire(&f->d), 1);
    h = listen_to(f, since, 3, v1);
    assert_int_equal(h->n, 4);
    forget(h);
    h = listen_to(f, since, 3, all);
    assert_int_equal(h->n, 4);
    forget(h);
    h = listen_to(f, since, 3, v2);
    assert_int_equal(h->n, 0);
    forget(h);

    /* talked with in the other one, too: now it is theirs as well */
    f->session = two.id;
    say(f, "6281", "ID2", "halo", clock_now_ms(), false);
    h = listen_to(f, since, 3, v2);
    assert_int_equal(h->n, 4); /* gift, reminder, its firing, message */
    forget(h);

    /* nobody talks with them: everybody may know them */
    since = now_at(f);
    RUN(f, "INSERT INTO contacts (id, phone, name, created_at, updated_at) "
           "VALUES (777, '62777', 'X', 0, 0)");
    a.contact = 777;
    assert_int_equal(domain_write(&f->d, gift_tx, &a), WERR_OK);
    h = listen_to(f, since, 3, v1);
    assert_int_equal(h->n, 1);
    forget(h);
    free(v1);
    free(v2);
    free(all);
    f->session = home;
}

/* ---- whose request ---- */

static void request_leaves_its_socket(void **state)
{
    fixture_t *f = *state;
    said_t s = say(f, "6281", "ID1", "halo", clock_now_ms(), false);
    int64_t since = now_at(f);
    heard_t *h;

    domain_caused_by("123.456", 3);
    assert_int_equal(domain_write(&f->d, star_tx, &s.ref.chat), WERR_OK);
    domain_caused_by(NULL, 0);
    assert_int_equal(domain_write(&f->d, star_tx, &s.ref.chat), WERR_OK);
    h = listen_to(f, since, FEED_ROWS, NULL);
    assert_int_equal(h->n, 2);
    assert_string_equal(h->e[0].socket, "123.456");
    assert_int_equal(h->e[0].socket_user, 3);
    assert_string_equal(h->e[1].socket, "");
    forget(h);
}

static void socket_ids(void **state)
{
    static const char *const good[] = {
        "1.2", "123456789.987654321",
        "18446744073709551615.18446744073709551615"};
    static const char *const bad[] = {"",
                                      "1",
                                      ".",
                                      "1.",
                                      ".1",
                                      "1.2.3",
                                      "1.2 ",
                                      "a.1",
                                      "-1.2",
                                      "1,2",
                                      "1.2\n3",
                                      "1.2\"x",
                                      "undefined.",
                                      "1 .2",
                                      "118446744073709551615.1",
                                      "1.118446744073709551615"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(socket_id_valid(good[i]));
        assert_true(strlen(good[i]) < SOCKET_ID_MAX);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(socket_id_valid(bad[i]));
    }
}

/* Every kind has its name, and no two the same. */
static void names_are_complete(void **state)
{
    (void)state;
    for (int i = EVENT_MESSAGE_RECEIVED; i < EVENT_KIND_END; i++) {
        assert_non_null(feed_name((event_kind_t)i));
        for (int k = EVENT_MESSAGE_RECEIVED; k < i; k++) {
            assert_string_not_equal(feed_name((event_kind_t)i),
                                    feed_name((event_kind_t)k));
        }
    }
    assert_null(feed_name(EVENT_KIND_END));
    assert_null(feed_name((event_kind_t)0));
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(message_with_donor_and_conversation),
        T(alias_only_contact_has_its_donatur),
        T(told_phone_takes_the_place_of_an_alias),
        T(erased_is_not_told_any_more),
        T(sent_moved_and_changed),
        T(chat_read_and_starred),
        T(gift_note_and_reminder),
        T(session_access_and_template),
        T(changed_access_is_told),
        T(merge_tells_of_both_chats),
        T(message_that_is_gone),
        T(many_at_once_are_one),
        T(midnight_is_one),
        T(long_text_is_cut),
        T(nothing_is_longer_than_allowed),
        T(pages_miss_and_repeat_nothing),
        T(the_same_again_is_told_once),
        T(undone_is_not_told),
        T(position_knows_what_is_gone),
        T(everyone_gets_what_they_may_see),
        T(request_leaves_its_socket),
        cmocka_unit_test(socket_ids),
        cmocka_unit_test(names_are_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
