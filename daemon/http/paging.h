/*
 * paging.h - the parameters by which lists are read in pages.
 */
#ifndef WACRM_HTTP_PAGING_H
#define WACRM_HTTP_PAGING_H

#include "http/invalid.h"
#include "http/request.h"

#define PAGE_DEFAULT 50
#define PAGE_MAX     200

/* limit: 1..200, 50 if absent; else an error. */
int page_limit(const request_t *r, invalid_t *invalid);

/* A place in a list ordered by (ts, id), as an opaque text. */
#define CURSOR_MAX 40
void cursor_write(int64_t ts, int64_t id, char out[CURSOR_MAX]);
bool cursor_read(const char *text, int64_t *ts, int64_t *id);

/* "meta": {hasMore, next}, as lists with a cursor have it. */
void page_meta(buf_t *out, bool more, int64_t ts, int64_t id);

/* The chat of path parameter 0, if the caller may see it. false: answered
 * (404, or a fault). */
bool page_chat(request_t *r, int64_t *chat);

#endif
