/*
 * contact_search.h - people by a part of their name or phone.
 */
#ifndef WACRM_DOMAIN_CONTACT_SEARCH_H
#define WACRM_DOMAIN_CONTACT_SEARCH_H

#include "base/buf.h"
#include "domain/user.h"

typedef struct {
    const char *text;
    int64_t session; /* only who has a chat there; 0: any */
    int64_t before;  /* contacts below this id; 0: from the newest */
    int limit;
} contact_search_t;

/*
 * Writes the array of key: {phone, name, segment} of those whom the user may
 * see, newest first. Every word of the text is a part of the name, or the
 * whole of it, as people type phones, of the phone. *next: 0 at the end, else
 * what to begin the next page with.
 */
int contact_search(db_t *db, const user_t *user, const contact_search_t *q,
                   buf_t *out, const char *key, int64_t *next) WACRM_CHECKED;

#endif
