/* A set of chats: a bit for each there is. */
#include <stdlib.h>

#include "search/internal.h"

int chat_set_init(chat_set_t *set, int64_t last)
{
    set->size = last <= CHAT_MAP_MAX ? (size_t)last + 1 : 0;
    set->n = 0;
    if (set->size > 0) {
        set->bits = calloc(set->size / 64 + 1, sizeof(*set->bits));
    }
    return set->size > 0 && set->bits == NULL ? WERR_NOMEM : WERR_OK;
}

void chat_set_free(chat_set_t *set)
{
    free(set->bits);
    *set = (chat_set_t){0};
}

void chat_set_clear(chat_set_t *set)
{
    for (size_t i = 0; i <= set->size / 64 && set->n > 0; i++) {
        set->bits[i] = 0;
    }
    set->n = 0;
}

int64_t *chat_set_list(const chat_set_t *set)
{
    int64_t *list = calloc(set->n + 1, sizeof(*list));
    size_t n = 0;

    for (size_t i = 0; list != NULL && n < set->n; i++) {
        for (uint64_t word = set->bits[i]; word != 0; word &= word - 1) {
            list[n++] = (int64_t)i * 64 + __builtin_ctzll(word);
        }
    }
    return list;
}
