/*
 * ngx_wacrm_module.c - the directives that all wacrm modules need, and health.
 */

#include "ngx_wacrm_conf.h"

#include <sys/un.h>


#define NGX_WACRM_SPOOL_SIZE_MIN  ((off_t) 1024 * 1024)
#define NGX_WACRM_SPOOL_SIZE_MAX  ((off_t) 1024 * 1024 * 1024 * 1024)

#define NGX_WACRM_NOTIFY_MAX      sizeof(((struct sockaddr_un *) 0)->sun_path)


static void *ngx_wacrm_create_main_conf(ngx_conf_t *cf);
static char *ngx_wacrm_spool_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_wacrm_spool_parameter(ngx_conf_t *cf,
    ngx_wacrm_main_conf_t *mcf, ngx_str_t *value);
static char *ngx_wacrm_spool_path(ngx_conf_t *cf,
    ngx_wacrm_main_conf_t *mcf, ngx_str_t *value);
static char *ngx_wacrm_health(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_wacrm_metrics(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_wacrm_set_handler(ngx_conf_t *cf,
    ngx_http_handler_pt handler);
static ngx_int_t ngx_wacrm_health_handler(ngx_http_request_t *r);


static ngx_command_t  ngx_wacrm_commands[] = {

    { ngx_string("wacrm_spool"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1234,
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


static ngx_str_t  ngx_wacrm_type_text = ngx_string("text/plain");


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
     *     mcf->unrevoked = 0;
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

    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    if (mcf->path.data) {
        return "is duplicate";
    }

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_wacrm_spool_parameter(cf, mcf, &value[i]) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_wacrm_metrics_add(cf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_wacrm_spool_path(cf, mcf, &value[1]);
}


static char *
ngx_wacrm_spool_parameter(ngx_conf_t *cf, ngx_wacrm_main_conf_t *mcf,
    ngx_str_t *value)
{
    ngx_str_t  s;

    if (ngx_strncmp(value->data, "size=", 5) == 0) {
        s.data = value->data + 5;
        s.len = value->len - 5;

        mcf->size = ngx_parse_offset(&s);

        if (mcf->size < NGX_WACRM_SPOOL_SIZE_MIN
            || mcf->size > NGX_WACRM_SPOOL_SIZE_MAX)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid spool size \"%V\", "
                               "it must be from 1m to 1024g", value);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "notify=unix:", 12) == 0) {
        s.data = value->data + 12;
        s.len = value->len - 12;

        if (s.len == 0
            || ngx_conf_full_name(cf->cycle, &s, 0) != NGX_OK
            || s.len >= NGX_WACRM_NOTIFY_MAX)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid or too long notify socket \"%V\"",
                               value);
            return NGX_CONF_ERROR;
        }

        mcf->notify = s;

        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value->data, "revocations=on") == 0) {
        mcf->unrevoked = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value->data, "revocations=off") == 0) {
        mcf->unrevoked = 1;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", value);

    return NGX_CONF_ERROR;
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
    return ngx_wacrm_set_handler(cf, ngx_wacrm_health_handler);
}


static char *
ngx_wacrm_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    if (ngx_wacrm_metrics_add(cf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_wacrm_set_handler(cf, ngx_wacrm_metrics_handler);
}


static char *
ngx_wacrm_set_handler(ngx_conf_t *cf, ngx_http_handler_pt handler)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "is duplicate, or the location has another handler";
    }

    clcf->handler = handler;

    return NGX_CONF_OK;
}
