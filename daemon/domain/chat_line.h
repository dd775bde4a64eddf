/*
 * chat_line.h - chats as lines of the list. Private to domain/.
 */
#ifndef WACRM_DOMAIN_CHAT_LINE_H
#define WACRM_DOMAIN_CHAT_LINE_H

#include "domain/chat.h"

typedef struct {
    int64_t ts, id; /* of a chat: its place in the list */
} place_t;

/* Writes the array `conversations`, in the order of rows; a chat that is gone
 * meanwhile is left out. */
int chat_lines(db_t *db, const domain_t *d, const inbox_query_t *q,
               const place_t *rows, size_t n, buf_t *out) WACRM_CHECKED;

#endif
