#include "http/guesses.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/clock.h"

#define KNOWN_MS  (30 * DAY_MS)
#define MINUTE_MS INT64_C(60000)

static const pace_rule_t elsewhere = {MINUTE_MS, 30};

static void add_network(pace_key_t *key, const char *client)
{
    struct in6_addr six;
    struct in_addr four;

    if (client == NULL) {
        pace_key_add(key, "", 0);
    } else if (inet_pton(AF_INET, client, &four) == 1) {
        pace_key_add(key, &four, sizeof(four));
    } else if (inet_pton(AF_INET6, client, &six) != 1) {
        pace_key_add(key, client, strlen(client));
    } else if (IN6_IS_ADDR_V4MAPPED(&six)) {
        pace_key_add(key, &six.s6_addr[12], 4);
    } else {
        pace_key_add(key, &six, 8);
    }
}

/* As accounts are found: whatever the case of ASCII letters. */
static void add_account(pace_key_t *key, const char *email)
{
    char lower[256];
    size_t len = strnlen(email, sizeof(lower));

    for (size_t i = 0; i < len; i++) {
        char c = email[i];

        lower[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    pace_key_add(key, lower, len);
}

int64_t guesses_begin(pace_t *pace, guess_t *out, const char *email,
                      const char *client, int per_minute, int64_t now_ms)
{
    int64_t wait;

    out->here = (pace_rule_t){MINUTE_MS / per_minute, per_minute};
    pace_key(&out->all, 'a');
    add_account(&out->all, email);
    pace_key(&out->pair, 'p');
    add_account(&out->pair, email);
    add_network(&out->pair, client);
    out->known = out->pair;
    out->known.bytes[0] = 'k';
    out->is_known = pace_has(pace, &out->known, now_ms);
    wait = pace_take(pace, &out->here, &out->pair, now_ms);
    if (wait == 0 && !out->is_known) {
        wait = pace_take(pace, &elsewhere, &out->all, now_ms);
    }
    return (wait + 999) / 1000;
}

void guesses_fault(pace_t *pace, const guess_t *guess)
{
    pace_give_back(pace, &guess->here, &guess->pair);
    if (!guess->is_known) {
        pace_give_back(pace, &elsewhere, &guess->all);
    }
}

void guesses_right(pace_t *pace, const guess_t *guess, int64_t now_ms)
{
    guesses_fault(pace, guess);
    pace_remember(pace, &guess->known, now_ms + KNOWN_MS);
}
