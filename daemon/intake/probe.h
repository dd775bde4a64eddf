/*
 * probe.h - the event that `wacrmctl selftest` sends through the whole road:
 * {"event":"wacrm.selftest","probe":"NUMBER"}, with these bytes and no others,
 * of any source. It reaches no driver and no donor: intake raises EVENT_PROBE
 * with the number, and keeps nothing else of it.
 */
#ifndef WACRM_INTAKE_PROBE_H
#define WACRM_INTAKE_PROBE_H

#include <stddef.h>
#include <stdint.h>

#define PROBE_BODY_MAX 80

/* The number of a body, 1 or more; 0: it is no probe. */
int64_t probe_read(const char *body, size_t len);
/* The body of a number > 0; its length. */
size_t probe_write(int64_t number, char out[PROBE_BODY_MAX]);

#endif
