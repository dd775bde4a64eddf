#include "base/heap.h"

#include <malloc.h>

/* By itself the library raises both to the largest piece it has ever freed, up
 * to 32 MB, and keeps twice as much at the top. */
#define THRESHOLD (1 << 20)
#define HEAPS     2

void heap_keep_small(void)
{
    /* false of a heap that knows none of these */
    (void)mallopt(M_ARENA_MAX, HEAPS);
    (void)mallopt(M_MMAP_THRESHOLD, THRESHOLD);
    (void)mallopt(M_TRIM_THRESHOLD, THRESHOLD);
}

void heap_give_back(void)
{
    (void)malloc_trim(0); /* whether there was any */
}
