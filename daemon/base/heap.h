/*
 * heap.h - how a process of ours uses the C library's heap: little memory
 * that is free and yet not the system's.
 */
#ifndef WACRM_BASE_HEAP_H
#define WACRM_BASE_HEAP_H

/*
 * Two heaps for all threads, and thresholds that stay (mallopt(3)). With a heap
 * for each thread, which is the library's own way, what one has freed is of no
 * use to the others: a flood of events took 58 MB, a quarter of them free. With
 * one, the two threads that read and apply a flood wait for each other, and
 * drain a seventh slower.
 *
 * To be called before the first thread is made. A sanitizer has a heap of its
 * own: nothing happens then.
 */
void heap_keep_small(void);

/* After a time of much use: what is free becomes the system's again. */
void heap_give_back(void);

#endif
