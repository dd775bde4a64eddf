/*
 * rendered.h - rows of one kind, wanted by their ids and rendered in a few
 * statements, each into its place of one buffer. Private to domain/.
 */
#ifndef WACRM_DOMAIN_RENDERED_H
#define WACRM_DOMAIN_RENDERED_H

#include "base/buf.h"
#include "domain/domain.h"
#include "domain/some_ids.h"

#define RENDERED_MAX 200
/* Characters that are shown of what somebody else has written. */
#define RENDERED_TEXT  "1000"
#define RENDERED_TITLE "100"

typedef struct {
    int64_t id;
    int64_t contact; /* whose it is; 0: nobody's, or not told */
    int64_t chat;    /* of a message */
    size_t at, len;  /* in text; len 0: there is no such row (any more) */
    bool cut;        /* a message's text is longer */
    bool closed;     /* its chat does not open the contact's record */
} rendered_row_t;

typedef struct {
    rendered_row_t rows[RENDERED_MAX];
    size_t n;
    buf_t text;
} rendered_t;

void rendered_init(rendered_t *r);
void rendered_free(rendered_t *r);

/* Once each; at most RENDERED_MAX different ids. */
void rendered_want(rendered_t *r, int64_t id);
/* NULL: not wanted. */
rendered_row_t *rendered_row(rendered_t *r, int64_t id);

/* The query bound to the ids from `from` on. */
db_stmt_t *rendered_bind(db_t *db, const db_query_t *q, const rendered_t *r,
                         size_t from);
/* What is written to r->text between these two is the row's. */
rendered_row_t *rendered_begin(rendered_t *r, int64_t id);
void rendered_end(rendered_t *r, rendered_row_t *row);

/* The rows as members of an object, without its braces ... */
int message_render(db_t *db, rendered_t *r) WACRM_CHECKED;
int message_render_status(db_t *db, rendered_t *r) WACRM_CHECKED;
int contact_render(db_t *db, const domain_t *d, rendered_t *r) WACRM_CHECKED;
/* ... as somebody of whom nothing is known but the number ... */
int contact_render_stranger(db_t *db, const domain_t *d,
                            rendered_t *r) WACRM_CHECKED;
int reminder_render(db_t *db, rendered_t *r) WACRM_CHECKED;
int session_render(db_t *db, rendered_t *r) WACRM_CHECKED;
/* ... Conversation, an object. */
int chat_render(db_t *db, const domain_t *d, rendered_t *r) WACRM_CHECKED;

#endif
