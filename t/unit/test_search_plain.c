/*
 * search, people and the inbox's search against a plain scan by LIKE: some
 * thousands of messages of few words, rare and frequent ones, hits that lie
 * close and hits that lie far back; any sessions, filters and pages; while
 * messages are edited, deleted and moved, and the index comes after.
 */
#include "index_fixture.h"
#include "quiet_log.h"

#include <jansson.h>
#include <sqlite3.h>

#include "search/chat_map.h"

#define CONTACTS 400
#define CHATS    500
#define SESSIONS 3
#define IDS_MAX  20000
#define ROUNDS   120
#define FAR      1000000
#define CLOSE    4500
#define LONG     6000
#define PENDING  "SELECT count(*) FROM search_changes WHERE body IS NOT NULL"

/* A word of rank n is in every (n + 2)nd message or so. */
static const char *const words[] = {"zakat", "infak", "subuh",  "kirim",
                                    "bukti", "wakaf", "qurban", "jarang"};
enum { WORDS = sizeof(words) / sizeof(words[0]) };

typedef struct {
    indexed_t x;
    int next; /* id of a message */
    int64_t found[IDS_MAX], wanted[IDS_MAX];
} desk_t;

typedef struct {
    char typed[64], where[3][400]; /* of a message m, a contact k, both */
    int64_t ids[SESSIONS];
    session_set_t set;
    char in[64];
} query_t;

static size_t scan(desk_t *d, const char *text)
{
    sqlite3_stmt *s;
    size_t n = 0;

    if (sqlite3_prepare_v2(d->x.db, text, -1, &s, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", text, sqlite3_errmsg(d->x.db));
    }
    while (sqlite3_step(s) == SQLITE_ROW) {
        assert_true(n < IDS_MAX);
        d->wanted[n++] = sqlite3_column_int64(s, 0);
    }
    sqlite3_finalize(s);
    return n;
}

static void make_text(char *out, size_t size)
{
    size_t at = (size_t)snprintf(out, size, "halo");

    for (int i = 0; i < WORDS; i++) {
        if (rand() % (i * i * i + 2) == 0) {
            at += (size_t)snprintf(out + at, size - at, " %s", words[i]);
        }
    }
}

static void make_message(desk_t *d, int id, bool frequent)
{
    char body[120], text[400];

    make_text(body, sizeof(body));
    snprintf(text, sizeof(text),
             "INSERT INTO messages (id, session_id, chat_id, direction, ts, "
             "type, body, status, created_at) SELECT %d, session_id, id, 0, "
             "%d, 'text', '%s%s', 3, 1 FROM chats WHERE id = %d",
             id, id, body, frequent ? " sering" : "",
             1 + rand() % (CHATS / 2) + (id < FAR ? 0 : CHATS / 2));
    sql(&d->x, text);
}

/* Most chats are of the first session, hardly any of the last; half of them
 * have been silent since long. */
static void make_chats(desk_t *d)
{
    for (int i = 2; i <= SESSIONS; i++) {
        char text[200];

        snprintf(text, sizeof(text),
                 "INSERT INTO sessions (account_id, remote_id, session_id, "
                 "name, created_at, updated_at) VALUES "
                 "((SELECT id FROM accounts), 'cs-%d', 'cs-%d', 'x', 0, 0)",
                 i, i);
        sql(&d->x, text);
    }
    for (int i = 1; i <= CONTACTS; i++) {
        char text[400];

        snprintf(text, sizeof(text),
                 "INSERT INTO contacts (id, phone, name, created_at, "
                 "updated_at) VALUES (%d, '62812%06d', 'orang %s', 0, 0);"
                 "INSERT INTO chats (session_id, contact_id, starred, unread) "
                 "VALUES (CASE %d %% 25 WHEN 0 THEN 3 ELSE 1 END, %d, "
                 "%d %% 3 = 0, %d %% 4 = 0)",
                 i, i, rand() % 8 == 0 ? words[rand() % WORDS] : "biasa", i, i,
                 i, i);
        sql(&d->x, text);
    }
    sql(&d->x, "INSERT INTO chats (session_id, contact_id) SELECT 2, id FROM "
               "contacts WHERE id % 4 = 0");
}

static void set_order(desk_t *d)
{
    sql(&d->x,
        "UPDATE chats SET last_ts = coalesce((SELECT max(ts) FROM messages "
        "WHERE chat_id = chats.id), 0) / 7 * 7");
}

static void make_desk(desk_t *d)
{
    sql(&d->x, "BEGIN");
    make_chats(d);
    for (int i = 1; i <= 3000; i++) {
        make_message(d, i, i % 5 == 0);
    }
    /* 4,000 hits within a tenth of the numbers: the older ones are read */
    for (int i = 0; i < CLOSE; i++) {
        make_message(d, FAR + i, true);
    }
    d->next = FAR + CLOSE;
    set_order(d);
    sql(&d->x, "COMMIT");
}

/* No gaps: most words are read to their last hit. One was frequent once, and
 * is rare now: it is not. */
static void make_long_desk(desk_t *d)
{
    sql(&d->x, "BEGIN");
    make_chats(d);
    for (int i = 1; i <= LONG; i++) {
        make_message(d, i, i < LONG / 2 || i % 15 == 0);
    }
    d->next = LONG + 1;
    set_order(d);
    sql(&d->x, "COMMIT");
}

static void add_word(query_t *q, const char *word, bool last)
{
    size_t at[3] = {strlen(q->where[0]), strlen(q->where[1]), 0};
    bool open = last && rand() % 3 == 0;
    size_t len = open ? strlen(word) - 2 : strlen(word);

    snprintf(q->typed + strlen(q->typed), sizeof(q->typed) - strlen(q->typed),
             "%.*s%s", (int)len, word, open ? "" : " ");
    snprintf(q->where[0] + at[0], sizeof(q->where[0]) - at[0],
             " AND ' ' || m.body || ' ' LIKE '%% %.*s%s%%'", (int)len, word,
             open ? "" : " ");
    snprintf(q->where[1] + at[1], sizeof(q->where[1]) - at[1],
             " AND k.name LIKE '%%%.*s%%'", (int)len, word);
}

/* No set of words knows of phrases: the hits are read. */
static void add_phrase(query_t *q, const char *word)
{
    snprintf(q->typed, sizeof(q->typed), "\"halo %s\" ", word);
    snprintf(q->where[0] + strlen(q->where[0]),
             sizeof(q->where[0]) - strlen(q->where[0]),
             " AND m.body || ' ' LIKE 'halo %s %%'", word);
    snprintf(q->where[1] + strlen(q->where[1]),
             sizeof(q->where[1]) - strlen(q->where[1]),
             " AND k.name LIKE '%%halo%%' AND k.name LIKE '%%%s%%'", word);
}

static void make_query(query_t *q)
{
    int n = 1 + rand() % 2;

    memset(q, 0, sizeof(*q));
    snprintf(q->where[0], sizeof(q->where[0]), "m.deleted_at IS NULL");
    snprintf(q->where[1], sizeof(q->where[1]), "1");
    if (rand() % 4 == 0) {
        add_phrase(q, rand() % 2 == 0 ? "sering" : words[rand() % 3]);
    }
    for (int i = 0; i < n; i++) {
        add_word(q, rand() % 6 == 0 ? "sering" : words[rand() % WORDS],
                 i == n - 1);
    }
    q->set.ids = q->ids;
    snprintf(q->in, sizeof(q->in), "(0");
    for (int64_t id = 1; id <= SESSIONS; id++) {
        if (rand() % 2 == 0) {
            q->ids[q->set.n++] = id;
            snprintf(q->in + strlen(q->in), sizeof(q->in) - strlen(q->in),
                     ", %d", (int)id);
        }
    }
    snprintf(q->in + strlen(q->in), sizeof(q->in) - strlen(q->in), ")");
}

static void same(desk_t *d, const query_t *q, const char *what, size_t n,
                 size_t wanted)
{
    if (n != wanted || memcmp(d->found, d->wanted, n * sizeof(int64_t)) != 0) {
        fail_msg("%s \"%s\" in %s: %zu, by a scan %zu", what, q->typed, q->in,
                 n, wanted);
    }
}

typedef int (*page_fn)(search_look_t *look, const session_set_t *set,
                       int64_t before, int64_t *ids, size_t *n);

static int page_of_people(search_look_t *look, const session_set_t *set,
                          int64_t before, int64_t *ids, size_t *n)
{
    return search_people(look, set, false, before, ids, n);
}

/* All pages, one after the other. */
static size_t page_through(desk_t *d, const query_t *q, page_fn page)
{
    size_t want = 1 + (size_t)(rand() % 700), n = want, total = 0;
    int64_t before = 0;

    while (n == want) {
        search_look_t *look;

        assert_true(total + want <= IDS_MAX);
        assert_int_equal(search_begin(d->x.search, d->x.f->db, q->typed, &look),
                         WERR_OK);
        assert_int_equal(page(look, &q->set, before, &d->found[total], &n),
                         WERR_OK);
        search_end(&look);
        total += n;
        before = total > 0 ? d->found[total - 1] : 0;
    }
    return total;
}

static void lists_agree(desk_t *d, const query_t *q)
{
    char text[1000];
    size_t n = page_through(d, q, search_find);

    snprintf(text, sizeof(text),
             "SELECT id FROM messages m WHERE %s AND session_id IN %s "
             "ORDER BY id DESC",
             q->where[0], q->in);
    same(d, q, "messages", n, scan(d, text));
    n = page_through(d, q, page_of_people);
    snprintf(text, sizeof(text),
             "SELECT id FROM contacts k WHERE %s AND EXISTS (SELECT 1 FROM "
             "chats WHERE contact_id = k.id AND session_id IN %s) "
             "ORDER BY id DESC",
             q->where[1], q->in);
    same(d, q, "people", n, scan(d, text));
}

/* ---- the inbox ---- */

static int look_into(void *arg, int64_t chat, int64_t contact, bool open,
                     bool *hit)
{
    return search_in_chat(arg, chat, contact, open, hit);
}

static size_t take_rows(desk_t *d, const char *json, size_t total)
{
    json_t *root = json_loads(json, 0, NULL), *row;
    size_t i;

    assert_non_null(root);
    json_array_foreach(json_object_get(root, "conversations"), i, row)
    {
        assert_true(total < IDS_MAX);
        d->found[total++] =
            strtoll(json_string_value(json_object_get(row, "id")), NULL, 10);
    }
    json_decref(root);
    return total;
}

static bool write_page(desk_t *d, const query_t *q, inbox_query_t *page,
                       buf_t *out)
{
    search_look_t *look;
    search_hits_t hits;
    bool more = false;

    buf_init(out, 0);
    jw_open_object(out, NULL);
    assert_int_equal(search_begin(d->x.search, d->x.f->db, q->typed, &look),
                     WERR_OK);
    assert_int_equal(search_hits(look, &hits), WERR_OK);
    inbox_search_t found = {.chats = hits.chats,
                            .contacts = hits.contacts,
                            .nchats = hits.nchats,
                            .ncontacts = hits.ncontacts,
                            .partial = !hits.all,
                            .has = look_into,
                            .arg = look};
    page->search = &found;
    assert_int_equal(chat_inbox(d->x.f->db, &d->x.f->d, page, out, &more,
                                &page->before_ts, &page->before_id),
                     WERR_OK);
    search_end(&look);
    jw_close_object(out);
    return more;
}

static void inbox_agrees(desk_t *d, const query_t *q)
{
    static const struct {
        inbox_filter_t filter;
        const char *where;
    } filters[] = {{INBOX_ALL, "1"},
                   {INBOX_UNREAD, "c.unread > 0"},
                   {INBOX_STARRED, "c.starred = 1"}};
    size_t k = (size_t)(rand() % 3), total = 0;
    inbox_query_t page = {.sessions = &q->set,
                          .filter = filters[k].filter,
                          .limit = 5 + rand() % 190};
    char text[2000];
    bool more;

    do {
        buf_t out;

        more = write_page(d, q, &page, &out);
        total = take_rows(d, out.data, total);
        buf_free(&out);
    } while (more);
    snprintf(text, sizeof(text),
             "SELECT c.id FROM chats c JOIN contacts k ON k.id = c.contact_id "
             "WHERE c.session_id IN %s AND %s AND (%s OR EXISTS (SELECT 1 FROM "
             "messages m WHERE m.chat_id = c.id AND %s)) "
             "ORDER BY c.last_ts DESC, c.id DESC",
             q->in, filters[k].where, q->where[1], q->where[0]);
    same(d, q, "inbox", total, scan(d, text));
}

/* ---- what goes on meanwhile ---- */

static void change_some(desk_t *d)
{
    char body[120], text[400];

    make_text(body, sizeof(body));
    switch (rand() % 4) {
    case 0:
        snprintf(text, sizeof(text),
                 "UPDATE messages SET body = '%s' WHERE id %% 97 = %d", body,
                 rand() % 97);
        break;
    case 1:
        snprintf(text, sizeof(text),
                 "UPDATE messages SET deleted_at = 1 WHERE id %% 199 = %d",
                 rand() % 199);
        break;
    case 2: /* as a merge does */
        snprintf(text, sizeof(text),
                 "UPDATE messages SET chat_id = (SELECT max(id) FROM chats o "
                 "WHERE o.session_id = messages.session_id) WHERE id %% 211 = "
                 "%d",
                 rand() % 211);
        break;
    default:
        snprintf(text, sizeof(text),
                 "UPDATE contacts SET name = 'orang %s' WHERE id %% 61 = %d",
                 words[rand() % WORDS], rand() % 61);
        break;
    }
    sql(&d->x, text);
    make_message(d, d->next++, rand() % 2 == 0);
}

static void it_is_what_a_scan_finds(void **state)
{
    desk_t *d = *state;
    bool indexed = false;
    query_t q;

    srand(5);
    make_desk(d);
    for (int i = 0; i < ROUNDS; i++) {
        search_stat_t st;

        make_query(&q);
        lists_agree(d, &q);
        inbox_agrees(d, &q);
        search_stat(d->x.search, &st);
        indexed |= st.position >= FAR + CLOSE - 1;
        if (i > ROUNDS / 3) {
            change_some(d);
        }
        if (rand() % 3 == 0) {
            search_wake(d->x.search);
        }
    }
    assert_true(indexed); /* the index was asked, and not the tables alone */
}

static void wait_indexed(desk_t *d)
{
    search_stat_t st;

    do {
        search_wake(d->x.search);
        usleep(1000);
        search_stat(d->x.search, &st);
    } while (st.position < d->next - 1 || st.people < CONTACTS);
}

/* Of each message, as the database has it. */
static void map_is_right(desk_t *d)
{
    sqlite3_stmt *s, *block;
    int seen = 0;
    sqlite3 *index;

    assert_int_equal(sqlite3_open(d->x.path, &index), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(d->x.db,
                                        "SELECT id, chat_id FROM messages", -1,
                                        &s, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(index,
                                        "SELECT chats FROM message_chats "
                                        "WHERE block = ?1",
                                        -1, &block, NULL),
                     SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(s, 0);
        const uint8_t *chats;

        sqlite3_bind_int64(block, 1, id / CHAT_MAP_MESSAGES);
        assert_int_equal(sqlite3_step(block), SQLITE_ROW);
        assert_int_equal(sqlite3_column_bytes(block, 0), CHAT_MAP_MESSAGES * 3);
        chats = sqlite3_column_blob(block, 0);
        chats += id % CHAT_MAP_MESSAGES * 3;
        assert_int_equal(chats[0] | chats[1] << 8 | chats[2] << 16,
                         sqlite3_column_int64(s, 1));
        sqlite3_reset(block);
        seen++;
    }
    assert_true(seen > 3000);
    sqlite3_finalize(s);
    sqlite3_finalize(block);
    sqlite3_close(index);
}

static size_t chats_found(desk_t *d, const char *text, bool *all)
{
    search_look_t *look;
    search_hits_t hits;

    assert_int_equal(search_begin(d->x.search, d->x.f->db, text, &look),
                     WERR_OK);
    assert_int_equal(search_hits(look, &hits), WERR_OK);
    *all = hits.all;
    search_end(&look);
    return hits.nchats;
}

/* All hits of a word are read, or the newest and a part of the oldest; while
 * messages come, go and are moved, and the index has them or not. */
static void a_long_time(void **state)
{
    desk_t *d = *state;
    bool all;
    query_t q;

    srand(7);
    make_long_desk(d);
    wait_indexed(d);
    map_is_right(d);
    assert_true(chats_found(d, "subuh", &all) > 100);
    assert_true(all);
    (void)chats_found(d, "\"halo zakat\"", &all);
    assert_false(all);
    (void)chats_found(d, "\"halo sering\"", &all);
    assert_false(all);
    for (int i = 0; i < ROUNDS; i++) {
        make_query(&q);
        inbox_agrees(d, &q);
        change_some(d);
        if (rand() % 3 == 0) {
            search_wake(d->x.search);
        }
    }
    wait_indexed(d);
    for (int i = 0; i < 10000 && ASK(d->x.f, PENDING) > 0; i++) {
        search_wake(d->x.search);
        usleep(1000);
    }
    map_is_right(d);
}

/* The newest hits are all that is gathered: the others are read. */
static void hits_that_lie_close(void **state)
{
    desk_t *d = *state;
    bool all;

    srand(6);
    make_desk(d);
    wait_indexed(d);
    (void)chats_found(d, "\"halo sering\"", &all);
    assert_false(all);
    for (int i = 0; i < 40; i++) {
        query_t q;

        make_query(&q);
        inbox_agrees(d, &q);
        lists_agree(d, &q);
    }
}

static int setup(void **state)
{
    desk_t *d = calloc(1, sizeof(*d));

    assert_non_null(d);
    index_open(&d->x);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    desk_t *d = *state;
    int rc = index_close(&d->x);

    free(d);
    return rc;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(it_is_what_a_scan_finds),
        T(hits_that_lie_close),
        T(a_long_time),
    };

    return cmocka_run_group_tests(tests, quiet, loud);
}
