#include "t/fault/crash/log.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((size_t)64 << 20)

typedef struct {
    char name[64];
    bool there;
    char *data;
    size_t len, size;
} image_t;

struct crash_log_s {
    char *text;
    size_t len;
    const crash_op_t **ops;
    size_t nops;
    image_t base[CRASH_FILES]; /* synced; in the numbers of the log */
    size_t nfiles;
    image_t now[CRASH_FILES]; /* the state being made */
};

/* ---- files ---- */

static char *read_file(const char *path, size_t *len)
{
    struct stat st;
    char *data = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *len = 0;
    if (fd >= 0 && fstat(fd, &st) == 0 && (size_t)st.st_size <= FILE_MAX) {
        data = malloc((size_t)st.st_size + 1);
    }
    while (data != NULL && *len < (size_t)st.st_size) {
        ssize_t n = read(fd, data + *len, (size_t)st.st_size - *len);

        if (n <= 0) {
            free(data);
            data = NULL;
            break;
        }
        *len += (size_t)n;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (data == NULL) {
        perror(path);
    }
    return data;
}

static bool image_resize(image_t *i, size_t len)
{
    if (len > FILE_MAX) {
        return false;
    }
    if (len > i->size) {
        size_t size = len * 2;
        char *data = realloc(i->data, size);

        if (data == NULL) {
            return false;
        }
        i->data = data;
        i->size = size;
    }
    if (len > i->len) {
        memset(i->data + i->len, 0, len - i->len);
    }
    i->len = len;
    i->there = true;
    return true;
}

static bool image_copy(image_t *to, const image_t *from)
{
    if (!image_resize(to, from->len)) {
        return false;
    }
    if (from->len > 0) {
        memcpy(to->data, from->data, from->len);
    }
    to->there = from->there;
    return true;
}

/* The first `part` bytes of a write, or a truncation. */
static bool apply(image_t *files, const crash_op_t *op, size_t part)
{
    image_t *i = &files[op->file];

    if (op->kind == CRASH_TRUNCATE) {
        return image_resize(i, op->at);
    }
    if (op->at + part > i->len && !image_resize(i, op->at + part)) {
        return false;
    }
    memcpy(i->data + op->at, op + 1, part);
    return true;
}

/* ---- the log ---- */

static bool parse(crash_log_t *log)
{
    size_t at = 0;

    while (at < log->len) {
        const crash_op_t *op = (const void *)(log->text + at);
        const crash_op_t **ops;

        if (log->len - at < sizeof(*op) ||
            log->len - at - sizeof(*op) < CRASH_PADDED(op->len) ||
            op->file >= CRASH_FILES) {
            fprintf(stderr, "crash: the log is cut short\n");
            return false;
        }
        ops = realloc(log->ops, (log->nops + 1) * sizeof(*ops));
        if (ops == NULL) {
            return false;
        }
        log->ops = ops;
        log->ops[log->nops++] = op;
        if (op->kind == CRASH_NAME && op->file == log->nfiles) {
            snprintf(log->base[log->nfiles++].name, sizeof(log->base[0].name),
                     "%.*s", (int)op->len, (const char *)(op + 1));
        }
        at += sizeof(*op) + CRASH_PADDED(op->len);
    }
    return true;
}

/* Files that the program never wrote to are left as they are. */
static bool load_before(crash_log_t *log, const char *before)
{
    char path[512];

    for (size_t i = 0; i < log->nfiles; i++) {
        image_t *f = &log->base[i];

        snprintf(path, sizeof(path), "%s/%s", before, f->name);
        if (access(path, F_OK) == 0) {
            free(f->data);
            f->data = read_file(path, &f->len);
            if (f->data == NULL) {
                return false;
            }
            f->size = f->len + 1;
            f->there = true;
        }
    }
    return true;
}

crash_log_t *crash_load(const char *path, const char *before)
{
    crash_log_t *log = calloc(1, sizeof(*log));

    if (log == NULL) {
        return NULL;
    }
    log->text = read_file(path, &log->len);
    if (log->text == NULL || !parse(log) || !load_before(log, before)) {
        crash_free(log);
        return NULL;
    }
    return log;
}

void crash_free(crash_log_t *log)
{
    for (size_t i = 0; i < CRASH_FILES; i++) {
        free(log->base[i].data);
        free(log->now[i].data);
    }
    free(log->ops);
    free(log->text);
    free(log);
}

/* ---- states ---- */

typedef struct {
    crash_log_t *log;
    const crash_walk_t *walk;
    const crash_options_t *options;
    uint64_t random;
    const crash_op_t **pending; /* not synced, in their order */
    size_t npending, size;
    bool *lost; /* of each of them */
    crash_state_t state;
} walk_t;

/* Marsaglia, "Xorshift RNGs", 2003. */
static uint64_t next_random(walk_t *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

static bool write_image(const char *dir, const image_t *i)
{
    char path[512];
    size_t at = 0;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir, i->name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0660);
    while (fd >= 0 && at < i->len) {
        ssize_t n = write(fd, i->data + at, i->len - at);

        if (n <= 0) {
            break;
        }
        at += (size_t)n;
    }
    if (fd < 0 || close(fd) != 0 || at < i->len) {
        perror(path);
        return false;
    }
    return true;
}

/* What is synced, the pending writes that are not lost, and of the last one
 * `part` bytes. */
static bool emit(walk_t *w, const char *what, size_t part)
{
    crash_log_t *log = w->log;

    for (size_t i = 0; i < log->nfiles; i++) {
        memcpy(log->now[i].name, log->base[i].name, sizeof(log->now[i].name));
        if (!image_copy(&log->now[i], &log->base[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < w->npending; i++) {
        const crash_op_t *op = w->pending[i];
        size_t len = i + 1 < w->npending || part > op->len ? op->len : part;

        if (!w->lost[i] && !apply(log->now, op, len)) {
            return false;
        }
    }
    for (size_t i = 0; i < log->nfiles; i++) {
        if (log->now[i].there && !write_image(w->walk->dir, &log->now[i])) {
            return false;
        }
    }
    w->state.number++;
    w->state.what = what;
    return w->walk->state(w->walk->arg, &w->state);
}

static bool emit_all(walk_t *w, const char *what)
{
    return emit(w, what, SIZE_MAX);
}

static bool emit_none(walk_t *w)
{
    bool ok;

    memset(w->lost, 1, w->npending * sizeof(*w->lost));
    ok = emit_all(w, "all unsynced writes lost");
    memset(w->lost, 0, w->npending * sizeof(*w->lost));
    return ok;
}

static bool emit_torn(walk_t *w, const crash_op_t *op)
{
    size_t sectors = op->len == 0 ? 0 : (op->len - 1) / CRASH_SECTOR;
    size_t step = 1;
    bool ok = true;

    if (w->options->torn > 0 && sectors > w->options->torn) {
        step = (sectors + w->options->torn - 1) / w->options->torn;
    }
    for (size_t i = 1; ok && i <= sectors; i += step) {
        ok = emit(w, "the last write torn", i * CRASH_SECTOR);
    }
    return ok;
}

static bool emit_pairs(walk_t *w)
{
    size_t n = w->npending;
    size_t all = n * (n - 1) / 2;
    size_t made = 0;
    bool ok = true;

    for (size_t i = 0; ok && i < n; i++) {
        for (size_t j = i + 1; ok && j < n; j++) {
            if (all > w->options->pairs &&
                next_random(w) % all >= w->options->pairs) {
                continue;
            }
            w->lost[i] = w->lost[j] = true;
            ok = emit_all(w, "two writes lost");
            w->lost[i] = w->lost[j] = false;
            made++;
        }
    }
    return ok && made <= all;
}

/* Before a sync returns: what it was to make durable may be there or not. */
static bool emit_lost(walk_t *w)
{
    bool ok = emit_none(w);

    for (size_t i = 0; ok && i < w->npending; i++) {
        w->lost[i] = true;
        ok = emit_all(w, "one write lost");
        w->lost[i] = false;
    }
    ok = ok && (w->npending < 2 || emit_pairs(w));
    for (size_t k = 0; ok && k < w->options->subsets; k++) {
        for (size_t i = 0; i < w->npending; i++) {
            w->lost[i] = next_random(w) & 1;
        }
        ok = emit_all(w, "some writes lost");
    }
    memset(w->lost, 0, w->npending * sizeof(*w->lost));
    return ok;
}

static bool make_durable(walk_t *w, uint32_t file)
{
    size_t kept = 0;

    for (size_t i = 0; i < w->npending; i++) {
        const crash_op_t *op = w->pending[i];

        if (op->file != file) {
            w->pending[kept++] = op;
        } else if (!apply(w->log->base, op, op->len)) {
            return false;
        }
    }
    w->npending = kept;
    return true;
}

static bool push(walk_t *w, const crash_op_t *op)
{
    if (w->npending == w->size) {
        size_t size = w->size * 2 + 64;
        const crash_op_t **pending =
            realloc(w->pending, size * sizeof(*pending));
        bool *lost = realloc(w->lost, size * sizeof(*lost));

        w->pending = pending != NULL ? pending : w->pending;
        w->lost = lost != NULL ? lost : w->lost;
        if (pending == NULL || lost == NULL) {
            return false;
        }
        memset(lost + w->size, 0, (size - w->size) * sizeof(*lost));
        w->size = size;
    }
    w->pending[w->npending++] = op;
    return true;
}

static bool step(walk_t *w, const crash_op_t *op)
{
    switch ((crash_kind_t)op->kind) {
    case CRASH_NAME:
        return true;
    case CRASH_WRITE:
    case CRASH_TRUNCATE:
        return push(w, op) && emit_torn(w, op) && emit_all(w, "cut off here");
    case CRASH_WRITE_SYNCED:
        return apply(w->log->base, op, op->len) && emit_all(w, "cut off here");
    case CRASH_SYNC:
        return emit_lost(w) && make_durable(w, op->file);
    case CRASH_MARK:
        w->walk->mark(w->walk->arg, op + 1, op->len);
        return emit_none(w);
    }
    fprintf(stderr, "crash: kind %u in the log\n", op->kind);
    return false;
}

size_t crash_walk(crash_log_t *log, const crash_options_t *options,
                  const crash_walk_t *walk)
{
    walk_t w = {.log = log,
                .walk = walk,
                .options = options,
                .random = options->seed | 1};
    bool ok = true;

    for (size_t i = 0; ok && i < log->nops; i++) {
        w.state.op = i;
        ok = step(&w, log->ops[i]);
    }
    free(w.pending);
    free(w.lost);
    return ok ? w.state.number : 0;
}

void crash_mark(const void *data, size_t len)
{
    void (*mark)(const void *, size_t);

    *(void **)&mark = dlsym(RTLD_DEFAULT, "wacrm_record_mark");
    if (mark != NULL) {
        mark(data, len);
    }
}
