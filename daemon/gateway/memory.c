/*
 * memory.c - the memory of an event list: the parsed body, and copies.
 */
#include "gateway/driver.h"

#include <stddef.h>
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

/* All that an event says in text. */
static const size_t texts[] = {
    offsetof(gw_event_t, session),     offsetof(gw_event_t, wa_id),
    offsetof(gw_event_t, chat),        offsetof(gw_event_t, phone),
    offsetof(gw_event_t, alias),       offsetof(gw_event_t, push_name),
    offsetof(gw_event_t, type),        offsetof(gw_event_t, text),
    offsetof(gw_event_t, media_url),   offsetof(gw_event_t, media_mime),
    offsetof(gw_event_t, media_name),  offsetof(gw_event_t, reply_to),
    offsetof(gw_event_t, status),      offsetof(gw_event_t, error_code),
    offsetof(gw_event_t, error_title), offsetof(gw_event_t, emoji),
    offsetof(gw_event_t, client_id),   offsetof(gw_event_t, session_phone),
    offsetof(gw_event_t, name),
};

#define TEXTS (sizeof(texts) / sizeof(texts[0]))

/* One that is forgotten above would point into memory given back. */
_Static_assert(sizeof(void *) != 8 ||
                   sizeof(gw_event_t) == (TEXTS + 5) * sizeof(void *),
               "each text of gw_event_t has its line in texts[]");

static const char **text_of(gw_event_t *e, size_t i)
{
    return (const char **)(void *)((char *)e + texts[i]);
}

static size_t text_bytes(const gw_events_t *ev)
{
    size_t bytes = 0;

    for (size_t i = 0; i < ev->n; i++) {
        for (size_t j = 0; j < TEXTS; j++) {
            const char *s = *text_of(&ev->items[i], j);

            bytes += s != NULL ? strlen(s) + 1 : 0;
        }
    }
    return bytes;
}

/* Copies the texts of an event to `at`, and says where the next may go. */
static char *take_texts(gw_event_t *e, char *at)
{
    for (size_t j = 0; j < TEXTS; j++) {
        const char **s = text_of(e, j);

        if (*s != NULL) {
            size_t size = strlen(*s) + 1;

            memcpy(at, *s, size);
            *s = at;
            at += size;
        }
    }
    return at;
}

static void drop(gw_memory_t *m)
{
    while (m->copies) {
        gw_copy_t *next = m->copies->next;

        free(m->copies);
        m->copies = next;
    }
    json_decref(m->root);
    m->root = NULL;
}

int gw_events_end(gw_events_t *ev, int rc)
{
    gw_memory_t *m = ev->memory;
    gw_copy_t *all = NULL;
    char *at;

    if (rc == WERR_OK) {
        all = malloc(sizeof(*all) + text_bytes(ev));
        rc = all == NULL ? WERR_NOMEM : WERR_OK;
    }
    if (rc != WERR_OK) {
        gw_events_free(ev);
        return rc;
    }
    at = all->text;
    for (size_t i = 0; i < ev->n; i++) {
        at = take_texts(&ev->items[i], at);
    }
    drop(m);
    all->next = NULL;
    m->copies = all;
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
    if (ev->memory) {
        drop(ev->memory);
        free(ev->memory);
    }
    free(ev->items);
    memset(ev, 0, sizeof(*ev));
}
