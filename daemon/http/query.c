#include "http/query.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool utf8_valid(const char *s, size_t n)
{
    while (n > 0) {
        size_t len = utf8_len(s, n);
        if (len == 0) {
            return false;
        }
        s += len;
        n -= len;
    }
    return true;
}

bool query_decode(const char *text, size_t len, bool plus, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            if (len - i < 3 || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) {
                return false;
            }
            c = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        unsigned char u = (unsigned char)c;
        if ((u < ' ' && u != '\t' && u != '\n' && u != '\r') || u == 0x7f) {
            return false;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return utf8_valid(out, n);
}

/* One pair "name=value" of len bytes, decoded to *to, which moves on. */
static bool add_pair(query_t *q, const char *pair, size_t len, char **to)
{
    const char *eq = memchr(pair, '=', len);
    size_t name_len = eq != NULL ? (size_t)(eq - pair) : len;
    char *name = *to;
    if (q->n == QUERY_PAIRS_MAX || !query_decode(pair, name_len, true, name)) {
        return false;
    }
    char *value = name + strlen(name) + 1;
    if (eq == NULL) {
        *value = '\0';
    } else if (!query_decode(eq + 1, len - name_len - 1, true, value)) {
        return false;
    }
    if (query_get(q, name) != NULL) {
        return false;
    }
    q->names[q->n] = name;
    q->values[q->n++] = value;
    *to = value + strlen(value) + 1;
    return true;
}

int query_parse(query_t *q, const char *text)
{
    memset(q, 0, sizeof(*q));
    if (text == NULL || *text == '\0') {
        return WERR_OK;
    }
    /* Each pair needs its bytes and two NULs; "=" or "&" pays for one. */
    q->memory = malloc(2 * strlen(text) + 3);
    if (q->memory == NULL) {
        return WERR_NOMEM;
    }
    char *to = q->memory;
    while (*text != '\0') {
        size_t len = strcspn(text, "&");
        if (len > 0 && !add_pair(q, text, len, &to)) {
            return WERR_INVALID;
        }
        text += len + (text[len] == '&');
    }
    return WERR_OK;
}

void query_free(query_t *q)
{
    free(q->memory);
    memset(q, 0, sizeof(*q));
}

const char *query_get(const query_t *q, const char *name)
{
    for (size_t i = 0; i < q->n; i++) {
        if (strcmp(q->names[i], name) == 0) {
            return q->values[i];
        }
    }
    return NULL;
}
