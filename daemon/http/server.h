/*
 * server.h - the parts of the HTTP server, for its own files.
 */
#ifndef WACRM_HTTP_SERVER_H
#define WACRM_HTTP_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "domain/lines.h"
#include "http/auth.h"
#include "http/awaits.h"
#include "http/cache.h"
#include "http/flights.h"
#include "http/http.h"
#include "http/jobs.h"
#include "http/pace.h"
#include "http/peer.h"
#include "http/request.h"
#include "http/revocation.h"
#include "http/stats.h"
#include "http/views.h"

#define HTTP_WORKERS_MAX 64

struct MHD_Daemon;

struct http_server_s {
    http_options_t options;
    auth_keys_t keys;
    char *socket_path, *secret, *issuer, *audience; /* copies */
    struct MHD_Daemon *mhd;
    peers_t peers; /* of the I/O thread */
    jobs_t *jobs;
    cache_t *cache;
    views_t *views;
    lines_t *lines;
    flights_t *flights;
    revocation_t *revocation;
    pace_t *pace;
    awaits_t *awaits;
    stats_t stats;
    _Atomic bool stopping;
    _Atomic int64_t open; /* requests from their dispatch to their end */
    pthread_t workers[HTTP_WORKERS_MAX];
    size_t nworkers;
};

/* The log's line of an answer that took run_us. */
void answer_log(const request_t *r, int64_t run_us);
/* Runs jobs until the queue is closed; arg: http_server_t. */
void *worker_main(void *arg);

#endif
