/*
 * ngx_wacrm_conf.h - main configuration of ngx_wacrm_module, its processes, and
 * answers that are not JSON.
 */

#ifndef _NGX_WACRM_CONF_H_INCLUDED_
#define _NGX_WACRM_CONF_H_INCLUDED_


#include "ngx_wacrm.h"


typedef struct ngx_wacrm_counters_s  ngx_wacrm_counters_t;


/* Names of this configuration; slot says where in shared memory they count. */

typedef struct {
    ngx_str_t              name;
    ngx_uint_t             slot;
} ngx_wacrm_name_t;


typedef struct {
    ngx_shm_zone_t        *zone;
    ngx_wacrm_counters_t  *counters;
    ngx_array_t            sources;    /* of ngx_wacrm_name_t */
    ngx_array_t            zones;      /* of ngx_wacrm_name_t */
} ngx_wacrm_metrics_t;


typedef struct {
    ngx_str_t              path;       /* terminated */
    off_t                  size;
    ngx_str_t              notify;     /* terminated; without "unix:" */
    ngx_uint_t             unrevoked;  /* nobody tells of revoked tokens */
    ngx_wacrm_metrics_t    metrics;
} ngx_wacrm_main_conf_t;


ngx_int_t ngx_wacrm_metrics_init(ngx_conf_t *cf, ngx_wacrm_metrics_t *metrics);

/* Content handler of wacrm_metrics. */
ngx_int_t ngx_wacrm_metrics_handler(ngx_http_request_t *r);

/* Opens the spool in a worker; one that cannot be opened is tried again. */
ngx_int_t ngx_wacrm_init_process(ngx_cycle_t *cycle);
void ngx_wacrm_exit_process(ngx_cycle_t *cycle);

/* 1 where an event would not be stored now: no spool, or no room in it. */
ngx_uint_t ngx_wacrm_spool_refuses(void);

/* 405 where only GET and HEAD are allowed. */
ngx_int_t ngx_wacrm_refuse_method(ngx_http_request_t *r);

/* As ngx_wacrm_send_json(), of any type. */
ngx_int_t ngx_wacrm_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, ngx_str_t *body);


extern ngx_module_t  ngx_wacrm_module;


#endif /* _NGX_WACRM_CONF_H_INCLUDED_ */
