/*
 * raw.h - the records as they came, redacted, kept for replay. Private to
 * intake/.
 */
#ifndef WACRM_INTAKE_RAW_H
#define WACRM_INTAKE_RAW_H

#include "domain/domain.h"
#include "intake/item.h"

int raw_keep(tx_t *tx, int64_t spool, const item_t *item) WACRM_CHECKED;

#endif
