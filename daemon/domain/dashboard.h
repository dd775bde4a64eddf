/*
 * dashboard.h - how the desk does today: counted here, no gateway is asked.
 */
#ifndef WACRM_DOMAIN_DASHBOARD_H
#define WACRM_DOMAIN_DASHBOARD_H

#include "domain/session.h"

#define DASHBOARD_HOURS 24
/* A conversation that nobody answered for longer has ended by itself. */
#define DASHBOARD_UNANSWERED_DAYS 30

typedef struct {
    int64_t in[DASHBOARD_HOURS], out[DASHBOARD_HOURS]; /* of today */
    /* M33: from a donor's first unanswered message of today to the first
     * answer of a person; s. Both -1 where responses is 0. */
    int64_t responses, median_s, p90_s;
    int64_t unanswered, oldest; /* ms; 0: none */
    int64_t queued, failed;
} dashboard_t;

/* Of the sessions of the set. Reads what was said since yesterday. */
int dashboard_read(db_t *db, const domain_settings_t *settings,
                   const session_set_t *visible, int64_t now,
                   dashboard_t *out) WACRM_CHECKED;

#endif
