#include "realtime/sign.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/buf.h"

#define LABEL   "wacrm realtime secret"
#define MD5_HEX 33
/* RFC 6455, 1.3 */
#define GUID      "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define KEY_LEN   24
#define TEXT_MAX  (64u << 10)
#define STAMP_MAX 18

static void hex(const unsigned char *md, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[md[i] >> 4];
        out[2 * i + 1] = digits[md[i] & 15];
    }
    out[2 * len] = '\0';
}

static bool mac(const char *secret, size_t secret_len, const char *text,
                size_t len, char out[SIGN_HEX])
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (HMAC(EVP_sha256(), secret, (int)secret_len, (const unsigned char *)text,
             len, md, &n) == NULL ||
        n != 32) {
        return false;
    }
    hex(md, n, out);
    return true;
}

bool sign_hex(const char *secret, const char *text, size_t len,
              char out[SIGN_HEX])
{
    return mac(secret, strlen(secret), text, len, out);
}

bool sign_derive(const char *secret, size_t len, char out[SIGN_HEX])
{
    return mac(secret, len, LABEL, sizeof(LABEL) - 1, out);
}

bool sign_channel(const char *secret, const char *socket, const char *channel,
                  const char *data, char out[SIGN_HEX])
{
    buf_t b;
    bool ok;

    buf_init(&b, TEXT_MAX);
    buf_adds(&b, socket);
    buf_addc(&b, ':');
    buf_adds(&b, channel);
    if (data != NULL) {
        buf_addc(&b, ':');
        buf_adds(&b, data);
    }
    ok = !b.failed && sign_hex(secret, b.data, b.len, out);
    buf_free(&b);
    return ok;
}

static bool same(const char *a, const char *b, size_t len)
{
    return strlen(b) == len && strlen(a) == len &&
           CRYPTO_memcmp(a, b, len) == 0;
}

bool sign_channel_ok(const char *key, const char *secret, const char *auth,
                     const char *socket, const char *channel, const char *data)
{
    char want[SIGN_HEX];
    size_t n = strlen(key);

    return strncmp(auth, key, n) == 0 && auth[n] == ':' &&
           sign_channel(secret, socket, channel, data, want) &&
           same(auth + n + 1, want, SIGN_HEX - 1);
}

/* ---- backends ---- */

static int by_name(const void *a, const void *b)
{
    const sign_pair_t *x = a, *y = b;

    return strcasecmp(x->name, y->name);
}

static const char *find(const sign_pair_t *pairs, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(pairs[i].name, name) == 0) {
            return pairs[i].value;
        }
    }
    return "";
}

static void add_lower(buf_t *b, const char *text)
{
    for (; *text != '\0'; text++) {
        buf_addc(b, (char)(*text >= 'A' && *text <= 'Z' ? *text + ('a' - 'A')
                                                        : *text));
    }
}

static bool signed_as(const char *secret, const char *method, const char *path,
                      size_t path_len, sign_pair_t *pairs, size_t n)
{
    char want[SIGN_HEX];
    bool ok, first = true;
    buf_t b;

    qsort(pairs, n, sizeof(*pairs), by_name);
    buf_init(&b, TEXT_MAX);
    buf_addf(&b, "%s\n", method);
    buf_add(&b, path, path_len);
    buf_addc(&b, '\n');
    for (size_t i = 0; i < n; i++) {
        if (strcmp(pairs[i].name, "auth_signature") == 0) {
            continue;
        }
        if (!first) {
            buf_addc(&b, '&');
        }
        first = false;
        add_lower(&b, pairs[i].name);
        buf_addc(&b, '=');
        buf_adds(&b, pairs[i].value);
    }
    ok = !b.failed && sign_hex(secret, b.data, b.len, want) &&
         same(find(pairs, n, "auth_signature"), want, SIGN_HEX - 1);
    buf_free(&b);
    return ok;
}

static bool in_time(const char *stamp, int64_t now)
{
    int64_t at = 0;
    size_t len = strlen(stamp);

    if (len == 0 || len > STAMP_MAX || strspn(stamp, "0123456789") != len) {
        return false;
    }
    at = strtoll(stamp, NULL, 10);
    return at >= now - SIGN_WINDOW_S && at <= now + SIGN_WINDOW_S;
}

static bool body_is(const char *md5, const char *body, size_t len)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    char text[MD5_HEX];
    unsigned n = 0;

    if (EVP_Digest(body, len, md, &n, EVP_md5(), NULL) != 1 || n != 16) {
        return false;
    }
    hex(md, n, text);
    return same(md5, text, MD5_HEX - 1);
}

const char *sign_request(const char *key, const char *secret,
                         const char *method, const char *path, size_t path_len,
                         sign_pair_t *pairs, size_t n, const char *body,
                         size_t body_len, int64_t now)
{
    if (strcmp(find(pairs, n, "auth_key"), key) != 0) {
        return "Unknown auth_key.";
    }
    if (strcmp(find(pairs, n, "auth_version"), "1.0") != 0) {
        return "The auth_version must be 1.0.";
    }
    if (!in_time(find(pairs, n, "auth_timestamp"), now)) {
        return "The auth_timestamp is not within 600 seconds of the server's "
               "time.";
    }
    if (!signed_as(secret, method, path, path_len, pairs, n)) {
        return "Invalid auth_signature.";
    }
    if (body_len > 0 && !body_is(find(pairs, n, "body_md5"), body, body_len)) {
        return "The body_md5 is not that of the body.";
    }
    return NULL;
}

/* ---- handshake ---- */

bool sign_accept(const char *key, char out[SIGN_ACCEPT])
{
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                 "qrstuvwxyz0123456789+/";
    unsigned char md[EVP_MAX_MD_SIZE];
    char text[KEY_LEN + sizeof(GUID)];
    unsigned n = 0;

    /* sixteen bytes in Base64 */
    if (strlen(key) != KEY_LEN || strspn(key, base64) != KEY_LEN - 2 ||
        strcmp(key + KEY_LEN - 2, "==") != 0) {
        return false;
    }
    memcpy(text, key, KEY_LEN);
    memcpy(text + KEY_LEN, GUID, sizeof(GUID));
    return EVP_Digest(text, sizeof(text) - 1, md, &n, EVP_sha1(), NULL) == 1 &&
           n == 20 && EVP_EncodeBlock((unsigned char *)out, md, (int)n) == 28;
}
