/* event_feed: each kind of event, and what it tells. */
#include "feed_fixture.h"

#include "domain/contact_file.h"
#include "domain/note.h"
#include "domain/session_row.h"
#include "domain/template.h"

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

static said_t of_alias(const fixture_t *f, bool wrote)
{
    return (said_t){
        .hint = {.alias = "1234567890123@lid", .wrote = wrote},
        .in = {.session = f->session,
               .wa_id = "ID1",
               .ts = clock_now_ms(),
               .type = "text",
               .text = "x",
               .live = true},
    };
}

/* G7: byte for byte, also where there is no phone, nor a donor yet. */
static void alias_only_contact_has_its_donatur(void **state)
{
    fixture_t *f = *state;
    said_t s = of_alias(f, false);
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
    said_t s = of_alias(f, true);
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

static int note_tx(tx_t *tx, void *arg)
{
    about_t *a = arg;

    return note_add(tx, a->contact, "x", 0, &a->id);
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

    give(f, a.contact, 12000000);
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
        cmocka_unit_test(names_are_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
