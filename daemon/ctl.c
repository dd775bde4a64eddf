/*
 * ctl.c - wacrmctl: asks wacrmd through its control socket; while wacrmd is
 * down does by itself what then can be done, under the same lock.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/jsonr.h"
#include "base/log.h"
#include "config.h"
#include "control/command.h"
#include "control/lock.h"
#include "ctl_args.h"
#include "ctl_call.h"
#include "ctl_selftest.h"
#include "ctl_talk.h"
#include "ctl_top.h"

/* ---- what comes back ---- */

static void print_error(const char *error)
{
    (void)fprintf(stderr, "wacrmctl: %s\n", error);
    if (strncmp(error, COMMAND_UNKNOWN, strlen(COMMAND_UNKNOWN)) == 0) {
        (void)fprintf(stderr, "wacrmctl: the wacrmd that runs is of another "
                              "version: restart it; nothing was done\n");
    }
}

/* key=value; a lone "text" as it is. True unless it is the last line and
 * says that it failed. */
static bool print_object(const json_t *line, bool *ok)
{
    const char *key, *text = jsonr_str(line, "text");
    const json_t *value;
    size_t n = 0;

    if (jsonr_bool(line, "ok", ok)) {
        if (!*ok) {
            const char *error = jsonr_str(line, "error");

            print_error(error ? error : "it failed: see the log of wacrmd");
        }
        return true;
    }
    if (text) {
        (void)puts(text);
        return false;
    }
    json_object_foreach((json_t *)(uintptr_t)line, key, value)
    {
        char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        const char *s = json_string_value(value);
        bool bare = s && *s && !strpbrk(s, " \t\r\n\"=\\");

        (void)printf("%s%s=%s", n++ ? " " : "", key,
                     bare ? s : (dump ? dump : ""));
        free(dump);
    }
    (void)putchar('\n');
    return false;
}

/* One line of the answer; true if it was the last one. */
static bool print_line(const ctl_args_t *args, const char *text, size_t len,
                       bool *ok)
{
    char reason[200];
    json_t *line = jsonr_parse(text, len, reason, sizeof(reason));
    bool last;

    if (!line) {
        (void)fprintf(stderr, "wacrmctl: strange answer: %s\n", reason);
        return false;
    }
    if (args->json) {
        (void)printf("%.*s\n", (int)len, text);
        last = jsonr_bool(line, "ok", ok);
    } else {
        last = print_object(line, ok);
    }
    json_decref(line);
    return last;
}

/* ---- through wacrmd ---- */

typedef struct {
    const ctl_args_t *args;
    bool ok;
} answer_t;

static bool take_line(void *arg, const char *text, size_t len)
{
    answer_t *a = arg;

    return print_line(a->args, text, len, &a->ok);
}

/* wacrmd may have another directory under the same name (PrivateTmp of
 * systemd): it is told which one is meant. */
static void tell_place(const ctl_args_t *args)
{
    const char *file = jsonr_str(args->request, "file");
    char *copy = file ? strdup(file) : NULL;
    struct stat st;

    if (copy && stat(dirname(copy), &st) == 0) {
        (void)json_object_set_new(args->request, "dir_dev",
                                  json_integer((json_int_t)st.st_dev));
        (void)json_object_set_new(args->request, "dir_ino",
                                  json_integer((json_int_t)st.st_ino));
    }
    free(copy);
}

static int ask(const ctl_args_t *args, int fd)
{
    answer_t a = {.args = args};
    ctl_talk_t t = ctl_talk(fd, args->request, args->input, take_line, &a);

    if (t.file_error != 0) {
        (void)fprintf(stderr,
                      "wacrmctl: the file cannot be read to its end: %s\n",
                      strerrordesc_np(t.file_error));
        return 1;
    }
    if (t.no_memory) {
        (void)fprintf(stderr, "wacrmctl: out of memory, before the answer was "
                              "there: what wacrmd did is in its log\n");
    } else if (!t.answered) {
        (void)fprintf(stderr, "wacrmctl: wacrmd ended before it answered: "
                              "see its log\n");
    }
    return t.answered && a.ok ? 0 : 1;
}

/* ---- alone ---- */

static void print_answer(void *arg, const char *json, size_t len)
{
    (void)take_line(arg, json, len);
}

static int run_alone(const ctl_args_t *args, const config_t *c)
{
    store_options_t o = {.path = c->database};
    answer_t alone = {.args = args};
    command_t command = {
        .config = c,
        .input = args->input,
        .emit = print_answer,
        .arg = &alone,
    };
    domain_t domain;
    store_t *store = NULL;
    int rc =
        state_in_place(c->database, c->search_index, o.error, sizeof(o.error));

    if (rc == WERR_OK) {
        rc = store_open(&store, &o);
    }
    if (rc == WERR_OK) {
        rc = domain_init(&domain, store, &c->domain);
    }
    if (rc == WERR_OK) {
        rc = store_reader(store, &command.db);
    }
    if (rc < 0 && !o.error[0]) {
        (void)snprintf(o.error, sizeof(o.error), "%s: %s", c->database,
                       werr_text(rc));
    }
    if (rc == WERR_OK) {
        command.domain = &domain;
    } else if (strcmp(args->command, "check") == 0) {
        command.broken = o.error;
    }
    if (rc < 0 && !command.broken) {
        (void)fprintf(stderr, "wacrmctl: %s\n", o.error);
    } else {
        (void)command_run(&command, args->request);
    }
    store_reader_close(&command.db);
    store_close(&store);
    return alone.ok ? 0 : 1;
}

static int restore(const ctl_args_t *args, const config_t *c)
{
    char kept[PATH_MAX + 64], error[600] = "";
    const char *file = jsonr_str(args->request, "file");

    if (store_restore(file, c->database, kept, sizeof(kept), error,
                      sizeof(error)) < 0) {
        (void)fprintf(stderr,
                      "wacrmctl: not restored, the database is as it was: "
                      "%s\n",
                      error);
        return 1;
    }
    if (search_remove(c->search_index) < 0) {
        (void)fprintf(stderr,
                      "wacrmctl: %s is of the old database: delete it\n",
                      c->search_index);
    }
    (void)printf("restored %s%s%s\n", file,
                 kept[0] ? "; the old database is " : "", kept);
    return 0;
}

/* Files of another user's making would shut wacrmd out. */
static bool is_ours(const char *dir)
{
    const struct passwd *owner;
    struct stat st;

    if (stat(dir, &st) != 0 || st.st_uid == geteuid()) {
        return true;
    }
    owner = getpwuid(st.st_uid);
    (void)fprintf(stderr,
                  "wacrmctl: %s belongs to %s: run wacrmctl as that user\n",
                  dir, owner ? owner->pw_name : "another user");
    return false;
}

static int do_alone(const ctl_args_t *args, const config_t *c)
{
    bool restoring = strcmp(args->command, "restore") == 0;
    char error[600];
    int lock = -1, status;

    if (!restoring && !command_works_alone(args->command)) {
        (void)fprintf(stderr,
                      "wacrmctl: %s needs wacrmd, which does not run: start "
                      "it first\n",
                      args->command);
        return 1;
    }
    if (!is_ours(c->state_dir)) {
        return 1;
    }
    if (state_lock(c->state_dir, &lock, error, sizeof(error)) < 0) {
        (void)fprintf(stderr, "wacrmctl: %s\n", error);
        return 1;
    }
    (void)umask(0007);
    status = restoring ? restore(args, c) : run_alone(args, c);
    state_unlock(&lock);
    return status;
}

static int run(const ctl_args_t *args, const config_t *c)
{
    int fd;

    if (strcmp(args->command, "top") == 0) {
        return ctl_top(args, c);
    }
    if (strcmp(args->command, "selftest") == 0) {
        return ctl_selftest(args, c);
    }
    fd = ctl_connect(c->control_socket);

    if (fd >= 0 && strcmp(args->command, "restore") == 0) {
        (void)close(fd);
        (void)fprintf(stderr, "wacrmctl: wacrmd runs: stop it first, then "
                              "restore\n");
        return 1;
    }
    if (fd >= 0) {
        tell_place(args);
        return ask(args, fd);
    }
    if (errno == EACCES || errno == EPERM) {
        (void)fprintf(stderr,
                      "wacrmctl: %s: permission denied: run wacrmctl as the "
                      "user of wacrmd\n",
                      c->control_socket);
        return 1;
    }
    return do_alone(args, c);
}

int main(int argc, char **argv)
{
    ctl_args_t args;
    config_t config;
    char error[600];
    int status = ctl_args_read(&args, argc, argv);

    if (status != CTL_RUN) {
        ctl_args_free(&args);
        return status;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    log_setup(LOG_WARN, STDERR_FILENO);
    if (config_load(&config, args.config, error, sizeof(error))) {
        status = run(&args, &config);
        config_free(&config);
    } else {
        (void)fprintf(stderr, "wacrmctl: %s\n", error);
        status = 1;
    }
    ctl_args_free(&args);
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0) {
        (void)fprintf(stderr, "wacrmctl: the answer is cut: %s\n",
                      strerrordesc_np(errno));
        status = 1;
    }
    return status;
}
