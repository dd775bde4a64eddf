/*
 * place.h - a finished file gets its name.
 */
#ifndef WACRM_BASE_PLACE_H
#define WACRM_BASE_PLACE_H

#include <stdbool.h>

/*
 * Renames `part` to `path`, in the same directory. What has that name stays:
 * false with EEXIST then; with another errno for whatever else went wrong,
 * `part` is as it was. On a file system that cannot refuse to replace (NFS,
 * some of FUSE), by link() and unlink().
 */
bool place_new(const char *part, const char *path);

#endif
