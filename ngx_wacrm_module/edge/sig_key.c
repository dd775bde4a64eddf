#include "edge/sig_internal.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "edge/coding.h"

#define ED25519_LEN      32
#define ED25519_PAIR_LEN 64 /* seed and public key */
#define BLOCK_MAX        128

static int decode_base64(sig_secret_t *secret, sig_str_t text,
                         char error[SIG_ERROR_MAX])
{
    size_t cap = B64_DECODED_MAX(text.len);

    secret->data = OPENSSL_malloc(cap);
    if (secret->data == NULL) {
        return sig_failed(error, "out of memory");
    }
    if (!b64_decode(secret->data, cap, &secret->len, text.data, text.len,
                    B64_PADDED | B64_UNPADDED)) {
        return sig_failed(error, "the secret is not proper base64");
    }
    return 0;
}

int sig_key_decode(sig_secret_t *secret, const sig_form_t *form, sig_str_t text,
                   char error[SIG_ERROR_MAX])
{
    secret->digest = form->digest;
    if (form->key == SIG_KEY_RAW) {
        secret->data = OPENSSL_memdup(text.data, text.len);
        secret->len = text.len;
        return secret->data == NULL ? sig_failed(error, "out of memory") : 0;
    }
    if (form->key == SIG_KEY_BASE64) {
        return decode_base64(secret, text, error);
    }
    if (sig_str_starts(text, "whpk_") || sig_str_starts(text, "whsk_")) {
        secret->digest = SIG_ED25519;
        text = sig_str_skip(text, 5);
    } else if (sig_str_starts(text, "whsec_")) {
        if (form->digest == SIG_ED25519) {
            return sig_failed(error, "an Ed25519 key begins with whpk_");
        }
        text = sig_str_skip(text, 6);
    }
    return decode_base64(secret, text, error);
}

/* A public key, or a pair, of which only the public half is kept. */
static int prepare_ed25519(sig_secret_t *secret, char error[SIG_ERROR_MAX])
{
    const unsigned char *public = secret->data;

    if (secret->len == ED25519_PAIR_LEN) {
        public += ED25519_PAIR_LEN - ED25519_LEN;
    } else if (secret->len != ED25519_LEN) {
        return sig_failed(error, "an Ed25519 public key has %d bytes",
                          ED25519_LEN);
    }
    secret->pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public,
                                               ED25519_LEN);
    if (secret->pkey == NULL) {
        ERR_clear_error();
        return sig_failed(error, "no Ed25519 public key");
    }
    return 0;
}

/* A hash that has seen the key padded with pad (RFC 2104). */
static EVP_MD_CTX *padded(const EVP_MD *md, const unsigned char *key,
                          size_t block, unsigned char pad)
{
    unsigned char bytes[BLOCK_MAX];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t i;

    for (i = 0; i < block; i++) {
        bytes[i] = key[i] ^ pad;
    }
    if (ctx != NULL && (EVP_DigestInit_ex(ctx, md, NULL) != 1 ||
                        EVP_DigestUpdate(ctx, bytes, block) != 1)) {
        EVP_MD_CTX_free(ctx);
        ctx = NULL;
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return ctx;
}

static int prepare_hmac(sig_secret_t *secret, const EVP_MD *md,
                        char error[SIG_ERROR_MAX])
{
    unsigned char key[BLOCK_MAX] = {0};
    size_t block = (size_t)EVP_MD_get_block_size(md);
    int rc = 0;

    if (block > BLOCK_MAX) {
        return sig_failed(error, "the digest's block is too large");
    }
    if (secret->len <= block) {
        memcpy(key, secret->data, secret->len);
    } else if (EVP_Digest(secret->data, secret->len, key, NULL, md, NULL) !=
               1) {
        rc = sig_failed(error, "cannot hash the secret");
        goto out;
    }
    secret->inner = padded(md, key, block, 0x36);
    secret->outer = padded(md, key, block, 0x5c);
    if (secret->inner == NULL || secret->outer == NULL) {
        rc = sig_failed(error, "cannot prepare the secret");
    }
out:
    OPENSSL_cleanse(key, sizeof(key));
    return rc;
}

int sig_key_prepare(sig_secret_t *secret, const EVP_MD *md,
                    char error[SIG_ERROR_MAX])
{
    int rc = secret->digest == SIG_ED25519 ? prepare_ed25519(secret, error)
                                           : prepare_hmac(secret, md, error);

    OPENSSL_clear_free(secret->data, secret->len);
    secret->data = NULL;
    secret->len = 0;
    return rc;
}

void sig_key_clear(sig_secret_t *secret)
{
    OPENSSL_clear_free(secret->data, secret->len);
    EVP_MD_CTX_free(secret->inner);
    EVP_MD_CTX_free(secret->outer);
    EVP_PKEY_free(secret->pkey);
    OPENSSL_cleanse(secret, sizeof(*secret));
}
