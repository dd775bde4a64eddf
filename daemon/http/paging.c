#include "http/paging.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "domain/chat.h"

int page_limit(const request_t *r, invalid_t *invalid)
{
    const char *text = request_query(r, "limit");
    int64_t limit = PAGE_DEFAULT;
    if (text != NULL && !parse_int(text, 1, PAGE_MAX, &limit)) {
        invalid_add(invalid, "limit",
                    "The limit field must be between 1 and %d.", PAGE_MAX);
        return PAGE_DEFAULT;
    }
    return (int)limit;
}

void cursor_write(int64_t ts, int64_t id, char out[CURSOR_MAX])
{
    snprintf(out, CURSOR_MAX, "%" PRIx64 "-%" PRIx64, (uint64_t)ts,
             (uint64_t)id);
}

static bool read_hex(const char *text, size_t len, int64_t *out)
{
    uint64_t v = 0;
    if (len == 0 || len > 16) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        const char *digits = "0123456789abcdef";
        const char *at = memchr(digits, text[i], 16);
        if (at == NULL) {
            return false;
        }
        v = v << 4 | (uint64_t)(at - digits);
    }
    *out = (int64_t)v;
    return *out >= 0;
}

bool cursor_read(const char *text, int64_t *ts, int64_t *id)
{
    size_t len = strcspn(text, "-");
    return text[len] == '-' && read_hex(text, len, ts) &&
           read_hex(text + len + 1, strlen(text + len + 1), id) && *id > 0;
}

void page_meta(buf_t *out, bool more, int64_t ts, int64_t id)
{
    char next[CURSOR_MAX];
    cursor_write(ts, id, next);
    jw_open_object(out, "meta");
    jw_bool(out, "hasMore", more);
    jw_str(out, "next", more ? next : NULL);
    jw_close_object(out);
}

bool page_chat(request_t *r, int64_t *chat)
{
    int64_t session = 0;
    int rc = request_id(r, 0, chat) ? chat_session(r->db, *chat, &session)
                                    : WERR_NOTFOUND;
    if (rc == WERR_OK && !session_set_has(&r->visible, session)) {
        rc = WERR_NOTFOUND;
    }
    if (rc == WERR_NOTFOUND) {
        response_not_found(&r->response, "Chat not found.");
    } else if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
    return rc == WERR_OK;
}
