#include "domain/contact.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/utf8.h"
#include "domain/event.h"
#include "domain/fresh_id.h"

#define NAME_MAX_BYTES 400
#define HOPS_MAX       64

DB_QUERY(contact_by_phone,
         "SELECT id, name, donor, phone FROM contacts WHERE phone = $1");
DB_QUERY(contact_by_id,
         "SELECT id, name, donor, phone FROM contacts WHERE id = $1");
DB_QUERY(contact_by_alias,
         "SELECT k.id, k.name, k.donor, k.phone FROM contact_aliases a "
         "JOIN contacts k ON k.id = a.contact_id WHERE a.alias = $1");
DB_QUERY(contact_insert,
         "INSERT INTO contacts (id, phone, phone_typed, name, donor, "
         "created_at, updated_at) VALUES (" FRESH_ID(
             "contacts") ", $1, $2, $3, $4, $5, $5)");
DB_QUERY(contact_alias_insert,
         "INSERT INTO contact_aliases (alias, contact_id) VALUES ($1, $2) "
         "ON CONFLICT (alias) DO UPDATE SET contact_id = excluded.contact_id");
DB_QUERY(contact_set_name,
         "UPDATE contacts SET name = $2, updated_at = $3 WHERE id = $1");
DB_QUERY(contact_set_phone,
         "UPDATE contacts SET phone = $2, updated_at = $3 WHERE id = $1");
DB_QUERY(contact_set_donor,
         "UPDATE contacts SET donor = 1, updated_at = $2 WHERE id = $1");
DB_QUERY(contact_any_chat,
         "SELECT id FROM chats WHERE contact_id = $1 LIMIT 1");
DB_QUERY(contact_merged_into, "SELECT into_id FROM merges WHERE from_id = $1 "
                              "AND undone_at IS NULL ORDER BY id DESC LIMIT 1");

typedef struct {
    int64_t id;
    bool donor;
    char name[NAME_MAX_BYTES];
    char phone[ALIAS_MAX];
} person_t;

static bool told(const char *s)
{
    return s != NULL && *s != '\0';
}

static int read_person(db_stmt_t *s, person_t *p)
{
    int rc = db_first(s);

    if (rc != DB_ROW) {
        return rc;
    }
    p->id = db_i64(s, 0);
    snprintf(p->name, sizeof(p->name), "%s", db_text(s, 1));
    p->donor = db_i64(s, 2) != 0;
    snprintf(p->phone, sizeof(p->phone), "%s", db_text(s, 3));
    db_done(s);
    return WERR_OK;
}

static int by_text(db_t *db, const db_query_t *q, const char *key, person_t *p)
{
    db_stmt_t *s = db_stmt(db, q);

    db_bind_text(s, 1, key);
    return read_person(s, p);
}

static int by_id(db_t *db, int64_t id, person_t *p)
{
    db_stmt_t *s = db_stmt(db, &contact_by_id);

    db_bind_i64(s, 1, id);
    return read_person(s, p);
}

/* A number of somebody who was merged is an alias of theirs. */
static int by_any(db_t *db, const char *key, person_t *p)
{
    int rc = by_text(db, &contact_by_phone, key, p);

    return rc == WERR_NOTFOUND ? by_text(db, &contact_by_alias, key, p) : rc;
}

int contact_find(db_t *db, const char *phone, int64_t *id)
{
    person_t p;
    int rc = by_any(db, phone, &p);

    if (rc == WERR_OK) {
        *id = p.id;
    }
    return rc;
}

int contact_phone(db_t *db, const char *phone, char out[ALIAS_MAX])
{
    person_t p;
    int rc = by_any(db, phone, &p);

    if (rc == WERR_OK) {
        snprintf(out, ALIAS_MAX, "%s", p.phone);
    }
    return rc;
}

static int merged_into(db_t *db, int64_t id, int64_t *into)
{
    db_stmt_t *s = db_stmt(db, &contact_merged_into);

    db_bind_i64(s, 1, id);
    return db_first_i64(s, into);
}

/* Each merge is later than the one before: it ends. */
static int follow(tx_t *tx, int64_t id, person_t *p)
{
    int rc = by_id(tx->db, id, p);

    for (int hops = 0; rc == WERR_NOTFOUND && hops < HOPS_MAX; hops++) {
        rc = merged_into(tx->db, id, &id);
        if (rc == WERR_OK) {
            rc = by_id(tx->db, id, p);
        } else {
            break;
        }
    }
    return rc;
}

int contact_still(tx_t *tx, int64_t id, int64_t *now)
{
    person_t p = {.id = 0};
    int rc = follow(tx, id, &p);

    *now = p.id;
    return rc;
}

int contact_now(tx_t *tx, int64_t id, int64_t *now)
{
    person_t p = {.id = 0};
    int rc = follow(tx, id, &p);

    if (rc == WERR_OK &&
        strncmp(p.phone, CONTACT_ERASED, strlen(CONTACT_ERASED)) == 0) {
        rc = WERR_NOTFOUND;
    }
    *now = p.id;
    return rc;
}

/* As much of a name as is kept, in whole characters. */
static void take_name(const char *name, char out[NAME_MAX_BYTES])
{
    size_t len = strlen(name), n = 0, step;

    while (n < len && (step = utf8_len(name + n, len - n)) > 0 &&
           n + step < NAME_MAX_BYTES) {
        n += step;
    }
    memcpy(out, name, n);
    out[n] = '\0';
}

/* What stands for a name where nobody has told one. */
static bool is_placeholder(const char *name, const char *phone)
{
    char formatted[ALIAS_MAX];

    phone_format(phone, formatted, sizeof(formatted));
    return strcmp(name, "Unknown") == 0 || strcmp(name, formatted) == 0;
}

static int make(tx_t *tx, const contact_hint_t *h, person_t *p)
{
    db_stmt_t *s;
    int rc;

    snprintf(p->phone, sizeof(p->phone), "%s",
             told(h->phone) ? h->phone : h->alias);
    if (told(h->name)) {
        take_name(h->name, p->name);
    } else {
        phone_format(p->phone, p->name, sizeof(p->name));
    }
    p->donor = h->wrote;
    s = db_stmt(tx->db, &contact_insert);
    db_bind_text(s, 1, p->phone);
    db_bind_text(s, 2, h->typed);
    db_bind_text(s, 3, p->name);
    db_bind_i64(s, 4, p->donor);
    db_bind_i64(s, 5, tx->now);
    rc = db_exec(s);
    p->id = rc == WERR_OK ? db_last_id(tx->db) : 0;
    return rc;
}

static int bind_alias(tx_t *tx, const char *alias, int64_t contact)
{
    db_stmt_t *s = db_stmt(tx->db, &contact_alias_insert);

    db_bind_text(s, 1, alias);
    db_bind_i64(s, 2, contact);
    return db_exec(s);
}

static int set_text(tx_t *tx, const db_query_t *q, int64_t id,
                    const char *value)
{
    db_stmt_t *s = db_stmt(tx->db, q);

    db_bind_i64(s, 1, id);
    db_bind_text(s, 2, value);
    db_bind_i64(s, 3, tx->now);
    return db_exec(s);
}

/* An alias contact whose phone is told now: the phone takes its place. */
static int adopt_phone(tx_t *tx, person_t *p, const char *phone)
{
    bool placeholder = is_placeholder(p->name, p->phone);
    int rc = set_text(tx, &contact_set_phone, p->id, phone);

    snprintf(p->phone, sizeof(p->phone), "%s", phone);
    if (rc == WERR_OK && placeholder) {
        phone_format(phone, p->name, sizeof(p->name));
        rc = set_text(tx, &contact_set_name, p->id, p->name);
    }
    if (rc == WERR_OK) {
        rc = event_raise(tx, EVENT_CONTACT, 0, 0, p->id);
    }
    return rc;
}

/* No alias in the place of a phone. */
static bool has_number(const person_t *p, const char *alias)
{
    return strchr(p->phone, '@') == NULL && strcmp(p->phone, alias) != 0;
}

/* The alias goes to whom the told phone names, and nothing else of its owner:
 * that may be a stranger by now, or somebody else all along. */
static int move_alias(tx_t *tx, const char *alias, const person_t *from,
                      const person_t *to)
{
    int rc = bind_alias(tx, alias, to->id);

    if (rc == WERR_OK) {
        rc = event_raise(tx, EVENT_CONTACT, 0, 0, from->id);
    }
    if (rc == WERR_OK) {
        rc = event_raise(tx, EVENT_CONTACT, 0, 0, to->id);
    }
    if (rc == WERR_OK) {
        log_info("contact",
                 "msg=\"an alias came with another number: it moved\" "
                 "from_contact=%lld to_contact=%lld",
                 (long long)from->id, (long long)to->id);
    }
    return rc;
}

/* Both are told: see contact.h. */
static int join(tx_t *tx, const contact_hint_t *h, person_t *p, bool *created)
{
    person_t other;
    int by_alias = by_text(tx->db, &contact_by_alias, h->alias, &other);
    int rc = by_any(tx->db, h->phone, p);

    if (by_alias != WERR_OK && by_alias != WERR_NOTFOUND) {
        return by_alias;
    }
    if (rc == WERR_OK && by_alias == WERR_OK && other.id == p->id) {
        return WERR_OK;
    }
    if (by_alias == WERR_OK && !has_number(&other, h->alias)) {
        if (rc == WERR_NOTFOUND) {
            *p = other;
            return adopt_phone(tx, p, h->phone);
        }
        if (rc == WERR_OK) {
            rc = contact_merge(tx, p->id, other.id);
        }
        return rc == WERR_OK ? by_id(tx->db, p->id, p) : rc;
    }
    if (rc == WERR_NOTFOUND) {
        *created = true;
        rc = make(tx, h, p);
    }
    if (rc == WERR_OK && by_alias == WERR_OK) {
        return h->past ? WERR_OK : move_alias(tx, h->alias, &other, p);
    }
    return rc == WERR_OK ? bind_alias(tx, h->alias, p->id) : rc;
}

static int locate(tx_t *tx, const contact_hint_t *h, person_t *p, bool *created)
{
    bool phone = told(h->phone), alias = told(h->alias);
    int rc;

    *created = false;
    if (!phone && !alias) {
        return WERR_INVALID;
    }
    if (phone && alias) {
        return join(tx, h, p, created);
    }
    rc = phone ? by_any(tx->db, h->phone, p)
               : by_text(tx->db, &contact_by_alias, h->alias, p);
    if (rc != WERR_NOTFOUND) {
        return rc;
    }
    *created = true;
    rc = make(tx, h, p);
    return rc == WERR_OK && alias ? bind_alias(tx, h->alias, p->id) : rc;
}

/* The one person whom the hint names, by whatever it tells. */
static int look_up(db_t *db, const contact_hint_t *h, person_t *p)
{
    person_t other;
    int rc;

    if (!told(h->phone)) {
        return told(h->alias) ? by_text(db, &contact_by_alias, h->alias, p)
                              : WERR_NOTFOUND;
    }
    rc = by_any(db, h->phone, p);
    if (rc == WERR_OK && told(h->alias)) {
        rc = by_text(db, &contact_by_alias, h->alias, &other);
        if (rc == WERR_OK && other.id != p->id) {
            rc = WERR_NOTFOUND;
        }
    }
    return rc;
}

static bool tells_name(const contact_hint_t *h, const person_t *p)
{
    return told(h->name) && strcmp(h->name, p->name) != 0 &&
           is_placeholder(p->name, p->phone);
}

static int has_chat(db_t *db, int64_t contact, bool *out)
{
    db_stmt_t *s = db_stmt(db, &contact_any_chat);

    db_bind_i64(s, 1, contact);
    return db_exists(s, out);
}

/* Somebody known before, who may have told more of themselves now. */
static int learn(tx_t *tx, const contact_hint_t *h, person_t *p, bool *newcomer)
{
    db_stmt_t *s;
    bool known = false;
    int rc = WERR_OK;

    if (tells_name(h, p)) {
        take_name(h->name, p->name);
        rc = set_text(tx, &contact_set_name, p->id, p->name);
        if (rc == WERR_OK) {
            rc = event_raise(tx, EVENT_CONTACT, 0, 0, p->id);
        }
    }
    if (rc != WERR_OK || !h->wrote || p->donor) {
        return rc;
    }
    rc = has_chat(tx->db, p->id, &known);
    if (rc != WERR_OK) {
        return rc;
    }
    *newcomer = !known;
    s = db_stmt(tx->db, &contact_set_donor);
    db_bind_i64(s, 1, p->id);
    db_bind_i64(s, 2, tx->now);
    return db_exec(s);
}

int contact_settled(tx_t *tx, const contact_hint_t *h, contact_ref_t *out)
{
    person_t p;
    int rc = look_up(tx->db, h, &p);

    memset(out, 0, sizeof(*out));
    if (rc != WERR_OK) {
        return rc;
    }
    if (tells_name(h, &p) || (h->wrote && !p.donor)) {
        return WERR_NOTFOUND;
    }
    out->id = p.id;
    snprintf(out->phone, sizeof(out->phone), "%s", p.phone);
    return WERR_OK;
}

int contact_ensure(tx_t *tx, const contact_hint_t *h, contact_ref_t *out)
{
    person_t p;
    int rc;

    memset(out, 0, sizeof(*out));
    rc = locate(tx, h, &p, &out->created);
    if (rc == WERR_OK && !out->created) {
        rc = learn(tx, h, &p, &out->newcomer);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    if (out->created) {
        out->newcomer = h->wrote;
    }
    out->id = p.id;
    snprintf(out->phone, sizeof(out->phone), "%s", p.phone);
    return WERR_OK;
}
