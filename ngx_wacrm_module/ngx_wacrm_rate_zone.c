/*
 * ngx_wacrm_rate_zone.c - wacrm_rate_zone, and its table in shared memory.
 */

#include "ngx_wacrm_rate.h"


/* What a zone keeps in shared memory beside its table. */

typedef struct {
    void                       *memory;
    size_t                      size;
} ngx_wacrm_rate_shctx_t;


static char *ngx_wacrm_rate_zone_options(ngx_conf_t *cf,
    ngx_wacrm_rate_zone_t *zone, ssize_t *size);
static char *ngx_wacrm_rate_zone_name(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *name, ssize_t *size);
static ngx_int_t ngx_wacrm_rate_check_size(ngx_conf_t *cf, ngx_str_t *name,
    ssize_t size);
static ngx_int_t ngx_wacrm_rate_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_wacrm_rate_keep_zone(ngx_shm_zone_t *shm_zone,
    ngx_wacrm_rate_zone_t *zone, ngx_wacrm_rate_zone_t *ozone);
static ngx_wacrm_rate_shctx_t *ngx_wacrm_rate_create_shctx(
    ngx_shm_zone_t *shm_zone, ngx_slab_pool_t *shpool);


char *
ngx_wacrm_rate_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ssize_t                            size;
    ngx_str_t                         *value;
    ngx_shm_zone_t                    *shm_zone;
    ngx_wacrm_rate_zone_t             *zone;
    ngx_http_compile_complex_value_t   ccv;

    value = cf->args->elts;

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_wacrm_rate_zone_t));
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = &zone->key;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    size = 0;

    if (ngx_wacrm_rate_zone_options(cf, zone, &size) != NGX_CONF_OK
        || ngx_wacrm_rate_check_size(cf, &zone->name, size) != NGX_OK
        || ngx_wacrm_metrics_add(cf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    zone->metric = ngx_wacrm_metrics_zone(cf, &zone->name);

    shm_zone = ngx_shared_memory_add(cf, &zone->name, size,
                                     &ngx_wacrm_rate_module);
    if (shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (shm_zone->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "wacrm_rate_zone \"%V\" is duplicate",
                           &zone->name);
        return NGX_CONF_ERROR;
    }

    shm_zone->init = ngx_wacrm_rate_init_zone;
    shm_zone->data = zone;

    return NGX_CONF_OK;
}


static char *
ngx_wacrm_rate_zone_options(ngx_conf_t *cf, ngx_wacrm_rate_zone_t *zone,
    ssize_t *size)
{
    ngx_int_t    burst;
    ngx_str_t   *value, *rate;
    ngx_uint_t   i;

    value = cf->args->elts;
    burst = 0;
    rate = NULL;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "zone=", 5) == 0 && *size == 0) {

            if (ngx_wacrm_rate_zone_name(cf, &value[i], &zone->name, size)
                != NGX_CONF_OK)
            {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "rate=", 5) == 0 && rate == NULL) {
            rate = &value[i];
            continue;
        }

        if (ngx_strncmp(value[i].data, "burst=", 6) == 0 && burst == 0) {
            burst = ngx_atoi(value[i].data + 6, value[i].len - 6);

            if (burst > 0 && burst <= NGX_MAX_INT32_VALUE) {
                continue;
            }
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    if (*size == 0 || rate == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have \"zone\" and \"rate\" parameters",
                           &value[0]);
        return NGX_CONF_ERROR;
    }

    if (!gcra_rate_parse((char *) rate->data + 5, rate->len - 5, burst,
                         &zone->rate))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid rate \"%V\"", rate);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_wacrm_rate_zone_name(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *name,
    ssize_t *size)
{
    u_char      *p;
    ngx_str_t    s;
    ngx_uint_t   i;

    name->data = value->data + 5;

    p = (u_char *) ngx_strchr(name->data, ':');

    if (p == NULL || p == name->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    name->len = p - name->data;

    /* stands in quotes in the headers */

    for (i = 0; i < name->len; i++) {
        if (name->data[i] <= 0x20 || name->data[i] >= 0x7f
            || name->data[i] == '"' || name->data[i] == '\\')
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid zone name \"%V\"", name);
            return NGX_CONF_ERROR;
        }
    }

    s.data = p + 1;
    s.len = value->data + value->len - s.data;

    *size = ngx_parse_size(&s);

    if (*size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    if (*size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small", value);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* nginx would start with an empty zone: all budgets would be forgotten */

static ngx_int_t
ngx_wacrm_rate_check_size(ngx_conf_t *cf, ngx_str_t *name, ssize_t size)
{
    ngx_uint_t        i;
    ngx_shm_zone_t   *zone;
    ngx_list_part_t  *part;

    for (part = &cf->cycle->old_cycle->shared_memory.part;
         part;
         part = part->next)
    {
        zone = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (zone[i].tag != &ngx_wacrm_rate_module
                || zone[i].shm.name.len != name->len
                || ngx_strncmp(zone[i].shm.name.data, name->data, name->len)
                   != 0
                || zone[i].shm.size == (size_t) size)
            {
                continue;
            }

            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the size %z of wacrm_rate_zone \"%V\" "
                               "conflicts with the present size %uz, "
                               "which takes a restart to change",
                               size, name, zone[i].shm.size);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_wacrm_rate_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_wacrm_rate_zone_t *ozone = data;

    ngx_slab_pool_t         *shpool;
    ngx_wacrm_rate_zone_t   *zone;
    ngx_wacrm_rate_shctx_t  *sh;

    zone = shm_zone->data;

    if (ozone) {
        return ngx_wacrm_rate_keep_zone(shm_zone, zone, ozone);
    }

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        sh = shpool->data;
        zone->table = gcra_table_attach(sh->memory, sh->size);

    } else {
        sh = ngx_wacrm_rate_create_shctx(shm_zone, shpool);
        if (sh == NULL) {
            return NGX_ERROR;
        }

        zone->table = gcra_table_init(sh->memory, sh->size);
    }

    return zone->table ? NGX_OK : NGX_ERROR;
}


/* The table of the configuration before, if it has the same key. */

static ngx_int_t
ngx_wacrm_rate_keep_zone(ngx_shm_zone_t *shm_zone,
    ngx_wacrm_rate_zone_t *zone, ngx_wacrm_rate_zone_t *ozone)
{
    if (zone->key.value.len != ozone->key.value.len
        || ngx_strncmp(zone->key.value.data, ozone->key.value.data,
                       zone->key.value.len)
           != 0)
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "wacrm_rate_zone \"%V\" uses the \"%V\" key "
                      "while previously it used the \"%V\" key",
                      &shm_zone->shm.name, &zone->key.value,
                      &ozone->key.value);
        return NGX_ERROR;
    }

    zone->table = ozone->table;

    return NGX_OK;
}


/* Memory for the table, of a zone that is new. */

static ngx_wacrm_rate_shctx_t *
ngx_wacrm_rate_create_shctx(ngx_shm_zone_t *shm_zone, ngx_slab_pool_t *shpool)
{
    size_t                   len;
    ngx_wacrm_rate_shctx_t  *sh;

    sh = ngx_slab_calloc(shpool, sizeof(ngx_wacrm_rate_shctx_t));
    if (sh == NULL) {
        return NULL;
    }

    shpool->data = sh;

    len = sizeof(" in wacrm_rate_zone \"\"") + shm_zone->shm.name.len;

    shpool->log_ctx = ngx_slab_alloc(shpool, len);
    if (shpool->log_ctx == NULL) {
        return NULL;
    }

    ngx_sprintf(shpool->log_ctx, " in wacrm_rate_zone \"%V\"%Z",
                &shm_zone->shm.name);

    /* all the rest; new memory is zeroed, writing to it would only fill it */

    sh->size = shpool->pfree * ngx_pagesize;
    sh->memory = ngx_slab_alloc(shpool, sh->size);
    if (sh->memory == NULL) {
        return NULL;
    }

#if (NGX_DEBUG_MALLOC)
    ngx_memzero(sh->memory, sh->size);
#endif

    return sh;
}
