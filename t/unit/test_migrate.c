#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "db/migrate.h"

#include "store_fixture.h"

static const schema_file_t two_files[] = {
    {1, "001_a.sql",
     "CREATE TABLE a (id %ID%, n %I64% NOT NULL) %STRICT%;"
     "INSERT INTO a (n) VALUES (42);"},
    {2, "002_b.sql",
     "CREATE TABLE b (id %ID%, r %REAL%, b %BYTES%,"
     " f %FLAG%) %STRICT%; UPDATE a SET n = n + 1;"},
};
static const schema_file_t bad_file[] = {
    {1, "001_a.sql", ""},
    {2, "002_bad.sql", "UPDATE a SET n = 0; SELECT nothing;"},
};
static const schema_file_t bad_macro[] = {
    {1, "001_a.sql", "CREATE TABLE a (id %SERIAL%);"},
};

static void migrates_with_a_copy(void **state)
{
    char error[256] = "", copy[160];
    struct stat st;
    db_t *db;

    (void)state;
    store_close(&store);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(copy, sizeof(copy), "%s/wacrm.db.v1", dir);
    db = raw();
    assert_int_equal(migrate_run(db, path, true, two_files, 1, error, 256),
                     WERR_OK);
    assert_int_equal(access(copy, F_OK), -1); /* nothing there to copy */
    assert_int_equal(migrate_run(db, path, true, two_files, 1, error, 256),
                     WERR_OK);
    assert_int_equal(number(db, "SELECT n FROM a"), 42);
    /* a bad one leaves all as it was */
    assert_int_equal(migrate_run(db, path, true, bad_file, 2, error, 256),
                     WERR_SYSTEM);
    assert_non_null(strstr(error, "002_bad.sql"));
    assert_int_equal(number(db, "SELECT n FROM a"), 42);
    assert_int_equal(migrate_run(db, path, true, two_files, 2, error, 256),
                     WERR_OK);
    assert_int_equal(number(db, "SELECT n FROM a"), 43);
    assert_int_equal(number(db, "SELECT max(version) FROM schema_version"), 2);
    assert_int_equal(number(db, "PRAGMA foreign_keys"), 1);
    sqlite_shut(&db);
    /* the copy is the database as it was */
    assert_int_equal(stat(copy, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(rename(copy, path), 0);
    db = raw();
    assert_int_equal(number(db, "SELECT n FROM a"), 42);
    assert_int_equal(migrate_run(db, path, true, two_files, 2, error, 256),
                     WERR_OK);
    sqlite_shut(&db);
}

static void refuses_what_it_does_not_know(void **state)
{
    store_options_t o = {.path = path};
    char error[256] = "";
    db_t *db;

    (void)state;
    store_close(&store);
    db = raw();
    assert_int_equal(sqlite_run(db, "INSERT INTO schema_version VALUES"
                                    " (9999, 'later', 0)"),
                     WERR_OK);
    sqlite_shut(&db);
    assert_int_equal(store_open(&store, &o), WERR_FUTURE);
    assert_null(store);
    assert_non_null(strstr(o.error, "later version"));
    assert_int_equal(unlink(path), 0);
    db = raw();
    assert_int_equal(migrate_run(db, path, true, bad_macro, 1, error, 256),
                     WERR_SYSTEM);
    assert_int_equal(sqlite_run(db, "CREATE TABLE foreign_table (x)"), WERR_OK);
    sqlite_shut(&db);
    assert_int_equal(store_open(&store, &o), WERR_INVALID);
    assert_non_null(strstr(o.error, "no database of wacrm"));
}

/* ---- since when there are to be backups ---- */

static store_stat_t stat_of_store(void)
{
    store_stat_t st;

    store_stat(store, &st);
    return st;
}

/* As it was before anybody noted it, and three days old. */
static void make_old(void)
{
    db_t *db = raw();

    assert_int_equal(
        sqlite_run(db, "DELETE FROM settings WHERE name LIKE 'backup_%';"
                       "UPDATE schema_version"
                       " SET applied_at = applied_at - 3 * 86400000"),
        WERR_OK);
    sqlite_shut(&db);
}

static void counts_backups_from_the_first_start(void **state)
{
    int64_t before = clock_now_ms();
    int64_t since;

    (void)state;
    store_close(&store);
    make_old();
    open_store();
    since = stat_of_store().backup_since;
    assert_true(since >= before && since <= clock_now_ms());
    assert_int_equal(stat_of_store().backup_at, 0);
    while (clock_now_ms() == since) {
    }
    store_close(&store);
    open_store();
    assert_int_equal(stat_of_store().backup_since, since);
}

/* ---- restore ---- */

static void restores(void **state)
{
    char copy[64], kept[200], error[300] = "";
    db_t *r = NULL;
    int64_t restored;

    (void)state;
    (void)snprintf(copy, sizeof(copy), "%s/copy.db", dir);
    assert_int_equal(store_backup(store, copy), WERR_OK);
    assert_int_equal(unlink(copy), 0);
    assert_int_equal(store_write(store, put_one, "before"), WERR_OK);
    assert_int_equal(store_backup(store, copy), WERR_OK);
    assert_int_equal(store_write(store, put_one, "after"), WERR_OK);
    store_close(&store);
    restored = clock_now_ms();
    assert_int_equal(
        store_restore(copy, path, kept, sizeof(kept), error, sizeof(error)),
        WERR_OK);
    open_store();
    assert_int_equal(store_reader(store, &r), WERR_OK);
    assert_true(has(r, "before"));
    assert_false(has(r, "after"));
    store_reader_close(&r);
    /* that of before the copy is not the last one */
    assert_int_equal(stat_of_store().backup_at, 0);
    assert_true(stat_of_store().backup_since >= restored);
    /* the old one is whole, too */
    store_close(&store);
    assert_int_equal(rename(kept, path), 0);
    open_store();
    assert_int_equal(store_reader(store, &r), WERR_OK);
    assert_true(has(r, "after"));
    store_reader_close(&r);
}

static void restores_nothing_bad(void **state)
{
    char copy[64], kept[200], error[300] = "";
    struct stat st;
    FILE *f;
    db_t *r = NULL;

    (void)state;
    (void)snprintf(copy, sizeof(copy), "%s/copy.db", dir);
    assert_int_equal(store_write(store, put_one, "here"), WERR_OK);
    store_close(&store);
    assert_int_equal(
        store_restore(copy, path, kept, sizeof(kept), error, sizeof(error)),
        WERR_NOTFOUND);
    f = fopen(copy, "we");
    assert_non_null(f);
    for (int i = 0; i < 1000; i++) {
        assert_true(fputs("no database ", f) >= 0);
    }
    assert_int_equal(fclose(f), 0);
    assert_int_equal(
        store_restore(copy, path, kept, sizeof(kept), error, sizeof(error)),
        WERR_CORRUPT);
    assert_non_null(strstr(error, copy));
    assert_int_equal(stat(kept, &st), -1);
    open_store();
    assert_int_equal(store_reader(store, &r), WERR_OK);
    assert_true(has(r, "here"));
    store_reader_close(&r);
}

static bool shm_stays;

/* In place of libc's: the old -shm cannot be set aside. */
int rename(const char *from, const char *to)
{
    size_t len = strlen(from);

    if (shm_stays && len > 4 && strcmp(from + len - 4, "-shm") == 0) {
        errno = EIO;
        return -1;
    }
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

/* Half of the old one's files set aside is no database: they come back. */
static void restores_or_leaves(void **state)
{
    char copy[64], kept[200], error[300] = "", shm[200];
    struct stat st;
    db_t *r = NULL;
    FILE *f;

    (void)state;
    (void)snprintf(copy, sizeof(copy), "%s/copy.db", dir);
    (void)snprintf(shm, sizeof(shm), "%s-shm", path);
    assert_int_equal(store_write(store, put_one, "here"), WERR_OK);
    assert_int_equal(store_backup(store, copy), WERR_OK);
    store_close(&store);
    f = fopen(shm, "we");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
    shm_stays = true;
    assert_int_equal(
        store_restore(copy, path, kept, sizeof(kept), error, sizeof(error)),
        WERR_IO);
    shm_stays = false;
    assert_int_equal(stat(kept, &st), -1);
    open_store();
    assert_int_equal(store_reader(store, &r), WERR_OK);
    assert_true(has(r, "here"));
    store_reader_close(&r);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(migrates_with_a_copy),
        T(refuses_what_it_does_not_know),
        T(counts_backups_from_the_first_start),
        T(restores),
        T(restores_nothing_bad),
        T(restores_or_leaves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
