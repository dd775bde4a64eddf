/* The places of a template, and what is put into them. */
#include "domain/template.h"

#include <stdlib.h>
#include <string.h>

#define LETTERS                  \
    "abcdefghijklmnopqrstuvwxyz" \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
    "0123456789_"
#define BLANKS " \t"

typedef struct {
    size_t at, len; /* of the whole "{{ name }}" in the text */
    char name[TEMPLATE_VARIABLE_MAX + 1];
} place_t;

/* Length of the place that begins at text, or 0. */
static size_t read_place(const char *text, place_t *p)
{
    const char *from, *end;
    size_t len;

    if (strncmp(text, "{{", 2) != 0) {
        return 0;
    }
    from = text + 2 + strspn(text + 2, BLANKS);
    len = strspn(from, LETTERS);
    end = from + len + strspn(from + len, BLANKS);
    if (len == 0 || len > TEMPLATE_VARIABLE_MAX || strncmp(end, "}}", 2) != 0) {
        return 0;
    }
    memcpy(p->name, from, len);
    p->name[len] = '\0';
    return (size_t)(end + 2 - text);
}

/* The first place at or after offset from. */
static bool next_place(const char *text, size_t from, place_t *p)
{
    const char *at = text + from;

    while ((at = strstr(at, "{{")) != NULL) {
        p->len = read_place(at, p);
        if (p->len > 0) {
            p->at = (size_t)(at - text);
            return true;
        }
        at++;
    }
    return false;
}

static bool is_number(const char *name)
{
    return strspn(name, "0123456789") == strlen(name);
}

/* Was this name met before the place? Templates are short. */
static bool met(const char *text, const place_t *p)
{
    place_t other = {.len = 0};
    size_t from = 0;

    while (next_place(text, from, &other) && other.at < p->at) {
        if (strcmp(other.name, p->name) == 0) {
            return true;
        }
        from = other.at + other.len;
    }
    return false;
}

/* The number after `last` that comes next in order; -1: none. */
static long next_number(const char *text, long last)
{
    place_t p;
    long next = -1;

    for (size_t at = 0; next_place(text, at, &p); at = p.at + p.len) {
        long n = is_number(p.name) ? strtol(p.name, NULL, 10) : -1;

        if (n > last && (next < 0 || n < next)) {
            next = n;
        }
    }
    return next;
}

/* Calls fn for each name once: numbers in their order, then the others as
 * they come. */
typedef void (*name_fn)(void *arg, const char *name);
static void each_name(const char *text, name_fn fn, void *arg)
{
    place_t p;

    for (long n = next_number(text, -1); n >= 0; n = next_number(text, n)) {
        for (size_t at = 0; next_place(text, at, &p); at = p.at + p.len) {
            if (is_number(p.name) && strtol(p.name, NULL, 10) == n) {
                fn(arg, p.name);
                break;
            }
        }
    }
    for (size_t at = 0; next_place(text, at, &p); at = p.at + p.len) {
        if (!is_number(p.name) && !met(text, &p)) {
            fn(arg, p.name);
        }
    }
}

static void add_name(void *arg, const char *name)
{
    jw_str(arg, NULL, name);
}

void template_variables(const char *content, buf_t *out, const char *key)
{
    jw_open_array(out, key);
    each_name(content, add_name, out);
    jw_close_array(out);
}

typedef struct {
    template_value_fn value;
    void *arg;
    buf_t *values, *missing;
} fill_t;

static void note_value(void *arg, const char *name)
{
    fill_t *f = arg;
    const char *value = f->value(f->arg, name);

    if (f->values != NULL) {
        jw_str(f->values, NULL, value != NULL ? value : "");
    }
    if (f->missing != NULL && value == NULL) {
        buf_adds(f->missing, f->missing->len > 0 ? ", " : "");
        buf_adds(f->missing, name);
    }
}

void template_fill(const char *content, template_value_fn value, void *arg,
                   buf_t *out, buf_t *values, buf_t *missing)
{
    fill_t f = {value, arg, values, missing};
    size_t at = 0;
    place_t p;

    while (next_place(content, at, &p)) {
        const char *text = value(arg, p.name);

        buf_add(out, content + at, p.at - at);
        if (text != NULL) {
            buf_adds(out, text);
        }
        at = p.at + p.len;
    }
    buf_adds(out, content + at);
    if (values != NULL) {
        jw_open_array(values, NULL);
    }
    each_name(content, note_value, &f);
    if (values != NULL) {
        jw_close_array(values);
    }
}
