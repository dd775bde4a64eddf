/*
 * ngx_wacrm_rate.h - what the files of ngx_wacrm_rate_module share.
 *
 * ngx_wacrm_rate_zone.c: wacrm_rate_zone and the shared tables;
 * ngx_wacrm_rate_module.c: wacrm_rate; ngx_wacrm_rate_take.c: one request, its
 * limits and its headers; ngx_wacrm_rate_client.c: whose request it is.
 */

#ifndef _NGX_WACRM_RATE_H_INCLUDED_
#define _NGX_WACRM_RATE_H_INCLUDED_


#include "ngx_wacrm.h"

#include "edge/gcra.h"


typedef struct {
    gcra_table_t               *table;
    gcra_rate_t                 rate;
    ngx_str_t                   name;
    ngx_http_complex_value_t    key;
    ngx_uint_t                  metric;
} ngx_wacrm_rate_zone_t;


typedef struct {
    ngx_shm_zone_t             *shm_zone;
    ngx_str_t                   body;       /* of the 429 */
    ngx_uint_t                  dry_run;    /* unsigned  dry_run:1 */
} ngx_wacrm_rate_limit_t;


typedef struct {
    ngx_array_t                *limits;     /* ngx_wacrm_rate_limit_t */
} ngx_wacrm_rate_loc_conf_t;


extern ngx_module_t  ngx_wacrm_rate_module;


/* The setter of wacrm_rate_zone. */
char *ngx_wacrm_rate_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* Preaccess phase; a webhook asks by itself, after a wrong signature. */
ngx_int_t ngx_wacrm_rate_handler(ngx_http_request_t *r);

/* Preconfiguration: $wacrm_rate_status, and by the second $wacrm_client_net. */
ngx_int_t ngx_wacrm_rate_add_variables(ngx_conf_t *cf);
ngx_int_t ngx_wacrm_rate_add_client(ngx_conf_t *cf);


#endif /* _NGX_WACRM_RATE_H_INCLUDED_ */
