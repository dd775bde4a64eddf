/*
 * ngx_wacrm_jwt_module.c - who may come in: the directives, and the phases in
 * which they act.
 */

#include "ngx_wacrm_jwt.h"

#include "edge/jwt_cache.h"


#define NGX_WACRM_JWT_MAX_LEEWAY  3600


static void *ngx_wacrm_jwt_create_main_conf(ngx_conf_t *cf);
static char *ngx_wacrm_jwt_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_wacrm_jwt_create_loc_conf(ngx_conf_t *cf);
static char *ngx_wacrm_jwt_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_wacrm_jwt(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_wacrm_jwt_token_source(ngx_conf_t *cf,
    ngx_wacrm_jwt_loc_conf_t *jlcf, ngx_str_t *value);
static char *ngx_wacrm_jwt_not_empty(ngx_conf_t *cf, void *post, void *data);
static char *ngx_wacrm_jwt_check_leeway(ngx_conf_t *cf, void *post,
    void *data);
static char *ngx_wacrm_jwt_require(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_wacrm_jwt_init(ngx_conf_t *cf);


static ngx_conf_post_t  ngx_wacrm_jwt_not_empty_post =
    { ngx_wacrm_jwt_not_empty };

static ngx_conf_post_t  ngx_wacrm_jwt_leeway_post =
    { ngx_wacrm_jwt_check_leeway };


static ngx_command_t  ngx_wacrm_jwt_commands[] = {

    { ngx_string("wacrm_jwt"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_wacrm_jwt,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wacrm_jwt_key_file"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      ngx_wacrm_jwt_key_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wacrm_jwt_issuer"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_wacrm_jwt_loc_conf_t, issuer),
      &ngx_wacrm_jwt_not_empty_post },

    { ngx_string("wacrm_jwt_audience"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_wacrm_jwt_loc_conf_t, audience),
      &ngx_wacrm_jwt_not_empty_post },

    { ngx_string("wacrm_jwt_leeway"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_wacrm_jwt_loc_conf_t, leeway),
      &ngx_wacrm_jwt_leeway_post },

    { ngx_string("wacrm_jwt_cache"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_wacrm_jwt_cache,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wacrm_jwt_require"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_wacrm_jwt_require,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_wacrm_jwt_module_ctx = {
    ngx_wacrm_jwt_add_variables,           /* preconfiguration */
    ngx_wacrm_jwt_init,                    /* postconfiguration */

    ngx_wacrm_jwt_create_main_conf,        /* create main configuration */
    ngx_wacrm_jwt_init_main_conf,          /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_wacrm_jwt_create_loc_conf,         /* create location configuration */
    ngx_wacrm_jwt_merge_loc_conf           /* merge location configuration */
};


ngx_module_t  ngx_wacrm_jwt_module = {
    NGX_MODULE_V1,
    &ngx_wacrm_jwt_module_ctx,             /* module context */
    ngx_wacrm_jwt_commands,                /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_wacrm_jwt_exit_process,            /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_wacrm_jwt_create_main_conf(ngx_conf_t *cf)
{
    ngx_wacrm_jwt_main_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_wacrm_jwt_main_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->cache = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_wacrm_jwt_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_wacrm_jwt_main_conf_t *jmcf = conf;

    ngx_conf_init_value(jmcf->cache, JWT_CACHE_DEFAULT);

    return NGX_CONF_OK;
}


static void *
ngx_wacrm_jwt_create_loc_conf(ngx_conf_t *cf)
{
    ngx_wacrm_jwt_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_wacrm_jwt_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->realm = { 0, NULL };
     *     conf->keys = NULL;
     *     conf->issuer = { 0, NULL };
     *     conf->audience = { 0, NULL };
     *     conf->require = NULL;
     *     conf->files = NULL;
     *     conf->file = NULL;
     *     conf->line = 0;
     */

    conf->enabled = NGX_CONF_UNSET;
    conf->token = NGX_ERROR;
    conf->leeway = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_wacrm_jwt_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_wacrm_jwt_loc_conf_t *prev = parent;
    ngx_wacrm_jwt_loc_conf_t *conf = child;

    if (conf->enabled == NGX_CONF_UNSET) {
        conf->enabled = prev->enabled;
        conf->realm = prev->realm;
        conf->token = prev->token;
        conf->file = prev->file;
        conf->line = prev->line;
    }

    if (conf->enabled == NGX_CONF_UNSET) {
        conf->enabled = 0;
    }

    if (conf->keys == NULL) {
        conf->keys = prev->keys;
    }

    if (conf->require == NULL) {
        conf->require = prev->require;
    }

    ngx_conf_merge_str_value(conf->issuer, prev->issuer, "");
    ngx_conf_merge_str_value(conf->audience, prev->audience, "");
    ngx_conf_merge_sec_value(conf->leeway, prev->leeway, 0);

    if (conf->enabled && conf->keys == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no \"wacrm_jwt_key_file\" is defined for the "
                      "\"wacrm_jwt\" directive in %s:%ui",
                      conf->file, conf->line);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_wacrm_jwt(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wacrm_jwt_loc_conf_t *jlcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (jlcf->enabled != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    jlcf->file = cf->conf_file->file.name.data;
    jlcf->line = cf->conf_file->line;

    if (ngx_strcmp(value[1].data, "off") == 0) {

        if (cf->args->nelts > 2) {
            return "has a parameter beside \"off\"";
        }

        jlcf->enabled = 0;

        return NGX_CONF_OK;
    }

    /* goes into a quoted string */

    for (i = 0; i < value[1].len; i++) {
        if (value[1].data[i] < 0x20 || value[1].data[i] == 0x7f
            || value[1].data[i] == '"' || value[1].data[i] == '\\')
        {
            return "has a realm with a quote, backslash or control character";
        }
    }

    if (value[1].len == 0) {
        return "has an empty realm";
    }

    if (ngx_strncmp(value[1].data, "token=", 6) == 0) {
        return "has no realm";
    }

    jlcf->enabled = 1;
    jlcf->realm = value[1];

    if (ngx_wacrm_metrics_add(cf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts > 2) {
        return ngx_wacrm_jwt_token_source(cf, jlcf, &value[2]);
    }

    return NGX_CONF_OK;
}


static char *
ngx_wacrm_jwt_token_source(ngx_conf_t *cf, ngx_wacrm_jwt_loc_conf_t *jlcf,
    ngx_str_t *value)
{
    ngx_str_t  name;

    if (ngx_strncmp(value->data, "token=$", 7) != 0 || value->len == 7) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    name.data = value->data + 7;
    name.len = value->len - 7;

    if (ngx_strncasecmp(name.data, (u_char *) "arg_", 4) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" takes the token from the query string, "
                           "where it would end up in logs", value);
        return NGX_CONF_ERROR;
    }

    jlcf->token = ngx_http_get_variable_index(cf, &name);

    return jlcf->token == NGX_ERROR ? NGX_CONF_ERROR : NGX_CONF_OK;
}


static char *
ngx_wacrm_jwt_not_empty(ngx_conf_t *cf, void *post, void *data)
{
    ngx_str_t *value = data;

    return value->len ? NGX_CONF_OK : "is empty";
}


static char *
ngx_wacrm_jwt_check_leeway(ngx_conf_t *cf, void *post, void *data)
{
    time_t *leeway = data;

    return *leeway <= NGX_WACRM_JWT_MAX_LEEWAY ? NGX_CONF_OK
                                               : "must not be over 1h";
}


static char *
ngx_wacrm_jwt_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wacrm_jwt_loc_conf_t *jlcf = conf;

    ngx_int_t   *index;
    ngx_str_t   *value, name;
    ngx_uint_t   i;

    if (jlcf->require == NULL) {
        jlcf->require = ngx_array_create(cf->pool, 4, sizeof(ngx_int_t));
        if (jlcf->require == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (value[i].len < 2 || value[i].data[0] != '$') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is not a variable", &value[i]);
            return NGX_CONF_ERROR;
        }

        name.data = value[i].data + 1;
        name.len = value[i].len - 1;

        index = ngx_array_push(jlcf->require);
        if (index == NULL) {
            return NGX_CONF_ERROR;
        }

        *index = ngx_http_get_variable_index(cf, &name);
        if (*index == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_wacrm_jwt_init(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    static struct {
        ngx_uint_t              phase;
        ngx_http_handler_pt     handler;

    } handlers[] = {
        { NGX_HTTP_POST_READ_PHASE, ngx_wacrm_jwt_post_read_handler },
        { NGX_HTTP_PREACCESS_PHASE, ngx_wacrm_jwt_preaccess_handler },
        { NGX_HTTP_ACCESS_PHASE, ngx_wacrm_jwt_access_handler }
    };

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        h = ngx_array_push(&cmcf->phases[handlers[i].phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = handlers[i].handler;
    }

    return NGX_OK;
}
