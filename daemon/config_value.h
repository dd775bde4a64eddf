/*
 * config_value.h - from the text of an option to its field.
 */
#ifndef WACRM_CONFIG_VALUE_H
#define WACRM_CONFIG_VALUE_H

#include "config_table.h"

/* Strings that live as long as the configuration. */
typedef struct config_memory_s config_memory_t;
config_memory_t *config_memory_new(void);
void config_memory_free(config_memory_t *m); /* wipes them, too */
/* NULL: out of memory. */
char *config_memory_text(config_memory_t *m, const char *text, size_t len);

#define CONFIG_REASON_MAX 200

/* Sets the option's field of base; false with a reason. */
bool config_value_set(const option_t *option, void *base, const char *text,
                      config_memory_t *m, char reason[CONFIG_REASON_MAX]);

/*
 * Content of a small file less one trailing newline; NULL with a reason. NUL
 * bytes are kept.
 */
char *config_value_file(const char *path, size_t *len, config_memory_t *m,
                        char reason[CONFIG_REASON_MAX]);

/* true if both fields are the same. */
bool config_value_same(const option_t *option, const void *a, const void *b);

#endif
