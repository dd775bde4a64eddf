/*
 * ngx_wacrm_jwt_keys.c - the directive wacrm_jwt_key_file.
 */

#include "ngx_wacrm_jwt.h"


#define NGX_WACRM_JWT_MAX_KEY_FILE  (256 * 1024)


typedef struct {
    ngx_str_t       name;
    jwt_gate_alg_t  alg;
} ngx_wacrm_jwt_file_t;


static char *ngx_wacrm_jwt_add_key_file(ngx_conf_t *cf,
    ngx_wacrm_jwt_loc_conf_t *jlcf, ngx_wacrm_jwt_file_t *file);
static void ngx_wacrm_jwt_cleanup_keys(void *data);


char *
ngx_wacrm_jwt_key_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wacrm_jwt_loc_conf_t *jlcf = conf;

    ngx_str_t             *value;
    ngx_uint_t             i;
    ngx_wacrm_jwt_file_t   file, *files;

    value = cf->args->elts;

    if (ngx_strncmp(value[2].data, "alg=", 4) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    if (!jwt_gate_alg_parse((char *) value[2].data + 4, value[2].len - 4,
                            &file.alg))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown algorithm in \"%V\", it must be one of "
                           "HS256, HS384, HS512, RS256, RS384, RS512, ES256, "
                           "ES384, ES512", &value[2]);
        return NGX_CONF_ERROR;
    }

    file.name = value[1];

    if (file.name.len == 0) {
        return "has an empty path";
    }

    if (ngx_conf_full_name(cf->cycle, &file.name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (jlcf->files == NULL) {
        jlcf->files = ngx_array_create(cf->temp_pool, 4,
                                       sizeof(ngx_wacrm_jwt_file_t));
        if (jlcf->files == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    files = jlcf->files->elts;

    for (i = 0; i < jlcf->files->nelts; i++) {
        if (files[i].alg == file.alg
            && files[i].name.len == file.name.len
            && ngx_strncmp(files[i].name.data, file.name.data, file.name.len)
               == 0)
        {
            return "is duplicate";
        }
    }

    return ngx_wacrm_jwt_add_key_file(cf, jlcf, &file);
}


static char *
ngx_wacrm_jwt_add_key_file(ngx_conf_t *cf, ngx_wacrm_jwt_loc_conf_t *jlcf,
    ngx_wacrm_jwt_file_t *file)
{
    int                    rc;
    char                   error[JWT_GATE_ERROR_MAX];
    ngx_str_t              text;
    ngx_pool_cleanup_t    *cln;
    ngx_wacrm_jwt_file_t  *files;

    files = ngx_array_push(jlcf->files);
    if (files == NULL) {
        return NGX_CONF_ERROR;
    }

    *files = *file;

    if (jlcf->keys == NULL) {
        cln = ngx_pool_cleanup_add(cf->pool, 0);
        if (cln == NULL) {
            return NGX_CONF_ERROR;
        }

        if (jwt_keyset_new(&jlcf->keys) != 0) {
            return NGX_CONF_ERROR;
        }

        cln->handler = ngx_wacrm_jwt_cleanup_keys;
        cln->data = jlcf->keys;
    }

    if (ngx_wacrm_read_file(cf, cf->temp_pool, &file->name,
                            NGX_WACRM_JWT_MAX_KEY_FILE, &text)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rc = jwt_keyset_add(jlcf->keys, file->alg, text.data, text.len, error);

    ngx_explicit_memzero(text.data, text.len);

    if (rc != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "key file \"%V\": %s",
                           &file->name, error);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void
ngx_wacrm_jwt_cleanup_keys(void *data)
{
    jwt_keyset_t *keys = data;

    jwt_keyset_free(&keys);
}
