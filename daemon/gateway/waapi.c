/*
 * waapi.c - the driver of the seed's gateway, and what is redacted in the
 * copy of a delivery that is kept.
 */
#include "gateway/waapi.h"

#include <string.h>
#include <strings.h>

/* Whoever has one of these can take the session or the account over. */
#define SECRET(name)           \
    {                          \
        name, sizeof(name) - 1 \
    }

/* In any case of letters. */
static const struct {
    const char *name;
    size_t len;
} secrets[] = {
    SECRET("qr"),           SECRET("qr_code"),       SECRET("qrcode"),
    SECRET("pairing_code"), SECRET("pairingcode"),   SECRET("apikey"),
    SECRET("api_key"),      SECRET("token"),         SECRET("access_token"),
    SECRET("accesstoken"),  SECRET("refresh_token"), SECRET("refreshtoken"),
};

static bool is_secret(const char *key, size_t len, bool pairing)
{
    if (pairing && len == 4 && memcmp(key, "code", 4) == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        if (secrets[i].len == len &&
            strncasecmp(key, secrets[i].name, len) == 0) {
            return true;
        }
    }
    return false;
}

/* Index of the closing quote of the string that begins at `from`. */
static size_t string_end(const char *s, size_t len, size_t from)
{
    for (size_t at = from; at < len; at++) {
        const char *quote = memchr(s + at, '"', len - at);
        size_t back;

        if (quote == NULL) {
            break;
        }
        at = back = (size_t)(quote - s);
        while (back > from && s[back - 1] == '\\') {
            back--;
        }
        if ((at - back) % 2 == 0) {
            return at;
        }
    }
    return len;
}

static size_t skip_space(const char *s, size_t len, size_t at)
{
    while (at < len &&
           (s[at] == ' ' || s[at] == '\t' || s[at] == '\r' || s[at] == '\n')) {
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
    .session_create = waapi_session_create,
    .session_list = waapi_session_list,
    .session_qr = waapi_session_qr,
    .session_status = waapi_session_status,
    .session_delete = waapi_session_delete,
    .session_reconnect = waapi_session_reconnect,
    .session_reply = waapi_answer,
    .status_reply = waapi_status_reply,
    .list_reply = waapi_list_reply,
    .qr_reply = waapi_qr_reply,
    .contact = waapi_contact,
    .contact_reply = waapi_contact_reply,
    .list_chats = waapi_list_chats,
    .list_messages = waapi_list_messages,
    .chats_reply = waapi_chats_reply,
    .messages_reply = waapi_messages_reply,
    .redact = waapi_redact,
};
