/*
 * config_file.c - the lines of wacrmd.conf, by inih, which as Debian builds it
 * cuts lines at 199 bytes, cuts sections at 49, strips " ;..." and joins
 * indented lines: each line is looked at before inih sees it, and what it would
 * change is refused.
 */
#include "config_reading.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "config_value.h"

#define LINE_BYTES     198
#define SECTION_BYTES  49
#define GATEWAY_PREFIX "gateway "

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

static void begin_section(config_reading_t *r, const char *name)
{
    r->gateway = -1;
    if (strncmp(name, GATEWAY_PREFIX, strlen(GATEWAY_PREFIX)) == 0) {
        r->section = "gateway";
        config_begin_gateway(r, name + strlen(GATEWAY_PREFIX));
        return;
    }
    r->section = known_section(name);
    if (!r->section) {
        config_fail(r, r->line, "unknown section [%s]", name);
    }
}

/* ---- lines ---- */

static void check_section_line(config_reading_t *r, char *text)
{
    size_t n = strlen(text);

    if (text[n - 1] != ']') {
        config_fail(r, r->line, "expected [section]");
        return;
    }
    text[n - 1] = '\0';
    if (n - 2 > SECTION_BYTES) {
        config_fail(r, r->line, "the name of a section ends at %d bytes",
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
static void check_line(config_reading_t *r, const char *line, size_t len)
{
    char text[LINE_BYTES + 2];
    size_t n = len;

    if (len > LINE_BYTES + 1) {
        config_fail(r, r->line, "longer than %d bytes", LINE_BYTES);
        return;
    }
    if (strlen(line) != len) {
        config_fail(r, r->line, "a NUL byte");
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
        config_fail(r, r->line, "begins with a space");
    } else if (has_inline_comment(text)) {
        config_fail(
            r, r->line,
            "a comment stands on a line of its own, no value has \" ;\"");
    } else if (text[0] == '[') {
        check_section_line(r, text);
    } else if (!strpbrk(text, "=:")) {
        config_fail(r, r->line, "expected key = value");
    } else if (!r->section) {
        config_fail(r, r->line, "stands before the first [section]");
    }
}

/* inih's fgets: at most num - 1 bytes of the next line. */
static char *read_line(char *out, int num, void *stream)
{
    config_reading_t *r = stream;
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;

    if (r->failed) {
        return NULL;
    }
    n = getline(&line, &cap, r->file);
    if (n < 0) {
        if (ferror(r->file)) {
            config_fail(r, 0, "cannot be read: %s", strerrordesc_np(errno));
        }
        free(line);
        return NULL;
    }
    r->line++;
    check_line(r, line, (size_t)n);
    if (n >= num) {
        config_fail(r, r->line, "longer than %d bytes", LINE_BYTES);
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
    config_reading_t *r = user;
    bool gateway = r->gateway >= 0;
    int *lines = gateway ? r->gateway_lines[r->gateway] : r->lines;
    void *base = gateway ? (void *)&r->c->gateways[r->gateway] : (void *)r->c;
    char reason[CONFIG_REASON_MAX];
    const option_t *o;
    size_t i;
    int line;

    (void)section;
    o = config_option(r->section, key, &i);
    if (!o) {
        config_fail(r, r->line, "unknown key \"%s\" in [%s]", key, r->section);
    } else if (lines[i]) {
        config_fail(r, r->line, "%s: is set already in line %d", key, lines[i]);
    } else if (set_already(lines, o, &line)) {
        config_fail(r, r->line, "%s: line %d sets the same", key, line);
    } else if (!value || !*value) {
        config_fail(r, r->line, "%s: needs a value", key);
    } else if (!config_value_set(o, base, value, r->c->memory, reason)) {
        config_fail(r, r->line, "%s: %s", key, reason);
    } else {
        lines[i] = r->line;
    }
    return !r->failed;
}

/* ---- the file ---- */

void config_read_file(config_reading_t *r)
{
    r->file = fopen(r->path, "re");
    if (!r->file) {
        config_fail(r, 0, "%s", strerrordesc_np(errno));
        return;
    }
    if (ini_parse_stream(read_line, r, on_key, r) != 0) {
        config_fail(r, r->line, "expected key = value");
    }
    if (fclose(r->file) != 0) {
        config_fail(r, 0, "%s", strerrordesc_np(errno));
    }
}
