/*
 * ctl_args.h - the command line of wacrmctl.
 */
#ifndef WACRM_CTL_ARGS_H
#define WACRM_CTL_ARGS_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#define CTL_RUN (-1)

typedef struct {
    const char *config;
    bool json;
    const char *command; /* as command.h has it: "user add" */
    json_t *request;     /* as command.h has it */
    FILE *input;         /* what is sent after it, or NULL */
} ctl_args_t;

/*
 * CTL_RUN, or the exit status: 0 after help, 1 or 2 after a message. A
 * password is read from the terminal, twice, or from standard input.
 */
int ctl_args_read(ctl_args_t *a, int argc, char **argv);
void ctl_args_free(ctl_args_t *a);

#endif
