/* The gate: times, issuer, audience and the other claims it rules on. */
#include "jwt_fixture.h"

static jwt_gate_result_t judge(const jwt_keyset_t *set, const char *claims,
                               const jwt_gate_rules_t *rules)
{
    jwt_gate_token_t tok;
    jwt_gate_result_t result;

    token(HS256, claims);
    result = jwt_gate_open(set, token_space, strlen(token_space), &tok);
    if (result == JWT_GATE_OK) {
        result = jwt_gate_claims(&tok, rules);
    }
    jwt_gate_close(&tok);
    return result;
}

typedef struct {
    const char *claims;
    jwt_gate_result_t result;
} claims_t;

static void judge_all(const claims_t *cases, size_t n,
                      const jwt_gate_rules_t *rules)
{
    jwt_keyset_t *set = secret_set();
    jwt_gate_result_t result;
    size_t i;

    for (i = 0; i < n; i++) {
        result = judge(set, cases[i].claims, rules);
        if (result != cases[i].result) {
            fail_msg("%s: %s", cases[i].claims, jwt_gate_result_name(result));
        }
    }
    jwt_keyset_free(&set);
}

static void times(void **state)
{
    static const claims_t cases[] = {
        {"{\"exp\":1001}", JWT_GATE_OK},
        {"{\"exp\":991}", JWT_GATE_OK},
        {"{\"exp\":990}", JWT_GATE_EXPIRED},
        {"{\"exp\":0}", JWT_GATE_EXPIRED},
        {"{\"exp\":9007199254740992}", JWT_GATE_OK},
        {"{\"exp\":9007199254740993}", JWT_GATE_EXPIRED},
        {"{\"exp\":9223372036854775807}", JWT_GATE_EXPIRED},
        {"{\"exp\":-1}", JWT_GATE_EXPIRED},
        {"{\"exp\":2000.0}", JWT_GATE_EXPIRED},
        {"{\"exp\":2e3}", JWT_GATE_EXPIRED},
        {"{\"exp\":\"2000\"}", JWT_GATE_EXPIRED},
        {"{\"exp\":null}", JWT_GATE_EXPIRED},
        {"{\"exp\":true}", JWT_GATE_EXPIRED},
        {"{\"exp\":[2000]}", JWT_GATE_EXPIRED},
        {"{\"EXP\":2000}", JWT_GATE_EXPIRED},
        {"{}", JWT_GATE_EXPIRED},
        {"{\"exp\":2000,\"nbf\":1000}", JWT_GATE_OK},
        {"{\"exp\":2000,\"nbf\":1010}", JWT_GATE_OK},
        {"{\"exp\":2000,\"nbf\":1011}", JWT_GATE_EARLY},
        {"{\"exp\":2000,\"nbf\":\"0\"}", JWT_GATE_EARLY},
        {"{\"exp\":2000,\"nbf\":null}", JWT_GATE_EARLY},
        {"{\"exp\":2000,\"nbf\":-1}", JWT_GATE_EARLY},
        {"{\"exp\":2000,\"nbf\":0.5}", JWT_GATE_EARLY},
        {"{\"exp\":2000,\"iat\":1010}", JWT_GATE_OK},
        {"{\"exp\":2000,\"iat\":1011}", JWT_GATE_EARLY},
        {"{\"exp\":2000,\"iat\":9007199254740993}", JWT_GATE_EARLY},
        {"{\"exp\":2000,\"iat\":1.0}", JWT_GATE_EARLY},
    };
    jwt_gate_rules_t rules = {.now = NOW, .leeway = 10};

    (void)state;
    judge_all(cases, sizeof(cases) / sizeof(cases[0]), &rules);
}

static void who_and_what(void **state)
{
    static const claims_t cases[] = {
        {"{\"exp\":2000,\"iss\":\"us\",\"aud\":\"api\"}", JWT_GATE_OK},
        {"{\"exp\":2000,\"iss\":\"us\",\"aud\":[\"x\",\"api\"]}", JWT_GATE_OK},
        {"{\"exp\":2000,\"aud\":\"api\"}", JWT_GATE_ISSUER},
        {"{\"exp\":2000,\"iss\":\"US\",\"aud\":\"api\"}", JWT_GATE_ISSUER},
        {"{\"exp\":2000,\"iss\":\"us/\",\"aud\":\"api\"}", JWT_GATE_ISSUER},
        {"{\"exp\":2000,\"iss\":[\"us\"],\"aud\":\"api\"}", JWT_GATE_ISSUER},
        {"{\"exp\":2000,\"iss\":\"us\"}", JWT_GATE_AUDIENCE},
        {"{\"exp\":2000,\"iss\":\"us\",\"aud\":\"ap\"}", JWT_GATE_AUDIENCE},
        {"{\"exp\":2000,\"iss\":\"us\",\"aud\":\"api2\"}", JWT_GATE_AUDIENCE},
        {"{\"exp\":2000,\"iss\":\"us\",\"aud\":[]}", JWT_GATE_AUDIENCE},
        {"{\"exp\":2000,\"iss\":\"us\",\"aud\":[\"x\"]}", JWT_GATE_AUDIENCE},
        {"{\"exp\":2000,\"iss\":\"us\",\"aud\":[7,\"api\"]}",
         JWT_GATE_AUDIENCE},
        {"{\"exp\":2000,\"iss\":\"us\",\"aud\":{\"api\":1}}",
         JWT_GATE_AUDIENCE},
    };
    static const claims_t others[] = {
        {"{\"exp\":2000,\"sub\":\"7\",\"jti\":\"x\"}", JWT_GATE_OK},
        {"{\"exp\":2000,\"sub\":\"\xc3\xa9\"}", JWT_GATE_OK},
        {"{\"exp\":2000,\"sub\":7}", JWT_GATE_CLAIM},
        {"{\"exp\":2000,\"sub\":null}", JWT_GATE_CLAIM},
        {"{\"exp\":2000,\"sub\":\"\"}", JWT_GATE_CLAIM},
        {"{\"exp\":2000,\"sub\":\"a\\nX-Wacrm-User: 1\"}", JWT_GATE_CLAIM},
        {"{\"exp\":2000,\"sub\":\"a\\u007f\"}", JWT_GATE_CLAIM},
        {"{\"exp\":2000,\"jti\":[]}", JWT_GATE_CLAIM},
        {"{\"exp\":2000,\"jti\":\"\\r\"}", JWT_GATE_CLAIM},
        {"{\"exp\":2000,\"token_use\":\"access\"}", JWT_GATE_OK},
        {"{\"exp\":2000,\"token_use\":\"refresh\"}", JWT_GATE_CLAIM},
        {"{\"exp\":2000,\"token_use\":\"id\"}", JWT_GATE_CLAIM},
        {"{\"exp\":2000,\"token_use\":null}", JWT_GATE_CLAIM},
    };
    jwt_gate_rules_t rules = {NOW, 0, "us", "api"};
    jwt_gate_rules_t any = {NOW, 0, NULL, NULL};

    (void)state;
    judge_all(cases, sizeof(cases) / sizeof(cases[0]), &rules);
    judge_all(others, sizeof(others) / sizeof(others[0]), &any);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times),
        cmocka_unit_test(who_and_what),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
