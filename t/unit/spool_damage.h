/*
 * spool_damage.h - what a spool's files hold, whole, and how to harm them.
 */
#ifndef WACRM_T_SPOOL_DAMAGE_H
#define WACRM_T_SPOOL_DAMAGE_H

#include <fcntl.h>

#include "spool_fixture.h"

#define PAGE 4096

typedef struct {
    char *data;
    size_t len;
} bytes_t;

static inline const char *in_spool(const char *name)
{
    static char path[4][400];
    static unsigned n;
    char *p = path[n++ % 4];

    snprintf(p, sizeof(path[0]), "%s/%s", dir.spool, name);
    return p;
}

static inline bytes_t slurp(const char *name)
{
    bytes_t b = {NULL, 0};
    struct stat st;
    int fd = open(in_spool(name), O_RDONLY);

    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    b.len = (size_t)st.st_size;
    b.data = malloc(b.len + 1);
    assert_non_null(b.data);
    assert_true(read(fd, b.data, b.len) == (ssize_t)b.len);
    close(fd);
    return b;
}

static inline void overwrite(const char *name, const void *data, size_t len,
                             off_t at)
{
    int fd = open(in_spool(name), O_WRONLY);

    assert_true(fd >= 0);
    assert_true(pwrite(fd, data, len, at) == (ssize_t)len);
    close(fd);
}

static inline void junk(const char *name, int byte, size_t len, off_t at)
{
    char *buf = malloc(len);

    assert_non_null(buf);
    memset(buf, byte, len);
    overwrite(name, buf, len, at);
    free(buf);
}

/* The files of both are the same. */
static inline void assert_same(const bytes_t *kept, const char *name)
{
    bytes_t now = slurp(name);

    assert_true(now.len == kept->len);
    assert_memory_equal(now.data, kept->data, now.len);
    free(now.data);
}

static inline bool is_there(const char *name)
{
    return access(in_spool(name), F_OK) == 0;
}

static inline void count_aside(void *ctx, const char *name, uint64_t bytes)
{
    (void)ctx;
    (void)name;
    (void)bytes;
}

/* How many damaged ones lie aside. */
static inline int copies(void)
{
    return spool_aside_walk(dir.spool, count_aside, NULL);
}

static inline void drop_one(void *ctx, const char *name, uint64_t bytes)
{
    char path[200];

    (void)ctx;
    (void)bytes;
    snprintf(path, sizeof(path), "%s/data.mdb", name);
    unlink(in_spool(path));
    snprintf(path, sizeof(path), "%s/lock.mdb", name);
    unlink(in_spool(path));
    rmdir(in_spool(name));
}

/* test_dir_drop() knows no directories in it. */
static inline int teardown_aside(void **state)
{
    if (access(dir.spool, F_OK) == 0) {
        (void)spool_aside_walk(dir.spool, drop_one, NULL);
    }
    return teardown(state);
}

#define TEST_ASIDE(f) cmocka_unit_test_setup_teardown(f, setup, teardown_aside)

#endif
