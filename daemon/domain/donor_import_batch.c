#include "domain/donor_import_batch.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "domain/audit.h"
#include "domain/contact.h"
#include "domain/event.h"

/* A contact that the charity itself lists is a donor, under its own name. */
DB_QUERY(mark_donor, "UPDATE contacts SET donor = 1,"
                     " name = CASE WHEN $2 = '' THEN name ELSE $2 END,"
                     " updated_at = $3 WHERE id = $1 AND (donor = 0 OR"
                     " ($2 <> '' AND name <> $2))");
DB_QUERY(import_ref, "SELECT id FROM donations WHERE ref = $1");

/* WERR_INVALID with a reason, or what the domain says. */
static int apply_row(tx_t *tx, const import_row_t *row, donor_import_t *result,
                     const char **reason)
{
    char phone[PHONE_MAX];
    contact_hint_t hint = {.phone = phone, .name = row->text[IMPORT_NAME]};
    contact_ref_t contact;
    gift_t gift = {0};
    db_stmt_t *s;
    int64_t id;
    int rc = import_row_read(row, tx->today, phone, &gift, reason);

    if (rc < 0) {
        return rc;
    }
    rc = contact_ensure(tx, &hint, &contact);
    if (rc < 0) {
        return rc;
    }
    s = db_stmt(tx->db, &mark_donor);
    db_bind_i64(s, 1, contact.id);
    db_bind_text(s, 2, row->text[IMPORT_NAME]);
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

static int compare_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* true if this run would have made it before; else it is noted as made. */
static int would_be_there(import_batch_t *b, char kind, const char *text,
                          bool *there)
{
    char *key = NULL, **found;

    if (asprintf(&key, "%c%s", kind, text) < 0) {
        return WERR_NOMEM;
    }
    found = tsearch(key, &b->seen, compare_text);
    *there = found != NULL && *found != key;
    if (found == NULL || *there) {
        free(key);
    }
    return found != NULL ? WERR_OK : WERR_NOMEM;
}

static int look_at_row(import_batch_t *b, import_row_t *row, int64_t today)
{
    char phone[PHONE_MAX];
    gift_t gift = {0};
    int64_t id;
    bool there = true;
    db_stmt_t *s;
    int rc = import_row_read(row, today, phone, &gift, &row->refused);

    if (rc < 0) {
        b->result->bad++;
        return WERR_OK;
    }
    rc = contact_find(b->db, phone, &id);
    if (rc == WERR_NOTFOUND) {
        rc = would_be_there(b, 'p', phone, &there);
    }
    b->result->contacts += !there;
    if (rc < 0 || gift.amount == 0) {
        return rc;
    }
    s = db_stmt(b->db, &import_ref);
    db_bind_text(s, 1, gift.ref);
    rc = db_first(s);
    db_done(s);
    there = true;
    if (rc == WERR_NOTFOUND) {
        rc = would_be_there(b, 'r', gift.ref, &there);
    }
    b->result->known += there;
    b->result->gifts += !there;
    return rc < 0 ? rc : WERR_OK;
}

static int look_at_rows(import_batch_t *b)
{
    int64_t today =
        clock_day_of(clock_now_ms(), b->domain->settings.utc_offset_s);
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < b->nrows; i++) {
        rc = look_at_row(b, &b->rows[i], today);
    }
    return rc;
}

/* One transaction over the rows that wait; a bad row leaves no trace. */
static int apply_rows(tx_t *tx, void *arg)
{
    import_batch_t *b = arg;
    donor_import_t *after = &b->after;
    char detail[80];
    int rc;

    *after = *b->result;
    event_many_begin(tx);
    for (size_t i = 0; i < b->nrows; i++) {
        const char **reason = &b->rows[i].refused;

        rc = db_savepoint(tx->db);
        if (rc < 0) {
            return rc;
        }
        rc = apply_row(tx, &b->rows[i], after, reason);
        if (rc == WERR_INVALID) {
            rc = db_rollback_to(tx->db);
            after->bad++;
        } else if (rc >= 0) {
            rc = db_release(tx->db);
        }
        if (rc < 0) {
            return rc;
        }
    }
    (void)snprintf(detail, sizeof(detail), "%lld gifts, %lld new contacts",
                   (long long)(after->gifts - b->result->gifts),
                   (long long)(after->contacts - b->result->contacts));
    rc = event_many_end(tx);
    if (rc != WERR_OK) {
        return rc;
    }
    return audit_note(tx, &(audit_t){.action = "import", .detail = detail});
}

int import_batch_open(import_batch_t *b, domain_t *d, bool dry_run,
                      donor_import_t *result)
{
    int rc = WERR_OK;

    *b = (import_batch_t){.domain = d, .result = result};
    if (dry_run) {
        rc = store_reader(d->store, &b->db);
    }
    if (rc >= 0) {
        b->rows = malloc(IMPORT_BATCH_MAX * sizeof(*b->rows));
        rc = b->rows != NULL ? WERR_OK : WERR_NOMEM;
    }
    if (rc < 0) {
        import_batch_close(b);
    }
    return rc;
}

int import_batch_write(import_batch_t *b)
{
    int rc;

    if (b->db != NULL) {
        return look_at_rows(b);
    }
    rc = domain_write(b->domain, apply_rows, b);
    if (rc >= 0) {
        *b->result = b->after;
    }
    return rc;
}

void import_batch_close(import_batch_t *b)
{
    tdestroy(b->seen, free);
    store_reader_close(&b->db);
    free(b->rows);
    *b = (import_batch_t){0};
}
