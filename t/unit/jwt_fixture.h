/*
 * jwt_fixture.h - tokens and key sets for the gate. A signature of the right
 * length does, as the gate does not verify it.
 */
#ifndef WACRM_T_JWT_FIXTURE_H
#define WACRM_T_JWT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include "b64url.h"
#include "edge/jwt_gate.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define HS256  "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define CLAIMS "{\"sub\":\"7\",\"exp\":2000}"
#define NOW    1000

static char token_space[65536]; /* of the last one that was made */

static inline const char *token_n(const void *header, size_t header_len,
                                  const void *claims, size_t claims_len,
                                  size_t sig_len)
{
    unsigned char sig[4096];
    char *p;

    assert_true(header_len + claims_len < 40000 && sig_len <= sizeof(sig));
    memset(sig, 0x5a, sizeof(sig));
    p = b64url(token_space, header, header_len);
    *p++ = '.';
    p = b64url(p, claims, claims_len);
    *p++ = '.';
    b64url(p, sig, sig_len);
    return token_space;
}

static inline const char *token(const char *header, const char *claims)
{
    return token_n(header, strlen(header), claims, strlen(claims), 32);
}

static inline jwt_keyset_t *new_set(void)
{
    jwt_keyset_t *set;

    assert_int_equal(jwt_keyset_new(&set), 0);
    return set;
}

static inline void add(jwt_keyset_t *set, jwt_gate_alg_t alg, const char *file)
{
    char error[JWT_GATE_ERROR_MAX] = "";

    if (jwt_keyset_add(set, alg, file, strlen(file), error) != 0) {
        fail_msg("%s: %s", jwt_gate_alg_name(alg), error);
    }
}

static inline jwt_keyset_t *secret_set(void)
{
    jwt_keyset_t *set = new_set();

    add(set, JWT_GATE_HS256, SECRET "\n");
    return set;
}

static inline jwt_gate_result_t open_n(const jwt_keyset_t *set,
                                       const char *text, size_t len)
{
    /* Without a NUL behind it, and its end on the end of the memory. */
    char *copy = malloc(len > 0 ? len : 1);
    jwt_gate_result_t result;
    jwt_gate_token_t tok;

    assert_non_null(copy);
    memcpy(copy, text, len);
    result = jwt_gate_open(set, copy, len, &tok);
    free(copy);
    if (result == JWT_GATE_OK) {
        assert_true(json_is_object(tok.claims));
        assert_true(tok.nkeys > 0);
    } else {
        assert_null(tok.claims);
        assert_int_equal(tok.nkeys, 0);
    }
    jwt_gate_close(&tok);
    return result;
}

static inline jwt_gate_result_t gate(const jwt_keyset_t *set, const char *text)
{
    return open_n(set, text, strlen(text));
}

static inline void expect(const jwt_keyset_t *set, const char *text,
                          jwt_gate_result_t expected)
{
    jwt_gate_result_t result = gate(set, text);

    if (result != expected) {
        fail_msg("%s, not %s: %.80s", jwt_gate_result_name(result),
                 jwt_gate_result_name(expected), text);
    }
}

#endif
