/*
 * dead.h - dead letters: records that could not be applied. Private to
 * intake/; what others do with them is in intake.h.
 */
#ifndef WACRM_INTAKE_DEAD_H
#define WACRM_INTAKE_DEAD_H

#include "domain/domain.h"
#include "intake/item.h"

/* item->dead and item->reason are set. */
int dead_keep(tx_t *tx, const char *spool, const item_t *item) WACRM_CHECKED;

#endif
