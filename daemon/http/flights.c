#include "http/flights.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "base/lock.h"

/* More of them render at once without being followed. */
#define FLIGHTS_MAX 64

typedef struct {
    request_t *leader; /* NULL: free */
    request_t *followers;
    size_t len;
    unsigned char key[VIEW_KEY_MAX];
} flight_t;

struct flights_s {
    pthread_mutex_t lock;
    flight_t flights[FLIGHTS_MAX];
};

int flights_new(flights_t **out)
{
    flights_t *f = calloc(1, sizeof(*f));

    *out = f;
    if (f == NULL || !lock_init(&f->lock, NULL, NULL)) {
        free(f);
        *out = NULL;
        return WERR_NOMEM;
    }
    return WERR_OK;
}

void flights_free(flights_t **flights)
{
    if (*flights != NULL) {
        pthread_mutex_destroy(&(*flights)->lock);
    }
    free(*flights);
    *flights = NULL;
}

static flight_t *find(flights_t *f, const view_t *view)
{
    for (size_t i = 0; i < FLIGHTS_MAX; i++) {
        flight_t *at = &f->flights[i];

        if (at->leader != NULL && at->len == view->len &&
            memcmp(at->key, view->key, view->len) == 0) {
            return at;
        }
    }
    return NULL;
}

bool flights_follow(flights_t *f, request_t *r, const view_t *view)
{
    pthread_mutex_lock(&f->lock);
    flight_t *at = find(f, view);
    if (at != NULL) {
        /* before anybody can resume it */
        MHD_suspend_connection(r->connection);
        r->next = at->followers;
        at->followers = r;
    }
    pthread_mutex_unlock(&f->lock);
    return at != NULL;
}

void flights_lead(flights_t *f, request_t *r, const view_t *view)
{
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < FLIGHTS_MAX && !r->leads; i++) {
        flight_t *at = &f->flights[i];

        if (at->leader == NULL) {
            at->leader = r;
            at->followers = NULL;
            at->len = view->len;
            memcpy(at->key, view->key, view->len);
            r->leads = true;
        }
    }
    pthread_mutex_unlock(&f->lock);
}

request_t *flights_end(flights_t *f, request_t *r)
{
    request_t *followers = NULL;

    if (!r->leads) {
        return NULL;
    }
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < FLIGHTS_MAX; i++) {
        if (f->flights[i].leader == r) {
            followers = f->flights[i].followers;
            f->flights[i].leader = f->flights[i].followers = NULL;
        }
    }
    pthread_mutex_unlock(&f->lock);
    return followers;
}
