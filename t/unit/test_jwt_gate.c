/*
 * The gate's part of RFC 8725 and of the known attacks on JWT libraries: the
 * header, the segments, the signature's length, the body's JSON.
 */
#include "jwt_fixture.h"

/* ---- the names ---- */

static void names(void **state)
{
    static const char *const good[] = {"HS256", "HS384", "HS512",
                                       "RS256", "RS384", "RS512",
                                       "ES256", "ES384", "ES512"};
    static const char *const bad[] = {"none",  "None",  "NONE",   "",
                                      "hs256", "HS25",  "HS2566", "PS256",
                                      "EdDSA", "ES256K"};
    jwt_gate_alg_t alg;
    size_t i;

    (void)state;
    for (i = 0; i < 9; i++) {
        assert_true(jwt_gate_alg_parse(good[i], 5, &alg));
        assert_int_equal(alg, i);
        assert_string_equal(jwt_gate_alg_name(alg), good[i]);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(jwt_gate_alg_parse(bad[i], strlen(bad[i]), &alg));
    }
    for (i = 0; i <= JWT_GATE_FAULT; i++) {
        assert_non_null(jwt_gate_result_name((jwt_gate_result_t)i));
    }
}

/* ---- the header ---- */

static const struct {
    const char *header;
    jwt_gate_result_t result;
} header_cases[] = {
    {HS256, JWT_GATE_OK},
    {"{\"alg\":\"HS256\"}", JWT_GATE_OK},
    {"{\"alg\":\"HS256\",\"typ\":\"jwt\"}", JWT_GATE_OK},
    {"{\"alg\":\"HS256\",\"typ\":\"application/at+jwt\"}", JWT_GATE_CLAIM},
    {"{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", JWT_GATE_CLAIM},
    {"{\"alg\":\"HS256\",\"kid\":\"any\"}", JWT_GATE_OK},
    /* the algorithm */
    {"{}", JWT_GATE_ALG},
    {"{\"alg\":\"none\"}", JWT_GATE_ALG},
    {"{\"alg\":\"None\"}", JWT_GATE_ALG},
    {"{\"alg\":\"NONE\"}", JWT_GATE_ALG},
    {"{\"alg\":\"nOnE\"}", JWT_GATE_ALG},
    {"{\"alg\":\"\"}", JWT_GATE_ALG},
    {"{\"alg\":null}", JWT_GATE_ALG},
    {"{\"alg\":256}", JWT_GATE_ALG},
    {"{\"alg\":[\"HS256\"]}", JWT_GATE_ALG},
    {"{\"alg\":\"hs256\"}", JWT_GATE_ALG},
    {"{\"alg\":\"HS256 \"}", JWT_GATE_ALG},
    {"{\"alg\":\"HS384\"}", JWT_GATE_ALG},
    {"{\"alg\":\"HS512\"}", JWT_GATE_ALG},
    {"{\"alg\":\"RS256\"}", JWT_GATE_ALG},
    {"{\"alg\":\"ES256\"}", JWT_GATE_ALG},
    {"{\"alg\":\"PS256\"}", JWT_GATE_ALG},
    {"{\"ALG\":\"HS256\"}", JWT_GATE_ALG},
    {"{\"alg\":\"HS256\",\"crit\":[]}", JWT_GATE_ALG},
    {"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", JWT_GATE_ALG},
    {"{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", JWT_GATE_ALG},
    {"{\"alg\":\"HS256\",\"b64\":false}", JWT_GATE_ALG},
    {"{\"alg\":\"HS256\",\"b64\":true}", JWT_GATE_ALG},
    /* keys in the header are of no account */
    {"{\"alg\":\"HS256\",\"jku\":\"https://x\",\"x5u\":\"https://x\","
     "\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"},\"x5c\":[\"AA==\"]}",
     JWT_GATE_OK},
    /* other types of token */
    {"{\"alg\":\"HS256\",\"typ\":\"refresh+jwt\"}", JWT_GATE_CLAIM},
    {"{\"alg\":\"HS256\",\"typ\":7}", JWT_GATE_CLAIM},
    {"{\"alg\":\"HS256\",\"kid\":7}", JWT_GATE_KEY},
    /* JSON */
    {"", JWT_GATE_MALFORMED},
    {"{", JWT_GATE_MALFORMED},
    {"[]", JWT_GATE_MALFORMED},
    {"\"HS256\"", JWT_GATE_MALFORMED},
    {"{\"alg\":\"HS256\"}{}", JWT_GATE_MALFORMED},
    {"{\"alg\":\"HS256\"} x", JWT_GATE_MALFORMED},
    {"{\"alg\":\"none\",\"alg\":\"HS256\"}", JWT_GATE_MALFORMED},
    {"{\"alg\":\"HS256\",\"a\\u006cg\":\"none\"}", JWT_GATE_MALFORMED},
    {"{\"alg\":\"HS256\",\"x\":\"\xff\"}", JWT_GATE_MALFORMED},
    {"{\"alg\":\"HS256\",\"x\":\"\xc0\x80\"}", JWT_GATE_MALFORMED},
    {"{\"alg\":\"HS256\",\"kid\":\"a\\u0000b\"}", JWT_GATE_MALFORMED},
    {"{\"alg\":\"HS256\",\"x\":[[[[[[[[[]]]]]]]]]}", JWT_GATE_OK},
    {"{\"alg\":\"HS256\",\"x\":[[[[[[[[[[]]]]]]]]]]}", JWT_GATE_MALFORMED},
};

static void headers(void **state)
{
    jwt_keyset_t *set = secret_set();
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(header_cases) / sizeof(header_cases[0]); i++) {
        if (gate(set, token(header_cases[i].header, CLAIMS)) !=
            header_cases[i].result) {
            fail_msg("header %s", header_cases[i].header);
        }
    }
    jwt_keyset_free(&set);
    assert_null(set);
}

/* ---- segments, coding, sizes ---- */

static void segments(void **state)
{
    static const char *const bad[] = {
        "",    ".",       "..",       "...",      "a",
        "a.b", "a.b.c.d", "a..c",     ".b.c",     "a.b.",
        " ",   "Bearer",  "e30.e30.", "e30..e30", "e30.e30"};
    jwt_keyset_t *set = secret_set();
    char text[1024];
    char *dot;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (open_n(set, bad[i], strlen(bad[i])) == JWT_GATE_OK) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
    snprintf(text, sizeof(text), "%s.x", token(HS256, CLAIMS));
    expect(set, text, JWT_GATE_MALFORMED);
    snprintf(text, sizeof(text), "%s=", token(HS256, CLAIMS));
    expect(set, text, JWT_GATE_MALFORMED);
    snprintf(text, sizeof(text), "%s ", token(HS256, CLAIMS));
    expect(set, text, JWT_GATE_MALFORMED);
    snprintf(text, sizeof(text), " %s", token(HS256, CLAIMS));
    expect(set, text, JWT_GATE_MALFORMED);
    snprintf(text, sizeof(text), "%s\n", token(HS256, CLAIMS));
    expect(set, text, JWT_GATE_MALFORMED);
    /* A foreign letter at any place, the table's upper half included. */
    for (i = 0; i < strlen(token(HS256, CLAIMS)); i++) {
        if (token_space[i] == '.') {
            continue;
        }
        snprintf(text, sizeof(text), "%.1000s", token_space);
        text[i] = "+/=%\t\x80\xff"[i % 7];
        if (open_n(set, text, strlen(text)) == JWT_GATE_OK) {
            fail_msg("accepted: %s", text);
        }
    }
    /* Another last letter with the same bytes behind it. */
    snprintf(text, sizeof(text), "%s", token(HS256, CLAIMS));
    text[strlen(text) - 1]++;
    expect(set, text, JWT_GATE_MALFORMED);
    /* A token cut at every place is none. */
    token(HS256, CLAIMS);
    for (i = 0; i < strlen(token_space); i++) {
        assert_int_not_equal(open_n(set, token_space, i), JWT_GATE_OK);
    }
    snprintf(text, sizeof(text), "%.1000s", token_space);
    dot = strchr(text, '.');
    *dot = '\0';
    assert_int_equal(open_n(set, text, strlen(token_space)),
                     JWT_GATE_MALFORMED);
    jwt_keyset_free(&set);
}

static void sizes(void **state)
{
    jwt_keyset_t *set = secret_set();
    char json[32768];
    size_t n;

    (void)state;
    n = (size_t)snprintf(json, sizeof(json), "{\"exp\":1,\"x\":\"%012000d\"}",
                         0);
    assert_int_equal(gate(set, token_n(HS256, strlen(HS256), json, n, 32)),
                     JWT_GATE_OK);
    n = (size_t)snprintf(json, sizeof(json), "{\"exp\":1,\"x\":\"%012300d\"}",
                         0);
    token_n(HS256, strlen(HS256), json, n, 32);
    assert_true(strlen(token_space) > JWT_GATE_TOKEN_MAX);
    expect(set, token_space, JWT_GATE_MALFORMED);

    n = (size_t)snprintf(json, sizeof(json),
                         "{\"alg\":\"HS256\",\"x\":\"%08100d\"}", 0);
    assert_true(n <= JWT_GATE_HEADER_MAX);
    expect(set, token_n(json, n, CLAIMS, strlen(CLAIMS), 32), JWT_GATE_OK);
    n = (size_t)snprintf(json, sizeof(json),
                         "{\"alg\":\"HS256\",\"x\":\"%08200d\"}", 0);
    assert_true(n > JWT_GATE_HEADER_MAX);
    expect(set, token_n(json, n, CLAIMS, strlen(CLAIMS), 32),
           JWT_GATE_MALFORMED);
    jwt_keyset_free(&set);
}

static void many_members(void **state)
{
    jwt_keyset_t *set = secret_set();
    char json[8192] = "{";
    size_t at = 1;
    int i;

    (void)state;
    for (i = 0; i < 99; i++) {
        at += (size_t)snprintf(json + at, sizeof(json) - at, "\"a%d\":1,", i);
    }
    snprintf(json + at, sizeof(json) - at, "\"exp\":1}");
    expect(set, token(HS256, json), JWT_GATE_OK);
    snprintf(json + at, sizeof(json) - at, "\"exp\":1,\"z\":1}");
    expect(set, token(HS256, json), JWT_GATE_MALFORMED);
    memset(json, '[', 8000);
    json[8000] = '\0';
    expect(set, token(HS256, json), JWT_GATE_MALFORMED);
    jwt_keyset_free(&set);
}

static void signatures(void **state)
{
    static const size_t lens[] = {0, 1, 31, 33, 48, 64, 256, 2048, 3000};
    jwt_keyset_t *set = secret_set();
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        if (gate(set, token_n(HS256, strlen(HS256), CLAIMS, strlen(CLAIMS),
                              lens[i])) != JWT_GATE_SIGNATURE) {
            fail_msg("a signature of %zu bytes", lens[i]);
        }
    }
    jwt_keyset_free(&set);
}

static void bodies(void **state)
{
    static const char *const bad[] = {"",
                                      "null",
                                      "[]",
                                      "7",
                                      "{",
                                      "{\"exp\":2000,\"exp\":9000}",
                                      "{\"sub\":\"a\",\"s\\u0075b\":\"b\"}",
                                      "{\"sub\":\"\xed\xa0\x80\"}",
                                      "{\"x\":{\"a\":1,\"a\":1}}",
                                      "{\"exp\":9223372036854775808}",
                                      "{\"sub\":\"a\\u0000b\"}",
                                      "\xef\xbb\xbf{}",
                                      "{}{}"};
    jwt_keyset_t *set = secret_set();
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (gate(set, token(HS256, bad[i])) != JWT_GATE_MALFORMED) {
            fail_msg("claims %s", bad[i]);
        }
    }
    jwt_keyset_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),        cmocka_unit_test(headers),
        cmocka_unit_test(segments),     cmocka_unit_test(sizes),
        cmocka_unit_test(many_members), cmocka_unit_test(signatures),
        cmocka_unit_test(bodies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
