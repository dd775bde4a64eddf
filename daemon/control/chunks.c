#include "control/chunks.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct {
    FILE *in;
    int *error;
    size_t left; /* of the chunk that is being read */
    bool ended;
} chunks_t;

void chunk_head(unsigned char head[CHUNK_HEAD], size_t len)
{
    for (int i = 0; i < CHUNK_HEAD; i++) {
        head[i] = (unsigned char)(len >> (8 * (CHUNK_HEAD - 1 - i)));
    }
}

/* For good: what comes now may be the middle of a chunk. */
static void give_up(chunks_t *c)
{
    *c->error = ferror(c->in) && errno == EAGAIN ? ETIMEDOUT : EPROTO;
}

static void next_chunk(chunks_t *c)
{
    unsigned char head[CHUNK_HEAD];
    uint32_t len = 0;

    if (fread(head, 1, sizeof(head), c->in) != sizeof(head)) {
        give_up(c);
        return;
    }
    for (size_t i = 0; i < sizeof(head); i++) {
        len = len << 8 | head[i];
    }
    if (len > CHUNK_MAX) {
        give_up(c);
        return;
    }
    c->left = len;
    c->ended = len == 0;
}

static ssize_t read_chunks(void *arg, char *to, size_t size)
{
    chunks_t *c = arg;
    size_t n = 0;

    if (*c->error == 0 && c->left == 0 && !c->ended) {
        next_chunk(c);
    }
    if (*c->error == 0 && !c->ended) {
        size = size < c->left ? size : c->left;
        n = fread(to, 1, size, c->in);
        c->left -= n;
        if (n < size) {
            give_up(c);
        }
    }
    if (n == 0 && *c->error != 0) {
        errno = *c->error;
        return -1;
    }
    return (ssize_t)n;
}

static int forget(void *arg)
{
    free(arg);
    return 0;
}

FILE *chunks_open(FILE *in, int *error)
{
    cookie_io_functions_t io = {.read = read_chunks, .close = forget};
    chunks_t *c = calloc(1, sizeof(*c));
    FILE *out = NULL;

    if (c != NULL) {
        c->in = in;
        c->error = error;
        *error = 0;
        out = fopencookie(c, "r", io);
    }
    if (out == NULL) {
        free(c);
    }
    return out;
}
