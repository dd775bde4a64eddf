/*
 * phone.c - phone.h; the rules and why: docs/gateways.md.
 */
#include "base/phone.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define DIGITS_MAX  15 /* E.164 */
#define TYPED_MIN   10
#define GATEWAY_MIN 7

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void trim(const char **text, size_t *len)
{
    while (*len > 0 && is_space(**text)) {
        ++*text;
        --*len;
    }
    while (*len > 0 && is_space((*text)[*len - 1])) {
        --*len;
    }
}

/* Bytes of a separator that people type or paste: 0 if it is none. */
static size_t separator(const char *p, size_t n)
{
    static const char *const wide[] = {
        "\xc2\xa0",     /* no-break space */
        "\xc2\xad",     /* soft hyphen */
        "\xe2\x80",     /* dashes, thin spaces, marks of direction */
        "\xe2\x81",     /* isolates, word joiner */
        "\xef\xbb\xbf", /* byte order mark */
    };

    if (*p != '\0' && strchr(" \t-.()/", *p)) {
        return 1;
    }
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
        size_t len = strlen(wide[i]);

        if (n >= len && memcmp(p, wide[i], len) == 0) {
            return utf8_len(p, n);
        }
    }
    return 0;
}

/* Digits of text into out, separators left out; a + may stand in front. */
static bool collect(const char *text, size_t len, char out[PHONE_MAX],
                    size_t *n, bool *plus)
{
    size_t i = 0;

    *n = 0;
    *plus = false;
    while (i < len) {
        size_t skip = 1;

        if (is_digit(text[i])) {
            if (*n + 1 >= PHONE_MAX) {
                return false;
            }
            out[(*n)++] = text[i];
        } else if (text[i] == '+' && *n == 0 && !*plus) {
            *plus = true;
        } else {
            skip = separator(text + i, len - i);
            if (skip == 0) {
                return false;
            }
        }
        i += skip;
    }
    out[*n] = '\0';
    return true;
}

/* Replaces the first `cut` digits by 62. */
static bool to_indonesia(char d[PHONE_MAX], size_t *n, size_t cut)
{
    if (*n - cut + 2 >= PHONE_MAX) {
        return false;
    }
    memmove(d + 2, d + cut, *n - cut + 1);
    d[0] = '6';
    d[1] = '2';
    *n = *n - cut + 2;
    return true;
}

bool phone_from_typed(const char *text, size_t len, char out[PHONE_MAX])
{
    char d[PHONE_MAX];
    size_t n;
    bool plus, ok = true;

    trim(&text, &len);
    if (memchr(text, '@', len)) {
        char jid[ALIAS_MAX];

        if (phone_from_jid(text, len, jid) != JID_PHONE ||
            strlen(jid) < TYPED_MIN) {
            return false;
        }
        memcpy(out, jid, strlen(jid) + 1);
        return true;
    }
    if (!collect(text, len, d, &n, &plus)) {
        return false;
    }
    if (!plus && n > 2 && d[0] == '0' && d[1] == '0') {
        n -= 2;
        memmove(d, d + 2, n + 1);
        plus = true;
    }
    if (!plus && n > 1 && d[0] == '0') {
        ok = to_indonesia(d, &n, 1);
    } else if (!plus && d[0] == '8' && n >= 9 && n <= 12) {
        ok = to_indonesia(d, &n, 0);
    }
    /* "+62 (0)812": no number of Indonesia goes on with 0 */
    if (ok && n > 3 && memcmp(d, "620", 3) == 0) {
        ok = to_indonesia(d, &n, 3);
    }
    if (!ok || n < TYPED_MIN || n > DIGITS_MAX || d[0] == '0' ||
        memcmp(d, "620", 3) == 0) {
        return false;
    }
    memcpy(out, d, n + 1);
    return true;
}

/* ---- what gateways send ---- */

static bool server_is(const char *s, size_t n, const char *name)
{
    return n == strlen(name) && memcmp(s, name, n) == 0;
}

static jid_kind_t take_phone(const char *text, size_t len, char out[ALIAS_MAX])
{
    char d[PHONE_MAX];
    size_t n;
    bool plus;

    if (len == 0 || (*text != '+' && !is_digit(*text)) ||
        !collect(text, len, d, &n, &plus) || n < GATEWAY_MIN ||
        n > DIGITS_MAX || d[0] == '0') {
        return JID_INVALID;
    }
    memcpy(out, d, n + 1);
    return JID_PHONE;
}

static jid_kind_t take_lid(const char *user, size_t len, char out[ALIAS_MAX])
{
    static const char suffix[] = "@lid";

    if (len == 0 || len + sizeof(suffix) > ALIAS_MAX) {
        return JID_INVALID;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(user[i])) {
            return JID_INVALID;
        }
    }
    memcpy(out, user, len);
    memcpy(out + len, suffix, sizeof(suffix));
    return JID_ALIAS;
}

/* "ID.13491208655302741918": country, dot, letters and digits. */
static jid_kind_t take_bsuid(const char *s, size_t len, char out[ALIAS_MAX])
{
    if (len < 4 || len >= ALIAS_MAX || s[0] < 'A' || s[0] > 'Z' || s[1] < 'A' ||
        s[1] > 'Z' || s[2] != '.') {
        return JID_INVALID;
    }
    for (size_t i = 3; i < len; i++) {
        if (!is_alnum(s[i]) && s[i] != '.') {
            return JID_INVALID;
        }
    }
    memcpy(out, s, len);
    out[len] = '\0';
    return JID_ALIAS;
}

/* Length of the user in "user.agent_agent:device". */
static size_t user_len(const char *s, size_t len)
{
    size_t i = 0;

    while (i < len && s[i] != ':' && s[i] != '_' && s[i] != '.') {
        i++;
    }
    return i;
}

jid_kind_t phone_from_jid(const char *text, size_t len, char out[ALIAS_MAX])
{
    const char *at, *server;
    size_t user, n;

    trim(&text, &len);
    at = memchr(text, '@', len);
    if (!at) {
        jid_kind_t kind = take_bsuid(text, len, out);

        if (kind != JID_INVALID) {
            return kind;
        }
        at = memchr(text, ':', len);
        return take_phone(text, at ? (size_t)(at - text) : len, out);
    }
    user = user_len(text, (size_t)(at - text));
    server = at + 1;
    n = len - (size_t)(server - text);
    if (server_is(server, n, "s.whatsapp.net") ||
        server_is(server, n, "c.us") || server_is(server, n, "hosted")) {
        return take_phone(text, user, out);
    }
    if (server_is(server, n, "lid") || server_is(server, n, "hosted.lid")) {
        return take_lid(text, user, out);
    }
    if (server_is(server, n, "g.us")) {
        return JID_GROUP;
    }
    if (server_is(server, n, "broadcast") ||
        server_is(server, n, "newsletter")) {
        return JID_BROADCAST;
    }
    return JID_INVALID;
}

/* ---- for people ---- */

void phone_format(const char *phone, char *out, size_t size)
{
    size_t n = strlen(phone), id;

    if (strspn(phone, "0123456789") == n && n > 0) {
        if (n >= 10 && memcmp(phone, "62", 2) == 0) {
            (void)snprintf(out, size, "+62 %.3s-%.4s-%s", phone + 2, phone + 5,
                           phone + 9);
        } else {
            (void)snprintf(out, size, "+%s", phone);
        }
        return;
    }
    id = strcspn(phone, "@");
    (void)snprintf(out, size, "Kontak ...%.*s", id < 3 ? (int)id : 3,
                   phone + (id < 3 ? 0 : id - 3));
}
