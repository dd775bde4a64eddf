#include "ctl_talk.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "control/chunks.h"
#include "ctl_call.h"

#define READ_MAX 65536

typedef struct {
    int fd;
    int file; /* -1: there is none, or it has ended */
    unsigned char out[CHUNK_HEAD + CHUNK_MAX];
    size_t out_len, out_at;
    bool silent; /* wacrmd hears no more */
    buf_t in;    /* a line that has begun */
    ctl_line take;
    void *arg;
    ctl_talk_t said;
} talk_t;

/* The next chunk, or the mark of the end. */
static void read_file(talk_t *t)
{
    ssize_t n = read(t->file, t->out + CHUNK_HEAD, CHUNK_MAX);

    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    if (n <= 0) {
        t->file = -1;
    }
    if (n < 0) {
        t->said.file_error = errno; /* and no mark: the file is cut */
        return;
    }
    chunk_head(t->out, (size_t)n);
    t->out_at = 0;
    t->out_len = CHUNK_HEAD + (size_t)n;
}

static void send_some(talk_t *t)
{
    ssize_t n = send(t->fd, t->out + t->out_at, t->out_len - t->out_at,
                     MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0 && errno != EINTR && errno != EAGAIN) {
        t->silent = true; /* the answer may be there all the same */
        t->file = -1;
        t->out_at = t->out_len;
    } else if (n > 0) {
        t->out_at += (size_t)n;
    }
}

/* The lines that are whole. */
static void take_lines(talk_t *t)
{
    size_t at = 0;
    char *end;

    while (!t->said.answered && at < t->in.len &&
           (end = memchr(t->in.data + at, '\n', t->in.len - at)) != NULL) {
        size_t len = (size_t)(end - t->in.data) - at;

        t->said.answered = t->take(t->arg, t->in.data + at, len);
        at += len + 1;
    }
    t->in.len -= at;
    memmove(t->in.data, t->in.data + at, t->in.len);
}

/* false: there is no more. */
static bool receive(talk_t *t)
{
    char data[READ_MAX];
    ssize_t n = recv(t->fd, data, sizeof(data), MSG_DONTWAIT);

    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return true;
    }
    if (n <= 0) {
        return false;
    }
    buf_add(&t->in, data, (size_t)n);
    if (t->in.failed) {
        t->said.no_memory = true;
        return false;
    }
    take_lines(t);
    return !t->said.answered;
}

/* One step of whatever can be done; false: the talk is over. */
static bool step(talk_t *t)
{
    bool full = t->out_at < t->out_len;
    struct pollfd fds[2] = {
        {.fd = t->fd, .events = (short)(POLLIN | (full ? POLLOUT : 0))},
        {.fd = full ? -1 : t->file, .events = POLLIN},
    };

    if (!full && t->file < 0 && !t->silent) {
        t->silent = true;
        (void)shutdown(t->fd, SHUT_WR); /* all has been said */
    }
    if (poll(fds, 2, -1) < 0) {
        return errno == EINTR;
    }
    if (full && fds[0].revents != 0) {
        send_some(t);
    }
    if (fds[1].revents != 0) {
        read_file(t);
    }
    return (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) == 0 || receive(t);
}

static void send_request(talk_t *t, const json_t *request)
{
    char *text = json_dumps(request, JSON_COMPACT);

    t->said.no_memory = text == NULL;
    if (text == NULL || !ctl_send(t->fd, text, strlen(text)) ||
        !ctl_send(t->fd, "\n", 1)) {
        t->silent = true;
        t->file = -1;
    }
    if (text != NULL) {
        explicit_bzero(text, strlen(text)); /* may hold a password */
    }
    free(text);
}

ctl_talk_t ctl_talk(int fd, const json_t *request, FILE *file, ctl_line take,
                    void *arg)
{
    talk_t *t = calloc(1, sizeof(*t));
    ctl_talk_t said = {.no_memory = t == NULL};

    if (t != NULL) {
        t->fd = fd;
        t->file = file != NULL ? fileno(file) : -1;
        t->take = take;
        t->arg = arg;
        buf_init(&t->in, 0);
        send_request(t, request);
        while (!t->said.no_memory && step(t)) {
        }
        said = t->said;
        buf_free(&t->in);
    }
    free(t);
    (void)close(fd);
    return said;
}
