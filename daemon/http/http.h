/*
 * http.h - the HTTP server of wacrmd: a private unix socket behind nginx.
 *
 * One libmicrohttpd epoll thread does I/O only; workers, each with its own
 * read connection, run routes as straight-line functions. Why and with which
 * traps: docs/http.md. Identity comes from the edge (X-Wacrm-User,
 * X-Wacrm-Token-Id, X-Wacrm-Token-Exp: all there exactly once, or no
 * identity); role, active flag and sessions come from the database at each
 * request, or are known not to have changed since. Peers are checked by
 * SO_PEERCRED: root, our own user, or a member of our group.
 */
#ifndef WACRM_HTTP_HTTP_H
#define WACRM_HTTP_HTTP_H

#include "alarm.h"
#include "domain/domain.h"
#include "intake/intake.h"
#include "outbox/outbox.h"
#include "realtime/realtime.h"
#include "search/search.h"
#include "spool/spool.h"

typedef struct http_server_s http_server_t;

typedef struct {
    const char *socket_path; /* made 0660 */
    int workers;             /* 2 */
    size_t file_max;         /* bytes of a body that may hold a file; 0: no
                                more than of any other */
    domain_t *domain;
    spool_t *spool;         /* health, metrics, revocation */
    const outbox_t *outbox; /* metrics */
    const intake_t *intake; /* metrics */
    search_t *search;       /* NULL: nothing is found in messages */
    realtime_t *realtime;   /* NULL: no sockets */
    gw_client_t *gateway;   /* of routes that ask it; NULL: they answer 503 */
    const gateway_account_t *accounts; /* stay the caller's */
    size_t naccounts;
    const char *public_url; /* stays the caller's; NULL: not known */
    const char *jwt_secret; /* HS256, bytes of the key file */
    size_t jwt_secret_len;
    const char *issuer, *audience;
    /* Who they are who come without a token, by a name of this machine; NULL:
     * nobody. Stays the caller's. */
    const char *without_sign_in;
    int access_ttl_s;  /* 12 h */
    int refresh_ttl_s; /* 30 days */
    int guesses;       /* wrong passwords a minute (guesses.h) */
    bool read_receipts;
    int64_t started_ms;             /* metrics */
    const alarm_counters_t *alarms; /* metrics; NULL: none */
} http_options_t;

/* Strings of o are copied. WERR_INVALID: a secret under 32 bytes. */
int http_start(http_server_t **out, const http_options_t *o) WACRM_CHECKED;
/* Does what could not be done when it was due; every few seconds. */
void http_upkeep(http_server_t *s);
/* Refuses new work, waits for what is in flight, stops. */
void http_stop(http_server_t **s, int64_t timeout_ms);

#endif
