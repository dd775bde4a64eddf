/*
 * json_memory.h - whether jansson was short of memory: it calls a text wrong
 * that it had no memory to read, or reads only half of it.
 */
#ifndef WACRM_EDGE_JSON_MEMORY_H
#define WACRM_EDGE_JSON_MEMORY_H

#include <stdbool.h>

/* From now on, in this thread. */
void json_memory_watch(void);
/* Has an allocation failed since then? */
bool json_memory_was_short(void);

#endif
