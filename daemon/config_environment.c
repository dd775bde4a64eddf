/* What the environment says of a configuration: WACRM_*, WHATSAPP_*. */
#include "config_reading.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config_value.h"

static void upper(char *text)
{
    for (; *text; text++) {
        *text = *text == '-' ? '_' : (char)toupper((unsigned char)*text);
    }
}

static void from_variable(config_reading_t *r, const char *variable,
                          const option_t *o, void *base)
{
    const char *value = getenv(variable);
    char reason[CONFIG_REASON_MAX];

    if (!value || !*value || r->failed) {
        return;
    }
    if (!config_value_set(o, base, value, r->c->memory, reason)) {
        r->failed = true;
        (void)snprintf(r->error, r->size, "environment: %s: %s", variable,
                       reason);
    }
}

/* WACRM_LOG_LEVEL, WACRM_OUTBOX_TRIES, WACRM_GATEWAY_MAIN_TOKEN. */
static void read_own(config_reading_t *r)
{
    for (size_t i = 0; i < config_noptions; i++) {
        const option_t *o = &config_options[i];
        bool main = strcmp(o->section, "wacrmd") == 0;
        char name[128];

        if (strcmp(o->section, "gateway") != 0) {
            (void)snprintf(name, sizeof(name), "WACRM_%s%s%s",
                           main ? "" : o->section, main ? "" : "_", o->key);
            upper(name);
            from_variable(r, name, o, r->c);
            continue;
        }
        for (size_t g = 0; g < r->c->ngateways; g++) {
            (void)snprintf(name, sizeof(name), "WACRM_GATEWAY_%s_%s",
                           r->c->gateways[g].name, o->key);
            upper(name);
            from_variable(r, name, o, &r->c->gateways[g]);
        }
    }
}

/* The names of the app whose place wacrm takes. */
static void read_old(config_reading_t *r)
{
    config_t *c = r->c;
    const char *url = getenv("WHATSAPP_API_URL");
    int g;
    size_t i;

    if (c->ngateways == 0 && url && *url) {
        config_begin_gateway(r, "main");
    }
    if (r->failed) {
        return;
    }
    from_variable(r, "WHATSAPP_SESSION_ID",
                  config_option("organisation", "default_session", &i), c);
    g = c->domain.default_account ? config_gateway(c, c->domain.default_account)
                                  : 0;
    if (c->ngateways == 0 || g < 0) {
        return;
    }
    from_variable(r, "WHATSAPP_API_URL",
                  config_option("gateway", "base_url", &i), &c->gateways[g]);
    from_variable(r, "WHATSAPP_API_TOKEN",
                  config_option("gateway", "token", &i), &c->gateways[g]);
}

void config_read_environment(config_reading_t *r)
{
    read_own(r);
    if (!r->failed) {
        read_old(r);
    }
}
