/*
 * sig_internal.h - what the sig_*.c files share, nobody else.
 */
#ifndef WACRM_EDGE_SIG_INTERNAL_H
#define WACRM_EDGE_SIG_INTERNAL_H

#include "edge/signature.h"

#include <openssl/evp.h>

#include "edge/jwt_gate.h"

#define SIG_NAME_MAX     128 /* of a header, query parameter or JSON field */
#define SIG_TEMPLATE_MAX 256
#define SIG_PARTS_MAX    16
#define SIG_SECRETS_MAX  16
#define SIG_CLAIMS_MAX   8
#define SIG_DIGEST_MAX   64

typedef enum {
    SIG_KIND_MAC, /* HMAC or Ed25519 over the template */
    SIG_KIND_JWT,
    SIG_KIND_TOKEN,
    SIG_KIND_NONE
} sig_kind_t;

typedef enum { SIG_SHA1, SIG_SHA256, SIG_SHA512, SIG_ED25519 } sig_digest_t;

typedef enum { SIG_HEX, SIG_BASE64 } sig_coding_t;

typedef enum { SIG_TIME_S, SIG_TIME_MS, SIG_TIME_ISO } sig_time_t;

typedef enum { SIG_KEY_RAW, SIG_KEY_BASE64, SIG_KEY_WHSEC } sig_key_t;

typedef enum {
    SIG_PART_LITERAL,
    SIG_PART_ID,
    SIG_PART_TIME,
    SIG_PART_BODY
} sig_part_type_t;

typedef struct {
    sig_part_type_t type;
    uint16_t at; /* literal: its place in the template */
    uint16_t len;
} sig_part_t;

/* What a preset says, and options change. Names of headers in lower case. */
typedef struct {
    char header[SIG_NAME_MAX];
    char prefix[SIG_NAME_MAX];
    char key_prefix[SIG_NAME_MAX]; /* of the items of an Ed25519 key */
    char template[SIG_TEMPLATE_MAX];
    char id_header[SIG_NAME_MAX];
    char timestamp_header[SIG_NAME_MAX];
    char timestamp_item[SIG_NAME_MAX];
    char digest_header[SIG_NAME_MAX]; /* names the digest, if it is there */
    char query[SIG_NAME_MAX];
    char json[SIG_NAME_MAX];
    int64_t tolerance; /* seconds; 0: no check */
    int64_t leeway;
    sig_kind_t kind;
    sig_digest_t digest;
    sig_coding_t coding;
    sig_time_t time;
    sig_key_t key;
    char separator; /* '\0': none */
    bool optional_prefix;
} sig_form_t;

typedef struct {
    unsigned char *data; /* as configured, decoded; gone after finish */
    size_t len;
    sig_digest_t digest; /* Ed25519, or what the scheme's digest is */
    EVP_MD_CTX *inner;   /* HMAC: the hash after the padded key */
    EVP_MD_CTX *outer;
    EVP_PKEY *pkey;
    unsigned char token[32]; /* SHA-256 of a token */
} sig_secret_t;

typedef struct {
    char *name;
    char *value;
} sig_claim_t;

struct sig_scheme_s {
    char name[16];
    sig_form_t form;
    sig_part_t parts[SIG_PARTS_MAX];
    size_t nparts;
    sig_secret_t secrets[SIG_SECRETS_MAX];
    size_t nsecrets;
    sig_claim_t claims[SIG_CLAIMS_MAX];
    size_t nclaims;
    jwt_keyset_t *keyset;
    EVP_MD *md;
    size_t digest_len;
    bool buffered; /* the body must be there as a whole */
    bool finished;
};

/* A piece of the signed bytes; how large it may grow is the caller's affair. */
typedef struct {
    unsigned char *data;
    size_t len;
    size_t cap;
} sig_buffer_t;

struct sig_verify_s {
    const sig_scheme_t *scheme;
    sig_str_t signature; /* the header's value, or the token */
    sig_str_t id;
    sig_str_t time;
    size_t part;       /* of the template: the next one */
    sig_buffer_t body; /* or the whole message */
    sig_result_t result;
    EVP_MD_CTX *macs[SIG_SECRETS_MAX];
};

/* Says why; -1. */
int sig_failed(char error[SIG_ERROR_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool sig_str_is(sig_str_t s, const char *text);
bool sig_str_starts(sig_str_t s, const char *prefix);
/* Prefixes, in contrast to digests, are no secret. */
sig_str_t sig_str_skip(sig_str_t s, size_t n);

/* sig_preset.c: false if there is none of that name. */
bool sig_preset_find(sig_str_t name, sig_form_t *form);

/* sig_option.c: an empty value takes the demand for the claim away. */
int sig_claim_set(sig_scheme_t *scheme, sig_str_t name, sig_str_t value,
                  char error[SIG_ERROR_MAX]);
void sig_claims_clear(sig_scheme_t *scheme);

/* sig_template.c: fills scheme->parts and judges them. */
int sig_template_parse(sig_scheme_t *scheme, char error[SIG_ERROR_MAX]);
bool sig_template_has(const sig_scheme_t *scheme, sig_part_type_t type);
/* May this id stand in the template, or would it shift what comes after? */
bool sig_template_id_fits(const sig_scheme_t *scheme, sig_str_t id);

/* sig_key.c: from bytes to what a verification needs. */
int sig_key_decode(sig_secret_t *secret, const sig_form_t *form, sig_str_t text,
                   char error[SIG_ERROR_MAX]);
int sig_key_prepare(sig_secret_t *secret, const EVP_MD *md,
                    char error[SIG_ERROR_MAX]);
void sig_key_clear(sig_secret_t *secret);

/* sig_time.c: seconds since 1970; false if the text is none such. */
bool sig_time_parse(sig_str_t text, sig_time_t unit, int64_t *seconds);

/* sig_item.c: the items of a signature header. */
typedef struct {
    sig_str_t rest;
    char separator;
    bool done;
} sig_items_t;

void sig_items_begin(sig_items_t *items, sig_str_t header, char separator);
bool sig_items_next(sig_items_t *items, sig_str_t *item);
/* The digest of len bytes in an item; false: it carries none. */
bool sig_item_digest(const sig_form_t *form, bool ed25519, sig_str_t item,
                     unsigned char *digest, size_t len);

/* sig_token.c: the kinds without a template. */
sig_result_t sig_jwt_check(const sig_scheme_t *scheme, sig_str_t header,
                           int64_t now);
sig_result_t sig_token_check(const sig_scheme_t *scheme, sig_str_t token);
sig_result_t sig_token_body(const sig_scheme_t *scheme,
                            const sig_buffer_t *body);
/* SHA-256, so that tokens of any length are compared in one time. */
bool sig_token_digest(unsigned char digest[32], sig_str_t token);

#endif
