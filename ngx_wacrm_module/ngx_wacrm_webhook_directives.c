/*
 * ngx_wacrm_webhook_directives.c - the directives of the webhook intake, as
 * they are read.
 */

#include "ngx_wacrm_webhook.h"


#define NGX_WACRM_WEBHOOK_SOURCE    64


static ngx_uint_t ngx_wacrm_webhook_is_source(ngx_str_t *name);
static ngx_int_t ngx_wacrm_webhook_batch_option(ngx_str_t *value,
    ngx_wacrm_commit_conf_t *commit);
static void ngx_wacrm_webhook_place(ngx_conf_t *cf,
    ngx_wacrm_place_t *place);


char *
ngx_wacrm_webhook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wacrm_webhook_loc_conf_t *wlcf = conf;

    ngx_str_t                      *value;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_wacrm_webhook_main_conf_t  *wmcf;

    if (wlcf->source.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (!ngx_wacrm_webhook_is_source(&value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid source \"%V\", it takes up to %d of "
                           "a-z A-Z 0-9 - _ .",
                           &value[1], NGX_WACRM_WEBHOOK_SOURCE);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "is in a location that has another handler";
    }

    clcf->handler = ngx_wacrm_webhook_handler;

    wlcf->source = value[1];
    wlcf->slot = ngx_wacrm_metrics_source(cf, &value[1]);
    ngx_wacrm_webhook_place(cf, &wlcf->place);

    wmcf = ngx_http_conf_get_module_main_conf(cf, ngx_wacrm_webhook_module);
    wmcf->used = 1;

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_wacrm_webhook_is_source(ngx_str_t *name)
{
    u_char      ch;
    ngx_uint_t  i;

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9')
              || ch == '-' || ch == '_' || ch == '.'))
        {
            return 0;
        }
    }

    return i > 0 && i <= NGX_WACRM_WEBHOOK_SOURCE;
}


char *
ngx_wacrm_webhook_signature(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wacrm_webhook_loc_conf_t *wlcf = conf;

    ngx_str_t              *value;
    ngx_uint_t              i;
    ngx_wacrm_signature_t  *signature;

    if (wlcf->signature != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    signature = ngx_pcalloc(cf->pool, sizeof(ngx_wacrm_signature_t));
    if (signature == NULL) {
        return NGX_CONF_ERROR;
    }

    signature->args = ngx_palloc(cf->pool,
                                 cf->args->nelts * sizeof(ngx_str_t));
    if (signature->args == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_wacrm_webhook_place(cf, &signature->place);

    for (i = 1; i < cf->args->nelts; i++) {

        if (i > 1 && ngx_strcmp(value[i].data, "allow_unsigned") == 0) {
            signature->allow_unsigned = 1;
            continue;
        }

        signature->args[signature->nargs++] = value[i];
    }

    if (ngx_wacrm_webhook_check_scheme(cf, signature) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    wlcf->signature = signature;

    return NGX_CONF_OK;
}


char *
ngx_wacrm_webhook_secret_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wacrm_webhook_loc_conf_t *wlcf = conf;

    char                 *rv;
    ngx_str_t            *value;
    ngx_uint_t            i;
    ngx_wacrm_secrets_t  *secrets;

    if (wlcf->secrets != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    secrets = ngx_pcalloc(cf->pool, sizeof(ngx_wacrm_secrets_t));
    if (secrets == NULL) {
        return NGX_CONF_ERROR;
    }

    secrets->secrets = ngx_pcalloc(cf->pool,
                                   cf->args->nelts * sizeof(ngx_str_t));
    if (secrets->secrets == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_wacrm_webhook_place(cf, &secrets->place);

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_wacrm_webhook_read_file(cf, &value[i],
                                         &secrets->secrets[i - 1]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }

        secrets->nsecrets++;
    }

    wlcf->secrets = secrets;

    return NGX_CONF_OK;
}


char *
ngx_wacrm_webhook_verify_token_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_wacrm_webhook_loc_conf_t *wlcf = conf;

    ngx_str_t  *value;

    if (wlcf->verify_token.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    return ngx_wacrm_webhook_read_file(cf, &value[1], &wlcf->verify_token);
}


char *
ngx_wacrm_webhook_content_type(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wacrm_webhook_loc_conf_t *wlcf = conf;

    ngx_str_t   *value, *type;
    ngx_uint_t   i;

    if (wlcf->types != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    wlcf->types = ngx_array_create(cf->pool, cf->args->nelts,
                                   sizeof(ngx_str_t));
    if (wlcf->types == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strlchr(value[i].data, value[i].data + value[i].len, '/')
            == NULL
            || ngx_strlchr(value[i].data, value[i].data + value[i].len, ';'))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid media type \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        type = ngx_array_push(wlcf->types);
        if (type == NULL) {
            return NGX_CONF_ERROR;
        }

        *type = value[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_wacrm_webhook_batch(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wacrm_webhook_main_conf_t *wmcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (wmcf->commit.queue) {
        return "is duplicate";
    }

    value = cf->args->elts;
    wmcf->commit.queue = NGX_CONF_UNSET_UINT;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_wacrm_webhook_batch_option(&value[i], &wmcf->commit)
            != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_wacrm_webhook_batch_option(ngx_str_t *value,
    ngx_wacrm_commit_conf_t *commit)
{
    ssize_t    size;
    ngx_int_t  n;
    ngx_str_t  s;

    if (ngx_strncmp(value->data, "max=", 4) == 0) {
        n = ngx_atoi(value->data + 4, value->len - 4);

        if (n < 1 || n > 65536) {
            return NGX_ERROR;
        }

        commit->max = n;

        return NGX_OK;
    }

    if (ngx_strncmp(value->data, "queue=", 6) == 0) {
        n = ngx_atoi(value->data + 6, value->len - 6);

        if (n < 1 || n > 1048576) {
            return NGX_ERROR;
        }

        commit->queue = n;

        return NGX_OK;
    }

    if (ngx_strncmp(value->data, "bytes=", 6) == 0) {
        s.data = value->data + 6;
        s.len = value->len - 6;

        size = ngx_parse_size(&s);

        if (size < 1024 || size > 1024 * 1024 * 1024) {
            return NGX_ERROR;
        }

        commit->bytes = size;

        return NGX_OK;
    }

    return NGX_ERROR;
}


static void
ngx_wacrm_webhook_place(ngx_conf_t *cf, ngx_wacrm_place_t *place)
{
    place->file = cf->conf_file->file.name.data;
    place->line = cf->conf_file->line;
}
