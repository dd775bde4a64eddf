#include "base/loopback.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#define HOST_MAX 64

static bool is_loopback(const char *text, size_t len)
{
    char host[HOST_MAX];
    struct in_addr v4;

    /* the port; that of [::1]:80 stands behind the bracket */
    if (len > 0 && text[0] == '[') {
        return len >= 5 && memcmp(text, "[::1]", 5) == 0 &&
               (len == 5 || text[5] == ':');
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] == ':' &&
            strspn(text + i + 1, "0123456789") >= len - i - 1) {
            len = i;
        }
    }
    if (len == 0 || len >= sizeof(host)) {
        return false;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    return strcasecmp(host, "localhost") == 0 ||
           (inet_pton(AF_INET, host, &v4) == 1 &&
            ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET);
}

bool loopback_host(const char *host)
{
    return is_loopback(host, strlen(host));
}

bool loopback_url(const char *url)
{
    const char *host = strstr(url, "://");

    if (host == NULL) {
        return false;
    }
    host += 3;
    return is_loopback(host, strcspn(host, "/?#"));
}
