/*
 * request.c - requests and the parts of their URLs; URLs are joined by
 * concatenation, since resolving "/path" against a base drops its path.
 */
#include "gateway/driver.h"

#include <string.h>

#define URL_MAX (8 * 1024)
/* a file as Base64 */
#define BODY_MAX ((size_t)96 * 1024 * 1024)

void gw_request_init(gw_request_t *r)
{
    memset(r, 0, sizeof(*r));
    r->method = "GET";
    r->sink = -1;
    buf_init(&r->url, URL_MAX);
    buf_init(&r->body, BODY_MAX);
}

void gw_request_free(gw_request_t *r)
{
    buf_free(&r->url);
    buf_free(&r->body);
}

static bool unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (c != '\0' && strchr("-._~", c));
}

void gw_url_add(buf_t *url, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    /* as a whole segment these would be walked, not sent */
    bool dots = strcmp(text, ".") == 0 || strcmp(text, "..") == 0;

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (unreserved(*text) && !dots) {
            buf_addc(url, *text);
        } else {
            buf_addc(url, '%');
            buf_addc(url, hex[c >> 4]);
            buf_addc(url, hex[c & 15]);
        }
    }
}
