/* memmem */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "edge/jwt_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "edge/coding.h"

#define JWT_FILE_MAX (256 * 1024)
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 16384
#define RSA_E_MAX    64 /* bits */
#define EC_COORD_MAX 66 /* bytes */

static const jwt_alg_info_t algs[] = {
    [JWT_GATE_HS256] = {"HS256", JWT_FAMILY_HMAC, 32, NULL, NULL},
    [JWT_GATE_HS384] = {"HS384", JWT_FAMILY_HMAC, 48, NULL, NULL},
    [JWT_GATE_HS512] = {"HS512", JWT_FAMILY_HMAC, 64, NULL, NULL},
    [JWT_GATE_RS256] = {"RS256", JWT_FAMILY_RSA, 0, NULL, NULL},
    [JWT_GATE_RS384] = {"RS384", JWT_FAMILY_RSA, 0, NULL, NULL},
    [JWT_GATE_RS512] = {"RS512", JWT_FAMILY_RSA, 0, NULL, NULL},
    [JWT_GATE_ES256] = {"ES256", JWT_FAMILY_EC, 32, "P-256", "prime256v1"},
    [JWT_GATE_ES384] = {"ES384", JWT_FAMILY_EC, 48, "P-384", "secp384r1"},
    [JWT_GATE_ES512] = {"ES512", JWT_FAMILY_EC, 66, "P-521", "secp521r1"},
};

bool jwt_gate_alg_parse(const char *name, size_t len, jwt_gate_alg_t *alg)
{
    size_t i;

    for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        if (len == strlen(algs[i].name) &&
            memcmp(name, algs[i].name, len) == 0) {
            *alg = (jwt_gate_alg_t)i;
            return true;
        }
    }
    return false;
}

const char *jwt_gate_alg_name(jwt_gate_alg_t alg)
{
    return algs[alg].name;
}

const jwt_alg_info_t *jwt_alg_info(jwt_gate_alg_t alg)
{
    return &algs[alg];
}

/* ---- the set ---- */

int jwt_keyset_new(jwt_keyset_t **out)
{
    static uint64_t last_id;

    *out = calloc(1, sizeof(**out));
    if (*out == NULL) {
        return -1;
    }
    (*out)->id = ++last_id;
    return 0;
}

static void entry_clear(jwt_entry_t *entry)
{
    OPENSSL_clear_free(entry->key.data, entry->key.len + 1);
    OPENSSL_free(entry->key.kid);
    memset(entry, 0, sizeof(*entry));
}

void jwt_keyset_free(jwt_keyset_t **set)
{
    if (*set == NULL) {
        return;
    }
    while ((*set)->count > 0) {
        entry_clear(&(*set)->entries[--(*set)->count]);
    }
    free(*set);
    *set = NULL;
}

size_t jwt_keyset_count(const jwt_keyset_t *set)
{
    return set->count;
}

static int failed(char error[JWT_GATE_ERROR_MAX], const char *reason)
{
    snprintf(error, JWT_GATE_ERROR_MAX, "%s", reason);
    ERR_clear_error();
    return -1;
}

/* Copies data and kid; the copy of the data ends with a NUL of its own. */
static int entry_add(jwt_keyset_t *set, jwt_gate_alg_t alg, const char *kid,
                     const void *data, size_t len, size_t signature_len,
                     char error[JWT_GATE_ERROR_MAX])
{
    jwt_entry_t *entry = &set->entries[set->count];

    if (set->count == JWT_KEYS_MAX) {
        return failed(error, "more than 64 keys");
    }
    entry->key.alg = alg;
    entry->key.len = len;
    entry->key.data = OPENSSL_malloc(len + 1);
    entry->key.kid = kid == NULL ? NULL : OPENSSL_strdup(kid);
    entry->signature_len = signature_len;
    if (entry->key.data == NULL || (kid != NULL && entry->key.kid == NULL)) {
        entry->key.len = 0;
        entry_clear(entry);
        return failed(error, "out of memory");
    }
    memcpy(entry->key.data, data, len);
    entry->key.data[len] = '\0';
    set->count++;
    return 0;
}

/* ---- secrets ---- */

static int secret_add(jwt_keyset_t *set, jwt_gate_alg_t alg, const char *kid,
                      const void *secret, size_t len,
                      char error[JWT_GATE_ERROR_MAX])
{
    size_t digest = algs[alg].size;

    if (memmem(secret, len, "-----BEGIN", 10) != NULL) {
        return failed(error, "a PEM file is no secret for an HMAC");
    }
    if (len < digest) {
        snprintf(error, JWT_GATE_ERROR_MAX,
                 "the secret has %zu bytes, %s needs %zu or more", len,
                 algs[alg].name, digest);
        return -1;
    }
    return entry_add(set, alg, kid, secret, len, digest, error);
}

/* ---- public keys ---- */

/* What is wrong with this key for alg; NULL if nothing is. */
static const char *pkey_fault(EVP_PKEY *pkey, const jwt_alg_info_t *info)
{
    char group[32] = "";
    int bits;

    if (info->family == JWT_FAMILY_RSA) {
        if (!EVP_PKEY_is_a(pkey, "RSA")) {
            return "not an RSA key";
        }
        bits = EVP_PKEY_get_bits(pkey);
        if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX) {
            return "an RSA key must have 2048 to 16384 bits";
        }
        return NULL;
    }
    if (!EVP_PKEY_is_a(pkey, "EC")) {
        return "not an EC key";
    }
    if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1 ||
        strcmp(group, info->group) != 0) {
        return "not a key on the curve of its algorithm";
    }
    return NULL;
}

/* Judges pkey and adds it as PEM. */
static int pkey_add(jwt_keyset_t *set, jwt_gate_alg_t alg, const char *kid,
                    EVP_PKEY *pkey, char error[JWT_GATE_ERROR_MAX])
{
    const jwt_alg_info_t *info = &algs[alg];
    const char *fault = pkey_fault(pkey, info);
    size_t signature_len;
    BIO *bio = NULL;
    char *pem;
    long len;
    int rc = -1;

    if (fault != NULL) {
        return failed(error, fault);
    }
    signature_len = info->family == JWT_FAMILY_EC
                        ? 2 * info->size
                        : ((size_t)EVP_PKEY_get_bits(pkey) + 7) / 8;
    bio = BIO_new(BIO_s_mem());
    if (bio == NULL || PEM_write_bio_PUBKEY(bio, pkey) != 1) {
        failed(error, "cannot write the key as PEM");
        goto out;
    }
    len = BIO_get_mem_data(bio, &pem);
    if (len <= 0) {
        failed(error, "cannot write the key as PEM");
        goto out;
    }
    rc = entry_add(set, alg, kid, pem, (size_t)len, signature_len, error);
out:
    BIO_free(bio);
    return rc;
}

static EVP_PKEY *pem_read(const void *file, size_t len)
{
    EVP_PKEY *pkey = NULL;
    X509 *cert = NULL;
    BIO *bio = BIO_new_mem_buf(file, (int)len);

    if (bio == NULL) {
        return NULL;
    }
    pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    if (pkey == NULL && BIO_reset(bio) == 1) {
        cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        pkey = cert == NULL ? NULL : X509_get_pubkey(cert);
    }
    X509_free(cert);
    BIO_free(bio);
    ERR_clear_error();
    return pkey;
}

static int pem_add(jwt_keyset_t *set, jwt_gate_alg_t alg, const void *file,
                   size_t len, char error[JWT_GATE_ERROR_MAX])
{
    EVP_PKEY *pkey;
    int rc;

    if (memmem(file, len, "PRIVATE KEY-----", 16) != NULL) {
        return failed(error, "a private key: only the public one belongs here");
    }
    pkey = pem_read(file, len);
    if (pkey == NULL) {
        return failed(error, "neither JWKS nor PEM public key or certificate");
    }
    rc = pkey_add(set, alg, NULL, pkey, error);
    EVP_PKEY_free(pkey);
    return rc;
}

/* ---- JWKS (RFC 7517, 7518) ---- */

/* The bytes of a base64url member; NULL if there is none or it is bad. */
static unsigned char *jwk_bytes(const json_t *jwk, const char *name,
                                size_t *len)
{
    const json_t *member = json_object_get(jwk, name);
    size_t coded = json_string_length(member);
    unsigned char *bytes;

    if (!json_is_string(member) || coded == 0) {
        return NULL;
    }
    bytes = OPENSSL_malloc(B64_DECODED_MAX(coded));
    if (bytes == NULL) {
        return NULL;
    }
    if (!b64_decode(bytes, B64_DECODED_MAX(coded), len,
                    json_string_value(member), coded, B64_URL | B64_UNPADDED)) {
        OPENSSL_free(bytes);
        return NULL;
    }
    return bytes;
}

static EVP_PKEY *pkey_make(const char *type, OSSL_PARAM_BLD *bld)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY *pkey = NULL;

    if (ctx == NULL || params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        pkey = NULL;
    }
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static EVP_PKEY *jwk_rsa(const json_t *jwk)
{
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;
    BIGNUM *modulus = NULL;
    BIGNUM *exponent = NULL;
    size_t n_len = 0;
    size_t e_len = 0;
    unsigned char *n = jwk_bytes(jwk, "n", &n_len);
    unsigned char *e = jwk_bytes(jwk, "e", &e_len);

    if (bld == NULL || n == NULL || e == NULL || n_len > RSA_BITS_MAX / 8 ||
        e_len > RSA_E_MAX / 8) {
        goto out;
    }
    modulus = BN_bin2bn(n, (int)n_len, NULL);
    exponent = BN_bin2bn(e, (int)e_len, NULL);
    if (modulus == NULL || exponent == NULL || !BN_is_odd(modulus) ||
        !BN_is_odd(exponent) || BN_is_one(exponent) ||
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, modulus) != 1 ||
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, exponent) != 1) {
        goto out;
    }
    pkey = pkey_make("RSA", bld);
out:
    BN_free(modulus);
    BN_free(exponent);
    OPENSSL_free(n);
    OPENSSL_free(e);
    OSSL_PARAM_BLD_free(bld);
    return pkey;
}

/* A point off the curve is refused by OpenSSL as it is set. */
static EVP_PKEY *jwk_ec(const json_t *jwk, const jwt_alg_info_t *info)
{
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    unsigned char point[1 + 2 * EC_COORD_MAX];
    EVP_PKEY *pkey = NULL;
    size_t x_len = 0;
    size_t y_len = 0;
    unsigned char *x = jwk_bytes(jwk, "x", &x_len);
    unsigned char *y = jwk_bytes(jwk, "y", &y_len);

    if (bld == NULL || x == NULL || y == NULL || x_len != info->size ||
        y_len != info->size) {
        goto out;
    }
    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    memcpy(point + 1, x, x_len);
    memcpy(point + 1 + x_len, y, y_len);
    if (OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
                                        info->group, 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point,
                                         1 + x_len + y_len) != 1) {
        goto out;
    }
    pkey = pkey_make("EC", bld);
out:
    OPENSSL_free(x);
    OPENSSL_free(y);
    OSSL_PARAM_BLD_free(bld);
    return pkey;
}

static bool member_is(const json_t *object, const char *name, const char *value)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL && strcmp(text, value) == 0;
}

/* Does this key say of itself that it is for info's algorithm? */
static bool jwk_fits(const json_t *jwk, const jwt_alg_info_t *info)
{
    static const char *const types[] = {"oct", "RSA", "EC"};

    if (!json_is_object(jwk) || !member_is(jwk, "kty", types[info->family])) {
        return false;
    }
    if (json_object_get(jwk, "alg") != NULL &&
        !member_is(jwk, "alg", info->name)) {
        return false;
    }
    if (json_object_get(jwk, "use") != NULL && !member_is(jwk, "use", "sig")) {
        return false;
    }
    return info->family != JWT_FAMILY_EC || member_is(jwk, "crv", info->curve);
}

static int jwk_secret_add(jwt_keyset_t *set, jwt_gate_alg_t alg,
                          const char *kid, const json_t *jwk,
                          char error[JWT_GATE_ERROR_MAX])
{
    size_t len = 0;
    unsigned char *secret = jwk_bytes(jwk, "k", &len);
    int rc;

    if (secret == NULL) {
        return failed(error, "a key of the JWKS has no proper \"k\"");
    }
    rc = secret_add(set, alg, kid, secret, len, error);
    OPENSSL_clear_free(secret, len);
    return rc;
}

static int jwk_add(jwt_keyset_t *set, jwt_gate_alg_t alg, const json_t *jwk,
                   char error[JWT_GATE_ERROR_MAX])
{
    const json_t *member = json_object_get(jwk, "kid");
    const char *kid = json_string_value(member);
    EVP_PKEY *pkey;
    int rc;

    if (member != NULL && kid == NULL) {
        return failed(error, "a key of the JWKS has a kid that is no string");
    }
    if (algs[alg].family == JWT_FAMILY_HMAC) {
        return jwk_secret_add(set, alg, kid, jwk, error);
    }
    pkey = algs[alg].family == JWT_FAMILY_RSA ? jwk_rsa(jwk)
                                              : jwk_ec(jwk, &algs[alg]);
    if (pkey == NULL) {
        return failed(error, "a key of the JWKS is no valid public key");
    }
    rc = pkey_add(set, alg, kid, pkey, error);
    EVP_PKEY_free(pkey);
    return rc;
}

static int jwks_add(jwt_keyset_t *set, jwt_gate_alg_t alg, const json_t *keys,
                    char error[JWT_GATE_ERROR_MAX])
{
    size_t before = set->count;
    const json_t *jwk;
    size_t i;

    json_array_foreach(keys, i, jwk)
    {
        if (jwk_fits(jwk, &algs[alg]) && jwk_add(set, alg, jwk, error) != 0) {
            return -1;
        }
    }
    if (set->count == before) {
        snprintf(error, JWT_GATE_ERROR_MAX, "no key of the JWKS is for %s",
                 algs[alg].name);
        return -1;
    }
    return 0;
}

int jwt_keyset_add(jwt_keyset_t *set, jwt_gate_alg_t alg, const void *file,
                   size_t len, char error[JWT_GATE_ERROR_MAX])
{
    size_t before = set->count;
    const json_t *keys;
    json_t *root;
    int rc;

    if (len == 0 || len > JWT_FILE_MAX) {
        return failed(error, len == 0 ? "empty" : "longer than 256 KiB");
    }
    root = json_loadb(file, len, JSON_REJECT_DUPLICATES, NULL);
    keys = json_object_get(root, "keys");
    if (json_is_array(keys)) {
        rc = jwks_add(set, alg, keys, error);
    } else if (((const char *)file)[0] == '{') {
        /* Never a secret: a JWKS with a slip in it must not become one. */
        rc = failed(error, "JSON, but no JWKS");
    } else if (algs[alg].family == JWT_FAMILY_HMAC) {
        len -= ((const char *)file)[len - 1] == '\n';
        rc = secret_add(set, alg, NULL, file, len, error);
    } else {
        rc = pem_add(set, alg, file, len, error);
    }
    json_decref(root);
    while (rc != 0 && set->count > before) {
        entry_clear(&set->entries[--set->count]);
    }
    return rc;
}
