/*
 * donor_cell.h - what stands in the cells of a spreadsheet of donors.
 */
#ifndef WACRM_DOMAIN_DONOR_CELL_H
#define WACRM_DOMAIN_DONOR_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 2026-03-01 or 01/03/2026, as days since 1970-01-01. */
bool donor_cell_date(const char *text, int64_t *day);
/* Rupiah above 0: 1500000, 1.500.000, also with Rp; they have no cents. */
bool donor_cell_amount(const char *text, int64_t *amount);
/* UTF-8 without a NUL. */
bool donor_cell_text(const char *s, size_t len);
/*
 * A spreadsheet computes a cell that begins with = + - or @. One that takes
 * another separator than the file has, as Excel does where the comma is a
 * decimal sign, begins a cell in the middle of a text: after a semicolon or a
 * tab, and after a line end. (OWASP, "CSV Injection".)
 *
 * true: such a cell would begin at text[at], blanks and quotes before it left
 * out. An export writes an apostrophe there, an import leaves out the one that
 * stands there, and so has what was exported.
 */
bool donor_cell_computes(const char *text, size_t len, size_t at);

#endif
