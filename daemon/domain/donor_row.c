#include "domain/donor_row.h"

void donor_row_read(db_stmt_t *s, int column, donor_row_t *r)
{
    r->donor = db_i64(s, column) != 0;
    r->vip = db_i64(s, column + 1) != 0;
    r->pledge = db_i64(s, column + 2) != 0;
    r->opted_out = db_i64(s, column + 3) != 0;
    r->sum = db_i64(s, column + 4);
    r->count = db_i64(s, column + 5);
    r->first = r->count > 0 ? db_i64(s, column + 6) : -1;
    r->last = r->count > 0 ? db_i64(s, column + 7) : -1;
    r->talk_points = db_double(s, column + 8);
    r->talk_at = db_i64(s, column + 9);
    r->n24 = db_i64(s, column + 10);
    r->s24 = db_i64(s, column + 11);
    r->s12 = db_i64(s, column + 12);
    r->s12_before = db_i64(s, column + 13);
    r->older = db_i64(s, column + 14) != 0;
}

/* Someone the wire calls a donatur: gave, or wrote to us. */
static bool known(const donor_row_t *r)
{
    return r->donor || r->count > 0;
}

const char *donor_row_segment(const donor_row_t *r,
                              const domain_settings_t *set, int64_t today,
                              const char **reason)
{
    segment_in_t in = {
        .count = r->count,
        .today = today,
        .first = r->first,
        .last = r->last,
        .s12 = r->s12,
        .n24 = r->n24,
        .gave_0_365 = r->count > 0 && today - r->last <= 365,
        .gave_366_730 = r->older,
        .vip = r->vip,
        .pledge = r->pledge,
        .vip_amount = set->vip_amount,
        .lapse_days = set->lapse_days,
    };

    return donor_segment(&in, reason);
}

void donor_row_score(const donor_row_t *r, const domain_settings_t *set,
                     int64_t today, int64_t now, score_out_t *out)
{
    score_in_t in = {
        .days_since_last = -1,
        .n24 = r->n24,
        .s24 = r->s24,
        .s12 = r->s12,
        .s12_before = r->s12_before,
        .p = donor_decay(r->talk_points, r->talk_at, now),
        .opted_out = r->opted_out,
        .major_amount = set->major_amount,
    };

    if (r->count > 0) {
        in.days_since_last = today > r->last ? today - r->last : 0;
    }
    donor_score(&in, out);
}

void donor_row_write(const donor_row_t *r, const domain_settings_t *set,
                     int64_t today, int64_t now, buf_t *out, const char *key)
{
    score_out_t score;
    int64_t average;

    if (!known(r)) {
        jw_null(out, key);
        return;
    }
    donor_row_score(r, set, today, now, &score);
    jw_open_object(out, key);
    jw_i64(out, "lifetime_value", r->sum);
    jw_i64(out, "donation_count", r->count);
    if (donor_average(r->sum, r->count, &average)) {
        jw_i64(out, "avg_donation", average);
        jw_day(out, "last_donation", r->last);
    } else {
        jw_null(out, "avg_donation");
        jw_null(out, "last_donation");
    }
    jw_str(out, "segment", donor_row_segment(r, set, today, NULL));
    jw_i64(out, "engagement_score", score.score);
    jw_close_object(out);
}
