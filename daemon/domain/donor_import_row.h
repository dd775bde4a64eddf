/*
 * donor_import_row.h - a row of an imported file: its texts, what they say,
 * and the reference of a gift that has none. Private to domain/.
 */
#ifndef WACRM_DOMAIN_DONOR_IMPORT_ROW_H
#define WACRM_DOMAIN_DONOR_IMPORT_ROW_H

#include "base/phone.h"
#include "domain/donor.h"

#define IMPORT_FIELD_MAX 500 /* bytes */
#define IMPORT_REF_MAX   40  /* of a made reference, with its NUL */

typedef enum {
    IMPORT_PHONE,
    IMPORT_NAME,
    IMPORT_DATE,
    IMPORT_AMOUNT,
    IMPORT_FUND,
    IMPORT_CAMPAIGN,
    IMPORT_METHOD,
    IMPORT_REF,
    IMPORT_NOTE,
    IMPORT_COLUMNS
} import_column_t;

typedef struct {
    char text[IMPORT_COLUMNS][IMPORT_FIELD_MAX + 1];
    char ref[IMPORT_REF_MAX]; /* where the file has none */
    int64_t number;
    const char *refused; /* why it was left out */
    bool too_long;
    bool no_text;
    bool empty;
} import_row_t;

/* The column of that name, in any case; -1: none of ours. */
int import_column(const char *name, size_t len);

/* Puts a cell into an empty row: too long or no text, the row says so. */
void import_row_put(import_row_t *row, int column, const char *data,
                    size_t len);

/*
 * What a row says: phone, and the gift, whose texts are the row's; amount 0:
 * none. today: days since 1970-01-01. WERR_INVALID with a static reason.
 */
int import_row_read(const import_row_t *row, int64_t today,
                    char phone[PHONE_MAX], gift_t *gift,
                    const char **reason) WACRM_CHECKED;

/*
 * Makes row->ref: a gift without a reference is known by what its row says;
 * where rows say the same, by the how manieth of them it is. *same counts
 * them: NULL at first, import_same_free() at last. WERR_NOMEM.
 */
int import_row_make_ref(import_row_t *row, void **same) WACRM_CHECKED;
void import_same_free(void **same);

#endif
