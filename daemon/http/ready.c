#include "http/ready.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <microhttpd.h>
#include <openssl/evp.h>

#include "http/response.h"

struct ready_s {
    _Atomic int refs;
    struct MHD_Response *mhd;
    size_t size;
    char tag[ETAG_MAX];
};

void ready_etag(const void *data, size_t len, char out[ETAG_MAX])
{
    unsigned char md[EVP_MAX_MD_SIZE] = {0};
    if (EVP_Digest(data, len, md, NULL, EVP_sha256(), NULL) != 1) {
        out[0] = '\0';
        return;
    }
    out[0] = '"';
    for (size_t i = 0; i < 16; i++) {
        snprintf(out + 1 + 2 * i, 3, "%02x", md[i]);
    }
    out[33] = '"';
    out[34] = '\0';
}

ready_t *ready_new(buf_t *body)
{
    size_t len;
    char *data = buf_take(body, &len);
    ready_t *r = calloc(1, sizeof(*r));
    if (data == NULL || r == NULL) {
        free(data);
        free(r);
        return NULL;
    }
    atomic_init(&r->refs, 1);
    r->size = len;
    ready_etag(data, len, r->tag);
    r->mhd = MHD_create_response_from_buffer(len, data, MHD_RESPMEM_MUST_FREE);
    if (r->mhd == NULL) {
        free(data);
        free(r);
        return NULL;
    }
    if (MHD_add_response_header(r->mhd, "Content-Type", RESPONSE_JSON) !=
            MHD_YES ||
        MHD_add_response_header(r->mhd, "ETag", r->tag) != MHD_YES ||
        MHD_add_response_header(r->mhd, "Cache-Control", RESPONSE_PRIVATE) !=
            MHD_YES ||
        MHD_add_response_header(r->mhd, "Vary", "Authorization") != MHD_YES) {
        ready_unref(&r);
    }
    return r;
}

ready_t *ready_ref(ready_t *r)
{
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    return r;
}

void ready_unref(ready_t **ready)
{
    ready_t *r = *ready;
    *ready = NULL;
    if (r != NULL &&
        atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1) {
        MHD_destroy_response(r->mhd);
        free(r);
    }
}

const char *ready_tag(const ready_t *r)
{
    return r->tag;
}

size_t ready_size(const ready_t *r)
{
    return r->size;
}

struct MHD_Response *ready_response(const ready_t *r)
{
    return r->mhd;
}
