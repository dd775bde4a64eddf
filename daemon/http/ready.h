/*
 * ready.h - a finished JSON answer that many requests share without a copy:
 * body, ETag and caching headers.
 */
#ifndef WACRM_HTTP_READY_H
#define WACRM_HTTP_READY_H

#include <stddef.h>

#include "base/buf.h"

struct MHD_Response;
typedef struct ready_s ready_t;

#define ETAG_MAX 40

/* The strong entity tag of a body, in quotes. */
void ready_etag(const void *data, size_t len, char out[ETAG_MAX]);

/* Takes the bytes out of body; one reference. NULL: no memory, or body had
 * failed. */
ready_t *ready_new(buf_t *body);
ready_t *ready_ref(ready_t *r);
void ready_unref(ready_t **r);

const char *ready_tag(const ready_t *r);
size_t ready_size(const ready_t *r);
/* Belongs to r. */
struct MHD_Response *ready_response(const ready_t *r);

#endif
