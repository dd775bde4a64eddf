/*
 * Keys as PEM, certificate and JWKS, and which of them a token may be verified
 * with: what passes is given to libjwt with the key that the gate chose.
 */
#include "jwt_fixture.h"

#include <jwt.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>

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

/* What was written to bio, which is freed; the caller's to free. */
static char *text_of(BIO *bio)
{
    char *data, *copy;
    long len = BIO_get_mem_data(bio, &data);

    copy = calloc(1, (size_t)len + 1);
    assert_non_null(copy);
    memcpy(copy, data, (size_t)len);
    BIO_free(bio);
    return copy;
}

static char *pem_of(EVP_PKEY *pkey, bool private)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (private) {
        assert_int_equal(
            PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL),
            1);
    } else {
        assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);
    }
    return text_of(bio);
}

static char *cert_of(EVP_PKEY *pkey)
{
    X509 *cert = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());

    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    assert_int_equal(X509_set_pubkey(cert, pkey), 1);
    assert_true(X509_sign(cert, pkey, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
    X509_free(cert);
    return text_of(bio);
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
        cmocka_unit_test(public_keys),  cmocka_unit_test(secrets),
        cmocka_unit_test(refused_keys), cmocka_unit_test(kids),
        cmocka_unit_test(psychic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
