/*
 * ngx_wacrm_rate_module.c - rate limits: wacrm_rate, and what nginx asks of a
 * module.
 */

#include "ngx_wacrm_rate.h"


typedef struct {
    ngx_shm_zone_t             *shm_zone;
    u_char                     *file;
    ngx_uint_t                  line;
} ngx_wacrm_rate_use_t;


typedef struct {
    ngx_array_t                 uses;       /* ngx_wacrm_rate_use_t */
} ngx_wacrm_rate_main_conf_t;


static void *ngx_wacrm_rate_create_main_conf(ngx_conf_t *cf);
static void *ngx_wacrm_rate_create_loc_conf(ngx_conf_t *cf);
static char *ngx_wacrm_rate_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_wacrm_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_wacrm_rate_options(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *message, ngx_uint_t *dry_run);
static char *ngx_wacrm_rate_quoted(ngx_conf_t *cf, ngx_uint_t *n,
    ngx_str_t *message);
static char *ngx_wacrm_rate_message(ngx_conf_t *cf, ngx_str_t *message,
    ngx_str_t *body);
static ngx_int_t ngx_wacrm_rate_init(ngx_conf_t *cf);


static ngx_command_t  ngx_wacrm_rate_commands[] = {

    { ngx_string("wacrm_rate_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE3|NGX_CONF_TAKE4,
      ngx_wacrm_rate_zone,
      0,
      0,
      NULL },

    { ngx_string("wacrm_rate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_wacrm_rate,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_wacrm_rate_module_ctx = {
    ngx_wacrm_rate_add_variables,          /* preconfiguration */
    ngx_wacrm_rate_init,                   /* postconfiguration */

    ngx_wacrm_rate_create_main_conf,       /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_wacrm_rate_create_loc_conf,        /* create location configuration */
    ngx_wacrm_rate_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_wacrm_rate_module = {
    NGX_MODULE_V1,
    &ngx_wacrm_rate_module_ctx,            /* module context */
    ngx_wacrm_rate_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_str_t  ngx_wacrm_rate_default_message =
    ngx_string("Too many messages. Please wait.");


static void *
ngx_wacrm_rate_create_main_conf(ngx_conf_t *cf)
{
    ngx_wacrm_rate_main_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_wacrm_rate_main_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&conf->uses, cf->pool, 4, sizeof(ngx_wacrm_rate_use_t))
        != NGX_OK)
    {
        return NULL;
    }

    return conf;
}


static void *
ngx_wacrm_rate_create_loc_conf(ngx_conf_t *cf)
{
    /*
     * set by ngx_pcalloc():
     *
     *     conf->limits = NULL;
     */

    return ngx_pcalloc(cf->pool, sizeof(ngx_wacrm_rate_loc_conf_t));
}


static char *
ngx_wacrm_rate_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_wacrm_rate_loc_conf_t *prev = parent;
    ngx_wacrm_rate_loc_conf_t *conf = child;

    if (conf->limits == NULL) {
        conf->limits = prev->limits;
    }

    return NGX_CONF_OK;
}


static char *
ngx_wacrm_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wacrm_rate_loc_conf_t *rlcf = conf;

    ngx_str_t                    name, message;
    ngx_uint_t                   i, dry_run;
    ngx_shm_zone_t              *shm_zone;
    ngx_wacrm_rate_use_t        *use;
    ngx_wacrm_rate_limit_t      *limit;
    ngx_wacrm_rate_main_conf_t  *rmcf;

    ngx_str_null(&name);
    message = ngx_wacrm_rate_default_message;
    dry_run = 0;

    if (ngx_wacrm_rate_options(cf, &name, &message, &dry_run)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    shm_zone = ngx_shared_memory_add(cf, &name, 0, &ngx_wacrm_rate_module);
    if (shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (rlcf->limits == NULL) {
        rlcf->limits = ngx_array_create(cf->pool, 2,
                                        sizeof(ngx_wacrm_rate_limit_t));
        if (rlcf->limits == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    limit = rlcf->limits->elts;

    for (i = 0; i < rlcf->limits->nelts; i++) {
        if (limit[i].shm_zone == shm_zone) {
            return "is duplicate";
        }
    }

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_wacrm_rate_module);

    limit = ngx_array_push(rlcf->limits);
    use = ngx_array_push(&rmcf->uses);

    if (limit == NULL || use == NULL) {
        return NGX_CONF_ERROR;
    }

    limit->shm_zone = shm_zone;
    limit->dry_run = dry_run;

    use->shm_zone = shm_zone;
    use->file = cf->conf_file->file.name.data;
    use->line = cf->conf_file->line;

    return ngx_wacrm_rate_message(cf, &message, &limit->body);
}


static char *
ngx_wacrm_rate_options(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *message,
    ngx_uint_t *dry_run)
{
    ngx_str_t   *value;
    ngx_uint_t   i, has_message;

    value = cf->args->elts;
    has_message = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "zone=", 5) == 0 && value[i].len > 5
            && name->data == NULL)
        {
            name->data = value[i].data + 5;
            name->len = value[i].len - 5;
            continue;
        }

        if (ngx_strncmp(value[i].data, "message=\"", 9) == 0
            && !has_message)
        {
            if (ngx_wacrm_rate_quoted(cf, &i, message) != NGX_CONF_OK) {
                return NGX_CONF_ERROR;
            }

            has_message = 1;
            continue;
        }

        if (ngx_strncmp(value[i].data, "message=", 8) == 0
            && value[i].len > 8 && !has_message)
        {
            message->data = value[i].data + 8;
            message->len = value[i].len - 8;
            has_message = 1;
            continue;
        }

        if (ngx_strcmp(value[i].data, "dry_run") == 0 && !*dry_run) {
            *dry_run = 1;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    if (name->data == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have a \"zone\" parameter",
                           &value[0]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * message="in some words": nginx sees a quote only where a word begins, so
 * that the text comes as several arguments, up to the one that ends with a
 * quote. *n moves on to that.
 */

static char *
ngx_wacrm_rate_quoted(ngx_conf_t *cf, ngx_uint_t *n, ngx_str_t *message)
{
    u_char      *p;
    size_t       len, skip;
    ngx_str_t   *value;
    ngx_uint_t   i, last;

    value = cf->args->elts;
    skip = sizeof("message=\"") - 1;
    len = 0;

    for (last = *n; last < cf->args->nelts; last++) {
        len += value[last].len + 1;

        if (value[last].len > (last == *n ? skip : 0)
            && value[last].data[value[last].len - 1] == '"')
        {
            break;
        }
    }

    if (last == cf->args->nelts) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no closing quote after \"%V\"", &value[*n]);
        return NGX_CONF_ERROR;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    message->data = p;

    for (i = *n; i <= last; i++) {
        p = ngx_cpymem(p, value[i].data + skip, value[i].len - skip);
        *p++ = ' ';
        skip = 0;
    }

    /* less the quote and the space */
    message->len = p - message->data - 2;

    *n = last;

    if (message->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "the message is empty");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_wacrm_rate_message(ngx_conf_t *cf, ngx_str_t *message, ngx_str_t *body)
{
    u_char     *p, *last;
    uintptr_t   escape;

    p = message->data;
    last = p + message->len;

    while (p < last) {

        if (*p < 0x80) {
            p++;

        } else if (ngx_utf8_decode(&p, last - p) > 0x10ffff) {
            return "has a message that is not UTF-8";
        }
    }

    escape = ngx_escape_json(NULL, message->data, message->len);

    p = ngx_pnalloc(cf->pool, sizeof("{\"message\":\"\"}") - 1 + message->len
                              + escape);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    body->data = p;

    p = ngx_cpymem(p, "{\"message\":\"", sizeof("{\"message\":\"") - 1);
    p = (u_char *) ngx_escape_json(p, message->data, message->len);
    p = ngx_cpymem(p, "\"}", 2);

    body->len = p - body->data;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_wacrm_rate_init(ngx_conf_t *cf)
{
    ngx_uint_t                   i;
    ngx_http_handler_pt         *h;
    ngx_wacrm_rate_use_t        *use;
    ngx_http_core_main_conf_t   *cmcf;
    ngx_wacrm_rate_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_wacrm_rate_module);

    use = rmcf->uses.elts;

    for (i = 0; i < rmcf->uses.nelts; i++) {

        if (use[i].shm_zone->data == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown wacrm_rate_zone \"%V\" in %s:%ui",
                          &use[i].shm_zone->shm.name, use[i].file,
                          use[i].line);
            return NGX_ERROR;
        }
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_wacrm_rate_handler;

    return NGX_OK;
}
