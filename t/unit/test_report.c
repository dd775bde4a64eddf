/* Reports: who gave and does not, who stays (M4..M17). */
#include "domain_fixture.h"

#include "base/hijri.h"
#include "base/jsonr.h"
#include "domain/donor.h"
#include "domain/donor_report.h"

typedef struct {
    const char *phone;
    int year;
    int64_t amount, day; /* day 0: 15 June */
} given_t;

static int give_tx(tx_t *tx, void *arg)
{
    const given_t *g = arg;
    contact_hint_t hint = {.phone = g->phone};
    gift_t gift = {.amount = g->amount,
                   .day = g->day != 0 ? g->day
                                      : clock_days_from_civil(g->year, 6, 15)};
    contact_ref_t c;
    int64_t id;
    int rc = contact_ensure(tx, &hint, &c);

    return rc == WERR_OK ? donor_add_gift(tx, c.id, &gift, &id) : rc;
}

/* 1 stays and gives more, 2 lapsed, 3 is new, 4 came back, 5 gave long ago,
 * 6 stays and gives less, new the year before. */
static const given_t gifts[] = {
    {"6281000000001", 2022, 100, 0}, {"6281000000001", 2023, 100, 0},
    {"6281000000001", 2024, 200, 0}, {"6281000000002", 2023, 300, 0},
    {"6281000000003", 2024, 50, 0},  {"6281000000004", 2022, 70, 0},
    {"6281000000004", 2024, 70, 0},  {"6281000000005", 2020, 90, 0},
    {"6281000000006", 2023, 500, 0}, {"6281000000006", 2024, 400, 0},
};

static void fill(fixture_t *f)
{
    for (size_t i = 0; i < sizeof(gifts) / sizeof(gifts[0]); i++) {
        given_t g = gifts[i];

        assert_int_equal(domain_write(&f->d, give_tx, &g), WERR_OK);
    }
}

static json_t *parsed(buf_t *b)
{
    char reason[100];
    json_t *json = jsonr_parse(b->data, b->len, reason, sizeof(reason));

    assert_non_null(json);
    buf_free(b);
    return json;
}

/* The last digits of the phones, in a row. */
static void lapsed_are(fixture_t *f, bool lybunt, bool exclusive,
                       const char *want)
{
    lapsed_query_t q = {.lybunt = lybunt, .exclusive = exclusive, .limit = 2};
    char got[20] = "";
    bool more = true;

    report_year(REPORT_GREGORIAN, 2024, 1, clock_days_from_civil(2026, 1, 1),
                false, &q.year);
    while (more) {
        buf_t b;
        json_t *json;

        buf_init(&b, 0);
        assert_int_equal(
            report_lapsed(f->db, &f->d, &q, &b, NULL, &more, &q.after),
            WERR_OK);
        json = parsed(&b);
        for (size_t i = 0; i < json_array_size(json); i++) {
            const char *phone = jsonr_str(json_array_get(json, i), "phone");

            (void)snprintf(got + strlen(got), 2, "%s", phone + 12);
        }
        json_decref(json);
    }
    assert_string_equal(got, want);
}

static void who_lapsed(void **state)
{
    fixture_t *f = *state;

    fill(f);
    lapsed_are(f, true, false, "2");
    lapsed_are(f, false, false, "25");
    lapsed_are(f, false, true, "5");
}

static void same_date_only(void **state)
{
    report_year_t y;

    (void)state;
    report_year(REPORT_GREGORIAN, 2024, 1, clock_days_from_civil(2024, 3, 1),
                true, &y);
    assert_int_equal(y.year_ago, clock_days_from_civil(2023, 3, 2));
    report_year(REPORT_GREGORIAN, 2024, 1, clock_days_from_civil(2026, 3, 1),
                true, &y);
    assert_int_equal(y.year_ago, y.start[2]);
    report_year(REPORT_GREGORIAN, 2024, 7, clock_days_from_civil(2024, 8, 1),
                false, &y);
    assert_int_equal(y.start[3], clock_days_from_civil(2025, 7, 1));
}

/* From Ramadan to Ramadan: 1446 begins on 1 March 2025, 1445 on 11 March
 * 2024. */
static void from_ramadan_to_ramadan(void **state)
{
    report_year_t y;
    int64_t today = clock_days_from_civil(2025, 6, 1);

    (void)state;
    report_year(REPORT_HIJRI, 1446, HIJRI_RAMADAN, today, false, &y);
    assert_int_equal(y.start[2], clock_days_from_civil(2025, 3, 1));
    assert_int_equal(y.start[1], clock_days_from_civil(2024, 3, 11));
    assert_int_equal(y.start[3], clock_days_from_civil(2026, 2, 18));
    assert_int_equal(y.year_ago, y.start[2]);
    assert_int_equal(report_year_of(REPORT_HIJRI, today, HIJRI_RAMADAN), 1446);
    assert_int_equal(
        report_year_of(REPORT_HIJRI, y.start[2] - 1, HIJRI_RAMADAN), 1445);
    assert_int_equal(report_year_of(REPORT_HIJRI, y.start[2] - 1, 1), 1446);
    /* today is 4 Zulhijah; so was 11 June 2024 */
    report_year(REPORT_HIJRI, 1446, HIJRI_RAMADAN, today, true, &y);
    assert_int_equal(y.year_ago, clock_days_from_civil(2024, 6, 12));
    /* a gift in the last Ramadan counts for that year, in the calendar year
     * of both */
    assert_true(clock_days_from_civil(2025, 2, 28) < y.start[2]);
    report_year(REPORT_HIJRI, 1447, HIJRI_RAMADAN, today, false, &y);
    assert_int_equal(y.start[1], clock_days_from_civil(2025, 3, 1));
}

/* LYBUNT over two Ramadans: who gave in that of 1445 (March 2024) and not in
 * that of 1446 (March 2025). */
static void lapsed_by_ramadan(void **state)
{
    static const struct {
        const char *phone;
        int year, month, day;
    } given[] = {
        {"6281000000001", 2024, 3, 20}, {"6281000000001", 2025, 3, 20},
        {"6281000000002", 2024, 3, 20}, {"6281000000002", 2025, 2, 20},
        {"6281000000003", 2023, 4, 1},  {"6281000000003", 2025, 3, 1},
    };
    fixture_t *f = *state;
    lapsed_query_t q = {.lybunt = true, .limit = 5};
    bool more;
    buf_t b;

    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        given_t g = {.phone = given[i].phone,
                     .amount = 100,
                     .day = clock_days_from_civil(given[i].year, given[i].month,
                                                  given[i].day)};

        assert_int_equal(domain_write(&f->d, give_tx, &g), WERR_OK);
    }
    report_year(REPORT_HIJRI, 1446, HIJRI_RAMADAN,
                clock_days_from_civil(2026, 1, 1), false, &q.year);
    buf_init(&b, 0);
    assert_int_equal(report_lapsed(f->db, &f->d, &q, &b, NULL, &more, &q.after),
                     WERR_OK);
    json_t *json = parsed(&b);
    assert_int_equal(json_array_size(json), 1);
    assert_string_equal(jsonr_str(json_array_get(json, 0), "phone"),
                        "6281000000002");
    json_decref(json);
}

static void who_stays(void **state)
{
    static const struct {
        const char *key;
        int64_t value;
    } want[] = {
        {"donors_before", 3}, {"donors", 4},
        {"retained", 2},      {"lapsed", 1},
        {"new", 1},           {"recaptured", 1},
        {"reactivated", 1},   {"new_before", 2},
        {"new_retained", 1},  {"upgraded", 1},
        {"downgraded", 1},    {"amount_before", 900},
        {"amount", 720},      {"amount_retained", 600},
    };
    fixture_t *f = *state;
    report_year_t y;
    json_t *json;
    buf_t b;

    fill(f);
    report_year(REPORT_GREGORIAN, 2024, 1, clock_days_from_civil(2026, 1, 1),
                false, &y);
    buf_init(&b, 0);
    assert_int_equal(report_retention(f->db, &y, &b, NULL), WERR_OK);
    json = parsed(&b);
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        int64_t v = -1;

        (void)jsonr_i64(json, want[i].key, &v);
        if (v != want[i].value) {
            fail_msg("%s: %lld", want[i].key, (long long)v);
        }
    }
    assert_true(json_real_value(json_object_get(json, "donor_retention")) >
                0.66);
    json_decref(json);
}

static int many_tx(tx_t *tx, void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        char phone[24];
        given_t g = {phone, 2026, 1000 * (i + 1), 0};
        contact_hint_t hint = {.phone = phone};
        gift_t gift = {.amount = g.amount, .day = tx->today - i};
        contact_ref_t c;
        int64_t id;
        int rc;

        (void)snprintf(phone, sizeof(phone), "62810000%05d", i);
        rc = contact_ensure(tx, &hint, &c);
        if (rc == WERR_OK) {
            rc = donor_add_gift(tx, c.id, &gift, &id);
        }
        if (rc != WERR_OK) {
            return rc;
        }
    }
    return WERR_OK;
}

static json_t *rfm(fixture_t *f)
{
    buf_t b;

    buf_init(&b, 0);
    assert_int_equal(
        report_rfm(f->db, clock_day_of(clock_now_ms(), 25200), &b, NULL),
        WERR_OK);
    return parsed(&b);
}

static void quintiles(void **state)
{
    fixture_t *f = *state;
    json_t *json, *first;

    RUN(f, "DELETE FROM events");
    json = rfm(f);
    assert_int_equal(json_array_size(json), 0);
    json_decref(json);
    assert_int_equal(domain_write(&f->d, many_tx, NULL), WERR_OK);
    json = rfm(f);
    /* a fifth of them each; all gave once, so nobody is worse than another */
    assert_int_equal(json_array_size(json), 5);
    first = json_array_get(json, 0);
    assert_int_equal(json_integer_value(json_object_get(first, "r")), 5);
    assert_int_equal(json_integer_value(json_object_get(first, "f")), 1);
    assert_int_equal(json_integer_value(json_object_get(first, "m")), 1);
    assert_int_equal(json_integer_value(json_object_get(first, "donors")), 20);
    json_decref(json);
}

static void bins_for_few(void **state)
{
    fixture_t *f = *state;
    json_t *json;

    fill(f);
    json = rfm(f);
    assert_true(json_array_size(json) >= 1);
    assert_int_equal(
        json_integer_value(json_object_get(json_array_get(json, 0), "m")), 1);
    json_decref(json);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_lapsed),        TEST(same_date_only),
        TEST(who_stays),         TEST(from_ramadan_to_ramadan),
        TEST(lapsed_by_ramadan), TEST(quintiles),
        TEST(bins_for_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
