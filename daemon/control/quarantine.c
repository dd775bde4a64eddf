/*
 * quarantine.c - wacrmctl spool requeue, spool drop: records that intake could
 * not read go to it once more, or for good.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control/command.h"
#include "domain/audit.h"

#define SEQ_TEXT 40

typedef struct {
    command_t *c;
    uint64_t end; /* what intake puts back meanwhile is behind it */
    uint64_t moved;
    bool cut; /* wacrmd ends, and there are more */
    int rc;
} requeue_t;

/* A number of spool stat; false with the error set. */
static bool get_seq(command_t *c, const json_t *request, uint64_t *seq)
{
    const char *text = command_arg(c, request, "seq");
    char *end = NULL;

    if (text == NULL) {
        return false;
    }
    errno = 0;
    *seq = strtoull(text, &end, 10);
    return (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0) ||
           command_fail(c, "seq: a number of spool stat");
}

static bool tell(command_t *c, int rc, uint64_t seq)
{
    if (rc == SPOOL_EMPTY) {
        return command_fail(c,
                            "there is no record %" PRIu64 " in quarantine: "
                            "see spool stat",
                            seq);
    }
    return command_fail(c, "record %" PRIu64 ": %s", seq, spool_strerror(rc));
}

/* As one of the events that could not be applied, which it is. */
static bool note(command_t *c, const char *action, const char *which)
{
    char detail[SEQ_TEXT];
    int rc;

    (void)snprintf(detail, sizeof(detail), "quarantine %s", which);
    rc = audit_write(c->domain, &(audit_t){.action = action, .detail = detail});
    return rc == WERR_OK ||
           command_fail(c, "nothing was done: %s", werr_text(rc));
}

static int move(void *ctx, uint64_t seq, const char *reason, spool_str_t data)
{
    requeue_t *r = ctx;

    (void)reason;
    (void)data;
    if (seq >= r->end) {
        return 1;
    }
    r->cut = command_stopping(r->c);
    if (r->cut) {
        return 1;
    }
    r->rc = spool_requeue(r->c->spool, seq);
    /* dropped by somebody else meanwhile */
    if (r->rc == SPOOL_EMPTY) {
        r->rc = SPOOL_OK;
        return 0;
    }
    r->moved += r->rc == SPOOL_OK;
    return r->rc != SPOOL_OK;
}

static bool requeue_all(command_t *c)
{
    requeue_t r = {.c = c};
    spool_stat_t st;
    int rc = spool_stat(c->spool, &st);

    if (rc == SPOOL_OK) {
        r.end = st.next_seq;
        rc = spool_quarantine_walk(c->spool, move, &r);
    }
    rc = rc == SPOOL_OK ? r.rc : rc;
    if (rc != SPOOL_OK) {
        return command_fail(c, "spool: %s, after %" PRIu64 " records",
                            spool_strerror(rc), r.moved);
    }
    if (r.cut) {
        return command_fail(
            c, "wacrmd ends, after %" PRIu64 " records: once more", r.moved);
    }
    command_text(c, "%" PRIu64 " records are in the spool again", r.moved);
    return true;
}

bool command_spool_requeue(command_t *c, const json_t *request)
{
    const char *which = command_arg(c, request, "seq");
    uint64_t seq;
    int rc;

    if (which != NULL && strcmp(which, "all") == 0) {
        return note(c, "dead.replay", which) && requeue_all(c);
    }
    if (!get_seq(c, request, &seq) || !note(c, "dead.replay", which)) {
        return false;
    }
    rc = spool_requeue(c->spool, seq);
    if (rc != SPOOL_OK) {
        return tell(c, rc, seq);
    }
    command_text(c, "record %" PRIu64 " is in the spool again", seq);
    return true;
}

bool command_spool_drop(command_t *c, const json_t *request)
{
    uint64_t seq;
    int rc;

    if (!get_seq(c, request, &seq) ||
        !note(c, "dead.drop", command_arg(c, request, "seq"))) {
        return false;
    }
    rc = spool_quarantine_drop(c->spool, seq);
    if (rc != SPOOL_OK) {
        return tell(c, rc, seq);
    }
    command_text(c, "record %" PRIu64 " dropped", seq);
    return true;
}
