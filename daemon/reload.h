/*
 * reload.h - the configuration in force, and its change at SIGHUP.
 */
#ifndef WACRM_RELOAD_H
#define WACRM_RELOAD_H

#include "config.h"

/* A configuration lives until the end: threads may hold its strings. */
typedef struct config_age_s config_age_t;

typedef struct {
    const char *path;
    config_age_t *now; /* the newest; the first is what the rooms hold */
    config_age_t *first;
} reload_t;

bool reload_first(reload_t *r, const char *path, char *error, size_t size);
/* That of the start. */
const config_t *reload_config(const reload_t *r);

/*
 * Reads the file again. What can change while wacrmd runs changes, of the
 * rest is told that it needs a restart. A bad file changes nothing.
 */
void reload_again(reload_t *r, domain_t *domain);
void reload_free(reload_t *r);

#endif
