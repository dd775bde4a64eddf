/*
 * jsonr.h - reading JSON that others sent, by jansson, without surprises.
 *
 * Getters take the object (may be NULL) and a key, never fail, and never
 * convert what is not meant: they return what is there or NULL / false.
 */
#ifndef WACRM_BASE_JSONR_H
#define WACRM_BASE_JSONR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* NULL with a reason; any top-level value; NUL in strings is refused. errno
 * is then ENOMEM if memory was short, and EINVAL if it is no such JSON. */
json_t *jsonr_parse(const char *text, size_t len, char *reason, size_t size);

/* First of the dotted path: "data.message.remote_jid". */
const json_t *jsonr_path(const json_t *root, const char *path);
const json_t *jsonr_path_n(const json_t *root, const char *path, size_t len);
/* String there, or NULL (also for ""). */
const char *jsonr_str(const json_t *root, const char *path);
/* Integer, or a string of decimal digits; false if neither. */
bool jsonr_i64(const json_t *root, const char *path, int64_t *out);
bool jsonr_bool(const json_t *root, const char *path, bool *out);
/* A time in any of the forms of clock.h; v may be NULL. */
bool jsonr_as_time(const json_t *v, int64_t *ms);
bool jsonr_time(const json_t *root, const char *path, int64_t *ms);

#endif
