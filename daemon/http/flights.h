/*
 * flights.h - request coalescing (single flight): requests that wait until
 * another one has rendered the body that they ask for, too. They hold no worker
 * and no place in the queue.
 */
#ifndef WACRM_HTTP_FLIGHTS_H
#define WACRM_HTTP_FLIGHTS_H

#include "http/request.h"
#include "http/views.h"

typedef struct flights_s flights_t;

int flights_new(flights_t **out) WACRM_CHECKED;
void flights_free(flights_t **flights);

/* I/O thread: r is suspended until the one that renders the view has ended;
 * false: nobody does. */
bool flights_follow(flights_t *f, request_t *r,
                    const view_t *view) WACRM_CHECKED;
/* I/O thread: r, suspended and not queued yet, will render it. */
void flights_lead(flights_t *f, request_t *r, const view_t *view);

/* Worker: r has its answer. Returns those that followed it, linked by
 * request_t.next; to be resumed, each once. */
request_t *flights_end(flights_t *f, request_t *r);

#endif
