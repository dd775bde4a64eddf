/*
 * upload.h - a request's fields, and the file among them: a form
 * (multipart/form-data), or JSON with {"file": {"name", "base64"}}, which is
 * what clients send whose library makes JSON of a form.
 */
#ifndef WACRM_HTTP_UPLOAD_H
#define WACRM_HTTP_UPLOAD_H

#include "http/multipart.h"
#include "http/request.h"

typedef struct {
    json_t *fields;   /* an object; of a form: its texts */
    const void *data; /* NULL: no file */
    size_t len;
    const char *name; /* as the client calls it; may be "" */
    spill_t file;     /* of Base64: the bytes */
    multipart_t *form;
} upload_t;

/* false: answered already (400, 413, 415, 503). */
bool upload_read(request_t *r, upload_t *u);
void upload_free(upload_t *u);

/* What media_store() and media_settle() refuse: 413 or 415; else as
 * response_error(). */
void upload_refuse(request_t *r, int rc);

#endif
