/*
 * ngx_wacrm_log_module.c - wacrm_log_mask: what the error log tells of a
 * request.
 *
 * nginx ends each line that concerns a request with its request line, and with
 * the address asked of the upstream. While the upstream is away that is one
 * line for each search, with what was searched for, and for each donor looked
 * at, with their number.
 */

#include "ngx_wacrm.h"


/* From so many digits on it may be a phone number; the last ones are left. */
#define NGX_WACRM_LOG_PHONE  7
#define NGX_WACRM_LOG_TOLD   3


typedef struct {
    ngx_flag_t  mask;
} ngx_wacrm_log_srv_conf_t;


static ngx_int_t ngx_wacrm_log_post_read_handler(ngx_http_request_t *r);
static u_char *ngx_wacrm_log_request(ngx_http_request_t *r,
    ngx_http_request_t *sr, u_char *buf, size_t len);
static u_char *ngx_wacrm_log_path(u_char *buf, size_t len, ngx_str_t *uri);
static size_t ngx_wacrm_log_run(u_char *p, u_char *last, ngx_uint_t *digits);
static size_t ngx_wacrm_log_unit(u_char *p, u_char *last, ngx_uint_t *digit);
static void *ngx_wacrm_log_create_srv_conf(ngx_conf_t *cf);
static char *ngx_wacrm_log_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_wacrm_log_init(ngx_conf_t *cf);


static ngx_command_t  ngx_wacrm_log_commands[] = {

    { ngx_string("wacrm_log_mask"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_wacrm_log_srv_conf_t, mask),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_wacrm_log_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_wacrm_log_init,                    /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_wacrm_log_create_srv_conf,         /* create server configuration */
    ngx_wacrm_log_merge_srv_conf,          /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_wacrm_log_module = {
    NGX_MODULE_V1,
    &ngx_wacrm_log_module_ctx,             /* module context */
    ngx_wacrm_log_commands,                /* module directives */
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


/* Subrequests take the handler over from their parent. */

static ngx_int_t
ngx_wacrm_log_post_read_handler(ngx_http_request_t *r)
{
    ngx_wacrm_log_srv_conf_t  *lscf;

    lscf = ngx_http_get_module_srv_conf(r, ngx_wacrm_log_module);

    if (lscf->mask) {
        r->log_handler = ngx_wacrm_log_request;
    }

    return NGX_DECLINED;
}


/* In place of nginx's own: without query, upstream's path and referrer. */

static u_char *
ngx_wacrm_log_request(ngx_http_request_t *r, ngx_http_request_t *sr,
    u_char *buf, size_t len)
{
    u_char                    *p, *last;
    ngx_http_upstream_t       *u;
    ngx_http_core_srv_conf_t  *cscf;

    last = buf + len;
    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    p = ngx_slprintf(buf, last, ", server: %V, request: \"%V ",
                     &cscf->server_name, &r->method_name);
    p = ngx_wacrm_log_path(p, last - p, &r->unparsed_uri);
    p = ngx_slprintf(p, last, " %V\"", &r->http_protocol);

    if (r != sr) {
        p = ngx_slprintf(p, last, ", subrequest: \"");
        p = ngx_wacrm_log_path(p, last - p, &sr->uri);
        p = ngx_slprintf(p, last, "\"");
    }

    u = sr->upstream;

    if (u && u->peer.name) {
        p = ngx_slprintf(p, last, ", upstream: \"%V%V\"",
                         &u->schema, u->peer.name);
    }

    if (r->headers_in.host) {
        p = ngx_slprintf(p, last, ", host: \"%V\"",
                         &r->headers_in.host->value);
    }

    return p;
}


/* Up to the query, digits masked where they are many. */

static u_char *
ngx_wacrm_log_path(u_char *buf, size_t len, ngx_str_t *uri)
{
    size_t       n;
    u_char      *p, *end, *run, *last;
    ngx_uint_t   digits, digit, nth;

    last = buf + len;
    end = uri->data + uri->len;

    for (p = uri->data; p < end && *p != '?'; /* void */ ) {
        run = p + ngx_wacrm_log_run(p, end, &digits);

        if (run == p) {
            run++;
        }

        for (nth = 0; p < run && buf < last; p += n) {
            n = ngx_wacrm_log_unit(p, run, &digit);

            if (digits >= NGX_WACRM_LOG_PHONE
                && digit
                && nth++ < digits - NGX_WACRM_LOG_TOLD)
            {
                *buf++ = '*';
                continue;
            }

            n = ngx_max(n, 1);
            buf = ngx_cpymem(buf, p, ngx_min(n, (size_t) (last - buf)));
        }

        p = run;
    }

    return buf;
}


/* The length of digits and what people write between them. */

static size_t
ngx_wacrm_log_run(u_char *p, u_char *last, ngx_uint_t *digits)
{
    size_t       n;
    u_char      *start;
    ngx_uint_t   digit;

    start = p;

    for (*digits = 0; p < last; p += n) {
        n = ngx_wacrm_log_unit(p, last, &digit);
        if (n == 0) {
            break;
        }

        *digits += digit;
    }

    return p - start;
}


/*
 * The length of one digit or of what may stand between two, 0 for anything
 * else.  As sent whatever is unusual is escaped, and a digit may be; of a
 * subrequest all is decoded: a no-break space, a blank.
 */

static size_t
ngx_wacrm_log_unit(u_char *p, u_char *last, ngx_uint_t *digit)
{
    ngx_int_t  c;

    *digit = 0;

    if (*p == '%' && last - p >= 3) {
        c = ngx_hextoi(p + 1, 2);

        if (c != NGX_ERROR) {
            *digit = (c >= '0' && c <= '9');
            return 3;
        }
    }

    if (*p >= '0' && *p <= '9') {
        *digit = 1;
        return 1;
    }

    if (*p >= 0x80) {
        return 1;
    }

    switch (*p) {

    case ' ':
    case '%':
    case '(':
    case ')':
    case '+':
    case '-':
    case '.':
        return 1;

    default:
        return 0;
    }
}


static void *
ngx_wacrm_log_create_srv_conf(ngx_conf_t *cf)
{
    ngx_wacrm_log_srv_conf_t  *lscf;

    lscf = ngx_palloc(cf->pool, sizeof(ngx_wacrm_log_srv_conf_t));
    if (lscf == NULL) {
        return NULL;
    }

    lscf->mask = NGX_CONF_UNSET;

    return lscf;
}


static char *
ngx_wacrm_log_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_wacrm_log_srv_conf_t *prev = parent;
    ngx_wacrm_log_srv_conf_t *conf = child;

    ngx_conf_merge_value(conf->mask, prev->mask, 0);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_wacrm_log_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_wacrm_log_post_read_handler;

    return NGX_OK;
}
