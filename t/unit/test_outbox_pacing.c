/* outbox: so many sends in a time, and a gap for each recipient. */
#include "outbox_fixture.h"

#include <dirent.h>

#include "domain/delivery.h"
#include "outbox/pacing.h"

/* How often threads of this process have gone to sleep so far. */
static long sleeps(void)
{
    static const char key[] = "voluntary_ctxt_switches:";
    DIR *d = opendir("/proc/self/task");
    struct dirent *entry;
    char path[300], line[128];
    long n = 0;

    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        FILE *f;

        (void)snprintf(path, sizeof(path), "/proc/self/task/%s/status",
                       entry->d_name);
        f = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        while (f && fgets(line, sizeof(line), f)) {
            if (strncmp(line, key, sizeof(key) - 1) == 0) {
                n += strtol(line + sizeof(key) - 1, NULL, 10);
            }
        }
        if (f) {
            (void)fclose(f);
        }
    }
    closedir(d);
    return n;
}

static void paced(void **state)
{
    int64_t ids[5], sent = 0;
    long before;

    (void)state;
    desk.options.per_minute = 3;
    for (int i = 0; i < 5; i++) {
        char phone[32];

        (void)snprintf(phone, sizeof(phone), "628133300022%d", i);
        ids[i] = queue(phone, "halo");
    }
    start_outbox();
    for (int i = 0; i < 3; i++) {
        (void)wait_for(ids[i], DELIVERY_SENT);
    }
    (void)usleep(300000);
    /* those put off are slept for, not polled for */
    before = sleeps();
    (void)usleep(400000);
    assert_true(sleeps() - before < 20);
    for (int i = 0; i < 5; i++) {
        row_t r = row(ids[i]);

        sent += r.state == DELIVERY_SENT;
        assert_int_equal(r.attempts, r.state == DELIVERY_SENT);
    }
    assert_int_equal(sent, 3);
    assert_int_equal(outbox_counters(desk.outbox)->deferred, 2);
}

static void gap_per_recipient(void **state)
{
    int64_t begun, a, b;

    (void)state;
    desk.options.gap_ms = 600;
    start_outbox();
    begun = clock_mono_ms();
    a = queue("6281333000230", "satu");
    b = queue("6281333000230", "dua");
    (void)wait_for(a, DELIVERY_SENT);
    assert_int_equal(wait_for(b, DELIVERY_SENT).attempts, 1);
    assert_true(clock_mono_ms() - begun >= 595);
}

static void pacing_arithmetic(void **state)
{
    pacing_t *p;

    (void)state;
    assert_int_equal(pacing_new(&p, 3, 1, 100), WERR_OK);
    pacing_round(p);
    assert_int_equal(pacing_take(p, 1, 10, false, 1000), 0);
    assert_int_equal(pacing_take(p, 1, 10, false, 1040), 60);
    assert_int_equal(pacing_take(p, 1, 11, true, 2000), 0);
    /* one first message a minute, the other kind goes on */
    assert_int_equal(pacing_take(p, 1, 12, true, 3000), 59000);
    assert_int_equal(pacing_take(p, 1, 13, false, 3000), 0);
    /* full: each one put off gets a later time */
    pacing_round(p);
    assert_int_equal(pacing_take(p, 1, 14, false, 4000), 57000);
    assert_int_equal(pacing_take(p, 1, 15, false, 4000), 58000);
    assert_int_equal(pacing_take(p, 1, 16, false, 4000), 59000);
    assert_int_equal(pacing_take(p, 1, 17, false, 4000), 117000);
    /* another session has its own */
    assert_int_equal(pacing_take(p, 2, 14, false, 4000), 0);
    pacing_round(p);
    assert_int_equal(pacing_take(p, 1, 14, false, 61000), 0);
    pacing_pause(p, 2, 70000);
    assert_int_equal(pacing_take(p, 2, 18, false, 65000), 5000);
    pacing_free(&p);
    assert_null(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pacing_arithmetic),
        TEST(paced),
        TEST(gap_per_recipient),
    };

    return cmocka_run_group_tests(tests, group_start, group_stop);
}
