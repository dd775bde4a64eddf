#include "http/spill.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "domain/media.h"

void spill_init(spill_t *s, const domain_t *d, size_t max)
{
    memset(s, 0, sizeof(*s));
    s->domain = d;
    s->max = max;
    s->fd = -1;
    buf_init(&s->memory, max < SPILL_MEMORY ? max : SPILL_MEMORY);
}

static void let_go(spill_t *s)
{
    if (s->mapped) {
        (void)munmap(s->data, s->len);
    }
    if (s->fd >= 0) {
        (void)close(s->fd);
    }
    buf_free(&s->memory);
    s->data = NULL;
    s->len = 0;
    s->mapped = false;
    s->fd = -1;
}

static void fail(spill_t *s, int rc)
{
    let_go(s);
    s->rc = rc;
}

static int of_errno(const char *what)
{
    int e = errno;

    log_error("http", "msg=\"spill\" call=%s error=%s", what,
              log_str(strerrordesc_np(e)));
    return e == ENOSPC || e == EDQUOT ? WERR_FULL : WERR_IO;
}

static int write_all(const spill_t *s, const void *data, size_t len)
{
    return io_write_all(s->fd, data, len) ? WERR_OK : of_errno("write");
}

/* The name goes at once: a crash leaves nothing. */
static int open_nameless(const domain_t *d, int *fd)
{
    char path[MEDIA_PATH_MAX];
    int rc = media_temp(d, path, fd);

    if (*fd >= 0) {
        (void)unlink(path);
    }
    return rc;
}

static int open_file(spill_t *s)
{
    int rc = open_nameless(s->domain, &s->fd);

    if (rc == WERR_OK) {
        rc = write_all(s, s->memory.data, s->memory.len);
    }
    buf_free(&s->memory);
    return rc;
}

void spill_add(spill_t *s, const void *data, size_t len)
{
    int rc = WERR_OK;

    if (s->rc != WERR_OK || len == 0) {
        return;
    }
    if (len > s->max - s->len) {
        fail(s, WERR_TOOBIG);
        return;
    }
    if (s->fd < 0 && s->len + len > SPILL_MEMORY) {
        rc = open_file(s);
    }
    if (rc == WERR_OK && s->fd >= 0) {
        rc = write_all(s, data, len);
    } else if (rc == WERR_OK) {
        buf_add(&s->memory, data, len);
        rc = s->memory.failed ? WERR_NOMEM : WERR_OK;
    }
    s->len += len;
    if (rc != WERR_OK) {
        fail(s, rc);
    }
}

int spill_end(spill_t *s)
{
    if (s->rc != WERR_OK || s->data != NULL) {
        return s->rc;
    }
    if (s->fd < 0) {
        s->data = s->memory.data;
        return WERR_OK;
    }
    s->data = mmap(NULL, s->len, PROT_READ, MAP_PRIVATE, s->fd, 0);
    s->mapped = s->data != MAP_FAILED;
    if (!s->mapped) {
        s->data = NULL;
        fail(s, of_errno("mmap"));
    }
    return s->rc;
}

void spill_free(spill_t *s)
{
    if (s->domain != NULL) {
        let_go(s);
    }
}

int spill_file(const domain_t *d, FILE **out)
{
    int fd, rc = open_nameless(d, &fd);

    *out = rc == WERR_OK ? fdopen(fd, "w") : NULL;
    if (*out == NULL && fd >= 0) {
        (void)close(fd);
    }
    return rc == WERR_OK && *out == NULL ? WERR_NOMEM : rc;
}
