/*
 * donor_import.h - donors and their gifts from a CSV file.
 *
 * The first line names the columns, in any order: phone (required), name,
 * date, amount, fund, campaign, method, ref, note; others are ignored. The
 * separator is a comma or a semicolon, as the first line has it. A row
 * without an amount is a donor without a gift. Dates: 2026-03-01 or
 * 01/03/2026; amounts: rupiah, 1500000 or 1.500.000, also with Rp.
 *
 * A gift without a ref gets one made of its row, so that the same file may be
 * imported twice: what is known already is counted, not doubled. The
 * apostrophe that an export puts before = + - @ is taken off.
 */
#ifndef WACRM_DOMAIN_DONOR_IMPORT_H
#define WACRM_DOMAIN_DONOR_IMPORT_H

#include <stdio.h>

#include "domain/domain.h"

typedef struct {
    int64_t rows;     /* below the first line, empty ones left out */
    int64_t contacts; /* made */
    int64_t gifts;    /* stored */
    int64_t known;    /* gifts that were there already */
    int64_t bad;      /* rows left out */
} donor_import_t;

/* Tells of a row that was left out; row 2 is the first below the names.
 * reason is static. */
typedef void (*donor_import_bad)(void *ctx, int64_t row, const char *reason);

typedef struct {
    bool dry_run; /* nothing is stored, the figures are of what would be */
    donor_import_bad bad;
    /* Asked between batches: true ends the import. NULL: nobody is asked. */
    bool (*stop)(void *ctx);
    void *ctx; /* of both */
} donor_import_options_t;

/*
 * Reads all of in; rows are committed as it goes, 500 at a time. What is told
 * of in out is stored, whatever is returned.
 * WERR_IO if in cannot be read to its end, WERR_STOPPING if it was to end:
 * whole rows of before are stored, the one that is cut is not. Importing the
 * file once more then brings the rest.
 * Where it is no CSV any more, what came before counts and the rest is one row
 * that is left out. WERR_INVALID if the first line has no column phone, names
 * one of ours twice, or is no CSV; bad has been told of row 1 then.
 */
int donor_import(domain_t *d, FILE *in, const donor_import_options_t *o,
                 donor_import_t *out) WACRM_CHECKED;

#endif
