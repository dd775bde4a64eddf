#include "domain/donor_import.h"

#include <csv.h>
#include <string.h>

#include "domain/donor_import_batch.h"

#define ENTRY_MAX (1 << 20) /* bytes of a field that does not end */

typedef struct {
    const donor_import_options_t *o;
    import_batch_t batch; /* rows that wait for the next transaction */
    import_row_t row;     /* that is being read */
    int places[64];       /* column of each field, -1: ignored */
    int nplaces;
    int field;
    bool head;  /* the first line is being read */
    bool twice; /* it names a column for the second time */
    void *same; /* of import_row_make_ref() */
    int64_t line;
    int rc;
} import_t;

static void flush_rows(import_t *im)
{
    import_batch_t *b = &im->batch;

    if (im->rc >= 0 && b->nrows > 0) {
        im->rc = import_batch_write(b);
    }
    if (im->rc < 0) {
        b->result->rows -= (int64_t)b->nrows;
    }
    for (size_t i = 0; im->rc >= 0 && i < b->nrows; i++) {
        if (b->rows[i].refused != NULL) {
            im->o->bad(im->o->ctx, b->rows[i].number, b->rows[i].refused);
        }
    }
    b->nrows = 0;
}

static void take_name(import_t *im, const char *data, size_t len)
{
    int column = import_column(data, len);

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

    if (im->head) {
        take_name(im, data, len);
    } else if (im->field < im->nplaces && im->places[im->field] >= 0) {
        import_row_put(&im->row, im->places[im->field], data, len);
    }
    im->field++;
}

static bool has_phone(const import_t *im)
{
    for (int i = 0; i < im->nplaces; i++) {
        if (im->places[i] == IMPORT_PHONE) {
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
        im->o->bad(im->o->ctx, 1, why);
        im->rc = WERR_INVALID;
    }
}

static void end_row(import_t *im)
{
    import_batch_t *b = &im->batch;
    import_row_t *row = &im->row;

    if (im->rc >= 0 && b->nrows == IMPORT_BATCH_MAX) {
        flush_rows(im);
        if (im->rc >= 0 && im->o->stop != NULL && im->o->stop(im->o->ctx)) {
            im->rc = WERR_STOPPING; /* with this row it goes on */
        }
    }
    if (im->rc < 0) {
        return; /* the rest of the block */
    }
    b->result->rows++;
    row->number = im->line;
    if (row->text[IMPORT_AMOUNT][0] != '\0' &&
        row->text[IMPORT_REF][0] == '\0') {
        im->rc = import_row_make_ref(row, &im->same);
    }
    b->rows[b->nrows++] = *row;
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
        end_row(im);
    }
    memset(&im->row, 0, sizeof(im->row));
    im->row.empty = true;
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

/* What came before it counts, the rest is one row that is left out. */
static void broken(import_t *im, const char *reason)
{
    flush_rows(im);
    if (im->rc < 0) {
        return;
    }
    im->o->bad(im->o->ctx, im->line + 1, reason);
    if (im->head) {
        im->rc = WERR_INVALID;
    } else {
        im->batch.result->rows++;
        im->batch.result->bad++;
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
        flush_rows(im); /* the row that is cut stays with the parser */
        im->rc = im->rc < 0 ? im->rc : WERR_IO;
        return;
    }
    if (im->rc >= 0 && csv_fini(csv, on_field, on_row, im) != 0) {
        stop(im, csv, "the file ends inside quotes");
    }
    flush_rows(im);
}

int donor_import(domain_t *d, FILE *in, const donor_import_options_t *o,
                 donor_import_t *out)
{
    import_t im = {.o = o, .head = true};
    struct csv_parser csv;

    memset(out, 0, sizeof(*out));
    im.row.empty = true;
    im.rc = import_batch_open(&im.batch, d, o->dry_run, out);
    if (im.rc < 0) {
        return im.rc;
    }
    if (csv_init(&csv, CSV_STRICT | CSV_STRICT_FINI) == 0) {
        read_all(&im, &csv, in);
        csv_free(&csv);
    } else {
        im.rc = WERR_NOMEM;
    }
    import_same_free(&im.same);
    import_batch_close(&im.batch);
    return im.rc;
}
