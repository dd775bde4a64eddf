/*
 * ngx_wacrm_spool.c - the spool of each process: opened, told of, given up.
 */

#include "ngx_wacrm_commit.h"
#include "ngx_wacrm_conf.h"
#include "ngx_wacrm_opener.h"

#include <sys/un.h>


/* the spool grows by pages: with less than this an event may not fit */
#define NGX_WACRM_SPOOL_SPARE     8192

#define NGX_WACRM_SPOOL_RETRY     1000
/* how often the event loop looks whether it is open, in ms */
#define NGX_WACRM_SPOOL_LOOK      20
/*
 * The longest that the event loop stands still for it, in ms: of a worker that
 * starts, so that its first events are not refused; for one that was replaced.
 */
#define NGX_WACRM_SPOOL_START     1000
#define NGX_WACRM_SPOOL_REPLACED  200
/* after which one that is still not open is told about, in ms */
#define NGX_WACRM_SPOOL_LATE      2000
/* how long a worker may go on with a spool that is no longer at its path */
#define NGX_WACRM_SPOOL_WATCH     1000
/* a spool that stays closed is told about once a minute */
#define NGX_WACRM_SPOOL_REPEAT    60


typedef struct {
    spool_t               *spool;
    spool_t               *old;         /* to be closed with the next opening */
    ngx_event_t            retry;
    ngx_event_t            watch;
    ngx_uint_t             failures;
    ngx_uint_t             waiting;     /* for an opening, since then */
    ngx_uint_t             told;
    ngx_msec_t             since;
    ngx_socket_t           socket;
    struct sockaddr_un     notify;
} ngx_wacrm_process_t;


static ngx_wacrm_main_conf_t *ngx_wacrm_spool_conf(ngx_cycle_t *cycle);
static void ngx_wacrm_open_notify(ngx_wacrm_main_conf_t *mcf, ngx_log_t *log);
static void ngx_wacrm_open_spool(ngx_msec_t wait);
static void ngx_wacrm_retry_spool(ngx_event_t *ev);
static void ngx_wacrm_spool_ended(void);
static void ngx_wacrm_spool_opened(ngx_str_t *path, spool_options_t *options);
static void ngx_wacrm_spool_late(ngx_str_t *path);
static void ngx_wacrm_watch_spool(ngx_event_t *ev);


static ngx_wacrm_process_t  ngx_wacrm_process = { .socket = (ngx_socket_t) -1 };

/* nginx's debug log takes what an event has as data for a connection */
static ngx_connection_t  ngx_wacrm_no_connection = {
    .fd = (ngx_socket_t) -1
};


spool_t *
ngx_wacrm_spool(void)
{
    return ngx_wacrm_process.spool;
}


ngx_uint_t
ngx_wacrm_spool_revocations(ngx_http_request_t *r)
{
    ngx_wacrm_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_wacrm_module);

    return mcf->path.len != 0 && !mcf->unrevoked;
}


void
ngx_wacrm_spool_failed(void)
{
    ngx_uint_t  moved;

    if (ngx_wacrm_process.spool == NULL) {
        return;
    }

    ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                  "wacrm spool failed, it is closed and opened again");

    moved = spool_moved(ngx_wacrm_process.spool);

    ngx_wacrm_process.old = ngx_wacrm_process.spool;
    ngx_wacrm_process.spool = NULL;

    if (ngx_exiting) {
        return;
    }

    /* what lies there now has not failed */

    if (moved) {
        ngx_wacrm_open_spool(NGX_WACRM_SPOOL_REPLACED);
        return;
    }

    ngx_add_timer(&ngx_wacrm_process.retry, NGX_WACRM_SPOOL_RETRY);
}


void
ngx_wacrm_spool_notify(void)
{
    if (ngx_wacrm_process.socket == (ngx_socket_t) -1) {
        return;
    }

    /* wacrmd may be away or behind: it also looks by itself */

    (void) sendto(ngx_wacrm_process.socket, "1", 1, MSG_DONTWAIT|MSG_NOSIGNAL,
                  (struct sockaddr *) &ngx_wacrm_process.notify,
                  sizeof(struct sockaddr_un));
}


ngx_uint_t
ngx_wacrm_spool_refuses(void)
{
    int           rc;
    spool_stat_t  st;

    if (ngx_wacrm_process.spool == NULL) {
        return 1;
    }

    rc = spool_stat(ngx_wacrm_process.spool, &st);

    if (rc == SPOOL_OK) {
        return st.bytes + NGX_WACRM_SPOOL_SPARE > st.limit;
    }

    /* without traffic nobody else would notice */

    if ((rc == SPOOL_IO || rc == SPOOL_CORRUPT) && !ngx_wacrm_commit_busy()) {
        ngx_wacrm_spool_failed();
    }

    return 1;
}


ngx_int_t
ngx_wacrm_init_process(ngx_cycle_t *cycle)
{
    ngx_wacrm_main_conf_t  *mcf;

    /* the cache processes come here too */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    mcf = ngx_wacrm_spool_conf(cycle);
    if (mcf == NULL) {
        return NGX_OK;
    }

    ngx_wacrm_process.retry.handler = ngx_wacrm_retry_spool;
    ngx_wacrm_process.retry.data = &ngx_wacrm_no_connection;
    ngx_wacrm_process.retry.log = cycle->log;
    ngx_wacrm_process.retry.cancelable = 1;

    ngx_wacrm_process.watch.handler = ngx_wacrm_watch_spool;
    ngx_wacrm_process.watch.data = &ngx_wacrm_no_connection;
    ngx_wacrm_process.watch.log = cycle->log;
    ngx_wacrm_process.watch.cancelable = 1;

    ngx_wacrm_open_notify(mcf, cycle->log);
    ngx_wacrm_open_spool(NGX_WACRM_SPOOL_START);

    ngx_add_timer(&ngx_wacrm_process.watch, NGX_WACRM_SPOOL_WATCH);

    return NGX_OK;
}


void
ngx_wacrm_exit_process(ngx_cycle_t *cycle)
{
    /* the thread pools have been stopped before */

    ngx_wacrm_commit_exit();
    ngx_wacrm_opener_exit(cycle->log);

    spool_close(&ngx_wacrm_process.spool);
    spool_close(&ngx_wacrm_process.old);

    if (ngx_wacrm_process.socket != (ngx_socket_t) -1) {
        ngx_close_socket(ngx_wacrm_process.socket);
        ngx_wacrm_process.socket = (ngx_socket_t) -1;
    }
}


/* NULL: without a spool. */

static ngx_wacrm_main_conf_t *
ngx_wacrm_spool_conf(ngx_cycle_t *cycle)
{
    ngx_wacrm_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_wacrm_module);

    return (mcf == NULL || mcf->path.len == 0) ? NULL : mcf;
}


static void
ngx_wacrm_open_notify(ngx_wacrm_main_conf_t *mcf, ngx_log_t *log)
{
    int                  fd;
    struct sockaddr_un  *sun;

    if (mcf->notify.len == 0) {
        return;
    }

    fd = socket(AF_UNIX, SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_socket_errno,
                      "wacrm spool: no socket for notify");
        return;
    }

    sun = &ngx_wacrm_process.notify;

    ngx_memzero(sun, sizeof(struct sockaddr_un));
    sun->sun_family = AF_UNIX;
    ngx_memcpy(sun->sun_path, mcf->notify.data, mcf->notify.len);

    ngx_wacrm_process.socket = fd;
}


/* Has it opened, and waits so many ms for it to end: it may end later, too. */

static void
ngx_wacrm_open_spool(ngx_msec_t wait)
{
    ngx_log_t              *log;
    ngx_wacrm_main_conf_t  *mcf;

    log = ngx_cycle->log;

    /* without a master the configuration changes within the process */

    mcf = ngx_wacrm_spool_conf((ngx_cycle_t *) ngx_cycle);
    if (mcf == NULL) {
        return;
    }

    if (!ngx_wacrm_process.waiting) {
        ngx_time_update();

        ngx_wacrm_process.waiting = 1;
        ngx_wacrm_process.told = 0;
        ngx_wacrm_process.since = ngx_current_msec;
    }

    if (!ngx_wacrm_opener_busy()
        && ngx_wacrm_opener_start(&mcf->path, mcf->size,
                                  &ngx_wacrm_process.old, log)
           != NGX_OK)
    {
        ngx_add_timer(&ngx_wacrm_process.retry, NGX_WACRM_SPOOL_RETRY);
        return;
    }

    if (ngx_wacrm_opener_ended(wait)) {
        ngx_wacrm_spool_ended();
        return;
    }

    ngx_add_timer(&ngx_wacrm_process.retry, NGX_WACRM_SPOOL_LOOK);
}


static void
ngx_wacrm_retry_spool(ngx_event_t *ev)
{
    ngx_wacrm_main_conf_t  *mcf;

    ev->log = ngx_cycle->log;

    mcf = ngx_wacrm_spool_conf((ngx_cycle_t *) ngx_cycle);

    if (mcf && ngx_wacrm_opener_busy()) {
        ngx_wacrm_spool_late(&mcf->path);
    }

    ngx_wacrm_open_spool(0);
}


static void
ngx_wacrm_spool_ended(void)
{
    int                     rc;
    ngx_log_t              *log;
    ngx_msec_t              again;
    spool_options_t         options;
    ngx_wacrm_main_conf_t  *mcf;

    log = ngx_cycle->log;
    mcf = ngx_wacrm_spool_conf((ngx_cycle_t *) ngx_cycle);

    rc = ngx_wacrm_opener_take(&ngx_wacrm_process.spool, &options);

    if (rc == SPOOL_OK) {
        ngx_wacrm_spool_opened(&mcf->path, &options);
        return;
    }

    ngx_wacrm_process.spool = NULL;

    if (rc == SPOOL_BUSY) {
        ngx_wacrm_spool_late(&mcf->path);
        again = NGX_WACRM_SPOOL_LOOK;

    } else {
        ngx_wacrm_process.waiting = 0;
        again = NGX_WACRM_SPOOL_RETRY;

        if (ngx_wacrm_process.failures++ % NGX_WACRM_SPOOL_REPEAT == 0) {
            ngx_log_error(NGX_LOG_EMERG, log, 0,
                          "wacrm spool \"%V\" cannot be opened: %s (%s)",
                          &mcf->path, spool_strerror(rc), options.error);
        }
    }

    if (!ngx_exiting) {
        ngx_add_timer(&ngx_wacrm_process.retry, again);
    }
}


static void
ngx_wacrm_spool_opened(ngx_str_t *path, spool_options_t *options)
{
    ngx_log_t  *log;

    log = ngx_cycle->log;

    if (options->aside[0]) {
        ngx_log_error(NGX_LOG_ALERT, log, 0,
                      "wacrm spool put aside: %s", options->error);

    } else if (options->error[0]) {
        ngx_log_error(NGX_LOG_WARN, log, 0, "wacrm spool: %s",
                      options->error);
    }

    if (ngx_wacrm_process.failures) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "wacrm spool \"%V\" is open after %ui failures",
                      path, ngx_wacrm_process.failures);

    } else if (ngx_wacrm_process.told) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "wacrm spool \"%V\" is open after %M ms", path,
                      ngx_current_msec - ngx_wacrm_process.since);
    }

    ngx_wacrm_process.failures = 0;
    ngx_wacrm_process.waiting = 0;
}


/* A disk may be slow, a lock be held for a moment: that is not told. */

static void
ngx_wacrm_spool_late(ngx_str_t *path)
{
    ngx_msec_t  late;

    late = ngx_current_msec - ngx_wacrm_process.since;

    if (late < NGX_WACRM_SPOOL_LATE
               + ngx_wacrm_process.told * NGX_WACRM_SPOOL_REPEAT * 1000)
    {
        return;
    }

    ngx_wacrm_process.told++;

    ngx_log_error(NGX_LOG_EMERG, ngx_cycle->log, 0,
                  "wacrm spool \"%V\" cannot be opened: busy (for %M ms "
                  "another process has kept its write.lock or open.lock, "
                  "or the disk has not answered)", path, late);
}


/*
 * A worker that gets no event would look for revoked tokens in a spool that
 * wacrmd does not write any more.
 */

static void
ngx_wacrm_watch_spool(ngx_event_t *ev)
{
    ev->log = ngx_cycle->log;

    if (ngx_wacrm_process.spool
        && !ngx_wacrm_commit_busy()
        && spool_moved(ngx_wacrm_process.spool))
    {
        ngx_log_error(NGX_LOG_WARN, ev->log, 0,
                      "wacrm spool \"%s\" was replaced, it is opened again",
                      spool_path(ngx_wacrm_process.spool));

        ngx_wacrm_process.old = ngx_wacrm_process.spool;
        ngx_wacrm_process.spool = NULL;

        ngx_wacrm_open_spool(NGX_WACRM_SPOOL_REPLACED);
    }

    if (!ngx_exiting) {
        ngx_add_timer(ev, NGX_WACRM_SPOOL_WATCH);
    }
}
