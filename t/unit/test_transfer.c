/* Donors and gifts in and out as CSV. */
#include <errno.h>

#include "domain_fixture.h"

#include "domain/donor.h"
#include "domain/donor_export.h"
#include "domain/donor_import.h"

static int refused;
static char reasons[1000];

static void on_bad(void *ctx, int64_t row, const char *reason)
{
    size_t n = strlen(reasons);

    (void)ctx;
    refused++;
    (void)snprintf(reasons + n, sizeof(reasons) - n, "%lld %s;", (long long)row,
                   reason);
}

static donor_import_t import(fixture_t *f, const char *csv, bool dry_run)
{
    donor_import_t n;
    donor_import_options_t o = {.dry_run = dry_run, .bad = on_bad};
    FILE *in = fmemopen((void *)(uintptr_t)csv, strlen(csv), "r");

    refused = 0;
    reasons[0] = '\0';
    assert_non_null(in);
    assert_int_equal(donor_import(&f->d, in, &o, &n), WERR_OK);
    (void)fclose(in);
    return n;
}

static char *export(fixture_t *f, donor_export_t what, int64_t want)
{
    char *text = NULL;
    size_t len = 0;
    int64_t rows;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    assert_int_equal(donor_export(f->db, &f->d, what, out, &rows), WERR_OK);
    assert_int_equal(rows, want);
    (void)fclose(out);
    return text;
}

#define CSV                                                   \
    "phone,name,date,amount,fund,ref,note\n"                  \
    "0812-1000-0001,\"=cmd|' /C calc'!A0\",2026-01-05,50000," \
    "Zakat,-1+1,\"kata \"\"hamba\"\", ya\"\n"                 \
    "081210000001,,01/02/2026,Rp 75.000,Infak,R-2,@x\n"       \
    "081210000002,Siti,,,,,\n"                                \
    "bukan,Salah,2026-01-05,1,,,\n"                           \
    "081210000003,Kosong,2026-01-05,nol,,,\n"                 \
    "081210000003,Nanti,2999-01-05,1,,,\n"                    \
    "081210000002,Siti,2026-02-01,1000,,R-2,\n"               \
    "081210000002,Siti,2026-02-01,1000,,,\n"                  \
    "081210000002,Siti,2026-02-01,1000,,,\n"

static void same(donor_import_t a, donor_import_t b)
{
    assert_int_equal(a.rows, b.rows);
    assert_int_equal(a.contacts, b.contacts);
    assert_int_equal(a.gifts, b.gifts);
    assert_int_equal(a.known, b.known);
    assert_int_equal(a.bad, b.bad);
}

static void dry_run_tells_what_would_be(void **state)
{
    fixture_t *f = *state;
    donor_import_t want = {
        .rows = 9, .contacts = 2, .gifts = 4, .known = 1, .bad = 3};
    char dry[sizeof(reasons)];

    same(import(f, CSV, true), want);
    assert_int_equal(refused, 3);
    (void)snprintf(dry, sizeof(dry), "%s", reasons);
    assert_string_equal(dry, "5 phone is not a number;"
                             "6 amount is not a sum in rupiah;"
                             "7 date is in the future;");
    assert_int_equal(ASK(f, "SELECT count(*) FROM contacts"), 0);
    same(import(f, CSV, false), want);
    assert_string_equal(reasons, dry);
    assert_int_equal(ASK(f, "SELECT count(*) FROM donations"), 4);
    want.contacts = want.gifts = 0;
    want.known = 5;
    same(import(f, CSV, true), want);
    /* the same file changes nothing */
    RUN(f, "UPDATE contacts SET updated_at = 1");
    same(import(f, CSV, false), want);
    assert_int_equal(ASK(f, "SELECT count(*) FROM donations"), 4);
    assert_int_equal(ASK(f, "SELECT max(updated_at) FROM contacts"), 1);
}

static void formulas_are_disarmed(void **state)
{
    fixture_t *f = *state;
    char *text;

    (void)import(f, CSV, false);
    text = export(f, EXPORT_DONORS, 2);
    assert_non_null(strstr(text, "\"6281210000001\",\"'=cmd|' /C calc'!A0\","
                                 "New,125000,2,62500,2026-01-05,2026-02-01,"
                                 "75000,general,"));
    free(text);
    text = export(f, EXPORT_DONATIONS, 4);
    assert_non_null(strstr(text, ",2026-01-05,50000,\"Zakat\",,,\"'-1+1\","
                                 "\"kata \"\"hamba\"\", ya\",\"confirmed\""));
    assert_non_null(strstr(text, "\"'@x\""));
    assert_null(strstr(text, ",\"="));
    assert_null(strstr(text, ",\"@"));
    assert_null(strstr(text, ",\"-"));
    /* and an export is an import */
    same(import(f, text, false), (donor_import_t){.rows = 4, .known = 4});
    free(text);
}

/* ---- other separators ---- */

#define TEXTS    300
#define TEXT_MAX 14

static void any_text(char out[TEXT_MAX + 1])
{
    static const char *const made[] = {
        "ya;=1+1",  "ya;\"=1+1", "ya\t=1+1",    "ya\n=1+1",  "ya\r\n@x;-1",
        "\n=1+1",   ";=1",       "ya; \"\" +1", "'=1",       "ya;'=1",
        "ya;''=1;", "  =1",      "\"=1",        "a;\"\";=1", "\t\r=1",
    };
    static const char signs[] = "=+-@;,\t\r\n\"' a1";
    static size_t n;
    size_t len = 1 + (size_t)rand() % TEXT_MAX;

    if (n < sizeof(made) / sizeof(made[0])) {
        (void)snprintf(out, TEXT_MAX + 1, "%s", made[n++]);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = signs[(size_t)rand() % (sizeof(signs) - 1)];
    }
    out[len] = '\0';
}

static int texts_tx(tx_t *tx, void *arg)
{
    (void)arg;
    for (int i = 0; i < TEXTS; i++) {
        char phone[24], note[TEXT_MAX + 1], fund[TEXT_MAX + 1], ref[40];
        contact_hint_t hint = {.phone = phone, .name = note};
        gift_t gift = {.amount = 1000, .day = 1 + i, .fund = fund, .ref = ref};
        contact_ref_t contact;
        int64_t id;

        any_text(note);
        any_text(fund);
        (void)snprintf(ref, sizeof(ref), "%s%d", note, i);
        gift.note = note;
        (void)snprintf(phone, sizeof(phone), "6281%07d", i);
        if (contact_ensure(tx, &hint, &contact) != WERR_OK ||
            donor_add_gift(tx, contact.id, &gift, &id) != WERR_OK) {
            return WERR_SYSTEM;
        }
    }
    return WERR_OK;
}

/* The end of a cell that begins there, as a spreadsheet reads it: quotes that
 * it begins with, and then whatever comes before the next separator. *from:
 * where what is shown begins. */
static const char *cell_end(const char *at, char separator, const char **from)
{
    const char ends[] = {separator, '\r', '\n', '\0'};

    *from = at;
    if (*at == '"') {
        *from = ++at;
        while (*at != '\0' && (at[0] != '"' || at[1] == '"')) {
            at += *at == '"' ? 2 : 1;
        }
        at += *at == '"';
        if (at == *from + 1) {
            *from = at; /* "" and no more */
        }
    }
    return at + strcspn(at, ends);
}

static void nothing_is_computed(const char *csv, char separator)
{
    size_t cells = 0;

    for (const char *at = csv; *at != '\0'; cells++) {
        const char *from, *end = cell_end(at, separator, &from);
        const char *first = from + strspn(from, " \"");

        if (first < end && strchr("=+-@", *first) != NULL) {
            fail_msg("by '%c' a cell begins \"%.20s\"", separator, first);
        }
        at = *end == '\0' ? end : end + 1;
    }
    assert_true(cells > TEXTS);
}

/* A spreadsheet may take another separator than the file has. */
static void nor_by_another_separator(void **state)
{
    fixture_t *f = *state;
    char *text, *again;
    void *other;

    srand(3);
    assert_int_equal(domain_write(&f->d, texts_tx, NULL), WERR_OK);
    text = export(f, EXPORT_DONATIONS, TEXTS);
    nothing_is_computed(text, ',');
    nothing_is_computed(text, ';');
    nothing_is_computed(text, '\t');
    /* nothing is lost by it */
    same(import(f, text, false),
         (donor_import_t){.rows = TEXTS, .known = TEXTS});
    assert_int_equal(fixture_setup(&other), 0);
    same(import(other, text, false),
         (donor_import_t){.rows = TEXTS, .contacts = TEXTS, .gifts = TEXTS});
    again = export(other, EXPORT_DONATIONS, TEXTS);
    assert_string_equal(again, text);
    assert_int_equal(fixture_teardown(&other), 0);
    free(text);
    free(again);
}

static int many_tx(tx_t *tx, void *arg)
{
    (void)arg;
    for (int i = 0; i < 2500; i++) {
        char phone[24];
        contact_hint_t hint = {.phone = phone, .wrote = true};
        contact_ref_t ref;

        (void)snprintf(phone, sizeof(phone), "6281%07d", i);
        if (contact_ensure(tx, &hint, &ref) != WERR_OK) {
            return WERR_SYSTEM;
        }
    }
    return WERR_OK;
}

static void more_than_a_chunk(void **state)
{
    fixture_t *f = *state;

    assert_int_equal(domain_write(&f->d, many_tx, NULL), WERR_OK);
    free(export(f, EXPORT_DONORS, 2500));
    free(export(f, EXPORT_DONATIONS, 0));
}

/* ---- an import that ends early ---- */

typedef struct {
    const char *text;
    size_t left; /* then a fault, as of a disk */
} cut_t;

static ssize_t read_cut(void *arg, char *to, size_t size)
{
    cut_t *c = arg;
    size_t n = size < c->left ? size : c->left;

    if (n == 0) {
        errno = EIO;
        return -1;
    }
    memcpy(to, c->text, n);
    c->text += n;
    c->left -= n;
    return (ssize_t)n;
}

#define GIFTS                               \
    "phone,name,date,amount,ref\n"          \
    "081210000001,A,2026-01-05,50000,R-1\n" \
    "081210000002,B,2026-01-05,150000,R-2\n"

/* Wherever it is cut: whole rows, never half of one. */
static void half_a_row_is_none(void **state)
{
    fixture_t *f = *state;
    size_t first = strlen("phone,name,date,amount,ref\n");
    size_t second = first + strlen("081210000001,A,2026-01-05,50000,R-1\n");
    donor_import_options_t o = {.bad = on_bad};

    for (size_t n = first; n < strlen(GIFTS); n++) {
        cut_t c = {GIFTS, n};
        FILE *in =
            fopencookie(&c, "r", (cookie_io_functions_t){.read = read_cut});
        donor_import_t got;

        assert_non_null(in);
        assert_int_equal(donor_import(&f->d, in, &o, &got), WERR_IO);
        (void)fclose(in);
        assert_int_equal(got.rows, n >= second);
        assert_int_equal(got.bad, 0);
    }
    same(import(f, GIFTS, false),
         (donor_import_t){.rows = 2, .contacts = 1, .gifts = 1, .known = 1});
}

static bool stop_at_once(void *ctx)
{
    (void)ctx;
    return true;
}

/* A file of that many rows; text: free(3). */
static int import_and_stop(fixture_t *f, int nrows, char **text,
                           donor_import_t *n)
{
    donor_import_options_t o = {.bad = on_bad, .stop = stop_at_once};
    size_t len = 0;
    FILE *in, *rows = open_memstream(text, &len);
    int rc;

    assert_non_null(rows);
    (void)fputs("phone,amount,date\n", rows);
    for (int i = 0; i < nrows; i++) {
        (void)fprintf(rows, "6281%07d,1000,2026-01-05\n", i);
    }
    (void)fclose(rows);
    in = fmemopen(*text, len, "r");
    assert_non_null(in);
    rc = donor_import(&f->d, in, &o, n);
    (void)fclose(in);
    return rc;
}

static void it_can_be_stopped(void **state)
{
    fixture_t *f = *state;
    donor_import_t n;
    char *text = NULL;

    assert_int_equal(import_and_stop(f, 1200, &text, &n), WERR_STOPPING);
    same(n, (donor_import_t){.rows = 500, .contacts = 500, .gifts = 500});
    same(import(f, text, false),
         (donor_import_t){
             .rows = 1200, .contacts = 700, .gifts = 700, .known = 500});
    free(text);
}

static void unless_it_is_all_there(void **state)
{
    fixture_t *f = *state;
    donor_import_t n;
    char *text = NULL;

    assert_int_equal(import_and_stop(f, 500, &text, &n), WERR_OK);
    same(n, (donor_import_t){.rows = 500, .contacts = 500, .gifts = 500});
    free(text);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(dry_run_tells_what_would_be), TEST(formulas_are_disarmed),
        TEST(nor_by_another_separator),    TEST(more_than_a_chunk),
        TEST(half_a_row_is_none),          TEST(it_can_be_stopped),
        TEST(unless_it_is_all_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
