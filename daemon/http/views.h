/*
 * views.h - which view of the data a request asks for, as a worker has found
 * out: so that the I/O thread, when the same is asked again, knows the key of
 * its body in the cache without reading the database.
 *
 * It holds only while nothing is committed that says who may see what, and a
 * minute at most: by then it is seen, too, what somebody has changed in the
 * file beside wacrmd. Small and bounded: what is too long is not kept, and the
 * least recently used of four goes.
 */
#ifndef WACRM_HTTP_VIEWS_H
#define WACRM_HTTP_VIEWS_H

#include "db/store.h"

typedef struct views_s views_t;

/* All of a request that its view depends on. */
typedef struct {
    int64_t user;
    const char *session; /* X-Session-Id, or NULL */
    const char *target;  /* as it came */
} view_ask_t;

#define VIEW_KEY_MAX 512
typedef struct {
    store_topics_t topics; /* what its body is of, STORE_ACCESS among them */
    int64_t day;           /* on which it may be given */
    size_t len;
    unsigned char key[VIEW_KEY_MAX]; /* of its body in the cache */
} view_t;

/* The store stays the caller's. */
int views_new(views_t **out, store_t *store) WACRM_CHECKED;
void views_free(views_t **views);

/* version: store_version() before the first thing of the request was read,
 * the caller's role and sessions included. */
void views_keep(views_t *v, const view_ask_t *ask, const view_t *view,
                int64_t version);
/* false: not known, or not any more. */
bool views_find(views_t *v, const view_ask_t *ask, view_t *out) WACRM_CHECKED;

/* Views kept, and their bytes. */
void views_size(views_t *v, size_t *n, size_t *bytes);

#endif
