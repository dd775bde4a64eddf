/*
 * schedule.h - messages that leave later.
 *
 * The row is there at once, with status SCHEDULED and the time it is due as
 * its ts, so that it stands at the end of its chat; the chat's last message
 * and its place in the inbox do not know it. When it is due it is said: ts
 * becomes now, the outbox row goes to the end of its lane, so that those of a
 * chat leave in the order in which they were due or queued. Whether it may
 * leave is asked again then; if not, it has failed, with the reason.
 *
 * What has not left can be cancelled: it stays in its chat as CANCELLED, for
 * colleagues who have seen it stand there.
 */
#ifndef WACRM_DOMAIN_SCHEDULE_H
#define WACRM_DOMAIN_SCHEDULE_H

#include "base/buf.h"
#include "domain/domain.h"
#include "domain/message_row.h"
#include "domain/session.h"

#define SCHEDULE_MAX_DAYS 366 /* ahead */

/* ms when the next one is due; INT64_MAX: none. */
int schedule_next(db_t *db, int64_t *next) WACRM_CHECKED;
/* Up to max of those due at tx->now; how many, or < 0. */
int schedule_release(tx_t *tx, int max) WACRM_CHECKED;

/* Another time for it; WERR_CONFLICT: it is not scheduled (any more). */
int schedule_move(tx_t *tx, int64_t message, int64_t at) WACRM_CHECKED;
/* QUEUED or SCHEDULED -> CANCELLED; WERR_CONFLICT: it is in flight, or was. */
int schedule_cancel(tx_t *tx, int64_t message) WACRM_CHECKED;

/*
 * Those of the sessions, soonest first, as an array of Message with
 * chat_name; after (at, id) of the last one before, 0: from the first.
 */
struct media_viewer_s;
typedef struct {
    const session_set_t *sessions;
    int limit; /* 1..200 */
    int64_t after_at, after_id;
} schedule_query_t;
int schedule_list(db_t *db, const schedule_query_t *q,
                  const struct media_viewer_s *viewer, buf_t *out,
                  const char *key, bool *more, int64_t *last_at,
                  int64_t *last_id) WACRM_CHECKED;

/* Private to domain/: a SCHEDULED one is QUEUED now, said at ts (0: when it
 * was written). */
int schedule_surface(tx_t *tx, message_row_t *m, int64_t ts) WACRM_CHECKED;

#endif
