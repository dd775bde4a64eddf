#include "domain/donor_export.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "domain/contact_json.h"
#include "domain/donor_cell.h"
#include "domain/donor_row.h"

#define CHUNK 1000

DB_QUERY(export_donors,
         "SELECT " DONOR_COLUMNS ", k.id, k.phone, k.name, k.gift_max, "
         "k.gift_best_year FROM contacts k WHERE k.id > $1 "
         "AND (k.donor = 1 OR k.gift_count > 0) ORDER BY k.id LIMIT $2");
DB_QUERY(export_donations,
         "SELECT d.id, k.phone, k.name, d.gift_day, d.amount, d.fund, "
         "d.campaign, d.method, d.ref, d.note, d.status FROM donations d "
         "CROSS JOIN contacts k WHERE k.id = d.contact_id AND d.id > $1 "
         "ORDER BY d.id LIMIT $2");

static void put_text(FILE *out, const char *text)
{
    size_t len;

    if (text == NULL) {
        return;
    }
    len = strlen(text);
    (void)fputc('"', out);
    for (size_t i = 0; i < len; i++) {
        if (donor_cell_computes(text, len, i)) {
            (void)fputc('\'', out);
        }
        if (text[i] == '"') {
            (void)fputc('"', out);
        }
        (void)fputc(text[i], out);
    }
    (void)fputc('"', out);
}

static void put_day(FILE *out, int64_t day)
{
    char text[CLOCK_ISO_MAX];

    clock_iso_day(day, text);
    (void)fputs(text, out);
}

static int64_t put_donor(FILE *out, db_stmt_t *s, const domain_t *d)
{
    int64_t now = clock_now_ms(), average;
    int64_t today = clock_day_of(now, d->settings.utc_offset_s);
    donor_row_t r;
    score_out_t score;

    donor_row_read(s, 0, &r);
    donor_row_score(&r, &d->settings, today, now, &score);
    put_text(out, db_text(s, DONOR_NCOLUMNS + 1));
    (void)fputc(',', out);
    put_text(out, db_text(s, DONOR_NCOLUMNS + 2));
    (void)fprintf(out, ",%s,%" PRId64 ",%" PRId64 ",",
                  donor_row_segment(&r, &d->settings, today, NULL), r.sum,
                  r.count);
    if (donor_average(r.sum, r.count, &average)) {
        (void)fprintf(out, "%" PRId64 ",", average);
        put_day(out, r.first);
        (void)fputc(',', out);
        put_day(out, r.last);
    } else {
        (void)fputs(",,", out);
    }
    (void)fprintf(out, ",%" PRId64 ",%s,%d,%d,%d\r\n",
                  db_i64(s, DONOR_NCOLUMNS + 3),
                  contact_level(&d->settings, db_i64(s, DONOR_NCOLUMNS + 4)),
                  score.score, r.vip, r.opted_out);
    return db_i64(s, DONOR_NCOLUMNS);
}

static int64_t put_donation(FILE *out, db_stmt_t *s, const domain_t *d)
{
    (void)d;
    put_text(out, db_text(s, 1));
    (void)fputc(',', out);
    put_text(out, db_text(s, 2));
    (void)fputc(',', out);
    put_day(out, db_i64(s, 3));
    (void)fprintf(out, ",%" PRId64, db_i64(s, 4));
    for (int i = 5; i <= 10; i++) {
        (void)fputc(',', out);
        put_text(out, db_text(s, i));
    }
    (void)fputs("\r\n", out);
    return db_i64(s, 0);
}

typedef struct {
    const char *head;
    const db_query_t *query;
    int64_t (*put)(FILE *out, db_stmt_t *s, const domain_t *d);
} kind_t;

static const kind_t kinds[] = {
    [EXPORT_DONORS] = {"phone,name,segment,lifetime_value,donation_count,"
                       "avg_donation,first_donation,last_donation,"
                       "largest_donation,level,engagement_score,vip,opted_out",
                       &export_donors, put_donor},
    [EXPORT_DONATIONS] = {"phone,name,date,amount,fund,campaign,method,ref,"
                          "note,status",
                          &export_donations, put_donation},
};

int donor_export(db_t *db, const domain_t *d, donor_export_t what, FILE *out,
                 int64_t *rows)
{
    const kind_t *k = &kinds[what];
    int64_t last = 0, n;
    int rc;

    *rows = 0;
    (void)fprintf(out, "%s\r\n", k->head);
    do {
        db_stmt_t *s = db_stmt(db, k->query);

        db_bind_i64(s, 1, last);
        db_bind_i64(s, 2, CHUNK);
        for (n = 0; (rc = db_step(s)) == DB_ROW; n++) {
            last = k->put(out, s, d);
        }
        *rows += n;
    } while (rc == WERR_OK && n == CHUNK && !ferror(out));
    if (rc == WERR_OK && (fflush(out) != 0 || ferror(out))) {
        rc = WERR_IO;
    }
    return rc;
}
