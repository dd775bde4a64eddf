/*
 * media_fixture.h - a domain that keeps files, in a directory of its own.
 */
#ifndef WACRM_T_MEDIA_FIXTURE_H
#define WACRM_T_MEDIA_FIXTURE_H

#include "domain_fixture.h"

#include "domain/media.h"

#define PNG "\x89PNG\r\n\x1a\n0123"

static char dir[200];

static inline int setup(void **state)
{
    fixture_t *f;
    int rc = fixture_setup(state);

    f = *state;
    snprintf(dir, sizeof(dir), "%.150s/media", f->dir);
    f->d.settings.media_dir = dir;
    f->d.settings.media_base = "https://crm.example";
    memset(f->d.settings.media_key, 7, MEDIA_KEY_LEN);
    return rc;
}

typedef struct {
    const media_blob_t *blob;
    const char *name;
    int64_t user, message, media;
    media_fetch_t *fetch;
    int64_t again;
    bool tried;
    media_row_t row;
} job_t;

static inline int add_tx(tx_t *tx, void *arg)
{
    job_t *j = arg;

    return media_add(tx, j->blob, j->name, j->user, &j->row);
}

/* Stores and adds. */
static inline media_row_t put(fixture_t *f, const char *data, const char *name,
                              int64_t user)
{
    media_blob_t b;
    job_t j = {.blob = &b, .name = name, .user = user};

    assert_int_equal(media_store(&f->d, data, strlen(data), &b), WERR_OK);
    assert_int_equal(domain_write(&f->d, add_tx, &j), WERR_OK);
    media_release(&b);
    return j.row;
}

static inline bool there(const char *hash)
{
    char path[300];

    snprintf(path, sizeof(path), "%.200s/%.2s/%.62s", dir, hash, hash + 2);
    return access(path, F_OK) == 0;
}

#endif
