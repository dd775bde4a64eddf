#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http/invalid.h"
#include "http/routes/routes.h"
#include "realtime/sign.h"

#define BATCH_MAX 10

/* ---- who asks ---- */

static bool known_app(request_t *r, const realtime_options_t *o)
{
    const route_param_t *id = &r->match.params[0];

    if (id->len == strlen(o->app_id) &&
        memcmp(id->text, o->app_id, id->len) == 0) {
        return true;
    }
    response_not_found(&r->response, "There is no such application.");
    return false;
}

/* Signed with the secret, as the Pusher libraries of backends do; false:
 * answered already. */
static bool signed_by_app(request_t *r)
{
    sign_pair_t pairs[QUERY_PAIRS_MAX];
    const realtime_options_t *o;
    const char *why;

    if (r->options->realtime == NULL) {
        response_busy(&r->response, "Service Unavailable", 1);
        return false;
    }
    o = realtime_options(r->options->realtime);
    for (size_t i = 0; i < r->query.n; i++) {
        pairs[i] = (sign_pair_t){r->query.names[i], r->query.values[i]};
    }
    why = sign_request(o->key, o->secret, r->method, r->target, r->path_len,
                       pairs, r->query.n, r->body.data, r->body.len,
                       clock_now_ms() / 1000);
    if (why != NULL) {
        response_message(&r->response, 401, why);
        return false;
    }
    return known_app(r, o);
}

/* ---- events ---- */

static void read_channels(const json_t *body, invalid_t *invalid,
                          realtime_event_t *e)
{
    const json_t *list = json_object_get(body, "channels");
    const char *one = invalid_string(invalid, body, "channel", false);
    size_t n = json_is_array(list) ? json_array_size(list) : 0;

    if (one != NULL && list == NULL) {
        e->channels[e->nchannels++] = one;
    } else if (n <= REALTIME_CHANNELS_MAX) {
        for (size_t i = 0; i < n; i++) {
            e->channels[e->nchannels++] =
                json_string_value(json_array_get(list, i));
        }
    }
    for (size_t i = 0; i < e->nchannels; i++) {
        if (e->channels[i] == NULL || !realtime_good_channel(e->channels[i])) {
            invalid_add(invalid, "channels", "A channel's name is invalid.");
        }
    }
    if (e->nchannels == 0) {
        invalid_add(invalid, "channels", "Between 1 and %d channels.",
                    REALTIME_CHANNELS_MAX);
    }
}

/* Points into body. */
static void read_event(request_t *r, const json_t *body, invalid_t *invalid,
                       realtime_event_t *e)
{
    const realtime_options_t *o = realtime_options(r->options->realtime);
    const json_t *data = json_object_get(body, "data");

    memset(e, 0, sizeof(*e));
    e->name = invalid_string(invalid, body, "name", true);
    if (e->name != NULL && strlen(e->name) > REALTIME_NAME_MAX) {
        invalid_add(invalid, "name", "The name is longer than %d bytes.",
                    REALTIME_NAME_MAX);
    }
    read_channels(body, invalid, e);
    e->data = json_string_value(data);
    e->data_len = json_string_length(data);
    if (e->data == NULL) {
        invalid_add(invalid, "data", "The data field must be a string.");
    } else if (e->data_len > (size_t)o->max_message) {
        invalid_add(invalid, "data", "The data is longer than %lld bytes.",
                    (long long)o->max_message);
    }
    e->except = invalid_string(invalid, body, "socket_id", false);
}

static void send_events(request_t *r, const realtime_event_t *events, size_t n,
                        const invalid_t *invalid, const char *answer)
{
    int rc;

    if (invalid_answer(invalid, &r->response)) {
        return;
    }
    rc = realtime_publish(r->options->realtime, events, n);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    } else {
        buf_adds(&r->response.body, answer);
    }
}

void route_app_events(request_t *r)
{
    invalid_t invalid = {0};
    realtime_event_t event;
    json_t *body = signed_by_app(r) ? request_json(r) : NULL;

    if (body != NULL) {
        read_event(r, body, &invalid, &event);
        send_events(r, &event, 1, &invalid, "{}");
    }
    json_decref(body);
}

void route_app_batch(request_t *r)
{
    invalid_t invalid = {0};
    realtime_event_t *events = NULL;
    json_t *body = signed_by_app(r) ? request_json(r) : NULL;
    const json_t *batch = json_object_get(body, "batch");
    size_t n = json_array_size(batch);

    if (body == NULL) {
        return;
    }
    if (n == 0 || n > BATCH_MAX) {
        invalid_add(&invalid, "batch", "Between 1 and %d events.", BATCH_MAX);
        n = 0;
    }
    events = calloc(n + 1, sizeof(*events));
    if (events == NULL) {
        response_error(&r->response, WERR_NOMEM);
    } else {
        for (size_t i = 0; i < n; i++) {
            read_event(r, json_array_get(batch, i), &invalid, &events[i]);
        }
        send_events(r, events, n, &invalid, "{\"batch\":[]}");
    }
    free(events);
    json_decref(body);
}

/* ---- questions ---- */

static bool asks(const request_t *r, const char *what)
{
    const char *info = request_query(r, "info");
    const char *at = info != NULL ? strstr(info, what) : NULL;

    return at != NULL && (at == info || at[-1] == ',') &&
           strchr(",", at[strlen(what)]) != NULL;
}

static void finish(request_t *r, int rc)
{
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}

void route_app_channels(request_t *r)
{
    if (signed_by_app(r)) {
        finish(r,
               realtime_list(r->options->realtime,
                             request_query(r, "filter_by_prefix"),
                             asks(r, "user_count"),
                             asks(r, "subscription_count"), &r->response.body));
    }
}

/* The name in the path; false: answered already. */
static bool read_name(request_t *r, char name[REALTIME_NAME_MAX + 1])
{
    const route_param_t *p = &r->match.params[1];

    if (p->len <= REALTIME_NAME_MAX &&
        query_decode(p->text, p->len, false, name) &&
        realtime_good_channel(name)) {
        return true;
    }
    response_bad(&r->response, "The channel's name is invalid.");
    return false;
}

void route_app_channel(request_t *r)
{
    char name[REALTIME_NAME_MAX + 1];

    if (signed_by_app(r) && read_name(r, name)) {
        finish(r,
               realtime_show(r->options->realtime, name, asks(r, "user_count"),
                             asks(r, "subscription_count"), &r->response.body));
    }
}

void route_app_users(request_t *r)
{
    char name[REALTIME_NAME_MAX + 1];

    if (!signed_by_app(r) || !read_name(r, name)) {
        return;
    }
    if (strncmp(name, "presence-", strlen("presence-")) != 0) {
        response_bad(&r->response, "Only presence channels have users.");
        return;
    }
    finish(r, realtime_users(r->options->realtime, name, &r->response.body));
}

void route_app_terminate(request_t *r)
{
    int64_t user;
    int rc;

    if (!signed_by_app(r)) {
        return;
    }
    if (!request_id(r, 1, &user)) {
        response_not_found(&r->response, "Not Found");
        return;
    }
    rc = realtime_terminate(r->options->realtime, user);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    } else {
        buf_adds(&r->response.body, "{}");
    }
}
