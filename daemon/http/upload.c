#include "http/upload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/jsonr.h"

static bool no_memory(request_t *r)
{
    response_error(&r->response, WERR_NOMEM);
    return false;
}

static bool add_part(upload_t *u, const multipart_part_t *p)
{
    if (p->file && strcmp(p->name, "file") == 0) {
        u->data = p->data;
        u->len = p->len;
        u->name = p->filename;
        return json_object_set_new(u->fields, "file", json_object()) == 0;
    }
    /* refuses what is no UTF-8 */
    return p->file || json_object_set_new(u->fields, p->name,
                                          json_stringn(p->data, p->len)) == 0;
}

static bool read_form(request_t *r, upload_t *u)
{
    char text[160];
    u->form = malloc(sizeof(*u->form));
    u->fields = json_object();
    if (u->form == NULL || u->fields == NULL) {
        return no_memory(r);
    }
    const char *body = r->body.data != NULL ? r->body.data : "";
    const char *why = multipart_parse(
        u->form, request_header(r, "Content-Type"), body, r->body.len);
    for (size_t i = 0; why == NULL && i < u->form->n; i++) {
        const multipart_part_t *p = &u->form->parts[i];
        if (memchr(p->data, '\0', p->file ? 0 : p->len) != NULL ||
            !add_part(u, p)) {
            why = "a field is not UTF-8 text";
        }
    }
    if (why != NULL) {
        snprintf(text, sizeof(text), "The form cannot be read: %s.", why);
        response_bad(&r->response, text);
    }
    return why == NULL;
}

/* ---- JSON ---- */

/* jansson would hold a file's Base64 two or three times over: a string of so
 * many bytes is taken out before it parses. */
#define LONG_MIN ((size_t)64 << 10)
#define MARK     "(the file)"
#define CHUNK    16384 /* of Base64: whole groups */

typedef struct {
    const char *text; /* NULL: none */
    size_t len;
} span_t;

/* The first string of LONG_MIN bytes, as it is written, without its quotes. */
static span_t find_long(const char *text, size_t len)
{
    const char *end = text + len, *begin = NULL;

    for (const char *p = text; p < end; p++) {
        if (*p == '\\' && begin != NULL) {
            p++;
        } else if (*p == '"' && begin == NULL) {
            begin = p + 1;
        } else if (*p == '"' && (size_t)(p - begin) >= LONG_MIN) {
            return (span_t){begin, (size_t)(p - begin)};
        } else if (*p == '"') {
            begin = NULL;
        }
    }
    return (span_t){NULL, 0};
}

/* The body with MARK where the long string stood. NULL: answered. */
static json_t *parse_rest(request_t *r, const span_t *cut)
{
    const char *tail = cut->text + cut->len;
    json_t *json = NULL;
    buf_t rest;

    buf_init(&rest, SPILL_MEMORY);
    buf_add(&rest, r->body.data, (size_t)(cut->text - r->body.data));
    buf_adds(&rest, MARK);
    buf_add(&rest, tail, r->body.len - (size_t)(tail - r->body.data));
    if (rest.failed) {
        response_message(&r->response, 413, "The body is too large.");
    } else {
        json = request_json_text(r, rest.data, rest.len);
    }
    buf_free(&rest);
    return json;
}

/* Where JSON has written a slash as \/, it is a slash. */
static size_t take_chunk(span_t *from, char out[CHUNK])
{
    size_t n = 0;

    while (n < CHUNK && from->len > 0) {
        bool escaped =
            *from->text == '\\' && from->len > 1 && from->text[1] == '/';

        from->text += escaped;
        from->len -= escaped;
        out[n++] = *from->text++;
        from->len--;
    }
    return n;
}

/* false: it is no Base64. */
static bool decode(span_t from, spill_t *out)
{
    char chunk[CHUNK];
    bool ok = from.len > 0;

    while (ok && from.len > 0) {
        size_t n = take_chunk(&from, chunk), len = 0;
        void *bytes = base64_decode(chunk, n, &len);

        ok = bytes != NULL && (from.len == 0 || len == n / 4 * 3);
        if (ok) {
            spill_add(out, bytes, len);
        }
        free(bytes);
    }
    return ok;
}

/* Base64, or a data: URL, whose type is not believed either. */
static bool read_base64(request_t *r, upload_t *u, span_t text)
{
    if (text.len >= 5 && strncmp(text.text, "data:", 5) == 0) {
        const char *comma = memchr(text.text, ',', text.len);
        if (comma == NULL) {
            return true;
        }
        text.len -= (size_t)(comma + 1 - text.text);
        text.text = comma + 1;
    }
    spill_init(&u->file, r->options->domain, r->options->file_max);
    if (!decode(text, &u->file)) {
        return true;
    }
    if (spill_end(&u->file) != WERR_OK) {
        upload_refuse(r, u->file.rc);
        return false;
    }
    u->data = u->file.data;
    u->len = u->file.len;
    return true;
}

static bool read_file(request_t *r, upload_t *u, const span_t *cut)
{
    const json_t *file = json_object_get(u->fields, "file");
    const json_t *value = json_object_get(file, "base64");
    span_t text = {json_string_value(value), json_string_length(value)};

    if (cut->text != NULL) {
        if (text.text == NULL || strcmp(text.text, MARK) != 0) {
            response_message(&r->response, 413, "The body is too large.");
            return false;
        }
        text = *cut;
    }
    if (text.text == NULL) {
        return true;
    }
    u->name = jsonr_str(file, "name");
    u->name = u->name != NULL ? u->name : "";
    return read_base64(r, u, text);
}

bool upload_read(request_t *r, upload_t *u)
{
    span_t cut = {NULL, 0};

    memset(u, 0, sizeof(*u));
    if (multipart_is(request_header(r, "Content-Type"))) {
        return read_form(r, u);
    }
    if (r->body.len > LONG_MIN) {
        cut = find_long(r->body.data, r->body.len);
    }
    u->fields = cut.text != NULL ? parse_rest(r, &cut) : request_json(r);
    return u->fields != NULL && read_file(r, u, &cut);
}

void upload_free(upload_t *u)
{
    json_decref(u->fields);
    spill_free(&u->file);
    free(u->form);
    memset(u, 0, sizeof(*u));
}

void upload_refuse(request_t *r, int rc)
{
    if (rc == WERR_TOOBIG) {
        response_message(&r->response, 413, "The file is too large.");
    } else if (rc == WERR_INVALID) {
        response_message(&r->response, 415,
                         "Files of this type are not accepted.");
    } else {
        response_error(&r->response, rc);
    }
}
