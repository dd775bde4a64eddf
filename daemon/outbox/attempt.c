/*
 * attempt.c - one attempt at a delivery: the call, and what its end means.
 */
#include "outbox/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "domain/media.h"
#include "domain/media_url.h"

/* What a gateway or the proxy before it did not finish may still happen. */
#define LOOKUP_DELAY_MS 2000
/* Clocks differ, and the gateway's times are whole seconds. */
#define LOOKUP_BACK_MS 60000
#define WATCH_LOOKUPS  3
#define WATCH_LEAST_MS 1000

void attempt_asked(attempt_t *a)
{
    if (a->probe) {
        a->reach->probed = false;
        a->probe = false;
    }
}

void attempt_free(attempt_t *a)
{
    attempt_asked(a);
    if (a->receipt) {
        a->reach->receipts--;
    }
    delivery_free(&a->d, 1);
    free(a);
}

static void end(attempt_t *a, end_t how)
{
    outbox_t *o = a->o;

    a->end = how;
    a->next = NULL;
    *o->ended_tail = a;
    o->ended_tail = &a->next;
}

static void explain(attempt_t *a, const char *code, const char *reason)
{
    (void)snprintf(a->reply.code, sizeof(a->reply.code), "%s", code);
    (void)snprintf(a->reply.reason, sizeof(a->reply.reason), "%s", reason);
    a->theirs = false;
}

static gw_send_t send_of(const attempt_t *a)
{
    gw_send_t s = {.session = a->d.remote,
                   .phone = a->d.phone,
                   .type = a->d.type,
                   .text = a->d.text,
                   .client_id = a->id};

    if (a->d.template_name[0] && a->d.template_variables) {
        s.template_name = a->d.template_name;
        s.template_language = a->d.template_language;
        s.template_variables = a->d.template_variables;
    }
    return s;
}

/* Whoever answers is there, and so is who has taken what was to be sent. */
static void note_reach(attempt_t *a, const gw_result_t *r)
{
    if (a->reach && (r->http_status > 0 || r->bytes_sent)) {
        a->reach->away_since = 0;
        attempt_asked(a);
    }
}

/* Only of what is tried again, which no receipt is: its next try ends it. */
static void note_away(attempt_t *a, const gw_result_t *r)
{
    if (r->no_connection && a->reach->away_since == 0) {
        a->reach->away_since = clock_mono_ms();
    }
}

/* ---- was it sent? ---- */

static void look_up_later(attempt_t *a, bool absence_proves)
{
    if (!a->driver->lookup) {
        end(a, END_UNKNOWN);
        return;
    }
    a->absence_proves = absence_proves;
    a->lookup_at = clock_mono_ms() + LOOKUP_DELAY_MS;
    a->next = a->o->lookups;
    a->o->lookups = a;
}

static void on_lookup(void *arg, const gw_result_t *r)
{
    attempt_t *a = arg;
    gw_lookup_t l = {.type = a->d.type,
                     .text = a->d.text,
                     .since = a->started - LOOKUP_BACK_MS,
                     .known = lanes_known,
                     .arg = a};
    gw_found_t found = GW_NOT_TOLD;

    note_reach(a, r);
    if (r->http_status > 0) {
        found = a->driver->lookup_reply(r->http_status, r->body, r->len, &l,
                                        a->reply.wa_id, sizeof(a->reply.wa_id));
    }
    if (found == GW_FOUND) {
        end(a, END_SENT);
    } else if (a->watched) {
        attempt_watch(a);
    } else if (found == GW_ABSENT && a->absence_proves) {
        end(a, END_RETRY);
    } else {
        end(a, END_UNKNOWN);
    }
}

static void look_up(attempt_t *a)
{
    gw_send_t s = send_of(a);
    gw_request_t request;
    bool held;

    if (a->watched && lanes_held(a, &held) == WERR_OK && !held) {
        attempt_free(a);
        return;
    }
    gw_request_init(&request);
    if (a->driver->lookup(a->account, &s, &request) != WERR_OK) {
        gw_request_free(&request);
    } else if (gw_call(a->o->loop, a->account, &request, on_lookup, a) ==
               WERR_OK) {
        return;
    }
    if (a->watched) {
        attempt_watch(a);
    } else {
        end(a, END_UNKNOWN);
    }
}

void attempt_watch(attempt_t *a)
{
    int64_t hold = (int64_t)a->o->options.unknown_hold_s * 1000;
    int64_t left = a->until - clock_now_ms();

    if (left < WATCH_LEAST_MS || a->looked_up >= WATCH_LOOKUPS ||
        !a->driver->lookup) {
        attempt_free(a);
        return;
    }
    a->watched = true;
    a->looked_up++;
    /* more than that is left only where the clock has gone back */
    a->lookup_at = clock_mono_ms() + (left < hold ? left : hold) / 2;
    a->next = a->o->lookups;
    a->o->lookups = a;
}

void attempt_lookups(outbox_t *o, int64_t *next)
{
    attempt_t *a = o->lookups, *following;
    int64_t now = clock_mono_ms();

    o->lookups = NULL;
    *next = INT64_MAX;
    for (; a; a = following) {
        following = a->next;
        if (a->lookup_at <= now) {
            look_up(a);
            continue;
        }
        if (a->lookup_at < *next) {
            *next = a->lookup_at;
        }
        a->next = o->lookups;
        o->lookups = a;
    }
}

/* ---- messages ---- */

static void on_answer(attempt_t *a, const gw_result_t *r)
{
    a->driver->send_reply(r->http_status, r->body, r->len, &a->reply);
    a->theirs = true;
    a->http_status = r->http_status;
    if (r->retry_after_s > a->reply.retry_after_s) {
        a->reply.retry_after_s = r->retry_after_s;
    }
    switch (a->reply.outcome) {
    case GW_ACCEPTED:
        end(a, END_SENT);
        break;
    case GW_REFUSED:
        end(a, END_FAILED);
        break;
    case GW_UNKNOWN:
        look_up_later(a, r->http_status >= 400);
        break;
    case GW_RETRY:
    case GW_UNAUTHORISED:
        end(a, END_RETRY);
        break;
    }
}

static void on_sent(void *arg, const gw_result_t *r)
{
    attempt_t *a = arg;

    note_reach(a, r);
    note_away(a, r);
    if (r->http_status > 0) {
        on_answer(a, r);
        return;
    }
    explain(a, r->timed_out ? "timeout" : "connection", r->error);
    if (r->bytes_sent) {
        look_up_later(a, false);
    } else {
        a->unreachable = r->no_connection;
        a->no_memory = r->no_memory;
        a->stopped = r->stopped;
        end(a, END_RETRY);
    }
}

/* A file as the gateway takes it: its address, or itself. */
static int add_media(attempt_t *a, const media_row_t *m, buf_t *out,
                     gw_file_t *file)
{
    const domain_t *d = a->o->domain;
    int rc;

    if (d->settings.media_base && strcmp(a->account->media, "base64") != 0) {
        media_url_add_gateway(out, d, m->public_id);
    } else {
        rc = media_open(d, m->hash, m->size, &file->fd);
        if (rc != WERR_OK) {
            return rc;
        }
        file->size = m->size;
        buf_addf(out, "data:%s;base64,", m->mime);
    }
    return out->failed ? WERR_NOMEM : WERR_OK;
}

static const char *extension_of(const media_row_t *m)
{
    const sniff_t *type = sniff_find(m->mime);

    return type ? type->extension : "";
}

static int write_request(attempt_t *a, gw_request_t *request)
{
    gw_send_t s = send_of(a);
    gw_file_t file = {.fd = -1};
    media_row_t m;
    buf_t media;
    int rc = WERR_OK;

    buf_init(&media, 0);
    if (strcmp(a->d.type, "text") != 0) {
        rc = media_of_message(a->o->db, a->d.message, &m);
        if (rc == WERR_OK) {
            rc = add_media(a, &m, &media, &file);
        }
        s.media = media.data;
        s.file = file.fd >= 0 ? &file : NULL;
        if (rc == WERR_OK && m.filename[0] == '\0') {
            (void)snprintf(m.filename, sizeof(m.filename), "file%s",
                           extension_of(&m));
        }
        s.filename = m.filename;
    }
    if (rc == WERR_OK) {
        rc = a->driver->send(a->account, &s, request);
    }
    buf_free(&media);
    if (file.fd >= 0) {
        (void)close(file.fd);
    }
    return rc;
}

static void begin_message(attempt_t *a)
{
    gw_request_t request;
    int rc;

    gw_request_init(&request);
    rc = write_request(a, &request);
    if (rc != WERR_OK) {
        gw_request_free(&request);
        a->no_memory = rc == WERR_NOMEM;
        explain(a, "request",
                werr_is_fault(rc) ? werr_text(rc)
                : rc == WERR_NOTFOUND
                    ? "the file is gone"
                    : "this gateway cannot send such a message");
        end(a, werr_is_fault(rc) ? END_RETRY : END_FAILED);
        return;
    }
    if (gw_call(a->o->loop, a->account, &request, on_sent, a) != WERR_OK) {
        a->no_memory = true;
        explain(a, "request", "the call could not be started");
        end(a, END_RETRY);
    }
}

/* ---- read receipts: one try, nothing depends on them ---- */

static void on_read(void *arg, const gw_result_t *r)
{
    attempt_t *a = arg;
    bool ok = r->http_status >= 200 && r->http_status < 300;
    char code[16];

    note_reach(a, r);
    if (!ok) {
        (void)snprintf(code, sizeof(code), "%d", r->http_status);
        explain(a, code, r->error[0] ? r->error : "read receipt refused");
    }
    end(a, ok ? END_SENT : END_FAILED);
}

static void begin_read(attempt_t *a)
{
    gw_request_t request;

    if (!a->account->read_receipts || !a->driver->mark_read) {
        end(a, END_SENT);
        return;
    }
    gw_request_init(&request);
    if (a->driver->mark_read(a->account, a->d.remote, a->d.phone, &request) !=
        WERR_OK) {
        gw_request_free(&request);
    } else if (gw_call(a->o->loop, a->account, &request, on_read, a) ==
               WERR_OK) {
        return;
    }
    explain(a, "request", "the call could not be started");
    end(a, END_FAILED);
}

void attempt_begin(attempt_t *a)
{
    a->started = clock_now_ms();
    if (a->receipt) {
        begin_read(a);
    } else {
        begin_message(a);
    }
}
