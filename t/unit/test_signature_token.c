/* The schemes that sign no body: token, jwt_hs256, none. */
#include "edge/signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "b64url.h"
#include "signature_request.h"

/* ---- tokens ---- */

static sig_result_t in_body(const sig_scheme_t *scheme, const char *body)
{
    pair_t none = {NULL, NULL};

    return verify_in(scheme, &none, 1, NULL, str(body), 0, 4);
}

static void token_of_header(void **state)
{
    sig_scheme_t *scheme = scheme_of("token", NULL);

    (void)state;
    option(scheme, "header", "Authorization");
    option(scheme, "prefix", "Bearer ");
    secret(scheme, "old-token-old-token");
    secret(scheme, "new-token-new-token");
    finish(scheme);
    assert_int_equal(
        verify(scheme, "authorization", "Bearer new-token-new-token", ""),
        SIG_OK);
    assert_int_equal(
        verify(scheme, "authorization", "Bearer old-token-old-token", ""),
        SIG_OK);
    assert_int_equal(
        verify(scheme, "authorization", "Bearer new-token-new-toke", ""),
        SIG_MISMATCH);
    assert_int_equal(verify(scheme, "authorization", "Bearer ", ""),
                     SIG_MISMATCH);
    assert_int_equal(verify(scheme, "authorization", "new-token-new-token", ""),
                     SIG_MISMATCH);
    assert_int_equal(verify(scheme, "authorization", "", ""), SIG_MISSING);
    sig_scheme_free(&scheme);
}

static void token_of_query(void **state)
{
    sig_scheme_t *scheme = scheme_of("token", NULL);
    pair_t none = {NULL, NULL};

    (void)state;
    option(scheme, "query", "token");
    secret(scheme, "0123456789abcdef");
    finish(scheme);
    assert_string_equal(sig_scheme_token_query(scheme), "token");
    assert_int_equal(
        verify_in(scheme, &none, 1, "0123456789abcdef", str(""), 0, 1), SIG_OK);
    assert_int_equal(
        verify_in(scheme, &none, 1, "0123456789abcdeF", str(""), 0, 1),
        SIG_MISMATCH);
    assert_int_equal(verify_in(scheme, &none, 1, NULL, str(""), 0, 1),
                     SIG_MISSING);
    sig_scheme_free(&scheme);
}

static void token_of_body(void **state)
{
    sig_scheme_t *scheme = scheme_of("token", NULL);

    (void)state;
    option(scheme, "json", "apikey");
    secret(scheme, "0123456789abcdef");
    finish(scheme);
    assert_int_equal(in_body(scheme, "{\"apikey\":\"0123456789abcdef\",\"n\":"
                                     "9999999999999999999999,\"z\":"
                                     "\"\\u0000\"}"),
                     SIG_OK);
    assert_int_equal(in_body(scheme, "{\"apikey\":\"0123456789abcde\"}"),
                     SIG_MISMATCH);
    assert_int_equal(in_body(scheme, "{\"a\":{\"apikey\":"
                                     "\"0123456789abcdef\"}}"),
                     SIG_MISSING);
    assert_int_equal(in_body(scheme, "{\"apikey\":null}"), SIG_MISSING);
    assert_int_equal(in_body(scheme, "[\"0123456789abcdef\"]"), SIG_MISSING);
    assert_int_equal(in_body(scheme, "{\"apikey\":\"0123456789abcdef\""),
                     SIG_MISMATCH);
    assert_int_equal(in_body(scheme, ""), SIG_MISSING);
    sig_scheme_free(&scheme);
}

static void unsigned_events(void **state)
{
    char error[SIG_ERROR_MAX];
    sig_scheme_t *scheme = scheme_of("none", NULL);

    (void)state;
    assert_true(sig_scheme_unsigned(scheme));
    assert_int_equal(sig_scheme_secret(scheme, str(LONG_SECRET), 16, error),
                     -1);
    assert_int_equal(sig_scheme_option(scheme, str("header"), str("x"), error),
                     -1);
    finish(scheme);
    assert_int_equal(verify(scheme, "x", "y", EVENT), SIG_OK);
    sig_scheme_free(&scheme);
}

static void large_body(void **state)
{
    size_t len = 16u * 1024 * 1024;
    char *body = malloc(2 * len);
    sig_scheme_t *scheme = scheme_of("token", NULL);
    pair_t none = {NULL, NULL};

    (void)state;
    assert_non_null(body);
    memset(body, ' ', 2 * len);
    memcpy(body, "{\"apikey\":\"0123456789abcdef\"}", 29);
    option(scheme, "json", "apikey");
    secret(scheme, "0123456789abcdef");
    finish(scheme);
    assert_int_equal(
        verify_in(scheme, &none, 1, NULL, (sig_str_t){body, len}, 0, 65536),
        SIG_OK);
    assert_int_equal(
        verify_in(scheme, &none, 1, NULL, (sig_str_t){body, 2 * len}, 0, 65536),
        SIG_OK);
    free(body);
    sig_scheme_free(&scheme);
}

/* ---- Evolution's JWT ---- */

static const char hs256[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
static const char evolution[] =
    "{\"iat\":1000,\"exp\":1600,\"app\":\"evolution\","
    "\"action\":\"webhook\"}";

static const char *bearer(const char *key, const char *header,
                          const char *claims)
{
    static char value[2048];
    char *token = value + 7, *end;
    unsigned char mac[32];

    memcpy(value, "Bearer ", 8);
    end = b64url(token, header, strlen(header));
    *end++ = '.';
    end = b64url(end, claims, strlen(claims));
    assert_non_null(HMAC(EVP_sha256(), key, (int)strlen(key),
                         (const void *)token, (size_t)(end - token), mac,
                         NULL));
    *end++ = '.';
    b64url(end, mac, sizeof(mac));
    return value;
}

static sig_result_t with_jwt(const sig_scheme_t *scheme, const char *value,
                             int64_t now)
{
    pair_t header = {"authorization", value};

    return verify_in(scheme, &header, 1, NULL, str(EVENT), now, 100);
}

static void evolution_jwt(void **state)
{
    sig_scheme_t *scheme = scheme_of("jwt_hs256", LONG_SECRET);
    char broken_token[2048];
    const char *good;

    (void)state;
    good = bearer(LONG_SECRET, hs256, evolution);
    assert_int_equal(with_jwt(scheme, good, 1000), SIG_OK);
    assert_int_equal(with_jwt(scheme, good, 1600 + 1799), SIG_OK);
    assert_int_equal(with_jwt(scheme, good, 1600 + 1800), SIG_STALE);
    assert_int_equal(with_jwt(scheme, good + 7, 1000), SIG_MISMATCH);
    assert_int_equal(with_jwt(scheme, NULL, 1000), SIG_MISSING);
    assert_int_equal(with_jwt(scheme, "Bearer ", 1000), SIG_MISMATCH);
    snprintf(broken_token, sizeof(broken_token), "%s", good);
    broken_token[strlen(good) - 5] ^= 1;
    assert_int_equal(with_jwt(scheme, broken_token, 1000), SIG_MISMATCH);
    assert_int_equal(
        with_jwt(scheme, bearer(LONG_SECRET "x", hs256, evolution), 1000),
        SIG_MISMATCH);
    assert_int_equal(
        with_jwt(scheme, bearer(LONG_SECRET, "{\"alg\":\"none\"}", evolution),
                 1000),
        SIG_MISMATCH);
    assert_int_equal(with_jwt(scheme,
                              bearer(LONG_SECRET, hs256,
                                     "{\"exp\":1600,\"app\":\"evolution\"}"),
                              1000),
                     SIG_MISMATCH);
    assert_int_equal(with_jwt(scheme,
                              bearer(LONG_SECRET, hs256,
                                     "{\"exp\":1600,\"app\":\"evolution\","
                                     "\"action\":\"login\"}"),
                              1000),
                     SIG_MISMATCH);
    assert_int_equal(with_jwt(scheme,
                              bearer(LONG_SECRET, hs256,
                                     "{\"app\":\"evolution\","
                                     "\"action\":\"webhook\"}"),
                              1000),
                     SIG_STALE);
    sig_scheme_free(&scheme);
}

static void jwt_of_other_claims(void **state)
{
    sig_scheme_t *scheme = scheme_of("jwt_hs256", NULL);
    char error[SIG_ERROR_MAX];

    (void)state;
    assert_int_equal(sig_scheme_secret(scheme, str("too short"), 0, error), -1);
    option(scheme, "leeway", "0");
    option(scheme, "claim.app", "other");
    option(scheme, "claim.action", "");
    secret(scheme, LONG_SECRET);
    finish(scheme);
    assert_int_equal(
        with_jwt(scheme,
                 bearer(LONG_SECRET, hs256, "{\"exp\":1600,\"app\":\"other\"}"),
                 1599),
        SIG_OK);
    assert_int_equal(
        with_jwt(scheme, bearer(LONG_SECRET, hs256, evolution), 1599),
        SIG_MISMATCH);
    sig_scheme_free(&scheme);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_of_header),     cmocka_unit_test(token_of_query),
        cmocka_unit_test(token_of_body),       cmocka_unit_test(large_body),
        cmocka_unit_test(unsigned_events),     cmocka_unit_test(evolution_jwt),
        cmocka_unit_test(jwt_of_other_claims),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
