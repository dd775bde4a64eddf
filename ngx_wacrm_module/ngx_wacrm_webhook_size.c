/*
 * ngx_wacrm_webhook_size.c - where client_max_body_size stands.
 *
 * A webhook takes bodies up to 16m unless client_max_body_size says otherwise,
 * but after the merge nobody can tell nginx's default from an explicit 1m. So
 * while the http block is parsed, that directive tells us where it stood.
 */

#include "ngx_wacrm_webhook.h"


static char *ngx_wacrm_webhook_body_size(ngx_conf_t *cf, void *post,
    void *data);
static void ngx_wacrm_webhook_restore(void *data);


static ngx_conf_post_t  ngx_wacrm_webhook_body_size_post = {
    ngx_wacrm_webhook_body_size
};


ngx_int_t
ngx_wacrm_webhook_watch_size(ngx_conf_t *cf)
{
    ngx_command_t                  *cmd;
    ngx_pool_cleanup_t             *cln;
    ngx_wacrm_webhook_main_conf_t  *wmcf;

    wmcf = ngx_http_conf_get_module_main_conf(cf, ngx_wacrm_webhook_module);

    for (cmd = ngx_http_core_module.commands; cmd->name.len; cmd++) {

        if (ngx_strcmp(cmd->name.data, "client_max_body_size") == 0
            && cmd->post == NULL)
        {
            break;
        }
    }

    if (cmd->name.len == 0) {
        return NGX_OK;
    }

    /* also when the parser fails: this module may not be there next time */

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_wacrm_webhook_restore;
    cln->data = cmd;

    cmd->post = &ngx_wacrm_webhook_body_size_post;
    wmcf->body_size = cmd;

    return NGX_OK;
}


static char *
ngx_wacrm_webhook_body_size(ngx_conf_t *cf, void *post, void *data)
{
    off_t *size = data;

    ngx_wacrm_webhook_loc_conf_t  *wlcf;

    wlcf = ngx_http_conf_get_module_loc_conf(cf, ngx_wacrm_webhook_module);
    wlcf->max_body = *size;

    return NGX_CONF_OK;
}


static void
ngx_wacrm_webhook_restore(void *data)
{
    ngx_command_t  *cmd = data;

    if (cmd->post == &ngx_wacrm_webhook_body_size_post) {
        cmd->post = NULL;
    }
}


void
ngx_wacrm_webhook_unwatch_size(ngx_wacrm_webhook_main_conf_t *wmcf)
{
    if (wmcf->body_size) {
        ngx_wacrm_webhook_restore(wmcf->body_size);
    }
}
