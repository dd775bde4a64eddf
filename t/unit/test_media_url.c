/* media: addresses that are signed, for people and for a gateway. */
#include "media_fixture.h"
#include "short_memory.h"

#include <openssl/hmac.h>

#include "domain/media_url.h"

static const char id32[] = "0123456789abcdef0123456789abcdef";

/* What the address of that user and end is signed with. */
static void sign(const char *user, const char *expires, char out[65])
{
    unsigned char key[MEDIA_KEY_LEN], md[32];
    char text[128];
    unsigned n;

    memset(key, 7, sizeof(key));
    snprintf(text, sizeof(text), "%s\n%s\n%s", id32, user, expires);
    assert_non_null(HMAC(EVP_sha256(), key, sizeof(key),
                         (const unsigned char *)text, strlen(text), md, &n));
    for (size_t i = 0; i < 32; i++) {
        snprintf(out + 2 * i, 3, "%02x", md[i]);
    }
}

static void addresses(void **state)
{
    fixture_t *f = *state;
    const media_viewer_t viewer = {&f->d, 12}, nobody = {&f->d, 0};
    char wanted[300], expires[32], mac[65], past[32];
    int64_t end = (clock_now_ms() / DAY_MS + 2) * 86400, user = -1;
    buf_t b;

    snprintf(expires, sizeof(expires), "%lld", (long long)end);
    sign("12", expires, mac);
    snprintf(wanted, sizeof(wanted),
             "/api/crm/media/%s?user=12&expires=%s&signature=%s", id32, expires,
             mac);
    buf_init(&b, 0);
    media_url_add(&b, &viewer, id32);
    assert_string_equal(b.data, wanted);
    assert_int_equal(media_url_check(&f->d, id32, "12", expires, mac, &user),
                     WERR_OK);
    assert_int_equal(user, 12);
    assert_int_equal(media_url_check(&f->d, id32, "13", expires, mac, &user),
                     WERR_DENIED);
    assert_int_equal(
        media_url_check(&f->d, id32, "12", "9999999999", mac, &user),
        WERR_DENIED);
    assert_int_equal(media_url_check(&f->d, "0123", "12", expires, mac, &user),
                     WERR_DENIED);
    assert_int_equal(media_url_check(&f->d, id32, NULL, expires, mac, &user),
                     WERR_DENIED);
    assert_int_equal(media_url_check(&f->d, id32, "12", expires, "", &user),
                     WERR_DENIED);
    f->d.settings.media_key[0] ^= 1;
    assert_int_equal(media_url_check(&f->d, id32, "12", expires, mac, &user),
                     WERR_DENIED);
    f->d.settings.media_key[0] ^= 1;
    /* its time is over */
    snprintf(past, sizeof(past), "%lld", (long long)clock_now_ms() / 1000 - 1);
    sign("12", past, mac);
    assert_int_equal(media_url_check(&f->d, id32, "12", past, mac, &user),
                     WERR_DENIED);
    sign("0", expires, mac);
    assert_int_equal(media_url_check(&f->d, id32, "0", expires, mac, &user),
                     WERR_DENIED);
    buf_reset(&b);
    media_url_add(&b, &nobody, id32);
    assert_string_equal(b.data, "/api/crm/media/0123456789abcdef"
                                "0123456789abcdef");
    buf_free(&b);
}

static void addresses_for_a_gateway(void **state)
{
    fixture_t *f = *state;
    char expires[32], mac[65];
    int64_t end = (clock_now_ms() / DAY_MS + 2) * 86400, user = -1;
    buf_t b;

    snprintf(expires, sizeof(expires), "%lld", (long long)end);
    sign("gateway", expires, mac);
    assert_int_equal(
        media_url_check(&f->d, id32, "gateway", expires, mac, &user), WERR_OK);
    assert_int_equal(user, 0);
    for (long skip = 0, hits = short_memory(); hits > 0; skip++) {
        short_memory_begin(skip, 1);
        int rc = media_url_check(&f->d, id32, "gateway", expires, mac, &user);
        hits = short_memory_end();
        assert_true(rc == WERR_OK || rc == WERR_NOMEM);
    }
    buf_init(&b, 0);
    media_url_add_gateway(&b, &f->d, id32);
    assert_non_null(strstr(b.data, mac));
    assert_memory_equal(b.data, "https://crm.example/api/", 24);
    buf_free(&b);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(addresses),
        T(addresses_for_a_gateway),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
