/*
 * main.c - wacrmd: options, start, signals, timers, stop.
 */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "alarm.h"
#include "base/clock.h"
#include "base/heap.h"
#include "base/log.h"
#include "base/version.h"
#include "config.h"
#include "control/control.h"
#include "control/lock.h"
#include "domain/session.h"
#include "http/http.h"
#include "intake/intake.h"
#include "outbox/outbox.h"
#include "realtime/realtime.h"
#include "reload.h"
#include "search/search.h"
#include "timers.h"

/* 10 s in all: what the steps may wait, then the end in any case */
#define STOP_MS  8000
#define ALARM_S  10
#define DRAIN_MS 1500 /* over which sockets are closed: they all come back */
#define FORM_MAX ((size_t)1 << 20) /* what comes with a file */

/* All of it, in the order of its start. */
typedef struct {
    reload_t config;
    int lock;
    int64_t started_ms;
    store_t *store;
    domain_t domain;
    spool_t *spool;
    realtime_t *realtime;
    outbox_t *outbox;
    alarm_t *alarm;
    intake_t *intake;
    search_t *search;
    http_server_t *http;
    control_t *control;
} daemon_t;

/* ---- start ---- */

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

static int start(daemon_t *d)
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

/* ---- signals ---- */

static void signals_to_wait_for(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGHUP);
    (void)sigaddset(set, SIGUSR1); /* ours: the timers have something new */
}

/* Before any thread: all of them inherit the mask. */
static void block_signals(void)
{
    sigset_t set;

    signals_to_wait_for(&set);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* Everything durable may be left at any moment. */
static void leave_at_once(int signal_number)
{
    static const char late[] = "wacrmd: stopping took too long\n";
    ssize_t n = 0;

    if (signal_number == SIGALRM) {
        n = write(STDERR_FILENO, late, sizeof(late) - 1);
    }
    _exit(n < 0 || signal_number == SIGALRM ? 1 : 128 + signal_number);
}

static void allow_second_signal(void)
{
    struct sigaction act = {.sa_handler = leave_at_once};
    sigset_t set;

    (void)sigemptyset(&act.sa_mask);
    (void)sigaction(SIGTERM, &act, NULL);
    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGALRM, &act, NULL);
    signals_to_wait_for(&set);
    (void)sigdelset(&set, SIGHUP);
    (void)sigdelset(&set, SIGUSR1);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    (void)alarm(ALARM_S);
}

/* The workers of nginx open the spool by its path: where that leads elsewhere
 * by now, this process would wait for nothing. A damaged one is put aside by
 * whoever opens it next. */
static int leave_spool(const timers_t *t)
{
    log_error("main",
              "msg=\"the spool %s: ending, so that a restart %s\" path=%s",
              t->spool_moved ? "was replaced" : "is damaged",
              t->spool_moved ? "takes the one that is there now"
                             : "puts it aside and begins a new one",
              log_str(t->spool_path));
    return WERR_IO;
}

static int wait_for_end(daemon_t *d)
{
    timers_t timers;
    sigset_t set;

    signals_to_wait_for(&set);
    timers_init(&timers, &d->domain, d->spool, reload_config(&d->config)->spool,
                d->http);
    timers.alarm = d->alarm;
    for (;;) {
        int64_t ms = timers_run(&timers);
        struct timespec until = {ms / 1000, ms % 1000 * 1000000};
        int got = sigtimedwait(&set, NULL, &until);

        if (timers.spool_moved || timers.spool_damaged) {
            return leave_spool(&timers);
        }
        if (got == SIGUSR1) {
            continue;
        }
        if (got == SIGHUP) {
            reload_again(&d->config, &d->domain);
        } else if (got > 0) {
            log_info("main", "msg=stopping signal=%d", got);
            return WERR_OK;
        }
    }
}

/* ---- stop ---- */

static int64_t time_left(int64_t end)
{
    int64_t left = end - clock_mono_ms();

    return left > 0 ? left : 0;
}

static void stop(daemon_t *d)
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

static void usage(FILE *out)
{
    (void)fputs("usage: wacrmd [-c FILE] [-t] [-V]\n"
                "\n"
                "  -c FILE  configuration (/etc/wacrm/wacrmd.conf)\n"
                "  -t       checks the configuration and ends\n"
                "  -V       prints the version\n"
                "\n"
                "Logs to standard error. SIGTERM ends it within 10 s, SIGHUP "
                "reads the\n"
                "configuration again.\n",
                out);
}

/* A core would hold secrets and what donors wrote. The hard limit stays: who
 * wants one sets it by prlimit(1). */
static void leave_no_core(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_CORE, &limit) == 0) {
        limit.rlim_cur = 0;
        (void)setrlimit(RLIMIT_CORE, &limit);
    }
}

int main(int argc, char **argv)
{
    static const struct option words[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    const char *path = "/etc/wacrm/wacrmd.conf";
    daemon_t d = {.lock = -1, .started_ms = clock_now_ms()};
    bool test = false;
    char error[600];
    int opt, rc;

    while ((opt = getopt_long(argc, argv, "c:tVh", words, NULL)) != -1) {
        if (opt == 'c') {
            path = optarg;
        } else if (opt == 't') {
            test = true;
        } else if (opt == 'V') {
            (void)puts("wacrmd " WACRM_VERSION);
            return 0;
        } else {
            usage(opt == 'h' ? stdout : stderr);
            return opt == 'h' ? 0 : 1;
        }
    }
    if (optind < argc) {
        usage(stderr);
        return 1;
    }
    if (!reload_first(&d.config, path, error, sizeof(error))) {
        (void)fprintf(stderr, "wacrmd: %s\n", error);
        return 1;
    }
    if (test) {
        (void)fprintf(stderr, "wacrmd: %s: ok\n", path);
        reload_free(&d.config);
        return 0;
    }
    (void)umask(0007);
    heap_keep_small();
    leave_no_core();
    block_signals();
    log_setup(reload_config(&d.config)->log_level, STDERR_FILENO);
    rc = start(&d);
    if (rc == WERR_OK) {
        log_info("main", "msg=ready version=" WACRM_VERSION " pid=%d",
                 (int)getpid());
        rc = wait_for_end(&d);
    }
    allow_second_signal();
    stop(&d);
    reload_free(&d.config);
    if (rc == WERR_OK) {
        log_info("main", "msg=stopped");
    }
    return rc == WERR_OK ? 0 : 1;
}
