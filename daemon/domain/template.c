#include "domain/template.h"
#include "domain/fresh_id.h"
#include "domain/row_json.h"

#include <stdlib.h>
#include <string.h>

#include "domain/event.h"

#define COLUMNS                                                      \
    "SELECT id, name, content, gateway_name, language, created_at, " \
    "updated_at FROM message_templates "

DB_QUERY(template_insert,
         "INSERT INTO message_templates (id, name, content, gateway_name, "
         "language, created_at, updated_at) VALUES (" FRESH_ID(
             "message_templates") ", $1, $2, $3, $4, $5, $5)");
DB_QUERY(template_update,
         "UPDATE message_templates SET name = $2, content = $3, "
         "gateway_name = $4, language = $5, updated_at = $6 WHERE id = $1");
DB_QUERY(template_delete, "DELETE FROM message_templates WHERE id = $1");
DB_QUERY(template_by_id, COLUMNS "WHERE id = $1");
DB_QUERY(template_by_name, COLUMNS "ORDER BY name, id LIMIT $1");
DB_QUERY(template_search, COLUMNS "WHERE lower(name || ' ' || content) LIKE "
                                  "'%' || lower($2) || '%' ESCAPE '\\' "
                                  "ORDER BY name, id LIMIT $1");

int template_add(tx_t *tx, const template_t *t, int64_t *id)
{
    db_stmt_t *s = db_stmt(tx->db, &template_insert);
    int rc;

    db_bind_text(s, 1, t->name);
    db_bind_text(s, 2, t->content);
    db_bind_text(s, 3, t->gateway_name);
    db_bind_text(s, 4, t->language);
    db_bind_i64(s, 5, tx->now);
    rc = db_exec(s);
    if (rc == WERR_OK) {
        *id = db_last_id(tx->db);
        rc = event_raise(tx, EVENT_TEMPLATES, 0, 0, *id);
    }
    return rc;
}

/* Of a statement that has run: there was such a template. */
static int changed(tx_t *tx, int64_t id)
{
    return db_changes(tx->db) == 0 ? WERR_NOTFOUND
                                   : event_raise(tx, EVENT_TEMPLATES, 0, 0, id);
}

int template_set(tx_t *tx, int64_t id, const template_t *t)
{
    db_stmt_t *s = db_stmt(tx->db, &template_update);
    int rc;

    db_bind_i64(s, 1, id);
    db_bind_text(s, 2, t->name);
    db_bind_text(s, 3, t->content);
    db_bind_text(s, 4, t->gateway_name);
    db_bind_text(s, 5, t->language);
    db_bind_i64(s, 6, tx->now);
    rc = db_exec(s);
    return rc == WERR_OK ? changed(tx, id) : rc;
}

int template_remove(tx_t *tx, int64_t id)
{
    int rc = fresh_id_gone(tx, "message_templates", id);
    db_stmt_t *s;

    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &template_delete);
    db_bind_i64(s, 1, id);
    rc = db_exec(s);
    return rc == WERR_OK ? changed(tx, id) : rc;
}

/* false: out of memory. */
static bool copy(char **out, const char *text)
{
    *out = text != NULL ? strdup(text) : NULL;
    return text == NULL || *out != NULL;
}

int template_get(db_t *db, int64_t id, template_row_t *out)
{
    db_stmt_t *s = db_stmt(db, &template_by_id);
    int rc;

    memset(out, 0, sizeof(*out));
    db_bind_i64(s, 1, id);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    out->id = id;
    rc = copy(&out->name, db_text(s, 1)) &&
                 copy(&out->content, db_text(s, 2)) &&
                 copy(&out->gateway_name, db_text(s, 3)) &&
                 copy(&out->language, db_text(s, 4))
             ? WERR_OK
             : WERR_NOMEM;
    db_done(s);
    if (rc != WERR_OK) {
        template_free(out);
    }
    return rc;
}

void template_free(template_row_t *t)
{
    free(t->name);
    free(t->content);
    free(t->gateway_name);
    free(t->language);
    memset(t, 0, sizeof(*t));
}

static void write_row(db_stmt_t *s, buf_t *out, const char *key)
{
    jw_open_object(out, key);
    jw_i64(out, "id", db_i64(s, 0));
    jw_str(out, "name", db_text(s, 1));
    jw_str(out, "content", db_text(s, 2));
    template_variables(db_text(s, 2), out, "variables");
    jw_str(out, "gateway_name", db_text(s, 3));
    jw_str(out, "language", db_text(s, 4));
    jw_time(out, "created_at", db_i64(s, 5));
    jw_time(out, "updated_at", db_i64(s, 6));
    jw_close_object(out);
}

int template_write(db_t *db, int64_t id, buf_t *out, const char *key)
{
    db_stmt_t *s = db_stmt(db, &template_by_id);

    db_bind_i64(s, 1, id);
    return row_write_first(s, write_row, out, key);
}

/* "%" and "_" mean themselves. */
static void add_pattern(buf_t *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("%_\\", *text) != NULL) {
            buf_addc(out, '\\');
        }
        buf_addc(out, *text);
    }
}

int template_list(db_t *db, const char *search, int limit, buf_t *out,
                  const char *key)
{
    db_stmt_t *s =
        db_stmt(db, search != NULL ? &template_search : &template_by_name);
    buf_t pattern;
    int rc = WERR_NOMEM;

    buf_init(&pattern, 0);
    db_bind_i64(s, 1, limit);
    if (search != NULL) {
        add_pattern(&pattern, search);
        if (pattern.failed) {
            goto out;
        }
        db_bind_textn(s, 2, pattern.data != NULL ? pattern.data : "",
                      pattern.len);
    }
    jw_open_array(out, key);
    while ((rc = db_step(s)) == DB_ROW) {
        write_row(s, out, NULL);
    }
    jw_close_array(out);
out:
    buf_free(&pattern);
    return rc;
}
