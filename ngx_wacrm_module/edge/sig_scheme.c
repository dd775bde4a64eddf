#include "edge/sig_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int sig_failed(char error[SIG_ERROR_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error, SIG_ERROR_MAX, format, args);
    va_end(args);
    return -1;
}

bool sig_str_is(sig_str_t s, const char *text)
{
    return s.len == strlen(text) && sig_str_starts(s, text);
}

bool sig_str_starts(sig_str_t s, const char *prefix)
{
    size_t len = strlen(prefix);

    return s.len >= len && (len == 0 || memcmp(s.data, prefix, len) == 0);
}

sig_str_t sig_str_skip(sig_str_t s, size_t n)
{
    return (sig_str_t){s.data + n, s.len - n};
}

static sig_str_t str(const char *text)
{
    return (sig_str_t){text, strlen(text)};
}

int sig_scheme_new(sig_scheme_t **out, sig_str_t name,
                   char error[SIG_ERROR_MAX])
{
    sig_scheme_t *scheme;
    sig_form_t form;

    *out = NULL;
    if (!sig_preset_find(name, &form)) {
        return sig_failed(error, "unknown signature scheme \"%.*s\"",
                          (int)(name.len > 40 ? 40 : name.len), name.data);
    }
    scheme = calloc(1, sizeof(*scheme));
    if (scheme == NULL) {
        return sig_failed(error, "out of memory");
    }
    scheme->form = form;
    memcpy(scheme->name, name.data, name.len);
    if (form.kind == SIG_KIND_JWT &&
        (jwt_keyset_new(&scheme->keyset) != 0 ||
         sig_claim_set(scheme, str("app"), str("evolution"), error) != 0 ||
         sig_claim_set(scheme, str("action"), str("webhook"), error) != 0)) {
        sig_scheme_free(&scheme);
        return sig_failed(error, "out of memory");
    }
    *out = scheme;
    return 0;
}

void sig_scheme_free(sig_scheme_t **scheme)
{
    size_t i;

    if (*scheme == NULL) {
        return;
    }
    for (i = 0; i < (*scheme)->nsecrets; i++) {
        sig_key_clear(&(*scheme)->secrets[i]);
    }
    sig_claims_clear(*scheme);
    jwt_keyset_free(&(*scheme)->keyset);
    EVP_MD_free((*scheme)->md);
    free(*scheme);
    *scheme = NULL;
}

/* ---- secrets ---- */

static int long_enough(size_t len, size_t min_len, char error[SIG_ERROR_MAX])
{
    if (len == 0) {
        return sig_failed(error, "the secret is empty");
    }
    if (len < min_len) {
        return sig_failed(error,
                          "the secret has %zu bytes, %zu or more are needed",
                          len, min_len);
    }
    return 0;
}

/* GOWA's default; there, it comes from the documentation. */
static bool is_known_default(sig_str_t secret)
{
    return sig_str_is(secret, "secret");
}

static int add_token(sig_scheme_t *scheme, sig_str_t token, size_t min_len,
                     char error[SIG_ERROR_MAX])
{
    sig_secret_t *secret = &scheme->secrets[scheme->nsecrets];

    if (long_enough(token.len, min_len, error) != 0) {
        return -1;
    }
    if (!sig_token_digest(secret->token, token)) {
        return sig_failed(error, "cannot hash the token");
    }
    scheme->nsecrets++;
    return 0;
}

static int add_key(sig_scheme_t *scheme, sig_str_t text, size_t min_len,
                   char error[SIG_ERROR_MAX])
{
    sig_secret_t *secret = &scheme->secrets[scheme->nsecrets];

    if (sig_key_decode(secret, &scheme->form, text, error) != 0 ||
        long_enough(secret->len, min_len, error) != 0) {
        sig_key_clear(secret);
        return -1;
    }
    scheme->nsecrets++;
    return 0;
}

int sig_scheme_secret(sig_scheme_t *scheme, sig_str_t secret, size_t min_len,
                      char error[SIG_ERROR_MAX])
{
    if (scheme->finished) {
        return sig_failed(error, "the scheme is finished");
    }
    if (secret.len == 0) {
        return sig_failed(error, "the secret is empty");
    }
    if (is_known_default(secret)) {
        return sig_failed(error, "the secret is a known default");
    }
    if (scheme->nsecrets == SIG_SECRETS_MAX) {
        return sig_failed(error, "more than %d secrets", SIG_SECRETS_MAX);
    }
    switch (scheme->form.kind) {
    case SIG_KIND_MAC:
        return add_key(scheme, secret, min_len, error);
    case SIG_KIND_TOKEN:
        return add_token(scheme, secret, min_len, error);
    case SIG_KIND_JWT:
        return jwt_keyset_add(scheme->keyset, JWT_GATE_HS256, secret.data,
                              secret.len, error);
    default:
        return sig_failed(error, "the scheme \"%s\" has no use for a secret",
                          scheme->name);
    }
}

/* ---- the last look ---- */

static int finish_mac(sig_scheme_t *scheme, char error[SIG_ERROR_MAX])
{
    static const char *const digests[] = {"SHA1", "SHA256", "SHA512", "SHA256"};
    const sig_form_t *form = &scheme->form;
    size_t i;

    if (form->header[0] == '\0' || form->template[0] == '\0') {
        return sig_failed(error, "%s is missing",
                          form->header[0] == '\0' ? "header" : "template");
    }
    if (form->timestamp_header[0] != '\0' && form->timestamp_item[0] != '\0') {
        return sig_failed(error,
                          "timestamp_header and timestamp_item: only one");
    }
    if (form->timestamp_item[0] != '\0' && form->separator == '\0') {
        return sig_failed(error, "timestamp_item needs a separator");
    }
    if (form->optional_prefix && form->prefix[0] == '\0') {
        return sig_failed(error, "optional_prefix needs a prefix");
    }
    if (sig_template_parse(scheme, error) != 0) {
        return -1;
    }
    scheme->md = EVP_MD_fetch(NULL, digests[form->digest], NULL);
    if (scheme->md == NULL) {
        return sig_failed(error, "the crypto library has no %s",
                          digests[form->digest]);
    }
    scheme->digest_len = (size_t)EVP_MD_get_size(scheme->md);
    for (i = 0; i < scheme->nsecrets; i++) {
        if (sig_key_prepare(&scheme->secrets[i], scheme->md, error) != 0) {
            return -1;
        }
        scheme->buffered |= scheme->secrets[i].pkey != NULL;
    }
    return 0;
}

static int finish_token(sig_scheme_t *scheme, char error[SIG_ERROR_MAX])
{
    const sig_form_t *form = &scheme->form;
    int places = (form->header[0] != '\0') + (form->query[0] != '\0') +
                 (form->json[0] != '\0');

    if (places != 1) {
        return sig_failed(error, "one of header=, query= and json= is needed");
    }
    if (form->prefix[0] != '\0' && form->header[0] == '\0') {
        return sig_failed(error, "prefix= goes with header= only");
    }
    scheme->buffered = form->json[0] != '\0';
    return 0;
}

int sig_scheme_finish(sig_scheme_t *scheme, char error[SIG_ERROR_MAX])
{
    size_t secrets = scheme->keyset != NULL ? jwt_keyset_count(scheme->keyset)
                                            : scheme->nsecrets;
    int rc = 0;

    if (scheme->finished) {
        return sig_failed(error, "the scheme is finished");
    }
    if (secrets == 0 && scheme->form.kind != SIG_KIND_NONE) {
        return sig_failed(error, "the scheme \"%s\" needs a secret",
                          scheme->name);
    }
    if (scheme->form.kind == SIG_KIND_MAC) {
        rc = finish_mac(scheme, error);
    } else if (scheme->form.kind == SIG_KIND_TOKEN) {
        rc = finish_token(scheme, error);
    }
    scheme->finished = rc == 0;
    return rc;
}

/* ---- what others may know of it ---- */

const char *sig_scheme_name(const sig_scheme_t *scheme)
{
    return scheme->name;
}

bool sig_scheme_unsigned(const sig_scheme_t *scheme)
{
    return scheme->form.kind == SIG_KIND_NONE;
}

const char *sig_scheme_id_header(const sig_scheme_t *scheme)
{
    return scheme->form.id_header;
}

const char *sig_scheme_timestamp_header(const sig_scheme_t *scheme)
{
    return scheme->form.timestamp_header;
}

const char *sig_scheme_token_query(const sig_scheme_t *scheme)
{
    return scheme->form.query;
}
