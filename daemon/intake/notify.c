#include "intake/notify.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Anything else at that path is not ours to remove. */
static int remove_stale(const char *path)
{
    struct stat st;

    if (lstat(path, &st) != 0) {
        return WERR_OK;
    }
    if (!S_ISSOCK(st.st_mode)) {
        return WERR_CONFLICT;
    }
    return unlink(path) == 0 ? WERR_OK : WERR_IO;
}

int notify_open(const char *path, int *fd)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    int rc;

    if (n < 0 || (size_t)n >= sizeof(addr.sun_path)) {
        return WERR_INVALID;
    }
    rc = remove_stale(path);
    if (rc != WERR_OK) {
        return rc;
    }
    *fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0) {
        return WERR_SYSTEM;
    }
    if (bind(*fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        chmod(path, 0660) != 0) {
        close(*fd);
        *fd = -1;
        return WERR_IO;
    }
    return WERR_OK;
}

void notify_close(const char *path, int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        (void)unlink(path);
        *fd = -1;
    }
}

bool notify_wait(int fd, int stop, int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = stop, .events = POLLIN},
                            {.fd = fd, .events = POLLIN}};
    char drop[64];

    if (poll(fds, 2, timeout_ms) <= 0) {
        return true;
    }
    while (fd >= 0 && fds[1].revents != 0 &&
           recv(fd, drop, sizeof(drop), MSG_DONTWAIT) >= 0) {
    }
    return fds[0].revents == 0;
}
