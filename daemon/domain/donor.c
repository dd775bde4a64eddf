#include "domain/donor.h"

#include <math.h>

#include "base/clock.h"

#define HALF_LIFE_GIFT 180.0 /* days */
#define HALF_LIFE_TALK 90.0
#define TALK_SCALE     20.0
#define GIFTS_FULL     25.0 /* 1 + 24: a gift a month */
#define MONEY_UNIT     100000.0
#define OPTED_OUT_CAP  30

static double capped(double part)
{
    return 100.0 * (part < 1.0 ? part : 1.0);
}

/* A year that grew by a quarter, or fell to half, moves the score (M23). */
static int adjustment(int64_t s12, int64_t before)
{
    if (before <= 0) {
        return 0;
    }
    if ((double)s12 >= 1.25 * (double)before) {
        return 5;
    }
    if ((double)s12 <= 0.5 * (double)before) {
        return -5;
    }
    return 0;
}

void donor_score(const score_in_t *in, score_out_t *out)
{
    double n24 = in->n24 > 0 ? (double)in->n24 : 0;
    double s24 = in->s24 > 0 ? (double)in->s24 : 0;
    double p = in->p > 0 ? in->p : 0;
    double major = in->major_amount > 0 ? (double)in->major_amount : 1;
    int score;

    out->r = in->days_since_last < 0
                 ? 0
                 : 100.0 * exp2(-(double)in->days_since_last / HALF_LIFE_GIFT);
    out->f = capped(log1p(n24) / log(GIFTS_FULL));
    out->m = capped(log1p(s24 / MONEY_UNIT) / log1p(major / MONEY_UNIT));
    out->giving = 0.4 * out->r + 0.3 * out->f + 0.3 * out->m;
    out->conversation = 100.0 * (1.0 - exp(-p / TALK_SCALE));
    out->adjust = adjustment(in->s12, in->s12_before);
    score = (int)floor(0.6 * out->giving + 0.4 * out->conversation + 0.5) +
            out->adjust;
    if (in->opted_out && score > OPTED_OUT_CAP) {
        score = OPTED_OUT_CAP;
    }
    out->score = score < 0 ? 0 : score > 100 ? 100 : score;
}

double donor_decay(double p, int64_t t0, int64_t t1)
{
    double days = t1 > t0 ? (double)(t1 - t0) / (double)DAY_MS : 0;

    return p * exp2(-days / HALF_LIFE_TALK);
}

const char *donor_segment(const segment_in_t *in, const char **reason)
{
    const char *why, *segment;

    if (in->count <= 0) {
        segment = "New";
        why = "no gift";
    } else if (in->today - in->last > in->lapse_days) {
        segment = "Lapsed";
        why = "last gift too long ago";
    } else if (in->vip || in->s12 >= in->vip_amount) {
        segment = "VIP";
        why = in->vip ? "set by hand" : "sum of 12 months";
    } else if (in->pledge) {
        segment = "Loyal";
        why = "recurring pledge";
    } else if (in->gave_0_365 && in->gave_366_730) {
        segment = "Loyal";
        why = "gave in both of two years";
    } else if (in->n24 >= 3) {
        segment = "Loyal";
        why = "three gifts in 24 months";
    } else if (in->today - in->first <= in->lapse_days) {
        segment = "New";
        why = "first gift is recent";
    } else {
        segment = "Active";
        why = "gave again";
    }
    if (reason != NULL) {
        *reason = why;
    }
    return segment;
}

bool donor_average(int64_t sum, int64_t n, int64_t *out)
{
    if (n <= 0) {
        return false;
    }
    *out = sum / n + (sum % n >= n - sum % n ? 1 : 0);
    return true;
}
