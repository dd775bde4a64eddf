/*
 * config.c - wacrmd.conf by inih, which as Debian builds it cuts lines at 199
 * bytes, cuts sections at 49, strips " ;..." and joins indented lines: each
 * line is looked at before inih sees it, and what it would change is refused.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/loopback.h"
#include "base/sniff.h"
#include "config_table.h"
#include "config_value.h"
#include "domain/media_url.h"
#include "realtime/sign.h"

#define LINE_BYTES     198
#define SECTION_BYTES  49
#define GATEWAY_PREFIX "gateway "
#define OPTIONS_MAX    128
#define SECRET_MIN     32
#define NAME_BYTES     40
#define APP_SECRET_MIN 16
#define PREFIX_BYTES   100

/* What has been read so far. */
typedef struct {
    config_t *c;
    const char *path;
    FILE *file;
    int line;
    char *error;
    size_t size;
    bool failed;
    const char *section;    /* "gateway" for each of them; NULL: none yet */
    int gateway;            /* index; -1: another section */
    int lines[OPTIONS_MAX]; /* where an option was set; 0: not yet */
    int gateway_lines[CONFIG_GATEWAYS_MAX][OPTIONS_MAX];
    int gateway_at[CONFIG_GATEWAYS_MAX];
} reading_t;

/* The first error is kept: "file:line: reason". line 0: without. */
static void fail(reading_t *r, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fail(reading_t *r, int line, const char *format, ...)
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

/* ---- sections ---- */

static const char *known_section(const char *name)
{
    for (size_t i = 0; i < config_noptions; i++) {
        if (strcmp(config_options[i].section, name) == 0 &&
            strcmp(name, "gateway") != 0) {
            return config_options[i].section;
        }
    }
    return NULL;
}

static bool good_name(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n <= NAME_BYTES &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789_-") == n;
}

static int find_gateway(const config_t *c, const char *name)
{
    for (size_t i = 0; i < c->ngateways; i++) {
        if (strcmp(c->gateways[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void set_fallbacks(reading_t *r, const char *section, bool gateway,
                          void *base)
{
    char reason[CONFIG_REASON_MAX];

    for (size_t i = 0; i < config_noptions; i++) {
        const option_t *o = &config_options[i];

        if ((strcmp(o->section, "gateway") == 0) != gateway || !o->fallback ||
            (section && strcmp(o->section, section) != 0)) {
            continue;
        }
        /* paths below the state directory come last */
        if (o->fallback[0] != '{' &&
            !config_value_set(o, base, o->fallback, r->c->memory, reason)) {
            fail(r, 0, "%s: default: %s", o->key, reason);
        }
    }
}

static void begin_gateway(reading_t *r, const char *name)
{
    config_t *c = r->c;
    gateway_account_t *a = &c->gateways[c->ngateways];

    if (!good_name(name)) {
        fail(r, r->line,
             "the name of a gateway is up to %d letters, digits, - and _",
             NAME_BYTES);
        return;
    }
    if (find_gateway(c, name) >= 0) {
        fail(r, r->line, "[gateway %s] is there already", name);
        return;
    }
    if (c->ngateways == CONFIG_GATEWAYS_MAX) {
        fail(r, r->line, "more than %d gateways", CONFIG_GATEWAYS_MAX);
        return;
    }
    *a = (gateway_account_t){0};
    a->name = config_memory_text(c->memory, name, strlen(name));
    if (!a->name) {
        fail(r, r->line, "out of memory");
        return;
    }
    set_fallbacks(r, NULL, true, a);
    r->gateway = (int)c->ngateways++;
    r->gateway_at[r->gateway] = r->line;
}

static void begin_section(reading_t *r, const char *name)
{
    r->gateway = -1;
    if (strncmp(name, GATEWAY_PREFIX, strlen(GATEWAY_PREFIX)) == 0) {
        r->section = "gateway";
        begin_gateway(r, name + strlen(GATEWAY_PREFIX));
        return;
    }
    r->section = known_section(name);
    if (!r->section) {
        fail(r, r->line, "unknown section [%s]", name);
    }
}

/* ---- lines ---- */

static void check_section_line(reading_t *r, char *text)
{
    size_t n = strlen(text);

    if (text[n - 1] != ']') {
        fail(r, r->line, "expected [section]");
        return;
    }
    text[n - 1] = '\0';
    if (n - 2 > SECTION_BYTES) {
        fail(r, r->line, "the name of a section ends at %d bytes",
             SECTION_BYTES);
    } else {
        begin_section(r, text + 1);
    }
}

static bool has_inline_comment(const char *text)
{
    for (const char *p = strchr(text, ';'); p; p = strchr(p + 1, ';')) {
        if (p > text && isspace((unsigned char)p[-1])) {
            return true;
        }
    }
    return false;
}

/* Refuses what inih would read in another way than it looks. */
static void check_line(reading_t *r, const char *line, size_t len)
{
    char text[LINE_BYTES + 2];
    size_t n = len;

    if (len > LINE_BYTES + 1) {
        fail(r, r->line, "longer than %d bytes", LINE_BYTES);
        return;
    }
    if (strlen(line) != len) {
        fail(r, r->line, "a NUL byte");
        return;
    }
    if (r->line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0) {
        line += 3;
        n -= 3;
    }
    while (n > 0 && isspace((unsigned char)line[n - 1])) {
        n--;
    }
    memcpy(text, line, n);
    text[n] = '\0';
    if (n == 0 || strchr(";#", text[strspn(text, " \t")])) {
        return;
    }
    if (isspace((unsigned char)text[0])) {
        fail(r, r->line, "begins with a space");
    } else if (has_inline_comment(text)) {
        fail(r, r->line,
             "a comment stands on a line of its own, no value has \" ;\"");
    } else if (text[0] == '[') {
        check_section_line(r, text);
    } else if (!strpbrk(text, "=:")) {
        fail(r, r->line, "expected key = value");
    } else if (!r->section) {
        fail(r, r->line, "stands before the first [section]");
    }
}

/* inih's fgets: at most num - 1 bytes of the next line. */
static char *read_line(char *out, int num, void *stream)
{
    reading_t *r = stream;
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;

    if (r->failed) {
        return NULL;
    }
    n = getline(&line, &cap, r->file);
    if (n < 0) {
        if (ferror(r->file)) {
            fail(r, 0, "cannot be read: %s", strerrordesc_np(errno));
        }
        free(line);
        return NULL;
    }
    r->line++;
    check_line(r, line, (size_t)n);
    if (n >= num) {
        fail(r, r->line, "longer than %d bytes", LINE_BYTES);
    }
    if (r->failed) {
        n = 0;
    }
    memcpy(out, line, (size_t)n);
    out[n] = '\0';
    explicit_bzero(line, cap);
    free(line);
    return r->failed ? NULL : out;
}

/* ---- keys ---- */

static const option_t *find_option(const char *section, const char *key,
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

/* token and token_file set the same field: one of them. */
static bool set_already(const int *lines, const option_t *o, int *line)
{
    for (size_t i = 0; i < config_noptions; i++) {
        const option_t *other = &config_options[i];

        if (lines[i] && strcmp(other->section, o->section) == 0 &&
            other->offset == o->offset && other->type != OPTION_BACKOFF &&
            o->type != OPTION_BACKOFF) {
            *line = lines[i];
            return true;
        }
    }
    return false;
}

static int on_key(void *user, const char *section, const char *key,
                  const char *value)
{
    reading_t *r = user;
    bool gateway = r->gateway >= 0;
    int *lines = gateway ? r->gateway_lines[r->gateway] : r->lines;
    void *base = gateway ? (void *)&r->c->gateways[r->gateway] : (void *)r->c;
    char reason[CONFIG_REASON_MAX];
    const option_t *o;
    size_t i;
    int line;

    (void)section;
    o = find_option(r->section, key, &i);
    if (!o) {
        fail(r, r->line, "unknown key \"%s\" in [%s]", key, r->section);
    } else if (lines[i]) {
        fail(r, r->line, "%s: is set already in line %d", key, lines[i]);
    } else if (set_already(lines, o, &line)) {
        fail(r, r->line, "%s: line %d sets the same", key, line);
    } else if (!value || !*value) {
        fail(r, r->line, "%s: needs a value", key);
    } else if (!config_value_set(o, base, value, r->c->memory, reason)) {
        fail(r, r->line, "%s: %s", key, reason);
    } else {
        lines[i] = r->line;
    }
    return !r->failed;
}

/* ---- the environment ---- */

static void upper(char *text)
{
    for (; *text; text++) {
        *text = *text == '-' ? '_' : (char)toupper((unsigned char)*text);
    }
}

static void from_variable(reading_t *r, const char *variable, const option_t *o,
                          void *base)
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
static void read_environment(reading_t *r)
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
static void read_old_environment(reading_t *r)
{
    config_t *c = r->c;
    const char *url = getenv("WHATSAPP_API_URL");
    int g;
    size_t i;

    if (c->ngateways == 0 && url && *url) {
        begin_gateway(r, "main");
    }
    if (r->failed) {
        return;
    }
    from_variable(r, "WHATSAPP_SESSION_ID",
                  find_option("organisation", "default_session", &i), c);
    g = c->domain.default_account ? find_gateway(c, c->domain.default_account)
                                  : 0;
    if (c->ngateways == 0 || g < 0) {
        return;
    }
    from_variable(r, "WHATSAPP_API_URL", find_option("gateway", "base_url", &i),
                  &c->gateways[g]);
    from_variable(r, "WHATSAPP_API_TOKEN", find_option("gateway", "token", &i),
                  &c->gateways[g]);
}

/* ---- what can be checked only at the end ---- */

static void expand_paths(reading_t *r)
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
            fail(r, 0, "%s: %s: %s", o->key, path, reason);
        }
    }
}

static void check_gateways(reading_t *r)
{
    config_t *c = r->c;
    size_t i;

    (void)find_option("organisation", "default_gateway", &i);
    if (c->ngateways == 0) {
        fail(r, 0, "no [gateway NAME]");
    } else if (!c->domain.default_account) {
        c->domain.default_account = c->gateways[0].name;
    } else if (find_gateway(c, c->domain.default_account) < 0) {
        fail(r, r->lines[i], "default_gateway: there is no [gateway %s]",
             c->domain.default_account);
    }
    for (size_t g = 0; g < c->ngateways && !r->failed; g++) {
        const gateway_account_t *a = &c->gateways[g];

        if (!gw_driver(a->driver)) {
            fail(r, r->gateway_at[g], "[gateway %s]: no driver \"%s\"", a->name,
                 a->driver);
        } else if (!a->base_url) {
            fail(r, r->gateway_at[g], "[gateway %s]: base_url is missing",
                 a->name);
        } else if (strcmp(a->media, "url") != 0 &&
                   strcmp(a->media, "base64") != 0) {
            fail(r, r->gateway_at[g], "[gateway %s]: media is url or base64",
                 a->name);
        } else if (!a->email != !a->password) {
            fail(r, r->gateway_at[g],
                 "[gateway %s]: email and password belong together", a->name);
        }
    }
}

static void read_secret(reading_t *r)
{
    config_t *c = r->c;
    char reason[CONFIG_REASON_MAX];
    size_t i;
    int line;

    (void)find_option("auth", "jwt_secret_file", &i);
    line = r->lines[i];
    c->jwt_secret = config_value_file(c->jwt_secret_file, &c->jwt_secret_len,
                                      c->memory, reason);
    if (!c->jwt_secret) {
        fail(r, line, "jwt_secret_file: %s", reason);
    } else if (c->jwt_secret_len < SECRET_MIN) {
        fail(r, line, "jwt_secret_file: %s has fewer than %d bytes",
             c->jwt_secret_file, SECRET_MIN);
    }
}

static void settle_media(reading_t *r)
{
    config_t *c = r->c;
    size_t i;

    c->domain.media_base = c->public_url;
    (void)find_option("media", "types", &i);
    if (!sniff_set_parse(c->media_types, &c->domain.media_types)) {
        fail(r, r->lines[i], "types: no list of known types");
    } else if (media_url_key(c->jwt_secret, c->jwt_secret_len,
                             c->domain.media_key) != WERR_OK) {
        fail(r, 0, "out of memory");
    }
}

static const char *derived_secret(const config_t *c)
{
    char hex[SIGN_HEX];

    return sign_derive(c->jwt_secret, c->jwt_secret_len, hex)
               ? config_memory_text(c->memory, hex, strlen(hex))
               : NULL;
}

static void settle_realtime(reading_t *r)
{
    realtime_options_t *o = &r->c->realtime;
    size_t i;

    if (!realtime_good_key(o->key)) {
        (void)find_option("realtime", "app_key", &i);
        fail(r, r->lines[i], "app_key: up to 64 letters, digits, - and _");
    } else if (!realtime_good_key(o->app_id)) {
        (void)find_option("realtime", "app_id", &i);
        fail(r, r->lines[i], "app_id: up to 64 letters, digits, - and _");
    } else if (o->secret && strlen(o->secret) < APP_SECRET_MIN) {
        (void)find_option("realtime", "secret_file", &i);
        fail(r, r->lines[i], "secret_file: fewer than %d bytes",
             APP_SECRET_MIN);
    } else if (strlen(o->event_prefix) > PREFIX_BYTES) {
        (void)find_option("realtime", "event_prefix", &i);
        fail(r, r->lines[i], "event_prefix: longer than %d bytes",
             PREFIX_BYTES);
    }
    r->c->domain.event_namespace = o->event_prefix;
    if (!r->failed && !o->secret && !(o->secret = derived_secret(r->c))) {
        fail(r, 0, "out of memory");
    }
}

/* Without sign-in nobody may reach it from elsewhere. */
static void check_development(reading_t *r)
{
    config_t *c = r->c;
    size_t i;

    if (c->without_sign_in != NULL && !c->development) {
        (void)find_option("auth", "without_sign_in", &i);
        fail(r, r->lines[i],
             "without_sign_in: everybody would be %s; for a desk that is "
             "nobody's, say development = on in [wacrmd]",
             c->without_sign_in);
    } else if (c->development && c->public_url != NULL &&
               !loopback_url(c->public_url)) {
        (void)find_option("wacrmd", "public_url", &i);
        fail(r, r->lines[i],
             "public_url: with development = on it must be on this machine "
             "(127.0.0.1, [::1] or localhost)");
    }
}

/* ---- */

static void read_file(reading_t *r)
{
    r->file = fopen(r->path, "re");
    if (!r->file) {
        fail(r, 0, "%s", strerrordesc_np(errno));
        return;
    }
    if (ini_parse_stream(read_line, r, on_key, r) != 0) {
        fail(r, r->line, "expected key = value");
    }
    if (fclose(r->file) != 0) {
        fail(r, 0, "%s", strerrordesc_np(errno));
    }
}

bool config_load(config_t *c, const char *path, char *error, size_t size)
{
    reading_t r = {
        .c = c, .path = path, .error = error, .size = size, .gateway = -1};

    *c = (config_t){.memory = config_memory_new()};
    if (!c->memory || config_noptions > OPTIONS_MAX) {
        (void)snprintf(error, size, "out of memory");
        return false;
    }
    set_fallbacks(&r, NULL, false, c);
    if (!r.failed) {
        read_file(&r);
    }
    if (!r.failed) {
        read_environment(&r);
    }
    if (!r.failed) {
        read_old_environment(&r);
    }
    if (!r.failed) {
        expand_paths(&r);
    }
    if (!r.failed) {
        check_gateways(&r);
    }
    if (!r.failed) {
        read_secret(&r);
    }
    if (!r.failed) {
        check_development(&r);
    }
    if (!r.failed) {
        settle_media(&r);
    }
    if (!r.failed) {
        settle_realtime(&r);
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
