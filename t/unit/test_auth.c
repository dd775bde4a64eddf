/* auth: signed tokens that the edge accepts; sign-in, refresh, sign-out. */
#include "http_fixture.h"

#include <jwt.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "domain/token.h"
#include "domain/token_revoke.h"
#include "edge/jwt_gate.h"
#include "http/auth.h"
#include "timers.h"

static web_t web;
static spool_t *spool;
static char spool_dir[200];
static int64_t siti;

static int setup(void **state)
{
    spool_options_t o = {.size = 16 << 20, .create = true};
    (void)state;
    web_open(&web);
    http_stop(&web.server, 1000);
    snprintf(spool_dir, sizeof(spool_dir), "%s/spool", web.crm.dir);
    assert_int_equal(spool_open(&spool, spool_dir, &o), SPOOL_OK);
    web.options.spool = spool;
    web_start(&web);
    return user_add(&web.crm.domain, "Siti", "siti@example.org",
                    ROLE_SUPERVISOR, "rahasia-123", &siti);
}

static int teardown(void **state)
{
    char path[512];
    (void)state;
    http_stop(&web.server, 1000);
    spool_close(&spool);
    DIR *dir = opendir(spool_dir);
    struct dirent *e;
    while (dir != NULL && (e = readdir(dir)) != NULL) {
        snprintf(path, sizeof(path), "%s/%s", spool_dir, e->d_name);
        unlink(path);
    }
    if (dir != NULL) {
        closedir(dir);
    }
    rmdir(spool_dir);
    web_close(&web);
    return 0;
}

static json_t *payload(const char *token)
{
    jwt_t *jwt = NULL;
    assert_int_equal(jwt_decode(&jwt, token, (const unsigned char *)WEB_SECRET,
                                sizeof(WEB_SECRET) - 1),
                     0);
    assert_int_equal(jwt_get_alg(jwt), JWT_ALG_HS256);
    char *text = jwt_get_grants_json(jwt, NULL);
    json_t *json = json_loads(text, 0, NULL);
    free(text);
    jwt_free(jwt);
    assert_non_null(json);
    return json;
}

static void test_sign(void **state)
{
    auth_keys_t keys = {WEB_SECRET, sizeof(WEB_SECRET) - 1, "iss-1", "aud-1"};
    user_t u = {.id = 7, .role = ROLE_ADMIN};
    buf_t b;
    jwt_t *jwt = NULL;
    (void)state;
    buf_init(&b, 0);
    assert_int_equal(auth_sign_access(&keys, &u, "j-1", 100, 200, &b), WERR_OK);
    json_t *p = payload(b.data);
    assert_int_equal(json_object_size(p), 8);
    assert_string_equal(json_string_value(json_object_get(p, "iss")), "iss-1");
    assert_string_equal(json_string_value(json_object_get(p, "aud")), "aud-1");
    assert_string_equal(json_string_value(json_object_get(p, "sub")), "7");
    assert_string_equal(json_string_value(json_object_get(p, "jti")), "j-1");
    assert_string_equal(json_string_value(json_object_get(p, "role")), "admin");
    assert_string_equal(json_string_value(json_object_get(p, "token_use")),
                        "access");
    assert_int_equal(json_integer_value(json_object_get(p, "iat")), 100);
    assert_int_equal(json_integer_value(json_object_get(p, "exp")), 200);
    json_decref(p);
    b.data[b.len - 2] ^= 1;
    assert_int_not_equal(jwt_decode(&jwt, b.data,
                                    (const unsigned char *)WEB_SECRET,
                                    sizeof(WEB_SECRET) - 1),
                         0);
    buf_free(&b);
    keys.secret_len = 31;
    assert_int_equal(auth_sign_access(&keys, &u, "j-1", 100, 200, &b),
                     WERR_INVALID);
    buf_free(&b);
}

typedef struct {
    int status;
    char token[1024], refresh[128], jti[128];
} signed_in_t;

static void read_tokens(answer_t *a, signed_in_t *out)
{
    memset(out, 0, sizeof(*out));
    out->status = a->status;
    if (a->status == 200) {
        json_t *json = answer_json(a);
        snprintf(out->token, sizeof(out->token), "%s",
                 json_string_value(json_object_get(json, "token")));
        snprintf(out->refresh, sizeof(out->refresh), "%s",
                 json_string_value(json_object_get(json, "refresh_token")));
        json_decref(json);
        json = payload(out->token);
        snprintf(out->jti, sizeof(out->jti), "%s",
                 json_string_value(json_object_get(json, "jti")));
        json_decref(json);
    }
    answer_free(a);
}

static void login(signed_in_t *out)
{
    answer_t a;
    web_call(&web, "POST", "/api/auth/login", 0, "",
             "{\"email\":\"Siti@example.org\",\"password\":\"rahasia-123\"}",
             &a);
    read_tokens(&a, out);
    assert_int_equal(out->status, 200);
}

static int refresh(const char *token, signed_in_t *out)
{
    char body[256];
    answer_t a;
    snprintf(body, sizeof(body), "{\"refresh_token\":\"%s\"}", token);
    web_call(&web, "POST", "/api/auth/refresh", 0, "", body, &a);
    read_tokens(&a, out);
    return out->status;
}

static int revoked(const char *jti, int64_t iat)
{
    char sub[24];
    snprintf(sub, sizeof(sub), "%lld", (long long)siti);
    return spool_revoked(spool, (spool_str_t){jti, strlen(jti)},
                         (spool_str_t){sub, strlen(sub)}, iat);
}

static void test_login(void **state)
{
    answer_t a;
    (void)state;
    assert_int_equal(web_call(&web, "POST", "/api/auth/login", 0, "",
                              "{\"email\":\"SITI@example.org\","
                              "\"password\":\"rahasia-123\"}",
                              &a),
                     200);
    assert_string_equal(answer_header(&a, "Cache-Control"), "no-store");
    json_t *j = answer_json(&a);
    assert_true(json_is_true(json_object_get(j, "success")));
    assert_string_equal(json_string_value(json_object_get(j, "token_type")),
                        "Bearer");
    assert_int_equal(json_integer_value(json_object_get(j, "expires_in")),
                     3600);
    json_t *u = json_object_get(j, "user");
    assert_int_equal(json_integer_value(json_object_get(u, "id")), siti);
    assert_string_equal(json_string_value(json_object_get(u, "name")), "Siti");
    assert_string_equal(json_string_value(json_object_get(u, "email")),
                        "siti@example.org");
    assert_string_equal(json_string_value(json_object_get(u, "role")),
                        "supervisor");
    assert_true(json_is_null(json_object_get(u, "active_session_id")));
    json_decref(j);
    answer_free(&a);

    assert_int_equal(
        web_call(&web, "POST", "/api/auth/login", 0, "",
                 "{\"email\":\"siti@example.org\",\"password\":\"wrong\"}", &a),
        401);
    assert_string_equal(a.body.data, "{\"message\":\"Invalid credentials.\"}");
    answer_free(&a);
    assert_int_equal(web_call(&web, "POST", "/api/auth/login", 0, "",
                              "{\"email\":\"nobody\",\"password\":\"wrong\"}",
                              &a),
                     401);
    assert_string_equal(a.body.data, "{\"message\":\"Invalid credentials.\"}");
    answer_free(&a);
}

/* What we sign is what the edge demands. */
static void test_edge_accepts(void **state)
{
    char error[JWT_GATE_ERROR_MAX];
    jwt_keyset_t *keys;
    jwt_gate_token_t token;
    signed_in_t in;
    (void)state;
    login(&in);
    assert_int_equal(jwt_keyset_new(&keys), 0);
    assert_int_equal(jwt_keyset_add(keys, JWT_GATE_HS256, WEB_SECRET,
                                    sizeof(WEB_SECRET) - 1, error),
                     0);
    assert_int_equal(jwt_gate_open(keys, in.token, strlen(in.token), &token),
                     JWT_GATE_OK);
    jwt_gate_rules_t rules = {
        .now = time(NULL), .issuer = "wacrm", .audience = "crm"};
    assert_int_equal(jwt_gate_claims(&token, &rules), JWT_GATE_OK);
    rules.audience = "other";
    assert_int_equal(jwt_gate_claims(&token, &rules), JWT_GATE_AUDIENCE);
    jwt_gate_close(&token);
    jwt_keyset_free(&keys);
}

static void test_refresh(void **state)
{
    signed_in_t in, second, third;
    (void)state;
    login(&in);
    assert_int_equal(refresh(in.refresh, &second), 200);
    assert_string_not_equal(in.refresh, second.refresh);
    assert_string_not_equal(in.jti, second.jti);
    assert_int_equal(refresh("unknown", &third), 401);
    assert_int_equal(refresh(second.refresh, &third), 200);
    assert_int_equal(revoked(third.jti, time(NULL)), 0);

    /* the used one again: somebody has a copy; the whole family goes */
    assert_int_equal(refresh(in.refresh, &second), 401);
    assert_int_equal(refresh(third.refresh, &second), 401);
    assert_int_equal(revoked(in.jti, time(NULL)), 1);
    assert_int_equal(revoked(third.jti, time(NULL)), 1);

    assert_int_equal(web_status(&web, "POST", "/api/auth/refresh", 0, "", "{}"),
                     422);
}

static void test_logout(void **state)
{
    char identity[400];
    signed_in_t in, other, out;
    answer_t a;
    (void)state;
    login(&in);
    login(&other);
    assert_int_equal(web_status(&web, "POST", "/api/auth/logout", 0, "", NULL),
                     401);
    snprintf(identity, sizeof(identity),
             "X-Wacrm-User: %lld\r\nX-Wacrm-Token-Id: %s\r\n"
             "X-Wacrm-Token-Exp: %lld\r\n",
             (long long)siti, in.jti, (long long)time(NULL) + 3600);
    assert_int_equal(
        web_call(&web, "POST", "/api/auth/logout", 0, identity, NULL, &a), 200);
    assert_string_equal(a.body.data,
                        "{\"success\":true,\"message\":\"Logged out\"}");
    answer_free(&a);
    /* known to the edge before the answer; the other sign-in lives on */
    assert_int_equal(revoked(in.jti, time(NULL)), 1);
    assert_int_equal(refresh(in.refresh, &out), 401);
    assert_int_equal(revoked(other.jti, time(NULL)), 0);
    assert_int_equal(refresh(other.refresh, &out), 200);
}

static int revoke_siti(tx_t *tx, void *arg)
{
    (void)arg;
    return token_revoke_user(tx, siti);
}

static void test_revoke_user(void **state)
{
    signed_in_t in, out;
    (void)state;
    login(&in);
    assert_int_equal(domain_write(&web.crm.domain, revoke_siti, NULL), WERR_OK);
    assert_int_equal(revoked(in.jti, time(NULL)), 1); /* this second's too */
    assert_int_equal(revoked("made-by-hand", time(NULL) - 5), 1);
    assert_int_equal(refresh(in.refresh, &out), 401);
    login(&out); /* at once */
    assert_int_equal(revoked(out.jti, time(NULL)), 0);

    /* after a restart the edge still knows */
    http_stop(&web.server, 1000);
    assert_int_equal(spool_revoke_expire(spool, INT64_MAX), SPOOL_OK);
    assert_int_equal(revoked(in.jti, time(NULL)), 0);
    web_start(&web);
    assert_int_equal(revoked(in.jti, time(NULL)), 1);
}

static void no_more_room(void *arg)
{
    const struct rlimit none = {0, RLIM_INFINITY};
    (void)arg;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
}

static int revoke_with_fault(tx_t *tx, void *arg)
{
    tx->queued = true; /* the outbox is told before the edge */
    return token_logout(tx, siti, arg, time(NULL) + 3600);
}

/* A full disk kills the spool's handle: it is opened again, and takes what was
 * revoked meanwhile. */
static void test_revoked_later(void **state)
{
    const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    char jti[] = "revoked-later";
    timers_t timers;
    int64_t due;
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    log_setup(LOG_ERROR, -1);
    web.crm.domain.outbox_ready = no_more_room;
    int rc = domain_write(&web.crm.domain, revoke_with_fault, jti);
    web.crm.domain.outbox_ready = NULL;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
    assert_int_equal(rc, WERR_OK);
    timers_init(&timers, &web.crm.domain, spool, spool_dir, web.server);
    do {
        due = timers_run(&timers);
    } while (due == 0); /* old rows, a piece at a time */
    assert_in_range(due, 1, 5000);
    log_setup(LOG_ERROR, 2);
    assert_int_equal(revoked(jti, time(NULL)), 1);
}

static void *change_password(void *arg)
{
    (void)arg;
    return user_set_password(&web.crm.domain, "siti@example.org",
                             "rahasia-124") == WERR_OK
               ? arg
               : NULL;
}

/* A sign-in that was under way when the password changed brings nothing: its
 * token would outlive "signed out everywhere". */
static void test_sign_in_beside_new_password(void **state)
{
    static const char old[] =
        "{\"email\":\"siti@example.org\",\"password\":\"rahasia-123\"}";
    pthread_t thread;
    void *ok = NULL;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, change_password, &web), 0);
    /* hashes come one after the other: this one comes second */
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    assert_int_equal(web_status(&web, "POST", "/api/auth/login", 0, "", old),
                     401);
    assert_int_equal(pthread_join(thread, &ok), 0);
    assert_non_null(ok);
    assert_int_equal(
        user_set_password(&web.crm.domain, "siti@example.org", "rahasia-123"),
        WERR_OK);
}

static int expire(tx_t *tx, void *arg)
{
    tx->now = *(int64_t *)arg;
    return token_expire(tx);
}

static void test_expire(void **state)
{
    signed_in_t in, out;
    int64_t later;
    (void)state;
    login(&in);
    later = (int64_t)time(NULL) * 1000 + 1000;
    assert_int_equal(domain_write(&web.crm.domain, expire, &later), WERR_OK);
    assert_int_equal(refresh(in.refresh, &out), 200);
    later += (int64_t)2 * 86400 * 1000;
    assert_int_equal(domain_write(&web.crm.domain, expire, &later), WERR_OK);
    assert_int_equal(refresh(out.refresh, &in), 401);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_edge_accepts),
        cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_logout),
        cmocka_unit_test(test_revoked_later),
        cmocka_unit_test(test_sign_in_beside_new_password),
        cmocka_unit_test(test_revoke_user),
        cmocka_unit_test(test_expire),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
