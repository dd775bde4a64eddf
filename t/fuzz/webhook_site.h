/*
 * webhook_site.h - a site whose secrets are known, and a request to it: read
 * from a target's input, and verified as the module does.
 */
#ifndef WACRM_T_FUZZ_WEBHOOK_SITE_H
#define WACRM_T_FUZZ_WEBHOOK_SITE_H

#include <ctype.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "edge/sig_internal.h"
#include "text.h"

#define NOW     1000
#define HEADERS 32
#define SECRETS 3

typedef struct {
    sig_str_t name;
    sig_str_t value;
} pair_t;

typedef struct {
    pair_t headers[HEADERS];
    size_t n;
    sig_str_t body;
    int64_t now;
} request_t;

typedef struct {
    sig_scheme_t *scheme;
    size_t secrets; /* HMAC keys; behind them the Ed25519 key, if any */
    bool ed25519;
} site_t;

/* The secrets: 32 letters each. The key pair is that of RFC 8032, 7.1. */
static const char secret_text[SECRETS][33] = {
    "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210",
    "a-secret-that-everybody-knows...."};
static const unsigned char ed_seed[32] = {
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a,
    0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
    0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
static EVP_PKEY *ed_key;

/* ---- the site's settings ---- */

static inline void add_secret(site_t *site, sig_key_t key,
                              const unsigned char *raw, const char *prefix)
{
    char text[64], error[SIG_ERROR_MAX];
    size_t len = 32;

    if (key == SIG_KEY_RAW) {
        memcpy(text, raw, len);
    } else {
        len = strlen(prefix);
        memcpy(text, prefix, len);
        len += (size_t)EVP_EncodeBlock((unsigned char *)text + len, raw, 32);
    }
    (void)sig_scheme_secret(site->scheme, (sig_str_t){text, len}, 16, error);
}

static inline void add_secrets(site_t *site)
{
    const sig_form_t *form = &site->scheme->form;
    bool mac = form->kind == SIG_KIND_MAC;
    const char *prefix = form->key == SIG_KEY_WHSEC ? "whsec_" : "";
    unsigned char public[32];
    size_t len = sizeof(public);

    if (mac && form->digest == SIG_ED25519) {
        site->secrets = 0;
    }
    for (size_t i = 0; i < site->secrets; i++) {
        add_secret(site, mac ? form->key : SIG_KEY_RAW,
                   (const unsigned char *)secret_text[i], prefix);
    }
    site->ed25519 =
        mac && (form->digest == SIG_ED25519 || form->key == SIG_KEY_WHSEC);
    if (site->ed25519) {
        if (EVP_PKEY_get_raw_public_key(ed_key, public, &len) != 1) {
            abort();
        }
        add_secret(site, form->key, public,
                   form->key == SIG_KEY_WHSEC ? "whpk_" : "");
    }
}

static inline bool configure(site_t *site, sig_str_t *rest)
{
    char error[SIG_ERROR_MAX];
    sig_str_t value, name;

    site->secrets = 1;
    if (sig_scheme_new(&site->scheme, cut(rest, '\n'), error) != 0) {
        return false;
    }
    while ((value = cut(rest, '\n')).len > 0) {
        name = cut(&value, '=');
        if (same(name, str("secrets"))) {
            site->secrets =
                value.len > 0 ? (size_t)value.data[0] % SECRETS + 1 : 1;
        } else {
            (void)sig_scheme_option(site->scheme, name, value, error);
        }
    }
    add_secrets(site);
    if (sig_scheme_finish(site->scheme, error) != 0) {
        sig_scheme_free(&site->scheme);
        return false;
    }
    return true;
}

/* A carriage return belongs to the end of a line, and to nothing else. */
static inline sig_str_t line_of(sig_str_t *rest)
{
    sig_str_t line = cut(rest, '\n');

    if (line.len > 0 && line.data[line.len - 1] == '\r') {
        line.len--;
    }
    return trim(line);
}

/* ---- the request ---- */

/* Names in lower case, as nginx keeps them; `text` is the caller's to change.
 */
static inline void parse(request_t *r, sig_str_t *rest)
{
    sig_str_t value, name;
    size_t i;

    r->n = 0;
    r->now = NOW;
    while ((value = line_of(rest)).len > 0) {
        name = cut(&value, ':');
        if (r->n == HEADERS || name.len == 0) {
            continue;
        }
        for (i = 0; i < name.len; i++) {
            ((char *)(uintptr_t)name.data)[i] =
                (char)tolower((unsigned char)name.data[i]);
        }
        r->headers[r->n++] = (pair_t){name, trim(value)};
    }
    r->body = *rest;
}

static inline sig_str_t header(void *ctx, const char *name, bool *more)
{
    const request_t *r = ctx;
    sig_str_t found = {NULL, 0};

    for (size_t i = 0; i < r->n; i++) {
        if (same(r->headers[i].name, str(name))) {
            *more = *more || found.data != NULL;
            found = found.data == NULL ? r->headers[i].value : found;
        }
    }
    return found;
}

static inline sig_str_t query(void *ctx, const char *name)
{
    bool more = false;

    return header(ctx, name, &more);
}

static inline sig_result_t verify(const site_t *site, request_t *r, size_t step)
{
    sig_request_t request = {r, header, query, r->now};
    sig_verify_t *v;
    sig_result_t result = sig_verify_begin(&v, site->scheme, &request);

    if (result != SIG_OK) {
        return result;
    }
    for (size_t at = 0; at < r->body.len; at += step) {
        sig_verify_update(v, r->body.data + at,
                          r->body.len - at < step ? r->body.len - at : step);
    }
    return sig_verify_final(&v);
}

#endif
