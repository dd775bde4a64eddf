/*
 * config_reading.h - a configuration while it is read: where each value came
 * from, and the first error. Private to config*.c.
 */
#ifndef WACRM_CONFIG_READING_H
#define WACRM_CONFIG_READING_H

#include <stdio.h>

#include "config.h"
#include "config_table.h"

typedef struct {
    config_t *c;
    const char *path;
    FILE *file;
    int line;
    char *error;
    size_t size;
    bool failed;
    const char *section; /* "gateway" for each of them; NULL: none yet */
    int gateway;         /* index; -1: another section */
    int lines[CONFIG_OPTIONS_MAX]; /* where an option was set; 0: not yet */
    int gateway_lines[CONFIG_GATEWAYS_MAX][CONFIG_OPTIONS_MAX];
    int gateway_at[CONFIG_GATEWAYS_MAX];
} config_reading_t;

/* The first error is kept: "file:line: reason". line 0: without. */
void config_fail(config_reading_t *r, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* NULL: there is none. *index: its place in the table. */
const option_t *config_option(const char *section, const char *key,
                              size_t *index);
/* Its place among the gateways; -1: there is none. */
int config_gateway(const config_t *c, const char *name);
/* One more [gateway NAME] with its defaults, as the current section. */
void config_begin_gateway(config_reading_t *r, const char *name);

/* What stands in the file, then what the environment says instead. */
void config_read_file(config_reading_t *r);
void config_read_environment(config_reading_t *r);
/* What depends on several values, once all are known. */
void config_settle(config_reading_t *r);

#endif
