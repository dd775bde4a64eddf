/*
 * buf.h - a growable byte buffer with a maximum and a sticky error, and the
 * append writer of JSON on it.
 */
#ifndef WACRM_BASE_BUF_H
#define WACRM_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct {
    char *data; /* terminated by a NUL that len does not count */
    size_t len;
    size_t cap;
    size_t max;
    bool failed; /* out of memory or over max: everything after is dropped */
    bool nomem;  /* failed, and for want of memory */
    bool comma;  /* of the JSON writer: a comma is due */
} buf_t;

/* max 0: 64 MiB. Nothing is allocated yet. */
void buf_init(buf_t *b, size_t max);
void buf_free(buf_t *b);
void buf_reset(buf_t *b); /* empties, keeps the memory */
/* WERR_OK; WERR_NOMEM or WERR_TOOBIG if failed. */
int buf_error(const buf_t *b) WACRM_CHECKED;
/* Hands the memory over (free() it); NULL if failed. */
char *buf_take(buf_t *b, size_t *len);

void buf_add(buf_t *b, const void *data, size_t len);
void buf_adds(buf_t *b, const char *s);
void buf_addc(buf_t *b, char c);
void buf_addf(buf_t *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buf_add_i64(buf_t *b, int64_t v);

/*
 * JSON: commas come by themselves. Strings must be UTF-8; bytes that are not
 * become U+FFFD. key NULL inside arrays.
 */
void jw_open_object(buf_t *b, const char *key);
void jw_close_object(buf_t *b);
void jw_open_array(buf_t *b, const char *key);
void jw_close_array(buf_t *b);
void jw_str(buf_t *b, const char *key, const char *value); /* NULL: null */
void jw_strn(buf_t *b, const char *key, const char *value, size_t len);
void jw_i64(buf_t *b, const char *key, int64_t value);
void jw_double(buf_t *b, const char *key, double value);
void jw_bool(buf_t *b, const char *key, bool value);
void jw_null(buf_t *b, const char *key);
/* value is JSON already. */
void jw_raw(buf_t *b, const char *key, const char *value, size_t len);
/* ISO-8601 UTC of ms: "2026-03-01T04:05:06Z"; day: "2026-03-01". */
void jw_time(buf_t *b, const char *key, int64_t ms);
void jw_day(buf_t *b, const char *key, int64_t day);

#endif
