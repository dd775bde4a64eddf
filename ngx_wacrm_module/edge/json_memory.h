/*
 * json_memory.h - whether jansson was short of memory: it calls a text wrong
 * that it had no memory to read, or reads only half of it.
 *
 * jansson's allocator is one for the whole process. Where it is malloc() and
 * free(), it becomes one that notes failures, by thread, at the first watch,
 * and stays; where somebody else has set their own, it is left alone, and
 * nothing is noted.
 */
#ifndef WACRM_EDGE_JSON_MEMORY_H
#define WACRM_EDGE_JSON_MEMORY_H

#include <stdbool.h>

/* From now on, in this thread. The first one before other threads use
 * jansson. */
void json_memory_watch(void);
/* Has an allocation failed since then? */
bool json_memory_was_short(void);

#endif
