/*
 * donor_export.h - donors and their gifts as CSV, in UTF-8 with CRLF.
 *
 * What a spreadsheet would take for a formula (a cell that begins with
 * = + - @ or a tab) has an apostrophe before it.
 */
#ifndef WACRM_DOMAIN_DONOR_EXPORT_H
#define WACRM_DOMAIN_DONOR_EXPORT_H

#include <stdio.h>

#include "domain/domain.h"

typedef enum { EXPORT_DONORS, EXPORT_DONATIONS } donor_export_t;

/* Reads the table a thousand rows at a time, so that no long read holds the
 * database: what changes meanwhile may be in it or not. */
int donor_export(db_t *db, const domain_t *d, donor_export_t what, FILE *out,
                 int64_t *rows) WACRM_CHECKED;

#endif
