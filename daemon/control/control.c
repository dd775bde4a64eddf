/*
 * control.c - accepts wacrmctl, one after the other, on a thread of its own.
 */
#include "control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/jsonr.h"
#include "base/lock.h"
#include "base/log.h"
#include "control/chunks.h"
#include "control/command.h"

#define REQUEST_MAX 65536

#define ACCEPT_PAUSE_MS 100

#define STOP_AGAIN_MS 20   /* between two interruptions of a command */
#define LAST_WORD_MS  1000 /* for a caller to take the answer, at the end */

struct control_s {
    control_parts_t parts;
    const config_t *config;
    char *path;
    db_t *db;
    int listener;
    int stop;
    pthread_mutex_t mutex; /* of caller and ended */
    pthread_cond_t end;
    int caller; /* -1: none */
    bool ended; /* the thread */
    atomic_bool stopping;
    pthread_t thread;
    bool runs;
};

static void emit(void *arg, const char *json, size_t len)
{
    FILE *out = arg;

    /* who went away does not stop the command */
    if (fwrite(json, 1, len, out) == len && putc('\n', out) != EOF) {
        (void)fflush(out);
    }
}

static void answer(control_t *ctl, FILE *in, FILE *out)
{
    command_t c = {
        .domain = ctl->parts.domain,
        .spool = ctl->parts.spool,
        .search = ctl->parts.search,
        .parts = &ctl->parts,
        .config = ctl->config,
        .db = ctl->db,
        .stop = &ctl->stopping,
        .emit = emit,
        .arg = out,
    };
    char reason[200], *line = malloc(REQUEST_MAX);

    if (line && fgets(line, REQUEST_MAX, in)) {
        json_t *request =
            jsonr_parse(line, strlen(line), reason, sizeof(reason));

        if (request) {
            c.input = chunks_open(in, &c.input_error);
            (void)command_run(&c, request);
        } else {
            log_warn("control", "msg=\"not a request\"");
        }
        json_decref(request);
    }
    if (c.input) {
        (void)fclose(c.input);
    }
    if (line) {
        explicit_bzero(line, REQUEST_MAX); /* may hold a password */
    }
    free(line);
}

static void set_caller(control_t *ctl, int fd)
{
    (void)pthread_mutex_lock(&ctl->mutex);
    ctl->caller = fd;
    if (fd >= 0 && ctl->stopping) {
        (void)shutdown(fd, SHUT_RD); /* came in with the stop */
    }
    (void)pthread_mutex_unlock(&ctl->mutex);
}

static void serve(control_t *ctl, int fd)
{
    struct timeval patience = {COMMAND_PATIENCE_S, 0};
    FILE *in = NULL, *out = NULL;
    int other = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ==
            0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ==
            0) {
        in = fdopen(fd, "r");
        out = other < 0 ? NULL : fdopen(other, "w");
    }
    if (in && out) {
        set_caller(ctl, fd);
        answer(ctl, in, out);
        set_caller(ctl, -1);
    }
    if (out) {
        (void)fclose(out);
    } else if (other >= 0) {
        (void)close(other);
    }
    if (in) {
        (void)fclose(in);
    } else {
        (void)close(fd);
    }
}

static void *run(void *arg)
{
    control_t *ctl = arg;
    struct pollfd fds[] = {
        {.fd = ctl->stop, .events = POLLIN},
        {.fd = ctl->listener, .events = POLLIN},
    };

    while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
        int fd;

        if (fds[0].revents) {
            break;
        }
        fd = accept4(ctl->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            serve(ctl, fd);
        } else {
            (void)poll(fds, 1, ACCEPT_PAUSE_MS); /* no descriptors: no spin */
        }
    }
    (void)pthread_mutex_lock(&ctl->mutex);
    ctl->ended = true;
    (void)pthread_cond_signal(&ctl->end);
    (void)pthread_mutex_unlock(&ctl->mutex);
    return NULL;
}

/* ---- start and stop ---- */

static int listen_on(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(addr.sun_path)) {
        return -1;
    }
    memcpy(addr.sun_path, path, strlen(path) + 1);
    /* the lock of the state directory says that nobody is behind it */
    (void)unlink(path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    /* nobody can connect before listen(): then the mode is right */
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        chmod(path, 0600) != 0 || listen(fd, 8) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static int prepare(control_t *ctl)
{
    int rc = store_reader(ctl->parts.domain->store, &ctl->db);

    if (rc < 0) {
        return rc;
    }
    ctl->path = strdup(ctl->config->control_socket);
    if (!ctl->path) {
        return WERR_NOMEM;
    }
    ctl->stop = eventfd(0, EFD_CLOEXEC);
    ctl->listener = listen_on(ctl->path);
    if (ctl->stop < 0 || ctl->listener < 0) {
        log_error("control", "msg=\"no control socket\" path=%s error=%s",
                  log_str(ctl->path), log_str(strerrordesc_np(errno)));
        return WERR_IO;
    }
    if (pthread_create(&ctl->thread, NULL, run, ctl) != 0) {
        return WERR_SYSTEM;
    }
    ctl->runs = true;
    return WERR_OK;
}

int control_start(control_t **out, const control_parts_t *parts,
                  const config_t *config)
{
    control_t *ctl = calloc(1, sizeof(*ctl));
    int rc;

    if (!ctl) {
        return WERR_NOMEM;
    }
    ctl->parts = *parts;
    ctl->config = config;
    ctl->listener = ctl->stop = ctl->caller = -1;
    if (!lock_init(&ctl->mutex, &ctl->end, NULL)) {
        free(ctl);
        return WERR_NOMEM;
    }
    rc = prepare(ctl);
    if (rc < 0) {
        control_stop(&ctl);
        return rc;
    }
    *out = ctl;
    return WERR_OK;
}

static void hang_up(control_t *ctl, int how)
{
    if (ctl->caller >= 0) {
        (void)shutdown(ctl->caller, how);
    }
}

static void in_ms(int64_t ms, struct timespec *at)
{
    int64_t then = clock_mono_ms() + ms;

    *at = (struct timespec){then / 1000, then % 1000 * 1000000};
}

/*
 * The command at work is told to end: what it reads of its caller has no more,
 * and no statement of it goes on. Again and again, as an interruption that
 * comes between two statements is lost. It may still answer, to a caller who
 * takes that.
 */
static void end_command(control_t *ctl)
{
    int64_t until = clock_mono_ms() + LAST_WORD_MS;
    struct timespec at;

    (void)pthread_mutex_lock(&ctl->mutex);
    atomic_store(&ctl->stopping, true);
    hang_up(ctl, SHUT_RD);
    while (!ctl->ended) {
        store_interrupt(ctl->parts.domain->store);
        db_interrupt(ctl->db);
        if (clock_mono_ms() >= until) {
            hang_up(ctl, SHUT_RDWR);
        }
        in_ms(STOP_AGAIN_MS, &at);
        (void)pthread_cond_timedwait(&ctl->end, &ctl->mutex, &at);
    }
    (void)pthread_mutex_unlock(&ctl->mutex);
}

void control_stop(control_t **control)
{
    control_t *ctl = *control;
    uint64_t one = 1;

    if (!ctl) {
        return;
    }
    if (ctl->runs && write(ctl->stop, &one, sizeof(one)) == sizeof(one)) {
        end_command(ctl);
        (void)pthread_join(ctl->thread, NULL);
    }
    if (ctl->listener >= 0) {
        (void)unlink(ctl->path);
        (void)close(ctl->listener);
    }
    if (ctl->stop >= 0) {
        (void)close(ctl->stop);
    }
    store_reader_close(&ctl->db);
    (void)pthread_cond_destroy(&ctl->end);
    (void)pthread_mutex_destroy(&ctl->mutex);
    free(ctl->path);
    free(ctl);
    *control = NULL;
}
