/*
 * ngx_wacrm_spool.c - the spool of each process: opened, told of, given up.
 */

#include "ngx_wacrm_commit.h"
#include "ngx_wacrm_conf.h"

#include <sys/un.h>


/* the spool grows by pages: with less than this an event may not fit */
#define NGX_WACRM_SPOOL_SPARE     8192

#define NGX_WACRM_SPOOL_RETRY     1000
/* the longest that the event loop waits for another process's lock, in ms */
#define NGX_WACRM_SPOOL_LOCK      200
/* how long a worker may go on with a spool that is no longer at its path */
#define NGX_WACRM_SPOOL_WATCH     1000
/* a spool that stays closed is told about once a minute */
#define NGX_WACRM_SPOOL_REPEAT    60


typedef struct {
    spool_t               *spool;
    ngx_event_t            retry;
    ngx_event_t            watch;
    ngx_uint_t             failures;
    ngx_socket_t           socket;
    struct sockaddr_un     notify;
} ngx_wacrm_process_t;


static ngx_wacrm_main_conf_t *ngx_wacrm_spool_conf(ngx_cycle_t *cycle);
static void ngx_wacrm_open_notify(ngx_wacrm_main_conf_t *mcf, ngx_log_t *log);
static void ngx_wacrm_open_spool(ngx_event_t *ev);
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

    spool_close(&ngx_wacrm_process.spool);

    if (ngx_exiting) {
        return;
    }

    /* what lies there now has not failed */

    if (moved) {
        ngx_wacrm_open_spool(&ngx_wacrm_process.retry);
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

    ngx_wacrm_process.retry.handler = ngx_wacrm_open_spool;
    ngx_wacrm_process.retry.data = &ngx_wacrm_no_connection;
    ngx_wacrm_process.retry.log = cycle->log;
    ngx_wacrm_process.retry.cancelable = 1;

    ngx_wacrm_process.watch.handler = ngx_wacrm_watch_spool;
    ngx_wacrm_process.watch.data = &ngx_wacrm_no_connection;
    ngx_wacrm_process.watch.log = cycle->log;
    ngx_wacrm_process.watch.cancelable = 1;

    ngx_wacrm_open_notify(mcf, cycle->log);
    ngx_wacrm_open_spool(&ngx_wacrm_process.retry);

    ngx_add_timer(&ngx_wacrm_process.watch, NGX_WACRM_SPOOL_WATCH);

    return NGX_OK;
}


void
ngx_wacrm_exit_process(ngx_cycle_t *cycle)
{
    /* the thread pools have been stopped before */

    ngx_wacrm_commit_exit();

    spool_close(&ngx_wacrm_process.spool);

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


static void
ngx_wacrm_open_spool(ngx_event_t *ev)
{
    int                     rc;
    spool_options_t         options;
    ngx_wacrm_main_conf_t  *mcf;

    /* without a master the configuration changes within the process */

    ev->log = ngx_cycle->log;

    mcf = ngx_wacrm_spool_conf((ngx_cycle_t *) ngx_cycle);
    if (mcf == NULL) {
        return;
    }

    ngx_memzero(&options, sizeof(spool_options_t));
    options.size = mcf->size;
    options.create = true;
    options.set_aside = true;
    options.wait_ms = NGX_WACRM_SPOOL_LOCK;

    rc = spool_open(&ngx_wacrm_process.spool, (char *) mcf->path.data,
                    &options);

    if (rc == SPOOL_OK) {

        if (options.aside[0]) {
            ngx_log_error(NGX_LOG_ALERT, ev->log, 0,
                          "wacrm spool put aside: %s", options.error);

        } else if (options.error[0]) {
            ngx_log_error(NGX_LOG_WARN, ev->log, 0,
                          "wacrm spool: %s", options.error);
        }

        if (ngx_wacrm_process.failures) {
            ngx_log_error(NGX_LOG_NOTICE, ev->log, 0,
                          "wacrm spool \"%V\" is open after %ui failures",
                          &mcf->path, ngx_wacrm_process.failures);
        }

        ngx_wacrm_process.failures = 0;
        return;
    }

    ngx_wacrm_process.spool = NULL;

    if (ngx_wacrm_process.failures++ % NGX_WACRM_SPOOL_REPEAT == 0) {
        ngx_log_error(NGX_LOG_EMERG, ev->log, 0,
                      "wacrm spool \"%V\" cannot be opened: %s (%s)",
                      &mcf->path, spool_strerror(rc), options.error);
    }

    if (!ngx_exiting) {
        ngx_add_timer(ev, NGX_WACRM_SPOOL_RETRY);
    }
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

        spool_close(&ngx_wacrm_process.spool);
        ngx_wacrm_open_spool(&ngx_wacrm_process.retry);
    }

    if (!ngx_exiting) {
        ngx_add_timer(ev, NGX_WACRM_SPOOL_WATCH);
    }
}
