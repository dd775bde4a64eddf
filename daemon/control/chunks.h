/*
 * chunks.h - what follows a request on the control socket: a file, in chunks,
 * so that one which is cut is told from one which has ended.
 *
 * A chunk is its length, four bytes, the highest first, 1 to CHUNK_MAX, and as
 * many bytes. A length of 0 is the end of the file.
 */
#ifndef WACRM_CONTROL_CHUNKS_H
#define WACRM_CONTROL_CHUNKS_H

#include <stddef.h>
#include <stdio.h>

#define CHUNK_HEAD 4
#define CHUNK_MAX  65536

/* The head of a chunk of len bytes, up to CHUNK_MAX; 0: the mark of the end. */
void chunk_head(unsigned char head[CHUNK_HEAD], size_t len);

/*
 * A stream of the bytes in the chunks that come from `in`. That and *error stay
 * the caller's and have to outlive it. An end of `in` before that of the file,
 * and what is no chunk, are an error of reading (ferror), and nothing is read
 * after it: *error, 0 until then, is EPROTO, or ETIMEDOUT where `in` is a
 * socket with a SO_RCVTIMEO and nothing came for so long. NULL: no memory.
 */
FILE *chunks_open(FILE *in, int *error);

#endif
