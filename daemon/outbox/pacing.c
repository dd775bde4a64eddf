/*
 * pacing.c - a window of one minute per session, exact: the times of the last
 * N messages, of which the oldest must be a minute old before the next.
 */
#include "outbox/pacing.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE_MS 60000

/* Times of the last `size` departures; a ring. */
typedef struct {
    int64_t *times;
    int size, at;
    int put_off; /* in this round */
} window_t;

typedef struct {
    int64_t session;
    int64_t paused_until;
    window_t all, first;
} lane_pace_t;

typedef struct {
    int64_t chat;
    int64_t until;
} gap_t;

struct pacing_s {
    int per_minute, first_per_minute, gap_ms;
    lane_pace_t *sessions;
    size_t nsessions;
    gap_t *gaps; /* of chats written to within gap_ms */
    size_t ngaps, gaps_size;
};

int pacing_new(pacing_t **out, int per_minute, int first_per_minute, int gap_ms)
{
    pacing_t *p = calloc(1, sizeof(*p));

    *out = p;
    if (!p) {
        return WERR_NOMEM;
    }
    p->per_minute = per_minute;
    p->first_per_minute = first_per_minute;
    p->gap_ms = gap_ms;
    return WERR_OK;
}

void pacing_free(pacing_t **pacing)
{
    pacing_t *p = *pacing;

    if (!p) {
        return;
    }
    *pacing = NULL;
    for (size_t i = 0; i < p->nsessions; i++) {
        free(p->sessions[i].all.times);
        free(p->sessions[i].first.times);
    }
    free(p->sessions);
    free(p->gaps);
    free(p);
}

static bool window_init(window_t *w, int size)
{
    if (size <= 0) {
        return true;
    }
    w->times = malloc((size_t)size * sizeof(*w->times));
    if (!w->times) {
        return false;
    }
    for (int i = 0; i < size; i++) {
        w->times[i] = INT64_MIN / 2;
    }
    w->size = size;
    return true;
}

/* NULL: no memory. */
static lane_pace_t *session_of(pacing_t *p, int64_t session)
{
    lane_pace_t *grown, *s;

    for (size_t i = 0; i < p->nsessions; i++) {
        if (p->sessions[i].session == session) {
            return &p->sessions[i];
        }
    }
    grown = reallocarray(p->sessions, p->nsessions + 1, sizeof(*grown));
    if (!grown) {
        return NULL;
    }
    p->sessions = grown;
    s = &grown[p->nsessions];
    memset(s, 0, sizeof(*s));
    s->session = session;
    if (!window_init(&s->all, p->per_minute) ||
        !window_init(&s->first, p->first_per_minute)) {
        free(s->all.times);
        return NULL;
    }
    p->nsessions++;
    return s;
}

/* ms until the window has room, for the next one put off in this round. */
static int64_t window_wait(window_t *w, int64_t now)
{
    int64_t wait, rounds;
    int slot;

    if (w->size == 0 || w->times[w->at] + MINUTE_MS <= now) {
        return 0;
    }
    slot = (w->at + w->put_off) % w->size;
    rounds = w->put_off / w->size;
    w->put_off++;
    wait = w->times[slot] + MINUTE_MS * (rounds + 1) - now;
    return wait > 0 ? wait : 1;
}

static void window_count(window_t *w, int64_t now)
{
    if (w->size == 0) {
        return;
    }
    w->times[w->at] = now;
    w->at = (w->at + 1) % w->size;
}

static int64_t gap_wait(pacing_t *p, int64_t chat, int64_t now)
{
    int64_t wait = 0;
    size_t kept = 0;

    for (size_t i = 0; i < p->ngaps; i++) {
        if (p->gaps[i].until <= now) {
            continue;
        }
        if (p->gaps[i].chat == chat) {
            wait = p->gaps[i].until - now;
        }
        p->gaps[kept++] = p->gaps[i];
    }
    p->ngaps = kept;
    return wait;
}

static void gap_count(pacing_t *p, int64_t chat, int64_t now)
{
    if (p->gap_ms <= 0) {
        return;
    }
    if (p->ngaps == p->gaps_size) {
        size_t size = p->gaps_size ? p->gaps_size * 2 : 64;
        gap_t *grown = reallocarray(p->gaps, size, sizeof(*grown));

        if (!grown) {
            return; /* a gap missed harms less than a message held */
        }
        p->gaps = grown;
        p->gaps_size = size;
    }
    p->gaps[p->ngaps].chat = chat;
    p->gaps[p->ngaps++].until = now + p->gap_ms;
}

int64_t pacing_take(pacing_t *p, int64_t session, int64_t chat, bool first,
                    int64_t now)
{
    lane_pace_t *s = session_of(p, session);
    int64_t wait;

    if (!s) {
        return 1000;
    }
    if (s->paused_until > now) {
        return s->paused_until - now;
    }
    wait = gap_wait(p, chat, now);
    if (wait == 0 && first) {
        wait = window_wait(&s->first, now);
    }
    if (wait == 0) {
        wait = window_wait(&s->all, now);
    }
    if (wait > 0) {
        return wait;
    }
    window_count(&s->all, now);
    if (first) {
        window_count(&s->first, now);
    }
    gap_count(p, chat, now);
    return 0;
}

void pacing_round(pacing_t *p)
{
    for (size_t i = 0; i < p->nsessions; i++) {
        p->sessions[i].all.put_off = 0;
        p->sessions[i].first.put_off = 0;
    }
}

void pacing_pause(pacing_t *p, int64_t session, int64_t until)
{
    lane_pace_t *s = session_of(p, session);

    if (s && s->paused_until < until) {
        s->paused_until = until;
    }
}
