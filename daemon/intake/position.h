/*
 * position.h - how far a spool has been applied. Private to intake/.
 */
#ifndef WACRM_INTAKE_POSITION_H
#define WACRM_INTAKE_POSITION_H

#include "domain/domain.h"

/* The row of a spool, made with position 0 if it is not there. */
int position_ensure(tx_t *tx, const char *spool, int64_t *id,
                    int64_t *position) WACRM_CHECKED;
int position_set(tx_t *tx, int64_t id, int64_t position) WACRM_CHECKED;

#endif
