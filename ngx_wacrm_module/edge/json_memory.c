#include "edge/json_memory.h"

#include <stdlib.h>

#include <jansson.h>

static _Thread_local bool was_short;

static void *watched_malloc(size_t size)
{
    void *p = malloc(size);

    was_short = was_short || p == NULL;
    return p;
}

void json_memory_watch(void)
{
    json_malloc_t get;
    json_free_t put;

    json_get_alloc_funcs(&get, &put);
    if (get == malloc && put == free) {
        json_set_alloc_funcs(watched_malloc, free);
    }
    was_short = false;
}

bool json_memory_was_short(void)
{
    return was_short;
}
