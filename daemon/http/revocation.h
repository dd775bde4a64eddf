/*
 * revocation.h - copies what the database knows of revoked tokens into the
 * local spool, where the edge reads it.
 */
#ifndef WACRM_HTTP_REVOCATION_H
#define WACRM_HTTP_REVOCATION_H

#include "domain/domain.h"
#include "realtime/realtime.h"
#include "spool/spool.h"

typedef struct revocation_s revocation_t;

/* Copies all now, and again after each commit that revoked something, of which
 * realtime (or NULL) is told, too: takes domain's revoked_ready. */
int revocation_start(revocation_t **out, domain_t *domain, spool_t *spool,
                     realtime_t *realtime) WACRM_CHECKED;
/* Copies what could not be copied when it was revoked; any thread. */
void revocation_retry(revocation_t *r);
void revocation_stop(revocation_t **r);

#endif
