#include "domain/donor_import.h"

#include <csv.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/phone.h"
#include "domain/audit.h"
#include "domain/contact.h"
#include "domain/donor.h"
#include "domain/event.h"
#include "domain/donor_cell.h"

#define CHUNK_ROWS 500
#define FIELD_MAX  500
#define ENTRY_MAX  (1 << 20) /* bytes of a field that does not end */
#define IMPORT_REF "import:"
#define REF_BYTES  16
#define REF_MAX    (sizeof(IMPORT_REF) + 2 * REF_BYTES)

enum {
    COL_PHONE,
    COL_NAME,
    COL_DATE,
    COL_AMOUNT,
    COL_FUND,
    COL_CAMPAIGN,
    COL_METHOD,
    COL_REF,
    COL_NOTE,
    COLUMNS
};

static const char *const column_names[COLUMNS] = {"phone",  "name", "date",
                                                  "amount", "fund", "campaign",
                                                  "method", "ref",  "note"};

/* How many rows of the file were the same so far. */
typedef struct {
    unsigned char digest[REF_BYTES];
    uint32_t times;
} same_t;

typedef struct {
    char text[COLUMNS][FIELD_MAX + 1];
    char ref[REF_MAX]; /* where the file has none */
    int64_t number;
    const char *refused; /* why it was left out */
    bool too_long;
    bool no_text;
    bool empty;
} row_t;

typedef struct {
    domain_t *domain;
    donor_import_bad bad;
    void *ctx;
    donor_import_t *result;
    int places[64]; /* column of each field, -1: ignored */
    int nplaces;
    int field;
    bool head;   /* the first line is being read */
    bool twice;  /* it names a column for the second time */
    row_t *rows; /* waiting for the next transaction */
    size_t nrows;
    row_t row;
    void *same; /* tree of same_t */
    bool dry_run;
    db_t *db;   /* dry run: a read connection */
    void *seen; /* dry run: tree of what would be there, "p..." and "r..." */
    int64_t line;
    int rc;
} import_t;

/* A contact that the charity itself lists is a donor, under its own name. */
DB_QUERY(mark_donor, "UPDATE contacts SET donor = 1,"
                     " name = CASE WHEN $2 = '' THEN name ELSE $2 END,"
                     " updated_at = $3 WHERE id = $1 AND (donor = 0 OR"
                     " ($2 <> '' AND name <> $2))");
DB_QUERY(import_ref, "SELECT id FROM donations WHERE ref = $1");

static int compare_same(const void *a, const void *b)
{
    return memcmp(((const same_t *)a)->digest, ((const same_t *)b)->digest,
                  REF_BYTES);
}

/* The how manieth row of that digest this is, from 1; 0: no memory. */
static uint32_t count_same(import_t *im, const unsigned char *digest)
{
    same_t *mine = calloc(1, sizeof(*mine)), **found;

    if (mine == NULL) {
        return 0;
    }
    memcpy(mine->digest, digest, REF_BYTES);
    found = tsearch(mine, &im->same, compare_same);
    if (found == NULL) {
        free(mine);
        return 0;
    }
    if (*found != mine) {
        free(mine);
    }
    return ++(*found)->times;
}

/*
 * A gift without a reference is known by what its row says; where two rows
 * say the same, by which of them it is.
 */
static bool make_ref(import_t *im, row_t *row)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    char phone[PHONE_MAX] = "";
    uint32_t times;
    unsigned len = 0;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok;

    (void)phone_from_typed(row->text[COL_PHONE], strlen(row->text[COL_PHONE]),
                           phone);
    ok = c != NULL && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1 &&
         EVP_DigestUpdate(c, phone, strlen(phone) + 1) == 1;
    for (int i = COL_DATE; ok && i < COLUMNS; i++) {
        ok = EVP_DigestUpdate(c, row->text[i], strlen(row->text[i]) + 1) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(c, md, &len) == 1;
    EVP_MD_CTX_free(c);
    times = ok ? count_same(im, md) : 0;
    if (times == 0) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        md[i] ^= (unsigned char)((times - 1) >> (8 * i));
    }
    memcpy(row->ref, IMPORT_REF, sizeof(IMPORT_REF));
    for (size_t i = 0; i < REF_BYTES; i++) {
        (void)snprintf(row->ref + strlen(IMPORT_REF) + 2 * i, 3, "%02x", md[i]);
    }
    return true;
}

static const char *or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

/* What a row says; WERR_INVALID with a reason. */
static int read_row(const row_t *row, int64_t today, char phone[PHONE_MAX],
                    gift_t *gift, const char **reason)
{
    *reason = NULL;
    if (row->too_long) {
        *reason = "a field is longer than 500 bytes";
    } else if (row->no_text) {
        *reason = "a field is not UTF-8: save the file as CSV UTF-8";
    } else if (!phone_from_typed(row->text[COL_PHONE],
                                 strlen(row->text[COL_PHONE]), phone)) {
        *reason = "phone is not a number";
    } else if (row->text[COL_AMOUNT][0] != '\0' &&
               !donor_cell_amount(row->text[COL_AMOUNT], &gift->amount)) {
        *reason = "amount is not a sum in rupiah";
    } else if (gift->amount > 0 &&
               !donor_cell_date(row->text[COL_DATE], &gift->day)) {
        *reason = "date is not like 2026-03-01 or 01/03/2026";
    } else if (gift->amount > 0 && gift->day > today) {
        *reason = "date is in the future";
    } else if (gift->amount > 0 && gift->day < 0) {
        *reason = "date is before 1970";
    }
    gift->fund = or_null(row->text[COL_FUND]);
    gift->campaign = or_null(row->text[COL_CAMPAIGN]);
    gift->method = or_null(row->text[COL_METHOD]);
    gift->note = or_null(row->text[COL_NOTE]);
    gift->ref = row->text[COL_REF][0] != '\0' ? row->text[COL_REF] : row->ref;
    return *reason != NULL ? WERR_INVALID : WERR_OK;
}

/* WERR_INVALID with a reason, or what the domain says. */
static int apply_row(tx_t *tx, const row_t *row, donor_import_t *result,
                     const char **reason)
{
    char phone[PHONE_MAX];
    contact_hint_t hint = {.phone = phone, .name = row->text[COL_NAME]};
    contact_ref_t contact;
    gift_t gift = {0};
    db_stmt_t *s;
    int64_t id;
    int rc = read_row(row, tx->today, phone, &gift, reason);

    if (rc < 0) {
        return rc;
    }
    rc = contact_ensure(tx, &hint, &contact);
    if (rc < 0) {
        return rc;
    }
    s = db_stmt(tx->db, &mark_donor);
    db_bind_i64(s, 1, contact.id);
    db_bind_text(s, 2, row->text[COL_NAME]);
    db_bind_i64(s, 3, tx->now);
    rc = db_exec(s);
    if (rc < 0) {
        return rc;
    }
    result->contacts += contact.created;
    if (gift.amount == 0) {
        return WERR_OK;
    }
    rc = donor_add_gift(tx, contact.id, &gift, &id);
    if (rc == WERR_CONFLICT) {
        result->known++;
        return WERR_OK;
    }
    result->gifts += rc >= 0;
    return rc;
}

/* ---- dry run ---- */

static int compare_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* true if this run would have made it before; else it is noted as made. */
static int would_be_there(import_t *im, char kind, const char *text,
                          bool *there)
{
    char *key = NULL, **found;

    if (asprintf(&key, "%c%s", kind, text) < 0) {
        return WERR_NOMEM;
    }
    found = tsearch(key, &im->seen, compare_text);
    *there = found != NULL && *found != key;
    if (found == NULL || *there) {
        free(key);
    }
    return found != NULL ? WERR_OK : WERR_NOMEM;
}

static int look_at_row(import_t *im, row_t *row, int64_t today)
{
    char phone[PHONE_MAX];
    gift_t gift = {0};
    int64_t id;
    bool there = true;
    db_stmt_t *s;
    int rc = read_row(row, today, phone, &gift, &row->refused);

    if (rc < 0) {
        im->result->bad++;
        return WERR_OK;
    }
    rc = contact_find(im->db, phone, &id);
    if (rc == WERR_NOTFOUND) {
        rc = would_be_there(im, 'p', phone, &there);
    }
    im->result->contacts += !there;
    if (rc < 0 || gift.amount == 0) {
        return rc;
    }
    s = db_stmt(im->db, &import_ref);
    db_bind_text(s, 1, gift.ref);
    rc = db_first(s);
    db_done(s);
    there = true;
    if (rc == WERR_NOTFOUND) {
        rc = would_be_there(im, 'r', gift.ref, &there);
    }
    im->result->known += there;
    im->result->gifts += !there;
    return rc < 0 ? rc : WERR_OK;
}

static int look_at_rows(import_t *im)
{
    int64_t today =
        clock_day_of(clock_now_ms(), im->domain->settings.utc_offset_s);
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < im->nrows; i++) {
        rc = look_at_row(im, &im->rows[i], today);
    }
    return rc;
}

/* ---- in earnest ---- */

/* One transaction over the rows that wait; a bad row leaves no trace. */
static int apply_rows(tx_t *tx, void *arg)
{
    import_t *im = arg;
    /* counted anew where the transaction is tried again */
    donor_import_t result = *im->result;
    char detail[80];
    int rc;

    event_many_begin(tx);
    for (size_t i = 0; i < im->nrows; i++) {
        const char **reason = &im->rows[i].refused;

        rc = db_savepoint(tx->db);
        if (rc < 0) {
            return rc;
        }
        rc = apply_row(tx, &im->rows[i], &result, reason);
        if (rc == WERR_INVALID) {
            rc = db_rollback_to(tx->db);
            result.bad++;
        } else if (rc >= 0) {
            rc = db_release(tx->db);
        }
        if (rc < 0) {
            return rc;
        }
    }
    (void)snprintf(detail, sizeof(detail), "%lld gifts, %lld new contacts",
                   (long long)(result.gifts - im->result->gifts),
                   (long long)(result.contacts - im->result->contacts));
    rc = event_many_end(tx);
    if (rc != WERR_OK) {
        return rc;
    }
    *im->result = result;
    return audit_note(tx, &(audit_t){.action = "import", .detail = detail});
}

static void flush_rows(import_t *im)
{
    if (im->rc >= 0 && im->nrows > 0) {
        im->rc = im->dry_run ? look_at_rows(im)
                             : domain_write(im->domain, apply_rows, im);
    }
    for (size_t i = 0; im->rc >= 0 && i < im->nrows; i++) {
        if (im->rows[i].refused != NULL) {
            im->bad(im->ctx, im->rows[i].number, im->rows[i].refused);
        }
    }
    im->nrows = 0;
}

static void take_name(import_t *im, const char *data, size_t len)
{
    int column = -1;

    for (int i = 0; i < COLUMNS; i++) {
        if (len == strlen(column_names[i]) &&
            strncasecmp(data, column_names[i], len) == 0) {
            column = i;
        }
    }
    for (int i = 0; column >= 0 && i < im->nplaces; i++) {
        im->twice = im->twice || im->places[i] == column;
    }
    if (im->field < (int)(sizeof(im->places) / sizeof(im->places[0]))) {
        im->places[im->field] = column;
        im->nplaces = im->field + 1;
    }
}

static void on_field(void *data, size_t len, void *ctx)
{
    import_t *im = ctx;
    int field = im->field;

    if (im->head) {
        take_name(im, data, len);
    } else if (field < im->nplaces && im->places[field] >= 0) {
        if (len > 1 && *(char *)data == '\'' &&
            strchr("=+-@\t\r", ((char *)data)[1]) != NULL) {
            data = (char *)data + 1;
            len--;
        }
        if (len > FIELD_MAX) {
            im->row.too_long = true;
        } else if (!donor_cell_text(data, len)) {
            im->row.no_text = true;
        } else if (len > 0) {
            memcpy(im->row.text[im->places[field]], data, len);
            im->row.empty = false;
        }
    }
    im->field++;
}

static bool has_phone(const import_t *im)
{
    for (int i = 0; i < im->nplaces; i++) {
        if (im->places[i] == COL_PHONE) {
            return true;
        }
    }
    return false;
}

/* Of two columns of one name nobody knows which is meant. */
static void end_head(import_t *im)
{
    const char *why = im->twice       ? "the first line names a column twice"
                      : has_phone(im) ? NULL
                                      : "the first line has no column phone";

    im->head = false;
    if (why != NULL && im->rc >= 0) {
        im->bad(im->ctx, 1, why);
        im->rc = WERR_INVALID;
    }
}

static void on_row(int end, void *ctx)
{
    import_t *im = ctx;

    (void)end;
    im->line++;
    im->field = 0;
    if (im->head) {
        end_head(im);
    } else if (!im->row.empty || im->row.too_long || im->row.no_text) {
        im->result->rows++;
        im->row.number = im->line;
        if (im->row.text[COL_AMOUNT][0] != '\0' &&
            im->row.text[COL_REF][0] == '\0' && !make_ref(im, &im->row) &&
            im->rc >= 0) {
            im->rc = WERR_NOMEM;
        }
        im->rows[im->nrows++] = im->row;
    }
    memset(&im->row, 0, sizeof(im->row));
    im->row.empty = true;
    if (im->nrows == CHUNK_ROWS) {
        flush_rows(im);
    }
}

/* Comma or semicolon, by the first line. */
static unsigned char separator_of(const char *text, size_t len)
{
    const char *end = memchr(text, '\n', len);
    size_t head = end != NULL ? (size_t)(end - text) : len;

    return memchr(text, ';', head) != NULL && memchr(text, ',', head) == NULL
               ? ';'
               : CSV_COMMA;
}

static void free_import(import_t *im)
{
    tdestroy(im->same, free);
    tdestroy(im->seen, free);
    store_reader_close(&im->db);
    free(im->rows);
}

/* What came before it counts, the rest is one row that is left out. */
static void broken(import_t *im, const char *reason)
{
    flush_rows(im);
    if (im->rc < 0) {
        return;
    }
    im->bad(im->ctx, im->line + 1, reason);
    if (im->head) {
        im->rc = WERR_INVALID;
    } else {
        im->result->rows++;
        im->result->bad++;
    }
}

/* The parser gives up: the file is broken, or it found no memory. */
static void stop(import_t *im, struct csv_parser *csv, const char *reason)
{
    if (csv_error(csv) == CSV_EPARSE) {
        broken(im, reason);
    } else if (im->rc >= 0) {
        im->rc = WERR_NOMEM;
    }
}

/* The text without the byte order mark that spreadsheets write. */
static const char *without_mark(const char *text, size_t *len)
{
    bool marked = *len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;

    *len -= marked ? 3 : 0;
    return marked ? text + 3 : text;
}

static void read_all(import_t *im, struct csv_parser *csv, FILE *in)
{
    char block[65536];
    const char *text;
    bool first = true;
    size_t n;

    while (im->rc >= 0 && (n = fread(block, 1, sizeof(block), in)) > 0) {
        text = block;
        if (first) {
            text = without_mark(block, &n);
            csv_set_delim(csv, separator_of(text, n));
            first = false;
        }
        if (csv_parse(csv, text, n, on_field, on_row, im) != n) {
            stop(im, csv, "the file is not CSV from here on");
            return;
        }
        if (csv->entry_pos > ENTRY_MAX) {
            broken(im, "the quotes of a field do not end");
            return;
        }
    }
    if (im->rc >= 0 && ferror(in)) {
        im->rc = WERR_IO;
    }
    if (im->rc >= 0 && csv_fini(csv, on_field, on_row, im) != 0) {
        stop(im, csv, "the file ends inside quotes");
    }
    flush_rows(im);
}

int donor_import(domain_t *d, FILE *in, bool dry_run, donor_import_bad bad,
                 void *ctx, donor_import_t *out)
{
    import_t im = {.domain = d,
                   .dry_run = dry_run,
                   .bad = bad,
                   .ctx = ctx,
                   .result = out,
                   .head = true};
    struct csv_parser csv;

    memset(out, 0, sizeof(*out));
    im.row.empty = true;
    if (dry_run) {
        im.rc = store_reader(d->store, &im.db);
        if (im.rc < 0) {
            return im.rc;
        }
    }
    im.rows = malloc(CHUNK_ROWS * sizeof(*im.rows));
    if (im.rows == NULL || csv_init(&csv, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        free_import(&im);
        return WERR_NOMEM;
    }
    read_all(&im, &csv, in);
    csv_free(&csv);
    free_import(&im);
    return im.rc;
}
