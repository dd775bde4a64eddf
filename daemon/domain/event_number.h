/*
 * event_number.h - the counter of events. Private to domain/: read once in a
 * transaction, at its first event, and written once, before its commit.
 */
#ifndef WACRM_DOMAIN_EVENT_NUMBER_H
#define WACRM_DOMAIN_EVENT_NUMBER_H

#include "domain/domain.h"

int event_number_read(db_t *db, int64_t *seq) WACRM_CHECKED;
int event_number_write(tx_t *tx) WACRM_CHECKED;

#endif
