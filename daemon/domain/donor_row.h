/*
 * donor_row.h - the stored figures of a donor, and what is computed from them
 * as they are read. Private to domain/.
 */
#ifndef WACRM_DOMAIN_DONOR_ROW_H
#define WACRM_DOMAIN_DONOR_ROW_H

#include "base/buf.h"
#include "domain/donor.h"

/* Columns of contacts AS k, in the order of donor_row_read(). */
#define DONOR_COLUMNS                                                   \
    "k.donor, k.vip, k.pledge, k.opted_out, k.gift_sum, k.gift_count, " \
    "k.gift_first, k.gift_last, k.talk_points, k.talk_at, k.cal_n24, "  \
    "k.cal_s24, k.cal_s12, k.cal_s12_before, k.cal_older"
#define DONOR_NCOLUMNS 15

typedef struct {
    bool donor, vip, pledge, opted_out;
    int64_t sum, count, first, last; /* first, last: days, -1 if none */
    double talk_points;
    int64_t talk_at;
    int64_t n24, s24, s12, s12_before;
    bool older; /* gave 366-730 days ago */
} donor_row_t;

void donor_row_read(db_stmt_t *s, int column, donor_row_t *r);

const char *donor_row_segment(const donor_row_t *r,
                              const domain_settings_t *set, int64_t today,
                              const char **reason);
void donor_row_score(const donor_row_t *r, const domain_settings_t *set,
                     int64_t today, int64_t now, score_out_t *out);

/* DonorSummary of the HTTP contract, or null. */
void donor_row_write(const donor_row_t *r, const domain_settings_t *set,
                     int64_t today, int64_t now, buf_t *out, const char *key);

#endif
