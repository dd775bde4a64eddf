/* The figures of donors in the database: gifts, windows, talk points. */
#include "domain/donor.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "domain/donor_row.h"
#include "domain/event.h"

#define REFRESH_MAX 1000

/*
 * The windows of the day $1: 12 months end after day $2, 24 months after day
 * $3. A figure of them changes next when a gift g passes a year or two: at
 * the first of g+365, g+366, g+730, g+731 that is still to come (365 or 366,
 * as leap years have it; a refresh too many harms nobody).
 */
#define WINDOWS                                                               \
    "CAST(coalesce(sum(CASE WHEN d.gift_day > $3 THEN 1 ELSE 0 END), 0) "     \
    "AS BIGINT), "                                                            \
    "CAST(coalesce(sum(CASE WHEN d.gift_day > $3 THEN d.amount ELSE 0 END), " \
    "0) AS BIGINT), "                                                         \
    "CAST(coalesce(sum(CASE WHEN d.gift_day > $2 THEN d.amount ELSE 0 END), " \
    "0) AS BIGINT), "                                                         \
    "CAST(coalesce(sum(CASE WHEN d.gift_day > $3 AND d.gift_day <= $2 "       \
    "THEN d.amount ELSE 0 END), 0) AS BIGINT), "                              \
    "coalesce(max(CASE WHEN d.gift_day >= $1 - 730 "                          \
    "AND d.gift_day <= $1 - 366 THEN 1 ELSE 0 END), 0), "                     \
    "min(CASE WHEN d.gift_day + 365 > $1 THEN d.gift_day + 365 "              \
    "WHEN d.gift_day + 366 > $1 THEN d.gift_day + 366 "                       \
    "WHEN d.gift_day + 730 > $1 THEN d.gift_day + 730 "                       \
    "WHEN d.gift_day + 731 > $1 THEN d.gift_day + 731 END)"
#define GIFT "d.status = 'confirmed' AND d.amount > 0"

DB_QUERY(donor_windows_one,
         "SELECT " WINDOWS " FROM donations d WHERE d.contact_id = $4 "
         "AND " GIFT);
DB_QUERY(donor_windows_due,
         "SELECT " WINDOWS ", k.id FROM (SELECT id FROM contacts "
         "WHERE gift_count > 0 AND valid_until <= $1 "
         "ORDER BY valid_until, id LIMIT $4) AS k "
         "CROSS JOIN donations d WHERE d.contact_id = k.id AND " GIFT
         " GROUP BY k.id");
DB_QUERY(donor_gift_rows,
         "SELECT d.gift_day, d.amount FROM donations d "
         "WHERE d.contact_id = $1 AND " GIFT " ORDER BY d.gift_day");
DB_QUERY(donor_get, "SELECT " DONOR_COLUMNS ", k.segment FROM contacts k "
                    "WHERE k.id = $1");
DB_QUERY(donor_set_sums,
         "UPDATE contacts SET gift_sum = $2, gift_count = $3, gift_max = $4, "
         "gift_first = $5, gift_last = $6, gift_best_year = $7, "
         "donor = CASE WHEN $3 > 0 THEN 1 ELSE donor END, updated_at = $8 "
         "WHERE id = $1");
DB_QUERY(donor_set_windows,
         "UPDATE contacts SET cal_n24 = $2, cal_s24 = $3, cal_s12 = $4, "
         "cal_s12_before = $5, cal_older = $6, valid_until = $7, "
         "segment = $8 WHERE id = $1");
DB_QUERY(donor_segment_change,
         "INSERT INTO segment_changes (contact_id, from_segment, to_segment, "
         "reason, changed_at) VALUES ($1, $2, $3, $4, $5)");
DB_QUERY(donor_gift_ref, "SELECT id FROM donations WHERE ref = $1");
DB_QUERY(donor_gift_insert,
         "INSERT INTO donations (contact_id, amount, gift_day, fund, "
         "campaign, method, ref, note, status, cs_id, created_at) "
         "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'confirmed', $9, $10)");
DB_QUERY(donor_talk_get,
         "SELECT talk_points, talk_at, coalesce(talk_day, -1), "
         "coalesce(talk_read_day, -1) FROM contacts WHERE id = $1");
DB_QUERY(donor_talk_set,
         "UPDATE contacts SET talk_points = $2, talk_at = $3, talk_day = $4, "
         "talk_read_day = $5 WHERE id = $1");

typedef struct {
    int64_t contact;
    int64_t n24, s24, s12, s12_before, older;
    int64_t next; /* day on which one of these moves; INT64_MAX: never */
} windows_t;

static void bind_windows(db_stmt_t *s, int64_t today)
{
    db_bind_i64(s, 1, today);
    db_bind_i64(s, 2, clock_months_before(today, 12));
    db_bind_i64(s, 3, clock_months_before(today, 24));
}

static void read_windows(db_stmt_t *s, windows_t *w)
{
    w->n24 = db_i64(s, 0);
    w->s24 = db_i64(s, 1);
    w->s12 = db_i64(s, 2);
    w->s12_before = db_i64(s, 3);
    w->older = db_i64(s, 4);
    w->next = db_is_null(s, 5) ? INT64_MAX : db_i64(s, 5);
}

static int load_row(tx_t *tx, int64_t contact, donor_row_t *row, char *segment,
                    size_t size)
{
    db_stmt_t *s = db_stmt(tx->db, &donor_get);
    const char *text;
    int rc;

    db_bind_i64(s, 1, contact);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    donor_row_read(s, 0, row);
    text = db_text(s, DONOR_NCOLUMNS);
    strncpy(segment, text, size - 1);
    segment[size - 1] = '\0';
    db_done(s);
    return WERR_OK;
}

static int change_segment(tx_t *tx, int64_t contact, const char *from,
                          const char *to, const char *reason)
{
    db_stmt_t *s = db_stmt(tx->db, &donor_segment_change);
    int rc;

    db_bind_i64(s, 1, contact);
    db_bind_text(s, 2, from);
    db_bind_text(s, 3, to);
    db_bind_text(s, 4, reason);
    db_bind_i64(s, 5, tx->now);
    rc = db_exec(s);
    if (rc == WERR_OK) {
        rc = event_raise(tx, EVENT_CONTACT, 0, 0, contact);
    }
    return rc;
}

static void sooner(int64_t *next, int64_t day, int64_t today)
{
    if (day > today && day < *next) {
        *next = day;
    }
}

/* Stores the windows, and what follows from them. */
static int apply_windows(tx_t *tx, const windows_t *w)
{
    const domain_settings_t *set = &tx->domain->settings;
    const char *segment, *reason;
    char before[32];
    donor_row_t row;
    int64_t next = w->next;
    db_stmt_t *s;
    int rc = load_row(tx, w->contact, &row, before, sizeof(before));

    if (rc != WERR_OK) {
        return rc;
    }
    row.n24 = w->n24;
    row.s24 = w->s24;
    row.s12 = w->s12;
    row.s12_before = w->s12_before;
    row.older = w->older != 0;
    segment = donor_row_segment(&row, set, tx->today, &reason);
    if (row.count > 0) {
        sooner(&next, row.last + set->lapse_days + 1, tx->today);
        sooner(&next, row.first + set->lapse_days + 1, tx->today);
    }
    s = db_stmt(tx->db, &donor_set_windows);
    db_bind_i64(s, 1, w->contact);
    db_bind_i64(s, 2, w->n24);
    db_bind_i64(s, 3, w->s24);
    db_bind_i64(s, 4, w->s12);
    db_bind_i64(s, 5, w->s12_before);
    db_bind_i64(s, 6, w->older);
    db_bind_i64(s, 7, next);
    db_bind_text(s, 8, segment);
    rc = db_exec(s);
    if (rc == WERR_OK && strcmp(before, segment) != 0) {
        rc = change_segment(tx, w->contact, before, segment, reason);
    }
    return rc;
}

typedef struct {
    int64_t sum, count, max, first, last, best_year;
} sums_t;

static int load_sums(tx_t *tx, int64_t contact, sums_t *t)
{
    db_stmt_t *s = db_stmt(tx->db, &donor_gift_rows);
    int64_t year_sum = 0;
    int year = 0, rc;

    memset(t, 0, sizeof(*t));
    db_bind_i64(s, 1, contact);
    while ((rc = db_step(s)) == DB_ROW) {
        int64_t day = db_i64(s, 0), amount = db_i64(s, 1);
        int y, month, mday;

        clock_civil(day, &y, &month, &mday);
        year_sum = y == year ? year_sum + amount : amount;
        year = y;
        t->first = t->count == 0 ? day : t->first;
        t->last = day;
        t->count++;
        t->sum += amount;
        t->max = amount > t->max ? amount : t->max;
        t->best_year = year_sum > t->best_year ? year_sum : t->best_year;
    }
    return rc;
}

int donor_refresh(tx_t *tx, int64_t contact)
{
    windows_t w = {.contact = contact};
    sums_t t;
    db_stmt_t *s;
    int rc = load_sums(tx, contact, &t);

    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &donor_set_sums);
    db_bind_i64(s, 1, contact);
    db_bind_i64(s, 2, t.sum);
    db_bind_i64(s, 3, t.count);
    db_bind_i64(s, 4, t.max);
    if (t.count > 0) {
        db_bind_i64(s, 5, t.first);
        db_bind_i64(s, 6, t.last);
    }
    db_bind_i64(s, 7, t.best_year);
    db_bind_i64(s, 8, tx->now);
    rc = db_exec(s);
    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &donor_windows_one);
    bind_windows(s, tx->today);
    db_bind_i64(s, 4, contact);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    read_windows(s, &w);
    db_done(s);
    return apply_windows(tx, &w);
}

int donor_refresh_due(tx_t *tx, int limit, bool *left)
{
    windows_t *due;
    db_stmt_t *s;
    size_t n = 0;
    int rc;

    *left = false;
    if (limit < 1 || limit > REFRESH_MAX) {
        limit = REFRESH_MAX;
    }
    due = malloc((size_t)limit * sizeof(*due));
    if (due == NULL) {
        return WERR_NOMEM;
    }
    s = db_stmt(tx->db, &donor_windows_due);
    bind_windows(s, tx->today);
    db_bind_i64(s, 4, limit);
    while ((rc = db_step(s)) == DB_ROW && n < (size_t)limit) {
        read_windows(s, &due[n]);
        due[n++].contact = db_i64(s, 6);
    }
    event_many_begin(tx);
    for (size_t i = 0; rc == WERR_OK && i < n; i++) {
        rc = apply_windows(tx, &due[i]);
    }
    if (rc == WERR_OK) {
        rc = event_many_end(tx);
    }
    *left = n == (size_t)limit;
    free(due);
    return rc;
}

static void bind_gift(db_stmt_t *s, int64_t contact, const gift_t *g)
{
    db_bind_i64(s, 1, contact);
    db_bind_i64(s, 2, g->amount);
    db_bind_i64(s, 3, g->day);
    db_bind_text(s, 4, g->fund);
    db_bind_text(s, 5, g->campaign);
    db_bind_text(s, 6, g->method);
    db_bind_text(s, 7, g->ref);
    db_bind_text(s, 8, g->note);
    if (g->cs_id != 0) {
        db_bind_i64(s, 9, g->cs_id);
    }
}

int donor_add_gift(tx_t *tx, int64_t contact, const gift_t *gift, int64_t *id)
{
    db_stmt_t *s;
    int rc;

    if (gift->amount <= 0 || gift->day < 0 || gift->day > tx->today) {
        return WERR_INVALID;
    }
    if (gift->ref != NULL) {
        s = db_stmt(tx->db, &donor_gift_ref);
        db_bind_text(s, 1, gift->ref);
        rc = db_first(s);
        db_done(s);
        if (rc != WERR_NOTFOUND) {
            return rc == DB_ROW ? WERR_CONFLICT : rc;
        }
    }
    s = db_stmt(tx->db, &donor_gift_insert);
    bind_gift(s, contact, gift);
    db_bind_i64(s, 10, tx->now);
    rc = db_exec(s);
    if (rc != WERR_OK) {
        return rc;
    }
    *id = db_last_id(tx->db);
    rc = donor_refresh(tx, contact);
    if (rc == WERR_OK) {
        rc = event_raise(tx, EVENT_CONTACT, 0, 0, contact);
    }
    return rc;
}

static double weight_of(talk_t what)
{
    switch (what) {
    case TALK_MESSAGE:
        return 4;
    case TALK_REPLY:
        return 6;
    case TALK_REACTION:
        return 2;
    default:
        return 1;
    }
}

int donor_talk(tx_t *tx, int64_t contact, talk_t what, int64_t ts)
{
    int64_t day = clock_day_of(ts, tx->domain->settings.utc_offset_s);
    int64_t at, wrote, was_read, *last = NULL;
    double p;
    db_stmt_t *s = db_stmt(tx->db, &donor_talk_get);
    int rc;

    db_bind_i64(s, 1, contact);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    p = db_double(s, 0);
    at = db_i64(s, 1);
    wrote = db_i64(s, 2);
    was_read = db_i64(s, 3);
    db_done(s);
    if (what == TALK_MESSAGE || what == TALK_READ) {
        last = what == TALK_MESSAGE ? &wrote : &was_read;
        if (day <= *last) {
            return WERR_OK;
        }
        *last = day;
    }
    p = donor_decay(p, at, ts) + donor_decay(weight_of(what), ts, at);
    s = db_stmt(tx->db, &donor_talk_set);
    db_bind_i64(s, 1, contact);
    db_bind_double(s, 2, p);
    db_bind_i64(s, 3, ts > at ? ts : at);
    if (wrote >= 0) {
        db_bind_i64(s, 4, wrote);
    }
    if (was_read >= 0) {
        db_bind_i64(s, 5, was_read);
    }
    return db_exec(s);
}
