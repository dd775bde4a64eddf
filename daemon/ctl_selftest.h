/*
 * ctl_selftest.h - wacrmctl selftest: a probe (intake/probe.h) by HTTP to
 * nginx's webhook, through spool, intake and database, to the frame that a
 * browser's socket gets; each hop with its time.
 */
#ifndef WACRM_CTL_SELFTEST_H
#define WACRM_CTL_SELFTEST_H

#include "config.h"
#include "ctl_args.h"

/* 0: all of it; 1, with the first hop that failed, and what to do. */
int ctl_selftest(const ctl_args_t *args, const config_t *c);

#endif
