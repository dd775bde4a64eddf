/*
 * donation.h - gifts as the wire has them. donor.h stores them.
 */
#ifndef WACRM_DOMAIN_DONATION_H
#define WACRM_DOMAIN_DONATION_H

#include "base/buf.h"
#include "db/db.h"

/* One gift as JSON (Donation of the HTTP contract). */
int donation_write(db_t *db, int64_t id, buf_t *out,
                   const char *key) WACRM_CHECKED;
/* Those of a contact, the latest day first, as an array. */
int donation_list(db_t *db, int64_t contact, int limit, buf_t *out,
                  const char *key) WACRM_CHECKED;

#endif
