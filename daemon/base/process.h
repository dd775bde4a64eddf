/*
 * process.h - what this process takes up. Reads /proc/self, which the unit's
 * ProcSubset=pid leaves.
 */
#ifndef WACRM_BASE_PROCESS_H
#define WACRM_BASE_PROCESS_H

#include <stdint.h>

/* Bytes of anonymous and shared memory in RAM, without mapped files; -1: not
 * told. */
int64_t process_memory(void);
/* Descriptors that are open; -1: not told. */
int64_t process_files(void);

#endif
