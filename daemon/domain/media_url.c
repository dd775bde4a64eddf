#include "domain/media_url.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/clock.h"

#define PATH      "/api/crm/media/"
#define GATEWAY   "gateway"
#define LABEL     "wacrm media url 1"
#define LIFE_DAYS 2
#define SIGNATURE 65
/* bytes of id, user and expiry in all */
#define SIGNED_MAX 125

static bool mac(const void *key, size_t key_len, const char *text, size_t len,
                unsigned char out[32])
{
    unsigned n = 0;

    return HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text,
                len, out, &n) != NULL &&
           n == 32;
}

int media_url_key(const void *secret, size_t len,
                  unsigned char key[MEDIA_KEY_LEN])
{
    return mac(secret, len, LABEL, sizeof(LABEL) - 1, key) ? WERR_OK
                                                           : WERR_NOMEM;
}

static bool sign(const domain_t *d, const char *id, const char *user,
                 const char *expires, char out[SIGNATURE])
{
    unsigned char md[32];
    char text[SIGNED_MAX + 3];
    int n = snprintf(text, sizeof(text), "%s\n%s\n%s", id, user, expires);

    if (n < 0 || (size_t)n >= sizeof(text) ||
        !mac(d->settings.media_key, MEDIA_KEY_LEN, text, (size_t)n, md)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(md); i++) {
        snprintf(out + 2 * i, 3, "%02x", md[i]);
    }
    return true;
}

static void add_signed(buf_t *out, const domain_t *d, const char *id,
                       const char *user)
{
    char expires[24], signature[SIGNATURE];
    int64_t day = clock_now_ms() / DAY_MS + LIFE_DAYS;

    snprintf(expires, sizeof(expires), "%" PRId64, day * (DAY_MS / 1000));
    if (!sign(d, id, user, expires, signature)) {
        out->failed = true;
        return;
    }
    buf_addf(out, PATH "%s?user=%s&expires=%s&signature=%s", id, user, expires,
             signature);
}

void media_url_add(buf_t *out, const media_viewer_t *viewer,
                   const char *public_id)
{
    char user[24];

    if (viewer == NULL || viewer->user == 0) {
        buf_addf(out, PATH "%s", public_id);
        return;
    }
    snprintf(user, sizeof(user), "%" PRId64, viewer->user);
    add_signed(out, viewer->domain, public_id, user);
}

void media_url_add_gateway(buf_t *out, const domain_t *d, const char *public_id)
{
    buf_adds(out, d->settings.media_base);
    add_signed(out, d, public_id, GATEWAY);
}

static bool number(const char *text, int64_t *out)
{
    size_t len = strlen(text);

    if (len == 0 || len > 15 || strspn(text, "0123456789") != len) {
        return false;
    }
    *out = strtoll(text, NULL, 10);
    return true;
}

int media_url_check(const domain_t *d, const char *public_id, const char *user,
                    const char *expires, const char *signature, int64_t *out)
{
    char ours[SIGNATURE];
    int64_t end;

    *out = 0;
    if (user == NULL || expires == NULL || signature == NULL ||
        strlen(signature) != SIGNATURE - 1 || !number(expires, &end) ||
        strlen(public_id) + strlen(user) + strlen(expires) > SIGNED_MAX) {
        return WERR_DENIED;
    }
    if (!sign(d, public_id, user, expires, ours)) {
        return WERR_NOMEM;
    }
    return CRYPTO_memcmp(ours, signature, SIGNATURE - 1) == 0 &&
                   clock_now_ms() < end * 1000 &&
                   (strcmp(user, GATEWAY) == 0 ||
                    (number(user, out) && *out > 0))
               ? WERR_OK
               : WERR_DENIED;
}
