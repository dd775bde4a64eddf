#include "daemon.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "config.h"
#include "control/lock.h"
#include "domain/session.h"

/* What the steps of the end may wait, of 10 s in all: main.c. */
#define STOP_MS  8000
#define DRAIN_MS 1500 /* over which sockets are closed: they all come back */
#define FORM_MAX ((size_t)1 << 20) /* what comes with a file */

/*
 * Files made below a set-group-id directory get its group: that is how the
 * edge's workers come to the spool and the sockets.
 */
static int set_group(const config_t *c)
{
    const struct group *g;

    if (!c->group) {
        return WERR_OK;
    }
    g = getgrnam(c->group);
    if (!g) {
        log_error("main", "msg=\"there is no such group\" group=%s",
                  log_str(c->group));
        return WERR_NOTFOUND;
    }
    if ((geteuid() == 0 && setegid(g->gr_gid) != 0) ||
        chown(c->state_dir, (uid_t)-1, g->gr_gid) != 0 ||
        chmod(c->state_dir, 02770) != 0) {
        log_error("main",
                  "msg=\"cannot give the state directory to the group\" "
                  "group=%s error=%s",
                  log_str(c->group), log_str(strerrordesc_np(errno)));
        return WERR_DENIED;
    }
    return WERR_OK;
}

/* The default session is there before its first event: agents may write. */
static int ensure_session(tx_t *tx, void *arg)
{
    const domain_settings_t *s = arg;
    int64_t account, session;
    int rc = account_ensure(tx, s->default_account, &account);

    if (rc < 0 || !s->default_session) {
        return rc;
    }
    return session_ensure(tx, account, s->default_session, &session);
}

/* From any thread. */
static void wake_timers(void *arg)
{
    (void)arg;
    (void)kill(getpid(), SIGUSR1);
}

static int open_store(daemon_t *d, const config_t *c)
{
    store_options_t o = {.path = c->database};
    int rc =
        state_in_place(c->database, c->search_index, o.error, sizeof(o.error));

    if (rc == WERR_OK) {
        rc = store_open(&d->store, &o);
    }
    if (rc < 0) {
        log_error("main", "msg=\"no database\" error=%s%s", log_str(o.error),
                  rc == WERR_CORRUPT
                      ? " hint=\"keep a copy of the file, then restore a "
                        "backup: wacrmctl restore FILE\""
                      : "");
        return rc;
    }
    rc = domain_init(&d->domain, d->store, &c->domain);
    if (rc < 0) {
        return rc;
    }
    d->domain.remind_ready = wake_timers;
    return domain_write(&d->domain, ensure_session, &d->domain.settings);
}

static int open_spool(daemon_t *d, const config_t *c)
{
    spool_options_t o = {
        .size = (uint64_t)c->spool_size, .create = true, .set_aside = true};
    int rc = spool_open(&d->spool, c->spool, &o);

    if (rc == SPOOL_OK && o.aside[0] != '\0') {
        log_error("main", "msg=\"spool put aside\" path=%s reason=%s",
                  log_str(c->spool), log_str(o.error));
    } else if (rc == SPOOL_OK && o.error[0] != '\0') {
        log_warn("main", "msg=spool reason=%s", log_str(o.error));
    }
    if (rc == SPOOL_OK) {
        return WERR_OK;
    }
    log_error("main", "msg=\"no spool\" path=%s error=%s%s", log_str(c->spool),
              log_str(o.error[0] ? o.error : spool_strerror(rc)),
              rc == SPOOL_CORRUPT
                  ? " hint=\"wacrmctl check says what is wrong; nothing was "
                    "deleted\""
                  : "");
    return WERR_IO;
}

static int start_outbox(daemon_t *d, const config_t *c)
{
    outbox_options_t o = c->outbox;

    o.public_url = c->public_url;
    return outbox_start(&d->outbox, &d->domain, &o, c->gateways, c->ngateways);
}

static int start_alarm(daemon_t *d, const config_t *c)
{
    alarm_options_t o = c->alarm;

    o.state_dir = c->state_dir;
    return alarm_new(&d->alarm, &o, &d->domain, d->spool, d->outbox);
}

static int start_intake(daemon_t *d, const config_t *c)
{
    intake_options_t o = {
        .notify_path = c->notify,
        .accounts = c->gateways,
        .naccounts = c->ngateways,
        .batch_max = 1024,
    };

    return intake_start(&d->intake, &d->domain, d->spool, &o);
}

/* Of any gateway: the outbox knows whose a receipt is, and leaves out those
 * that want none. */
static bool read_receipts(const config_t *c)
{
    for (size_t i = 0; i < c->ngateways; i++) {
        if (c->gateways[i].read_receipts) {
            return true;
        }
    }
    return false;
}

/* The largest file in JSON: Base64, and its fields. */
static size_t file_max(const config_t *c)
{
    return (size_t)c->domain.media_max / 3 * 4 + FORM_MAX;
}

static int start_http(daemon_t *d, const config_t *c)
{
    http_options_t o = {
        .socket_path = c->http_socket,
        .workers = c->workers,
        .file_max = file_max(c),
        .domain = &d->domain,
        .spool = d->spool,
        .outbox = d->outbox,
        .gateway = outbox_client(d->outbox),
        .public_url = c->public_url,
        .accounts = c->gateways,
        .naccounts = c->ngateways,
        .intake = d->intake,
        .search = d->search,
        .realtime = d->realtime,
        .started_ms = d->started_ms,
        .alarms = alarm_counters(d->alarm),
        .jwt_secret = c->jwt_secret,
        .jwt_secret_len = c->jwt_secret_len,
        .issuer = c->issuer,
        .audience = c->audience,
        .without_sign_in = c->without_sign_in,
        .access_ttl_s = c->access_ttl_s,
        .refresh_ttl_s = c->refresh_ttl_s,
        .guesses = c->guesses,
        .read_receipts = read_receipts(c),
    };

    if (c->without_sign_in != NULL) {
        log_warn("main",
                 "msg=\"SIGN-IN IS OFF: whoever reaches this machine is "
                 "one of its agents\" agent=%s",
                 log_str(c->without_sign_in));
    }
    return http_start(&d->http, &o);
}

static int start_control(daemon_t *d, const config_t *c)
{
    control_parts_t parts = {
        .domain = &d->domain,
        .spool = d->spool,
        .search = d->search,
        .intake = d->intake,
        .outbox = d->outbox,
        .realtime = d->realtime,
        .alarms = alarm_counters(d->alarm),
        .started_ms = d->started_ms,
    };

    return control_start(&d->control, &parts, c);
}

int daemon_start(daemon_t *d)
{
    const config_t *c = reload_config(&d->config);
    char error[600];
    const char *step = "lock";
    int rc = state_lock(c->state_dir, &d->lock, error, sizeof(error));

    if (rc < 0) {
        log_error("main", "msg=%s", log_str(error));
        return rc;
    }
    rc = set_group(c);
    if (rc == WERR_OK && (step = "database")) {
        rc = open_store(d, c);
    }
    if (rc == WERR_OK && (step = "spool")) {
        rc = open_spool(d, c);
    }
    if (rc == WERR_OK && (step = "realtime")) {
        rc = realtime_start(&d->realtime, &d->domain, &c->realtime);
    }
    if (rc == WERR_OK && (step = "outbox")) {
        rc = start_outbox(d, c);
    }
    if (rc == WERR_OK && (step = "alarm")) {
        rc = start_alarm(d, c);
    }
    if (rc == WERR_OK && (step = "intake")) {
        rc = start_intake(d, c);
    }
    if (rc == WERR_OK && (step = "search")) {
        rc = search_start(&d->search, d->store, c->search_index);
    }
    if (rc == WERR_OK && (step = "http")) {
        rc = start_http(d, c);
    }
    if (rc == WERR_OK && (step = "control")) {
        rc = start_control(d, c);
    }
    if (rc < 0) {
        log_error("main", "msg=\"cannot start\" step=%s error=%s", step,
                  log_str(werr_text(rc)));
    }
    return rc;
}

/* ---- stop ---- */

static int64_t time_left(int64_t end)
{
    int64_t left = end - clock_mono_ms();

    return left > 0 ? left : 0;
}

void daemon_stop(daemon_t *d)
{
    int64_t end = clock_mono_ms() + STOP_MS;

    if (d->control) {
        control_stop(&d->control);
    }
    if (d->http) {
        http_stop(&d->http, time_left(end));
    }
    search_stop(&d->search);
    if (d->intake) {
        intake_stop(&d->intake);
    }
    if (d->outbox) {
        outbox_stop(&d->outbox, time_left(end));
    }
    alarm_free(&d->alarm);
    /* last: sockets are told what the others have done to the end */
    if (d->realtime) {
        int64_t left = time_left(end);

        realtime_drain(d->realtime, left < DRAIN_MS ? left : DRAIN_MS);
    }
    realtime_stop(&d->realtime);
    if (d->spool) {
        spool_close(&d->spool);
    }
    if (d->store) {
        store_close(&d->store);
    }
    state_unlock(&d->lock);
}
