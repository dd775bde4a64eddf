/*
 * ctl_top.h - wacrmctl top: what wacrmd does, once a second.
 */
#ifndef WACRM_CTL_TOP_H
#define WACRM_CTL_TOP_H

#include "config.h"
#include "ctl_args.h"

/* Until Ctrl-C on a terminal, a page over the last one; into a file or with
 * --once a page, or with --json an object, after another. The exit status. */
int ctl_top(const ctl_args_t *args, const config_t *c);

#endif
