/*
 * views_fixture.h - lists of a running server, and how they came about.
 */
#ifndef WACRM_T_VIEWS_FIXTURE_H
#define WACRM_T_VIEWS_FIXTURE_H

#include "routes_fixture.h"

#define INBOX "/api/crm/inbox"

static inline int64_t metric(const char *name)
{
    char line[80];
    answer_t a;

    assert_int_equal(web_call(&web, "GET", "/metrics", 0, "", NULL, &a), 200);
    snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr(a.body.data, line);
    assert_non_null(at);
    int64_t n = strtoll(at + strlen(line), NULL, 10);
    answer_free(&a);
    return n;
}

#define AT_ONCE metric("wacrm_inbox_cache_at_once_total")

/* Chats in the list of a user; -1: no list. */
static inline int chats_of(int64_t user, const char *query)
{
    char target[100];
    answer_t a;
    int n = -1;

    snprintf(target, sizeof(target), INBOX "%s", query);
    if (web_call(&web, "GET", target, user, "", NULL, &a) == 200) {
        json_t *json = answer_json(&a);
        n = (int)json_array_size(json_object_get(json, "conversations"));
        json_decref(json);
    }
    answer_free(&a);
    return n;
}

/* Asked for again, by the I/O thread alone. */
static inline void assert_warm(int64_t user, const char *query, int want)
{
    assert_int_equal(chats_of(user, query), want);
    int64_t n = AT_ONCE;
    assert_int_equal(chats_of(user, query), want);
    assert_int_equal(AT_ONCE, n + 1);
}

#endif
