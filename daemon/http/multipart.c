#include "http/multipart.h"

#include <string.h>
#include <strings.h>

#include "base/utf8.h"

#define TYPE         "multipart/form-data"
#define BOUNDARY_MAX 70

#define ALNUM  "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define TOKEN  ALNUM "!#$%&'*+-.^_`|~"
#define BCHARS ALNUM "'()+_,-./:=? "

/* ---- header values: a word, then parameters ---- */

typedef struct {
    const char *at, *end;
} cursor_t;

static void skip_blanks(cursor_t *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t')) {
        c->at++;
    }
}

static bool take(cursor_t *c, char what)
{
    skip_blanks(c);
    if (c->at == c->end || *c->at != what) {
        return false;
    }
    c->at++;
    return true;
}

/* A token into out; false: none, or too long. */
static bool take_token(cursor_t *c, char *out, size_t size)
{
    size_t n = 0;
    skip_blanks(c);
    while (c->at < c->end && *c->at != '\0' && strchr(TOKEN, *c->at) != NULL) {
        if (n + 1 == size) {
            return false;
        }
        out[n++] = *c->at++;
    }
    out[n] = '\0';
    return n > 0;
}

/*
 * A quoted text, after its first quote. Browsers write a quote as %22 and
 * leave a backslash as it is; other clients write \": only that is unescaped.
 */
static bool take_quoted(cursor_t *c, char *out, size_t size)
{
    size_t n = 0;
    while (c->at < c->end && *c->at != '"') {
        if (*c->at == '\\' && c->end - c->at > 1 && c->at[1] == '"') {
            c->at++;
        }
        if (n + 1 == size || *c->at == '\0') {
            return false;
        }
        out[n++] = *c->at++;
    }
    out[n] = '\0';
    return take(c, '"');
}

/* "; name=value"; false at the end, or with *bad for what is malformed. */
static bool take_param(cursor_t *c, char *name, size_t name_size, char *value,
                       size_t size, bool *bad)
{
    skip_blanks(c);
    if (c->at == c->end) {
        return false;
    }
    *bad = true;
    if (!take(c, ';') || !take_token(c, name, name_size) || !take(c, '=')) {
        return false;
    }
    bool ok =
        take(c, '"') ? take_quoted(c, value, size) : take_token(c, value, size);
    *bad = !ok;
    return ok;
}

static bool utf8_valid(const char *s)
{
    size_t n = strlen(s);
    while (n > 0) {
        size_t len = utf8_len(s, n);
        if (len == 0 || (unsigned char)*s < ' ' || *s == 0x7f) {
            return false;
        }
        s += len;
        n -= len;
    }
    return true;
}

bool multipart_is(const char *content_type)
{
    size_t n = sizeof(TYPE) - 1;
    return content_type != NULL && strncasecmp(content_type, TYPE, n) == 0 &&
           (content_type[n] == '\0' || strchr(" \t;", content_type[n]) != NULL);
}

static bool read_boundary(const char *content_type, char *out)
{
    char name[32], value[BOUNDARY_MAX + 1];
    cursor_t c = {content_type + sizeof(TYPE) - 1,
                  content_type + strlen(content_type)};
    bool bad = false, found = false;
    while (take_param(&c, name, sizeof(name), value, sizeof(value), &bad)) {
        if (strcasecmp(name, "boundary") != 0) {
            continue;
        }
        size_t len = strlen(value);
        if (found || len == 0 || strspn(value, BCHARS) != len ||
            value[len - 1] == ' ') {
            return false;
        }
        memcpy(out, value, len + 1);
        found = true;
    }
    return found && !bad;
}

/* ---- parts ---- */

/* Old browsers send a whole path. */
static void keep_name(multipart_part_t *p, const char *value)
{
    const char *slash = strrchr(value, '/');
    value = slash != NULL ? slash + 1 : value;
    slash = strrchr(value, '\\');
    value = slash != NULL ? slash + 1 : value;
    memcpy(p->filename, value, strlen(value) + 1);
    p->file = true;
}

static const char *read_disposition(cursor_t c, multipart_part_t *p)
{
    char word[32], name[32], value[MULTIPART_FILE_MAX];
    bool bad = false, named = false;
    if (!take_token(&c, word, sizeof(word)) ||
        strcasecmp(word, "form-data") != 0) {
        return "a part is no form-data";
    }
    while (take_param(&c, name, sizeof(name), value, sizeof(value), &bad)) {
        if (strcasecmp(name, "name") == 0) {
            if (named || strlen(value) >= sizeof(p->name) ||
                !utf8_valid(value)) {
                return "a part has no proper name";
            }
            memcpy(p->name, value, strlen(value) + 1);
            named = true;
        } else if (strcasecmp(name, "filename") == 0) {
            if (p->file || !utf8_valid(value)) {
                return "a part has no proper file name";
            }
            keep_name(p, value);
        }
    }
    return bad || !named ? "a part's Content-Disposition is malformed" : NULL;
}

static bool is_field(const char *line, const char *colon, const char *name)
{
    return strlen(name) == (size_t)(colon - line) &&
           strncasecmp(line, name, (size_t)(colon - line)) == 0;
}

static const char *read_header(const char *line, const char *end,
                               multipart_part_t *p, bool *disposed)
{
    const char *colon = memchr(line, ':', (size_t)(end - line));
    if (colon == NULL || colon == line) {
        return "a part's header is malformed";
    }
    cursor_t value = {colon + 1, end};
    if (is_field(line, colon, "Content-Disposition")) {
        if (*disposed) {
            return "a part has two Content-Dispositions";
        }
        *disposed = true;
        return read_disposition(value, p);
    }
    if (is_field(line, colon, "Content-Transfer-Encoding")) {
        char word[16];
        if (!take_token(&value, word, sizeof(word)) ||
            (strcasecmp(word, "binary") != 0 && strcasecmp(word, "8bit") != 0 &&
             strcasecmp(word, "7bit") != 0)) {
            return "a part is encoded";
        }
    }
    return NULL;
}

/* The headers, up to and with the empty line; *at is where the data begins. */
static const char *read_headers(const char **at, const char *end,
                                multipart_part_t *p)
{
    const char *line = *at, *limit = line;
    bool disposed = false;
    limit += end - line < MULTIPART_HEAD_MAX ? end - line : MULTIPART_HEAD_MAX;
    for (;;) {
        const char *cr = memmem(line, (size_t)(limit - line), "\r\n", 2);
        if (cr == NULL) {
            return "a part's headers do not end";
        }
        *at = cr + 2;
        if (cr == line) {
            return disposed ? NULL : "a part has no Content-Disposition";
        }
        if (memchr(line, '\0', (size_t)(cr - line)) != NULL) {
            return "a part's header is malformed";
        }
        const char *why = read_header(line, cr, p, &disposed);
        if (why != NULL) {
            return why;
        }
        line = *at;
    }
}

/* Is there a line end, or the two hyphens of the last one? */
static bool boundary_ends(const char *at, const char *end, bool *last)
{
    size_t left = (size_t)(end - at);
    *last = left >= 2 && memcmp(at, "--", 2) == 0;
    if (*last) {
        return left == 2 || (left == 4 && memcmp(at + 2, "\r\n", 2) == 0);
    }
    return left >= 2 && memcmp(at, "\r\n", 2) == 0;
}

/* The part whose headers begin at *at; moves it behind the next boundary. */
static const char *read_part(multipart_t *out, const char **at, const char *end,
                             const char *mark, bool *last)
{
    size_t mark_len = strlen(mark);
    if (out->n == MULTIPART_PARTS_MAX) {
        return "too many parts";
    }
    multipart_part_t *p = &out->parts[out->n];
    memset(p, 0, sizeof(*p));
    const char *why = read_headers(at, end, p);
    if (why != NULL) {
        return why;
    }
    if (multipart_get(out, p->name) != NULL) {
        return "two parts have the same name";
    }
    p->data = *at;
    /* the line end before it belongs to the boundary */
    const char *stop = memmem(*at, (size_t)(end - *at), mark, mark_len);
    if (stop == NULL || !boundary_ends(stop + mark_len, end, last)) {
        return "a part does not end";
    }
    p->len = (size_t)(stop - *at);
    if (!p->file && p->len > MULTIPART_FIELD_MAX) {
        return "a field is too long";
    }
    out->n++;
    *at = stop + mark_len + 2;
    return NULL;
}

const char *multipart_parse(multipart_t *out, const char *content_type,
                            const char *body, size_t len)
{
    char mark[BOUNDARY_MAX + 5] = "\r\n--";
    const char *at, *end = body + len;
    bool last = false;
    out->n = 0;
    if (!multipart_is(content_type) || !read_boundary(content_type, mark + 4)) {
        return "the boundary is missing or malformed";
    }
    size_t n = strlen(mark) - 2;
    if (len < n || memcmp(body, mark + 2, n) != 0 ||
        !boundary_ends(body + n, end, &last)) {
        return "the body does not begin with the boundary";
    }
    at = body + n + 2;
    while (!last) {
        const char *why = read_part(out, &at, end, mark, &last);
        if (why != NULL) {
            out->n = 0;
            return why;
        }
    }
    return NULL;
}

const multipart_part_t *multipart_get(const multipart_t *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++) {
        if (strcmp(m->parts[i].name, name) == 0) {
            return &m->parts[i];
        }
    }
    return NULL;
}
