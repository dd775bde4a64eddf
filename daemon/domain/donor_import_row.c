#include "domain/donor_import_row.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "domain/donor_cell.h"

#define PREFIX    "import:"
#define REF_BYTES 16

_Static_assert(sizeof(PREFIX) + 2 * REF_BYTES <= IMPORT_REF_MAX,
               "a made reference has room");

static const char *const column_names[IMPORT_COLUMNS] = {
    "phone",    "name",   "date", "amount", "fund",
    "campaign", "method", "ref",  "note"};

int import_column(const char *name, size_t len)
{
    for (int i = 0; i < IMPORT_COLUMNS; i++) {
        if (len == strlen(column_names[i]) &&
            strncasecmp(name, column_names[i], len) == 0) {
            return i;
        }
    }
    return -1;
}

/* Without the apostrophes that keep a spreadsheet from computing. */
void import_row_put(import_row_t *row, int column, const char *data, size_t len)
{
    char *out = row->text[column];
    size_t n = 0;

    if (!donor_cell_text(data, len)) {
        row->no_text = true;
        return;
    }
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\'' && donor_cell_computes(data, len, i)) {
            continue;
        }
        if (n == IMPORT_FIELD_MAX) {
            row->too_long = true;
            return;
        }
        out[n++] = data[i];
    }
    row->empty = row->empty && n == 0;
}

/* How many rows of the file were the same so far. */
typedef struct {
    unsigned char digest[REF_BYTES];
    uint32_t times;
} same_t;

static int compare_same(const void *a, const void *b)
{
    return memcmp(((const same_t *)a)->digest, ((const same_t *)b)->digest,
                  REF_BYTES);
}

/* The how manieth row of that digest this is, from 1; 0: no memory. */
static uint32_t count_same(void **tree, const unsigned char *digest)
{
    same_t *mine = calloc(1, sizeof(*mine)), **found;

    if (mine == NULL) {
        return 0;
    }
    memcpy(mine->digest, digest, REF_BYTES);
    found = tsearch(mine, tree, compare_same);
    if (found == NULL) {
        free(mine);
        return 0;
    }
    if (*found != mine) {
        free(mine);
    }
    return ++(*found)->times;
}

int import_row_make_ref(import_row_t *row, void **same)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    char phone[PHONE_MAX] = "";
    uint32_t times;
    unsigned len = 0;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok;

    (void)phone_from_typed(row->text[IMPORT_PHONE],
                           strlen(row->text[IMPORT_PHONE]), phone);
    ok = c != NULL && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1 &&
         EVP_DigestUpdate(c, phone, strlen(phone) + 1) == 1;
    for (int i = IMPORT_DATE; ok && i < IMPORT_COLUMNS; i++) {
        ok = EVP_DigestUpdate(c, row->text[i], strlen(row->text[i]) + 1) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(c, md, &len) == 1;
    EVP_MD_CTX_free(c);
    times = ok ? count_same(same, md) : 0;
    if (times == 0) {
        return WERR_NOMEM;
    }
    for (int i = 0; i < 4; i++) {
        md[i] ^= (unsigned char)((times - 1) >> (8 * i));
    }
    memcpy(row->ref, PREFIX, sizeof(PREFIX));
    for (size_t i = 0; i < REF_BYTES; i++) {
        (void)snprintf(row->ref + strlen(PREFIX) + 2 * i, 3, "%02x", md[i]);
    }
    return WERR_OK;
}

void import_same_free(void **same)
{
    tdestroy(*same, free);
    *same = NULL;
}

static const char *or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

int import_row_read(const import_row_t *row, int64_t today,
                    char phone[PHONE_MAX], gift_t *gift, const char **reason)
{
    *reason = NULL;
    if (row->too_long) {
        *reason = "a field is longer than 500 bytes";
    } else if (row->no_text) {
        *reason = "a field is not UTF-8: save the file as CSV UTF-8";
    } else if (!phone_from_typed(row->text[IMPORT_PHONE],
                                 strlen(row->text[IMPORT_PHONE]), phone)) {
        *reason = "phone is not a number";
    } else if (row->text[IMPORT_AMOUNT][0] != '\0' &&
               !donor_cell_amount(row->text[IMPORT_AMOUNT], &gift->amount)) {
        *reason = "amount is not a sum in rupiah";
    } else if (gift->amount > 0 &&
               !donor_cell_date(row->text[IMPORT_DATE], &gift->day)) {
        *reason = "date is not like 2026-03-01 or 01/03/2026";
    } else if (gift->amount > 0 && gift->day > today) {
        *reason = "date is in the future";
    } else if (gift->amount > 0 && gift->day < 0) {
        *reason = "date is before 1970";
    }
    gift->fund = or_null(row->text[IMPORT_FUND]);
    gift->campaign = or_null(row->text[IMPORT_CAMPAIGN]);
    gift->method = or_null(row->text[IMPORT_METHOD]);
    gift->note = or_null(row->text[IMPORT_NOTE]);
    gift->ref =
        row->text[IMPORT_REF][0] != '\0' ? row->text[IMPORT_REF] : row->ref;
    return *reason != NULL ? WERR_INVALID : WERR_OK;
}
