/*
 * lines.h - rendered lines of the list of conversations, by chat and by what
 * the database was when they were read: a list is rendered anew after each
 * message, and but one of its lines has changed. Any thread.
 *
 * A line holds until a commit changes its chat, the chat's messages or
 * contact, or a session (store_chat_changed()); until midnight; and half a
 * minute at most, as scores fall with time. A thousand are kept, of 2 KiB at
 * most.
 */
#ifndef WACRM_DOMAIN_LINES_H
#define WACRM_DOMAIN_LINES_H

#include "base/buf.h"
#include "db/store.h"

typedef struct lines_s lines_t;

/* The store stays the caller's. */
int lines_new(lines_t **out, store_t *store) WACRM_CHECKED;
void lines_free(lines_t **lines);

/* What a line is of. */
typedef struct {
    int64_t chat, contact;
    int64_t ts;      /* chats.last_ts */
    int64_t day;     /* today */
    int64_t version; /* store_version() before its transaction began */
} line_of_t;

void lines_keep(lines_t *l, const line_of_t *of, const char *text, size_t len);
/* Appends the line of that chat, of that ts and today; false: it is not
 * there, or holds no more. */
bool lines_copy(lines_t *l, int64_t chat, int64_t ts, int64_t today,
                buf_t *out) WACRM_CHECKED;

#endif
