/*
 * jsonr.c - jsonr.h on jansson.
 */
#include "base/jsonr.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define SEGMENT_MAX 64
/*
 * jansson makes up to 300 bytes of memory of 3 bytes of text ("{},"): 16 MiB
 * of such text would take 1.5 GB. No event and no request has so many values.
 */
#define VALUES_MAX 100000

/* As many commas and opened brackets, at least, as there are values. */
static bool too_many_values(const char *text, size_t len)
{
    bool quoted = false;
    size_t n = 0;

    if (len <= VALUES_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '"') {
            quoted = !quoted;
        } else if (quoted && c == '\\') {
            i++;
        } else if (!quoted && (c == ',' || c == '[' || c == '{')) {
            n++;
        }
    }
    return n > VALUES_MAX;
}

/* jansson calls a text wrong where it had no memory to read it, or leaves some
 * of it out without a word. As in the edge (edge/json_memory.h), which shares
 * no code with the daemon: somebody else's allocator is left alone. Only here
 * it is known where the reading ends, so only here the rest of it fails, too.
 */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local bool reading, memory_short;

static void *watched_malloc(size_t size)
{
    /* it would ask again for each letter that follows */
    void *p = reading && memory_short ? NULL : malloc(size);

    memory_short = memory_short || p == NULL;
    return p;
}

static void watch_memory(void)
{
    json_malloc_t get;
    json_free_t put;

    json_get_alloc_funcs(&get, &put);
    if (get == malloc && put == free) {
        json_set_alloc_funcs(watched_malloc, free);
    }
}

json_t *jsonr_parse(const char *text, size_t len, char *reason, size_t size)
{
    json_error_t error;
    json_t *root;
    const char *near;
    int n;

    if (too_many_values(text, len)) {
        if (size > 0) {
            (void)snprintf(reason, size, "JSON, more than %d values",
                           VALUES_MAX);
        }
        errno = EINVAL;
        return NULL;
    }
    (void)pthread_once(&once, watch_memory);
    memory_short = false;
    reading = true;
    root = json_loadb(text, len, JSON_DECODE_ANY, &error);
    reading = false;
    if (memory_short) {
        json_decref(root);
        if (size > 0) {
            (void)snprintf(reason, size, "out of memory");
        }
        errno = ENOMEM;
        return NULL;
    }
    if (root) {
        return root;
    }
    /* " near '...'" would carry the text into logs */
    near = strstr(error.text, " near ");
    n = near ? (int)(near - error.text) : (int)strlen(error.text);
    if (size > 0) {
        (void)snprintf(reason, size, "JSON, line %d column %d: %.*s",
                       error.line, error.column, n, error.text);
    }
    errno = EINVAL;
    return NULL;
}

static const json_t *element(const json_t *array, const char *key, size_t len)
{
    char number[SEGMENT_MAX];
    unsigned long i;
    char *end;

    if (len >= sizeof(number)) {
        return NULL;
    }
    memcpy(number, key, len);
    number[len] = '\0';
    i = strtoul(number, &end, 10);
    if (*end != '\0' || number[0] < '0' || number[0] > '9') {
        return NULL;
    }
    return json_array_get(array, i);
}

const json_t *jsonr_path_n(const json_t *root, const char *path, size_t len)
{
    const char *end = path + len;

    while (root) {
        const char *dot = memchr(path, '.', (size_t)(end - path));
        size_t n = (size_t)((dot ? dot : end) - path);

        if (n == 0) {
            return NULL;
        }
        root = json_is_array(root) ? element(root, path, n)
                                   : json_object_getn(root, path, n);
        if (!dot) {
            return root;
        }
        path = dot + 1;
    }
    return NULL;
}

const json_t *jsonr_path(const json_t *root, const char *path)
{
    return jsonr_path_n(root, path, strlen(path));
}

const char *jsonr_str(const json_t *root, const char *path)
{
    const char *s = json_string_value(jsonr_path(root, path));

    return s && *s ? s : NULL;
}

static bool decimal(const char *s, int64_t *out)
{
    const char *digits = *s == '-' ? s + 1 : s;
    long long v;

    if (*digits == '\0' || strspn(digits, "0123456789") != strlen(digits)) {
        return false;
    }
    errno = 0;
    v = strtoll(s, NULL, 10);
    if (errno != 0) {
        return false;
    }
    *out = v;
    return true;
}

bool jsonr_i64(const json_t *root, const char *path, int64_t *out)
{
    const json_t *v = jsonr_path(root, path);

    if (json_is_integer(v)) {
        *out = json_integer_value(v);
        return true;
    }
    return json_is_string(v) && decimal(json_string_value(v), out);
}

bool jsonr_bool(const json_t *root, const char *path, bool *out)
{
    const json_t *v = jsonr_path(root, path);

    if (!json_is_boolean(v)) {
        return false;
    }
    *out = json_is_true(v);
    return true;
}

bool jsonr_as_time(const json_t *v, int64_t *ms)
{
    const char *s;

    if (json_is_number(v)) {
        return clock_from_number(json_number_value(v), ms);
    }
    s = json_string_value(v);
    if (!s) {
        return false;
    }
    if (*s != '\0' && strspn(s, "0123456789.") == strlen(s)) {
        char *end;
        double value = strtod(s, &end);

        return *end == '\0' && clock_from_number(value, ms);
    }
    return clock_parse_iso(s, strlen(s), ms);
}

bool jsonr_time(const json_t *root, const char *path, int64_t *ms)
{
    return jsonr_as_time(jsonr_path(root, path), ms);
}
