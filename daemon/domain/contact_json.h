/*
 * contact_json.h - a contact as its profile shows it.
 */
#ifndef WACRM_DOMAIN_CONTACT_JSON_H
#define WACRM_DOMAIN_CONTACT_JSON_H

#include "base/buf.h"
#include "domain/domain.h"

/* The rows of each list of a Donatur, at most. */
#define PROFILE_ROWS 500

/* general, mid or major: by the best year (M31). */
const char *contact_level(const domain_settings_t *set, int64_t best_year);

/* Donatur of the HTTP contract, with gifts, notes and reminders. */
int contact_write(db_t *db, const domain_t *d, int64_t contact, buf_t *out,
                  const char *key) WACRM_CHECKED;

/* The same without its lists. */
int contact_write_brief(db_t *db, const domain_t *d, int64_t contact,
                        buf_t *out, const char *key) WACRM_CHECKED;

/* Metrics, with score_parts; those of nobody for contact 0. */
int contact_write_metrics(db_t *db, const domain_t *d, int64_t contact,
                          buf_t *out, const char *key) WACRM_CHECKED;

/* Contacts that a user may see, newest first, as an array. */
typedef struct {
    int limit;
    int64_t user;
    bool all;
    int64_t before; /* id, INT64_MAX: from the newest */
} contact_query_t;
int contact_page(db_t *db, const domain_t *d, const contact_query_t *q,
                 buf_t *out, const char *key, bool *more,
                 int64_t *last) WACRM_CHECKED;
/* These ones, which are in that order. */
int contact_page_of(db_t *db, const domain_t *d, const int64_t *ids, size_t n,
                    buf_t *out, const char *key) WACRM_CHECKED;

#endif
