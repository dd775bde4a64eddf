/*
 * ngx_wacrm_rate_client.c - $wacrm_client_net: whose requests count together
 * where nobody has signed in.
 *
 * One customer of an IPv6 provider has a /64 at least (RFC 6177, RFC 7421),
 * and so 2^64 addresses: what is counted by address is not counted at all.
 */

#include "ngx_wacrm_rate.h"


static ngx_int_t ngx_wacrm_rate_client_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_str_t  ngx_wacrm_rate_client_name = ngx_string("wacrm_client_net");


/* The value points into the address, which lives as long as the request. */

static ngx_int_t
ngx_wacrm_rate_client_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    v->valid = 1;
    v->no_cacheable = 1; /* realip may change it */
    v->not_found = 0;

    switch (r->connection->sockaddr->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) r->connection->sockaddr;
        v->data = sin6->sin6_addr.s6_addr;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            v->data += 12;
            v->len = 4;

        } else {
            v->len = 8;
        }

        break;
#endif

    case AF_INET:
        sin = (struct sockaddr_in *) r->connection->sockaddr;
        v->data = (u_char *) &sin->sin_addr;
        v->len = sizeof(in_addr_t);
        break;

    default: /* a unix socket: all of them one */
        v->data = r->connection->addr_text.data;
        v->len = r->connection->addr_text.len;
    }

    return NGX_OK;
}


ngx_int_t
ngx_wacrm_rate_add_client(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var;

    var = ngx_http_add_variable(cf, &ngx_wacrm_rate_client_name,
                                NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_wacrm_rate_client_variable;

    return NGX_OK;
}
