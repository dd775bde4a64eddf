/*
 * Lines "preset", "option=value"..., an empty one, "header: value"..., an
 * empty one, the body. Without knowing the secret nothing but `none` may pass.
 */
#include "text.h"
#include "through.h"

#include <stdlib.h>

#include <openssl/rand.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sig_str_t header(void *ctx, const char *name, bool *more)
{
    sig_str_t rest = *(sig_str_t *)ctx;
    sig_str_t value, left;

    (void)more;
    while (rest.len > 0) {
        value = cut(&rest, '\n');
        left = cut(&value, ':');
        if (same(left, str(name))) {
            return value;
        }
    }
    return (sig_str_t){NULL, 0};
}

static sig_str_t query(void *ctx, const char *name)
{
    bool more;

    return header(ctx, name, &more);
}

static sig_scheme_t *configure(sig_str_t *rest)
{
    char error[SIG_ERROR_MAX];
    unsigned char secret[33];
    sig_scheme_t *scheme;
    sig_str_t value, name;

    if (sig_scheme_new(&scheme, cut(rest, '\n'), error) != 0) {
        return NULL;
    }
    while ((value = cut(rest, '\n')).len > 0) {
        name = cut(&value, '=');
        sig_scheme_option(scheme, name, value, error);
    }
    RAND_bytes(secret, sizeof(secret));
    secret[0] = 's';
    sig_scheme_secret(scheme, (sig_str_t){(char *)secret, sizeof(secret)}, 16,
                      error);
    sig_scheme_secret(
        scheme,
        (sig_str_t){"whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", 49},
        16, error);
    if (sig_scheme_finish(scheme, error) != 0) {
        sig_scheme_free(&scheme);
    }
    return scheme;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sig_str_t rest = {(const char *)data, size};
    sig_scheme_t *scheme;
    sig_str_t headers;
    sig_request_t request = {&headers, header, query, 1000};
    sig_verify_t *v;

    if (size == 0 || (scheme = configure(&rest)) == NULL) {
        return 0;
    }
    headers = rest;
    while (cut(&rest, '\n').len > 0) {
    }
    headers.len -= rest.len;
    if (sig_verify_begin(&v, scheme, &request) == SIG_OK) {
        fuzz_through();
        sig_verify_update(v, rest.data, rest.len / 2);
        sig_verify_update(v, rest.data + rest.len / 2, rest.len - rest.len / 2);
        if (sig_verify_final(&v) == SIG_OK && !sig_scheme_unsigned(scheme) &&
            strcmp(sig_scheme_name(scheme), "token") != 0) {
            abort();
        }
    }
    sig_scheme_free(&scheme);
    return 0;
}
