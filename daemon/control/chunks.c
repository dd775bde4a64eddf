#include "control/chunks.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct {
    FILE *in;
    size_t left; /* of the chunk that is being read */
    bool ended;
} chunks_t;

void chunk_head(unsigned char head[CHUNK_HEAD], size_t len)
{
    for (int i = 0; i < CHUNK_HEAD; i++) {
        head[i] = (unsigned char)(len >> (8 * (CHUNK_HEAD - 1 - i)));
    }
}

static bool next_chunk(chunks_t *c)
{
    unsigned char head[CHUNK_HEAD];
    uint32_t len = 0;

    if (fread(head, 1, sizeof(head), c->in) != sizeof(head)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(head); i++) {
        len = len << 8 | head[i];
    }
    c->left = len;
    c->ended = len == 0;
    return len <= CHUNK_MAX;
}

static ssize_t read_chunks(void *arg, char *to, size_t size)
{
    chunks_t *c = arg;
    size_t n;

    if (c->left == 0 && !c->ended && !next_chunk(c)) {
        errno = EPROTO;
        return -1;
    }
    if (c->ended) {
        return 0;
    }
    n = fread(to, 1, size < c->left ? size : c->left, c->in);
    c->left -= n;
    if (n == 0) {
        errno = EPROTO;
        return -1;
    }
    return (ssize_t)n;
}

static int forget(void *arg)
{
    free(arg);
    return 0;
}

FILE *chunks_open(FILE *in)
{
    cookie_io_functions_t io = {.read = read_chunks, .close = forget};
    chunks_t *c = calloc(1, sizeof(*c));
    FILE *out = NULL;

    if (c != NULL) {
        c->in = in;
        out = fopencookie(c, "r", io);
    }
    if (out == NULL) {
        free(c);
    }
    return out;
}
