/*
 * ngx_wacrm_webhook_conf.c - secrets and signature schemes of webhooks.
 */

#include "ngx_wacrm_webhook.h"


#define NGX_WACRM_SECRET_MIN  16
#define NGX_WACRM_SECRET_MAX  65536


static sig_scheme_t *ngx_wacrm_webhook_scheme(
    ngx_wacrm_signature_t *signature, char *error);
static ngx_int_t ngx_wacrm_webhook_secrets(ngx_conf_t *cf,
    ngx_wacrm_webhook_loc_conf_t *conf);
static void ngx_wacrm_webhook_names(ngx_wacrm_webhook_loc_conf_t *conf);
static void ngx_wacrm_webhook_keep(ngx_wacrm_webhook_loc_conf_t *conf,
    const char *name);
static void ngx_wacrm_webhook_free_scheme(void *data);


char *
ngx_wacrm_webhook_read_file(ngx_conf_t *cf, ngx_str_t *path, ngx_str_t *value)
{
    ngx_str_t  name, text;

    name = *path;

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK
        || ngx_wacrm_read_file(cf, cf->pool, &name, NGX_WACRM_SECRET_MAX,
                               &text)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (text.len > 0 && text.data[text.len - 1] == '\n') {
        text.len--;
    }

    if (text.len < NGX_WACRM_SECRET_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "secret in \"%V\" is shorter than %d bytes",
                           &name, NGX_WACRM_SECRET_MIN);
        return NGX_CONF_ERROR;
    }

    *value = text;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_wacrm_webhook_check_scheme(ngx_conf_t *cf,
    ngx_wacrm_signature_t *signature)
{
    char           error[SIG_ERROR_MAX];
    ngx_uint_t     unsafe;
    sig_scheme_t  *scheme;

    scheme = ngx_wacrm_webhook_scheme(signature, error);

    if (scheme == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", error);
        return NGX_ERROR;
    }

    unsafe = sig_scheme_unsigned(scheme);
    sig_scheme_free(&scheme);

    if (unsafe && !signature->allow_unsigned) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "signature \"none\" lets anybody send events, "
                           "it needs \"allow_unsigned\"");
        return NGX_ERROR;
    }

    if (!unsafe && signature->allow_unsigned) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"allow_unsigned\" is for signature \"none\" "
                           "only");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static sig_scheme_t *
ngx_wacrm_webhook_scheme(ngx_wacrm_signature_t *signature, char *error)
{
    u_char        *p;
    ngx_str_t     *arg;
    sig_str_t      key, value;
    ngx_uint_t     i;
    sig_scheme_t  *scheme;

    arg = signature->args;

    key.data = (char *) arg[0].data;
    key.len = arg[0].len;

    if (sig_scheme_new(&scheme, key, error) != 0) {
        return NULL;
    }

    for (i = 1; i < signature->nargs; i++) {
        p = ngx_strlchr(arg[i].data, arg[i].data + arg[i].len, '=');

        if (p == NULL) {
            (void) ngx_snprintf((u_char *) error, SIG_ERROR_MAX,
                                "invalid parameter \"%V\"%Z", &arg[i]);
            error[SIG_ERROR_MAX - 1] = '\0';
            goto failed;
        }

        key.data = (char *) arg[i].data;
        key.len = p - arg[i].data;
        value.data = (char *) p + 1;
        value.len = arg[i].len - key.len - 1;

        if (sig_scheme_option(scheme, key, value, error) != 0) {
            goto failed;
        }
    }

    return scheme;

failed:

    sig_scheme_free(&scheme);

    return NULL;
}


ngx_int_t
ngx_wacrm_webhook_build(ngx_conf_t *cf, ngx_wacrm_webhook_loc_conf_t *conf)
{
    char                 error[SIG_ERROR_MAX];
    ngx_pool_cleanup_t  *cln;

    if (conf->signature == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"wacrm_webhook\" needs a \"wacrm_webhook_signature\" "
                      "in %s:%ui", conf->place.file, conf->place.line);
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    conf->scheme = ngx_wacrm_webhook_scheme(conf->signature, error);

    if (conf->scheme == NULL) {
        goto failed;
    }

    cln->handler = ngx_wacrm_webhook_free_scheme;
    cln->data = conf;

    if (!sig_scheme_unsigned(conf->scheme)
        && ngx_wacrm_webhook_secrets(cf, conf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (sig_scheme_finish(conf->scheme, error) != 0) {
        goto failed;
    }

    ngx_wacrm_webhook_names(conf);

    return NGX_OK;

failed:

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "%s in %s:%ui",
                  error, conf->signature->place.file,
                  conf->signature->place.line);

    return NGX_ERROR;
}


static ngx_int_t
ngx_wacrm_webhook_secrets(ngx_conf_t *cf, ngx_wacrm_webhook_loc_conf_t *conf)
{
    char                  error[SIG_ERROR_MAX];
    sig_str_t             secret;
    ngx_uint_t            i;
    ngx_wacrm_secrets_t  *secrets;

    secrets = conf->secrets;

    if (secrets == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"wacrm_webhook\" needs a "
                      "\"wacrm_webhook_secret_file\" in %s:%ui",
                      conf->place.file, conf->place.line);
        return NGX_ERROR;
    }

    for (i = 0; i < secrets->nsecrets; i++) {
        secret.data = (char *) secrets->secrets[i].data;
        secret.len = secrets->secrets[i].len;

        if (sig_scheme_secret(conf->scheme, secret, NGX_WACRM_SECRET_MIN,
                              error)
            != 0)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "%s, secret %ui of \"wacrm_webhook_secret_file\" "
                          "in %s:%ui",
                          error, i + 1, secrets->place.file,
                          secrets->place.line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* What the scheme is called, and what it is given by in a request. */

static void
ngx_wacrm_webhook_names(ngx_wacrm_webhook_loc_conf_t *conf)
{
    const char  *name;

    name = sig_scheme_name(conf->scheme);
    conf->scheme_name.data = name;
    conf->scheme_name.len = ngx_strlen(name);

    conf->token_query.data = (u_char *) sig_scheme_token_query(conf->scheme);
    conf->token_query.len = ngx_strlen(conf->token_query.data);

    ngx_wacrm_webhook_keep(conf, "x-webhook-event");
    ngx_wacrm_webhook_keep(conf, "x-webhook-id");
    ngx_wacrm_webhook_keep(conf, "x-webhook-timestamp");
    ngx_wacrm_webhook_keep(conf, sig_scheme_id_header(conf->scheme));
    ngx_wacrm_webhook_keep(conf, sig_scheme_timestamp_header(conf->scheme));
}


static void
ngx_wacrm_webhook_keep(ngx_wacrm_webhook_loc_conf_t *conf, const char *name)
{
    size_t      len;
    ngx_uint_t  i;

    len = ngx_strlen(name);

    if (len == 0) {
        return;
    }

    for (i = 0; i < conf->nkeep; i++) {
        if (conf->keep[i].len == len
            && ngx_memcmp(conf->keep[i].data, name, len) == 0)
        {
            return;
        }
    }

    conf->keep[conf->nkeep].data = name;
    conf->keep[conf->nkeep].len = len;
    conf->nkeep++;
}


static void
ngx_wacrm_webhook_free_scheme(void *data)
{
    ngx_wacrm_webhook_loc_conf_t  *conf = data;

    sig_scheme_free(&conf->scheme);
}
