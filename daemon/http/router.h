/*
 * router.h - one table of all routes, and the way from a target to its row.
 */
#ifndef WACRM_HTTP_ROUTER_H
#define WACRM_HTTP_ROUTER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct request_s request_t;
typedef void (*route_fn)(request_t *r);

typedef enum {
    ACCESS_PUBLIC, /* no identity */
    ACCESS_USER,   /* any active user */
    ACCESS_SIGNED, /* the same, or ?signature=, which the route checks */
    ACCESS_ADMIN
} access_t;

enum {
    ROUTE_HEAVY = 1,   /* hashes a password: one at a time */
    ROUTE_FILE = 2,    /* its body may hold a file */
    ROUTE_BACKEND = 4, /* public, but signed: a body as large as any user's */
    ROUTE_VIEW = 8     /* a list of the cache, of which views.h knows */
};

typedef struct {
    const char *method;
    const char *pattern; /* segments; "{name}" takes one whatever it holds */
    access_t access;
    route_fn handler;
    unsigned flags;
} route_t;

#define ROUTE_PARAMS_MAX 2

typedef struct {
    const char *text; /* of the target, not decoded */
    size_t len;
} route_param_t;

typedef enum { ROUTE_FOUND, ROUTE_UNKNOWN, ROUTE_METHOD } route_result_t;

typedef struct {
    const route_t *route;
    route_param_t params[ROUTE_PARAMS_MAX];
    char allow[64]; /* of ROUTE_METHOD */
} route_match_t;

/* path: the target without its query, not decoded. HEAD is GET. */
route_result_t router_match(const route_t *routes, size_t n, const char *method,
                            const char *path, size_t len, route_match_t *out);

/* The table: routes.c. */
extern const route_t http_routes[];
extern const size_t http_nroutes;

#endif
