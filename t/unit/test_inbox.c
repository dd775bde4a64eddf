#include "inbox_fixture.h"

static void line_has_its_shape(void **state)
{
    fixture_t *f = *state;
    int64_t ts = INT64_C(1772338206000); /* 2026-03-01T04:10:06Z */
    said_t s =
        say(f, "6281234567890", "a", "Assalamu'alaikum \"kak\"", ts, false);
    json_t *d;
    page_t p;
    char id[24];

    give(f, s.contact.id, 250000);
    p = inbox(f, (inbox_query_t){0});
    assert_int_equal(json_array_size(p.rows), 1);
    snprintf(id, sizeof(id), "%lld", (long long)s.ref.chat);
    assert_string_equal(text(p.rows, 0, "id"), id);
    assert_string_equal(text(p.rows, 0, "session_id"), "cs-1");
    assert_string_equal(text(p.rows, 0, "name"), "+62 812-3456-7890");
    assert_string_equal(text(p.rows, 0, "phone"), "6281234567890");
    assert_string_equal(text(p.rows, 0, "last_message"),
                        "Assalamu'alaikum \"kak\"");
    assert_string_equal(text(p.rows, 0, "timestamp"), "2026-03-01T04:10:06Z");
    assert_int_equal(number(p.rows, 0, "unread_count"), 1);
    assert_true(json_is_false(
        json_object_get(json_array_get(p.rows, 0), "is_starred")));
    d = json_object_get(json_array_get(p.rows, 0), "donatur");
    assert_int_equal(json_integer_value(json_object_get(d, "lifetime_value")),
                     250000);
    assert_int_equal(json_integer_value(json_object_get(d, "donation_count")),
                     1);
    assert_int_equal(json_integer_value(json_object_get(d, "avg_donation")),
                     250000);
    assert_int_equal(
        strlen(json_string_value(json_object_get(d, "last_donation"))), 10);
    assert_string_equal(json_string_value(json_object_get(d, "segment")),
                        "New");
    assert_in_range(json_integer_value(json_object_get(d, "engagement_score")),
                    1, 100);
    assert_int_equal(json_object_size(d), 6);
    assert_int_equal(json_object_size(json_array_get(p.rows, 0)), 9);
    assert_false(p.more);
    json_decref(p.root);
}

static void donatur_only_for_those_who_wrote_or_gave(void **state)
{
    fixture_t *f = *state;
    json_t *d;
    page_t p;

    queue(f, "6281", "salam");
    p = inbox(f, (inbox_query_t){0});
    assert_true(
        json_is_null(json_object_get(json_array_get(p.rows, 0), "donatur")));
    json_decref(p.root);
    say(f, "6281", "a", "waalaikumsalam", clock_now_ms() + 1, false);
    p = inbox(f, (inbox_query_t){0});
    d = json_object_get(json_array_get(p.rows, 0), "donatur");
    assert_string_equal(json_string_value(json_object_get(d, "segment")),
                        "New");
    assert_true(json_is_null(json_object_get(d, "avg_donation")));
    assert_true(json_is_null(json_object_get(d, "last_donation")));
    json_decref(p.root);
}

static void last_message_is_always_a_string(void **state)
{
    static const struct {
        const char *type, *body, *want;
    } table[] = {
        {"image", "bukti transfer", "[Foto] bukti transfer"},
        {"image", "", "[Foto]"},
        {"document", "kuitansi", "[Dokumen] kuitansi"},
        {"audio", "", "[Audio]"},
        {"text", "halo", "halo"},
        {"text", "", ""},
        {"unsupported", "", "[Pesan tidak didukung]"},
    };
    fixture_t *f = *state;
    media_t media = {.mime = "image/jpeg", .size = -1};
    page_t p;

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char id[24];
        said_t s = {.hint = {.phone = "6281", .wrote = true},
                    .in = {.session = f->session,
                           .wa_id = id,
                           .ts = (int64_t)(i + 1) * 1000,
                           .type = table[i].type,
                           .text = table[i].body,
                           .media = &media,
                           .live = true}};

        snprintf(id, sizeof(id), "m%zu", i);
        assert_int_equal(domain_write(&f->d, say_tx, &s), WERR_OK);
        p = inbox(f, (inbox_query_t){0});
        assert_string_equal(text(p.rows, 0, "last_message"), table[i].want);
        json_decref(p.root);
    }
    RUN(f, "UPDATE messages SET deleted_at = 1");
    p = inbox(f, (inbox_query_t){0});
    assert_string_equal(text(p.rows, 0, "last_message"),
                        "[Dihapus] [Pesan tidak didukung]");
    json_decref(p.root);
    RUN(f, "UPDATE chats SET last_message_id = NULL");
    p = inbox(f, (inbox_query_t){0});
    assert_string_equal(text(p.rows, 0, "last_message"), "");
    json_decref(p.root);
}

static void pages_cover_all_once(void **state)
{
    static const int limits[] = {1, 7, 50, 99, 100, 130, 200};
    fixture_t *f = *state;

    many(f, 130);
    for (size_t k = 0; k < sizeof(limits) / sizeof(limits[0]); k++) {
        bool seen[130] = {0};
        inbox_query_t q = {.limit = limits[k]};
        const char *before = NULL;
        char last[40] = "9999";
        size_t total = 0;
        page_t p;

        do {
            p = inbox(f, q);
            assert_in_range(json_array_size(p.rows), 1, limits[k]);
            for (size_t i = 0; i < json_array_size(p.rows); i++) {
                int nr = (int)strtol(text(p.rows, i, "phone") + 8, NULL, 10);

                assert_false(seen[nr]);
                seen[nr] = true;
                before = text(p.rows, i, "timestamp");
                assert_true(strcmp(before, last) <= 0);
                snprintf(last, sizeof(last), "%s", before);
                total++;
            }
            q.before_ts = p.ts;
            q.before_id = p.id;
            json_decref(p.root);
        } while (p.more);
        assert_int_equal(total, 130);
    }
}

static void sessions_are_merged(void **state)
{
    fixture_t *f = *state;
    int64_t ids[2] = {f->session};
    session_set_t both = {.ids = ids, .n = 2};
    inbox_query_t q = {.sessions = &both, .limit = 33};

    many(f, 60);
    f->session = session_of(&f->d, "seed", "cs-2");
    ids[1] = f->session;
    many(f, 40);
    assert_int_equal(count_pages(f, q), 100);
    both.n = 0;
    assert_int_equal(count(f, (inbox_query_t){.sessions = &both}), 0);
}

static int mark_tx(tx_t *tx, void *arg)
{
    return chat_mark_read(tx, *(int64_t *)arg, false);
}

static int star_tx(tx_t *tx, void *arg)
{
    bool starred;
    int rc = chat_toggle_star(tx, *(int64_t *)arg, &starred);

    return rc == WERR_OK ? starred : rc;
}

static void filters(void **state)
{
    fixture_t *f = *state;
    said_t a = say(f, "6281", "a", "x", 1000, false);
    said_t b = say(f, "6282", "b", "x", 2000, false);
    int64_t none = 999, session;

    say(f, "6283", "c", "x", 3000, true);
    assert_int_equal(domain_write(&f->d, mark_tx, &a.ref.chat), WERR_OK);
    assert_int_equal(domain_write(&f->d, star_tx, &b.ref.chat), 1);
    move(f, "c", STATUS_FAILED);
    assert_int_equal(count(f, (inbox_query_t){.filter = INBOX_ALL}), 3);
    assert_int_equal(count(f, (inbox_query_t){.filter = INBOX_UNREAD}), 1);
    assert_int_equal(count(f, (inbox_query_t){.filter = INBOX_STARRED}), 1);
    assert_int_equal(count(f, (inbox_query_t){.filter = INBOX_FAILED}), 1);
    assert_int_equal(domain_write(&f->d, star_tx, &b.ref.chat), 0);
    assert_int_equal(count(f, (inbox_query_t){.filter = INBOX_STARRED}), 0);
    assert_int_equal(domain_write(&f->d, star_tx, &none), WERR_NOTFOUND);
    assert_int_equal(domain_write(&f->d, mark_tx, &none), WERR_NOTFOUND);
    assert_int_equal(chat_session(f->db, a.ref.chat, &session), WERR_OK);
    assert_int_equal(session, f->session);
    assert_int_equal(chat_session(f->db, none, &session), WERR_NOTFOUND);
}

#define TEST(t) \
    cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(line_has_its_shape),
        TEST(donatur_only_for_those_who_wrote_or_gave),
        TEST(last_message_is_always_a_string),
        TEST(pages_cover_all_once),
        TEST(sessions_are_merged),
        TEST(filters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
