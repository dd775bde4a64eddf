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

/* Base64, or a data: URL, whose type is not believed either. */
static void read_base64(upload_t *u)
{
    const json_t *file = json_object_get(u->fields, "file");
    const json_t *text = json_object_get(file, "base64");
    const char *data = json_string_value(text);
    size_t len = json_string_length(text);
    if (data == NULL) {
        return;
    }
    if (strncmp(data, "data:", 5) == 0) {
        const char *comma = memchr(data, ',', len);
        if (comma == NULL) {
            return;
        }
        len -= (size_t)(comma + 1 - data);
        data = comma + 1;
    }
    u->memory = base64_decode(data, len, &u->len);
    u->data = u->memory;
    u->name = jsonr_str(file, "name");
    u->name = u->name != NULL ? u->name : "";
}

bool upload_read(request_t *r, upload_t *u)
{
    memset(u, 0, sizeof(*u));
    if (multipart_is(request_header(r, "Content-Type"))) {
        return read_form(r, u);
    }
    u->fields = request_json(r);
    if (u->fields == NULL) {
        return false;
    }
    read_base64(u);
    return true;
}

void upload_free(upload_t *u)
{
    json_decref(u->fields);
    free(u->memory);
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
