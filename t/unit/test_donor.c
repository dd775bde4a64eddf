#include "domain_fixture.h"

#include <math.h>

#include "domain/donor.h"

#define MILLION INT64_C(1000000)

/* M24 */
static const struct {
    int64_t days, n24, s24;
    double p, r, f, m, giving, conversation;
    int score;
} vectors[] = {
    {30, 6, 3 * MILLION, 11.64, 89.0899, 60.4531, 74.4073, 76.0941, 44.1220,
     63},
    {10, 24, 24 * MILLION, 40, 96.2224, 100, 100, 98.4890, 86.4665, 94},
    {5, 1, 50000, 4, 98.0930, 21.5338, 8.7856, 48.3330, 18.1269, 36},
    {500, 2, 2 * MILLION, 0.5, 14.5816, 34.1303, 65.9684, 35.8623, 2.4690, 23},
    {-1, 0, 0, 30, 0, 0, 0, 0, 77.6870, 31},
};

static void close_to(double a, double b)
{
    assert_true(fabs(a - b) < 0.0001);
}

static void score_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        score_in_t in = {.days_since_last = vectors[i].days,
                         .n24 = vectors[i].n24,
                         .s24 = vectors[i].s24,
                         .p = vectors[i].p,
                         .major_amount = 10 * MILLION};
        score_out_t out;

        donor_score(&in, &out);
        close_to(out.r, vectors[i].r);
        close_to(out.f, vectors[i].f);
        close_to(out.m, vectors[i].m);
        close_to(out.giving, vectors[i].giving);
        close_to(out.conversation, vectors[i].conversation);
        assert_int_equal(out.score, vectors[i].score);
        assert_int_equal(out.adjust, 0);
    }
}

static int score_with(int64_t s12, int64_t before, bool opted_out)
{
    score_in_t in = {.days_since_last = 30,
                     .n24 = 6,
                     .s24 = 3 * MILLION,
                     .p = 11.64,
                     .s12 = s12,
                     .s12_before = before,
                     .opted_out = opted_out,
                     .major_amount = 10 * MILLION};
    score_out_t out;

    donor_score(&in, &out);
    return out.score;
}

static void score_adjustments(void **state)
{
    (void)state;
    assert_int_equal(score_with(1250, 1000, false), 68);
    assert_int_equal(score_with(1249, 1000, false), 63);
    assert_int_equal(score_with(501, 1000, false), 63);
    assert_int_equal(score_with(500, 1000, false), 58);
    assert_int_equal(score_with(9999, 0, false), 63);
    assert_int_equal(score_with(1250, 1000, true), 30);
}

static void talk_decays(void **state)
{
    (void)state;
    close_to(donor_decay(40, 0, 90 * DAY_MS), 20);
    close_to(donor_decay(40, 0, 180 * DAY_MS), 10);
    close_to(donor_decay(40, DAY_MS, 0), 40);
}

static void averages(void **state)
{
    int64_t a = -1;

    (void)state;
    assert_false(donor_average(0, 0, &a));
    assert_true(donor_average(10, 4, &a));
    assert_int_equal(a, 3); /* 2.5, half up */
    assert_true(donor_average(10, 3, &a));
    assert_int_equal(a, 3);
    assert_true(donor_average(11, 3, &a));
    assert_int_equal(a, 4);
    assert_true(donor_average(INT64_MAX, 1, &a));
    assert_int_equal(a, INT64_MAX);
}

static void segments(void **state)
{
    static const struct {
        int64_t count, first_ago, last_ago, s12, n24;
        bool young, old, vip, pledge;
        const char *segment;
    } table[] = {
        {0, 0, 0, 0, 0, 0, 0, 0, 0, "New"},
        {1, 396, 396, 0, 1, 0, 1, 0, 0, "Lapsed"},
        {9, 2000, 396, 0, 9, 0, 1, 1, 1, "Lapsed"},
        {1, 395, 395, 0, 1, 0, 1, 0, 0, "New"},
        {1, 10, 10, 10 * MILLION, 1, 1, 0, 0, 0, "VIP"},
        {1, 10, 10, 10 * MILLION - 1, 1, 1, 0, 0, 0, "New"},
        {1, 10, 10, 1, 1, 1, 0, 1, 0, "VIP"},
        {1, 10, 10, 1, 1, 1, 0, 0, 1, "Loyal"},
        {2, 400, 10, 1, 2, 1, 1, 0, 0, "Loyal"},
        {3, 100, 10, 1, 3, 1, 0, 0, 0, "Loyal"},
        {2, 100, 10, 1, 2, 1, 0, 0, 0, "New"},
        {2, 1500, 10, 1, 1, 1, 0, 0, 0, "Active"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        segment_in_t in = {.count = table[i].count,
                           .today = 20000,
                           .first = 20000 - table[i].first_ago,
                           .last = 20000 - table[i].last_ago,
                           .s12 = table[i].s12,
                           .n24 = table[i].n24,
                           .gave_0_365 = table[i].young,
                           .gave_366_730 = table[i].old,
                           .vip = table[i].vip,
                           .pledge = table[i].pledge,
                           .vip_amount = 10 * MILLION,
                           .lapse_days = 395};
        const char *reason = NULL;

        assert_string_equal(donor_segment(&in, &reason), table[i].segment);
        assert_non_null(reason);
    }
}

/* ---- in the database ---- */

typedef struct {
    int64_t contact;
    int64_t ago; /* days */
    gift_t gift;
    int64_t id;
    int rc;
} give_t;

static int give_tx(tx_t *tx, void *arg)
{
    give_t *g = arg;

    g->gift.day = tx->today - g->ago;
    g->rc = donor_add_gift(tx, g->contact, &g->gift, &g->id);
    return g->rc == WERR_CONFLICT || g->rc == WERR_INVALID ? WERR_OK : g->rc;
}

static int give_ago(fixture_t *f, int64_t contact, int64_t amount, int64_t ago,
                    const char *ref)
{
    give_t g = {
        .contact = contact, .ago = ago, .gift = {.amount = amount, .ref = ref}};

    assert_int_equal(domain_write(&f->d, give_tx, &g), WERR_OK);
    return g.rc;
}

static int64_t somebody(fixture_t *f)
{
    return say(f, "628111", "m1", "halo", clock_now_ms(), false).contact.id;
}

static void gifts_make_figures(void **state)
{
    fixture_t *f = *state;
    int64_t k = somebody(f);

    assert_int_equal(give_ago(f, k, 100000, 10, "A-1"), WERR_OK);
    assert_int_equal(give_ago(f, k, 250000, 400, NULL), WERR_OK);
    assert_int_equal(give_ago(f, k, 900000, 1000, NULL), WERR_OK);
    assert_int_equal(give_ago(f, k, 5, 1, "A-1"), WERR_CONFLICT);
    assert_int_equal(give_ago(f, k, 0, 1, NULL), WERR_INVALID);
    assert_int_equal(give_ago(f, k, 5, -1, NULL), WERR_INVALID);
    assert_int_equal(ASK(f, "SELECT gift_sum FROM contacts"), 1250000);
    assert_int_equal(ASK(f, "SELECT gift_count FROM contacts"), 3);
    assert_int_equal(ASK(f, "SELECT gift_max FROM contacts"), 900000);
    assert_int_equal(ASK(f, "SELECT gift_best_year FROM contacts"), 900000);
    assert_int_equal(ASK(f, "SELECT cal_n24 FROM contacts"), 2);
    assert_int_equal(ASK(f, "SELECT cal_s24 FROM contacts"), 350000);
    assert_int_equal(ASK(f, "SELECT cal_s12 FROM contacts"), 100000);
    assert_int_equal(ASK(f, "SELECT cal_s12_before FROM contacts"), 250000);
    assert_int_equal(ASK(f, "SELECT cal_older FROM contacts"), 1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM contacts "
                            "WHERE segment = 'Loyal'"),
                     1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM segment_changes "
                            "WHERE to_segment = 'Loyal'"),
                     1);
    /* The gift of 400 days ago leaves 24 months in 330 or 331 days; before
     * that the young one passes no year. */
    assert_in_range(ASK(f, "SELECT valid_until - gift_last - 10 "
                           "FROM contacts"),
                    300, 331);
}

static int refresh_tx(tx_t *tx, void *arg)
{
    return donor_refresh_due(tx, 1, arg);
}

static void refresh(fixture_t *f)
{
    bool left = true;

    while (left) {
        assert_int_equal(domain_write(&f->d, refresh_tx, &left), WERR_OK);
    }
}

/* As if the days had passed: the rows move back, then the refresh is due. */
static void refresh_moves_windows(void **state)
{
    fixture_t *f = *state;
    int64_t k = somebody(f);

    assert_int_equal(give_ago(f, k, 100000, 10, NULL), WERR_OK);
    refresh(f);
    assert_int_equal(ASK(f, "SELECT cal_s12 FROM contacts"), 100000);
    RUN(f, "UPDATE donations SET gift_day = gift_day - 500");
    RUN(f, "UPDATE contacts SET gift_last = gift_last - 500, "
           "gift_first = gift_first - 500");
    refresh(f);
    assert_int_equal(ASK(f, "SELECT cal_s12 FROM contacts"), 100000);
    RUN(f, "UPDATE contacts SET valid_until = valid_until - 500");
    refresh(f);
    assert_int_equal(ASK(f, "SELECT cal_s12 FROM contacts"), 0);
    assert_int_equal(ASK(f, "SELECT cal_s12_before FROM contacts"), 100000);
    assert_int_equal(ASK(f, "SELECT count(*) FROM contacts "
                            "WHERE segment = 'Lapsed'"),
                     1);
}

/* The windows change on no day that the refresh would sleep through. */
typedef struct {
    int64_t contact, today;
    int64_t figures[5], until;
} day_t;

DB_QUERY(day_figures,
         "SELECT cal_n24, cal_s24, cal_s12, cal_s12_before, cal_older, "
         "valid_until FROM contacts WHERE id = $1");

static int day_tx(tx_t *tx, void *arg)
{
    day_t *d = arg;
    db_stmt_t *s;
    int rc;

    tx->today = d->today;
    rc = donor_refresh(tx, d->contact);
    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &day_figures);
    db_bind_i64(s, 1, d->contact);
    if (db_first(s) != DB_ROW) {
        return WERR_SYSTEM;
    }
    for (int i = 0; i < 5; i++) {
        d->figures[i] = db_i64(s, i);
    }
    d->until = db_i64(s, 5);
    db_done(s);
    return WERR_OK;
}

static void refresh_misses_no_day(void **state)
{
    fixture_t *f = *state;
    day_t before = {.contact = somebody(f)}, now;
    int64_t start = clock_day_of(clock_now_ms(), 25200);

    assert_int_equal(give_ago(f, before.contact, 7, 0, NULL), WERR_OK);
    assert_int_equal(give_ago(f, before.contact, 11, 59, NULL), WERR_OK);
    before.today = start;
    assert_int_equal(domain_write(&f->d, day_tx, &before), WERR_OK);
    for (int64_t day = start + 300; day < start + 800; day++) {
        now = before;
        now.today = day;
        assert_int_equal(domain_write(&f->d, day_tx, &now), WERR_OK);
        if (memcmp(now.figures, before.figures, sizeof(now.figures)) != 0) {
            assert_true(before.until <= day);
        }
        before = now;
    }
}

typedef struct {
    int64_t contact, ts;
    talk_t what;
} talked_t;

static int talk_tx(tx_t *tx, void *arg)
{
    const talked_t *t = arg;

    return donor_talk(tx, t->contact, t->what, t->ts);
}

static void talk(fixture_t *f, int64_t contact, talk_t what, int64_t ts)
{
    talked_t t = {contact, ts, what};

    assert_int_equal(domain_write(&f->d, talk_tx, &t), WERR_OK);
}

static void talk_counts_once_a_day(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms(), k = somebody(f);

    assert_int_equal(ASK(f, "SELECT 1000 * talk_points FROM contacts"), 4000);
    talk(f, k, TALK_MESSAGE, now);
    assert_int_equal(ASK(f, "SELECT 1000 * talk_points FROM contacts"), 4000);
    talk(f, k, TALK_READ, now);
    talk(f, k, TALK_READ, now);
    assert_int_equal(ASK(f, "SELECT round(talk_points * 1000) "
                            "FROM contacts"),
                     5000);
    /* A late one counts decayed: 2 * 2^-1 */
    talk(f, k, TALK_REACTION, now - 90 * DAY_MS);
    assert_int_equal(ASK(f, "SELECT round(talk_points * 1000) "
                            "FROM contacts"),
                     6000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(score_vectors),
        cmocka_unit_test(score_adjustments),
        cmocka_unit_test(talk_decays),
        cmocka_unit_test(averages),
        cmocka_unit_test(segments),
        cmocka_unit_test_setup_teardown(gifts_make_figures, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(refresh_moves_windows, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(refresh_misses_no_day, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(talk_counts_once_a_day, fixture_setup,
                                        fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
