/*
 * ngx_wacrm_jwt_cache.c - the tokens that this worker has verified already.
 */

#include "ngx_wacrm_jwt.h"

#include "edge/jwt_cache.h"


static jwt_cache_t *ngx_wacrm_jwt_get_cache(ngx_http_request_t *r);


/* of this process; made at its first token */

static jwt_cache_t  *ngx_wacrm_jwt_tokens;
static ngx_int_t     ngx_wacrm_jwt_tokens_size;


ngx_int_t
ngx_wacrm_jwt_recall(ngx_http_request_t *r, ngx_wacrm_jwt_ctx_t *ctx)
{
    jwt_cache_t  *cache;

    cache = ngx_wacrm_jwt_get_cache(r);
    if (cache == NULL) {
        return NGX_DECLINED;
    }

    ctx->gate.claims = jwt_cache_find(cache, ctx->conf->keys,
                                      (char *) ctx->token.data,
                                      ctx->token.len);

    ngx_wacrm_count_jwt_cache(ctx->gate.claims != NULL);

    return ctx->gate.claims ? NGX_OK : NGX_DECLINED;
}


void
ngx_wacrm_jwt_remember(ngx_http_request_t *r, ngx_wacrm_jwt_ctx_t *ctx)
{
    int64_t       exp;
    jwt_cache_t  *cache;

    cache = ngx_wacrm_jwt_get_cache(r);
    if (cache == NULL) {
        return;
    }

    exp = json_integer_value(json_object_get(ctx->gate.claims, "exp"));

    jwt_cache_add(cache, ctx->conf->keys, (char *) ctx->token.data,
                  ctx->token.len, ctx->gate.claims, exp + ctx->conf->leeway,
                  ngx_time());
}


static jwt_cache_t *
ngx_wacrm_jwt_get_cache(ngx_http_request_t *r)
{
    ngx_wacrm_jwt_main_conf_t  *jmcf;

    jmcf = ngx_http_get_module_main_conf(r, ngx_wacrm_jwt_module);

    if (jmcf->cache == ngx_wacrm_jwt_tokens_size) {
        return ngx_wacrm_jwt_tokens;
    }

    /* the first token, or a reload that stays in the same process */

    jwt_cache_free(&ngx_wacrm_jwt_tokens);
    ngx_wacrm_jwt_tokens_size = jmcf->cache;

    if (jmcf->cache != 0
        && jwt_cache_new(&ngx_wacrm_jwt_tokens, jmcf->cache) != 0)
    {
        ngx_wacrm_jwt_tokens_size = 0;
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "wacrm_jwt: no memory for %i verified tokens",
                      jmcf->cache);
    }

    return ngx_wacrm_jwt_tokens;
}


void
ngx_wacrm_jwt_exit_process(ngx_cycle_t *cycle)
{
    jwt_cache_free(&ngx_wacrm_jwt_tokens);
    ngx_wacrm_jwt_tokens_size = 0;
}


char *
ngx_wacrm_jwt_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wacrm_jwt_main_conf_t *jmcf = conf;

    ngx_str_t  *value;

    if (jmcf->cache != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        jmcf->cache = 0;
        return NGX_CONF_OK;
    }

    jmcf->cache = ngx_atoi(value[1].data, value[1].len);

    if (jmcf->cache < 1 || jmcf->cache > JWT_CACHE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"wacrm_jwt_cache\" takes \"off\" or a number of "
                           "tokens from 1 to %d, not \"%V\"",
                           JWT_CACHE_MAX, &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
