/*
 * config.h - wacrmd.conf: INI, overridable by environment. Every key, its
 * default and meaning: docs/configuration.md (a test holds table and text
 * together).
 */
#ifndef WACRM_CONFIG_H
#define WACRM_CONFIG_H

#include "alarm.h"
#include "base/log.h"
#include "domain/domain.h"
#include "gateway/gateway.h"
#include "outbox/outbox.h"
#include "realtime/realtime.h"

#define CONFIG_GATEWAYS_MAX 16

/* Strings belong to the config_t. */
typedef struct config_s {
    const char *state_dir;    /* lock, control socket, database by default */
    const char *database;     /* path of the SQLite file */
    const char *spool;        /* path of the spool */
    const char *search_index; /* path of the index file */
    int64_t spool_size;
    const char *notify;      /* path of the datagram socket */
    const char *http_socket; /* path */
    const char *public_url;  /* without a trailing slash, or NULL */
    int workers;
    const char *control_socket;
    const char *group; /* of sockets and spool; NULL: leave */
    log_level_t log_level;
    const char *jwt_secret_file;
    char *jwt_secret; /* its bytes less one trailing newline */
    size_t jwt_secret_len;
    const char *issuer, *audience;
    bool development;
    const char *without_sign_in; /* an agent's e-mail, or NULL */
    int access_ttl_s, refresh_ttl_s, guesses;
    const char *media_types; /* names; domain.media_types is the set */
    domain_settings_t domain;
    outbox_options_t outbox;
    realtime_options_t realtime;
    alarm_options_t alarm;
    gateway_account_t gateways[CONFIG_GATEWAYS_MAX];
    size_t ngateways;
    void *memory; /* private */
} config_t;

/*
 * Reads path (and the environment: WHATSAPP_API_URL, WHATSAPP_API_TOKEN,
 * WHATSAPP_SESSION_ID, WACRM_*). false with error "file:line: reason" for an
 * unknown section or key, a bad value, a line that is too long, an unreadable
 * secret.
 */
bool config_load(config_t *c, const char *path, char *error, size_t size);
void config_free(config_t *c);

#endif
