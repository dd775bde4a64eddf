/*
 * config_table.h - every option of wacrmd.conf, once: what it is called, what
 * it may be, what it means. docs/configuration.md is held against it.
 */
#ifndef WACRM_CONFIG_TABLE_H
#define WACRM_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    OPTION_TEXT,        /* const char * */
    OPTION_MESSAGE,     /* const char *, "\\n" is a new line */
    OPTION_PATH,        /* const char *, absolute */
    OPTION_SOCKET,      /* const char *, absolute, <= 107 bytes */
    OPTION_URL,         /* const char *, http or https, no slash at the end */
    OPTION_SECRET_FILE, /* const char *: the file's content */
    OPTION_INT,         /* int */
    OPTION_I64,         /* int64_t */
    OPTION_SIZE,        /* int64_t: 512m 4g */
    OPTION_MS,          /* int: 500ms 2s */
    OPTION_SECONDS,     /* int: 10s 5m 12h 30d */
    OPTION_DAYS,        /* int: 30d */
    OPTION_SWITCH,      /* bool: on off */
    OPTION_LEVEL,       /* log_level_t */
    OPTION_TIMEZONE,    /* int: seconds east */
    OPTION_BACKOFF,     /* outbox_options_t: list of durations */
} option_type_t;

typedef struct {
    const char *section; /* "gateway": one of [gateway NAME] */
    const char *key;
    option_type_t type;
    size_t offset;        /* in config_t, or gateway_account_t */
    const char *fallback; /* as it would be written; NULL: none */
    int64_t min, max;     /* of numbers */
    bool live;            /* taken over by SIGHUP */
    const char *text;     /* of the documentation */
} option_t;

#define CONFIG_OPTIONS_MAX 128 /* at least as many as there are */
extern const option_t config_options[];
extern const size_t config_noptions;

/* What a value of that type looks like, for people. */
const char *option_type_text(option_type_t type);

#endif
