/*
 * ngx_wacrm_opener.c - opens the spool on a thread of its own.
 */

#include "ngx_wacrm_opener.h"

#include <dlfcn.h>
#include <pthread.h>


/* how long a process that ends waits for an opening, in ms */
#define NGX_WACRM_OPENER_EXIT   200


typedef struct {
    pthread_mutex_t    lock;
    pthread_cond_t     cond;        /* of ended */
    ngx_uint_t         ended;
    ngx_uint_t         busy;        /* event loop only */
    pthread_t          thread;

    /* the thread's until it has ended */
    u_char            *path;
    spool_t           *old;
    spool_t           *spool;
    spool_options_t    options;
    int                rc;
} ngx_wacrm_opener_t;


static void *ngx_wacrm_opener_thread(void *data);
static int ngx_wacrm_opener_create(void);


static ngx_wacrm_opener_t  ngx_wacrm_opener = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .cond = PTHREAD_COND_INITIALIZER
};


ngx_int_t
ngx_wacrm_opener_start(ngx_str_t *path, uint64_t size, spool_t **old,
    ngx_log_t *log)
{
    int                  err;
    u_char              *copy;
    ngx_wacrm_opener_t  *o;

    /* without a master a configuration may go before the thread does */

    copy = ngx_alloc(path->len + 1, log);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    *ngx_cpymem(copy, path->data, path->len) = '\0';

    o = &ngx_wacrm_opener;

    o->ended = 0;
    o->path = copy;
    o->old = *old;
    o->spool = NULL;

    ngx_memzero(&o->options, sizeof(spool_options_t));
    o->options.size = size;
    o->options.create = true;
    o->options.set_aside = true;

    err = ngx_wacrm_opener_create();

    if (err) {
        ngx_log_error(NGX_LOG_ALERT, log, err,
                      "wacrm spool: no thread to open it");
        ngx_free(copy);
        return NGX_ERROR;
    }

    *old = NULL;
    o->busy = 1;

    return NGX_OK;
}


ngx_uint_t
ngx_wacrm_opener_busy(void)
{
    return ngx_wacrm_opener.busy;
}


ngx_uint_t
ngx_wacrm_opener_ended(ngx_msec_t wait)
{
    ngx_uint_t           ended;
    struct timespec      ts;
    ngx_wacrm_opener_t  *o;

    o = &ngx_wacrm_opener;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    ts.tv_sec += wait / 1000;
    ts.tv_nsec += (wait % 1000) * 1000000;

    if (ts.tv_nsec >= 1000000000) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000;
    }

    (void) pthread_mutex_lock(&o->lock);

    while (!o->ended
           && wait
           && pthread_cond_clockwait(&o->cond, &o->lock, CLOCK_MONOTONIC, &ts)
              == 0)
    {
        /* void */
    }

    ended = o->ended;

    (void) pthread_mutex_unlock(&o->lock);

    return ended;
}


int
ngx_wacrm_opener_take(spool_t **spool, spool_options_t *options)
{
    ngx_wacrm_opener_t  *o;

    o = &ngx_wacrm_opener;

    (void) pthread_join(o->thread, NULL);

    ngx_free(o->path);
    o->busy = 0;

    *spool = o->spool;
    *options = o->options;

    return o->rc;
}


void
ngx_wacrm_opener_exit(ngx_log_t *log)
{
    Dl_info           info;
    spool_t          *spool;
    spool_options_t   options;

    if (!ngx_wacrm_opener.busy) {
        return;
    }

    if (ngx_wacrm_opener_ended(NGX_WACRM_OPENER_EXIT)) {
        (void) ngx_wacrm_opener_take(&spool, &options);
        spool_close(&spool);
        return;
    }

    /* nginx unloads its modules before it ends, the thread runs until then */

    if (dladdr(&ngx_wacrm_opener, &info) == 0
        || dlopen(info.dli_fname, RTLD_NOW|RTLD_NOLOAD|RTLD_NODELETE) == NULL)
    {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "wacrm spool: module linked in, or not to be held");
    }
}


static void *
ngx_wacrm_opener_thread(void *data)
{
    ngx_wacrm_opener_t  *o = data;

    spool_close(&o->old);

    o->rc = spool_open(&o->spool, (char *) o->path, &o->options);

    (void) pthread_mutex_lock(&o->lock);
    o->ended = 1;
    (void) pthread_cond_signal(&o->cond);
    (void) pthread_mutex_unlock(&o->lock);

    return NULL;
}


/* Signals are for the event loop. */

static int
ngx_wacrm_opener_create(void)
{
    int       err;
    sigset_t  all, before;

    (void) sigfillset(&all);

    err = pthread_sigmask(SIG_BLOCK, &all, &before);
    if (err) {
        return err;
    }

    err = pthread_create(&ngx_wacrm_opener.thread, NULL,
                         ngx_wacrm_opener_thread, &ngx_wacrm_opener);

    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);

    return err;
}
