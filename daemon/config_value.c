/*
 * config_value.c - numbers, durations, sizes, paths, secrets.
 */
#include "config_value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/log.h"
#include "base/utf8.h"
#include "outbox/outbox.h"

#define SOCKET_PATH_MAX 107
#define SECRET_MAX      4096

/* ---- strings ---- */

typedef struct text_s {
    struct text_s *next;
    size_t len;
    char data[];
} text_t;

struct config_memory_s {
    text_t *texts;
};

config_memory_t *config_memory_new(void)
{
    return calloc(1, sizeof(config_memory_t));
}

void config_memory_free(config_memory_t *m)
{
    while (m && m->texts) {
        text_t *t = m->texts;

        m->texts = t->next;
        explicit_bzero(t->data, t->len);
        free(t);
    }
    free(m);
}

char *config_memory_text(config_memory_t *m, const char *text, size_t len)
{
    text_t *t = malloc(sizeof(*t) + len + 1);

    if (!t) {
        return NULL;
    }
    t->next = m->texts;
    t->len = len;
    memcpy(t->data, text, len);
    t->data[len] = '\0';
    m->texts = t;
    return t->data;
}

/* ---- numbers ---- */

typedef struct {
    const char *suffix;
    int64_t factor;
} unit_t;

static const unit_t plain[] = {{"", 1}, {NULL, 0}};
static const unit_t sizes[] = {{"k", 1 << 10},
                               {"m", 1 << 20},
                               {"g", 1 << 30},
                               {"t", INT64_C(1) << 40},
                               {NULL, 0}};
static const unit_t milliseconds[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {NULL, 0}};
static const unit_t seconds[] = {
    {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0}};
static const unit_t days[] = {{"d", 1}, {NULL, 0}};

/* Digits and one of the units; false if it is not that. */
static bool measure(const char *text, const unit_t *units, int64_t *out)
{
    char *end;
    long long v;

    if (*text < '0' || *text > '9') {
        return false;
    }
    errno = 0;
    v = strtoll(text, &end, 10);
    if (errno != 0) {
        return false;
    }
    for (; units->suffix; units++) {
        if (strcasecmp(end, units->suffix) == 0) {
            return !__builtin_mul_overflow((int64_t)v, units->factor, out);
        }
    }
    return false;
}

static const unit_t *units_of(option_type_t type)
{
    switch (type) {
    case OPTION_SIZE:
        return sizes;
    case OPTION_MS:
        return milliseconds;
    case OPTION_SECONDS:
        return seconds;
    case OPTION_DAYS:
        return days;
    default:
        return plain;
    }
}

static bool set_number(const option_t *o, void *field, const char *text,
                       char reason[CONFIG_REASON_MAX])
{
    int64_t v;

    if (!measure(text, units_of(o->type), &v)) {
        (void)snprintf(reason, CONFIG_REASON_MAX, "not a %s",
                       option_type_text(o->type));
        return false;
    }
    if (v < o->min || v > o->max) {
        (void)snprintf(reason, CONFIG_REASON_MAX,
                       "out of range (%lld to %lld%s)", (long long)o->min,
                       (long long)o->max,
                       o->type == OPTION_SIZE      ? " bytes"
                       : o->type == OPTION_SECONDS ? " seconds"
                       : o->type == OPTION_MS      ? " milliseconds"
                       : o->type == OPTION_DAYS    ? " days"
                                                   : "");
        return false;
    }
    if (o->type == OPTION_I64 || o->type == OPTION_SIZE) {
        *(int64_t *)field = v;
    } else {
        *(int *)field = (int)v;
    }
    return true;
}

/* ---- words ---- */

static bool set_switch(bool *field, const char *text)
{
    *field = strcmp(text, "on") == 0;
    return *field || strcmp(text, "off") == 0;
}

static bool set_timezone(int *field, const char *text)
{
    static const struct {
        const char *name;
        int hours;
    } zones[] = {
        {"Asia/Jakarta", 7},  {"Asia/Pontianak", 7},
        {"Asia/Makassar", 8}, {"Asia/Jayapura", 9},
        {"UTC", 0},
    };
    int h, m, sign = text[0] == '-' ? -1 : 1;

    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        if (strcasecmp(text, zones[i].name) == 0) {
            *field = zones[i].hours * 3600;
            return true;
        }
    }
    if (strlen(text) != 6 || (text[0] != '+' && text[0] != '-') ||
        text[3] != ':' || strspn(text + 1, "0123456789") != 2 ||
        strspn(text + 4, "0123456789") != 2) {
        return false;
    }
    h = (text[1] - '0') * 10 + text[2] - '0';
    m = (text[4] - '0') * 10 + text[5] - '0';
    *field = sign * (h * 3600 + m * 60);
    return h <= 14 && m <= 59;
}

static bool set_backoff(outbox_options_t *o, const char *text)
{
    size_t n = 0, max = sizeof(o->backoff_s) / sizeof(o->backoff_s[0]);

    while (*text) {
        char word[16];
        size_t len = strcspn(text, " \t");
        int64_t v;

        if (len >= sizeof(word) || n == max) {
            return false;
        }
        memcpy(word, text, len);
        word[len] = '\0';
        if (!measure(word, seconds, &v) || v < 1 || v > 86400) {
            return false;
        }
        o->backoff_s[n++] = (int)v;
        text += len;
        text += strspn(text, " \t");
    }
    o->nbackoff = n;
    return n > 0;
}

/* ---- text ---- */

/* "\n" in two bytes becomes one. */
static void unescape(char *text)
{
    char *out = text;

    for (; *text; text++) {
        bool line = text[0] == '\\' && text[1] == 'n';

        *out++ = line ? '\n' : *text;
        text += line ? 1 : 0;
    }
    *out = '\0';
}

static bool is_utf8(const char *text)
{
    size_t len = strlen(text);

    while (len > 0) {
        size_t n = utf8_len(text, len);

        if (n == 0) {
            return false;
        }
        text += n;
        len -= n;
    }
    return true;
}

static bool check_text(option_type_t type, const char *text,
                       char reason[CONFIG_REASON_MAX])
{
    const char *wrong = NULL;

    if (!is_utf8(text)) {
        wrong = "not UTF-8";
    } else if (type == OPTION_URL) {
        if (strncmp(text, "http://", 7) != 0 &&
            strncmp(text, "https://", 8) != 0) {
            wrong = "must begin with http:// or https://";
        } else if (strpbrk(text, " \t?#")) {
            wrong = "must not have spaces, ? or #";
        }
    } else if (type != OPTION_TEXT && type != OPTION_MESSAGE &&
               text[0] != '/') {
        wrong = "must be an absolute path";
    } else if (type == OPTION_SOCKET && strlen(text) > SOCKET_PATH_MAX) {
        wrong = "too long for a socket (107 bytes at most)";
    }
    if (wrong) {
        (void)snprintf(reason, CONFIG_REASON_MAX, "%s", wrong);
    }
    return !wrong;
}

static bool set_text(const option_t *o, const char **field, const char *text,
                     config_memory_t *m, char reason[CONFIG_REASON_MAX])
{
    size_t len = strlen(text);
    char *copy;

    if (!check_text(o->type, text, reason)) {
        return false;
    }
    if (o->type == OPTION_SECRET_FILE) {
        copy = config_value_file(text, &len, m, reason);
        if (copy && strlen(copy) != len) {
            (void)snprintf(reason, CONFIG_REASON_MAX, "%s has a NUL byte",
                           text);
            return false;
        }
    } else {
        while (o->type == OPTION_URL && len > 0 && text[len - 1] == '/') {
            len--;
        }
        copy = config_memory_text(m, text, len);
        if (copy && o->type == OPTION_MESSAGE) {
            unescape(copy);
        }
    }
    *field = copy;
    return copy != NULL;
}

char *config_value_file(const char *path, size_t *len, config_memory_t *m,
                        char reason[CONFIG_REASON_MAX])
{
    char data[SECRET_MAX + 1], *copy = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, data, sizeof(data));

    if (n < 0) {
        (void)snprintf(reason, CONFIG_REASON_MAX, "cannot read %s: %s", path,
                       strerrordesc_np(errno));
    } else if (n > SECRET_MAX) {
        (void)snprintf(reason, CONFIG_REASON_MAX, "%s is longer than %d bytes",
                       path, SECRET_MAX);
    } else {
        if (n > 0 && data[n - 1] == '\n') {
            n--;
        }
        if (n == 0) {
            (void)snprintf(reason, CONFIG_REASON_MAX, "%s is empty", path);
        } else {
            copy = config_memory_text(m, data, (size_t)n);
        }
        *len = (size_t)n;
    }
    explicit_bzero(data, sizeof(data));
    if (fd >= 0) {
        (void)close(fd);
    }
    return copy;
}

/* ---- all of them ---- */

bool config_value_set(const option_t *o, void *base, const char *text,
                      config_memory_t *m, char reason[CONFIG_REASON_MAX])
{
    void *field = (char *)base + o->offset;
    bool ok;

    (void)snprintf(reason, CONFIG_REASON_MAX, "not %s",
                   option_type_text(o->type));
    switch (o->type) {
    case OPTION_TEXT:
    case OPTION_MESSAGE:
    case OPTION_PATH:
    case OPTION_SOCKET:
    case OPTION_URL:
    case OPTION_SECRET_FILE:
        (void)snprintf(reason, CONFIG_REASON_MAX, "out of memory");
        ok = set_text(o, field, text, m, reason);
        break;
    case OPTION_SWITCH:
        ok = set_switch(field, text);
        break;
    case OPTION_LEVEL:
        ok = log_level_parse(text, field) == 0;
        break;
    case OPTION_TIMEZONE:
        ok = set_timezone(field, text);
        break;
    case OPTION_BACKOFF:
        ok = set_backoff(field, text);
        break;
    default:
        ok = set_number(o, field, text, reason);
    }
    return ok;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool config_value_same(const option_t *o, const void *a, const void *b)
{
    const void *x = (const char *)a + o->offset;
    const void *y = (const char *)b + o->offset;
    const outbox_options_t *p = x, *q = y;

    switch (o->type) {
    case OPTION_TEXT:
    case OPTION_MESSAGE:
    case OPTION_PATH:
    case OPTION_SOCKET:
    case OPTION_URL:
    case OPTION_SECRET_FILE:
        return same_text(*(const char *const *)x, *(const char *const *)y);
    case OPTION_SWITCH:
        return *(const bool *)x == *(const bool *)y;
    case OPTION_I64:
    case OPTION_SIZE:
        return *(const int64_t *)x == *(const int64_t *)y;
    case OPTION_BACKOFF:
        return p->nbackoff == q->nbackoff &&
               memcmp(p->backoff_s, q->backoff_s,
                      p->nbackoff * sizeof(p->backoff_s[0])) == 0;
    case OPTION_LEVEL:
        return *(const log_level_t *)x == *(const log_level_t *)y;
    default:
        return *(const int *)x == *(const int *)y;
    }
}
