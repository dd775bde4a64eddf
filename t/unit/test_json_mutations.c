/* The check against jansson, on random mutations: what jansson takes must never
 * be refused. */
#include "json_check_cases.h"

static uint32_t rng = 2463534242u;

static uint32_t rnd(uint32_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 17;
    rng ^= rng << 5;
    return rng % n;
}

static const char sample[] =
    "{\"event\":\"message.received\",\"session\":\"desk \","
    "\"data\":{\"id\":\"true_628123@c.us_3EB0\",\"t\":1767225600,\"f\":-1.5e+3,"
    "\"me\":false,\"q\":null,\"to\":[1,0,-0,\"\xc3\xa9\xe2\x82\xac"
    "\xf0\x9f\x98\x80 terima kasih banyak untuk semuanya\",{},[]],"
    "\"a\\n\\\"\":true}}";

static size_t mutate(char *buf, size_t cap)
{
    static const char letters[] =
        "{}[]:,\"\\0123456789.eE+-truefalsn \t\n/bfu\x80\xbf\xc3\xed\xa0\xff";
    size_t len = sizeof(sample) - 1;
    uint32_t rounds = rnd(4);
    const case_t *k;
    size_t at;

    assert_true(len + 4 < cap);
    memcpy(buf, sample, len);
    if (rnd(4) == 0) {
        k = &cases[rnd(NCASES)];
        len = k->len;
        memcpy(buf, k->text, len);
    }
    while (rounds-- > 0 && len > 0) {
        at = rnd((uint32_t)len);
        switch (rnd(4)) {
        case 0:
            buf[at] = letters[rnd(sizeof(letters) - 1)];
            break;
        case 1:
            memmove(buf + at, buf + at + 1, len - at - 1);
            len--;
            break;
        case 2:
            memmove(buf + at + 1, buf + at, len - at);
            buf[at] = letters[rnd(sizeof(letters) - 1)];
            len++;
            break;
        default:
            buf[at] = (char)rnd(256);
            break;
        }
    }
    return len;
}

static size_t longest_digits(const char *buf, size_t len)
{
    size_t i, run = 0, most = 0;

    for (i = 0; i < len; i++) {
        run = buf[i] >= '0' && buf[i] <= '9' ? run + 1 : 0;
        most = run > most ? run : most;
    }
    return most;
}

/* Is this one of the things that only the check takes? */
static bool has_more(const char *buf, size_t len)
{
    size_t i;

    for (i = 0; i + 1 < len; i++) {
        if (buf[i] == '\\' && buf[i + 1] == 'u') {
            return true; /* lone surrogate, NUL in a name */
        }
        if ((buf[i] == 'e' || buf[i] == 'E') && i > 0 && buf[i - 1] >= '0' &&
            buf[i - 1] <= '9' && longest_digits(buf + i, len - i) > 2) {
            return true; /* perhaps 1e400 */
        }
    }
    return longest_digits(buf, len) > 18;
}

static void against_jansson(void **state)
{
    char buf[1024];
    json_check_t c;
    uint32_t i, taken = 0, refused = 0;
    size_t len, cut;
    bool good;

    (void)state;
    for (i = 0; i < 60000; i++) {
        len = mutate(buf, sizeof(buf));
        good = by_copy(buf, len);
        taken += good;
        refused += !good;
        if (by_jansson(buf, len) && !good && memchr(buf, 0, len) == NULL) {
            fail_msg("refused: %.*s", (int)len, buf);
        }
        if (good && !by_jansson(buf, len) && !has_more(buf, len)) {
            fail_msg("taken: %.*s", (int)len, buf);
        }
        cut = len > 0 ? rnd((uint32_t)len) : 0;
        json_check_init(&c);
        if ((json_check_update(&c, buf, cut) &&
             json_check_update(&c, buf + cut, len - cut) &&
             json_check_final(&c)) != good) {
            fail_msg("cut at %zu: %.*s", cut, (int)len, buf);
        }
        if (by_bytes(buf, len) != good) {
            fail_msg("byte by byte: %.*s", (int)len, buf);
        }
    }
    assert_true(taken > 5000 && refused > 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_jansson),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
