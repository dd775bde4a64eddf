/*
 * waapi.c - the driver of the seed's gateway, and what is redacted in the
 * copy of a delivery that is kept.
 */
#include "gateway/waapi.h"

#include <string.h>
#include <strings.h>

/* Whoever has one of these can take the session or the account over. */
static const char *const secrets[] = {
    "qr",           "qr_code",      "qrCode",      "pairing_code",
    "pairingCode",  "apikey",       "api_key",     "apiKey",
    "token",        "access_token", "accessToken", "refresh_token",
    "refreshToken",
};

static bool is_secret(const char *key, size_t len, bool pairing)
{
    if (pairing && len == 4 && memcmp(key, "code", 4) == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        if (strlen(secrets[i]) == len &&
            strncasecmp(key, secrets[i], len) == 0) {
            return true;
        }
    }
    return false;
}

/* Index of the closing quote of the string that begins after at. */
static size_t string_end(const char *s, size_t len, size_t at)
{
    while (at < len && s[at] != '"') {
        at += s[at] == '\\' && at + 1 < len ? 2 : 1;
    }
    return at < len ? at : len;
}

static size_t skip_space(const char *s, size_t len, size_t at)
{
    while (at < len && s[at] != '\0' && strchr(" \t\r\n", s[at])) {
        at++;
    }
    return at;
}

/* "code" is a secret only where it pairs a device. */
static bool names_pairing(const char *body, size_t len)
{
    return memmem(body, len, "pairing", strlen("pairing")) != NULL;
}

static void waapi_redact(char *body, size_t len)
{
    bool pairing = names_pairing(body, len);
    size_t at = 0;

    while (at < len) {
        size_t key, end, value, last;

        key = string_end(body, len, at) + 1;
        if (key >= len) {
            return;
        }
        end = string_end(body, len, key);
        value = skip_space(body, len, end + 1);
        at = end + 1;
        if (value >= len || body[value] != ':' ||
            !is_secret(body + key, end - key, pairing)) {
            continue;
        }
        value = skip_space(body, len, value + 1);
        if (value >= len || body[value] != '"') {
            continue;
        }
        last = string_end(body, len, value + 1);
        memset(body + value + 1, '*', last - value - 1);
        at = last + 1;
    }
}

const gw_driver_t gw_waapi = {
    .name = "waapi",
    .parse = waapi_parse,
    .send = waapi_send,
    .send_reply = waapi_send_reply,
    .lookup = waapi_lookup,
    .lookup_reply = waapi_lookup_reply,
    .mark_read = waapi_mark_read,
    .login = waapi_login,
    .login_reply = waapi_login_reply,
    .redact = waapi_redact,
};
