#include "edge/gcra.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND 1000000ull
#define START  (1000 * SECOND)

static gcra_rate_t rate_of(const char *text, uint32_t burst)
{
    gcra_rate_t rate;

    assert_true(gcra_rate_parse(text, strlen(text), burst, &rate));
    return rate;
}

static gcra_table_t *table_of(size_t n, void **memory, size_t *size)
{
    *size = gcra_table_size(n);
    *memory = mmap(NULL, *size, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(*memory, MAP_FAILED);
    return gcra_table_init(*memory, *size);
}

static void rate_parse(void **state)
{
    static const char *const bad[] = {
        "",      "30",     "30r",        "30r/",          "r/m",
        "0r/m",  "-1r/m",  "1r/d",       "1r/mm",         "1r/m ",
        " 1r/m", "1.5r/s", "1 r/s",      "+1r/s",         "1R/S",
        "1m/r",  "0000",   "1000001r/s", "99999999999r/s"};
    gcra_rate_t rate;
    size_t i;

    (void)state;
    rate = rate_of("30r/m", 0);
    assert_int_equal(rate.interval_us, 2 * SECOND);
    assert_int_equal(rate.burst, 30);
    assert_int_equal(rate.quota, 30);
    assert_int_equal(rate.window_s, 60);
    rate = rate_of("10r/s", 3);
    assert_int_equal(rate.interval_us, 100000);
    assert_int_equal(rate.burst, 3);
    rate = rate_of("100r/h", 0);
    assert_int_equal(rate.interval_us, 36 * SECOND);
    rate = rate_of("1000000r/s", 0);
    assert_int_equal(rate.interval_us, 1);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (gcra_rate_parse(bad[i], strlen(bad[i]), 0, &rate)) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
    assert_false(gcra_rate_parse("1r/s", 4, 1000001, &rate));
}

/* 30r/m: thirty at once, then one every two seconds. */
static void thirty_a_minute(void **state)
{
    gcra_rate_t rate = rate_of("30r/m", 0);
    gcra_table_t *table;
    gcra_result_t r;
    void *memory;
    size_t size;
    uint32_t i;

    (void)state;
    table = table_of(64, &memory, &size);
    r = gcra_table_take(table, &rate, "u1", 2, START, false);
    assert_true(r.allowed);
    assert_int_equal(r.remaining, 30);
    assert_int_equal(r.reset, 0);
    assert_int_equal(gcra_table_used(table, START), 0);
    for (i = 0; i < 30; i++) {
        r = gcra_table_take(table, &rate, "u1", 2, START, true);
        assert_true(r.allowed);
        assert_int_equal(r.limit, 30);
        assert_int_equal(r.remaining, 29 - i);
        assert_int_equal(r.retry_after, 0);
        assert_int_equal(r.reset, 2 * (i + 1));
    }
    r = gcra_table_take(table, &rate, "u1", 2, START, true);
    assert_false(r.allowed);
    assert_int_equal(r.remaining, 0);
    assert_int_equal(r.retry_after, 2);
    assert_int_equal(r.reset, 60);
    /* A refusal costs nothing, and another key has its own budget. */
    r = gcra_table_take(table, &rate, "u2", 2, START, true);
    assert_true(r.allowed);
    assert_int_equal(r.remaining, 29);
    r = gcra_table_take(table, &rate, "u1", 2, START + 2 * SECOND - 1, true);
    assert_false(r.allowed);
    assert_int_equal(r.retry_after, 1);
    r = gcra_table_take(table, &rate, "u1", 2, START + 2 * SECOND, true);
    assert_true(r.allowed);
    assert_int_equal(r.remaining, 0);
    r = gcra_table_take(table, &rate, "u1", 2, START + 2 * SECOND, false);
    assert_false(r.allowed);
    /* All of it is back after a minute more. */
    r = gcra_table_take(table, &rate, "u1", 2, START + 62 * SECOND, false);
    assert_true(r.allowed);
    assert_int_equal(r.remaining, 30);
    assert_int_equal(gcra_table_used(table, START), 2);
    assert_int_equal(gcra_table_used(table, START + 62 * SECOND), 0);
    munmap(memory, size);
}

/* A burst below the quota, a lowered rate, a clock set back. */
static void odd_rates(void **state)
{
    gcra_rate_t fast = rate_of("10r/s", 0);
    gcra_rate_t one = rate_of("10r/s", 1);
    gcra_table_t *table;
    gcra_result_t r;
    void *memory;
    size_t size;
    int i;

    (void)state;
    table = table_of(64, &memory, &size);
    r = gcra_table_take(table, &one, "k", 1, START, true);
    assert_true(r.allowed);
    assert_int_equal(r.remaining, 0);
    r = gcra_table_take(table, &one, "k", 1, START + 99999, true);
    assert_false(r.allowed);
    assert_int_equal(r.retry_after, 1);
    r = gcra_table_take(table, &one, "k", 1, START + 100000, true);
    assert_true(r.allowed);

    for (i = 0; i < 10; i++) {
        assert_true(gcra_table_take(table, &fast, "x", 1, START, true).allowed);
    }
    r = gcra_table_take(table, &one, "x", 1, START, true);
    assert_false(r.allowed);
    assert_int_equal(r.retry_after, 1);
    assert_int_equal(r.reset, 1);
    r = gcra_table_take(table, &fast, "x", 1, 0, true);
    assert_false(r.allowed);
    assert_int_equal(r.reset, 1);
    munmap(memory, size);
}

/*
 * What a key owes under an old rate is at most a whole burst under the new
 * one, also if another limit refuses, so that this one is only asked.
 */
static void changed_rate(void **state)
{
    gcra_rate_t slow = rate_of("5r/h", 0);
    gcra_rate_t fast = rate_of("1r/s", 2);
    gcra_table_t *table;
    gcra_result_t r;
    bool commit;
    void *memory;
    size_t size;
    int i;

    (void)state;
    table = table_of(64, &memory, &size);
    for (i = 0; i < 5; i++) {
        assert_true(gcra_table_take(table, &slow, "a", 1, START, true).allowed);
        assert_true(gcra_table_take(table, &slow, "b", 1, START, true).allowed);
    }
    for (i = 0; i < 2; i++) {
        commit = i == 0;
        r = gcra_table_take(table, &fast, &"ab"[i], 1, START, commit);
        assert_false(r.allowed);
        assert_int_equal(r.retry_after, 1);
        assert_int_equal(r.reset, 2);
        r = gcra_table_take(table, &fast, &"ab"[i], 1, START + SECOND, commit);
        assert_true(r.allowed);
    }
    munmap(memory, size);
}

static void sizes_and_attach(void **state)
{
    gcra_rate_t rate = rate_of("1r/h", 0);
    gcra_table_t *table;
    void *memory;
    size_t size;

    (void)state;
    assert_int_equal(gcra_table_size(SIZE_MAX), 0);
    assert_int_equal(gcra_table_capacity(0), 0);
    assert_int_equal(gcra_table_capacity(63), 0);
    assert_true(gcra_table_capacity(gcra_table_size(0)) >= 1);
    assert_true(gcra_table_capacity(gcra_table_size(1000)) >= 1000);
    assert_true(gcra_table_size(1000) <= 1000 * 16 + 256);

    table = table_of(100, &memory, &size);
    assert_non_null(table);
    assert_true(gcra_table_take(table, &rate, "k", 1, START, true).allowed);
    assert_ptr_equal(gcra_table_attach(memory, size), table);
    assert_false(gcra_table_take(table, &rate, "k", 1, START, true).allowed);
    assert_null(gcra_table_attach(NULL, size));
    assert_null(gcra_table_attach((char *)memory + 8, size - 8));
    assert_null(gcra_table_attach(memory, size - 128));
    assert_null(gcra_table_attach(memory, 10));
    assert_null(gcra_table_init(memory, 100));
    memset(memory, 0, 8);
    assert_null(gcra_table_attach(memory, size));
    munmap(memory, size);
}

/* A full set gives up the slot that expires soonest, and no other. */
static void eviction(void **state)
{
    gcra_rate_t rate = rate_of("1r/h", 0);
    gcra_table_t *table;
    void *memory;
    size_t size;
    char key[8];
    int i;

    (void)state;
    table = table_of(GCRA_WAYS, &memory, &size);
    assert_int_equal(gcra_table_capacity(size), GCRA_WAYS);
    for (i = 0; i < GCRA_WAYS; i++) {
        key[0] = (char)('a' + i);
        /* c is the oldest. */
        assert_true(gcra_table_take(table, &rate, key, 1,
                                    START + (i == 2 ? 0 : 10 + (uint64_t)i),
                                    true)
                        .allowed);
    }
    assert_int_equal(gcra_table_used(table, START), GCRA_WAYS);
    assert_true(
        gcra_table_take(table, &rate, "z", 1, START + 50, true).allowed);
    assert_int_equal(gcra_table_used(table, START), GCRA_WAYS);
    for (i = 0; i < GCRA_WAYS; i++) {
        key[0] = (char)('a' + i);
        assert_int_equal(
            gcra_table_take(table, &rate, key, 1, START + 50, false).allowed,
            i == 2);
    }
    assert_false(
        gcra_table_take(table, &rate, "z", 1, START + 50, false).allowed);
    munmap(memory, size);
}

#define PROCESSES 4
#define ROUNDS    10000
#define KEYS      4
#define ASKS      2 /* of each process, round and key */
#define BURST     5

typedef struct {
    _Atomic uint32_t arrived;
    _Atomic uint32_t admitted[ROUNDS * KEYS];
} race_t;

/*
 * Four processes on one small table. All earlier keys have expired when a
 * round begins, so that its keys are put in, all at once, by taking slots
 * over.
 */
static void racer(gcra_table_t *table, const gcra_rate_t *rate, race_t *race)
{
    uint64_t now = START;
    uint32_t key, round, i;

    for (round = 0; round < ROUNDS; round++) {
        race->arrived++;
        while (race->arrived < (round + 1) * PROCESSES) {
            sched_yield();
        }
        for (i = 0; i < ASKS * KEYS; i++) {
            key = round * KEYS + i % KEYS;
            if (gcra_table_take(table, rate, &key, sizeof(key), now, true)
                    .allowed) {
                race->admitted[key]++;
            }
        }
        now += SECOND;
    }
}

static void never_more_than_burst(void **state)
{
    gcra_rate_t rate = rate_of("1000r/s", BURST);
    gcra_table_t *table;
    race_t *race;
    pid_t pids[PROCESSES];
    void *memory;
    size_t size;
    int i, status;

    (void)state;
    assert_true(PROCESSES * ASKS > BURST);
    table = table_of(GCRA_WAYS * 2, &memory, &size);
    race = mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(race, MAP_FAILED);
    for (i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            racer(table, &rate, race);
            _exit(0);
        }
    }
    for (i = 0; i < PROCESSES; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    for (i = 0; i < ROUNDS * KEYS; i++) {
        assert_int_equal(race->admitted[i], BURST);
    }
    munmap(race, sizeof(*race));
    munmap(memory, size);
}

/* The same instant for all: exactly the burst, however they interleave. */
static void same_instant(void **state)
{
    gcra_rate_t rate = rate_of("1000000r/h", 1000);
    gcra_table_t *table;
    uint32_t *admitted;
    pid_t pids[PROCESSES];
    void *memory;
    size_t size;
    int key, p, i, status;

    (void)state;
    table = table_of(256, &memory, &size);
    admitted = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(admitted, MAP_FAILED);
    for (p = 0; p < PROCESSES; p++) {
        pids[p] = fork();
        assert_true(pids[p] >= 0);
        if (pids[p] == 0) {
            for (i = 0; i < 1000; i++) {
                for (key = 0; key < 32; key++) {
                    if (gcra_table_take(table, &rate, &key, sizeof(key), START,
                                        true)
                            .allowed) {
                        __atomic_fetch_add(&admitted[key], 1, __ATOMIC_RELAXED);
                    }
                }
            }
            _exit(0);
        }
    }
    for (p = 0; p < PROCESSES; p++) {
        assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
        assert_int_equal(status, 0);
    }
    for (key = 0; key < 32; key++) {
        assert_int_equal(admitted[key], 1000);
    }
    munmap(admitted, 4096);
    munmap(memory, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rate_parse),   cmocka_unit_test(thirty_a_minute),
        cmocka_unit_test(odd_rates),    cmocka_unit_test(sizes_and_attach),
        cmocka_unit_test(eviction),     cmocka_unit_test(never_more_than_burst),
        cmocka_unit_test(same_instant), cmocka_unit_test(changed_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
