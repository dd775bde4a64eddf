/*
 * ngx_wacrm_jwt.h - what the files of ngx_wacrm_jwt_module share.
 *
 * ngx_wacrm_jwt_module.c: directives; ngx_wacrm_jwt_access.c: the access
 * phase; ngx_wacrm_jwt_keys.c: the key files; ngx_wacrm_jwt_verify.c: one
 * token of one request; ngx_wacrm_jwt_cache.c: those verified before;
 * ngx_wacrm_jwt_variables.c: its claims; ngx_wacrm_jwt_identity.c: the
 * X-Wacrm-* headers.
 */

#ifndef _NGX_WACRM_JWT_H_INCLUDED_
#define _NGX_WACRM_JWT_H_INCLUDED_


#include "ngx_wacrm.h"

#include "edge/jwt_gate.h"


typedef struct {
    ngx_int_t         cache;        /* verified tokens kept; 0: none */
} ngx_wacrm_jwt_main_conf_t;


typedef struct {
    ngx_flag_t        enabled;
    ngx_str_t         realm;
    ngx_int_t         token;        /* variable, NGX_ERROR: Authorization */

    jwt_keyset_t     *keys;
    ngx_str_t         issuer;
    ngx_str_t         audience;
    time_t            leeway;
    ngx_array_t      *require;      /* ngx_int_t: variables */

    ngx_array_t      *files;        /* ngx_wacrm_jwt_file_t */
    u_char           *file;         /* where wacrm_jwt stands */
    ngx_uint_t        line;
} ngx_wacrm_jwt_loc_conf_t;


/* A token and what became of it under the rules of one location. */

typedef struct {
    ngx_wacrm_jwt_e            result;
    ngx_str_t                  token;
    ngx_wacrm_jwt_loc_conf_t  *conf;
    jwt_gate_token_t           gate;       /* filled if result is OK */

    ngx_str_t                  sub;        /* data is NULL if absent */
    ngx_str_t                  jti;
    ngx_str_t                  exp;
} ngx_wacrm_jwt_ctx_t;


extern ngx_module_t  ngx_wacrm_jwt_module;


/*
 * Verifies the token of r by the rules of conf, once: a second call for the
 * same token and rules, also after an internal redirect, gives the first
 * result. NULL without memory.
 */
ngx_wacrm_jwt_ctx_t *ngx_wacrm_jwt_verify(ngx_http_request_t *r,
    ngx_wacrm_jwt_loc_conf_t *conf);

/*
 * The claims of a token that this process has verified with conf's keys
 * before, into ctx->gate: NGX_OK; NGX_DECLINED if it has not.
 */
ngx_int_t ngx_wacrm_jwt_recall(ngx_http_request_t *r,
    ngx_wacrm_jwt_ctx_t *ctx);

/* For the next time: ctx's token is good. */
void ngx_wacrm_jwt_remember(ngx_http_request_t *r, ngx_wacrm_jwt_ctx_t *ctx);

void ngx_wacrm_jwt_exit_process(ngx_cycle_t *cycle);

/* The setter of wacrm_jwt_cache. */
char *ngx_wacrm_jwt_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* The setter of wacrm_jwt_key_file. */
char *ngx_wacrm_jwt_key_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* Preconfiguration: $wacrm_jwt_sub, $wacrm_jwt_claim_NAME. */
ngx_int_t ngx_wacrm_jwt_add_variables(ngx_conf_t *cf);

/* Access phase: 401, 403 or 503, or the identity is set. */
ngx_int_t ngx_wacrm_jwt_access_handler(ngx_http_request_t *r);

/* Phase handlers: no X-Wacrm-* header of a client goes further. */
ngx_int_t ngx_wacrm_jwt_post_read_handler(ngx_http_request_t *r);
ngx_int_t ngx_wacrm_jwt_preaccess_handler(ngx_http_request_t *r);

/* Makes ctx's user, token id and expiry request headers, one of each. */
ngx_int_t ngx_wacrm_jwt_set_identity(ngx_http_request_t *r,
    ngx_wacrm_jwt_ctx_t *ctx);


#endif /* _NGX_WACRM_JWT_H_INCLUDED_ */
