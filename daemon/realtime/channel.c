/*
 * channel.c - channels by name, and who has subscribed to them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#include "realtime/internal.h"

/* Anybody who knows the key may name new ones, but signs none. */
#define PUBLIC_MAX  20000
#define CHAT_PREFIX "presence-chat."
#define ID_DIGITS   18

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

bool realtime_good_channel(const char *name)
{
    size_t n = strnlen(name, REALTIME_NAME_MAX + 1);

    return n > 0 && n <= REALTIME_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789_-=@,.;") == n;
}

rt_kind_t rt_channel_kind(const char *name)
{
    if (starts(name, "presence-")) {
        return RT_PRESENCE;
    }
    return starts(name, "private-") ? RT_PRIVATE : RT_PUBLIC;
}

rt_scope_t rt_channel_scope(const char *name, int64_t *chat)
{
    const char *digits = name + strlen(CHAT_PREFIX);
    size_t n;

    *chat = 0;
    if (strcmp(name, "private-inbox") == 0) {
        return RT_INBOX;
    }
    if (!starts(name, CHAT_PREFIX)) {
        return RT_FOREIGN;
    }
    n = strlen(digits);
    if (n > 0 && n <= ID_DIGITS && strspn(digits, "0123456789") == n &&
        digits[0] != '0') {
        *chat = strtoll(digits, NULL, 10);
    }
    return RT_CHAT;
}

/* From a secret start and folded: names are strangers' choice, and
 * should not all meet in one bucket. */
static rt_channel_t **bucket(realtime_t *rt, const char *name)
{
    uint64_t h = hash_bytes(rt->hash_seed, name, strlen(name));

    h ^= h >> 32;
    return &rt->buckets[(h ^ h >> 16) % RT_BUCKETS];
}

rt_channel_t *rt_channel_find(const realtime_t *rt, const char *name)
{
    rt_channel_t *ch = *bucket((realtime_t *)(uintptr_t)rt, name);

    while (ch != NULL && strcmp(ch->name, name) != 0) {
        ch = ch->next;
    }
    return ch;
}

rt_channel_t *rt_channel_make(realtime_t *rt, const char *name)
{
    rt_channel_t *ch = rt_channel_find(rt, name);
    rt_channel_t **at = bucket(rt, name);
    size_t len = strlen(name) + 1;
    int64_t chat;

    if (ch != NULL) {
        return ch;
    }
    if ((rt_channel_kind(name) == RT_PUBLIC && rt->npublic >= PUBLIC_MAX) ||
        (ch = calloc(1, sizeof(*ch) + len)) == NULL) {
        return NULL;
    }
    memcpy(ch->name, name, len);
    ch->kind = rt_channel_kind(name);
    ch->scope = rt_channel_scope(name, &chat);
    ch->next = *at;
    *at = ch;
    rt->npublic += ch->kind == RT_PUBLIC;
    rt_count(&rt->counters.channels, 1);
    return ch;
}

void rt_channel_tidy(realtime_t *rt, rt_channel_t *ch)
{
    rt_channel_t **at = bucket(rt, ch->name);

    if (ch->nsubs > 0) {
        return;
    }
    while (*at != ch) {
        at = &(*at)->next;
    }
    *at = ch->next;
    rt->npublic -= ch->kind == RT_PUBLIC;
    free(ch->subs);
    free(ch);
    rt_count(&rt->counters.channels, -1);
}

/* ---- subscriptions ---- */

rt_sub_t *rt_sub_find(const rt_client_t *c, const char *channel)
{
    rt_sub_t *sub = c->subs;

    while (sub != NULL && strcmp(sub->channel->name, channel) != 0) {
        sub = sub->next;
    }
    return sub;
}

static bool grow(rt_channel_t *ch)
{
    size_t cap = ch->cap > 0 ? 2 * ch->cap : 2;
    rt_sub_t **more = realloc(ch->subs, cap * sizeof(rt_sub_t *));

    if (more == NULL) {
        return false;
    }
    ch->subs = more;
    ch->cap = cap;
    return true;
}

rt_sub_t *rt_sub_add(realtime_t *rt, rt_client_t *c, rt_channel_t *ch)
{
    rt_sub_t *sub;

    if ((ch->nsubs == ch->cap && !grow(ch)) ||
        (sub = calloc(1, sizeof(*sub))) == NULL) {
        return NULL;
    }
    sub->client = c;
    sub->channel = ch;
    sub->at = ch->nsubs;
    ch->subs[ch->nsubs++] = sub;
    sub->next = c->subs;
    c->subs = sub;
    c->nsubs++;
    rt_count(&rt->counters.subscriptions, 1);
    return sub;
}

void rt_sub_drop(realtime_t *rt, rt_sub_t *sub)
{
    rt_channel_t *ch = sub->channel;
    rt_sub_t **at = &sub->client->subs;

    while (*at != sub) {
        at = &(*at)->next;
    }
    *at = sub->next;
    sub->client->nsubs--;
    ch->subs[sub->at] = ch->subs[--ch->nsubs];
    ch->subs[sub->at]->at = sub->at;
    rt_count(&rt->counters.subscriptions, -1);
    rt_presence_leave(rt, sub);
    rt_channel_tidy(rt, ch);
    free(sub);
}

/* Nobody leaves the list meanwhile: who is closed over it does so at the end
 * of the turn. */
void rt_channel_send(rt_channel_t *ch, rt_frame_t *f, const rt_client_t *except)
{
    for (size_t i = 0; i < ch->nsubs; i++) {
        rt_client_t *c = ch->subs[i]->client;

        if (c != except) {
            rt_client_send(c, f);
        }
    }
}
