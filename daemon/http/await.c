#include "http/await.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/lock.h"
#include "base/log.h"
#include "http/awaits.h"
#include "http/server.h"

#define AWAITS_MAX 128 /* of the queue's 512 */

typedef struct await_s {
    struct await_s *prev, *next; /* of those who wait */
    awaits_t *list;              /* NULL: the call has not been started */
    request_t *request;          /* NULL: it waits no longer */
    const gateway_account_t *account;
    gw_request_t call;
    int64_t timeout_ms;
    await_fn then;
    await_refused_fn refused;
    void *state;
    char *body; /* of the answer, a copy */
    char error[256];
    await_result_t result;
    int refs; /* the request, the call; guarded by the list's lock */
} await_t;

struct awaits_s {
    pthread_mutex_t lock;
    jobs_t *jobs; /* there as long as anybody waits */
    await_t *first;
    size_t n;
    size_t refs; /* the server, the calls */
    bool closed;
};

/* ---- the list ---- */

int awaits_new(awaits_t **out, jobs_t *jobs)
{
    awaits_t *a = calloc(1, sizeof(*a));
    *out = a;
    if (a == NULL || !lock_init(&a->lock, NULL, NULL)) {
        free(a);
        *out = NULL;
        return WERR_NOMEM;
    }
    a->jobs = jobs;
    a->refs = 1;
    return WERR_OK;
}

void awaits_leave(awaits_t **awaits)
{
    awaits_t *a = *awaits;
    *awaits = NULL;
    if (a == NULL) {
        return;
    }
    pthread_mutex_lock(&a->lock);
    size_t left = --a->refs;
    pthread_mutex_unlock(&a->lock);
    if (left == 0) {
        pthread_mutex_destroy(&a->lock);
        free(a);
    }
}

static void link_await(awaits_t *a, await_t *w)
{
    w->next = a->first;
    if (a->first != NULL) {
        a->first->prev = w;
    }
    a->first = w;
    a->n++;
}

static void unlink_await(awaits_t *a, await_t *w)
{
    if (w->prev != NULL) {
        w->prev->next = w->next;
    } else {
        a->first = w->next;
    }
    if (w->next != NULL) {
        w->next->prev = w->prev;
    }
    w->prev = NULL;
    w->next = NULL;
    a->n--;
}

/* Back into the queue, where a worker takes it. Locked. */
static void wake(awaits_t *a, await_t *w)
{
    request_t *r = w->request;
    w->request = NULL;
    unlink_await(a, w);
    jobs_put(a->jobs, &r->job, r->job.heavy);
}

void awaits_close(awaits_t *a)
{
    pthread_mutex_lock(&a->lock);
    a->closed = true;
    while (a->first != NULL) {
        await_t *w = a->first;
        w->result = (await_result_t){.body = "", .error = "stopping"};
        wake(a, w);
    }
    pthread_mutex_unlock(&a->lock);
}

/* ---- one of them ---- */

static void destroy(await_t *w)
{
    gw_request_free(&w->call);
    free(w->state);
    free(w->body);
    free(w);
}

/* One reference less. */
static void release(await_t *w)
{
    awaits_t *a = w->list;
    int left = 0;
    if (a != NULL) {
        pthread_mutex_lock(&a->lock);
        left = --w->refs;
        pthread_mutex_unlock(&a->lock);
    }
    if (left == 0) {
        destroy(w);
    }
    awaits_leave(&a);
}

void await_free(request_t *r)
{
    await_t *w = r->await;
    r->await = NULL;
    if (w != NULL) {
        release(w);
    }
}

/* A copy, for the worker. */
static void keep(await_t *w, const gw_result_t *in)
{
    w->result.http_status = in->http_status;
    w->result.timed_out = in->timed_out;
    w->result.not_sent = in->http_status == 0 && !in->bytes_sent;
    w->result.body = "";
    if (in->http_status != 0) {
        w->body = malloc(in->len + 1);
    }
    if (w->body != NULL) {
        memcpy(w->body, in->body, in->len);
        w->body[in->len] = '\0';
        w->result.body = w->body;
        w->result.len = in->len;
    } else if (in->http_status != 0) {
        w->result.http_status = 0;
    }
    snprintf(w->error, sizeof(w->error), "%s",
             in->http_status != 0 && w->body == NULL ? "no memory" : in->error);
    w->result.error = w->error;
}

/* The gateway client's thread. */
static void on_done(void *arg, const gw_result_t *result)
{
    await_t *w = arg;
    awaits_t *a = w->list;
    pthread_mutex_lock(&a->lock);
    if (w->request != NULL) {
        keep(w, result);
        wake(a, w);
    }
    pthread_mutex_unlock(&a->lock);
    release(w);
}

static bool submit(request_t *r, await_t *w)
{
    int rc = gw_submit(r->options->gateway, w->account, &w->call, w->timeout_ms,
                       on_done, w);
    if (rc == WERR_OK) {
        return true;
    }
    log_warn("http", "msg=\"no gateway call\" error=%s",
             log_str(werr_text(rc)));
    awaits_t *a = w->list;
    pthread_mutex_lock(&a->lock);
    /* the server's stop may have put it back into the queue already */
    bool ours = w->request != NULL;
    if (ours) {
        w->request = NULL;
        unlink_await(a, w);
    }
    pthread_mutex_unlock(&a->lock);
    release(w);
    return !ours;
}

bool await_begin(request_t *r)
{
    await_t *w = r->await;
    awaits_t *a = r->server->awaits;
    pthread_mutex_lock(&a->lock);
    bool ok = !a->closed && a->n < AWAITS_MAX;
    if (ok) {
        w->list = a;
        w->request = r;
        w->refs = 2;
        a->refs += 2;
        link_await(a, w);
    }
    pthread_mutex_unlock(&a->lock);
    return ok && submit(r, w);
}

void await_refuse(request_t *r)
{
    await_t *w = r->await;
    r->await = NULL;
    response_busy(&r->response, "Service Unavailable", 1);
    if (w->refused != NULL) {
        w->refused(r, w->state);
    }
    release(w);
}

void await_end(request_t *r)
{
    await_t *w = r->await;
    r->await = NULL;
    w->then(r, &w->result, w->state);
    release(w);
}

/* ---- of routes ---- */

void request_await(request_t *r, const gateway_account_t *account,
                   gw_request_t *request, int64_t timeout_ms, await_fn then,
                   void *state)
{
    request_await_or(r, account, request, timeout_ms, then, NULL, state);
}

void request_await_or(request_t *r, const gateway_account_t *account,
                      gw_request_t *request, int64_t timeout_ms, await_fn then,
                      await_refused_fn refused, void *state)
{
    await_t *w = calloc(1, sizeof(*w));
    if (w == NULL || r->job.heavy || r->options->gateway == NULL) {
        gw_request_free(request);
        free(w);
        response_busy(&r->response, "Service Unavailable", 1);
        if (refused != NULL) {
            refused(r, state);
        }
        free(state);
        return;
    }
    await_free(r);
    w->account = account;
    w->call = *request;
    gw_request_init(request);
    w->timeout_ms = timeout_ms;
    w->then = then;
    w->refused = refused;
    w->state = state;
    r->await = w;
}

DB_QUERY(account_of_session,
         "SELECT a.name, s.remote_id FROM sessions s "
         "JOIN accounts a ON a.id = s.account_id WHERE s.id = $1");

int request_account(const request_t *r, int64_t session,
                    const gateway_account_t **account, char *remote,
                    size_t size)
{
    db_stmt_t *s = db_stmt(r->db, &account_of_session);
    *account = NULL;
    db_bind_i64(s, 1, session);
    int rc = db_first(s);
    if (rc == DB_ROW) {
        rc = WERR_OK;
        *account = gateway_account(r->options->accounts, r->options->naccounts,
                                   db_text(s, 0));
        if (*account == NULL) {
            rc = WERR_NOTFOUND;
        } else if ((size_t)snprintf(remote, size, "%s", db_text(s, 1)) >=
                   size) {
            rc = WERR_TOOBIG;
        }
    }
    db_done(s);
    return rc;
}
