/* What of a configuration can be checked, or is known, only at the end. */
#include "config_reading.h"

#include <string.h>

#include "base/loopback.h"
#include "base/sniff.h"
#include "config_value.h"
#include "domain/media_url.h"
#include "realtime/sign.h"

#define SECRET_MIN     32
#define APP_SECRET_MIN 16
#define PREFIX_BYTES   100

static void expand_paths(config_reading_t *r)
{
    static const char mark[] = "{state_dir}";
    char path[4096], reason[CONFIG_REASON_MAX];

    for (size_t i = 0; i < config_noptions && !r->failed; i++) {
        const option_t *o = &config_options[i];
        const char **field = (const char **)((char *)r->c + o->offset);

        if (!o->fallback || strncmp(o->fallback, mark, strlen(mark)) != 0 ||
            *field) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s%s", r->c->state_dir,
                       o->fallback + strlen(mark));
        if (!config_value_set(o, r->c, path, r->c->memory, reason)) {
            config_fail(r, 0, "%s: %s: %s", o->key, path, reason);
        }
    }
}

static void check_gateways(config_reading_t *r)
{
    config_t *c = r->c;
    size_t i;

    (void)config_option("organisation", "default_gateway", &i);
    if (c->ngateways == 0) {
        config_fail(r, 0, "no [gateway NAME]");
    } else if (!c->domain.default_account) {
        c->domain.default_account = c->gateways[0].name;
    } else if (config_gateway(c, c->domain.default_account) < 0) {
        config_fail(r, r->lines[i], "default_gateway: there is no [gateway %s]",
                    c->domain.default_account);
    }
    for (size_t g = 0; g < c->ngateways && !r->failed; g++) {
        const gateway_account_t *a = &c->gateways[g];

        if (!gw_driver(a->driver)) {
            config_fail(r, r->gateway_at[g], "[gateway %s]: no driver \"%s\"",
                        a->name, a->driver);
        } else if (!a->base_url) {
            config_fail(r, r->gateway_at[g],
                        "[gateway %s]: base_url is missing", a->name);
        } else if (strcmp(a->media, "url") != 0 &&
                   strcmp(a->media, "base64") != 0) {
            config_fail(r, r->gateway_at[g],
                        "[gateway %s]: media is url or base64", a->name);
        } else if (!a->email != !a->password) {
            config_fail(r, r->gateway_at[g],
                        "[gateway %s]: email and password belong together",
                        a->name);
        }
    }
}

static void read_secret(config_reading_t *r)
{
    config_t *c = r->c;
    char reason[CONFIG_REASON_MAX];
    size_t i;
    int line;

    (void)config_option("auth", "jwt_secret_file", &i);
    line = r->lines[i];
    c->jwt_secret = config_value_file(c->jwt_secret_file, &c->jwt_secret_len,
                                      c->memory, reason);
    if (!c->jwt_secret) {
        config_fail(r, line, "jwt_secret_file: %s", reason);
    } else if (c->jwt_secret_len < SECRET_MIN) {
        config_fail(r, line, "jwt_secret_file: %s has fewer than %d bytes",
                    c->jwt_secret_file, SECRET_MIN);
    }
}

static void settle_media(config_reading_t *r)
{
    config_t *c = r->c;
    size_t i;

    c->domain.media_base = c->public_url;
    (void)config_option("media", "types", &i);
    if (!sniff_set_parse(c->media_types, &c->domain.media_types)) {
        config_fail(r, r->lines[i], "types: no list of known types");
    } else if (media_url_key(c->jwt_secret, c->jwt_secret_len,
                             c->domain.media_key) != WERR_OK) {
        config_fail(r, 0, "out of memory");
    }
}

static const char *derived_secret(const config_t *c)
{
    char hex[SIGN_HEX];

    return sign_derive(c->jwt_secret, c->jwt_secret_len, hex)
               ? config_memory_text(c->memory, hex, strlen(hex))
               : NULL;
}

static void settle_realtime(config_reading_t *r)
{
    realtime_options_t *o = &r->c->realtime;
    size_t i;

    if (!realtime_good_key(o->key)) {
        (void)config_option("realtime", "app_key", &i);
        config_fail(r, r->lines[i],
                    "app_key: up to 64 letters, digits, - and _");
    } else if (!realtime_good_key(o->app_id)) {
        (void)config_option("realtime", "app_id", &i);
        config_fail(r, r->lines[i],
                    "app_id: up to 64 letters, digits, - and _");
    } else if (o->secret && strlen(o->secret) < APP_SECRET_MIN) {
        (void)config_option("realtime", "secret_file", &i);
        config_fail(r, r->lines[i], "secret_file: fewer than %d bytes",
                    APP_SECRET_MIN);
    } else if (strlen(o->event_prefix) > PREFIX_BYTES) {
        (void)config_option("realtime", "event_prefix", &i);
        config_fail(r, r->lines[i], "event_prefix: longer than %d bytes",
                    PREFIX_BYTES);
    }
    r->c->domain.event_namespace = o->event_prefix;
    if (!r->failed && !o->secret && !(o->secret = derived_secret(r->c))) {
        config_fail(r, 0, "out of memory");
    }
}

/* Without sign-in nobody may reach it from elsewhere. */
static void check_development(config_reading_t *r)
{
    config_t *c = r->c;
    size_t i;

    if (c->without_sign_in != NULL && !c->development) {
        (void)config_option("auth", "without_sign_in", &i);
        config_fail(
            r, r->lines[i],
            "without_sign_in: everybody would be %s; for a desk that is "
            "nobody's, say development = on in [wacrmd]",
            c->without_sign_in);
    } else if (c->development && c->public_url != NULL &&
               !loopback_url(c->public_url)) {
        (void)config_option("wacrmd", "public_url", &i);
        config_fail(
            r, r->lines[i],
            "public_url: with development = on it must be on this machine "
            "(127.0.0.1, [::1] or localhost)");
    }
}

void config_settle(config_reading_t *r)
{
    static void (*const steps[])(config_reading_t *) = {
        expand_paths,      check_gateways, read_secret,
        check_development, settle_media,   settle_realtime};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !r->failed;
         i++) {
        steps[i](r);
    }
}
