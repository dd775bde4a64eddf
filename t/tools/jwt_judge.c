/*
 * jwt_judge ALG KEYFILE ISSUER AUDIENCE NOW
 *
 * Judges tokens from standard input as the edge does, cache included: each
 * is four bytes of length, most significant first, and its bytes. One line of
 * output each: the reason, or "ok" and a list of sub, jti and exp.
 *
 * Each token is judged twice, the second time with the first one in the cache
 * of verified tokens; "cache" instead of a reason says that both differ, or
 * that a token is found with a set of keys that it was not verified with.
 */
#include "edge/jwt_cache.h"
#include "edge/jwt_gate.h"
#include "edge/jwt_signature.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Few: most tokens push another one out. */
#define PLACES   64
#define FILE_MAX 65536
#define LEN_MAX  (1024 * 1024)

typedef struct {
    jwt_keyset_t *set, *other;
    jwt_cache_t *cache;
    jwt_gate_rules_t rules;
} judge_t;

static jwt_gate_result_t verify(const judge_t *j, const char *token, size_t len,
                                jwt_gate_token_t *tok)
{
    jwt_gate_result_t result = jwt_gate_open(j->set, token, len, tok);
    int good = 0;

    if (result != JWT_GATE_OK) {
        return result;
    }
    for (size_t i = 0; i < tok->nkeys && good == 0; i++) {
        good = jwt_signature_good(token, jwt_gate_alg_name(tok->keys[i]->alg),
                                  tok->keys[i]->data, tok->keys[i]->len);
    }
    return good > 0    ? JWT_GATE_OK
           : good == 0 ? JWT_GATE_SIGNATURE
                       : JWT_GATE_FAULT;
}

/* In the order of ngx_wacrm_jwt_check(). */
static jwt_gate_result_t judge(judge_t *j, const char *token, size_t len,
                               json_t **claims)
{
    jwt_gate_token_t tok = {0};
    jwt_gate_result_t result = JWT_GATE_OK;
    int64_t exp;
    bool known;

    tok.claims = jwt_cache_find(j->cache, j->set, token, len);
    known = tok.claims != NULL;
    if (!known) {
        result = verify(j, token, len, &tok);
    }
    if (result == JWT_GATE_OK) {
        result = jwt_gate_claims(&tok, &j->rules);
    }
    if (result == JWT_GATE_OK && !known) {
        exp = json_integer_value(json_object_get(tok.claims, "exp"));
        jwt_cache_add(j->cache, j->set, token, len, tok.claims,
                      exp + j->rules.leeway, j->rules.now);
    }
    *claims = result == JWT_GATE_OK ? json_incref(tok.claims) : NULL;
    jwt_gate_close(&tok);
    return result;
}

/* "ok", and what the edge would hand on: sub, jti and exp, null where absent.
 */
static int tell_claims(const json_t *claims)
{
    json_t *list = json_pack("[O?,O?,O?]", json_object_get(claims, "sub"),
                             json_object_get(claims, "jti"),
                             json_object_get(claims, "exp"));
    char *text = json_dumps(list, JSON_COMPACT);
    int n = text != NULL ? printf("ok %s\n", text) : -1;

    free(text);
    json_decref(list);
    return n < 0 ? -1 : 0;
}

static int tell(judge_t *j, const char *token, size_t len)
{
    json_t *first_claims, *claims;
    jwt_gate_result_t first = judge(j, token, len, &first_claims);
    jwt_gate_result_t again = judge(j, token, len, &claims);
    json_t *others = jwt_cache_find(j->cache, j->other, token, len);
    int rc;

    if (again != first || others != NULL ||
        (claims != NULL && !json_equal(claims, first_claims))) {
        rc = puts("cache") < 0 ? -1 : 0;
    } else if (first == JWT_GATE_OK) {
        rc = tell_claims(claims);
    } else {
        rc = puts(jwt_gate_result_name(first)) < 0 ? -1 : 0;
    }
    json_decref(others);
    json_decref(claims);
    json_decref(first_claims);
    return rc;
}

static int read_keys(judge_t *j, const char *alg, const char *path)
{
    char error[JWT_GATE_ERROR_MAX] = "cannot be read";
    static char file[FILE_MAX];
    FILE *in = fopen(path, "rb");
    jwt_gate_alg_t which;
    size_t n = 0;
    int rc = -1;

    if (in != NULL) {
        n = fread(file, 1, sizeof(file), in);
        fclose(in);
    }
    if (n > 0 && jwt_gate_alg_parse(alg, strlen(alg), &which) &&
        jwt_keyset_new(&j->set) == 0 && jwt_keyset_new(&j->other) == 0 &&
        jwt_keyset_add(j->set, which, file, n, error) == 0) {
        rc = jwt_keyset_add(j->other, which, file, n, error);
    }
    if (rc != 0) {
        fprintf(stderr, "jwt_judge: %s: %s\n", path, error);
    }
    return rc;
}

/* The next token, terminated; false at the end. */
static bool next_token(char *token, size_t *len)
{
    unsigned char head[4];

    if (fread(head, 1, 4, stdin) != 4) {
        return false;
    }
    *len = (size_t)head[0] << 24 | (size_t)head[1] << 16 |
           (size_t)head[2] << 8 | head[3];
    if (*len > LEN_MAX || fread(token, 1, *len, stdin) != *len) {
        return false;
    }
    token[*len] = '\0';
    return true;
}

int main(int argc, char **argv)
{
    char *token = malloc(LEN_MAX + 1);
    judge_t j = {0};
    size_t len;
    int rc = 1;

    if (argc != 6) {
        fprintf(stderr, "usage: jwt_judge ALG KEYFILE ISSUER AUDIENCE NOW\n");
    } else if (token != NULL && read_keys(&j, argv[1], argv[2]) == 0 &&
               jwt_cache_new(&j.cache, PLACES) == 0) {
        j.rules =
            (jwt_gate_rules_t){strtoll(argv[5], NULL, 10), 0, argv[3], argv[4]};
        rc = 0;
        while (rc == 0 && next_token(token, &len)) {
            rc = tell(&j, token, len) == 0 ? 0 : 1;
        }
        rc = fflush(stdout) == 0 ? rc : 1;
    }
    jwt_cache_free(&j.cache);
    jwt_keyset_free(&j.set);
    jwt_keyset_free(&j.other);
    free(token);
    return rc;
}
