/*
 * command.c - the table of commands, and those of the search index and the
 * spool.
 */
#include "control/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonr.h"
#include "base/log.h"
#include "domain/audit.h"

void command_emit(command_t *c, buf_t *b)
{
    if (!b->failed) {
        c->emit(c->arg, b->data, b->len);
    }
    buf_reset(b);
}

void command_text(command_t *c, const char *format, ...)
{
    char *text = NULL;
    va_list ap;
    buf_t b;
    int n;

    va_start(ap, format);
    n = vasprintf(&text, format, ap);
    va_end(ap);
    if (n < 0) {
        return;
    }
    buf_init(&b, 0);
    jw_open_object(&b, NULL);
    jw_str(&b, "text", text);
    jw_close_object(&b);
    command_emit(c, &b);
    buf_free(&b);
    free(text);
}

bool command_fail(command_t *c, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(c->error, sizeof(c->error), format, ap);
    va_end(ap);
    return false;
}

bool command_stopping(const command_t *c)
{
    return c->stop != NULL && atomic_load(c->stop);
}

const char *command_arg(command_t *c, const json_t *request, const char *key)
{
    const char *value = jsonr_str(request, key);

    if (!value) {
        (void)command_fail(c, "%s is missing", key);
    }
    return value;
}

/* ---- search ---- */

static bool rebuild_search(command_t *c, const json_t *request)
{
    int rc = WERR_OK;

    (void)request;
    if (c->search) {
        search_rebuild(c->search);
    } else {
        rc = search_remove(c->config->search_index);
    }
    if (rc < 0) {
        return command_fail(c, "%s: %s", c->config->search_index,
                            werr_text(rc));
    }
    command_text(c, "the search index is made anew %s",
                 c->search ? "in the background" : "when wacrmd starts");
    return true;
}

/* ---- spool ---- */

static int print_quarantined(void *ctx, uint64_t seq, const char *reason,
                             spool_str_t data)
{
    command_t *c = ctx;
    buf_t b;

    buf_init(&b, 0);
    jw_open_object(&b, NULL);
    jw_i64(&b, "quarantined", (int64_t)seq);
    jw_i64(&b, "bytes", (int64_t)data.len);
    jw_str(&b, "reason", reason);
    jw_close_object(&b);
    command_emit(c, &b);
    buf_free(&b);
    return 0;
}

static bool show_spool(command_t *c, const json_t *request)
{
    spool_stat_t st;
    buf_t b;
    int rc = spool_stat(c->spool, &st);

    (void)request;
    if (rc != SPOOL_OK) {
        return command_fail(c, "spool: %s", spool_strerror(rc));
    }
    buf_init(&b, 0);
    jw_open_object(&b, NULL);
    jw_str(&b, "id", spool_id(c->spool));
    jw_i64(&b, "records", (int64_t)st.records);
    jw_i64(&b, "bytes", (int64_t)st.bytes);
    jw_i64(&b, "limit", (int64_t)st.limit);
    jw_i64(&b, "size", (int64_t)st.size);
    jw_i64(&b, "first_seq", (int64_t)st.first_seq);
    jw_i64(&b, "next_seq", (int64_t)st.next_seq);
    jw_i64(&b, "quarantine", (int64_t)st.quarantine);
    jw_i64(&b, "readers", (int64_t)st.readers);
    jw_close_object(&b);
    command_emit(c, &b);
    buf_free(&b);
    if (st.quarantine == 0) {
        return true;
    }
    rc = spool_quarantine_walk(c->spool, print_quarantined, c);
    return rc >= 0 || command_fail(c, "spool: %s", spool_strerror(rc));
}

/* ---- all ---- */

/* What follows is not in chunks, so nobody can tell whether it is whole. */
static bool refuse_import(command_t *c, const json_t *request)
{
    (void)request;
    return command_fail(c, "this wacrmctl is older than wacrmd: upgrade it, "
                           "or use the one installed with wacrmd; nothing "
                           "was stored");
}

static const struct {
    const char *name;
    command_fn run;
    bool alone; /* works while wacrmd is down */
    bool quiet; /* asked many times a second */
} commands[] = {
    {"user add", command_user_add, true, false},
    {"user passwd", command_user_passwd, true, false},
    {"user list", command_user_list, true, false},
    {COMMAND_IMPORT, command_import, true, false},
    {"import", refuse_import, false, false},
    {"export donors", command_export_donors, true, false},
    {"export donations", command_export_donations, true, false},
    {"backup", command_backup, true, false},
    {"check", command_check, true, false},
    {"search rebuild", rebuild_search, true, false},
    {"token", command_token, false, false},
    {"spool stat", show_spool, false, false},
    {"spool salvage", command_spool_salvage, false, false},
    {"spool requeue", command_spool_requeue, false, false},
    {"spool drop", command_spool_drop, false, false},
    {"dead list", command_dead_list, false, false},
    {"dead show", command_dead_show, false, false},
    {"dead replay", command_dead_replay, false, false},
    {"dead drop", command_dead_drop, false, false},
    {"backfill", command_backfill, false, false},
    {"top", command_top, false, true},
    {"probe", command_probe, false, true},
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static size_t find(const char *name)
{
    size_t i = 0;

    while (i < NCOMMANDS && strcmp(commands[i].name, name) != 0) {
        i++;
    }
    return i;
}

bool command_works_alone(const char *name)
{
    size_t i = find(name);

    return i < NCOMMANDS && commands[i].alone;
}

static bool run(command_t *c, const json_t *request)
{
    const char *name = command_arg(c, request, "command");
    size_t i;

    if (!name) {
        return false;
    }
    i = find(name);
    if (i == NCOMMANDS) {
        return command_fail(c, COMMAND_UNKNOWN "\"%s\"", name);
    }
    if (!c->spool && !commands[i].alone) {
        return command_fail(c, "%s needs wacrmd: start it first", name);
    }
    log_write(commands[i].quiet ? LOG_DEBUG : LOG_INFO, "control", "command=%s",
              log_str(name));
    return commands[i].run(c, request);
}

bool command_run(command_t *c, const json_t *request)
{
    bool ok;
    buf_t b;

    c->error[0] = '\0';
    audit_as(0, AUDIT_CTL);
    ok = run(c, request);
    audit_as(0, NULL);
    buf_init(&b, 0);
    jw_open_object(&b, NULL);
    jw_bool(&b, "ok", ok);
    if (!ok) {
        jw_str(&b, "error", c->error);
    }
    jw_close_object(&b);
    command_emit(c, &b);
    buf_free(&b);
    return ok;
}
