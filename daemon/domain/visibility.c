#include "domain/visibility.h"

#include <stdlib.h>
#include <string.h>

#include "domain/user.h"

int visibility_of(db_t *db, int64_t user, visibility_t **out)
{
    session_set_t set = {0};
    visibility_t *v = NULL;
    user_t u;
    int rc = user_get(db, user, &u);

    *out = NULL;
    if (rc == WERR_OK && !u.active) {
        rc = WERR_NOTFOUND;
    }
    if (rc == WERR_OK && u.role == ROLE_CS) {
        rc = session_visible(db, &u, &set);
    }
    if (rc == WERR_OK) {
        v = malloc(sizeof(*v) + set.n * sizeof(v->ids[0]));
        rc = v != NULL ? WERR_OK : WERR_NOMEM;
    }
    if (v != NULL) {
        v->all = u.role != ROLE_CS;
        v->n = set.n;
        for (size_t i = 0; i < set.n; i++) {
            v->ids[i] = set.ids[i];
        }
    }
    session_set_free(&set);
    *out = v;
    return rc;
}

static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

bool visibility_has(const visibility_t *v, int64_t session)
{
    return v->all ||
           bsearch(&session, v->ids, v->n, sizeof(v->ids[0]), by_id) != NULL;
}

bool visibility_same(const visibility_t *a, const visibility_t *b)
{
    return a->all == b->all && a->n == b->n &&
           memcmp(a->ids, b->ids, a->n * sizeof(a->ids[0])) == 0;
}
