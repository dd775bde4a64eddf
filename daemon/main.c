/*
 * main.c - wacrmd: options, signals, timers.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/heap.h"
#include "base/log.h"
#include "base/version.h"
#include "daemon.h"
#include "timers.h"

#define ALARM_S 10 /* its end, in any case */

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

/* ---- the program ---- */

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
    rc = daemon_start(&d);
    if (rc == WERR_OK) {
        log_info("main", "msg=ready version=" WACRM_VERSION " pid=%d",
                 (int)getpid());
        rc = wait_for_end(&d);
    }
    allow_second_signal();
    daemon_stop(&d);
    reload_free(&d.config);
    if (rc == WERR_OK) {
        log_info("main", "msg=stopped");
    }
    return rc == WERR_OK ? 0 : 1;
}
