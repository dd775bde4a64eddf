/*
 * dead.c - the commands about dead letters: events that could not be applied.
 */
#include <stdlib.h>
#include <string.h>

#include "base/jsonr.h"
#include "control/command.h"
#include "intake/intake.h"
#include "spool/record.h"

#define LIST_LIMIT 100

static int print_one(void *ctx, int64_t id, const char *source,
                     int64_t received, const char *code, const char *reason,
                     const char *state)
{
    buf_t b;

    buf_init(&b, 0);
    jw_open_object(&b, NULL);
    jw_i64(&b, "id", id);
    jw_str(&b, "state", state);
    jw_str(&b, "source", source);
    jw_time(&b, "received", received);
    jw_str(&b, "code", code);
    jw_str(&b, "reason", reason);
    jw_close_object(&b);
    command_emit(ctx, &b);
    buf_free(&b);
    return 0;
}

bool command_dead_list(command_t *c, const json_t *request)
{
    int64_t limit = LIST_LIMIT;
    int rc;

    if ((json_object_get(request, "limit") &&
         !jsonr_i64(request, "limit", &limit)) ||
        limit < 1 || limit > 100000) {
        return command_fail(c, "limit: 1 to 100000");
    }
    rc = dead_list(c->db, (int)limit, print_one, c);
    return rc >= 0 || command_fail(c, "%s", werr_text(rc));
}

/* The id of the request; false with the error set. */
static bool get_id(command_t *c, const json_t *request, int64_t *id)
{
    return jsonr_i64(request, "id", id) ||
           command_fail(c, "id: a number of dead list");
}

static bool tell(command_t *c, int rc, int64_t id)
{
    if (rc == WERR_NOTFOUND) {
        return command_fail(c, "there is no dead letter %lld: see dead list",
                            (long long)id);
    }
    return command_fail(c, "dead letter %lld: %s", (long long)id,
                        werr_text(rc));
}

static void add_bytes(buf_t *b, const char *key, spool_str_t s)
{
    jw_strn(b, key, s.data ? s.data : "", s.len);
}

static void print_record(command_t *c, const spool_record_t *rec,
                         const char *reason)
{
    buf_t b;

    buf_init(&b, 0);
    jw_open_object(&b, NULL);
    jw_str(&b, "reason", reason);
    add_bytes(&b, "source", rec->source);
    jw_time(&b, "received", (int64_t)(rec->received_us / 1000));
    add_bytes(&b, "remote", rec->remote);
    add_bytes(&b, "signature", rec->signature);
    add_bytes(&b, "method", rec->method);
    add_bytes(&b, "path", rec->path);
    add_bytes(&b, "content_type", rec->content_type);
    jw_open_object(&b, "headers");
    for (size_t i = 0; i < rec->nheaders; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "%.*s",
                       (int)rec->headers[i].name.len,
                       rec->headers[i].name.data);
        add_bytes(&b, name, rec->headers[i].value);
    }
    jw_close_object(&b);
    add_bytes(&b, "body", rec->body);
    jw_close_object(&b);
    command_emit(c, &b);
    buf_free(&b);
}

bool command_dead_show(command_t *c, const json_t *request)
{
    spool_record_t rec;
    void *data = NULL;
    char reason[256] = "";
    size_t len;
    int64_t id;
    int rc;

    if (!get_id(c, request, &id)) {
        return false;
    }
    rc = dead_get(c->db, id, &data, &len, reason, sizeof(reason));
    if (rc < 0) {
        return tell(c, rc, id);
    }
    rc = spool_record_decode(data, len, &rec);
    if (rc == SPOOL_OK) {
        print_record(c, &rec, reason);
    }
    free(data);
    return rc == SPOOL_OK || command_fail(c, "dead letter %lld: %s",
                                          (long long)id, spool_strerror(rc));
}

/* ---- changing ---- */

typedef struct {
    const config_t *config;
    int64_t id;
    char reason[256];
} dead_job_t;

static int replay(tx_t *tx, void *arg)
{
    dead_job_t *job = arg;
    void *data = NULL;
    size_t len;
    int rc = dead_get(tx->db, job->id, &data, &len, job->reason,
                      sizeof(job->reason));

    if (rc < 0) {
        return rc;
    }
    job->reason[0] = '\0';
    rc = intake_replay(tx, job->config->gateways, job->config->ngateways, data,
                       len, job->reason, sizeof(job->reason));
    free(data);
    return rc < 0 ? rc : dead_set_state(tx, job->id, "replayed");
}

bool command_dead_replay(command_t *c, const json_t *request)
{
    dead_job_t job = {.config = c->config};
    int rc;

    if (!get_id(c, request, &job.id)) {
        return false;
    }
    rc = domain_write(c->domain, replay, &job);
    if (rc == WERR_INVALID) {
        return command_fail(c, "dead letter %lld is still bad: %s",
                            (long long)job.id, job.reason);
    }
    if (rc < 0) {
        return tell(c, rc, job.id);
    }
    command_text(c, "dead letter %lld replayed", (long long)job.id);
    return true;
}

static int drop(tx_t *tx, void *arg)
{
    dead_job_t *job = arg;

    return dead_set_state(tx, job->id, "dropped");
}

bool command_dead_drop(command_t *c, const json_t *request)
{
    dead_job_t job = {.config = c->config};
    int rc;

    if (!get_id(c, request, &job.id)) {
        return false;
    }
    rc = domain_write(c->domain, drop, &job);
    if (rc < 0) {
        return tell(c, rc, job.id);
    }
    command_text(c, "dead letter %lld dropped", (long long)job.id);
    return true;
}
