/*
 * ngx_wacrm_refuse.c - how a phase handler refuses a request.
 */

#include "ngx_wacrm.h"


static ngx_uint_t ngx_wacrm_has_error_page(ngx_http_request_t *r,
    ngx_http_core_loc_conf_t *clcf, ngx_uint_t status);


ngx_int_t
ngx_wacrm_refuse(ngx_http_request_t *r, ngx_uint_t status, ngx_str_t *body)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    /* with "satisfy any" the next module may still let it pass */

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY
        && (status == NGX_HTTP_UNAUTHORIZED || status == NGX_HTTP_FORBIDDEN))
    {
        return status;
    }

    if (ngx_wacrm_has_error_page(r, clcf, status)) {
        return status;
    }

    ngx_http_finalize_request(r, ngx_wacrm_send_json(r, status, body));

    return NGX_DONE;
}


static ngx_uint_t
ngx_wacrm_has_error_page(ngx_http_request_t *r,
    ngx_http_core_loc_conf_t *clcf, ngx_uint_t status)
{
    ngx_uint_t            i;
    ngx_http_err_page_t  *page;

    if (clcf->error_pages == NULL || r->error_page) {
        return 0;
    }

    page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (page[i].status == (ngx_int_t) status) {
            return 1;
        }
    }

    return 0;
}
