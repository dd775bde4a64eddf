/*
 * simulator.h - a gateway simulator of its own for a unit test, and its
 * control API.
 */
#ifndef WACRM_TEST_SIMULATOR_H
#define WACRM_TEST_SIMULATOR_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <jansson.h>

typedef struct {
    pid_t pid;
    int port;
    char base[64]; /* of the REST contract */
} sim_t;

static inline void sim_start(sim_t *sim)
{
    const char *script = getenv("WACRM_SIMULATOR");
    int out[2];
    FILE *f;

    assert_int_equal(pipe(out), 0);
    sim->pid = fork();
    assert_true(sim->pid >= 0);
    if (sim->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void)dup2(out[1], STDOUT_FILENO);
        (void)close(out[0]);
        (void)close(out[1]);
        (void)execlp("node", "node", script ? script : "scripts/simulator",
                     "--session", "s1", "--email", "cs@example.org",
                     "--password", "secret", (char *)NULL);
        _exit(127);
    }
    (void)close(out[1]);
    f = fdopen(out[0], "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "listening %d", &sim->port), 1);
    (void)fclose(f);
    (void)snprintf(sim->base, sizeof(sim->base), "http://127.0.0.1:%d/api/v1",
                   sim->port);
}

static inline void sim_stop(sim_t *sim)
{
    assert_int_equal(kill(sim->pid, SIGTERM), 0);
    assert_int_equal(waitpid(sim->pid, NULL, 0), sim->pid);
}

static inline size_t sim_on_write(char *data, size_t one, size_t n, void *arg)
{
    FILE *f = arg;

    return fwrite(data, one, n, f);
}

/* One control call: its JSON, the caller's to json_decref(). body NULL: GET. */
static inline json_t *sim_call(const sim_t *sim, const char *path,
                               const char *body)
{
    CURL *easy = curl_easy_init();
    char url[256], *text = NULL;
    size_t len = 0;
    json_t *root;
    FILE *f = open_memstream(&text, &len);

    assert_non_null(easy);
    assert_non_null(f);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/_sim/%s", sim->port,
                   path);
    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, sim_on_write);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
    if (body) {
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    }
    assert_int_equal(curl_easy_perform(easy), CURLE_OK);
    curl_easy_cleanup(easy);
    (void)fclose(f);
    root = json_loadb(text, len, 0, NULL);
    free(text);
    assert_non_null(root);
    assert_true(json_is_true(json_object_get(root, "success")));
    return root;
}

static inline void sim_do(const sim_t *sim, const char *path, const char *body)
{
    json_decref(sim_call(sim, path, body));
}

/* Calls that it got, by a filter such as "route=send.text". */
static inline int sim_count(const sim_t *sim, const char *filter)
{
    char path[200];
    json_t *root;
    int n;

    (void)snprintf(path, sizeof(path), "calls?%s", filter);
    root = sim_call(sim, path, NULL);
    n = (int)json_integer_value(json_object_get(root, "total"));
    json_decref(root);
    return n;
}

/* One for a group of tests. */
static sim_t sim;

static inline int group_start(void **state)
{
    (void)state;
    sim_start(&sim);
    return 0;
}

static inline int group_stop(void **state)
{
    (void)state;
    sim_stop(&sim);
    return 0;
}

#endif
