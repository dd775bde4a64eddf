/*
 * signature_request.h - a made-up request and a scheme for the tests of the
 * signatures. To be included after cmocka.h.
 */
#ifndef WACRM_TEST_SIGNATURE_REQUEST_H
#define WACRM_TEST_SIGNATURE_REQUEST_H

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "edge/signature.h"

#define HEADERS_MAX 6
#define EVENT       "{\"event\":\"message.received\",\"data\":{\"id\":\"1\"}}"
#define LONG_SECRET "0123456789abcdef0123456789abcdef"

typedef struct {
    const char *name;
    const char *value;
} pair_t;

typedef struct {
    const pair_t *headers;
    size_t count;
    const char *query;
} fake_t;

static inline sig_str_t str(const char *text)
{
    return (sig_str_t){text, text == NULL ? 0 : strlen(text)};
}

static inline sig_str_t fake_header(void *ctx, const char *name, bool *more)
{
    const fake_t *fake = ctx;
    sig_str_t found = {NULL, 0};
    size_t i;

    for (i = 0; i < fake->count; i++) {
        if (fake->headers[i].name == NULL || fake->headers[i].value == NULL ||
            strcasecmp(fake->headers[i].name, name) != 0) {
            continue;
        }
        *more = *more || found.data != NULL;
        found = str(fake->headers[i].value);
    }
    return found;
}

static inline sig_str_t fake_query(void *ctx, const char *name)
{
    const fake_t *fake = ctx;

    return str(strcmp(name, "token") == 0 ? fake->query : NULL);
}

/* The body in pieces of `step` bytes. */
static inline sig_result_t verify_in(const sig_scheme_t *scheme,
                                     const pair_t *headers, size_t count,
                                     const char *query, sig_str_t body,
                                     int64_t now, size_t step)
{
    fake_t fake = {headers, count, query};
    sig_request_t request = {&fake, fake_header, fake_query, now};
    sig_verify_t *v;
    sig_result_t result;
    size_t at, n;

    result = sig_verify_begin(&v, scheme, &request);
    if (result != SIG_OK) {
        assert_null(v);
        return result;
    }
    assert_non_null(v);
    for (at = 0; at < body.len; at += n) {
        n = body.len - at < step ? body.len - at : step;
        sig_verify_update(v, body.data + at, n);
    }
    result = sig_verify_final(&v);
    assert_null(v);
    return result;
}

static inline sig_result_t verify(const sig_scheme_t *scheme, const char *name,
                                  const char *value, const char *body)
{
    pair_t header = {name, value};

    return verify_in(scheme, &header, 1, NULL, str(body), 0, 1000000);
}

static inline void option(sig_scheme_t *scheme, const char *key,
                          const char *value)
{
    char error[SIG_ERROR_MAX] = "";

    if (sig_scheme_option(scheme, str(key), str(value), error) != 0) {
        fail_msg("%s=%s: %s", key, value, error);
    }
}

static inline void secret(sig_scheme_t *scheme, const char *text)
{
    char error[SIG_ERROR_MAX] = "";

    if (sig_scheme_secret(scheme, str(text), 0, error) != 0) {
        fail_msg("secret %s: %s", text, error);
    }
}

static inline void finish(sig_scheme_t *scheme)
{
    char error[SIG_ERROR_MAX] = "";

    if (sig_scheme_finish(scheme, error) != 0) {
        fail_msg("finish: %s", error);
    }
}

static inline sig_scheme_t *scheme_of(const char *preset, const char *key)
{
    char error[SIG_ERROR_MAX] = "";
    sig_scheme_t *scheme;

    if (sig_scheme_new(&scheme, str(preset), error) != 0) {
        fail_msg("%s: %s", preset, error);
    }
    if (key != NULL) {
        secret(scheme, key);
        finish(scheme);
    }
    return scheme;
}

#endif
