/*
 * fuzz_webhook.c - whole webhook requests as the module sees them: settings,
 * headers, body. Here the secrets are known: a second, plain verification says
 * what the answer must be, and signatures can be right.
 *
 * Lines "preset", "option=value" or "secrets=N"..., an empty one, "Name: value"
 * ..., an empty one, the body. In the signature header @0 to @2 stand for the
 * signature of that secret, @e for the one of the Ed25519 key.
 */
#include "webhook_plain.h"

#include "edge/json_check.h"
#include "spool/spool.h"
#include "through.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
        fuzz_through();
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
