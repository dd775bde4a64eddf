/*
 * ctl_talk.h - one request of wacrmctl's and the whole answer: a file goes out
 * (control/chunks.h) while lines come in.
 */
#ifndef WACRM_CTL_TALK_H
#define WACRM_CTL_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

/* A line, without its end; true: it is the last. */
typedef bool (*ctl_line)(void *arg, const char *text, size_t len);

typedef struct {
    bool answered;  /* up to the last line */
    bool no_memory; /* here: before the answer was whole, or the request was
                     * sent */
    int file_error; /* errno: the file could not be read to its end, of which
                     * wacrmd was told nothing then */
} ctl_talk_t;

/* On the descriptor of ctl_connect(), which it closes. file: NULL, or what
 * goes with the request. */
ctl_talk_t ctl_talk(int fd, const json_t *request, FILE *file, ctl_line take,
                    void *arg);

#endif
