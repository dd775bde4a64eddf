/*
 * What the edge checks, with each of its allocations failing in turn: a fault
 * (5xx, and the sender comes again), never a verdict on what was sent.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <jwt.h>
#include <openssl/err.h>

#include "edge/json_memory.h"
#include "edge/jwt_gate.h"
#include "edge/jwt_signature.h"
#include "short_memory.h"
#include "signature_vectors.h"

#define SWEEP 2000
#define LATER INT64_C(4000000000)

static char token[2048];

static int setup(void **state)
{
    jwt_t *jwt;
    char *text;

    (void)state;
    assert_int_equal(jwt_new(&jwt), 0);
    assert_int_equal(jwt_set_alg(jwt, JWT_ALG_HS256,
                                 (const unsigned char *)LONG_SECRET,
                                 (int)strlen(LONG_SECRET)),
                     0);
    assert_int_equal(jwt_add_grant(jwt, "sub", "7"), 0);
    assert_int_equal(jwt_add_grant_int(jwt, "exp", (long)LATER), 0);
    text = jwt_encode_str(jwt);
    assert_non_null(text);
    (void)snprintf(token, sizeof(token), "%s", text);
    free(text);
    jwt_free(jwt);
    return 0;
}

/* ---- signatures ---- */

static void sweep(const sig_scheme_t *scheme, const pair_t *headers,
                  size_t count, const char *body, int64_t now)
{
    sig_result_t result;
    long hits = 1;

    assert_int_equal(
        verify_in(scheme, headers, count, NULL, str(body), now, 1000000),
        SIG_OK);
    for (long skip = 0; hits > 0; skip++) {
        assert_true(skip < SWEEP);
        short_memory_begin(skip, 1);
        result = verify_in(scheme, headers, count, NULL, str(body), now, 7);
        hits = short_memory_end();
        assert_true(result == SIG_OK || (hits > 0 && result == SIG_FAULT));
    }
}

static void signatures(void **state)
{
    size_t n = 0;

    (void)state;
    if (!short_memory()) {
        skip();
    }
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const vector_t *v = &vectors[i];
        sig_scheme_t *scheme;

        if (v->result != SIG_OK) {
            continue;
        }
        scheme = scheme_of(v->preset, v->secret);
        sweep(scheme, v->headers, HEADERS_MAX, v->body, v->now);
        sig_scheme_free(&scheme);
        n++;
    }
    assert_true(n > 5);
}

static void tokens_and_jwt(void **state)
{
    sig_scheme_t *scheme;
    char bearer[sizeof(token) + 16];
    pair_t header = {"authorization", bearer};

    (void)state;
    if (!short_memory()) {
        skip();
    }
    (void)snprintf(bearer, sizeof(bearer), "Bearer %s", token);
    scheme = scheme_of("jwt_hs256", NULL);
    option(scheme, "claim.app", "");
    option(scheme, "claim.action", "");
    secret(scheme, LONG_SECRET);
    finish(scheme);
    sweep(scheme, &header, 1, EVENT, 1000);
    sig_scheme_free(&scheme);

    scheme = scheme_of("token", NULL);
    option(scheme, "json", "apikey");
    secret(scheme, LONG_SECRET);
    finish(scheme);
    sweep(scheme, &header, 1, "{\"apikey\":\"" LONG_SECRET "\",\"n\":[1]}", 0);
    sig_scheme_free(&scheme);
}

/* ---- bearers of the API ---- */

static void bearers(void **state)
{
    char error[JWT_GATE_ERROR_MAX];
    jwt_gate_rules_t rules = {.now = 1000};
    jwt_keyset_t *set;
    long hits = 1;

    (void)state;
    if (!short_memory()) {
        skip();
    }
    assert_int_equal(jwt_keyset_new(&set), 0);
    assert_int_equal(jwt_keyset_add(set, JWT_GATE_HS256, LONG_SECRET,
                                    strlen(LONG_SECRET), error),
                     0);
    for (long skip = 0; hits > 0; skip++) {
        jwt_gate_token_t tok;
        jwt_gate_result_t result;
        int good = -1;

        assert_true(skip < SWEEP);
        short_memory_begin(skip, 1);
        result = jwt_gate_open(set, token, strlen(token), &tok);
        if (result == JWT_GATE_OK) {
            assert_int_equal(jwt_gate_claims(&tok, &rules), JWT_GATE_OK);
            good = jwt_signature_good(token, "HS256", tok.keys[0]->data,
                                      tok.keys[0]->len);
        }
        hits = short_memory_end();
        assert_true(result == JWT_GATE_OK ||
                    (hits > 0 && result == JWT_GATE_FAULT));
        assert_true(good == 1 || (hits > 0 && good == -1));
        if (result == JWT_GATE_OK) {
            jwt_gate_close(&tok);
        }
    }
    jwt_keyset_free(&set);
}

static int judge(const char *text)
{
    return jwt_signature_good(text, "HS256", (const unsigned char *)LONG_SECRET,
                              strlen(LONG_SECRET));
}

/* What somebody else was short of is no word on this token. */
static void errors_of_others(void **state)
{
    char wrong[sizeof(token)];
    size_t len = strlen(token);

    (void)state;
    memcpy(wrong, token, len + 1);
    wrong[len - 2] = wrong[len - 2] == 'A' ? 'B' : 'A';
    ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE);
    errno = ENOMEM;
    assert_int_equal(judge(wrong), 0);
    assert_int_equal(judge(token), 1);
}

static size_t others;

static void *their_malloc(size_t size)
{
    others++;
    return malloc(size);
}

/* jansson's allocator is one for the process: whoever set it keeps it. */
static void allocator_of_others(void **state)
{
    json_malloc_t before;
    json_free_t put;

    (void)state;
    json_get_alloc_funcs(&before, &put);
    json_set_alloc_funcs(their_malloc, free);
    others = 0;
    assert_int_equal(judge(token), 1);
    assert_true(others > 0);
    assert_false(json_memory_was_short());
    json_set_alloc_funcs(malloc, free);
    json_memory_watch();
    json_get_alloc_funcs(&before, &put);
    assert_true(before != malloc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures),
        cmocka_unit_test(tokens_and_jwt),
        cmocka_unit_test(bearers),
        cmocka_unit_test(errors_of_others),
        cmocka_unit_test(allocator_of_others),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
