/* The piece of a body round its first hit. */
#include <string.h>

#include "base/utf8.h"
#include "search/internal.h"

#define BEFORE   40  /* bytes that are shown before the first hit */
#define LENGTH   160 /* of the piece */
#define HITS_MAX 16

static bool is_inside(const char *body, size_t at)
{
    return ((unsigned char)body[at] & 0xc0) == 0x80;
}

/* The piece: from a word's beginning, if one is near, to a character's end. */
static void cut(const char *body, size_t len, const hit_t *hits, size_t n,
                size_t *from, size_t *to)
{
    size_t first = n > 0 ? hits[0].start : 0;

    *from = first > BEFORE ? first - BEFORE : 0;
    if (*from > 0) {
        size_t at = *from;

        while (at < first && body[at] != ' ' && body[at] != '\n') {
            at++;
        }
        *from = at < first ? at + 1 : *from;
    }
    while (*from < first && is_inside(body, *from)) {
        (*from)++;
    }
    *to = len - *from > LENGTH ? *from + LENGTH : len;
    while (*to < len && is_inside(body, *to)) {
        (*to)++;
    }
}

/* In UTF-16: what is not UTF-8 becomes one U+FFFD a byte, as in the text. */
static int64_t units(const char *text, size_t len)
{
    int64_t n = 0;

    for (size_t i = 0; i < len; n++) {
        size_t step = utf8_len(text + i, len - i);

        n += step == 4;
        i += step > 0 ? step : 1;
    }
    return n;
}

static void write_text(const char *body, size_t len, size_t from, size_t to,
                       buf_t *out)
{
    buf_t piece;

    buf_init(&piece, 0);
    buf_adds(&piece, from > 0 ? "\xe2\x80\xa6" : "");
    for (size_t i = from; i < to; i++) {
        buf_addc(&piece, (unsigned char)body[i] < ' ' ? ' ' : body[i]);
    }
    buf_adds(&piece, to < len ? "\xe2\x80\xa6" : "");
    jw_strn(out, "text", piece.data != NULL ? piece.data : "", piece.len);
    out->failed |= piece.failed;
    buf_free(&piece);
}

void search_snippet(search_look_t *l, const char *body, size_t len, buf_t *out,
                    const char *key)
{
    hit_t hits[HITS_MAX];
    size_t n = HITS_MAX, from, to, done = 0;
    bool matches = false;

    if (look_test(l, body, len, &matches, hits, &n) != WERR_OK) {
        n = 0;
    }
    cut(body, len, hits, n, &from, &to);
    jw_open_object(out, key);
    write_text(body, len, from, to, out);
    jw_open_array(out, "marks");
    for (size_t i = 0; i < n; i++) {
        if (hits[i].start < from || hits[i].start < done || hits[i].end > to) {
            continue;
        }
        done = hits[i].end;
        jw_open_array(out, NULL);
        jw_i64(out, NULL,
               (from > 0) + units(body + from, hits[i].start - from));
        jw_i64(out, NULL,
               units(body + hits[i].start, hits[i].end - hits[i].start));
        jw_close_array(out);
    }
    jw_close_array(out);
    jw_close_object(out);
}
