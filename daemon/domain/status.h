/*
 * status.h - the states of a message, and which may follow which.
 *
 * Incoming messages are DELIVERED. Outgoing: QUEUED, UNKNOWN < SENT <
 * DELIVERED < READ < PLAYED, forward only; FAILED only from QUEUED, UNKNOWN
 * or SENT. FAILED is left only by a manual retry, or by a delivered, read or
 * played that proves it wrong.
 *
 * SCHEDULED waits for its time (schedule.h): on the wire it is queued, with
 * its scheduled_at. CANCELLED does not leave; where an attempt before a retry
 * had arrived, a delivered, read or played tells so. Neither has been said: it
 * is not the last message of its chat, and counts nowhere. STATUS_UNSAID is
 * the bound that queries use.
 */
#ifndef WACRM_DOMAIN_STATUS_H
#define WACRM_DOMAIN_STATUS_H

#include <stdbool.h>

typedef enum {
    STATUS_QUEUED = 0,
    STATUS_UNKNOWN = 1,
    STATUS_SENT = 2,
    STATUS_DELIVERED = 3,
    STATUS_READ = 4,
    STATUS_PLAYED = 5,
    STATUS_FAILED = 6,
    STATUS_UNSAID = 7, /* a bound, no state */
    STATUS_SCHEDULED = 7,
    STATUS_CANCELLED = 8,
} status_t;

const char *status_name(status_t s);
/* Our words and the gateways': "pending" is queued, "server_ack" sent ...;
 * any case. false if unknown. */
bool status_parse(const char *word, status_t *out);
bool status_may_move(status_t from, status_t to);

#endif
