/*
 * ngx_wacrm_metrics.h - the counters in shared memory; for
 * ngx_wacrm_metrics.c, which counts, and ngx_wacrm_metrics_text.c, which tells.
 */

#ifndef _NGX_WACRM_METRICS_H_INCLUDED_
#define _NGX_WACRM_METRICS_H_INCLUDED_


#include "ngx_wacrm_conf.h"


#define NGX_WACRM_METRICS_NAMES    64
#define NGX_WACRM_METRICS_NAME     64
#define NGX_WACRM_METRICS_BUCKETS  12


typedef struct {
    ngx_uint_t       len;         /* 0: free */
    u_char           name[NGX_WACRM_METRICS_NAME];
    ngx_atomic_t     count[NGX_WACRM_EVENT_RESULTS];
} ngx_wacrm_source_counters_t;


typedef struct {
    ngx_uint_t       len;
    u_char           name[NGX_WACRM_METRICS_NAME];
    ngx_atomic_t     count[NGX_WACRM_RATE_RESULTS];
} ngx_wacrm_zone_counters_t;


typedef struct {
    ngx_atomic_t     bucket[NGX_WACRM_METRICS_BUCKETS + 1];
    ngx_atomic_t     sum;
} ngx_wacrm_histogram_t;


struct ngx_wacrm_counters_s {
    ngx_wacrm_source_counters_t  sources[NGX_WACRM_METRICS_NAMES];
    ngx_wacrm_zone_counters_t    zones[NGX_WACRM_METRICS_NAMES];
    ngx_atomic_t                 jwt[NGX_WACRM_JWT_RESULTS];
    ngx_atomic_t                 jwt_cache[2];  /* misses, hits */
    ngx_wacrm_histogram_t        batch;
    ngx_wacrm_histogram_t        commit;
    ngx_atomic_t                 bytes;
};


typedef struct {
    ngx_uint_t       limit;
    char            *label;
} ngx_wacrm_bucket_t;


/* Of the running configuration; NULL where nothing is counted. */
ngx_wacrm_metrics_t *ngx_wacrm_metrics_get(void);


extern ngx_wacrm_bucket_t  ngx_wacrm_batch_bounds[];
extern ngx_wacrm_bucket_t  ngx_wacrm_commit_bounds[];


#endif /* _NGX_WACRM_METRICS_H_INCLUDED_ */
