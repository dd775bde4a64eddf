/*
 * The first byte says whether the rest is a token or a key file. No token may
 * come out with an algorithm that was not configured.
 */
#include "edge/jwt_gate.h"
#include "through.h"

#include <stdlib.h>

#define SECRET "0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void open_token(const jwt_keyset_t *set, const char *token, size_t len)
{
    jwt_gate_rules_t rules = {1000, 10, "us", "api"};
    jwt_gate_token_t tok;

    if (jwt_gate_open(set, token, len, &tok) == JWT_GATE_OK) {
        if (tok.nkeys != 1 || tok.keys[0]->alg != JWT_GATE_HS256) {
            abort();
        }
        if (jwt_gate_claims(&tok, &rules) == JWT_GATE_OK) {
            fuzz_through();
        }
        jwt_gate_close(&tok);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[JWT_GATE_ERROR_MAX];
    jwt_keyset_t *set;

    if (size == 0 || jwt_keyset_new(&set) != 0) {
        return 0;
    }
    if (data[0] < 9) {
        jwt_keyset_add(set, (jwt_gate_alg_t)data[0], data + 1, size - 1, error);
    } else if (jwt_keyset_add(set, JWT_GATE_HS256, SECRET, 32, error) == 0) {
        open_token(set, (const char *)data + 1, size - 1);
    }
    jwt_keyset_free(&set);
    return 0;
}
