/*
 * fuzz_phone.c - bytes as what a person typed and as what a gateway sent:
 * digits come out, and what came out once comes out again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/phone.h"
#include "through.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static bool digits(const char *s, size_t least)
{
    size_t n = strspn(s, "0123456789");

    return s[n] == '\0' && n >= least && n <= 15;
}

static void typed(const char *text, size_t len)
{
    char phone[PHONE_MAX], again[PHONE_MAX], shown[64], small[4];
    char plus[PHONE_MAX + 1] = "+";

    if (!phone_from_typed(text, len, phone)) {
        return;
    }
    require(digits(phone, 10));
    if (memchr(text, '@', len) != NULL) {
        return; /* a JID is not held to the rules of what is typed */
    }
    memcpy(plus + 1, phone, strlen(phone) + 1);
    require(phone_from_typed(plus, strlen(plus), again) &&
            strcmp(phone, again) == 0);
    phone_format(phone, shown, sizeof(shown));
    require(phone_from_typed(shown, strlen(shown), again) &&
            strcmp(phone, again) == 0);
    phone_format(phone, small, sizeof(small));
    require(strlen(small) < sizeof(small));
    fuzz_through();
}

static void sent(const char *text, size_t len)
{
    char out[ALIAS_MAX], again[ALIAS_MAX], shown[64];
    jid_kind_t kind = phone_from_jid(text, len, out);

    if (kind == JID_PHONE || kind == JID_ALIAS) {
        require(kind == JID_ALIAS || digits(out, 7));
        require(strlen(out) > 0 && strlen(out) < sizeof(out));
        require(phone_from_jid(out, strlen(out), again) == kind &&
                strcmp(out, again) == 0);
        phone_format(out, shown, sizeof(shown));
        require(strlen(shown) < sizeof(shown));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);

    if (copy != NULL) {
        memcpy(copy, data, size);
        typed(copy, size);
        sent(copy, size);
        free(copy);
    }
    return 0;
}
