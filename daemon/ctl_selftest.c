#include "ctl_selftest.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/clock.h"
#include "base/jsonr.h"
#include "config_value.h"
#include "ctl_call.h"
#include "ctl_socket.h"
#include "domain/event_feed.h"
#include "intake/probe.h"

#define TIMEOUT_S     10
#define TIMEOUT_S_MAX 300
#define LOOK_MS       10
#define NUMBER_MAX    INT64_C(999999999999999999)
#define LOCAL         "http://127.0.0.1"

typedef struct {
    const ctl_args_t *args;
    const config_t *c;
    const char *base; /* "https://host" */
    const char *webhook_path;
    const char *secret;
    size_t secret_len;
    char secret_file[4096];
    int64_t number, since;
    int timeout_ms;
    ctl_socket_t *socket;
    char socket_error[300];
    char error[700];
    /* how far it got; us since 1970, 0: not */
    int64_t sent_us, answered_us;
    int64_t received_us, taken_us, committed_us, told_us, heard_us;
    int64_t seq, told, waiting;
} road_t;

static bool fail(road_t *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool fail(road_t *r, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(r->error, sizeof(r->error), format, ap);
    va_end(ap);
    return false;
}

/* ---- what it needs ---- */

/* Beside the key of the tokens, unless it was named. */
static bool read_secret(road_t *r)
{
    const char *file = jsonr_str(r->args->request, "secret-file");
    const char *slash = strrchr(r->c->jwt_secret_file, '/');
    char reason[CONFIG_REASON_MAX];
    int n =
        file ? snprintf(r->secret_file, sizeof(r->secret_file), "%s", file)
             : snprintf(r->secret_file, sizeof(r->secret_file), "%.*s/webhook",
                        (int)(slash ? slash - r->c->jwt_secret_file : 0),
                        r->c->jwt_secret_file);

    if (n < 0 || (size_t)n >= sizeof(r->secret_file)) {
        return fail(r, "--secret-file: too long");
    }
    r->secret =
        config_value_file(r->secret_file, &r->secret_len, r->c->memory, reason);
    return r->secret ||
           fail(r, "no secret of the webhook: %s (--secret-file)", reason);
}

static bool prepare(road_t *r)
{
    const char *url = jsonr_str(r->args->request, "url");
    int64_t seconds = TIMEOUT_S;
    uint64_t random;

    if (json_object_get(r->args->request, "timeout") &&
        (!jsonr_i64(r->args->request, "timeout", &seconds) || seconds < 1 ||
         seconds > TIMEOUT_S_MAX)) {
        return fail(r, "--timeout: 1 to %d", TIMEOUT_S_MAX);
    }
    r->timeout_ms = (int)seconds * 1000;
    r->base = url ? url : r->c->public_url ? r->c->public_url : LOCAL;
    if (strncmp(r->base, "http://", 7) != 0 &&
        strncmp(r->base, "https://", 8) != 0) {
        return fail(r, "--url: http://HOST or https://HOST");
    }
    if (r->c->ngateways == 0) {
        return fail(r, "there is no [gateway] whose webhook could be called");
    }
    r->webhook_path = r->c->gateways[0].webhook_path;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random) ||
        curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return fail(r, "no random numbers");
    }
    r->number = (int64_t)(random % (uint64_t)NUMBER_MAX) + 1;
    return read_secret(r);
}

/* ---- asking wacrmd ---- */

static int64_t get(const json_t *o, const char *key)
{
    int64_t value = 0;

    (void)jsonr_i64(o, key, &value);
    return value;
}

static bool ask(road_t *r, int64_t number)
{
    json_t *request =
        json_pack("{s:s, s:I, s:I}", "command", "probe", "probe",
                  (json_int_t)number, "since", (json_int_t)r->since);
    json_t *answer = request ? ctl_call(r->c->control_socket, request, r->error,
                                        sizeof(r->error))
                             : NULL;

    if (answer && number == 0) {
        r->since = get(answer, "seq");
    } else if (answer) {
        r->seq = get(answer, "seq");
        r->told = get(answer, "told");
        r->waiting = get(answer, "waiting");
        r->received_us = get(answer, "received_us");
        r->taken_us = get(answer, "taken_us");
        r->committed_us = get(answer, "committed_us");
        if (r->seq > 0 && r->told >= r->seq) {
            r->told_us = get(answer, "told_us");
        }
    }
    json_decref(request);
    json_decref(answer);
    return answer != NULL;
}

/* ---- the two ends ---- */

static void open_socket(road_t *r)
{
    char path[200];

    (void)snprintf(path, sizeof(path), "/app/%s?protocol=7&client=wacrmctl",
                   r->c->realtime.key);
    r->socket = ctl_socket_open(r->base, path, r->timeout_ms, r->socket_error,
                                sizeof(r->socket_error));
    if (r->socket &&
        (!ctl_socket_hear(r->socket, r->timeout_ms) ||
         !ctl_socket_say(r->socket, "{\"event\":\"pusher:subscribe\",\"data\":"
                                    "{\"channel\":\"" PROBE_CHANNEL "\"}}") ||
         !ctl_socket_hear(r->socket, r->timeout_ms))) {
        (void)snprintf(r->socket_error, sizeof(r->socket_error),
                       "it was closed at once");
        ctl_socket_close(&r->socket);
    }
}

/* Within LOOK_MS. */
static void listen_for(road_t *r)
{
    const char *text = r->socket ? ctl_socket_hear(r->socket, LOOK_MS) : NULL;
    char number[40];

    (void)snprintf(number, sizeof(number), "\\\"%" PRId64 "\\\"", r->number);
    if (text && strstr(text, "SelfTest") && strstr(text, number)) {
        r->heard_us = clock_now_us();
    }
}

static size_t ignore(char *data, size_t one, size_t n, void *arg)
{
    (void)data;
    (void)arg;
    return one * n;
}

static bool sign(const road_t *r, const char *body, size_t len, char *out,
                 size_t size)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    int at = snprintf(out, size, "X-Webhook-Signature: ");

    if (!HMAC(EVP_sha256(), r->secret, (int)r->secret_len,
              (const unsigned char *)body, len, mac, &n)) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(out + at + 2 * i, size - (size_t)at - 2 * i, "%02x",
                       mac[i]);
    }
    return true;
}

/* The status, 0 with why; elsewhere: where a redirect leads, or "". */
static long post(road_t *r, const char *url, const char *body,
                 const char *signature, char *why, char *elsewhere, size_t size)
{
    struct curl_slist *headers = curl_slist_append(NULL, signature);
    CURL *easy = curl_easy_init();
    CURLcode code = CURLE_OUT_OF_MEMORY;
    char *location = NULL;
    long status = 0;

    if (easy && headers &&
        curl_slist_append(headers, "Content-Type: application/json") &&
        curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms) ==
            CURLE_OK) {
        r->sent_us = clock_now_us();
        code = curl_easy_perform(easy);
        r->answered_us = clock_now_us();
    }
    if (code == CURLE_OK) {
        (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &location);
        (void)snprintf(elsewhere, size, "%s", location ? location : "");
    } else if (!why[0]) {
        (void)snprintf(why, CURL_ERROR_SIZE, "%s", curl_easy_strerror(code));
    }
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    return status;
}

static bool refused(road_t *r, const char *url, long status, const char *why,
                    const char *elsewhere)
{
    if (status == 0) {
        return fail(r, "%s: %s", url, why);
    }
    if (status == 401) {
        return fail(r,
                    "%s: 401: not the secret of wacrm_webhook_secret_file: "
                    "that of %s was used (--secret-file names another); or "
                    "another signature than waapi",
                    url, r->secret_file);
    }
    if (elsewhere[0]) {
        return fail(r,
                    "%s: %ld: nginx sends it on to %s: call that (--url, or "
                    "public_url of wacrmd.conf)",
                    url, status, elsewhere);
    }
    return fail(r, "%s: %ld: nginx's error log says why", url, status);
}

static bool deliver(road_t *r)
{
    char body[PROBE_BODY_MAX], signature[128], url[2048];
    char why[CURL_ERROR_SIZE] = "", elsewhere[200] = "";
    size_t len = probe_write(r->number, body);
    long status;

    if (!sign(r, body, len, signature, sizeof(signature)) ||
        (size_t)snprintf(url, sizeof(url), "%s%s", r->base, r->webhook_path) >=
            sizeof(url)) {
        return fail(r, "no request");
    }
    status = post(r, url, body, signature, why, elsewhere, sizeof(elsewhere));
    explicit_bzero(signature, sizeof(signature));
    if (status == 200) {
        return true;
    }
    return refused(r, url, status, why, elsewhere);
}

/* ---- the road ---- */

static bool arrived(const road_t *r)
{
    return r->told_us > 0 && (r->heard_us > 0 || !r->socket);
}

/* false: wacrmd has gone. */
static bool follow(road_t *r)
{
    int64_t until = clock_mono_ms() + r->timeout_ms;

    while (!arrived(r) && clock_mono_ms() < until) {
        if (r->heard_us == 0) {
            listen_for(r);
        }
        if (!ask(r, r->number)) {
            return false;
        }
    }
    return true;
}

static void tell(const road_t *r, const char *hop, int64_t from, int64_t to,
                 const char *what)
{
    double ms = from > 0 && to > from ? (double)(to - from) / 1000.0 : 0.0;

    if (r->args->json) {
        (void)printf("{\"hop\":\"%s\",\"ms\":%.3f}\n", hop, ms);
    } else {
        (void)printf("%-9s %8.3f ms  %s\n", hop, ms, what);
    }
}

/* The hops that were made; the name of the first that was not, with r->error,
 * or NULL. */
static const char *judge(road_t *r)
{
    tell(r, "webhook", r->sent_us, r->answered_us,
         "nginx took it: signature, disk, 200");
    if (r->committed_us == 0) {
        (void)fail(r,
                   r->waiting > 0
                       ? "wacrmd does not take it, %" PRId64
                         " events wait: see its log"
                       : "it is not in the spool of this wacrmd (%" PRId64
                         " wait): is the path of wacrm_spool in nginx.conf "
                         "the same?",
                   r->waiting);
        return "spool";
    }
    tell(r, "spool", r->received_us, r->taken_us,
         "wacrmd took it out of the spool");
    if (r->seq == 0) {
        (void)fail(r, "taken, but there is no event: see wacrmd's log");
        return "database";
    }
    tell(r, "database", r->taken_us, r->committed_us, "committed");
    if (r->told_us == 0) {
        (void)fail(r,
                   "realtime does not follow: told %" PRId64 ", event %" PRId64
                   ": see wacrmd's log",
                   r->told, r->seq);
        return "feed";
    }
    tell(r, "feed", r->committed_us, r->told_us,
         "read by its number, made a frame");
    if (r->heard_us == 0) {
        (void)fail(r, "%s/app/: %s", r->base,
                   r->socket ? "no frame came" : r->socket_error);
        return "socket";
    }
    tell(r, "socket", r->told_us, r->heard_us, "a browser's socket has it");
    return NULL;
}

static int finish(const road_t *r, const char *failed)
{
    if (failed) {
        if (r->args->json) {
            (void)printf("{\"ok\":false,\"failed\":\"%s\"}\n", failed);
        }
        (void)fprintf(stderr, "wacrmctl: selftest failed at %s: %s\n", failed,
                      r->error);
        return 1;
    }
    if (r->args->json) {
        (void)printf("{\"ok\":true,\"ms\":%.3f}\n",
                     (double)(r->heard_us - r->sent_us) / 1000.0);
    } else {
        (void)printf("ok        %8.3f ms  in all\n",
                     (double)(r->heard_us - r->sent_us) / 1000.0);
    }
    return 0;
}

int ctl_selftest(const ctl_args_t *args, const config_t *c)
{
    road_t r = {.args = args, .c = c};
    const char *failed = NULL;

    if (!prepare(&r)) {
        (void)fprintf(stderr, "wacrmctl: selftest: %s\n", r.error);
        return 2;
    }
    if (!ask(&r, 0)) {
        failed = "wacrmd";
    } else {
        open_socket(&r);
        failed = !deliver(&r) ? "webhook" : !follow(&r) ? "wacrmd" : judge(&r);
    }
    ctl_socket_close(&r.socket);
    curl_global_cleanup();
    return finish(&r, failed);
}
