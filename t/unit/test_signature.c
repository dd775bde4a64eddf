#include "edge/signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "signature_vectors.h"

/* ---- the vectors ---- */

static void the_vectors(void **state)
{
    static const size_t steps[] = {1, 7, 1000000};
    sig_scheme_t *scheme;
    const vector_t *k;
    sig_result_t result;
    size_t i, s;

    (void)state;
    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        k = &vectors[i];
        scheme = scheme_of(k->preset, k->secret);
        assert_string_equal(sig_scheme_name(scheme), k->preset);
        for (s = 0; s < 3; s++) {
            result = verify_in(scheme, k->headers, HEADERS_MAX, NULL,
                               str(k->body), k->now, steps[s]);
            if (result != k->result) {
                fail_msg("vector %zu, %s: %s", i, k->preset,
                         sig_result_name(result));
            }
        }
        sig_scheme_free(&scheme);
        assert_null(scheme);
    }
}

/* One byte of the body, one digit less, a letter that is none. */
static void broken(const vector_t *k, const sig_scheme_t *scheme)
{
    pair_t headers[HEADERS_MAX];
    char value[256];
    size_t i, len;

    memcpy(headers, k->headers, sizeof(headers));
    assert_int_not_equal(verify_in(scheme, headers, HEADERS_MAX, NULL,
                                   (sig_str_t){k->body, strlen(k->body) - 1},
                                   k->now, 1000),
                         SIG_OK);
    for (i = 0; i < HEADERS_MAX && headers[i].name != NULL; i++) {
        if (strstr(headers[i].name, "signature") == NULL &&
            strstr(headers[i].name, "hmac") == NULL) {
            continue;
        }
        len = strlen(headers[i].value);
        if (len < 40 || strchr(headers[i].value, ' ') != NULL ||
            strstr(headers[i].value, ",v0") != NULL) {
            continue;
        }
        assert_true(len < sizeof(value));
        snprintf(value, sizeof(value), "%s", headers[i].value);
        headers[i].value = value;
        value[len - 1] = '\0';
        assert_int_equal(verify_in(scheme, headers, HEADERS_MAX, NULL,
                                   str(k->body), k->now, 1000),
                         SIG_MISMATCH);
        snprintf(value, sizeof(value), "%s", k->headers[i].value);
        value[len - 3] = 'g' + 13;
        value[len - 4] = '\x80';
        assert_int_equal(verify_in(scheme, headers, HEADERS_MAX, NULL,
                                   str(k->body), k->now, 1000),
                         SIG_MISMATCH);
        headers[i].value = k->headers[i].value;
    }
}

static void broken_vectors(void **state)
{
    sig_scheme_t *scheme;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        if (vectors[i].result == SIG_OK) {
            scheme = scheme_of(vectors[i].preset, vectors[i].secret);
            broken(&vectors[i], scheme);
            sig_scheme_free(&scheme);
        }
    }
}

/* The shared file of vectors, where there is one. */
static const char *preset_of(const char *name)
{
    static const char *const names[][2] = {
        {"standard", "standard"}, {"svix", "svix"},   {"x-hub-", "hub256"},
        {"slack", "slack"},       {"waha", "waha"},   {"stripe", "stripe"},
        {"shopify", "shopify"},   {"waapi", "waapi"}, {"openwa", "openwa"}};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strncmp(name, names[i][0], strlen(names[i][0])) == 0) {
            return names[i][1];
        }
    }
    return NULL;
}

static int64_t time_of(const char *name, const char *value)
{
    const char *item = strstr(value, "t=");

    if (strstr(name, "timestamp") != NULL) {
        return strtoll(value, NULL, 10);
    }
    return strcmp(name, "stripe-signature") == 0 && item != NULL
               ? strtoll(item + 2, NULL, 10)
               : 0;
}

static void accept_sample(json_t *sample)
{
    const char *name = json_string_value(json_object_get(sample, "name"));
    const char *preset = preset_of(name);
    pair_t headers[HEADERS_MAX] = {{NULL, NULL}};
    sig_scheme_t *scheme;
    sig_result_t result;
    const char *key;
    json_t *value;
    int64_t now = 0;
    size_t n = 0;

    assert_non_null(preset);
    json_object_foreach(json_object_get(sample, "headers"), key, value)
    {
        assert_true(n < HEADERS_MAX);
        headers[n].name = key;
        headers[n].value = json_string_value(value);
        now += time_of(key, headers[n].value);
        n++;
    }
    scheme =
        scheme_of(preset, json_string_value(json_object_get(sample, "secret")));
    result = verify_in(scheme, headers, n, NULL,
                       str(json_string_value(json_object_get(sample, "body"))),
                       now, 5);
    if (result != SIG_OK) {
        fail_msg("%s: %s", name, sig_result_name(result));
    }
    sig_scheme_free(&scheme);
}

static void the_samples(void **state)
{
    const char *dir = getenv("WACRM_SAMPLES");
    char path[1024];
    json_t *root, *sample;
    size_t i;

    (void)state;
    snprintf(path, sizeof(path), "%s/signatures/vectors.json",
             dir == NULL ? "../shared/gateway-samples" : dir);
    root = json_load_file(path, 0, NULL);
    if (root == NULL) {
        skip();
    }
    assert_true(json_array_size(json_object_get(root, "accept")) > 0);
    json_array_foreach(json_object_get(root, "accept"), i, sample)
    {
        accept_sample(sample);
    }
    json_decref(root);
}

/* ---- rotation, doubled headers, other schemes ---- */

static const char *mac_of(const EVP_MD *md, const char *key, const char *text)
{
    static char hex[129];
    unsigned char mac[64];
    unsigned len = 0, i;

    assert_non_null(HMAC(md, key, (int)strlen(key), (const void *)text,
                         strlen(text), mac, &len));
    for (i = 0; i < len; i++) {
        snprintf(hex + 2 * i, 3, "%02x", mac[i]);
    }
    return hex;
}

static void rotation(void **state)
{
    static const pair_t twice[] = {{"x-webhook-signature", WAAPI_MAC},
                                   {"x-webhook-signature", WAAPI_MAC}};
    sig_scheme_t *scheme = scheme_of("waapi", NULL);
    char both[400];

    (void)state;
    secret(scheme, "new-secret");
    secret(scheme, "seed-secret");
    finish(scheme);
    assert_int_equal(verify(scheme, "x-webhook-signature", WAAPI_MAC, EVENT),
                     SIG_OK);
    assert_int_equal(verify(scheme, "x-webhook-signature",
                            mac_of(EVP_sha256(), "new-secret", EVENT), EVENT),
                     SIG_OK);
    assert_int_equal(verify(scheme, "x-webhook-signature",
                            mac_of(EVP_sha256(), "retired", EVENT), EVENT),
                     SIG_MISMATCH);
    assert_int_equal(verify_in(scheme, twice, 2, NULL, str(EVENT), 0, 100),
                     SIG_MISMATCH);
    /* No separator: two digests in one header are none. */
    snprintf(both, sizeof(both), "%s,%s", WAAPI_MAC, WAAPI_MAC);
    assert_int_equal(verify(scheme, "x-webhook-signature", both, EVENT),
                     SIG_MISMATCH);
    sig_scheme_free(&scheme);
}

/* Keys about the size of a block, an empty body, upper-case digits. */
static void key_lengths(void **state)
{
    static const size_t lens[] = {1, 63, 64, 65, 127, 128, 129, 1000};
    char key[1001];
    char upper[129];
    sig_scheme_t *scheme;
    size_t i, k;

    (void)state;
    for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        memset(key, 'k', lens[i]);
        key[lens[i]] = '\0';
        scheme = scheme_of("hub1", key);
        snprintf(upper, sizeof(upper), "sha1=%s", mac_of(EVP_sha1(), key, ""));
        for (k = 5; upper[k] != '\0'; k++) {
            upper[k] -= upper[k] >= 'a' ? 32 : 0;
        }
        assert_int_equal(verify(scheme, "X-Hub-Signature", upper, ""), SIG_OK);
        sig_scheme_free(&scheme);
        scheme = scheme_of("waha", key);
        assert_int_equal(verify(scheme, "x-webhook-hmac",
                                mac_of(EVP_sha512(), key, EVENT), EVENT),
                         SIG_OK);
        sig_scheme_free(&scheme);
    }
}

/* A signed event whose body's first words are passed off as its time. */
static void shifted(void **state)
{
    static const char text[] = "a.1614265330.1614265330.{}";
    char value[100];
    pair_t headers[3] = {{"webhook-id", "a"},
                         {"webhook-timestamp", "1614265330"},
                         {"webhook-signature", value}};
    sig_scheme_t *scheme = scheme_of("standard", NULL);

    (void)state;
    option(scheme, "key", "raw");
    option(scheme, "coding", "hex");
    secret(scheme, LONG_SECRET);
    finish(scheme);
    snprintf(value, sizeof(value), "v1,%s",
             mac_of(EVP_sha256(), LONG_SECRET, text));
    assert_int_equal(
        verify_in(scheme, headers, 3, NULL, str(text + 13), 1614265330, 9),
        SIG_OK);
    headers[0].value = "a.1614265330";
    assert_int_equal(
        verify_in(scheme, headers, 3, NULL, str("{}"), 1614265330, 9),
        SIG_MISMATCH);
    sig_scheme_free(&scheme);
}

static void general_form(void **state)
{
    char value[300];
    pair_t headers[3] = {{"x-sig", value},
                         {"x-at", "2026-01-15T08:30:00.250+07:00"},
                         {"x-id", "e1"}};
    int64_t now = 1768440600; /* 01:30:00Z */
    sig_scheme_t *scheme = scheme_of("custom", NULL);

    (void)state;
    option(scheme, "header", "X-Sig");
    option(scheme, "prefix", "h=");
    option(scheme, "separator", "comma");
    option(scheme, "digest", "sha512");
    option(scheme, "coding", "hex");
    option(scheme, "template", "<{id}|{ts}>{body}<end>");
    option(scheme, "id_header", "X-Id");
    option(scheme, "timestamp_header", "X-At");
    option(scheme, "timestamp", "iso");
    option(scheme, "tolerance", "10");
    option(scheme, "key", "base64");
    secret(scheme, "a2V5LWtleS1rZXk=");
    finish(scheme);
    assert_string_equal(sig_scheme_id_header(scheme), "x-id");
    assert_string_equal(sig_scheme_timestamp_header(scheme), "x-at");
    snprintf(value, sizeof(value), "a=1, h=%s",
             mac_of(EVP_sha512(), "key-key-key",
                    "<e1|2026-01-15T08:30:00.250+07:00>" EVENT "<end>"));
    assert_int_equal(verify_in(scheme, headers, 3, NULL, str(EVENT), now, 9),
                     SIG_OK);
    assert_int_equal(
        verify_in(scheme, headers, 3, NULL, str(EVENT), now + 10, 9), SIG_OK);
    assert_int_equal(
        verify_in(scheme, headers, 3, NULL, str(EVENT), now + 11, 9),
        SIG_STALE);
    headers[2].value = "e|1";
    assert_int_equal(verify_in(scheme, headers, 3, NULL, str(EVENT), now, 9),
                     SIG_MISMATCH);
    sig_scheme_free(&scheme);
}

static void iso_times(void **state)
{
    static const struct {
        const char *text;
        int64_t now;
        sig_result_t result;
    } times[] = {
        {"1970-01-01T00:00:00Z", 0, SIG_OK},
        {"2000-02-29T23:59:59Z", 951868799, SIG_OK},
        {"2024-03-01T00:00:00z", 1709251200, SIG_OK},
        {"2038-01-19T03:14:08.000000000Z", 2147483648, SIG_OK},
        {"2026-01-15T08:30:00-01:30", 1768471200, SIG_OK},
        {"2026-01-15T08:30:00", 1768465800, SIG_MISMATCH},
        {"2026-01-15T08:30:00.Z", 1768465800, SIG_MISMATCH},
        {"2026-01-15 08:30:00Z", 1768465800, SIG_MISMATCH},
        {"2026-13-15T08:30:00Z", 1768465800, SIG_MISMATCH},
        {"2026-01-15T25:30:00Z", 1768465800, SIG_MISMATCH},
        {"2026-01-15T08:30:00+0700", 1768465800, SIG_MISMATCH},
        {"0000-01-01T00:00:00Z", 0, SIG_MISMATCH},
        {"2026-01-15T08:30:00ZZ", 1768465800, SIG_MISMATCH},
        {"1768465800", 1768465800, SIG_MISMATCH},
    };
    char value[200];
    char text[300];
    pair_t headers[2] = {{"x-webhook-signature", value},
                         {"x-webhook-timestamp", NULL}};
    sig_scheme_t *scheme = scheme_of("generic", NULL);
    sig_result_t result;
    size_t i;

    (void)state;
    option(scheme, "timestamp", "iso");
    option(scheme, "tolerance", "1");
    secret(scheme, LONG_SECRET);
    finish(scheme);
    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        headers[1].value = times[i].text;
        snprintf(text, sizeof(text), "%s.%s", times[i].text, EVENT);
        snprintf(value, sizeof(value), "sha256=%s",
                 mac_of(EVP_sha256(), LONG_SECRET, text));
        result =
            verify_in(scheme, headers, 2, NULL, str(EVENT), times[i].now, 100);
        if (result != times[i].result) {
            fail_msg("%s: %s", times[i].text, sig_result_name(result));
        }
    }
    sig_scheme_free(&scheme);
}

/* ---- Ed25519 ---- */

static void ed25519(void **state)
{
    static const char text[] = MSG_ID ".1614265330." TEST_BODY;
    unsigned char raw[32], sig[64];
    char key[64] = "whpk_";
    char value[300] = DECOY " v1a,";
    pair_t headers[3] = {{"webhook-id", MSG_ID},
                         {"webhook-timestamp", "1614265330"},
                         {"webhook-signature", value}};
    sig_scheme_t *scheme = scheme_of("standard", NULL);
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t raw_len = sizeof(raw), sig_len = sizeof(sig);

    (void)state;
    assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, raw, &raw_len), 1);
    EVP_EncodeBlock((unsigned char *)key + 5, raw, 32);
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey), 1);
    assert_int_equal(EVP_DigestSign(ctx, sig, &sig_len, (const void *)text,
                                    sizeof(text) - 1),
                     1);
    EVP_EncodeBlock((unsigned char *)value + strlen(value), sig, 64);
    secret(scheme, key);
    secret(scheme, WHSEC);
    finish(scheme);
    assert_int_equal(
        verify_in(scheme, headers, 3, NULL, str(TEST_BODY), 1614265330, 3),
        SIG_OK);
    assert_int_equal(
        verify_in(scheme, headers, 3, NULL, str("{}"), 1614265330, 3),
        SIG_MISMATCH);
    headers[2].value = GOOD; /* the HMAC beside it */
    assert_int_equal(
        verify_in(scheme, headers, 3, NULL, str(TEST_BODY), 1614265330, 3),
        SIG_OK);
    headers[2].value = value; /* an Ed25519 signature is none as v1 */
    memcpy(value, "v2,", 3);
    memmove(strstr(value, "v1a,"), " v1,", 4);
    assert_int_equal(
        verify_in(scheme, headers, 3, NULL, str(TEST_BODY), 1614265330, 3),
        SIG_MISMATCH);
    sig_scheme_free(&scheme);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
}

static void given_up(void **state)
{
    pair_t header = {"x-webhook-signature", WAAPI_MAC};
    fake_t fake = {&header, 1, NULL};
    sig_request_t request = {&fake, fake_header, fake_query, 0};
    sig_scheme_t *scheme = scheme_of("waapi", "seed-secret");
    sig_verify_t *v;

    (void)state;
    assert_int_equal(sig_verify_begin(&v, scheme, &request), SIG_OK);
    sig_verify_update(v, EVENT, 3);
    sig_verify_abort(&v);
    assert_null(v);
    sig_verify_abort(&v);
    sig_scheme_free(&scheme);
    scheme = scheme_of("waapi", NULL);
    assert_int_equal(sig_verify_begin(&v, scheme, &request), SIG_FAULT);
    sig_scheme_free(&scheme);
    sig_scheme_free(&scheme);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors),  cmocka_unit_test(broken_vectors),
        cmocka_unit_test(the_samples),  cmocka_unit_test(rotation),
        cmocka_unit_test(key_lengths),  cmocka_unit_test(shifted),
        cmocka_unit_test(general_form), cmocka_unit_test(iso_times),
        cmocka_unit_test(ed25519),      cmocka_unit_test(given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
