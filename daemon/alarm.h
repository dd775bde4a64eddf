/*
 * alarm.h - tells an administrator's own web hook what needs a person:
 * [alarm] of wacrmd.conf. Off without `url`.
 *
 * POST of a small JSON object, signed as Standard Webhooks say (webhook-id,
 * webhook-timestamp, webhook-signature: v1,Base64(HMAC-SHA256(secret,
 * "id.timestamp.body"))) where there is a secret. Each alarm at most once in
 * `repeat` while it lasts, and once when it has ended. Names, bodies: docs/
 * operations.md. Never a text, a name or a phone of a donor.
 */
#ifndef WACRM_ALARM_H
#define WACRM_ALARM_H

#include <stdatomic.h>

#include "domain/domain.h"
#include "outbox/outbox.h"
#include "spool/spool.h"

/* [alarm] of wacrmd.conf. Strings stay the caller's. */
typedef struct {
    const char *url;    /* NULL: off */
    const char *secret; /* NULL: not signed */
    int repeat_s;
    int session_down_s;
    int outbox_age_s;
    int backup_age_s;      /* 0: nobody asks for it */
    int64_t disk_free;     /* bytes */
    const char *state_dir; /* whose disk it is */
} alarm_options_t;

typedef struct alarm_s alarm_t;

typedef struct {
    _Atomic int64_t sent, failed; /* calls of the hook */
    _Atomic int64_t firing;       /* alarms, now */
} alarm_counters_t;

/* Everything handed in outlives it. Without url it looks all the same, for
 * the metric. */
int alarm_new(alarm_t **out, const alarm_options_t *o, domain_t *d,
              spool_t *spool, const outbox_t *outbox) WACRM_CHECKED;
/* After the outbox has stopped, which ends its calls. */
void alarm_free(alarm_t **a);

/* Looks, and sends what is to be told; every few seconds, on one thread. */
void alarm_look(alarm_t *a);

const alarm_counters_t *alarm_counters(const alarm_t *a);

#endif
