/*
 * dispatch.h - who answers a request that is there to its end: the I/O thread,
 * at once, or a worker. Of the I/O thread.
 */
#ifndef WACRM_HTTP_DISPATCH_H
#define WACRM_HTTP_DISPATCH_H

#include <microhttpd.h>

#include "http/request.h"

/* The first time, and again when the request that it followed has ended. */
enum MHD_Result request_dispatch(request_t *r);
/* The answer in r->mhd. */
enum MHD_Result request_send(request_t *r);

#endif
