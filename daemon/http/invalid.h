/*
 * invalid.h - what is wrong with an input, field by field: the 422 of the
 * contract, in Laravel's words.
 */
#ifndef WACRM_HTTP_INVALID_H
#define WACRM_HTTP_INVALID_H

#include <stdbool.h>

#include <jansson.h>

#include "http/response.h"

#define INVALID_MAX  8
#define INVALID_TEXT 160

typedef struct {
    size_t n;
    struct {
        const char *field; /* static */
        char text[INVALID_TEXT];
    } errors[INVALID_MAX];
} invalid_t;

/* The first error of a field counts. */
void invalid_add(invalid_t *in, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool invalid_has(const invalid_t *in, const char *field);

/*
 * The string of a field. Absent, null or blank: NULL, and an error if it is
 * required. Anything but a string: NULL and an error.
 */
const char *invalid_string(invalid_t *in, const json_t *body, const char *field,
                           bool required);

/* A new password: 8 to 500 bytes. NULL is left alone. */
void invalid_password(invalid_t *in, const char *field, const char *password);

/* Answers 422 and tells true if there are errors. */
bool invalid_answer(const invalid_t *in, response_t *response);

#endif
