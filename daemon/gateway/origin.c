#include "gateway/origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

/* The parts that make an origin, each to be freed. */
typedef struct {
    char *scheme, *host, *port, *user;
} parts_t;

static CURLUcode split(CURLU *u, const char *url, parts_t *p)
{
    CURLUcode code = curl_url_set(u, CURLUPART_URL, url, 0);

    if (code == CURLUE_OK) {
        code = curl_url_get(u, CURLUPART_SCHEME, &p->scheme, 0);
    }
    if (code == CURLUE_OK) {
        code = curl_url_get(u, CURLUPART_HOST, &p->host, 0);
    }
    if (code == CURLUE_OK) {
        code = curl_url_get(u, CURLUPART_PORT, &p->port, CURLU_DEFAULT_PORT);
    }
    if (code == CURLUE_OK) {
        code = curl_url_get(u, CURLUPART_USER, &p->user, 0);
        if (code == CURLUE_NO_USER) {
            return CURLUE_OK;
        }
        /* a name and password in it are nobody's but ours to give */
        return code == CURLUE_OK ? CURLUE_USER_NOT_ALLOWED : code;
    }
    return code;
}

static bool join(const parts_t *p, origin_t *out)
{
    int n = snprintf(out->text, sizeof(out->text), "%s:%s", p->host, p->port);

    out->secure = strcmp(p->scheme, "https") == 0;
    for (char *c = out->text; *c; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    }
    return n > 0 && (size_t)n < sizeof(out->text) &&
           (out->secure || strcmp(p->scheme, "http") == 0);
}

int origin_of(const char *url, origin_t *out)
{
    CURLU *u = curl_url();
    parts_t p = {0};
    CURLUcode code = u ? split(u, url, &p) : CURLUE_OUT_OF_MEMORY;
    int rc = WERR_INVALID;

    *out = (origin_t){0};
    if (code == CURLUE_OUT_OF_MEMORY) {
        rc = WERR_NOMEM;
    } else if (code == CURLUE_OK && join(&p, out)) {
        rc = WERR_OK;
    }
    curl_free(p.scheme);
    curl_free(p.host);
    curl_free(p.port);
    curl_free(p.user);
    curl_url_cleanup(u);
    return rc;
}

bool origin_same(const origin_t *a, const origin_t *b)
{
    return a->secure == b->secure && strcmp(a->text, b->text) == 0;
}

/* The next entry of a list, its length in *n; NULL at the end. */
static const char *next_entry(const char **list, size_t *n)
{
    const char *entry = *list + strspn(*list, " \t");

    *n = strcspn(entry, " \t");
    *list = entry + *n;
    return *n > 0 ? entry : NULL;
}

bool origin_listed(const char *list, const origin_t *o)
{
    const char *usual = o->secure ? ":443" : ":80", *entry;
    size_t len = strlen(o->text), tail = strlen(usual), n;

    while ((entry = next_entry(&list, &n)) != NULL) {
        bool bare = n + tail == len && strncasecmp(entry, o->text, n) == 0 &&
                    strcmp(o->text + n, usual) == 0;

        if (bare || (n == len && strncasecmp(entry, o->text, n) == 0)) {
            return true;
        }
    }
    return false;
}

/* ---- addresses ---- */

/* Does an entry name that very address, whatever the port? */
static bool names(const char *list, const char *address, bool v6)
{
    size_t len = strlen(address), n;
    const char *entry;

    while ((entry = next_entry(&list, &n)) != NULL) {
        size_t open = v6 && entry[0] == '[';

        if (n >= len + 2 * open &&
            strncasecmp(entry + open, address, len) == 0 &&
            (!open || entry[len + 1] == ']') &&
            (n == len + 2 * open || entry[len + 2 * open] == ':') &&
            (open || !v6)) {
            return true;
        }
    }
    return false;
}

static bool special_v4(uint32_t a)
{
    static const struct {
        uint32_t net;
        int bits;
    } nets[] = {
        {0x00000000, 8},  /* this network */
        {0x0a000000, 8},  /* private */
        {0x64400000, 10}, /* shared: carrier's NAT */
        {0x7f000000, 8},  /* loopback */
        {0xa9fe0000, 16}, /* link-local */
        {0xac100000, 12}, /* private */
        {0xc0000000, 24}, /* IETF protocols */
        {0xc0000200, 24}, /* documentation */
        {0xc0586300, 24}, /* 6to4 relays */
        {0xc0a80000, 16}, /* private */
        {0xc6120000, 15}, /* benchmarks */
        {0xc6336400, 24}, /* documentation */
        {0xcb007100, 24}, /* documentation */
        {0xe0000000, 3},  /* multicast, reserved, broadcast */
    };

    for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
        if ((a & (UINT32_MAX << (32 - nets[i].bits))) == nets[i].net) {
            return true;
        }
    }
    return false;
}

/* Global unicast is 2000::/3, less what carries an IPv4 address or stands for
 * something else. */
static bool special_v6(const uint8_t a[16])
{
    return (a[0] & 0xe0) != 0x20 ||
           (a[0] == 0x20 && a[1] == 0x01 && a[2] < 0x02) || /* Teredo .. */
           (a[0] == 0x20 && a[1] == 0x01 && a[2] == 0x0d && a[3] == 0xb8) ||
           (a[0] == 0x20 && a[1] == 0x02) ||              /* 6to4 */
           (a[0] == 0x3f && a[1] == 0xff && a[2] < 0x10); /* documentation */
}

static bool may_v4(const char *list, struct in_addr a)
{
    char text[INET_ADDRSTRLEN];

    return !special_v4(ntohl(a.s_addr)) ||
           (inet_ntop(AF_INET, &a, text, sizeof(text)) != NULL &&
            names(list, text, false));
}

static bool may_v6(const char *list, const struct in6_addr *a)
{
    char text[INET6_ADDRSTRLEN];

    if (IN6_IS_ADDR_V4MAPPED(a)) {
        struct in_addr v4;

        memcpy(&v4, a->s6_addr + 12, sizeof(v4));
        return may_v4(list, v4);
    }
    return !special_v6(a->s6_addr) ||
           (inet_ntop(AF_INET6, a, text, sizeof(text)) != NULL &&
            names(list, text, true));
}

bool origin_may_connect(const char *list, const struct sockaddr *to)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    switch (to->sa_family) {
    case AF_INET:
        memcpy(&v4, to, sizeof(v4));
        return may_v4(list, v4.sin_addr);
    case AF_INET6:
        memcpy(&v6, to, sizeof(v6));
        return may_v6(list, &v6.sin6_addr);
    default:
        return false;
    }
}
