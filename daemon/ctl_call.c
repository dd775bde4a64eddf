#include "ctl_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/jsonr.h"

int ctl_connect(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof(addr.sun_path)) {
        return -1;
    }
    memcpy(addr.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0) {
        return fd;
    }
    (void)close(fd);
    return -1;
}

bool ctl_send(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static json_t *read_answer(FILE *in, char *error, size_t size)
{
    json_t *answer = NULL;
    char *line = NULL;
    size_t cap = 0;
    ssize_t n = getline(&line, &cap, in);
    bool ok;

    if (n <= 0) {
        (void)snprintf(error, size, "wacrmd ended before it answered");
    } else {
        answer = jsonr_parse(line, (size_t)n, error, size);
    }
    free(line);
    if (answer && jsonr_bool(answer, "ok", &ok)) {
        const char *why = jsonr_str(answer, "error");

        (void)snprintf(error, size, "%s", why ? why : "nothing was told");
        json_decref(answer);
        return NULL;
    }
    return answer;
}

json_t *ctl_call(const char *path, const json_t *request, char *error,
                 size_t size)
{
    char *text = json_dumps(request, JSON_COMPACT);
    int fd = ctl_connect(path);
    json_t *answer = NULL;
    FILE *in = NULL;

    if (fd < 0) {
        (void)snprintf(error, size, "%s: %s: does wacrmd run?", path,
                       strerrordesc_np(errno));
    } else if (text && ctl_send(fd, text, strlen(text)) &&
               ctl_send(fd, "\n", 1) && (in = fdopen(fd, "r")) != NULL) {
        answer = read_answer(in, error, size);
    } else {
        (void)snprintf(error, size, "%s: cannot be asked", path);
    }
    if (in) {
        (void)fclose(in);
    } else if (fd >= 0) {
        (void)close(fd);
    }
    free(text);
    return answer;
}
