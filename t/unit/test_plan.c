/*
 * test_plan.c - how SQLite will run every DB_QUERY of the program: none may
 * read a big table from end to end, or sort it, unless it says why; and none
 * says why for nothing.
 *
 *   test_plan              the test
 *   test_plan NAME...      prints the plans of these queries
 */
#include "db/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "db/sqlite.h"
#include "db/statement.h"

static const char *const big[] = {
    "chats",         "messages",   "contacts", "donations",
    "events",        "raw_events", "outbox",   "dead_letters",
    "parked",        "audit",      "consents", "contact_aliases",
    "message_media", "reactions",  "media",    "former_ids",
};

static char dir[32];
static store_t *store;
static db_t *db;

static int setup(void **state)
{
    static char path[64];
    store_options_t o = {.path = path};

    (void)state;
    log_setup(LOG_WARN, STDERR_FILENO);
    (void)snprintf(dir, sizeof(dir), "/tmp/wacrm-plan-XXXXXX");
    if (!mkdtemp(dir)) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/wacrm.db", dir);
    if (store_open(&store, &o) < 0 || store_reader(store, &db) < 0) {
        return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    char file[64];

    (void)state;
    store_reader_close(&db);
    store_close(&store);
    (void)snprintf(file, sizeof(file), "%s/wacrm.db", dir);
    (void)unlink(file);
    return rmdir(dir);
}

static char *explained(const db_query_t *query)
{
    char *sql = statement_rewrite(query->sql), *out = NULL;

    if (!sql || asprintf(&out, "EXPLAIN QUERY PLAN %s", sql) < 0) {
        fail_msg("out of memory");
    }
    free(sql);
    return out;
}

/* The table behind an alias: the word that follows a big table's name. */
static bool is_alias_of(const char *sql, const char *table, const char *name)
{
    size_t n = strlen(table);
    const char *p = sql;

    while ((p = strstr(p, table)) != NULL) {
        bool word = p == sql || strchr(" (,\n\t", p[-1]) != NULL;

        p += n;
        if (!word || *p != ' ') {
            continue;
        }
        p += strspn(p, " ");
        if (strncmp(p, "AS ", 3) == 0) {
            p += 3;
        }
        if (strncmp(p, name, strlen(name)) == 0 &&
            strchr(" ,)\n\t", p[strlen(name)])) {
            return true;
        }
    }
    return false;
}

static bool is_big(const char *sql, const char *name)
{
    for (size_t i = 0; i < sizeof(big) / sizeof(big[0]); i++) {
        if (strcmp(name, big[i]) == 0 || is_alias_of(sql, big[i], name)) {
            return true;
        }
    }
    return false;
}

static bool names_big(const char *sql)
{
    for (size_t i = 0; i < sizeof(big) / sizeof(big[0]); i++) {
        const char *p = strstr(sql, big[i]);

        if (p) {
            return true;
        }
    }
    return false;
}

/* true if this line of a plan is one that needs a reason. */
static bool is_bad(const char *sql, const char *line)
{
    char name[64];

    if (strncmp(line, "SCAN ", 5) == 0) {
        (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(line + 5, " "),
                       line + 5);
        return is_big(sql, name);
    }
    return strstr(line, "USE TEMP B-TREE FOR ORDER BY") && names_big(sql);
}

/* Lines that need a reason; the first of them in `first`. -1: no SQL. *scans:
 * whether any table is read whole, which may have a reason. */
static int explain(const db_query_t *query, bool print, char *first,
                   size_t size, bool *scans)
{
    char *sql = explained(query);
    sqlite3_stmt *st = NULL;
    int bad = 0, code;

    *scans = false;
    code = sqlite3_prepare_v2(db->handle, sql, -1, &st, NULL);
    if (code != SQLITE_OK) {
        (void)snprintf(first, size, "%s", sqlite3_errmsg(db->handle));
        bad = -1;
    }
    while (code == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(st, 3);

        if (print) {
            print_message("  %s\n", line);
        }
        if (strncmp(line, "SCAN ", 5) == 0) {
            *scans = true;
        }
        if (is_bad(query->sql, line) && bad++ == 0) {
            (void)snprintf(first, size, "%s", line);
        }
    }
    (void)sqlite3_finalize(st);
    free(sql);
    return bad;
}

static void every_plan(void **state)
{
    size_t n, failed = 0;
    const db_query_t *const *all = db_queries(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        char line[200] = "";
        bool scans;
        int bad = explain(all[i], false, line, sizeof(line), &scans);

        if (bad < 0) {
            print_error("%s: %s: %s\n", all[i]->file, all[i]->name, line);
        } else if (bad > 0 && !all[i]->scan) {
            print_error("%s: %s: %s, and it does not say why\n", all[i]->file,
                        all[i]->name, line);
        } else if (bad == 0 && !scans && all[i]->scan) {
            print_error("%s: %s: gives a reason (%s) that it does not need\n",
                        all[i]->file, all[i]->name, all[i]->scan);
        } else {
            continue;
        }
        failed++;
    }
    print_message("%zu queries explained\n", n);
    assert_true(n > 0);
    assert_int_equal(failed, 0);
}

/* No reason is good enough to read all messages. */
static bool reads_messages(const db_query_t *query)
{
    char *sql = explained(query), name[64];
    sqlite3_stmt *st = NULL;
    bool found = false;

    assert_int_equal(sqlite3_prepare_v2(db->handle, sql, -1, &st, NULL),
                     SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(st, 3);

        if (strncmp(line, "SCAN ", 5) == 0) {
            (void)snprintf(name, sizeof(name), "%.*s",
                           (int)strcspn(line + 5, " "), line + 5);
            found = found || strcmp(name, "messages") == 0 ||
                    is_alias_of(query->sql, "messages", name);
        }
    }
    (void)sqlite3_finalize(st);
    free(sql);
    return found;
}

static void messages_are_never_read_whole(void **state)
{
    size_t n, failed = 0;
    const db_query_t *const *all = db_queries(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        if (reads_messages(all[i])) {
            print_error("%s: %s reads all messages\n", all[i]->file,
                        all[i]->name);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

/* A search by the session alone goes through all its chats. */
static void failed_chats_have_an_index(void **state)
{
    size_t n;
    const db_query_t *const *all = db_queries(&n);
    bool found = false;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(all[i]->name, "dashboard_chats") == 0) {
            char *sql = explained(all[i]);
            sqlite3_stmt *st = NULL;

            assert_int_equal(sqlite3_prepare_v2(db->handle, sql, -1, &st, NULL),
                             SQLITE_OK);
            while (sqlite3_step(st) == SQLITE_ROW) {
                found =
                    found || strstr((const char *)sqlite3_column_text(st, 3),
                                    "f USING INDEX chats_failed (") != NULL;
            }
            (void)sqlite3_finalize(st);
            free(sql);
        }
    }
    assert_true(found);
}

/* That the test can fail. */
static void finds_what_is_bad(void **state)
{
    static const struct {
        const char *sql;
        int bad;
    } cases[] = {
        {"SELECT id FROM messages WHERE body = $1", 1},
        {"SELECT m.id FROM messages AS m WHERE m.body = $1", 1},
        {"SELECT m.id FROM messages m WHERE m.body = $1", 1},
        {"SELECT id FROM messages WHERE id = $1", 0},
        {"SELECT id FROM chats WHERE session_id = $1 ORDER BY unread", 1},
        {"SELECT id FROM chats WHERE session_id IN (1, 2)"
         " ORDER BY last_ts DESC LIMIT 5",
         1},
        {"DELETE FROM events WHERE created_at + 0 < $1", 1},
        {"SELECT count(*) FROM settings", 0},
        {"SELECT nothing FROM nowhere", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        db_query_t q = {cases[i].sql, "case", __FILE__, NULL};
        char line[200];
        bool scans;
        int bad = explain(&q, false, line, sizeof(line), &scans);

        if ((bad > 0) != (cases[i].bad > 0) ||
            (bad < 0) != (cases[i].bad < 0)) {
            fail_msg("%s: %d", cases[i].sql, bad);
        }
    }
}

static void print_plans(int argc, char **argv)
{
    size_t n;
    const db_query_t *const *all = db_queries(&n);
    char line[200];
    bool scans;

    for (size_t i = 0; i < n; i++) {
        for (int k = 1; k < argc; k++) {
            if (strcmp(all[i]->name, argv[k]) != 0) {
                continue;
            }
            print_message("%s: %s\n", all[i]->file, all[i]->name);
            if (explain(all[i], true, line, sizeof(line), &scans) < 0) {
                print_message("  %s\n", line);
            }
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_plan),
        cmocka_unit_test(messages_are_never_read_whole),
        cmocka_unit_test(failed_chats_have_an_index),
        cmocka_unit_test(finds_what_is_bad),
    };

    if (argc > 1) {
        int rc = setup(NULL);

        if (rc == 0) {
            print_plans(argc, argv);
        }
        return rc == 0 ? teardown(NULL) : rc;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
