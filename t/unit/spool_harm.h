/* spool_harm.h - a spool, and each way to harm it. */
#ifndef WACRM_T_SPOOL_HARM_H
#define WACRM_T_SPOOL_HARM_H

#include "spool_damage.h"

#include <errno.h>
#include <sys/wait.h>

#include "spool/internal.h"
#include "spool/pages.h"

/* ---- fixtures ---- */

#define RECORDS 2000
#define LEN     700

/* A spool of some hundred pages; closed. */
static inline void fill(void)
{
    spool_t *s = open_sized(8 * MIB);

    for (int i = 0; i < RECORDS / BATCH; i++) {
        assert_int_equal(append(s, 1 + (uint64_t)i * BATCH, BATCH, LEN, NULL),
                         SPOOL_OK);
    }
    spool_close(&s);
}

/* Opened by one who may put it aside; what it said. */
static inline int reopen(spool_t **s, spool_options_t *opt)
{
    *opt =
        (spool_options_t){.size = 8 * MIB, .create = true, .set_aside = true};
    return spool_open(s, dir.spool, opt);
}

/* Nobody finds anything to put aside. */
static inline void assert_left_alone(int rc)
{
    bytes_t kept = slurp("data.mdb");
    spool_options_t opt;
    spool_t *s = NULL;

    assert_int_equal(reopen(&s, &opt), rc);
    assert_string_equal(opt.aside, "");
    assert_string_not_equal(opt.error, "");
    assert_int_equal(copies(), 0);
    assert_same(&kept, "data.mdb");
    free(kept.data);
}

static inline void assert_sound_again(void)
{
    spool_options_t opt;
    spool_stat_t st;
    spool_t *s;

    assert_int_equal(reopen(&s, &opt), SPOOL_OK);
    assert_string_equal(opt.error, "");
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_int_equal(st.records, RECORDS);
    spool_close(&s);
}

/* ---- every kind of damage ---- */

static inline void empty(void)
{
    assert_int_equal(truncate(in_spool("data.mdb"), 0), 0);
}

static inline void few_bytes(void)
{
    assert_int_equal(truncate(in_spool("data.mdb"), 100), 0);
}

static inline void one_page(void)
{
    assert_int_equal(truncate(in_spool("data.mdb"), PAGE), 0);
}

static inline void half(void)
{
    assert_int_equal(truncate(in_spool("data.mdb"), (off_t)100 * PAGE), 0);
}

static inline void no_file_of_ours(void)
{
    junk("data.mdb", 'j', 2 * PAGE, 0);
}

static inline void first_meta(void)
{
    junk("data.mdb", 0, PAGE, 0);
}

static inline void second_meta(void)
{
    junk("data.mdb", 0xff, 512, PAGE);
}

/* The newer one, kept as one, but for the pages it leads to. */
static inline void roots(void)
{
    junk("data.mdb", 0x11, 96, 16 + 24);
    junk("data.mdb", 0x11, 96, PAGE + 16 + 24);
}

static inline void page_size(void)
{
    junk("data.mdb", 3, 1, 16 + 24 + 2);
}

/* All that is no meta page. */
static inline void trees(void)
{
    junk("data.mdb", 0, (size_t)300 * PAGE, 2 * PAGE);
}

static inline void trees_of_ones(void)
{
    junk("data.mdb", 0xff, (size_t)300 * PAGE, 2 * PAGE);
}

#endif
