/*
 * contact_list.h - people as a search shows them.
 */
#ifndef WACRM_DOMAIN_CONTACT_LIST_H
#define WACRM_DOMAIN_CONTACT_LIST_H

#include "base/buf.h"
#include "db/db.h"

/* Writes the array of key: {phone, name, segment} of these contacts, which
 * are in the order of their ids, the newest (highest) first. */
int contact_write_list(db_t *db, const int64_t *ids, size_t n, buf_t *out,
                       const char *key) WACRM_CHECKED;

#endif
