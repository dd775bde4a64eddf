/*
 * io.h - writing to a descriptor until all is written.
 */
#ifndef WACRM_BASE_IO_H
#define WACRM_BASE_IO_H

#include <stdbool.h>
#include <stddef.h>

/* false: errno says why; some of it may have been written. */
bool io_write_all(int fd, const void *data, size_t len);

#endif
