/*
 * control.h - the control socket of wacrmd (0600): a JSON line in, JSON lines
 * out (command.h), one caller at a time.
 */
#ifndef WACRM_CONTROL_CONTROL_H
#define WACRM_CONTROL_CONTROL_H

#include "alarm.h"
#include "config.h"
#include "domain/domain.h"
#include "intake/intake.h"
#include "outbox/outbox.h"
#include "realtime/realtime.h"
#include "search/search.h"
#include "spool/spool.h"

typedef struct control_s control_t;

/* What runs; all of it outlives the control. */
typedef struct control_parts_s {
    domain_t *domain;
    spool_t *spool;
    search_t *search;
    const intake_t *intake;
    const outbox_t *outbox;
    const realtime_t *realtime;
    const alarm_counters_t *alarms;
    int64_t started_ms;
} control_parts_t;

/* Whatever is at the path of the socket is replaced. */
int control_start(control_t **out, const control_parts_t *parts,
                  const config_t *config) WACRM_CHECKED;
/* Ends the command at work. */
void control_stop(control_t **control);

#endif
