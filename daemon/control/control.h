/*
 * control.h - the control socket of wacrmd (0600): a JSON line in, JSON lines
 * out (command.h), one caller at a time.
 */
#ifndef WACRM_CONTROL_CONTROL_H
#define WACRM_CONTROL_CONTROL_H

#include "config.h"
#include "domain/domain.h"
#include "search/search.h"
#include "spool/spool.h"

typedef struct control_s control_t;

/* path: of the socket, whatever is there is replaced. */
int control_start(control_t **out, domain_t *domain, spool_t *spool,
                  search_t *search, const config_t *config) WACRM_CHECKED;
/* Ends the command at work. */
void control_stop(control_t **control);

#endif
