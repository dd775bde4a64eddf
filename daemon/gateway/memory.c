/*
 * memory.c - the memory of an event list: the parsed body, and copies.
 */
#include "gateway/driver.h"

#include <stdlib.h>
#include <string.h>

typedef struct gw_copy_s {
    struct gw_copy_s *next;
    char text[];
} gw_copy_t;

typedef struct {
    json_t *root;
    gw_copy_t *copies;
} gw_memory_t;

int gw_events_init(gw_events_t *ev, json_t *root, size_t n)
{
    gw_memory_t *m = calloc(1, sizeof(*m));

    memset(ev, 0, sizeof(*ev));
    if (!m) {
        json_decref(root);
        return WERR_NOMEM;
    }
    m->root = root;
    ev->memory = m;
    ev->items = calloc(n, sizeof(*ev->items));
    if (!ev->items) {
        gw_events_free(ev);
        return WERR_NOMEM;
    }
    ev->n = n;
    for (size_t i = 0; i < n; i++) {
        ev->items[i].media_size = -1;
    }
    return WERR_OK;
}

const char *gw_events_dup(gw_events_t *ev, const char *s, size_t len)
{
    gw_memory_t *m = ev->memory;
    gw_copy_t *c = malloc(sizeof(*c) + len + 1);

    if (!c) {
        return NULL;
    }
    memcpy(c->text, s, len);
    c->text[len] = '\0';
    c->next = m->copies;
    m->copies = c;
    return c->text;
}

void gw_events_free(gw_events_t *ev)
{
    gw_memory_t *m = ev->memory;

    if (m) {
        while (m->copies) {
            gw_copy_t *next = m->copies->next;

            free(m->copies);
            m->copies = next;
        }
        json_decref(m->root);
        free(m);
    }
    free(ev->items);
    memset(ev, 0, sizeof(*ev));
}
