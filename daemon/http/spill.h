/*
 * spill.h - bytes that may become many: in memory while they are few, then in
 * a file without a name in the media directory. However many requests carry
 * files at once, memory holds SPILL_MEMORY bytes of each.
 */
#ifndef WACRM_HTTP_SPILL_H
#define WACRM_HTTP_SPILL_H

#include <stdio.h>

#include "base/buf.h"
#include "domain/domain.h"

#define SPILL_MEMORY ((size_t)128 << 10)

typedef struct {
    char *data; /* after spill_end(); NULL if there are none; read only */
    size_t len;
    size_t max;
    int rc; /* sticky: TOOBIG, NOMEM, FULL, IO */
    int fd; /* -1: in memory */
    bool mapped;
    buf_t memory;
    const domain_t *domain;
} spill_t;

/* Of at most max bytes. Nothing is allocated or opened yet. */
void spill_init(spill_t *s, const domain_t *d, size_t max);
/* After an error it does nothing; what came before is gone then, too. */
void spill_add(spill_t *s, const void *data, size_t len);
/* There they are: s->rc. Nothing is added after that. */
int spill_end(spill_t *s);
void spill_free(spill_t *s);

/* An empty file without a name, in the same place, for what is written piece
 * by piece; the caller closes it. */
int spill_file(const domain_t *d, FILE **out) WACRM_CHECKED;

#endif
