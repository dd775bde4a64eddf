/*
 * pace.h - how often somebody may do something, counted in memory by keys:
 * GCRA (ITU-T I.371), of which a key needs one time only. It is forgotten
 * when wacrmd ends. Any thread.
 *
 * 8192 keys that are counted, and as many that are remembered; where there is
 * no place the one of its kind gives way that would be forgotten soonest, so
 * that a flood of new keys drives out no busy one, and what is remembered for
 * long nothing that is counted for minutes.
 */
#ifndef WACRM_HTTP_PACE_H
#define WACRM_HTTP_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct pace_s pace_t;

/* burst at once, then one each interval_ms. */
typedef struct {
    int64_t interval_ms, burst;
} pace_rule_t;

#define PACE_KEY_MAX 512

/* A key has parts, each told with its length: none runs into the next. */
typedef struct {
    unsigned char bytes[PACE_KEY_MAX];
    size_t len;
} pace_key_t;

int pace_new(pace_t **out) WACRM_CHECKED;
void pace_free(pace_t **pace);

void pace_key(pace_key_t *key, char kind);
/* What is longer than its place counts as its beginning. */
void pace_key_add(pace_key_t *key, const void *part, size_t len);

/* 0: it may, and is counted; else how many ms to wait. Times: ms, of a clock
 * that nobody sets. */
int64_t pace_take(pace_t *pace, const pace_rule_t *rule, const pace_key_t *key,
                  int64_t now);
/* One that was counted does not count. */
void pace_give_back(pace_t *pace, const pace_rule_t *rule,
                    const pace_key_t *key);

/* A key that is remembered until then, for pace_has(). It is none of those
 * that are counted. */
void pace_remember(pace_t *pace, const pace_key_t *key, int64_t until);
bool pace_has(pace_t *pace, const pace_key_t *key, int64_t now);

#endif
