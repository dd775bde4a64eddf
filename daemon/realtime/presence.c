/*
 * presence.c - who is in a presence channel: users, whatever the number of
 * their sockets.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonr.h"
#include "realtime/internal.h"

bool rt_presence_id(const json_t *data, char *out, size_t size)
{
    const json_t *id = json_object_get(data, "user_id");
    int n = -1;

    if (json_is_string(id) && json_string_length(id) > 0) {
        n = snprintf(out, size, "%s", json_string_value(id));
    } else if (json_is_integer(id)) {
        n = snprintf(out, size, "%lld", (long long)json_integer_value(id));
    }
    return n > 0 && (size_t)n < size;
}

static rt_member_t *find(const rt_channel_t *ch, const char *id)
{
    rt_member_t *m = ch->members;

    while (m != NULL && strcmp(m->id, id) != 0) {
        m = m->next;
    }
    return m;
}

static rt_member_t *make(const char *id, const json_t *info)
{
    size_t len = strlen(id) + 1;
    rt_member_t *m = calloc(1, sizeof(*m) + len);

    if (m == NULL) {
        return NULL;
    }
    memcpy(m->id, id, len);
    if (info != NULL) {
        m->info = json_dumps(info, JSON_COMPACT | JSON_ENCODE_ANY);
        if (m->info == NULL) {
            free(m);
            return NULL;
        }
    }
    return m;
}

static void write_info(buf_t *b, const char *key, const rt_member_t *m)
{
    const char *info = m->info != NULL ? m->info : "null";

    jw_raw(b, key, info, strlen(info));
}

static void tell(realtime_t *rt, const rt_sub_t *sub, const rt_member_t *m,
                 bool added)
{
    rt_channel_t *ch = sub->channel;
    rt_frame_t *f;
    buf_t b;

    buf_init(&b, 0);
    jw_open_object(&b, NULL);
    jw_str(&b, "user_id", m->id);
    if (added && m->info != NULL) {
        write_info(&b, "user_info", m);
    }
    jw_close_object(&b);
    f = b.failed ? NULL
                 : rt_message_event(rt,
                                    added ? "pusher_internal:member_added"
                                          : "pusher_internal:member_removed",
                                    ch->name, b.data, b.len, NULL);
    if (f != NULL) {
        rt_channel_send(ch, f, sub->client);
        rt_frame_unref(f);
    } else {
        rt_count(&rt->counters.faults, 1);
    }
    buf_free(&b);
}

/* The member of that id, made if it is new. */
static int join(realtime_t *rt, rt_sub_t *sub, const char *id,
                const json_t *info, bool *first)
{
    rt_channel_t *ch = sub->channel;
    rt_member_t *m = find(ch, id);

    *first = m == NULL;
    if (*first) {
        if (ch->nmembers >= (size_t)rt->options.max_members) {
            return WERR_FULL;
        }
        m = make(id, info);
        if (m == NULL) {
            return WERR_NOMEM;
        }
        m->next = ch->members;
        ch->members = m;
        ch->nmembers++;
    }
    m->sockets++;
    sub->member = m;
    return WERR_OK;
}

int rt_presence_join(realtime_t *rt, rt_sub_t *sub, const char *data,
                     bool *first)
{
    char id[REALTIME_NAME_MAX], reason[64];
    json_t *json = jsonr_parse(data, strlen(data), reason, sizeof(reason));
    int rc = json == NULL && errno == ENOMEM ? WERR_NOMEM : WERR_INVALID;

    if (rt_presence_id(json, id, sizeof(id))) {
        rc = join(rt, sub, id, json_object_get(json, "user_info"), first);
    }
    if (rc == WERR_OK && *first) {
        tell(rt, sub, sub->member, true);
    }
    json_decref(json);
    return rc;
}

void rt_presence_leave(realtime_t *rt, rt_sub_t *sub)
{
    rt_channel_t *ch = sub->channel;
    rt_member_t *m = sub->member;
    rt_member_t **at = &ch->members;

    sub->member = NULL;
    if (m == NULL || --m->sockets > 0) {
        return;
    }
    while (*at != m) {
        at = &(*at)->next;
    }
    *at = m->next;
    ch->nmembers--;
    tell(rt, sub, m, false);
    free(m->info);
    free(m);
}

void rt_presence_write(const rt_channel_t *ch, buf_t *out)
{
    jw_open_object(out, NULL);
    jw_open_object(out, "presence");
    jw_i64(out, "count", (int64_t)ch->nmembers);
    jw_open_array(out, "ids");
    for (const rt_member_t *m = ch->members; m != NULL; m = m->next) {
        jw_str(out, NULL, m->id);
    }
    jw_close_array(out);
    jw_open_object(out, "hash");
    for (const rt_member_t *m = ch->members; m != NULL; m = m->next) {
        write_info(out, m->id, m);
    }
    jw_close_object(out);
    jw_close_object(out);
    jw_close_object(out);
}
