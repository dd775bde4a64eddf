/*
 * visibility.h - which sessions a user may see, kept: for readers who ask at
 * every event. session_visible() is the same for one request.
 *
 * It changes with EVENT_ACCESS only: whoever keeps one reads it anew there.
 */
#ifndef WACRM_DOMAIN_VISIBILITY_H
#define WACRM_DOMAIN_VISIBILITY_H

#include "domain/domain.h"

typedef struct {
    bool all;      /* supervisor, admin */
    size_t n;      /* of ids; ascending */
    int64_t ids[]; /* sessions */
} visibility_t;

/* free() it. WERR_NOTFOUND: no such user, or switched off. */
int visibility_of(db_t *db, int64_t user, visibility_t **out) WACRM_CHECKED;

bool visibility_has(const visibility_t *v, int64_t session);
bool visibility_same(const visibility_t *a, const visibility_t *b);

#endif
