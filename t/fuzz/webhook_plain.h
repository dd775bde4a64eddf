/*
 * webhook_plain.h - a second, plain verification of a webhook request, by all
 * of it at once and with the secrets at hand: expected().
 */
#ifndef WACRM_T_FUZZ_WEBHOOK_PLAIN_H
#define WACRM_T_FUZZ_WEBHOOK_PLAIN_H

#include <strings.h>

#include <openssl/hmac.h>

#include "edge/coding.h"
#include "webhook_site.h"

#define CODED_MAX 129 /* 64 bytes in hex, and the end */
#define ED_TRIES  8   /* as the documents say */

typedef struct {
    char *data;
    size_t len;
} message_t;

/* The one header of that name, and something in it. */
static inline bool one(const request_t *r, const char *name, sig_str_t *value)
{
    bool more = false;

    *value = header((void *)(uintptr_t)r, name, &more);
    return !more && value->len > 0;
}

static inline bool absent(const request_t *r, const char *name)
{
    bool more = false;
    sig_str_t value = header((void *)(uintptr_t)r, name, &more);

    return !more && value.len == 0;
}

static inline sig_str_t item_of(sig_str_t *rest, char separator)
{
    return trim(separator == '\0' ? cut(rest, '\n') : cut(rest, separator));
}

/* How often "name=..." stands in the signature, and its last value. */
static inline unsigned items_named(sig_str_t signature, char separator,
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
static inline bool time_ok(const site_t *site, const request_t *r,
                           sig_str_t signature, sig_str_t *value)
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

static inline void put(message_t *m, sig_str_t s)
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
static inline bool message(const site_t *site, const request_t *r,
                           sig_str_t signature, message_t *m)
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
static inline size_t sign(const site_t *site, size_t place, const message_t *m,
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

static inline bool decodes(const sig_form_t *form, sig_str_t item)
{
    unsigned char raw[SIG_DIGEST_MAX];
    size_t len;

    return form->coding == SIG_HEX
               ? hex_decode(raw, sizeof(raw), item.data, item.len)
               : b64_decode(raw, sizeof(raw), &len, item.data, item.len,
                            B64_PADDED) &&
                     len == sizeof(raw);
}

static inline bool matches(const site_t *site, size_t place, const message_t *m,
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

static inline bool expected(const site_t *site, const request_t *r)
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

#endif
