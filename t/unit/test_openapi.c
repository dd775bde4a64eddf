/* openapi: docs/openapi.yaml and the route table name the same routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "http/router.h"

#define FILE_NAME "docs/openapi.yaml"
#define MAX       128

typedef struct {
    char path[120];
    char method[8];
    bool open;      /* security: [] */
    bool forbidden; /* lists a 401 */
    bool edge;      /* x-served-by: nginx */
} operation_t;

static operation_t operations[MAX];
static size_t count;

/* Two blanks and a slash: a path; four and a word of these: its method.
 * x-served-by: nginx marks what is none of wacrmd's routes, x-route names
 * the route that nginx serves under another path. */
static void read_line(const char *line, char path[120], bool *inside)
{
    static const char *const methods[] = {"get", "post", "put", "patch",
                                          "delete"};
    size_t len = strcspn(line, "\n");
    if (line[0] != ' ' && len > 0) {
        *inside = strncmp(line, "paths:", 6) == 0;
    } else if (*inside && strncmp(line, "  /", 3) == 0) {
        snprintf(path, 120, "%.*s", (int)(len - 3), line + 2);
    } else if (*inside && strncmp(line, "    ", 4) == 0 && line[4] != ' ') {
        for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
            size_t n = strlen(methods[i]);
            if (strncmp(line + 4, methods[i], n) == 0 && line[4 + n] == ':') {
                assert_true(count < MAX);
                operation_t *o = &operations[count++];
                snprintf(o->path, sizeof(o->path), "%s", path);
                snprintf(o->method, sizeof(o->method), "%s", methods[i]);
            }
        }
    } else if (*inside && count > 0) {
        operations[count - 1].open |=
            strncmp(line, "      security: []", 18) == 0;
        operations[count - 1].forbidden |=
            strncmp(line, "        \"401\":", 14) == 0;
        operations[count - 1].edge |=
            strncmp(line, "      x-served-by: nginx", 24) == 0;
        if (strncmp(line, "      x-route: ", 15) == 0) {
            snprintf(operations[count - 1].path, sizeof(operations[0].path),
                     "%.*s", (int)(len - 15), line + 15);
        }
    }
}

static int setup(void **state)
{
    char line[256], path[120] = "";
    bool inside = false;
    FILE *f = fopen(FILE_NAME, "re");
    (void)state;
    if (f == NULL) {
        print_error("%s: run from the root of the repository\n", FILE_NAME);
        return -1;
    }
    while (fgets(line, sizeof(line), f) != NULL) {
        read_line(line, path, &inside);
    }
    return fclose(f);
}

static const route_t *find_route(const operation_t *o)
{
    if (o->edge) {
        return NULL;
    }
    for (size_t i = 0; i < http_nroutes; i++) {
        if (strcmp(http_routes[i].pattern, o->path) == 0 &&
            strcasecmp(http_routes[i].method, o->method) == 0) {
            return &http_routes[i];
        }
    }
    return NULL;
}

static void test_documented_routes_exist(void **state)
{
    (void)state;
    assert_true(count > 10);
    for (size_t i = 0; i < count; i++) {
        const route_t *r = find_route(&operations[i]);
        if (operations[i].edge) {
            continue;
        }
        if (r == NULL) {
            fail_msg("documented, but no route: %s %s", operations[i].method,
                     operations[i].path);
        }
        if ((r->access == ACCESS_PUBLIC) != operations[i].open ||
            (r->access != ACCESS_PUBLIC && !operations[i].forbidden)) {
            fail_msg("access is documented wrongly: %s %s", r->method,
                     r->pattern);
        }
    }
}

static void test_routes_are_documented(void **state)
{
    (void)state;
    for (size_t i = 0; i < http_nroutes; i++) {
        size_t n = 0;
        for (size_t k = 0; k < count; k++) {
            n += find_route(&operations[k]) == &http_routes[i];
        }
        if (n != 1) {
            fail_msg("documented %zu times: %s %s", n, http_routes[i].method,
                     http_routes[i].pattern);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documented_routes_exist),
        cmocka_unit_test(test_routes_are_documented),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
