/*
 * media_url.h - addresses of media that need no header: for <img>, and for a
 * gateway that fetches what is to be sent. Each is good for one object and
 * one reader, until an end that is rounded to the day, so that it stays the
 * same (and cached) for a day.
 */
#ifndef WACRM_DOMAIN_MEDIA_URL_H
#define WACRM_DOMAIN_MEDIA_URL_H

#include "base/buf.h"
#include "domain/domain.h"

/* Who reads a message: what its media's address is made for. */
typedef struct media_viewer_s {
    const domain_t *domain;
    int64_t user;
} media_viewer_t;

/* The key of all signatures, from a secret. */
int media_url_key(const void *secret, size_t len,
                  unsigned char key[MEDIA_KEY_LEN]) WACRM_CHECKED;

/* Appends the address. viewer NULL: the plain one, which needs a bearer. */
void media_url_add(buf_t *out, const media_viewer_t *viewer,
                   const char *public_id);
/* The same for gateways, below public_url. */
void media_url_add_gateway(buf_t *out, const domain_t *d,
                           const char *public_id);

/* The parameters of an address: WERR_OK and the user (0: a gateway),
 * WERR_DENIED; WERR_NOMEM: no verdict. */
int media_url_check(const domain_t *d, const char *public_id, const char *user,
                    const char *expires, const char *signature, int64_t *out);

#endif
