/*
 * awaits.h - the requests that wait for the gateway, for the server's own
 * files.
 *
 * A waiting request keeps its place in the queue's count, so that the server
 * does not end before it. Whoever unlinks it from the list - the end of its
 * call, or the server's stop - puts it back into the queue, once. A call may
 * outlive the server: what it touches then is counted.
 */
#ifndef WACRM_HTTP_AWAITS_H
#define WACRM_HTTP_AWAITS_H

#include "http/jobs.h"
#include "http/router.h"

typedef struct awaits_s awaits_t;

int awaits_new(awaits_t **out, jobs_t *jobs) WACRM_CHECKED;
/* All who wait run `then` now; nobody waits any more. */
void awaits_close(awaits_t *a);
/* Calls still open keep what they need. */
void awaits_leave(awaits_t **a);

/* Starts the call of r->await; r is another thread's then. false: it could
 * not, and r->await is still there. */
bool await_begin(request_t *r) WACRM_CHECKED;
/* Drops r->await, whose call has not been made: 503, or what the route makes
 * of that. With r->db. */
void await_refuse(request_t *r);
/* Runs `then`, which may have left a new r->await. */
void await_end(request_t *r);
/* Drops r->await, if any. */
void await_free(request_t *r);

#endif
