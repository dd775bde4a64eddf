/*
 * ngx_wacrm_file.c - small files that a directive names: secrets and keys.
 */

#include "ngx_wacrm.h"


static ngx_int_t ngx_wacrm_read_open_file(ngx_conf_t *cf, ngx_pool_t *pool,
    ngx_file_t *file, size_t max, ngx_str_t *text);


ngx_int_t
ngx_wacrm_read_file(ngx_conf_t *cf, ngx_pool_t *pool, ngx_str_t *name,
    size_t max, ngx_str_t *text)
{
    ngx_int_t   rc;
    ngx_file_t  file;

    ngx_memzero(&file, sizeof(ngx_file_t));
    file.name = *name;
    file.log = cf->log;

    /* a FIFO must not stop nginx */

    file.fd = ngx_open_file(name->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                            NGX_FILE_OPEN, 0);
    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    rc = ngx_wacrm_read_open_file(cf, pool, &file, max, text);

    if (ngx_close_file(file.fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    return rc;
}


static ngx_int_t
ngx_wacrm_read_open_file(ngx_conf_t *cf, ngx_pool_t *pool, ngx_file_t *file,
    size_t max, ngx_str_t *text)
{
    size_t            size;
    ssize_t           n;
    ngx_file_info_t   fi;

    if (ngx_fd_info(file->fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", &file->name);
        return NGX_ERROR;
    }

    if (!ngx_is_file(&fi) || ngx_file_size(&fi) > (off_t) max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is not a file of up to %uz bytes",
                           &file->name, max);
        return NGX_ERROR;
    }

    size = ngx_file_size(&fi);

    text->data = ngx_pnalloc(pool, size + 1);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    n = ngx_read_file(file, text->data, size, 0);

    if (n == NGX_ERROR || (size_t) n != size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, n == NGX_ERROR ? ngx_errno : 0,
                           ngx_read_file_n " \"%V\" gave %z of %uz bytes",
                           &file->name, n, size);
        return NGX_ERROR;
    }

    text->len = size;

    return NGX_OK;
}
