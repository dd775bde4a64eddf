/*
 * ngx_wacrm_webhook.h - what the files of ngx_wacrm_webhook_module share.
 *
 * ngx_wacrm_webhook_module.c: the module and its configuration;
 * ngx_wacrm_webhook_directives.c: directives; ngx_wacrm_webhook_conf.c: reads
 * what they name and builds the signature scheme; ngx_wacrm_webhook_size.c:
 * where client_max_body_size stands; ngx_wacrm_webhook_handler.c: one
 * request; ngx_wacrm_webhook_body.c: its body where that is in pieces;
 * ngx_wacrm_webhook_method.c: one that is no POST;
 * ngx_wacrm_webhook_query.c: secrets in its query and the handshake;
 * ngx_wacrm_webhook_answer.c: answers; ngx_wacrm_webhook_filter.c: nginx's own
 * refusals as JSON.
 */

#ifndef _NGX_WACRM_WEBHOOK_H_INCLUDED_
#define _NGX_WACRM_WEBHOOK_H_INCLUDED_


#include "ngx_wacrm.h"
#include "ngx_wacrm_commit.h"

#include "edge/signature.h"


#define NGX_WACRM_WEBHOOK_KEEP  5


/* Where a directive stands, to be told when it turns out wrong at merge. */

typedef struct {
    u_char                   *file;
    ngx_uint_t                line;
} ngx_wacrm_place_t;


typedef struct {
    ngx_str_t                *args;        /* scheme name, then key=value */
    ngx_uint_t                nargs;
    ngx_wacrm_place_t         place;
    unsigned                  allow_unsigned:1;
} ngx_wacrm_signature_t;


typedef struct {
    ngx_str_t                *secrets;
    ngx_uint_t                nsecrets;
    ngx_wacrm_place_t         place;
} ngx_wacrm_secrets_t;


typedef struct {
    ngx_wacrm_commit_conf_t   commit;
    ngx_uint_t                used;        /* a webhook is configured */
    ngx_command_t            *body_size;   /* the core's, while it is parsed */
} ngx_wacrm_webhook_main_conf_t;


typedef struct {
    ngx_str_t                 source;      /* empty: not a webhook */
    ngx_uint_t                slot;        /* of the metrics */
    ngx_wacrm_place_t         place;

    ngx_wacrm_signature_t    *signature;
    ngx_wacrm_secrets_t      *secrets;
    ngx_array_t              *types;       /* of ngx_str_t */
    ngx_str_t                 verify_token;
    off_t                     max_body;

    /* made at merge, constant then */
    sig_scheme_t             *scheme;
    spool_str_t               scheme_name;
    spool_str_t               keep[NGX_WACRM_WEBHOOK_KEEP];
    ngx_uint_t                nkeep;
    ngx_str_t                 token_query;
} ngx_wacrm_webhook_loc_conf_t;


typedef struct {
    ngx_http_request_t       *request;
    sig_verify_t             *verify;
    ngx_wacrm_entry_t        *entry;
    ngx_str_t                 token;       /* of the query, decoded */
    ngx_str_t                *body;        /* that replaces nginx's own */
    unsigned                  own:1;       /* the answer is ours */
    unsigned                  replaced:1;  /* body has been sent */
} ngx_wacrm_webhook_ctx_t;


extern ngx_module_t  ngx_wacrm_webhook_module;


/* ngx_wacrm_webhook_directives.c: their setters */

char *ngx_wacrm_webhook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_wacrm_webhook_signature(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_wacrm_webhook_secret_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_wacrm_webhook_verify_token_file(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_wacrm_webhook_content_type(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_wacrm_webhook_batch(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/* ngx_wacrm_webhook_size.c */

/* Preconfiguration: from now on max_body of a location says what stands there;
 * undone by the other one, or with the configuration. */
ngx_int_t ngx_wacrm_webhook_watch_size(ngx_conf_t *cf);
void ngx_wacrm_webhook_unwatch_size(ngx_wacrm_webhook_main_conf_t *wmcf);


/* ngx_wacrm_webhook_conf.c */

/* Bytes of a file less one trailing newline. */
char *ngx_wacrm_webhook_read_file(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *value);
/* Whether name and options are right; logs with the directive's place. */
ngx_int_t ngx_wacrm_webhook_check_scheme(ngx_conf_t *cf,
    ngx_wacrm_signature_t *signature);
/* The scheme of a location, with its secrets and the headers to keep. */
ngx_int_t ngx_wacrm_webhook_build(ngx_conf_t *cf,
    ngx_wacrm_webhook_loc_conf_t *conf);


/* ngx_wacrm_webhook_handler.c */

ngx_int_t ngx_wacrm_webhook_handler(ngx_http_request_t *r);
/* NULL without memory. */
ngx_wacrm_webhook_ctx_t *ngx_wacrm_webhook_create_ctx(ngx_http_request_t *r);


/* ngx_wacrm_webhook_body.c */

/* One copy of all buffers, and of the file, in r->pool; through verify too. */
ngx_int_t ngx_wacrm_webhook_copy_body(ngx_http_request_t *r,
    sig_verify_t *verify, ngx_str_t *body);


/* ngx_wacrm_webhook_method.c */

/* Answers what is no POST: by the handshake, with 404 or 405. */
ngx_int_t ngx_wacrm_webhook_method(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf);
/* 200, or with what a request of this method is refused: 404, 405. */
ngx_uint_t ngx_wacrm_webhook_method_status(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf);
/* Adds the header Allow. */
ngx_int_t ngx_wacrm_webhook_allow(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf);


/* ngx_wacrm_webhook_answer.c: results are for ngx_http_finalize_request() */

/* Answers; body NULL: that of the result. It has been counted already. */
ngx_int_t ngx_wacrm_webhook_answer(ngx_http_request_t *r,
    ngx_wacrm_event_e result, ngx_str_t *body);
/* Counts and answers. */
ngx_int_t ngx_wacrm_webhook_refuse(ngx_http_request_t *r,
    ngx_wacrm_event_e result);
/* The same for a failed signature, which counts against the rate limits. */
ngx_int_t ngx_wacrm_webhook_not_signed(ngx_http_request_t *r,
    sig_result_t result);
/* The line of the log that every refusal has. */
void ngx_wacrm_webhook_log(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf, ngx_uint_t status, char *reason);


/* ngx_wacrm_webhook_query.c */

/* Answers the GET of the handshake. */
ngx_int_t ngx_wacrm_webhook_challenge(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf);
/* Preaccess phase: takes the secret of the query into ctx, and blanks it. */
ngx_int_t ngx_wacrm_webhook_preaccess_handler(ngx_http_request_t *r);
/*
 * Blanks secrets in the request itself: they go neither into the spool nor
 * into a log, of which every line has the request line.
 */
void ngx_wacrm_webhook_mask(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf);


/* ngx_wacrm_webhook_filter.c */

void ngx_wacrm_webhook_filter_init(void);


#endif /* _NGX_WACRM_WEBHOOK_H_INCLUDED_ */
