#include "ctl_top.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/jsonr.h"
#include "ctl_call.h"

#define EACH_MS 1000

static int64_t get(const json_t *o, const char *key)
{
    int64_t value = 0;

    (void)jsonr_i64(o, key, &value);
    return value;
}

/* A second, between two answers. */
static double rate(const json_t *was, const json_t *now, const char *key)
{
    int64_t ms = get(now, "at_ms") - get(was, "at_ms");

    return ms > 0
               ? (double)(get(now, key) - get(was, key)) * 1000.0 / (double)ms
               : 0.0;
}

/* ms of each `of`, between two answers. */
static double mean_ms(const json_t *was, const json_t *now, const char *us,
                      const char *of)
{
    int64_t n = get(now, of) - get(was, of);

    return n > 0 ? (double)(get(now, us) - get(was, us)) / 1000.0 / (double)n
                 : 0.0;
}

static double mb(int64_t bytes)
{
    return (double)bytes / (1024.0 * 1024.0);
}

static double percent(int64_t part, int64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

static void print_in(const json_t *was, const json_t *now)
{
    (void)printf(
        "in        %8.1f events/s   %.2f ms each   %lld applied, "
        "%lld duplicates\n",
        rate(was, now, "events"), mean_ms(was, now, "apply_us", "events"),
        (long long)get(now, "events"), (long long)get(now, "duplicates"));
    (void)printf("spool     %8lld waiting    %.1f %% full   lag %.1f s\n",
                 (long long)get(now, "spool_records"),
                 percent(get(now, "spool_bytes"), get(now, "spool_limit")),
                 (double)get(now, "lag_ms") / 1000.0);
}

static void print_out(const json_t *was, const json_t *now)
{
    (void)printf("out       %8.1f sent/s     %lld queued   %lld in flight   "
                 "%lld unknown   %lld failed   %lld scheduled   oldest %.0f "
                 "s\n",
                 rate(was, now, "sent"), (long long)get(now, "queued"),
                 (long long)get(now, "inflight"),
                 (long long)get(now, "unknown"), (long long)get(now, "failed"),
                 (long long)get(now, "scheduled"),
                 (double)get(now, "oldest_ms") / 1000.0);
    (void)printf("sessions  %8lld connected  of %lld   %lld down\n",
                 (long long)get(now, "sessions_connected"),
                 (long long)get(now, "sessions"),
                 (long long)get(now, "sessions_down"));
    (void)printf("sockets   %8lld open       %.1f frames/s   %lld events "
                 "behind\n",
                 (long long)get(now, "sockets"), rate(was, now, "frames"),
                 (long long)get(now, "realtime_behind"));
}

static void print_rest(const json_t *was, const json_t *now)
{
    (void)printf("database  %8.1f commits/s  %.2f ms each   %.1f MB   log "
                 "%.1f MB   search behind %lld\n",
                 rate(was, now, "commits"),
                 mean_ms(was, now, "commit_us", "commits"),
                 mb(get(now, "database_bytes")), mb(get(now, "wal_bytes")),
                 (long long)get(now, "search_lag"));
    (void)printf(
        "errors    %8lld dead       faults: intake %lld, database "
        "%lld, realtime %lld   %lld alarms\n",
        (long long)get(now, "dead_open"), (long long)get(now, "intake_faults"),
        (long long)get(now, "database_faults"),
        (long long)get(now, "realtime_faults"), (long long)get(now, "alarms"));
    (void)printf("process   %8.1f MB         %lld files   up %lld s\n",
                 mb(get(now, "memory")), (long long)get(now, "files"),
                 (long long)get(now, "uptime_ms") / 1000);
}

static void print(const ctl_args_t *args, const json_t *was, const json_t *now,
                  bool over)
{
    char *text;

    if (args->json) {
        text = json_dumps(now, JSON_COMPACT);
        (void)puts(text ? text : "{}");
        free(text);
        return;
    }
    if (over) {
        (void)fputs("\033[H\033[J", stdout); /* home, and clear below */
    }
    print_in(was, now);
    print_out(was, now);
    print_rest(was, now);
}

int ctl_top(const ctl_args_t *args, const config_t *c)
{
    bool once = json_is_true(json_object_get(args->request, "once"));
    bool over = isatty(STDOUT_FILENO) && !once;
    struct timespec pause = {EACH_MS / 1000, 0};
    json_t *was = NULL, *now = NULL;
    char error[400] = "";

    /* rates need two answers: a page after the first second */
    for (;;) {
        now = ctl_call(c->control_socket, args->request, error, sizeof(error));
        if (!now) {
            (void)fprintf(stderr, "wacrmctl: top: %s\n", error);
            break;
        }
        if (was || args->json) {
            print(args, was, now, over);
        }
        if (fflush(stdout) != 0 || (once && (was || args->json))) {
            break;
        }
        json_decref(was);
        was = now;
        (void)nanosleep(&pause, NULL);
    }
    json_decref(was);
    json_decref(now);
    return now ? 0 : 1;
}
