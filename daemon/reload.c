/*
 * reload.c - SIGHUP.
 */
#include "reload.h"

#include <stdlib.h>
#include <string.h>

#include "config_value.h"

struct config_age_s {
    config_age_t *older;
    config_t config;
};

static config_age_t *load(const char *path, char *error, size_t size)
{
    config_age_t *age = calloc(1, sizeof(*age));

    if (age && config_load(&age->config, path, error, size)) {
        return age;
    }
    free(age);
    return NULL;
}

bool reload_first(reload_t *r, const char *path, char *error, size_t size)
{
    r->path = path;
    r->now = r->first = load(path, error, size);
    return r->now != NULL;
}

const config_t *reload_config(const reload_t *r)
{
    return &r->first->config;
}

/* ---- what changed ---- */

static void tell(const option_t *o, const char *where)
{
    if (o->live) {
        log_info("main", "msg=\"option changed\" section=%s key=%s",
                 log_str(where), o->key);
    } else {
        log_warn("main", "msg=\"option needs a restart\" section=%s key=%s",
                 log_str(where), o->key);
    }
}

static void compare_gateways(const config_t *a, const config_t *b)
{
    bool same = a->ngateways == b->ngateways;

    for (size_t g = 0; same && g < a->ngateways; g++) {
        same = strcmp(a->gateways[g].name, b->gateways[g].name) == 0;
    }
    if (!same) {
        log_warn("main", "msg=\"the gateways need a restart\"");
        return;
    }
    for (size_t g = 0; g < a->ngateways; g++) {
        for (size_t i = 0; i < config_noptions; i++) {
            const option_t *o = &config_options[i];

            if (strcmp(o->section, "gateway") == 0 &&
                !config_value_same(o, &a->gateways[g], &b->gateways[g])) {
                tell(o, a->gateways[g].name);
            }
        }
    }
}

static void compare(const config_t *a, const config_t *b)
{
    for (size_t i = 0; i < config_noptions; i++) {
        const option_t *o = &config_options[i];

        if (strcmp(o->section, "gateway") != 0 && !config_value_same(o, a, b)) {
            tell(o, o->section);
        }
    }
    compare_gateways(a, b);
    if (a->jwt_secret_len != b->jwt_secret_len ||
        memcmp(a->jwt_secret, b->jwt_secret, a->jwt_secret_len) != 0) {
        log_warn("main", "msg=\"the JWT secret needs a restart\"");
    }
}

/* ---- taking over ---- */

/* Under the writer's lock: no transaction sees half of them. Others read one
 * field at a time. */
static int take_over(db_t *db, void *arg)
{
    void **pair = arg;
    domain_settings_t *to = pair[0];
    const domain_settings_t *from = pair[1];

    (void)db;
#define TAKE(field) __atomic_store_n(&to->field, from->field, __ATOMIC_RELAXED)
    TAKE(vip_amount);
    TAKE(major_amount);
    TAKE(mid_amount);
    TAKE(lapse_days);
    TAKE(welcome);
    TAKE(welcome_text);
    TAKE(welcome_per_minute);
    TAKE(raw_retention_days);
#undef TAKE
    return WERR_OK;
}

void reload_again(reload_t *r, domain_t *domain)
{
    char error[600];
    config_age_t *age = load(r->path, error, sizeof(error));
    void *pair[2];

    if (!age) {
        log_error("main", "msg=\"configuration not reloaded\" error=%s",
                  log_str(error));
        return;
    }
    compare(&r->now->config, &age->config);
    pair[0] = &domain->settings;
    pair[1] = &age->config.domain;
    if (store_write(domain->store, take_over, pair) < 0) {
        log_error("main", "msg=\"settings not taken over\"");
    }
    log_setup(age->config.log_level, 2);
    age->older = r->now;
    r->now = age;
    log_info("main", "msg=\"configuration reloaded\"");
}

void reload_free(reload_t *r)
{
    while (r->now) {
        config_age_t *age = r->now;

        r->now = age->older;
        config_free(&age->config);
        free(age);
    }
    r->first = NULL;
}
