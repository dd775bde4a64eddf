/*
 * ngx_wacrm_module.c - the spool of each process, health, and the answers
 * that all wacrm modules give.
 */

#include "ngx_wacrm_commit.h"
#include "ngx_wacrm_conf.h"

#include <sys/un.h>


#define NGX_WACRM_SPOOL_SIZE_MIN  ((off_t) 1024 * 1024)
#define NGX_WACRM_SPOOL_SIZE_MAX  ((off_t) 1024 * 1024 * 1024 * 1024)

/* the spool grows by pages: with less than this an event may not fit */
#define NGX_WACRM_SPOOL_SPARE     8192

#define NGX_WACRM_SPOOL_RETRY     1000
/* a spool that stays closed is told about once a minute */
#define NGX_WACRM_SPOOL_REPEAT    60


typedef struct {
    spool_t               *spool;
    ngx_event_t            retry;
    ngx_uint_t             failures;
    ngx_socket_t           socket;
    struct sockaddr_un     notify;
} ngx_wacrm_process_t;


static void *ngx_wacrm_create_main_conf(ngx_conf_t *cf);
static char *ngx_wacrm_spool_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_wacrm_spool_path(ngx_conf_t *cf,
    ngx_wacrm_main_conf_t *mcf, ngx_str_t *value);
static char *ngx_wacrm_health(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_wacrm_metrics(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_wacrm_health_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_wacrm_spool_refuses(void);
static ngx_int_t ngx_wacrm_init_process(ngx_cycle_t *cycle);
static void ngx_wacrm_exit_process(ngx_cycle_t *cycle);
static void ngx_wacrm_open_notify(ngx_wacrm_main_conf_t *mcf, ngx_log_t *log);
static void ngx_wacrm_open_spool(ngx_event_t *ev);


static ngx_command_t  ngx_wacrm_commands[] = {

    { ngx_string("wacrm_spool"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,
      ngx_wacrm_spool_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wacrm_health"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_wacrm_health,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wacrm_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_wacrm_metrics,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_wacrm_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_wacrm_create_main_conf,            /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_wacrm_module = {
    NGX_MODULE_V1,
    &ngx_wacrm_module_ctx,                 /* module context */
    ngx_wacrm_commands,                    /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_wacrm_init_process,                /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_wacrm_exit_process,                /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_wacrm_process_t  ngx_wacrm_process = { .socket = (ngx_socket_t) -1 };

static ngx_str_t  ngx_wacrm_type_json = ngx_string("application/json");
static ngx_str_t  ngx_wacrm_type_text = ngx_string("text/plain");


spool_t *
ngx_wacrm_spool(void)
{
    return ngx_wacrm_process.spool;
}


ngx_uint_t
ngx_wacrm_spool_configured(ngx_http_request_t *r)
{
    ngx_wacrm_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_wacrm_module);

    return mcf->path.len != 0;
}


void
ngx_wacrm_spool_failed(void)
{
    if (ngx_wacrm_process.spool == NULL) {
        return;
    }

    ngx_log_error(NGX_LOG_ALERT, ngx_wacrm_process.retry.log, 0,
                  "wacrm spool failed, it is closed and opened again");

    spool_close(&ngx_wacrm_process.spool);

    if (!ngx_exiting) {
        ngx_add_timer(&ngx_wacrm_process.retry, NGX_WACRM_SPOOL_RETRY);
    }
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


ngx_int_t
ngx_wacrm_send(ngx_http_request_t *r, ngx_uint_t status, ngx_str_t *type,
    ngx_str_t *body)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    r->headers_out.status = status;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.content_length_n = body->len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = body->len ? 1 : 0;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_wacrm_send_json(ngx_http_request_t *r, ngx_uint_t status, ngx_str_t *body)
{
    return ngx_wacrm_send(r, status, &ngx_wacrm_type_json, body);
}


ngx_int_t
ngx_wacrm_add_header(ngx_http_request_t *r, char *name, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;

    return NGX_OK;
}


ngx_int_t
ngx_wacrm_refuse_method(ngx_http_request_t *r)
{
    static ngx_str_t  allow = ngx_string("GET, HEAD");
    static ngx_str_t  body = ngx_string("{\"message\":\"Method Not Allowed\"}");

    if (ngx_wacrm_add_header(r, "Allow", &allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_wacrm_send_json(r, NGX_HTTP_NOT_ALLOWED, &body);
}


static ngx_int_t
ngx_wacrm_health_handler(ngx_http_request_t *r)
{
    static ngx_str_t  ok = ngx_string("ok\n");
    static ngx_str_t  retry = ngx_string("1");
    static ngx_str_t  refuses =
                          ngx_string("{\"message\":\"Spool not available\"}");

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_wacrm_refuse_method(r);
    }

    if (!ngx_wacrm_spool_refuses()) {
        return ngx_wacrm_send(r, NGX_HTTP_OK, &ngx_wacrm_type_text, &ok);
    }

    if (ngx_wacrm_add_header(r, "Retry-After", &retry) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_wacrm_send_json(r, NGX_HTTP_SERVICE_UNAVAILABLE, &refuses);
}


static ngx_uint_t
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


static void *
ngx_wacrm_create_main_conf(ngx_conf_t *cf)
{
    ngx_wacrm_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_wacrm_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     mcf->path = { 0, NULL };
     *     mcf->notify = { 0, NULL };
     */

    mcf->size = SPOOL_DEFAULT_SIZE;

    if (ngx_wacrm_metrics_init(cf, &mcf->metrics) != NGX_OK) {
        return NULL;
    }

    return mcf;
}


static char *
ngx_wacrm_spool_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wacrm_main_conf_t *mcf = conf;

    size_t      max;
    ngx_str_t  *value, s;
    ngx_uint_t  i;

    max = sizeof(ngx_wacrm_process.notify.sun_path);
    value = cf->args->elts;

    if (mcf->path.data) {
        return "is duplicate";
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "size=", 5) == 0) {
            s.data = value[i].data + 5;
            s.len = value[i].len - 5;

            mcf->size = ngx_parse_offset(&s);

            if (mcf->size < NGX_WACRM_SPOOL_SIZE_MIN
                || mcf->size > NGX_WACRM_SPOOL_SIZE_MAX)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid spool size \"%V\", "
                                   "it must be from 1m to 1024g", &value[i]);
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "notify=unix:", 12) == 0) {
            s.data = value[i].data + 12;
            s.len = value[i].len - 12;

            if (s.len == 0
                || ngx_conf_full_name(cf->cycle, &s, 0) != NGX_OK
                || s.len >= max)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid or too long notify socket \"%V\"",
                                   &value[i]);
                return NGX_CONF_ERROR;
            }

            mcf->notify = s;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    if (ngx_wacrm_metrics_add(cf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_wacrm_spool_path(cf, mcf, &value[1]);
}


/* Nothing is opened or made here: nginx -t is often run by root. */

static char *
ngx_wacrm_spool_path(ngx_conf_t *cf, ngx_wacrm_main_conf_t *mcf,
    ngx_str_t *value)
{
    ngx_str_t        path;
    ngx_file_info_t  fi;

    path = *value;

    if (path.len == 0 || ngx_conf_full_name(cf->cycle, &path, 0) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid spool path \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    while (path.len > 1 && path.data[path.len - 1] == '/') {
        path.data[--path.len] = '\0';
    }

    if (ngx_file_info(path.data, &fi) != NGX_FILE_ERROR && !ngx_is_dir(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "spool \"%V\" is not a directory", &path);
        return NGX_CONF_ERROR;
    }

    mcf->path = path;

    return NGX_CONF_OK;
}


static char *
ngx_wacrm_health(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "is duplicate, or the location has another handler";
    }

    clcf->handler = ngx_wacrm_health_handler;

    return NGX_CONF_OK;
}


static char *
ngx_wacrm_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "is duplicate, or the location has another handler";
    }

    clcf->handler = ngx_wacrm_metrics_handler;

    if (ngx_wacrm_metrics_add(cf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_wacrm_init_process(ngx_cycle_t *cycle)
{
    ngx_wacrm_main_conf_t  *mcf;

    /* the cache processes come here too */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_wacrm_module);

    if (mcf == NULL || mcf->path.len == 0) {
        return NGX_OK;
    }

    ngx_wacrm_process.retry.handler = ngx_wacrm_open_spool;
    ngx_wacrm_process.retry.log = cycle->log;
    ngx_wacrm_process.retry.data = mcf;
    ngx_wacrm_process.retry.cancelable = 1;

    ngx_wacrm_open_notify(mcf, cycle->log);
    ngx_wacrm_open_spool(&ngx_wacrm_process.retry);

    return NGX_OK;
}


static void
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

    mcf = ev->data;

    ngx_memzero(&options, sizeof(spool_options_t));
    options.size = mcf->size;
    options.create = true;

    rc = spool_open(&ngx_wacrm_process.spool, (char *) mcf->path.data,
                    &options);

    if (rc == SPOOL_OK) {

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
