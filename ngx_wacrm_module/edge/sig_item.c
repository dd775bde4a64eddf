#include "edge/sig_internal.h"

#include <string.h>

#include "edge/coding.h"

void sig_items_begin(sig_items_t *items, sig_str_t header, char separator)
{
    items->rest = header;
    items->separator = separator;
    items->done = false;
}

static sig_str_t trimmed(sig_str_t s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s = sig_str_skip(s, 1);
    }
    while (s.len > 0 &&
           (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

bool sig_items_next(sig_items_t *items, sig_str_t *item)
{
    const char *end = NULL;

    if (items->done) {
        return false;
    }
    if (items->separator != '\0') {
        end = memchr(items->rest.data, items->separator, items->rest.len);
    }
    *item = items->rest;
    if (end == NULL) {
        items->done = true;
    } else {
        item->len = (size_t)(end - items->rest.data);
        items->rest = sig_str_skip(items->rest, item->len + 1);
    }
    *item = trimmed(*item);
    return true;
}

bool sig_item_digest(const sig_form_t *form, bool ed25519, sig_str_t item,
                     unsigned char *digest, size_t len)
{
    const char *prefix = form->prefix;
    size_t decoded;

    if (ed25519 && form->key_prefix[0] != '\0') {
        prefix = form->key_prefix;
    }
    if (sig_str_starts(item, prefix)) {
        item = sig_str_skip(item, strlen(prefix));
    } else if (!form->optional_prefix) {
        return false;
    }
    if (form->coding == SIG_HEX) {
        return hex_decode(digest, len, item.data, item.len);
    }
    return b64_decode(digest, len, &decoded, item.data, item.len, B64_PADDED) &&
           decoded == len;
}
