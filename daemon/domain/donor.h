/*
 * donor.h - gifts, and the figures computed from them: M1..M33 of
 * docs/donor-metrics.md.
 */
#ifndef WACRM_DOMAIN_DONOR_H
#define WACRM_DOMAIN_DONOR_H

#include "domain/domain.h"

/* ---- pure arithmetic, no database ---- */

typedef struct {
    int64_t days_since_last; /* -1: never gave */
    int64_t n24, s24;        /* gifts and rupiah of the last 24 months */
    int64_t s12, s12_before; /* rupiah: trailing 12 months, the 12 before */
    double p;                /* talk points now */
    bool opted_out;
    int64_t major_amount; /* B */
} score_in_t;

typedef struct {
    double r, f, m, giving, conversation;
    int adjust;
    int score; /* 0..100 */
} score_out_t;

void donor_score(const score_in_t *in, score_out_t *out); /* M20-M23 */

/* p at t1 of points p at t0 (ms), M22. A negative age counts as zero. */
double donor_decay(double p, int64_t t0, int64_t t1);

typedef struct {
    int64_t count;
    int64_t today, first, last; /* days; first, last -1 if count = 0 */
    int64_t s12;
    int64_t n24;
    bool gave_0_365, gave_366_730;
    bool vip, pledge;
    int64_t vip_amount;
    int lapse_days;
} segment_in_t;
const char *donor_segment(const segment_in_t *in,
                          const char **reason); /* M26-M30 */

/* LV / n rounded half up; false if n = 0. */
bool donor_average(int64_t sum, int64_t n, int64_t *out);

/* ---- in the database ---- */

typedef struct {
    int64_t amount;
    int64_t day;
    const char *fund, *campaign, *method, *ref, *note; /* NULL: none */
    int64_t cs_id;                                     /* 0: none */
} gift_t;

/*
 * Stores a confirmed gift of the contact and recomputes its figures in the
 * same transaction. WERR_CONFLICT: ref is known already.
 */
int donor_add_gift(tx_t *tx, int64_t contact, const gift_t *gift,
                   int64_t *id) WACRM_CHECKED;

/* Recomputes every figure of one contact from its rows. */
int donor_refresh(tx_t *tx, int64_t contact) WACRM_CHECKED;

/*
 * Set-based: refreshes up to limit contacts whose cached figures ended
 * before today. *left = true if there are more.
 */
int donor_refresh_due(tx_t *tx, int limit, bool *left) WACRM_CHECKED;

typedef enum {
    TALK_MESSAGE,  /* first message of the day from the donor: 4 */
    TALK_REPLY,    /* within 48 h of ours: 6 */
    TALK_REACTION, /* 2 */
    TALK_READ,     /* ours read, first of the day: 1 */
} talk_t;
/* Counts a conversation event at time ts into p and the score. A late one
 * counts decayed. */
int donor_talk(tx_t *tx, int64_t contact, talk_t what,
               int64_t ts) WACRM_CHECKED;

#endif
