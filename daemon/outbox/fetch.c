/*
 * fetch.c - files that lie elsewhere, to here: those of donors from hosts that
 * the account names, those that agents send by their address from url_hosts.
 * Without redirects, up to media_max; a temporary file until its bytes have
 * been looked at.
 */
#include "outbox/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "domain/media.h"
#include "gateway/origin.h"

#define GROWTH          4
#define SEND_WAIT_MAX   INT64_C(600000)
#define BACKOFF_MAX_S   21600
#define UNKNOWN_WAIT_MS INT64_C(60000)
#define NOT_OURS        "not a host that files are fetched from"

struct fetch_s {
    outbox_t *o;
    media_fetch_t job;
    char path[MEDIA_PATH_MAX];
    int fd;
    bool ended; /* how: */
    bool permanent;
    bool no_memory;    /* for want of it here */
    media_blob_t blob; /* it is here, if held */
    char reason[256];
    int64_t wait_ms; /* of Retry-After */
};

/* ---- where from ---- */

/* WERR_OK, WERR_DENIED, WERR_NOMEM. *own: it is the API's own server, which
 * gets our bearer. */
static int listed(const gateway_account_t *a, const char *url, bool *own)
{
    origin_t origin, base;
    int rc = origin_of(url, &origin);

    *own = false;
    if (rc != WERR_OK) {
        return rc == WERR_NOMEM ? rc : WERR_DENIED;
    }
    rc = origin_of(a->base_url, &base);
    if (rc == WERR_NOMEM) {
        return rc;
    }
    *own = rc == WERR_OK && origin_same(&origin, &base);
    if (a->media_hosts == NULL ? *own
                               : origin_listed(a->media_hosts, &origin)) {
        return WERR_OK;
    }
    return WERR_DENIED;
}

static bool may_connect(const void *arg, const struct sockaddr *to)
{
    const domain_settings_t *set = arg;

    return origin_may_connect(set->url_hosts, to);
}

/* What an agent sends from an address: anybody's server. The same. */
static int listed_url(const domain_settings_t *set, const char *url)
{
    origin_t origin;
    int rc = set->url_hosts == NULL ? WERR_DENIED : origin_of(url, &origin);

    if (rc == WERR_OK && (origin.secure || set->url_http) &&
        origin_listed(set->url_hosts, &origin)) {
        return WERR_OK;
    }
    return rc == WERR_NOMEM ? rc : WERR_DENIED;
}

/* And what goes with it: where it may connect to, our bearer. */
static int allowed(const fetch_t *f, const gateway_account_t *account,
                   gw_request_t *request)
{
    const domain_settings_t *set = &f->o->domain->settings;

    if (!f->job.outgoing) {
        return listed(account, f->job.url, &request->authorised);
    }
    request->may_connect = may_connect;
    request->connect_arg = set;
    return listed_url(set, f->job.url);
}

/* ---- one of them ---- */

static void close_fetch(fetch_t *f)
{
    if (f->fd >= 0) {
        (void)close(f->fd);
        (void)unlink(f->path);
    }
    f->fd = -1;
}

static void destroy(fetch_t *f)
{
    close_fetch(f);
    media_release(&f->blob);
    media_fetch_free(&f->job, 1);
    free(f);
}

static void give_up(fetch_t *f, bool permanent, const char *reason)
{
    f->ended = true;
    f->permanent = permanent;
    (void)snprintf(f->reason, sizeof(f->reason), "%s", reason);
    close_fetch(f);
}

static void keep(fetch_t *f)
{
    int rc = media_settle(f->o->domain, f->path, f->fd, &f->blob);

    (void)close(f->fd);
    f->fd = -1; /* the name is gone already */
    f->ended = true;
    if (rc == WERR_TOOBIG) {
        give_up(f, true, "the file is too large");
    } else if (rc == WERR_INVALID) {
        give_up(f, true, "files of this type are not taken");
    } else if (rc != WERR_OK) {
        f->no_memory = rc == WERR_NOMEM;
        give_up(f, false, werr_text(rc));
    } else if (f->job.image && !f->blob.type->image) {
        media_release(&f->blob);
        give_up(f, true, "the file is no image");
    }
}

static bool worth_another(int http_status)
{
    return http_status == 0 || http_status == 401 || http_status == 408 ||
           http_status == 425 || http_status == 429 || http_status >= 500;
}

static void on_fetched(void *arg, const gw_result_t *r)
{
    fetch_t *f = arg;
    char reason[64];

    if (r->http_status == 200) {
        keep(f);
        return;
    }
    if (r->http_status == 0) {
        f->no_memory = r->no_memory;
        give_up(f, r->too_big || r->refused,
                r->too_big   ? "the file is too large"
                : r->refused ? NOT_OURS
                             : r->error);
        return;
    }
    (void)snprintf(reason, sizeof(reason), "the answer was %d", r->http_status);
    f->wait_ms = (int64_t)r->retry_after_s * 1000;
    give_up(f, !worth_another(r->http_status), reason);
}

/* Nothing has been asked for; why: in words, where it is not a WERR_*'s. */
static void not_begun(fetch_t *f, int rc, const char *why)
{
    f->no_memory = rc == WERR_NOMEM;
    give_up(f, rc == WERR_DENIED || rc == WERR_TOOBIG, why);
}

static void call(fetch_t *f, const gateway_account_t *account,
                 gw_request_t *request)
{
    outbox_t *o = f->o;
    int rc;

    buf_adds(&request->url, f->job.url);
    request->sink = f->fd;
    request->sink_max = o->domain->settings.media_max;
    rc = gw_request_error(request);
    if (rc != WERR_OK) {
        gw_request_free(request);
        not_begun(f, rc,
                  rc == WERR_TOOBIG ? "the address is too long"
                                    : werr_text(rc));
        return;
    }
    rc = gw_call(o->loop, account, request, on_fetched, f);
    if (rc != WERR_OK) {
        not_begun(f, rc, "the call could not be started");
    }
}

static void begin(fetch_t *f)
{
    outbox_t *o = f->o;
    const gateway_account_t *account =
        gateway_account(o->accounts, o->naccounts, f->job.account);
    gw_request_t request;
    int rc;

    if (!account) {
        f->wait_ms = UNKNOWN_WAIT_MS;
        give_up(f, false, "there is no such gateway");
        return;
    }
    gw_request_init(&request);
    rc = allowed(f, account, &request);
    if (rc != WERR_OK) {
        not_begun(f, rc, rc == WERR_DENIED ? NOT_OURS : werr_text(rc));
        return;
    }
    rc = media_temp(o->domain, f->path, &f->fd);
    if (rc != WERR_OK) {
        not_begun(f, rc, "no file to write to");
        return;
    }
    call(f, account, &request);
}

/* ---- all of them ---- */

/* The message waits for its file, and its lane for the message: as a send
 * that is tried again. */
static int64_t send_backoff(const outbox_options_t *opt, int64_t tries,
                            int64_t wait_ms)
{
    size_t last = opt->nbackoff > 0 ? opt->nbackoff - 1 : 0;
    size_t i = (size_t)tries < last ? (size_t)tries : last;
    int64_t ms = opt->nbackoff > 0 ? (int64_t)opt->backoff_s[i] * 1000 : 0;

    wait_ms = wait_ms < SEND_WAIT_MAX ? wait_ms : SEND_WAIT_MAX;
    return ms > wait_ms ? ms : wait_ms;
}

static int64_t backoff(const outbox_t *o, const fetch_t *f)
{
    int64_t s = o->options.fetch_backoff_s;

    if (f->job.outgoing) {
        return send_backoff(&o->options, f->job.tries, f->wait_ms);
    }
    for (int64_t i = 0; i < f->job.tries && s < BACKOFF_MAX_S; i++) {
        s *= GROWTH;
    }
    s = s < BACKOFF_MAX_S ? s : BACKOFF_MAX_S;
    return s * 1000 > f->wait_ms ? s * 1000 : f->wait_ms;
}

/* Nobody was asked, and that is no reason for ever. */
static bool tried(const fetch_t *f)
{
    return !f->no_memory || clock_now_ms() - f->job.queued_at > DAY_MS;
}

static bool again(const outbox_t *o, const fetch_t *f)
{
    int tries = f->job.outgoing ? o->options.tries : o->options.fetch_tries;

    return !f->permanent && (!tried(f) || f->job.tries + 1 < tries);
}

static int settle(tx_t *tx, void *arg)
{
    outbox_t *o = arg;
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < FETCHES_MAX; i++) {
        fetch_t *f = o->fetches[i];

        if (!f || !f->ended) {
            continue;
        }
        if (f->blob.held) {
            rc = media_fetched(tx, &f->job, &f->blob);
        } else {
            rc = media_not_fetched(tx, &f->job,
                                   again(o, f) ? tx->now + backoff(o, f) : 0,
                                   tried(f), f->reason);
        }
    }
    return rc;
}

static int settle_all(outbox_t *o)
{
    bool any = false;
    int rc;

    for (size_t i = 0; i < FETCHES_MAX; i++) {
        any = any || (o->fetches[i] && o->fetches[i]->ended);
    }
    if (!any) {
        return WERR_OK;
    }
    rc = domain_write(o->domain, settle, o);
    if (rc != WERR_OK) {
        return rc; /* kept, and tried again */
    }
    for (size_t i = 0; i < FETCHES_MAX; i++) {
        fetch_t *f = o->fetches[i];

        if (!f || !f->ended) {
            continue;
        }
        log_write(f->blob.held ? LOG_INFO : LOG_WARN, "outbox",
                  "msg=\"file fetched\" message=%" PRId64 " try=%" PRId64
                  " outcome=%s size=%" PRId64 " reason=%s",
                  f->job.message, f->job.tries + 1,
                  f->blob.held  ? "stored"
                  : again(o, f) ? "retry"
                                : "failed",
                  f->blob.size, log_str(f->reason));
        destroy(f);
        o->fetches[i] = NULL;
    }
    return WERR_OK;
}

static bool under_way(const outbox_t *o, int64_t message)
{
    for (size_t i = 0; i < FETCHES_MAX; i++) {
        if (o->fetches[i] && o->fetches[i]->job.message == message) {
            return true;
        }
    }
    return false;
}

static int start(outbox_t *o, size_t i, media_fetch_t *job)
{
    fetch_t *f = calloc(1, sizeof(*f));

    if (!f) {
        return WERR_NOMEM;
    }
    f->o = o;
    f->fd = -1;
    f->job = *job;
    job->url = NULL;
    o->fetches[i] = f;
    begin(f);
    return WERR_OK;
}

static int start_due(outbox_t *o, int64_t *next)
{
    media_fetch_t due[2 * FETCHES_MAX];
    size_t n = 0, slot = 0;
    int rc = media_due(o->db, clock_now_ms(), due, 2 * FETCHES_MAX, &n, next);

    for (size_t i = 0; rc == WERR_OK && i < n; i++) {
        if (under_way(o, due[i].message)) {
            continue;
        }
        while (slot < FETCHES_MAX && o->fetches[slot]) {
            slot++;
        }
        if (slot == FETCHES_MAX) {
            break;
        }
        rc = start(o, slot, &due[i]);
        if (rc == WERR_OK && o->fetches[slot]->ended) {
            *next = 0; /* without a call: settle at once */
        }
    }
    if (slot == FETCHES_MAX && *next != 0) {
        *next = INT64_MAX; /* the end of one of them calls */
    }
    media_fetch_free(due, n);
    return rc;
}

int fetch_step(outbox_t *o, int64_t *next)
{
    int rc = settle_all(o);

    *next = INT64_MAX;
    return rc == WERR_OK ? start_due(o, next) : rc;
}

void fetch_free(outbox_t *o)
{
    for (size_t i = 0; i < FETCHES_MAX; i++) {
        if (o->fetches[i]) {
            destroy(o->fetches[i]);
        }
        o->fetches[i] = NULL;
    }
}
