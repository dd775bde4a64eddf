/*
 * The gate's part of RFC 8725 and of the known attacks on JWT libraries. What
 * passes it is given to libjwt with the key that the gate chose.
 */
#include "edge/jwt_gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jwt.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define SECRET "0123456789abcdef0123456789abcdef"
#define HS256  "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define CLAIMS "{\"sub\":\"7\",\"exp\":2000}"
#define NOW    1000

/* ---- making tokens; a signature of the right length does for the gate ---- */

static char *b64url(char *out, const void *in, size_t len)
{
    size_t n = (size_t)EVP_EncodeBlock((unsigned char *)out, in, (int)len);
    size_t i;

    while (n > 0 && out[n - 1] == '=') {
        out[--n] = '\0';
    }
    for (i = 0; i < n; i++) {
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    }
    return out + n;
}

static char token_space[65536];

static const char *token_n(const void *header, size_t header_len,
                           const void *claims, size_t claims_len,
                           size_t sig_len)
{
    unsigned char sig[4096];
    char *p;

    assert_true(header_len + claims_len < 40000 && sig_len <= sizeof(sig));
    memset(sig, 0x5a, sizeof(sig));
    p = b64url(token_space, header, header_len);
    *p++ = '.';
    p = b64url(p, claims, claims_len);
    *p++ = '.';
    b64url(p, sig, sig_len);
    return token_space;
}

static const char *token(const char *header, const char *claims)
{
    return token_n(header, strlen(header), claims, strlen(claims), 32);
}

static jwt_keyset_t *new_set(void)
{
    jwt_keyset_t *set;

    assert_int_equal(jwt_keyset_new(&set), 0);
    return set;
}

static void add(jwt_keyset_t *set, jwt_gate_alg_t alg, const char *file)
{
    char error[JWT_GATE_ERROR_MAX] = "";

    if (jwt_keyset_add(set, alg, file, strlen(file), error) != 0) {
        fail_msg("%s: %s", jwt_gate_alg_name(alg), error);
    }
}

static void refuse(jwt_gate_alg_t alg, const char *file, size_t len)
{
    char error[JWT_GATE_ERROR_MAX] = "";
    jwt_keyset_t *set = new_set();

    if (jwt_keyset_add(set, alg, file, len, error) != -1 || error[0] == '\0') {
        fail_msg("%s accepted: %.60s", jwt_gate_alg_name(alg), file);
    }
    assert_int_equal(jwt_keyset_count(set), 0);
    jwt_keyset_free(&set);
}

static jwt_keyset_t *secret_set(void)
{
    jwt_keyset_t *set = new_set();

    add(set, JWT_GATE_HS256, SECRET "\n");
    return set;
}

static jwt_gate_result_t open_n(const jwt_keyset_t *set, const char *text,
                                size_t len)
{
    /* Without a NUL behind it, and its end on the end of the memory. */
    char *copy = malloc(len > 0 ? len : 1);
    jwt_gate_result_t result;
    jwt_gate_token_t tok;

    assert_non_null(copy);
    memcpy(copy, text, len);
    result = jwt_gate_open(set, copy, len, &tok);
    free(copy);
    if (result == JWT_GATE_OK) {
        assert_true(json_is_object(tok.claims));
        assert_true(tok.nkeys > 0);
    } else {
        assert_null(tok.claims);
        assert_int_equal(tok.nkeys, 0);
    }
    jwt_gate_close(&tok);
    return result;
}

static jwt_gate_result_t gate(const jwt_keyset_t *set, const char *text)
{
    return open_n(set, text, strlen(text));
}

static void expect(const jwt_keyset_t *set, const char *text,
                   jwt_gate_result_t expected)
{
    jwt_gate_result_t result = gate(set, text);

    if (result != expected) {
        fail_msg("%s, not %s: %.80s", jwt_gate_result_name(result),
                 jwt_gate_result_name(expected), text);
    }
}

/* ---- the names ---- */

static void names(void **state)
{
    static const char *const good[] = {"HS256", "HS384", "HS512",
                                       "RS256", "RS384", "RS512",
                                       "ES256", "ES384", "ES512"};
    static const char *const bad[] = {"none",  "None",  "NONE",   "",
                                      "hs256", "HS25",  "HS2566", "PS256",
                                      "EdDSA", "ES256K"};
    jwt_gate_alg_t alg;
    size_t i;

    (void)state;
    for (i = 0; i < 9; i++) {
        assert_true(jwt_gate_alg_parse(good[i], 5, &alg));
        assert_int_equal(alg, i);
        assert_string_equal(jwt_gate_alg_name(alg), good[i]);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(jwt_gate_alg_parse(bad[i], strlen(bad[i]), &alg));
    }
    for (i = 0; i <= JWT_GATE_FAULT; i++) {
        assert_non_null(jwt_gate_result_name((jwt_gate_result_t)i));
    }
}

/* ---- the header ---- */

static void headers(void **state)
{
    static const struct {
        const char *header;
        jwt_gate_result_t result;
    } cases[] = {
        {HS256, JWT_GATE_OK},
        {"{\"alg\":\"HS256\"}", JWT_GATE_OK},
        {"{\"alg\":\"HS256\",\"typ\":\"jwt\"}", JWT_GATE_OK},
        {"{\"alg\":\"HS256\",\"typ\":\"application/at+jwt\"}", JWT_GATE_CLAIM},
        {"{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", JWT_GATE_CLAIM},
        {"{\"alg\":\"HS256\",\"kid\":\"any\"}", JWT_GATE_OK},
        /* the algorithm */
        {"{}", JWT_GATE_ALG},
        {"{\"alg\":\"none\"}", JWT_GATE_ALG},
        {"{\"alg\":\"None\"}", JWT_GATE_ALG},
        {"{\"alg\":\"NONE\"}", JWT_GATE_ALG},
        {"{\"alg\":\"nOnE\"}", JWT_GATE_ALG},
        {"{\"alg\":\"\"}", JWT_GATE_ALG},
        {"{\"alg\":null}", JWT_GATE_ALG},
        {"{\"alg\":256}", JWT_GATE_ALG},
        {"{\"alg\":[\"HS256\"]}", JWT_GATE_ALG},
        {"{\"alg\":\"hs256\"}", JWT_GATE_ALG},
        {"{\"alg\":\"HS256 \"}", JWT_GATE_ALG},
        {"{\"alg\":\"HS384\"}", JWT_GATE_ALG},
        {"{\"alg\":\"HS512\"}", JWT_GATE_ALG},
        {"{\"alg\":\"RS256\"}", JWT_GATE_ALG},
        {"{\"alg\":\"ES256\"}", JWT_GATE_ALG},
        {"{\"alg\":\"PS256\"}", JWT_GATE_ALG},
        {"{\"ALG\":\"HS256\"}", JWT_GATE_ALG},
        {"{\"alg\":\"HS256\",\"crit\":[]}", JWT_GATE_ALG},
        {"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", JWT_GATE_ALG},
        {"{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", JWT_GATE_ALG},
        {"{\"alg\":\"HS256\",\"b64\":false}", JWT_GATE_ALG},
        {"{\"alg\":\"HS256\",\"b64\":true}", JWT_GATE_ALG},
        /* keys in the header are of no account */
        {"{\"alg\":\"HS256\",\"jku\":\"https://x\",\"x5u\":\"https://x\","
         "\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"},\"x5c\":[\"AA==\"]}",
         JWT_GATE_OK},
        /* other types of token */
        {"{\"alg\":\"HS256\",\"typ\":\"refresh+jwt\"}", JWT_GATE_CLAIM},
        {"{\"alg\":\"HS256\",\"typ\":7}", JWT_GATE_CLAIM},
        {"{\"alg\":\"HS256\",\"kid\":7}", JWT_GATE_KEY},
        /* JSON */
        {"", JWT_GATE_MALFORMED},
        {"{", JWT_GATE_MALFORMED},
        {"[]", JWT_GATE_MALFORMED},
        {"\"HS256\"", JWT_GATE_MALFORMED},
        {"{\"alg\":\"HS256\"}{}", JWT_GATE_MALFORMED},
        {"{\"alg\":\"HS256\"} x", JWT_GATE_MALFORMED},
        {"{\"alg\":\"none\",\"alg\":\"HS256\"}", JWT_GATE_MALFORMED},
        {"{\"alg\":\"HS256\",\"a\\u006cg\":\"none\"}", JWT_GATE_MALFORMED},
        {"{\"alg\":\"HS256\",\"x\":\"\xff\"}", JWT_GATE_MALFORMED},
        {"{\"alg\":\"HS256\",\"x\":\"\xc0\x80\"}", JWT_GATE_MALFORMED},
        {"{\"alg\":\"HS256\",\"kid\":\"a\\u0000b\"}", JWT_GATE_MALFORMED},
        {"{\"alg\":\"HS256\",\"x\":[[[[[[[[[]]]]]]]]]}", JWT_GATE_OK},
        {"{\"alg\":\"HS256\",\"x\":[[[[[[[[[[]]]]]]]]]]}", JWT_GATE_MALFORMED},
    };
    jwt_keyset_t *set = secret_set();
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (gate(set, token(cases[i].header, CLAIMS)) != cases[i].result) {
            fail_msg("header %s", cases[i].header);
        }
    }
    jwt_keyset_free(&set);
    assert_null(set);
}

/* ---- segments, coding, sizes ---- */

static void segments(void **state)
{
    static const char *const bad[] = {
        "",    ".",       "..",       "...",      "a",
        "a.b", "a.b.c.d", "a..c",     ".b.c",     "a.b.",
        " ",   "Bearer",  "e30.e30.", "e30..e30", "e30.e30"};
    jwt_keyset_t *set = secret_set();
    char text[1024];
    char *dot;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (open_n(set, bad[i], strlen(bad[i])) == JWT_GATE_OK) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
    snprintf(text, sizeof(text), "%s.x", token(HS256, CLAIMS));
    expect(set, text, JWT_GATE_MALFORMED);
    snprintf(text, sizeof(text), "%s=", token(HS256, CLAIMS));
    expect(set, text, JWT_GATE_MALFORMED);
    snprintf(text, sizeof(text), "%s ", token(HS256, CLAIMS));
    expect(set, text, JWT_GATE_MALFORMED);
    snprintf(text, sizeof(text), " %s", token(HS256, CLAIMS));
    expect(set, text, JWT_GATE_MALFORMED);
    snprintf(text, sizeof(text), "%s\n", token(HS256, CLAIMS));
    expect(set, text, JWT_GATE_MALFORMED);
    /* A foreign letter at any place, the table's upper half included. */
    for (i = 0; i < strlen(token(HS256, CLAIMS)); i++) {
        if (token_space[i] == '.') {
            continue;
        }
        snprintf(text, sizeof(text), "%.1000s", token_space);
        text[i] = "+/=%\t\x80\xff"[i % 7];
        if (open_n(set, text, strlen(text)) == JWT_GATE_OK) {
            fail_msg("accepted: %s", text);
        }
    }
    /* Another last letter with the same bytes behind it. */
    snprintf(text, sizeof(text), "%s", token(HS256, CLAIMS));
    text[strlen(text) - 1]++;
    expect(set, text, JWT_GATE_MALFORMED);
    /* A token cut at every place is none. */
    token(HS256, CLAIMS);
    for (i = 0; i < strlen(token_space); i++) {
        assert_int_not_equal(open_n(set, token_space, i), JWT_GATE_OK);
    }
    snprintf(text, sizeof(text), "%.1000s", token_space);
    dot = strchr(text, '.');
    *dot = '\0';
    assert_int_equal(open_n(set, text, strlen(token_space)),
                     JWT_GATE_MALFORMED);
    jwt_keyset_free(&set);
}

static void sizes(void **state)
{
    jwt_keyset_t *set = secret_set();
    char json[32768];
    size_t n;

    (void)state;
    n = (size_t)snprintf(json, sizeof(json), "{\"exp\":1,\"x\":\"%012000d\"}",
                         0);
    assert_int_equal(gate(set, token_n(HS256, strlen(HS256), json, n, 32)),
                     JWT_GATE_OK);
    n = (size_t)snprintf(json, sizeof(json), "{\"exp\":1,\"x\":\"%012300d\"}",
                         0);
    token_n(HS256, strlen(HS256), json, n, 32);
    assert_true(strlen(token_space) > JWT_GATE_TOKEN_MAX);
    expect(set, token_space, JWT_GATE_MALFORMED);

    n = (size_t)snprintf(json, sizeof(json),
                         "{\"alg\":\"HS256\",\"x\":\"%08100d\"}", 0);
    assert_true(n <= JWT_GATE_HEADER_MAX);
    expect(set, token_n(json, n, CLAIMS, strlen(CLAIMS), 32), JWT_GATE_OK);
    n = (size_t)snprintf(json, sizeof(json),
                         "{\"alg\":\"HS256\",\"x\":\"%08200d\"}", 0);
    assert_true(n > JWT_GATE_HEADER_MAX);
    expect(set, token_n(json, n, CLAIMS, strlen(CLAIMS), 32),
           JWT_GATE_MALFORMED);
    jwt_keyset_free(&set);
}

static void many_members(void **state)
{
    jwt_keyset_t *set = secret_set();
    char json[8192] = "{";
    size_t at = 1;
    int i;

    (void)state;
    for (i = 0; i < 99; i++) {
        at += (size_t)snprintf(json + at, sizeof(json) - at, "\"a%d\":1,", i);
    }
    snprintf(json + at, sizeof(json) - at, "\"exp\":1}");
    expect(set, token(HS256, json), JWT_GATE_OK);
    snprintf(json + at, sizeof(json) - at, "\"exp\":1,\"z\":1}");
    expect(set, token(HS256, json), JWT_GATE_MALFORMED);
    memset(json, '[', 8000);
    json[8000] = '\0';
    expect(set, token(HS256, json), JWT_GATE_MALFORMED);
    jwt_keyset_free(&set);
}

static void signatures(void **state)
{
    static const size_t lens[] = {0, 1, 31, 33, 48, 64, 256, 2048, 3000};
    jwt_keyset_t *set = secret_set();
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        if (gate(set, token_n(HS256, strlen(HS256), CLAIMS, strlen(CLAIMS),
                              lens[i])) != JWT_GATE_SIGNATURE) {
            fail_msg("a signature of %zu bytes", lens[i]);
        }
    }
    jwt_keyset_free(&set);
}

static void bodies(void **state)
{
    static const char *const bad[] = {"",
                                      "null",
                                      "[]",
                                      "7",
                                      "{",
                                      "{\"exp\":2000,\"exp\":9000}",
                                      "{\"sub\":\"a\",\"s\\u0075b\":\"b\"}",
                                      "{\"sub\":\"\xed\xa0\x80\"}",
                                      "{\"x\":{\"a\":1,\"a\":1}}",
                                      "{\"exp\":9223372036854775808}",
                                      "{\"sub\":\"a\\u0000b\"}",
                                      "\xef\xbb\xbf{}",
                                      "{}{}"};
    jwt_keyset_t *set = secret_set();
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (gate(set, token(HS256, bad[i])) != JWT_GATE_MALFORMED) {
            fail_msg("claims %s", bad[i]);
        }
    }
    jwt_keyset_free(&set);
}

/* ---- claims ---- */

static jwt_gate_result_t judge(const jwt_keyset_t *set, const char *claims,
                               const jwt_gate_rules_t *rules)
{
    jwt_gate_token_t tok;
    jwt_gate_result_t result;

    token(HS256, claims);
    result = jwt_gate_open(set, token_space, strlen(token_space), &tok);
    if (result == JWT_GATE_OK) {
        result = jwt_gate_claims(&tok, rules);
    }
    jwt_gate_close(&tok);
    return result;
}

typedef struct {
    const char *claims;
    jwt_gate_result_t result;
} claims_t;

static void judge_all(const claims_t *cases, size_t n,
                      const jwt_gate_rules_t *rules)
{
    jwt_keyset_t *set = secret_set();
    jwt_gate_result_t result;
    size_t i;

    for (i = 0; i < n; i++) {
        result = judge(set, cases[i].claims, rules);
        if (result != cases[i].result) {
            fail_msg("%s: %s", cases[i].claims, jwt_gate_result_name(result));
        }
    }
    jwt_keyset_free(&set);
}

static void times(void **state)
{
    static const claims_t cases[] = {
        {"{\"exp\":1001}", JWT_GATE_OK},
        {"{\"exp\":991}", JWT_GATE_OK},
        {"{\"exp\":990}", JWT_GATE_EXPIRED},
        {"{\"exp\":0}", JWT_GATE_EXPIRED},
        {"{\"exp\":9007199254740992}", JWT_GATE_OK},
        {"{\"exp\":9007199254740993}", JWT_GATE_EXPIRED},
        {"{\"exp\":9223372036854775807}", JWT_GATE_EXPIRED},
        {"{\"exp\":-1}", JWT_GATE_EXPIRED},
        {"{\"exp\":2000.0}", JWT_GATE_EXPIRED},
        {"{\"exp\":2e3}", JWT_GATE_EXPIRED},
        {"{\"exp\":\"2000\"}", JWT_GATE_EXPIRED},
        {"{\"exp\":null}", JWT_GATE_EXPIRED},
        {"{\"exp\":true}", JWT_GATE_EXPIRED},
        {"{\"exp\":[2000]}", JWT_GATE_EXPIRED},
        {"{\"EXP\":2000}", JWT_GATE_EXPIRED},
        {"{}", JWT_GATE_EXPIRED},
        {"{\"exp\":2000,\"nbf\":1000}", JWT_GATE_OK},
        {"{\"exp\":2000,\"nbf\":1010}", JWT_GATE_OK},
        {"{\"exp\":2000,\"nbf\":1011}", JWT_GATE_EARLY},
        {"{\"exp\":2000,\"nbf\":\"0\"}", JWT_GATE_EARLY},
        {"{\"exp\":2000,\"nbf\":null}", JWT_GATE_EARLY},
        {"{\"exp\":2000,\"nbf\":-1}", JWT_GATE_EARLY},
        {"{\"exp\":2000,\"nbf\":0.5}", JWT_GATE_EARLY},
        {"{\"exp\":2000,\"iat\":1010}", JWT_GATE_OK},
        {"{\"exp\":2000,\"iat\":1011}", JWT_GATE_EARLY},
        {"{\"exp\":2000,\"iat\":9007199254740993}", JWT_GATE_EARLY},
        {"{\"exp\":2000,\"iat\":1.0}", JWT_GATE_EARLY},
    };
    jwt_gate_rules_t rules = {.now = NOW, .leeway = 10};

    (void)state;
    judge_all(cases, sizeof(cases) / sizeof(cases[0]), &rules);
}

static void who_and_what(void **state)
{
    static const claims_t cases[] = {
        {"{\"exp\":2000,\"iss\":\"us\",\"aud\":\"api\"}", JWT_GATE_OK},
        {"{\"exp\":2000,\"iss\":\"us\",\"aud\":[\"x\",\"api\"]}", JWT_GATE_OK},
        {"{\"exp\":2000,\"aud\":\"api\"}", JWT_GATE_ISSUER},
        {"{\"exp\":2000,\"iss\":\"US\",\"aud\":\"api\"}", JWT_GATE_ISSUER},
        {"{\"exp\":2000,\"iss\":\"us/\",\"aud\":\"api\"}", JWT_GATE_ISSUER},
        {"{\"exp\":2000,\"iss\":[\"us\"],\"aud\":\"api\"}", JWT_GATE_ISSUER},
        {"{\"exp\":2000,\"iss\":\"us\"}", JWT_GATE_AUDIENCE},
        {"{\"exp\":2000,\"iss\":\"us\",\"aud\":\"ap\"}", JWT_GATE_AUDIENCE},
        {"{\"exp\":2000,\"iss\":\"us\",\"aud\":\"api2\"}", JWT_GATE_AUDIENCE},
        {"{\"exp\":2000,\"iss\":\"us\",\"aud\":[]}", JWT_GATE_AUDIENCE},
        {"{\"exp\":2000,\"iss\":\"us\",\"aud\":[\"x\"]}", JWT_GATE_AUDIENCE},
        {"{\"exp\":2000,\"iss\":\"us\",\"aud\":[7,\"api\"]}",
         JWT_GATE_AUDIENCE},
        {"{\"exp\":2000,\"iss\":\"us\",\"aud\":{\"api\":1}}",
         JWT_GATE_AUDIENCE},
    };
    static const claims_t others[] = {
        {"{\"exp\":2000,\"sub\":\"7\",\"jti\":\"x\"}", JWT_GATE_OK},
        {"{\"exp\":2000,\"sub\":\"\xc3\xa9\"}", JWT_GATE_OK},
        {"{\"exp\":2000,\"sub\":7}", JWT_GATE_CLAIM},
        {"{\"exp\":2000,\"sub\":null}", JWT_GATE_CLAIM},
        {"{\"exp\":2000,\"sub\":\"\"}", JWT_GATE_CLAIM},
        {"{\"exp\":2000,\"sub\":\"a\\nX-Wacrm-User: 1\"}", JWT_GATE_CLAIM},
        {"{\"exp\":2000,\"sub\":\"a\\u007f\"}", JWT_GATE_CLAIM},
        {"{\"exp\":2000,\"jti\":[]}", JWT_GATE_CLAIM},
        {"{\"exp\":2000,\"jti\":\"\\r\"}", JWT_GATE_CLAIM},
        {"{\"exp\":2000,\"token_use\":\"access\"}", JWT_GATE_OK},
        {"{\"exp\":2000,\"token_use\":\"refresh\"}", JWT_GATE_CLAIM},
        {"{\"exp\":2000,\"token_use\":\"id\"}", JWT_GATE_CLAIM},
        {"{\"exp\":2000,\"token_use\":null}", JWT_GATE_CLAIM},
    };
    jwt_gate_rules_t rules = {NOW, 0, "us", "api"};
    jwt_gate_rules_t any = {NOW, 0, NULL, NULL};

    (void)state;
    judge_all(cases, sizeof(cases) / sizeof(cases[0]), &rules);
    judge_all(others, sizeof(others) / sizeof(others[0]), &any);
}

/* ---- keys ---- */

static char *pem_of(EVP_PKEY *pkey, bool private)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data, *copy;
    long len;

    if (private) {
        assert_int_equal(
            PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL),
            1);
    } else {
        assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);
    }
    len = BIO_get_mem_data(bio, &data);
    copy = calloc(1, (size_t)len + 1);
    assert_non_null(copy);
    memcpy(copy, data, (size_t)len);
    BIO_free(bio);
    return copy;
}

static char *cert_of(EVP_PKEY *pkey)
{
    X509 *cert = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());
    char *data, *copy;
    long len;

    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    assert_int_equal(X509_set_pubkey(cert, pkey), 1);
    assert_true(X509_sign(cert, pkey, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
    len = BIO_get_mem_data(bio, &data);
    copy = calloc(1, (size_t)len + 1);
    assert_non_null(copy);
    memcpy(copy, data, (size_t)len);
    BIO_free(bio);
    X509_free(cert);
    return copy;
}

/* ,"NAME":"base64url of a number, in size bytes if not 0" */
static void member(char *out, size_t cap, EVP_PKEY *pkey, const char *name,
                   const char *param, int size)
{
    unsigned char bytes[2048];
    char text[4096];
    BIGNUM *bn = NULL;

    assert_int_equal(EVP_PKEY_get_bn_param(pkey, param, &bn), 1);
    size = size > 0 ? size : BN_num_bytes(bn);
    assert_int_equal(BN_bn2binpad(bn, bytes, size), size);
    b64url(text, bytes, (size_t)size);
    snprintf(out + strlen(out), cap - strlen(out), ",\"%s\":\"%s\"", name,
             text);
    BN_free(bn);
}

static void jwk_of(char *out, size_t cap, EVP_PKEY *pkey, const char *curve,
                   int size, const char *more)
{
    if (curve == NULL) {
        snprintf(out, cap, "{\"kty\":\"RSA\"%s", more);
        member(out, cap, pkey, "n", OSSL_PKEY_PARAM_RSA_N, 0);
        member(out, cap, pkey, "e", OSSL_PKEY_PARAM_RSA_E, 0);
    } else {
        snprintf(out, cap, "{\"kty\":\"EC\",\"crv\":\"%s\"%s", curve, more);
        member(out, cap, pkey, "x", OSSL_PKEY_PARAM_EC_PUB_X, size);
        member(out, cap, pkey, "y", OSSL_PKEY_PARAM_EC_PUB_Y, size);
    }
    snprintf(out + strlen(out), cap - strlen(out), "}");
}

static char *signed_by_libjwt(jwt_alg_t alg, const char *key)
{
    jwt_t *jwt = NULL;
    char *text;

    assert_int_equal(jwt_new(&jwt), 0);
    assert_int_equal(jwt_add_grant_int(jwt, "exp", 2000), 0);
    assert_int_equal(
        jwt_set_alg(jwt, alg, (const unsigned char *)key, (int)strlen(key)), 0);
    text = jwt_encode_str(jwt);
    assert_non_null(text);
    jwt_free(jwt);
    return text;
}

/* The gate lets it through, and libjwt verifies it with the gate's key. */
static void both_agree(const jwt_keyset_t *set, const char *text)
{
    jwt_gate_rules_t rules = {.now = NOW};
    jwt_gate_token_t tok;
    jwt_t *jwt = NULL;

    assert_int_equal(jwt_gate_open(set, text, strlen(text), &tok), JWT_GATE_OK);
    assert_int_equal(tok.nkeys, 1);
    assert_int_equal(
        jwt_decode(&jwt, text, tok.keys[0]->data, (int)tok.keys[0]->len), 0);
    assert_int_equal(jwt_gate_claims(&tok, &rules), JWT_GATE_OK);
    jwt_free(jwt);
    jwt_gate_close(&tok);
}

static const struct {
    jwt_gate_alg_t alg;
    jwt_alg_t theirs;
    const char *curve; /* NULL: RSA */
    int size;
} kinds[] = {
    {JWT_GATE_RS256, JWT_ALG_RS256, NULL, 0},
    {JWT_GATE_RS512, JWT_ALG_RS512, NULL, 0},
    {JWT_GATE_ES256, JWT_ALG_ES256, "P-256", 32},
    {JWT_GATE_ES384, JWT_ALG_ES384, "P-384", 48},
    {JWT_GATE_ES512, JWT_ALG_ES512, "P-521", 66},
};

/* PEM, certificate and JWKS of one key, each verified by libjwt. */
static void public_keys(void **state)
{
    char jwk[4096], jwks[8192];
    char *files[3];
    char *private, *text;
    jwt_keyset_t *set;
    EVP_PKEY *pkey;
    size_t i, k;

    (void)state;
    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        pkey = kinds[i].curve == NULL
                   ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
                   : EVP_PKEY_Q_keygen(NULL, NULL, "EC", kinds[i].curve);
        assert_non_null(pkey);
        jwk_of(jwk, sizeof(jwk), pkey, kinds[i].curve, kinds[i].size, "");
        snprintf(jwks, sizeof(jwks), "{\"keys\":[%s]}", jwk);
        private = pem_of(pkey, true);
        text = signed_by_libjwt(kinds[i].theirs, private);
        files[0] = pem_of(pkey, false);
        files[1] = cert_of(pkey);
        files[2] = strdup(jwks);
        for (k = 0; k < 3; k++) {
            set = new_set();
            add(set, kinds[i].alg, files[k]);
            assert_int_equal(jwt_keyset_count(set), 1);
            both_agree(set, text);
            /* The same bytes as an HMAC secret, the classic confusion. */
            expect(set, token(HS256, CLAIMS), JWT_GATE_ALG);
            jwt_keyset_free(&set);
        }
        refuse(JWT_GATE_HS256, files[0], strlen(files[0]));
        refuse(JWT_GATE_HS256, files[1], strlen(files[1]));
        refuse(JWT_GATE_HS256, files[2], strlen(files[2]));
        refuse(kinds[i].alg, private, strlen(private));
        refuse(kinds[(i + 2) % 5].alg, files[0], strlen(files[0]));
        refuse(kinds[(i + 2) % 5].alg, files[2], strlen(files[2]));
        for (k = 0; k < 3; k++) {
            free(files[k]);
        }
        free(private);
        free(text);
        EVP_PKEY_free(pkey);
    }
}

static void secrets(void **state)
{
    /* base64url of SECRET */
    static const char jwks[] =
        "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"k\":"
        "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"},"
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"},"
        "{\"kty\":\"oct\",\"alg\":\"HS512\",\"k\":\"AA\"},"
        "{\"kty\":\"oct\",\"use\":\"enc\",\"k\":\"AA\"},7]}";
    char *text = signed_by_libjwt(JWT_ALG_HS256, SECRET);
    jwt_keyset_t *set = secret_set();

    (void)state;
    both_agree(set, text);
    jwt_keyset_free(&set);
    set = new_set();
    add(set, JWT_GATE_HS256, jwks);
    assert_int_equal(jwt_keyset_count(set), 1);
    both_agree(set, text);
    jwt_keyset_free(&set);
    free(text);

    refuse(JWT_GATE_HS256, "", 0);
    refuse(JWT_GATE_HS256, "\n", 1);
    refuse(JWT_GATE_HS256, SECRET, 31);
    refuse(JWT_GATE_HS256, "0123456789abcdef0123456789abcde\n", 32);
    refuse(JWT_GATE_HS384, SECRET, 32);
    refuse(JWT_GATE_HS512, SECRET SECRET, 63);
    refuse(JWT_GATE_HS384, jwks, strlen(jwks));
    refuse(JWT_GATE_RS256, SECRET, 32);
    refuse(JWT_GATE_ES256, jwks, strlen(jwks)); /* a coordinate too short */
}

static void refused_keys(void **state)
{
    static const char *const bad[] = {
        "{\"keys\":[]}",
        "{\"keys\":[{}]}",
        "{\"keys\":{}}",
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"a comma is missing here\"]}",
        "{                                             }",
        "{\"keys\":[{\"kty\":\"oct\"}]}",
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"\"}]}",
        "{\"keys\":[{\"kty\":\"oct\",\"k\":7}]}",
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
        "ODlhYmNkZWY=\"}]}",
        "{\"keys\":[{\"kty\":\"oct\",\"kid\":7,\"k\":\"MDEyMzQ1Njc4OWFiY2RlZj"
        "AxMjM0NTY3ODlhYmNkZWY\"}]}",
        "{\"keys\":[{\"kty\":\"OCT\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
        "ODlhYmNkZWY\"}]}",
    };
    char jwk[4096], jwks[8192];
    EVP_PKEY *small = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
    char *pem = pem_of(small, false);
    char *big;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refuse(JWT_GATE_HS256, bad[i], strlen(bad[i]));
        refuse(JWT_GATE_RS256, bad[i], strlen(bad[i]));
    }
    refuse(JWT_GATE_RS256, pem, strlen(pem));
    jwk_of(jwk, sizeof(jwk), small, NULL, 0, "");
    snprintf(jwks, sizeof(jwks), "{\"keys\":[%s]}", jwk);
    refuse(JWT_GATE_RS256, jwks, strlen(jwks));
    /* (1, 1) is not on the curve. */
    snprintf(jwks, sizeof(jwks),
             "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
             "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\",\"y\":"
             "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}]}");
    refuse(JWT_GATE_ES256, jwks, strlen(jwks));
    big = malloc(256 * 1024 + 1);
    assert_non_null(big);
    memset(big, 'k', 256 * 1024 + 1);
    refuse(JWT_GATE_HS256, big, 256 * 1024 + 1);
    free(big);
    free(pem);
    EVP_PKEY_free(small);
}

/* ---- kid ---- */

static size_t keys_for(const jwt_keyset_t *set, const char *header)
{
    jwt_gate_token_t tok;
    jwt_gate_result_t result;
    size_t n;

    token(header, CLAIMS);
    result = jwt_gate_open(set, token_space, strlen(token_space), &tok);
    n = tok.nkeys;
    assert_true((result == JWT_GATE_OK) == (n > 0));
    assert_true(result == JWT_GATE_OK || result == JWT_GATE_KEY);
    jwt_gate_close(&tok);
    return n;
}

static void kids(void **state)
{
    static const char jwks[] =
        "{\"keys\":["
        "{\"kty\":\"oct\",\"kid\":\"a\",\"k\":"
        "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"},"
        "{\"kty\":\"oct\",\"kid\":\"b\",\"k\":"
        "\"MTEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}]}";
    static const char *const unknown[] = {
        "c", "A", "", "ab", "../../dev/null", "' OR 1=1 --", "a\\n", "*"};
    jwt_keyset_t *set = new_set();
    char header[6000];
    size_t i;

    (void)state;
    add(set, JWT_GATE_HS256, jwks);
    assert_int_equal(jwt_keyset_count(set), 2);
    assert_int_equal(keys_for(set, HS256), 2);
    assert_int_equal(keys_for(set, "{\"alg\":\"HS256\",\"kid\":\"a\"}"), 1);
    assert_int_equal(keys_for(set, "{\"alg\":\"HS256\",\"kid\":\"b\"}"), 1);
    for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"kid\":\"%s\"}",
                 unknown[i]);
        assert_int_equal(keys_for(set, header), 0);
    }
    snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"kid\":\"%04096d\"}",
             0);
    assert_int_equal(keys_for(set, header), 0);
    /* A key without a name takes part, whatever the token says. */
    add(set, JWT_GATE_HS256, SECRET);
    assert_int_equal(keys_for(set, "{\"alg\":\"HS256\",\"kid\":\"a\"}"), 2);
    assert_int_equal(keys_for(set, "{\"alg\":\"HS256\",\"kid\":\"c\"}"), 1);
    for (i = 0; i < 61; i++) {
        add(set, JWT_GATE_HS256, SECRET);
    }
    assert_int_equal(jwt_keyset_count(set), 64);
    assert_int_equal(keys_for(set, HS256), 8);
    refuse(JWT_GATE_HS256, "x", 1);
    assert_int_equal(jwt_keyset_add(set, JWT_GATE_HS256, SECRET, 32, header),
                     -1);
    jwt_keyset_free(&set);
    set = new_set();
    expect(set, token(HS256, CLAIMS), JWT_GATE_ALG);
    jwt_keyset_free(&set);
}

/* (r, s) = (0, 0) and half of it */
static void psychic(void **state)
{
    static const char header[] = "{\"alg\":\"ES256\"}";
    unsigned char sig[64];
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    char *pem = pem_of(pkey, false);
    jwt_keyset_t *set = new_set();
    char *at;
    int i;

    (void)state;
    add(set, JWT_GATE_ES256, pem);
    for (i = 0; i < 4; i++) {
        memset(sig, i & 1 ? 1 : 0, 32);
        memset(sig + 32, i & 2 ? 1 : 0, 32);
        token_n(header, strlen(header), CLAIMS, strlen(CLAIMS), 64);
        at = strrchr(token_space, '.') + 1;
        b64url(at, sig, 64);
        expect(set, token_space, i == 3 ? JWT_GATE_OK : JWT_GATE_SIGNATURE);
    }
    /* DER instead of r and s */
    expect(set, token_n(header, strlen(header), CLAIMS, strlen(CLAIMS), 72),
           JWT_GATE_SIGNATURE);
    jwt_keyset_free(&set);
    free(pem);
    EVP_PKEY_free(pkey);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),        cmocka_unit_test(headers),
        cmocka_unit_test(segments),     cmocka_unit_test(sizes),
        cmocka_unit_test(many_members), cmocka_unit_test(signatures),
        cmocka_unit_test(bodies),       cmocka_unit_test(times),
        cmocka_unit_test(who_and_what), cmocka_unit_test(public_keys),
        cmocka_unit_test(secrets),      cmocka_unit_test(refused_keys),
        cmocka_unit_test(kids),         cmocka_unit_test(psychic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
