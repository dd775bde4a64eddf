#include "domain/contact_json.h"

#include "base/clock.h"
#include "base/phone.h"
#include "domain/contact_visible.h"
#include "domain/donation.h"
#include "domain/donor_row.h"
#include "domain/note.h"
#include "domain/reminder.h"
#include "domain/rendered.h"
#include "domain/row_json.h"
#include "domain/some_ids.h"

#define COLUMNS_NAMED(name) \
    DONOR_COLUMNS ", k.id, k.phone, " name ", k.gift_best_year"
#define COLUMNS COLUMNS_NAMED("k.name")

DB_QUERY(contact_profile, "SELECT " COLUMNS " FROM contacts k WHERE k.id = $1");
DB_QUERY(contact_profile_aliases,
         "SELECT alias FROM contact_aliases WHERE contact_id = $1 "
         "LIMIT 100");
/* What an event tells of it. */
DB_QUERY(contact_profile_told,
         "SELECT " COLUMNS_NAMED("substr(k.name, 1, " RENDERED_TITLE
                                 ")") " FROM contacts k WHERE k.id " SOME_IDS);
DB_QUERY(contact_number, "SELECT id, phone FROM contacts WHERE id " SOME_IDS);
#define VISIBLE CONTACT_VISIBLE("k.id", "$2", "$3")

DB_QUERY(contact_profile_page,
         "SELECT " COLUMNS " FROM contacts k WHERE k.id < $1 AND " VISIBLE
         " ORDER BY k.id DESC LIMIT $4");
DB_QUERY(contact_profile_some, "SELECT " COLUMNS " FROM contacts k "
                               "WHERE k.id " SOME_IDS " ORDER BY k.id DESC");

const char *contact_level(const domain_settings_t *set, int64_t best_year)
{
    if (best_year >= set->major_amount) {
        return "major";
    }
    return best_year >= set->mid_amount ? "mid" : "general";
}

static void write_average(buf_t *out, const donor_row_t *r)
{
    int64_t average;

    if (donor_average(r->sum, r->count, &average)) {
        jw_i64(out, "avg_donation", average);
    } else {
        jw_null(out, "avg_donation");
    }
}

static void write_last(buf_t *out, const donor_row_t *r, const char *key)
{
    if (r->count > 0) {
        jw_day(out, key, r->last);
    } else {
        jw_null(out, key);
    }
}

static void get_score(const domain_t *d, const donor_row_t *r, score_out_t *out)
{
    int64_t now = clock_now_ms();

    donor_row_score(r, &d->settings,
                    clock_day_of(now, d->settings.utc_offset_s), now, out);
}

typedef struct {
    donor_row_t row;
    int64_t id, best_year;
    const char *phone, *name;
} known_t;

/* What every Donatur has. */
static void write_known(const known_t *p, const domain_t *d, buf_t *out)
{
    int64_t today = clock_day_of(clock_now_ms(), d->settings.utc_offset_s);
    const donor_row_t *r = &p->row;
    score_out_t score;

    get_score(d, r, &score);
    jw_i64(out, "id", p->id);
    jw_str(out, "phone", p->phone);
    jw_str(out, "name", p->name);
    jw_str(out, "segment", donor_row_segment(r, &d->settings, today, NULL));
    jw_i64(out, "lifetime_value", r->sum);
    jw_i64(out, "donation_count", r->count);
    write_average(out, r);
    write_last(out, r, "last_donation_date");
    jw_i64(out, "engagement_score", score.score);
    if (r->count == 0) {
        jw_str(out, "lifecycle", "prospect");
    }
    jw_str(out, "level", contact_level(&d->settings, p->best_year));
    jw_bool(out, "vip", r->vip);
    jw_bool(out, "opted_out", r->opted_out);
}

static void write_fields(db_stmt_t *s, const domain_t *d, buf_t *out)
{
    known_t p = {.id = db_i64(s, DONOR_NCOLUMNS),
                 .phone = db_text(s, DONOR_NCOLUMNS + 1),
                 .name = db_text(s, DONOR_NCOLUMNS + 2),
                 .best_year = db_i64(s, DONOR_NCOLUMNS + 3)};

    donor_row_read(s, 0, &p.row);
    write_known(&p, d, out);
}

static int write_aliases(db_t *db, int64_t contact, buf_t *out)
{
    db_stmt_t *s = db_stmt(db, &contact_profile_aliases);

    db_bind_i64(s, 1, contact);
    return row_write_all(s, row_text, out, "aliases");
}

static int write_profile(db_t *db, const domain_t *d, int64_t contact,
                         buf_t *out, const char *key, bool lists)
{
    db_stmt_t *s = db_stmt(db, &contact_profile);
    int rc;

    db_bind_i64(s, 1, contact);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    jw_open_object(out, key);
    write_fields(s, d, out);
    db_done(s);
    rc = write_aliases(db, contact, out);
    if (lists && rc == WERR_OK) {
        rc = donation_list(db, contact, PROFILE_ROWS, out, "donations");
    }
    if (lists && rc == WERR_OK) {
        rc = note_list(db, contact, PROFILE_ROWS, out, "notes");
    }
    if (lists && rc == WERR_OK) {
        rc = reminder_list(db, contact, PROFILE_ROWS, out, "reminders");
    }
    jw_close_object(out);
    return rc;
}

int contact_write(db_t *db, const domain_t *d, int64_t contact, buf_t *out,
                  const char *key)
{
    return write_profile(db, d, contact, out, key, true);
}

int contact_write_brief(db_t *db, const domain_t *d, int64_t contact,
                        buf_t *out, const char *key)
{
    return write_profile(db, d, contact, out, key, false);
}

int contact_write_metrics(db_t *db, const domain_t *d, int64_t contact,
                          buf_t *out, const char *key)
{
    db_stmt_t *s = db_stmt(db, &contact_profile);
    donor_row_t r = {.first = -1, .last = -1};
    score_out_t score;
    int rc = WERR_NOTFOUND;

    if (contact != 0) {
        db_bind_i64(s, 1, contact);
        rc = db_first(s);
    }
    if (rc == DB_ROW) {
        donor_row_read(s, 0, &r);
        db_done(s);
    } else if (rc != WERR_NOTFOUND) {
        return rc;
    }
    get_score(d, &r, &score);
    jw_open_object(out, key);
    jw_i64(out, "lifetime_value", r.sum);
    jw_i64(out, "donation_count", r.count);
    write_average(out, &r);
    write_last(out, &r, "last_donation");
    jw_i64(out, "engagement_score", score.score);
    jw_open_object(out, "score_parts");
    jw_double(out, "r", score.r);
    jw_double(out, "f", score.f);
    jw_double(out, "m", score.m);
    jw_double(out, "giving", score.giving);
    jw_double(out, "conversation", score.conversation);
    jw_i64(out, "adjust", score.adjust);
    jw_close_object(out);
    jw_close_object(out);
    return WERR_OK;
}

int contact_render(db_t *db, const domain_t *d, rendered_t *r)
{
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < r->n; i += SOME) {
        db_stmt_t *s = rendered_bind(db, &contact_profile_told, r, i);

        while ((rc = db_step(s)) == DB_ROW) {
            rendered_row_t *row = rendered_begin(r, db_i64(s, DONOR_NCOLUMNS));

            write_fields(s, d, &r->text);
            rendered_end(r, row);
        }
    }
    return rc;
}

int contact_render_stranger(db_t *db, const domain_t *d, rendered_t *r)
{
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < r->n; i += SOME) {
        db_stmt_t *s = rendered_bind(db, &contact_number, r, i);

        while ((rc = db_step(s)) == DB_ROW) {
            char number[ALIAS_MAX];
            known_t p = {.row = {.first = -1, .last = -1},
                         .id = db_i64(s, 0),
                         .phone = db_text(s, 1),
                         .name = number};
            rendered_row_t *row = rendered_begin(r, p.id);

            phone_format(p.phone, number, sizeof(number));
            write_known(&p, d, &r->text);
            rendered_end(r, row);
        }
    }
    return rc;
}

static void write_contact(db_stmt_t *s, const domain_t *d, buf_t *out)
{
    jw_open_object(out, NULL);
    write_fields(s, d, out);
    jw_close_object(out);
}

int contact_page(db_t *db, const domain_t *d, const contact_query_t *q,
                 buf_t *out, const char *key, bool *more, int64_t *last)
{
    db_stmt_t *s = db_stmt(db, &contact_profile_page);
    int n = 0, rc;

    db_bind_i64(s, 1, q->before);
    db_bind_i64(s, 2, q->user);
    db_bind_i64(s, 3, q->all);
    db_bind_i64(s, 4, q->limit + 1);
    jw_open_array(out, key);
    while ((rc = db_step(s)) == DB_ROW && n < q->limit) {
        write_contact(s, d, out);
        *last = db_i64(s, DONOR_NCOLUMNS);
        n++;
    }
    *more = rc == DB_ROW;
    db_done(s);
    jw_close_array(out);
    return rc == DB_ROW ? WERR_OK : rc;
}

int contact_page_of(db_t *db, const domain_t *d, const int64_t *ids, size_t n,
                    buf_t *out, const char *key)
{
    int rc = WERR_OK;

    jw_open_array(out, key);
    for (size_t i = 0; rc == WERR_OK && i < n; i += SOME) {
        db_stmt_t *s = db_stmt(db, &contact_profile_some);

        bind_some_ids(s, &ids[i], n - i);
        while ((rc = db_step(s)) == DB_ROW) {
            write_contact(s, d, out);
        }
    }
    jw_close_array(out);
    return rc;
}
