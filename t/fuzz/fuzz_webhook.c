/*
 * fuzz_webhook.c - whole webhook requests as the module sees them: settings,
 * headers, body. Here the secrets are known: a second, plain verification says
 * what the answer must be, and signatures can be right.
 *
 * Lines "preset", "option=value" or "secrets=N"..., an empty one, "Name: value"
 * ..., an empty one, the body. In the signature header @0 to @2 stand for the
 * signature of that secret, @e for the one of the Ed25519 key.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/hmac.h>

#include "edge/coding.h"
#include "edge/json_check.h"
#include "edge/sig_internal.h"
#include "spool/spool.h"

#define NOW       1000
#define HEADERS   32
#define SECRETS   3
#define CODED_MAX 129 /* 64 bytes in hex, and the end */
#define ED_TRIES  8   /* as the documents say */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

typedef struct {
    char *data;
    size_t len;
} message_t;

/* The secrets: 32 letters each. The key pair is that of RFC 8032, 7.1. */
static const char secret_text[SECRETS][33] = {
    "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210",
    "a-secret-that-everybody-knows...."};
static const unsigned char ed_seed[32] = {
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a,
    0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
    0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
static EVP_PKEY *ed_key;

static sig_str_t str(const char *text)
{
    return (sig_str_t){text, strlen(text)};
}

/* What stands before and behind the first `by`. */
static sig_str_t cut(sig_str_t *text, char by)
{
    const char *at = text->len == 0 ? NULL : memchr(text->data, by, text->len);
    sig_str_t left = {text->data,
                      at == NULL ? text->len : (size_t)(at - text->data)};
    size_t skip = left.len + (at != NULL);

    text->data += skip;
    text->len -= skip;
    return left;
}

static bool same(sig_str_t a, sig_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static sig_str_t trim(sig_str_t s)
{
    while (s.len > 0 && (*s.data == ' ' || *s.data == '\t')) {
        s.data++;
        s.len--;
    }
    while (s.len > 0 &&
           (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

/* A carriage return belongs to the end of a line, and to nothing else. */
static sig_str_t line_of(sig_str_t *rest)
{
    sig_str_t line = cut(rest, '\n');

    if (line.len > 0 && line.data[line.len - 1] == '\r') {
        line.len--;
    }
    return trim(line);
}

/* ---- the site's settings ---- */

static void add_secret(site_t *site, sig_key_t key, const unsigned char *raw,
                       const char *prefix)
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

static void add_secrets(site_t *site)
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

static bool configure(site_t *site, sig_str_t *rest)
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

/* ---- the request ---- */

/* Names in lower case, as nginx keeps them; `text` is the caller's to change.
 */
static void parse(request_t *r, sig_str_t *rest)
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

static sig_str_t header(void *ctx, const char *name, bool *more)
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

static sig_str_t query(void *ctx, const char *name)
{
    bool more = false;

    return header(ctx, name, &more);
}

static sig_result_t verify(const site_t *site, request_t *r, size_t step)
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

/* ---- what the answer must be ---- */

/* The one header of that name, and something in it. */
static bool one(const request_t *r, const char *name, sig_str_t *value)
{
    bool more = false;

    *value = header((void *)(uintptr_t)r, name, &more);
    return !more && value->len > 0;
}

static bool absent(const request_t *r, const char *name)
{
    bool more = false;
    sig_str_t value = header((void *)(uintptr_t)r, name, &more);

    return !more && value.len == 0;
}

static sig_str_t item_of(sig_str_t *rest, char separator)
{
    return trim(separator == '\0' ? cut(rest, '\n') : cut(rest, separator));
}

/* How often "name=..." stands in the signature, and its last value. */
static unsigned items_named(sig_str_t signature, char separator,
                            const char *name, sig_str_t *value)
{
    unsigned found = 0;
    sig_str_t item, left;

    while (signature.len > 0) {
        item = item_of(&signature, separator);
        left = cut(&item, '=');
        if (item.data > left.data + left.len && same(left, str(name))) {
            *value = item;
            found++;
        }
    }
    return found;
}

/* false: to be refused. An absent time is one, if it is not signed. */
static bool time_ok(const site_t *site, const request_t *r, sig_str_t signature,
                    sig_str_t *value)
{
    const sig_form_t *form = &site->scheme->form;
    bool must = strstr(form->template, "{ts}") != NULL;
    int64_t seconds;
    unsigned n;

    *value = (sig_str_t){NULL, 0};
    if (form->timestamp_item[0] != '\0') {
        n = items_named(signature, form->separator, form->timestamp_item,
                        value);
        if (n != 1) {
            return n == 0 && !must;
        }
    } else if (form->timestamp_header[0] == '\0') {
        return true;
    } else if (!one(r, form->timestamp_header, value)) {
        return absent(r, form->timestamp_header) && !must;
    }
    return sig_time_parse(*value, form->time, &seconds) &&
           (form->tolerance == 0 || (seconds >= r->now - form->tolerance &&
                                     seconds <= r->now + form->tolerance));
}

static void put(message_t *m, sig_str_t s)
{
    m->data = realloc(m->data, m->len + s.len + 1);
    if (m->data == NULL) {
        abort();
    }
    if (s.len > 0) {
        memcpy(m->data + m->len, s.data, s.len);
    }
    m->len += s.len;
}

/*
 * The signed bytes in one piece; the template is read anew. false: such a
 * request must be refused, whatever its signature.
 */
static bool message(const site_t *site, const request_t *r, sig_str_t signature,
                    message_t *m)
{
    const sig_form_t *form = &site->scheme->form;
    sig_str_t id = {NULL, 0}, at;
    bool ok = time_ok(site, r, signature, &at);

    if (strstr(form->template, "{id}") != NULL) {
        ok &= one(r, form->id_header, &id) &&
              sig_template_id_fits(site->scheme, id);
    }
    put(m, (sig_str_t){NULL, 0});
    for (const char *t = form->template; *t != '\0';) {
        if (strncmp(t, "{id}", 4) == 0) {
            put(m, id);
            t += 4;
        } else if (strncmp(t, "{ts}", 4) == 0) {
            put(m, at);
            t += 4;
        } else if (strncmp(t, "{body}", 6) == 0) {
            put(m, r->body);
            t += 6;
        } else {
            put(m, (sig_str_t){t++, 1});
        }
    }
    return ok;
}

/* The signature of m by that secret as an item has it, without its prefix. */
static size_t sign(const site_t *site, size_t place, const message_t *m,
                   char coded[CODED_MAX])
{
    static const char *const digests[] = {"SHA1", "SHA256", "SHA512"};
    const sig_form_t *form = &site->scheme->form;
    unsigned char raw[SIG_DIGEST_MAX];
    size_t len = sizeof(raw);
    unsigned n = 0;

    if (place == site->secrets) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();

        if (ctx == NULL ||
            EVP_DigestSignInit(ctx, NULL, NULL, NULL, ed_key) != 1 ||
            EVP_DigestSign(ctx, raw, &len, (unsigned char *)m->data, m->len) !=
                1) {
            abort();
        }
        EVP_MD_CTX_free(ctx);
    } else {
        if (HMAC(EVP_get_digestbyname(digests[form->digest]),
                 secret_text[place], 32, (unsigned char *)m->data, m->len, raw,
                 &n) == NULL) {
            abort();
        }
        len = n;
    }
    if (form->coding == SIG_BASE64) {
        return (size_t)EVP_EncodeBlock((unsigned char *)coded, raw, (int)len);
    }
    for (size_t i = 0; i < len; i++) {
        coded[2 * i] = "0123456789abcdef"[raw[i] >> 4];
        coded[2 * i + 1] = "0123456789abcdef"[raw[i] & 15];
    }
    return 2 * len;
}

static bool decodes(const sig_form_t *form, sig_str_t item)
{
    unsigned char raw[SIG_DIGEST_MAX];
    size_t len;

    return form->coding == SIG_HEX
               ? hex_decode(raw, sizeof(raw), item.data, item.len)
               : b64_decode(raw, sizeof(raw), &len, item.data, item.len,
                            B64_PADDED) &&
                     len == sizeof(raw);
}

static bool matches(const site_t *site, size_t place, const message_t *m,
                    sig_str_t signature)
{
    const sig_form_t *form = &site->scheme->form;
    bool ed = place == site->secrets;
    const char *prefix =
        ed && form->key_prefix[0] != '\0' ? form->key_prefix : form->prefix;
    size_t skip = strlen(prefix), len;
    char coded[CODED_MAX];
    unsigned tries = 0;
    sig_str_t item;

    len = sign(site, place, m, coded);
    while (signature.len > 0) {
        item = item_of(&signature, form->separator);
        if (item.len >= skip && memcmp(item.data, prefix, skip) == 0) {
            item = (sig_str_t){item.data + skip, item.len - skip};
        } else if (!form->optional_prefix) {
            continue;
        }
        if (ed && decodes(form, item) && ++tries > ED_TRIES) {
            return false;
        }
        if (item.len == len &&
            (form->coding == SIG_HEX ? strncasecmp(item.data, coded, len)
                                     : memcmp(item.data, coded, len)) == 0) {
            return true;
        }
    }
    return false;
}

static bool expected(const site_t *site, const request_t *r)
{
    static const char *const names[] = {"sha1", "sha256", "sha512", "ed25519"};
    const sig_form_t *form = &site->scheme->form;
    const char *name = names[form->digest];
    sig_str_t signature, value;
    message_t m = {NULL, 0};
    bool found = false;

    if (!one(r, form->header, &signature)) {
        return false;
    }
    if (form->digest_header[0] != '\0' && !absent(r, form->digest_header) &&
        (!one(r, form->digest_header, &value) || value.len != strlen(name) ||
         strncasecmp(value.data, name, value.len) != 0)) {
        return false;
    }
    if (message(site, r, signature, &m)) {
        for (size_t i = 0; i < site->secrets + site->ed25519; i++) {
            found |= matches(site, i, &m, signature);
        }
    }
    free(m.data);
    return found;
}

/* ---- right signatures, and what must spoil them ---- */

/* The text with signatures in place of the markers; the caller's to free. */
static message_t plant(const site_t *site, sig_str_t text, const message_t *m)
{
    message_t out = {NULL, 0};
    char coded[CODED_MAX];
    size_t place;

    put(&out, (sig_str_t){NULL, 0});
    while (text.len > 0) {
        put(&out, cut(&text, '@'));
        place = text.len == 0         ? SIZE_MAX
                : text.data[0] == 'e' ? site->secrets
                                      : (size_t)(text.data[0] - '0');
        if (place < site->secrets + site->ed25519) {
            put(&out, (sig_str_t){coded, sign(site, place, m, coded)});
            text = (sig_str_t){text.data + 1, text.len - 1};
        }
    }
    return out;
}

/* Signs the request where it asks for it: as it is, refused or not. */
static void sign_all(const site_t *site, request_t *r, char *planted[HEADERS])
{
    const char *name = site->scheme->form.header;
    message_t m = {NULL, 0}, value;
    bool more = false;

    (void)message(site, r, header(r, name, &more), &m);
    for (size_t i = 0; i < r->n; i++) {
        if (same(r->headers[i].name, str(name))) {
            value = plant(site, r->headers[i].value, &m);
            r->headers[i].value = (sig_str_t){value.data, value.len};
            planted[i] = value.data;
        }
    }
    free(m.data);
}

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void without_signature(const site_t *site, const request_t *r)
{
    const char *name = site->scheme->form.header;
    request_t other = *r;
    size_t i;

    for (i = 0; !same(other.headers[i].name, str(name)); i++) {
    }
    if (other.n < HEADERS) {
        other.headers[other.n++] = other.headers[i];
        must(verify(site, &other, SIZE_MAX) == SIG_MISMATCH);
        other.n--;
    }
    other.headers[i] = other.headers[--other.n];
    must(verify(site, &other, SIZE_MAX) == SIG_MISSING);
}

/* A right one: no bit of the body may change, nor the time go on for long. */
static void spoil(const site_t *site, const request_t *r, uint8_t where)
{
    const sig_form_t *form = &site->scheme->form;
    request_t other = *r;
    sig_str_t signature, at;
    char *body = malloc(r->body.len + 1);

    must(body != NULL && one(r, form->header, &signature) &&
         time_ok(site, r, signature, &at));
    if (r->body.len > 0) {
        memcpy(body, r->body.data, r->body.len);
        body[where % r->body.len] ^= (char)(1u << (where & 7u));
    }
    body[r->body.len] = ' ';
    other.body = (sig_str_t){body, r->body.len + (r->body.len == 0)};
    must(verify(site, &other, SIZE_MAX) != SIG_OK);
    other = *r;
    other.now += 30 * 86400;
    if (form->tolerance > 0 && at.len > 0) {
        must(verify(site, &other, SIZE_MAX) == SIG_STALE);
    }
    without_signature(site, r);
    free(body);
}

/* What is stored of it is what came. */
static void store(const site_t *site, const request_t *r)
{
    const char *const keep[] = {"x-webhook-event",
                                sig_scheme_id_header(site->scheme),
                                sig_scheme_timestamp_header(site->scheme)};
    spool_record_t record = {.received_us = 1}, back;
    sig_str_t value;
    size_t len, cap;
    void *buf;

    record.source = (spool_str_t){"main", 4};
    record.body = (spool_str_t){r->body.data, r->body.len};
    for (size_t i = 0; i < 3; i++) {
        if (one(r, keep[i], &value)) {
            record.headers[record.nheaders++] = (spool_header_t){
                {keep[i], strlen(keep[i])}, {value.data, value.len}};
        }
    }
    cap = spool_record_bound(&record);
    must((buf = malloc(cap)) != NULL);
    len = spool_record_encode(&record, buf, cap);
    must(len > 0 && spool_record_decode(buf, len, &back) == SPOOL_OK);
    must(back.body.len == r->body.len && back.nheaders == record.nheaders &&
         memcmp(back.body.data, r->body.data, r->body.len) == 0);
    for (size_t i = 0; i < back.nheaders; i++) {
        value =
            (sig_str_t){back.headers[i].value.data, back.headers[i].value.len};
        must(same(value, (sig_str_t){record.headers[i].value.data,
                                     record.headers[i].value.len}));
    }
    free(buf);
}

static void run(const site_t *site, request_t *r)
{
    sig_kind_t kind = site->scheme->form.kind;
    uint8_t where = r->body.len > 0 ? (uint8_t)r->body.data[0] : 0;
    sig_result_t result = verify(site, r, SIZE_MAX);

    must(result != SIG_FAULT);
    must(verify(site, r, where % 7u + 1) == result);
    if (kind == SIG_KIND_MAC) {
        must((result == SIG_OK) == expected(site, r));
        if (result == SIG_OK) {
            spoil(site, r, where);
        }
    }
    /* nobody who writes no HMAC has a token of this key */
    must(kind != SIG_KIND_JWT || result != SIG_OK);
    if (result == SIG_OK && json_check(r->body.data, r->body.len)) {
        store(site, r);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *planted[HEADERS] = {NULL};
    sig_str_t rest = {text, size};
    request_t request;
    site_t site;

    if (ed_key == NULL) {
        ed_key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, ed_seed,
                                              sizeof(ed_seed));
    }
    must(text != NULL && ed_key != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    if (size > 0 && configure(&site, &rest)) {
        parse(&request, &rest);
        if (site.scheme->form.kind == SIG_KIND_MAC) {
            sign_all(&site, &request, planted);
        }
        run(&site, &request);
        for (size_t i = 0; i < HEADERS; i++) {
            free(planted[i]);
        }
        sig_scheme_free(&site.scheme);
    }
    free(text);
    return 0;
}
