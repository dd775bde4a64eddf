/*
 * contact_info.h - what a gateway told of a number, kept for a day at most.
 */
#ifndef WACRM_DOMAIN_CONTACT_INFO_H
#define WACRM_DOMAIN_CONTACT_INFO_H

#include "base/buf.h"
#include "domain/domain.h"

typedef struct {
    int64_t session;
    const char *phone;
    const char *kind; /* info check picture */
} contact_info_t;

/* Appends the JSON; WERR_NOTFOUND if there is none, or none any more. */
int contact_info_get(db_t *db, const contact_info_t *key,
                     buf_t *out) WACRM_CHECKED;
/* keep_ms: up to a day. */
int contact_info_put(tx_t *tx, const contact_info_t *key, const char *json,
                     size_t len, int64_t keep_ms) WACRM_CHECKED;

#endif
