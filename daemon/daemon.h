/*
 * daemon.h - the parts of wacrmd: all of them started, in the order in which
 * they need each other, and ended.
 */
#ifndef WACRM_DAEMON_H
#define WACRM_DAEMON_H

#include "alarm.h"
#include "control/control.h"
#include "domain/domain.h"
#include "http/http.h"
#include "intake/intake.h"
#include "outbox/outbox.h"
#include "realtime/realtime.h"
#include "reload.h"
#include "search/search.h"

/* In the order of their start; NULL: not there. */
typedef struct {
    reload_t config;
    int lock;
    int64_t started_ms;
    store_t *store;
    domain_t domain;
    spool_t *spool;
    realtime_t *realtime;
    outbox_t *outbox;
    alarm_t *alarm;
    intake_t *intake;
    search_t *search;
    http_server_t *http;
    control_t *control;
} daemon_t;

/* With d->config read, and d->lock -1. The error is logged; what has been
 * started by then is daemon_stop()'s. */
int daemon_start(daemon_t *d) WACRM_CHECKED;
/* What there is of it; within 10 s in any case. */
void daemon_stop(daemon_t *d);

#endif
