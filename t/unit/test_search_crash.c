/*
 * search: what a power cut or a kill leaves. The index may be older than the
 * rows that say what it has to take in, and the rows are to go in any case.
 */
#include "people_fixture.h"

#include <stdatomic.h>
#include <sys/syscall.h>

#define PENDING "SELECT count(*) FROM search_changes WHERE body IS NOT NULL"

static _Atomic int syncs; /* of the index's log */

/* In the place of the library's. */
int fdatasync(int fd)
{
    static const char log[] = "/search.db-wal";
    char link[40], path[300];
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    if (n >= (ssize_t)sizeof(log)) {
        path[n] = '\0';
        if (strcmp(path + n - (sizeof(log) - 1), log) == 0) {
            syncs++;
        }
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static void copy(const char *from, const char *to)
{
    char piece[8192];
    ssize_t n;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(in >= 0 && out >= 0);
    while ((n = read(in, piece, sizeof(piece))) > 0) {
        assert_int_equal(write(out, piece, (size_t)n), n);
    }
    assert_int_equal(n, 0);
    close(in);
    close(out);
}

/* The index as it is now, */
static void keep(desk_t *d, char *kept, size_t size)
{
    snprintf(kept, size, "%.180s.kept", d->path);
    search_stop(&d->search);
    copy(d->path, kept);
    start(d);
}

/* and as it was then: the commits after it had not come to the disk. */
static void power_cut(desk_t *d, const char *kept)
{
    char log[220];

    search_stop(&d->search);
    snprintf(log, sizeof(log), "%s-wal", d->path);
    (void)unlink(log);
    copy(kept, d->path);
    start(d);
}

static int64_t rebuilds(desk_t *d)
{
    search_stat_t st;

    search_stat(d->search, &st);
    return st.rebuilds;
}

/* Rows that say what has changed, of messages or of people, are all taken. */
static void settle(desk_t *d)
{
    wait_caught_up(d);
    wait_people(d);
}

static int edit_tx(tx_t *tx, void *arg)
{
    static int64_t later; /* than the last one, within a millisecond, too */
    const change_t *c = arg;

    return message_edit(tx, c->session, c->wa_id, c->text, tx->now + ++later);
}

/* Of the first message. */
static void edit(desk_t *d, const char *text)
{
    change_t c = {.session = d->f->session, .wa_id = "S1", .text = text};

    assert_int_equal(domain_write(&d->f->d, edit_tx, &c), WERR_OK);
}

/* ---- an older index ---- */

/* After n edits, the last one to `last`. */
static void go_back(desk_t *d, int n, const char *last)
{
    char kept[200];

    settle(d);
    keep(d, kept, sizeof(kept));
    for (int i = 1; i < n; i++) {
        edit(d, "kata sementara");
        settle(d);
    }
    edit(d, last);
    settle(d);
    power_cut(d, kept);
    assert_int_equal(both(d, last), 1);
    assert_int_equal(both(d, "pertama"), 0);
    settle(d);
    assert_int_equal(both(d, last), 1);
    assert_int_equal(both(d, "pertama"), 0);
    assert_int_equal(both(d, "sementara"), 0);
    assert_int_equal(both(d, "biasa"), 2);
    assert_int_equal(rebuilds(d), 1);
}

static void an_edit(void **state)
{
    desk_t *d = *state;

    tell(d, "kata pertama");
    tell(d, "kata biasa");
    tell(d, "kata biasa");
    go_back(d, 1, "kedua"); /* the first change that there ever was */
    go_back(d, 1, "ketiga");
    go_back(d, 3, "keempat");
}

static void the_first_edits(void **state)
{
    desk_t *d = *state;

    tell(d, "kata pertama");
    tell(d, "kata biasa");
    tell(d, "kata biasa");
    go_back(d, 3, "kedua");
}

static void a_deletion(void **state)
{
    desk_t *d = *state;
    char kept[200];

    for (int i = 0; i < 3; i++) {
        tell(d, "kata biasa");
    }
    change(d, 3, "kata lain");
    settle(d);
    keep(d, kept, sizeof(kept));
    change(d, 1, NULL);
    settle(d);
    power_cut(d, kept);
    settle(d);
    assert_int_equal(both(d, "biasa"), 1);
    assert_int_equal(rebuilds(d), 1);
}

static void a_rename(void **state)
{
    desk_t *d = *state;
    char kept[200];

    meet(d, "628120000001", NULL, "Aminah", "salam");
    meet(d, "628120000002", NULL, "Budi", "salam");
    for (int i = 0; i < 2; i++) {
        settle(d);
        keep(d, kept, sizeof(kept));
        RUN(d->f, "UPDATE contacts SET name = name || ' Baru' "
                  "WHERE phone = '628120000001'");
        RUN(d->f, "UPDATE contacts SET name = name || ' Lain' "
                  "WHERE phone = '628120000002'");
        settle(d);
        power_cut(d, kept);
        assert_int_equal(people(d, "baru"), 1);
        settle(d);
        assert_int_equal(people(d, "aminah baru"), 1);
        assert_int_equal(people(d, "budi lain"), 1);
        assert_int_equal(rebuilds(d), 1);
    }
}

/* What was not taken before the stop is still there: it goes on. */
static void nothing_is_missing(void **state)
{
    desk_t *d = *state;
    char kept[200];

    tell(d, "kata pertama");
    settle(d);
    for (int i = 0; i < 3; i++) {
        keep(d, kept, sizeof(kept));
        tell(d, "kata baru");
        settle(d);
        power_cut(d, kept); /* of new ones nothing is lost */
        settle(d);
        search_stop(&d->search);
        edit(d, "kata kedua");
        edit(d, "kata ketiga");
        RUN(d->f, "UPDATE contacts SET name = name || 'x'");
        start(d);
        settle(d);
        assert_int_equal(both(d, "ketiga"), 1);
        assert_int_equal(rebuilds(d), 0);
    }
}

/* ---- the rows ---- */

static int64_t faults(desk_t *d)
{
    search_stat_t st;

    search_stat(d->search, &st);
    return st.faults;
}

static void cannot_drop(desk_t *d)
{
    tell(d, "kata rahasia");
    settle(d);
    RUN(d->f, "CREATE TRIGGER stays BEFORE UPDATE ON search_changes "
              "BEGIN SELECT raise(ABORT, 'stays'); END");
    edit(d, "kata ketiga");
    for (int i = 0; faults(d) == 0; i++) {
        assert_true(i < 10000);
        search_wake(d->search);
        usleep(1000);
    }
    assert_int_equal(ASK(d->f, PENDING), 1);
    RUN(d->f, "DROP TRIGGER stays");
}

/* Nothing comes after it that would take the rows along. */
static void dropped_at_the_next_start(void **state)
{
    desk_t *d = *state;

    cannot_drop(d);
    search_stop(&d->search);
    assert_int_equal(ASK(d->f, PENDING), 1);
    start(d);
    settle(d);
    assert_int_equal(ASK(d->f, PENDING), 0);
    assert_int_equal(both(d, "ketiga"), 1);
}

static void dropped_after_a_fault(void **state)
{
    desk_t *d = *state;

    cannot_drop(d);
    settle(d);
    assert_int_equal(ASK(d->f, PENDING), 0);
    assert_int_equal(both(d, "ketiga"), 1);
}

/* The index is on the disk before the rows are gone. */
static void synced_before_it_is_dropped(void **state)
{
    desk_t *d = *state;
    int before;

    tell(d, "kata pertama");
    tell(d, "kata kedua");
    settle(d);
    for (int i = 0; i < 3; i++) {
        before = syncs;
        edit(d, i % 2 == 0 ? "kata genap" : "kata ganjil");
        settle(d);
        assert_true(syncs > before);
    }
    before = syncs;
    tell(d, "kata ketiga"); /* nothing is lost with a new one */
    settle(d);
    assert_int_equal(syncs, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_edit),
        T(the_first_edits),
        T(a_deletion),
        T(a_rename),
        T(nothing_is_missing),
        T(dropped_at_the_next_start),
        T(dropped_after_a_fault),
        T(synced_before_it_is_dropped),
    };
    return cmocka_run_group_tests(tests, quiet, loud);
}
