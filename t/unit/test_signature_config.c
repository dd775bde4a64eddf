/* What nginx -t has to catch. */
#include "edge/signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signature_request.h"

static void refused_options(void **state)
{
    static const char *const bad[][3] = {
        {"hub256", "colour", "red"},     {"hub256", "query", "token"},
        {"hub256", "leeway", "1"},       {"hub256", "claim.a", "b"},
        {"token", "digest", "sha256"},   {"token", "template", "{body}"},
        {"jwt_hs256", "tolerance", "1"}, {"jwt_hs256", "claim.", "b"},
        {"custom", "header", ""},        {"custom", "header", "a b"},
        {"custom", "header", "a:"},      {"custom", "digest", "md5"},
        {"custom", "digest", "SHA256"},  {"custom", "coding", "base32"},
        {"custom", "separator", ";"},    {"custom", "optional_prefix", "1"},
        {"custom", "timestamp", "m"},    {"custom", "tolerance", "-1"},
        {"custom", "tolerance", "abc"},  {"custom", "tolerance", "9999999"},
        {"custom", "tolerance", ""},     {"custom", "key", "hex"},
        {"custom", "template", ""},      {"custom", "prefix", "a\nb"},
        {"none", "header", "x"},         {"custom", "", "x"},
    };
    char error[SIG_ERROR_MAX];
    sig_scheme_t *scheme;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        scheme = scheme_of(bad[i][0], NULL);
        error[0] = '\0';
        if (sig_scheme_option(scheme, str(bad[i][1]), str(bad[i][2]), error) !=
                -1 ||
            error[0] == '\0') {
            fail_msg("%s %s=%s accepted", bad[i][0], bad[i][1], bad[i][2]);
        }
        sig_scheme_free(&scheme);
    }
    assert_int_equal(sig_scheme_new(&scheme, str("hub512"), error), -1);
    assert_null(scheme);
    assert_int_equal(sig_scheme_new(&scheme, str(""), error), -1);
}

static void refused_secrets(void **state)
{
    static const char *const bad[][2] = {
        {"hub256", ""},
        {"hub256", "secret"},
        {"hub256", "fifteen-bytes-x"},
        {"token", "fifteen-bytes-x"},
        {"token", "secret"},
        {"standard", "whsec_c2hvcnQ="},
        {"standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa!w"},
        {"standard", "whsec_"},
        {"jwt_hs256", "sixteen-bytes-xx"},
    };
    char error[SIG_ERROR_MAX];
    sig_scheme_t *scheme;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        scheme = scheme_of(bad[i][0], NULL);
        error[0] = '\0';
        if (sig_scheme_secret(scheme, str(bad[i][1]), 16, error) != -1 ||
            error[0] == '\0') {
            fail_msg("%s: secret \"%s\" accepted", bad[i][0], bad[i][1]);
        }
        assert_int_equal(sig_scheme_finish(scheme, error), -1);
        sig_scheme_free(&scheme);
    }
    scheme = scheme_of("hub256", NULL);
    assert_int_equal(
        sig_scheme_secret(scheme, str("sixteen-bytes-xx"), 16, error), 0);
    /* The secret is decoded by then. */
    assert_int_equal(
        sig_scheme_option(scheme, str("key"), str("base64"), error), -1);
    finish(scheme);
    assert_int_equal(sig_scheme_finish(scheme, error), -1);
    assert_int_equal(
        sig_scheme_secret(scheme, str("sixteen-bytes-xx"), 16, error), -1);
    sig_scheme_free(&scheme);
    scheme = scheme_of("standard", NULL);
    secret(scheme, "whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"); /* 24 bytes */
    assert_int_equal(sig_scheme_finish(scheme, error), -1);
    sig_scheme_free(&scheme);
}

static void refused_forms(void **state)
{
    /* header, template, and two options */
    static const char *const bad[][6] = {
        {NULL, "{body}"},
        {"x", NULL},
        {"x", "nothing"},
        {"x", "{body}{body}"},
        {"x", "{ts}.{body}"},
        {"x", "{id}.{body}"},
        {"x", "{url}{body}"},
        {"x", "{body"},
        {"x", "{id}{body}", "id_header", "i"},
        {"x", "{id}{ts}.{body}", "id_header", "i", "timestamp_header", "t"},
        {"x", "{ts}.{body}", "timestamp_item", "t"},
        {"x", "{ts}.{body}", "timestamp_item", "t", "timestamp_header", "t"},
        {"x", "{body}", "optional_prefix", "on"},
    };
    char error[SIG_ERROR_MAX];
    sig_scheme_t *scheme;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        scheme = scheme_of("custom", NULL);
        if (bad[i][0] != NULL) {
            option(scheme, "header", bad[i][0]);
        }
        if (bad[i][1] != NULL) {
            option(scheme, "template", bad[i][1]);
        }
        if (bad[i][2] != NULL) {
            option(scheme, bad[i][2], bad[i][3]);
        }
        if (bad[i][4] != NULL) {
            option(scheme, bad[i][4], bad[i][5]);
        }
        secret(scheme, LONG_SECRET);
        error[0] = '\0';
        if (sig_scheme_finish(scheme, error) != -1 || error[0] == '\0') {
            fail_msg("form %zu accepted", i);
        }
        sig_scheme_free(&scheme);
    }
    scheme = scheme_of("token", NULL);
    secret(scheme, LONG_SECRET);
    assert_int_equal(sig_scheme_finish(scheme, error), -1);
    option(scheme, "header", "x");
    option(scheme, "query", "x");
    assert_int_equal(sig_scheme_finish(scheme, error), -1);
    sig_scheme_free(&scheme);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_options),
        cmocka_unit_test(refused_secrets),
        cmocka_unit_test(refused_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
