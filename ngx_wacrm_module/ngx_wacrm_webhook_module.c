/*
 * ngx_wacrm_webhook_module.c - the webhook intake as a module of nginx.
 */

#include "ngx_wacrm_webhook.h"
#include "ngx_wacrm_conf.h"

#include <ngx_thread_pool.h>


#define NGX_WACRM_WEBHOOK_MAX_BODY  ((off_t) 16 * 1024 * 1024)


static void *ngx_wacrm_webhook_create_main_conf(ngx_conf_t *cf);
static void *ngx_wacrm_webhook_create_loc_conf(ngx_conf_t *cf);
static char *ngx_wacrm_webhook_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_wacrm_webhook_postconf(ngx_conf_t *cf);
static ngx_int_t ngx_wacrm_webhook_init_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_wacrm_webhook_commands[] = {

    { ngx_string("wacrm_webhook"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_wacrm_webhook,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wacrm_webhook_signature"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_wacrm_webhook_signature,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wacrm_webhook_secret_file"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_wacrm_webhook_secret_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wacrm_webhook_verify_token_file"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_wacrm_webhook_verify_token_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wacrm_webhook_content_type"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_wacrm_webhook_content_type,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wacrm_webhook_batch"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,
      ngx_wacrm_webhook_batch,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_wacrm_webhook_module_ctx = {
    ngx_wacrm_webhook_watch_size,          /* preconfiguration */
    ngx_wacrm_webhook_postconf,            /* postconfiguration */

    ngx_wacrm_webhook_create_main_conf,    /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_wacrm_webhook_create_loc_conf,     /* create location configuration */
    ngx_wacrm_webhook_merge_loc_conf       /* merge location configuration */
};


ngx_module_t  ngx_wacrm_webhook_module = {
    NGX_MODULE_V1,
    &ngx_wacrm_webhook_module_ctx,         /* module context */
    ngx_wacrm_webhook_commands,            /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_wacrm_webhook_init_process,        /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_uint_t
ngx_wacrm_is_webhook(ngx_http_request_t *r)
{
    ngx_wacrm_webhook_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_wacrm_webhook_module);

    return wlcf->source.len != 0;
}


static void *
ngx_wacrm_webhook_create_main_conf(ngx_conf_t *cf)
{
    ngx_wacrm_webhook_main_conf_t  *wmcf;

    wmcf = ngx_pcalloc(cf->pool, sizeof(ngx_wacrm_webhook_main_conf_t));
    if (wmcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     wmcf->used = 0;
     *     wmcf->body_size = NULL;
     *     wmcf->commit.queue = 0;
     *     wmcf->commit.pool = NULL;
     */

    wmcf->commit.max = 256;
    wmcf->commit.bytes = 16 * 1024 * 1024;

    return wmcf;
}


static void *
ngx_wacrm_webhook_create_loc_conf(ngx_conf_t *cf)
{
    ngx_wacrm_webhook_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_wacrm_webhook_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->source = { 0, NULL };
     *     conf->scheme = NULL;
     *     conf->verify_token = { 0, NULL };
     *     conf->nkeep = 0;
     */

    conf->signature = NGX_CONF_UNSET_PTR;
    conf->secrets = NGX_CONF_UNSET_PTR;
    conf->types = NGX_CONF_UNSET_PTR;
    conf->max_body = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_wacrm_webhook_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_wacrm_webhook_loc_conf_t *prev = parent;
    ngx_wacrm_webhook_loc_conf_t *conf = child;

    ngx_wacrm_main_conf_t     *mcf;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "if" and "limit_except" inside of a webhook are the same webhook */

    if (clcf->noname && conf->source.len == 0 && prev->source.len) {
        conf->source = prev->source;
        conf->slot = prev->slot;
        conf->place = prev->place;

        if (clcf->handler == NULL) {
            clcf->handler = ngx_wacrm_webhook_handler;
        }
    }

    ngx_conf_merge_ptr_value(conf->signature, prev->signature, NULL);
    ngx_conf_merge_ptr_value(conf->secrets, prev->secrets, NULL);
    ngx_conf_merge_ptr_value(conf->types, prev->types, NULL);
    ngx_conf_merge_str_value(conf->verify_token, prev->verify_token, "");
    ngx_conf_merge_off_value(conf->max_body, prev->max_body,
                             NGX_WACRM_WEBHOOK_MAX_BODY);

    if (conf->source.len == 0) {
        return NGX_CONF_OK;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_wacrm_module);

    if (mcf->path.len == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"wacrm_webhook\" needs a \"wacrm_spool\" in %s:%ui",
                      conf->place.file, conf->place.line);
        return NGX_CONF_ERROR;
    }

    /* "proxy_pass" and its like replace a handler without a word */

    if (!clcf->noname && clcf->handler != ngx_wacrm_webhook_handler) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"wacrm_webhook\" is in a location that has another "
                      "handler in %s:%ui",
                      conf->place.file, conf->place.line);
        return NGX_CONF_ERROR;
    }

    clcf->client_max_body_size = conf->max_body;

    return ngx_wacrm_webhook_build(cf, conf) == NGX_OK ? NGX_CONF_OK
                                                       : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_wacrm_webhook_postconf(ngx_conf_t *cf)
{
    ngx_core_conf_t                *ccf;
    ngx_http_handler_pt            *h;
    ngx_http_core_main_conf_t      *cmcf;
    ngx_wacrm_webhook_main_conf_t  *wmcf;

    wmcf = ngx_http_conf_get_module_main_conf(cf, ngx_wacrm_webhook_module);

    ngx_wacrm_webhook_unwatch_size(wmcf);

    if (wmcf->commit.queue == 0 || wmcf->commit.queue == NGX_CONF_UNSET_UINT)
    {
        wmcf->commit.queue = ngx_max(1024, wmcf->commit.max);
    }

    if (!wmcf->used) {
        return NGX_OK;
    }

    ngx_wacrm_webhook_filter_init();

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_wacrm_webhook_preaccess_handler;

    /*
     * without a master a reload gives a thread pool that has no threads, on
     * which nginx itself crashes; commits are then done in the event loop
     */

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);
    if (ccf->master == 0) {
        return NGX_OK;
    }

    wmcf->commit.pool = ngx_thread_pool_add(cf, NULL);

    return wmcf->commit.pool ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_wacrm_webhook_init_process(ngx_cycle_t *cycle)
{
    ngx_wacrm_webhook_main_conf_t  *wmcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    wmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_wacrm_webhook_module);
    if (wmcf == NULL || !wmcf->used) {
        return NGX_OK;
    }

    return ngx_wacrm_commit_init(&wmcf->commit, cycle->log);
}
