/*
 * guesses.h - how many wrong passwords an account may get (OWASP
 * Authentication Cheat Sheet; NIST SP 800-63B 5.2.2), beside the rate of
 * sign-ins of a network at the edge.
 *
 * Each account has from each network (/32 of IPv4, /64 of IPv6) its own
 * number a minute. From all networks together that nobody has signed in from
 * with this account in the last 30 days it has 30, and one a minute. So many
 * networks guess no faster than one, and nobody who guesses locks out who
 * signs in from where they always do. Addresses that are nobody's are counted
 * alike: the answer is no word on whether there is an account.
 */
#ifndef WACRM_HTTP_GUESSES_H
#define WACRM_HTTP_GUESSES_H

#include "http/pace.h"

typedef struct {
    pace_rule_t here;     /* of this account from this network */
    pace_key_t pair, all; /* counted, of guesses_begin() */
    pace_key_t known;
    bool is_known;
} guess_t;

/* Before a password is looked at. client: the address as text; NULL: not
 * told. per_minute: at least 1. 0: it may; else how many seconds to wait. */
int64_t guesses_begin(pace_t *pace, guess_t *out, const char *email,
                      const char *client, int per_minute, int64_t now_ms);
/* It could not be looked at: it does not count. */
void guesses_fault(pace_t *pace, const guess_t *guess);
/* It was the right one: nor does it, and the network is known from now on. */
void guesses_right(pace_t *pace, const guess_t *guess, int64_t now_ms);

#endif
