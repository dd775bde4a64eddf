#include "domain/rendered.h"

void rendered_init(rendered_t *r)
{
    r->n = 0;
    buf_init(&r->text, 0);
}

void rendered_free(rendered_t *r)
{
    buf_free(&r->text);
}

rendered_row_t *rendered_row(rendered_t *r, int64_t id)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->rows[i].id == id) {
            return &r->rows[i];
        }
    }
    return NULL;
}

void rendered_want(rendered_t *r, int64_t id)
{
    if (id != 0 && r->n < RENDERED_MAX && rendered_row(r, id) == NULL) {
        r->rows[r->n++] = (rendered_row_t){.id = id};
    }
}

db_stmt_t *rendered_bind(db_t *db, const db_query_t *q, const rendered_t *r,
                         size_t from)
{
    db_stmt_t *s = db_stmt(db, q);

    for (size_t i = 0; i < SOME && from + i < r->n; i++) {
        db_bind_i64(s, (int)i + 1, r->rows[from + i].id);
    }
    return s;
}

rendered_row_t *rendered_begin(rendered_t *r, int64_t id)
{
    rendered_row_t *row = rendered_row(r, id);

    r->text.comma = false;
    if (row != NULL) {
        row->at = r->text.len;
    }
    return row;
}

void rendered_end(rendered_t *r, rendered_row_t *row)
{
    if (row != NULL) {
        row->len = r->text.len - row->at;
    }
}
