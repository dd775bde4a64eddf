#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config_reading.h"
#include "config_value.h"

#define NAME_BYTES 40 /* of a gateway */

void config_fail(config_reading_t *r, int line, const char *format, ...)
{
    char reason[CONFIG_REASON_MAX + 100];
    va_list ap;

    if (r->failed) {
        return;
    }
    r->failed = true;
    va_start(ap, format);
    (void)vsnprintf(reason, sizeof(reason), format, ap);
    va_end(ap);
    if (line > 0) {
        (void)snprintf(r->error, r->size, "%s:%d: %s", r->path, line, reason);
    } else {
        (void)snprintf(r->error, r->size, "%s: %s", r->path, reason);
    }
}

const option_t *config_option(const char *section, const char *key,
                              size_t *index)
{
    for (size_t i = 0; i < config_noptions; i++) {
        if (strcmp(config_options[i].section, section) == 0 &&
            strcmp(config_options[i].key, key) == 0) {
            *index = i;
            return &config_options[i];
        }
    }
    return NULL;
}

int config_gateway(const config_t *c, const char *name)
{
    for (size_t i = 0; i < c->ngateways; i++) {
        if (strcmp(c->gateways[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void set_fallbacks(config_reading_t *r, bool gateway, void *base)
{
    char reason[CONFIG_REASON_MAX];

    for (size_t i = 0; i < config_noptions; i++) {
        const option_t *o = &config_options[i];

        if ((strcmp(o->section, "gateway") == 0) != gateway || !o->fallback) {
            continue;
        }
        /* paths below the state directory come last */
        if (o->fallback[0] != '{' &&
            !config_value_set(o, base, o->fallback, r->c->memory, reason)) {
            config_fail(r, 0, "%s: default: %s", o->key, reason);
        }
    }
}

static bool good_name(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n <= NAME_BYTES &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789_-") == n;
}

void config_begin_gateway(config_reading_t *r, const char *name)
{
    config_t *c = r->c;
    gateway_account_t *a = &c->gateways[c->ngateways];

    if (!good_name(name)) {
        config_fail(
            r, r->line,
            "the name of a gateway is up to %d letters, digits, - and _",
            NAME_BYTES);
        return;
    }
    if (config_gateway(c, name) >= 0) {
        config_fail(r, r->line, "[gateway %s] is there already", name);
        return;
    }
    if (c->ngateways == CONFIG_GATEWAYS_MAX) {
        config_fail(r, r->line, "more than %d gateways", CONFIG_GATEWAYS_MAX);
        return;
    }
    *a = (gateway_account_t){0};
    a->name = config_memory_text(c->memory, name, strlen(name));
    if (!a->name) {
        config_fail(r, r->line, "out of memory");
        return;
    }
    set_fallbacks(r, true, a);
    r->gateway = (int)c->ngateways++;
    r->gateway_at[r->gateway] = r->line;
}

bool config_load(config_t *c, const char *path, char *error, size_t size)
{
    config_reading_t r = {
        .c = c, .path = path, .error = error, .size = size, .gateway = -1};

    *c = (config_t){.memory = config_memory_new()};
    if (!c->memory) {
        (void)snprintf(error, size, "out of memory");
        return false;
    }
    set_fallbacks(&r, false, c);
    if (!r.failed) {
        config_read_file(&r);
    }
    if (!r.failed) {
        config_read_environment(&r);
    }
    if (!r.failed) {
        config_settle(&r);
    }
    if (r.failed) {
        config_free(c);
    }
    return !r.failed;
}

void config_free(config_t *c)
{
    config_memory_free(c->memory);
    *c = (config_t){0};
}
