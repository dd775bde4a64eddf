/*
 * share.h - what one transaction takes of a batch. Private to intake/.
 */
#ifndef WACRM_INTAKE_SHARE_H
#define WACRM_INTAKE_SHARE_H

#include "intake/apply.h"

typedef struct {
    domain_t *domain;
    const char *spool; /* its id */
    welcome_pace_t pace;
    apply_t apply; /* of the last transaction */
} worker_t;

/*
 * Applies items[0..n), or as many as one transaction should hold (*done > 0),
 * with the position of the last. A fault: nothing has happened.
 */
int share_apply(worker_t *w, item_t *items, size_t n,
                size_t *done) WACRM_CHECKED;

#endif
