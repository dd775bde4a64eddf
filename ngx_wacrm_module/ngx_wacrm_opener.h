/*
 * ngx_wacrm_opener.h - opens the spool on a thread of its own.
 *
 * An opening may wait for the locks of other processes, and for the disk. The
 * event loop starts one, and looks now and then whether it has ended. One at a
 * time; not on the thread pool, whose end a worker waits for: a thread that
 * hangs ends with its process. Event loop only.
 */

#ifndef _NGX_WACRM_OPENER_H_INCLUDED_
#define _NGX_WACRM_OPENER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "spool/spool.h"


/*
 * Closes *old, which becomes NULL, and opens what lies at path, which is
 * copied; NGX_ERROR without memory or thread: nothing was done. Not while one
 * is busy.
 */
ngx_int_t ngx_wacrm_opener_start(ngx_str_t *path, uint64_t size,
    spool_t **old, ngx_log_t *log);

/* Started, and not taken. */
ngx_uint_t ngx_wacrm_opener_busy(void);

/* Whether it has ended, now or within so many milliseconds. */
ngx_uint_t ngx_wacrm_opener_ended(ngx_msec_t wait);

/*
 * Once it has ended, once for each start: what spool_open() returned and said.
 * *spool is the caller's to close, NULL after an error.
 */
int ngx_wacrm_opener_take(spool_t **spool, spool_options_t *options);

/* At the end of the process, which does not wait for it for long. */
void ngx_wacrm_opener_exit(ngx_log_t *log);


#endif /* _NGX_WACRM_OPENER_H_INCLUDED_ */
