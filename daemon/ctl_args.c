/*
 * ctl_args.c - commands, their arguments, their help; passwords.
 */
#include "ctl_args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "control/command.h"

#define PASSWORD_MAX 1024

typedef struct {
    const char *name;
    const char *wire;    /* what wacrmd calls it; NULL: the same */
    const char *usage;   /* its arguments */
    const char *operand; /* key of the last argument; NULL: none */
    bool role, name_option, limit, dry_run, password, file, input;
    bool once, road; /* --once; --url, --secret-file, --timeout */
    const char *help;
} ctl_command_t;

static const ctl_command_t commands[] = {
    {.name = "user add",
     .usage = "[--role cs|supervisor|admin] [--name NAME] EMAIL",
     .operand = "email",
     .role = true,
     .name_option = true,
     .password = true,
     .help = "adds somebody; the password comes from the terminal or from "
             "standard\n      input"},
    {.name = "user passwd",
     .usage = "EMAIL",
     .operand = "email",
     .password = true,
     .help = "sets a new password, signs out everywhere"},
    {.name = "user list", .usage = "", .help = "who works here"},
    {.name = "token",
     .usage = "EMAIL",
     .operand = "email",
     .help = "prints an access token of that user, for scripts"},
    {.name = "import",
     .wire = COMMAND_IMPORT,
     .usage = "[--dry-run] FILE",
     .operand = "file",
     .input = true,
     .dry_run = true,
     .help = "donors and gifts from CSV (phone,name,date,amount,...); - is "
             "standard\n      input; importing again doubles nothing"},
    {.name = "search rebuild",
     .usage = "",
     .help = "throws the search index away; it is made anew by itself, and "
             "search stays\n      complete meanwhile"},
    {.name = "export donors",
     .usage = "FILE",
     .operand = "file",
     .file = true,
     .help = "donors and their figures as CSV, into a new file, as backup"},
    {.name = "export donations",
     .usage = "FILE",
     .operand = "file",
     .file = true,
     .help =
         "every gift as CSV, into a new file, as backup; import can read it"},
    {.name = "spool stat",
     .usage = "",
     .help = "events that wait to be applied, and what was quarantined"},
    {.name = "spool salvage",
     .usage = "NAME",
     .operand = "name",
     .help = "gives the events of a damaged spool that lies aside (check names "
             "it) to the\n      one in use, but for those that were applied"},
    {.name = "spool requeue",
     .usage = "SEQ|all",
     .operand = "seq",
     .help = "gives a quarantined record to be applied once more, after an "
             "upgrade; what\n      still cannot be read is quarantined anew"},
    {.name = "spool drop",
     .usage = "SEQ",
     .operand = "seq",
     .help = "deletes a quarantined record for good"},
    {.name = "dead list",
     .usage = "[--limit N]",
     .limit = true,
     .help = "events that could not be applied, and why"},
    {.name = "dead show",
     .usage = "ID",
     .operand = "id",
     .help = "such an event as it came"},
    {.name = "dead replay",
     .usage = "ID",
     .operand = "id",
     .help = "applies it now, after what was wrong is mended"},
    {.name = "dead drop",
     .usage = "ID",
     .operand = "id",
     .help = "gives it up"},
    {.name = "backfill",
     .usage = "SESSION",
     .operand = "session",
     .help = "fetches the gateway's history of a session; prints how far that "
             "is"},
    {.name = "top",
     .usage = "[--once]",
     .once = true,
     .help = "what wacrmd does, anew each second: events, spool, outbox, "
             "sessions, sockets,\n      errors, memory"},
    {.name = "selftest",
     .usage = "[--url URL] [--secret-file FILE] [--timeout SECONDS]",
     .road = true,
     .help =
         "sends a marked event through the whole road, from nginx's webhook "
         "to a\n      browser's socket, and tells the time of each hop"},
    {.name = "backup",
     .usage = "FILE",
     .operand = "file",
     .file = true,
     .help = "a consistent copy of the database into a new file; wacrmd writes "
             "it, so it\n      goes where its unit lets it: "
             "/var/backups/wacrm, not /tmp, not /home"},
    {.name = "restore",
     .usage = "FILE",
     .operand = "file",
     .file = true,
     .help = "puts a backup in the place of the database, which is kept; "
             "wacrmd must\n      be stopped"},
    {.name = "check",
     .usage = "",
     .help = "looks whether database, spool, search index and files are whole"},
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *out)
{
    (void)fputs("usage: wacrmctl [-c FILE] [--json] COMMAND ...\n\n", out);
    for (size_t i = 0; i < NCOMMANDS; i++) {
        (void)fprintf(out, "  %s%s%s\n      %s\n", commands[i].name,
                      *commands[i].usage ? " " : "", commands[i].usage,
                      commands[i].help);
    }
    (void)fputs(
        "\n"
        "  -c FILE  configuration of wacrmd "
        "(/etc/wacrm/wacrmd.conf)\n"
        "  --json   prints the answer as JSON lines\n"
        "\n"
        "While wacrmd is down only user, import, export, backup, restore, "
        "check and search work.\n",
        out);
}

static int wrong(const ctl_command_t *c, const char *reason, const char *what)
{
    (void)fprintf(stderr, "wacrmctl: %s%s\n", reason, what);
    if (c) {
        (void)fprintf(stderr, "usage: wacrmctl %s %s\n", c->name, c->usage);
    } else {
        (void)fputs("wacrmctl --help tells more\n", stderr);
    }
    return 2;
}

static bool set(json_t *request, const char *key, const char *value)
{
    return json_object_set_new(request, key, json_string(value)) == 0;
}

/* ---- passwords ---- */

/* Without its newline; false if there is none. */
static bool read_secret(const char *prompt, char out[PASSWORD_MAX])
{
    struct termios old, quiet;
    bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &old) == 0;
    bool ok;

    if (terminal) {
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        (void)fputs(prompt, stderr);
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    ok = fgets(out, PASSWORD_MAX, stdin) != NULL;
    if (terminal) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        (void)fputc('\n', stderr);
    }
    if (ok) {
        out[strcspn(out, "\r\n")] = '\0';
    }
    return ok;
}

static int ask_password(json_t *request)
{
    char first[PASSWORD_MAX], again[PASSWORD_MAX];
    int status = CTL_RUN;

    if (!read_secret("Password: ", first) || !first[0]) {
        status = wrong(NULL, "no password on standard input", "");
    } else if (isatty(STDIN_FILENO) &&
               (!read_secret("Again: ", again) || strcmp(first, again) != 0)) {
        status = wrong(NULL, "the passwords differ", "");
    } else if (!set(request, "password", first)) {
        status = wrong(NULL, "the password is not UTF-8", "");
    }
    explicit_bzero(first, sizeof(first));
    explicit_bzero(again, sizeof(again));
    return status;
}

/* ---- files ---- */

static int set_path(json_t *request, const char *file)
{
    char *cwd, *path = NULL;
    int status = CTL_RUN;

    if (file[0] == '/') {
        return set(request, "file", file) ? CTL_RUN
                                          : wrong(NULL, "bad path", "");
    }
    cwd = getcwd(NULL, 0);
    if (!cwd || asprintf(&path, "%s/%s", cwd, file) < 0) {
        path = NULL;
        status = wrong(NULL, "no working directory", "");
    } else if (!set(request, "file", path)) {
        status = wrong(NULL, "bad path", "");
    }
    free(path);
    free(cwd);
    return status;
}

static int open_input(ctl_args_t *a, const char *file)
{
    a->input = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
    if (a->input) {
        return CTL_RUN;
    }
    (void)fprintf(stderr, "wacrmctl: %s: %s\n", file, strerrordesc_np(errno));
    return 1;
}

/* ---- the line ---- */

/* Options of wacrmctl itself; the place of the command. */
static int read_own(ctl_args_t *a, int argc, char **argv, int *at)
{
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            a->json = true;
        } else if (strcmp(argv[i], "--help") == 0 ||
                   strcmp(argv[i], "-h") == 0) {
            usage(stdout);
            return 0;
        } else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
            a->config = argv[++i];
        } else {
            return wrong(NULL, "unknown option ", argv[i]);
        }
    }
    if (i == argc) {
        usage(stderr);
        return 2;
    }
    *at = i;
    return CTL_RUN;
}

static const ctl_command_t *find(int argc, char **argv, int *at)
{
    for (size_t i = 0; i < NCOMMANDS; i++) {
        const char *name = commands[i].name, *space = strchr(name, ' ');
        size_t len = space ? (size_t)(space - name) : strlen(name);

        if (strlen(argv[*at]) != len || strncmp(argv[*at], name, len) != 0) {
            continue;
        }
        if (!space) {
            *at += 1;
            return &commands[i];
        }
        if (*at + 1 < argc && strcmp(argv[*at + 1], space + 1) == 0) {
            *at += 2;
            return &commands[i];
        }
    }
    return NULL;
}

static int read_option(const ctl_command_t *c, json_t *request, int argc,
                       char **argv, int *i)
{
    const char *option = argv[*i];
    bool known = (c->role && strcmp(option, "--role") == 0) ||
                 (c->name_option && strcmp(option, "--name") == 0) ||
                 (c->limit && strcmp(option, "--limit") == 0) ||
                 (c->road && (strcmp(option, "--url") == 0 ||
                              strcmp(option, "--secret-file") == 0 ||
                              strcmp(option, "--timeout") == 0));

    if ((c->dry_run && strcmp(option, "--dry-run") == 0) ||
        (c->once && strcmp(option, "--once") == 0)) {
        return json_object_set_new(request, c->once ? "once" : "dry_run",
                                   json_true()) == 0
                   ? CTL_RUN
                   : wrong(NULL, "out of memory", "");
    }
    if (!known) {
        return wrong(c, "unknown option ", option);
    }
    if (*i + 1 == argc) {
        return wrong(c, "a value is missing after ", option);
    }
    *i += 1;
    return set(request, option + 2, argv[*i]) ? CTL_RUN
                                              : wrong(c, "not UTF-8: ", option);
}

static int take_operand(ctl_args_t *a, const ctl_command_t *c,
                        const char *operand)
{
    if (!c->operand) {
        return operand ? wrong(c, "too much: ", operand) : CTL_RUN;
    }
    if (!operand) {
        return wrong(c, "missing: ", c->operand);
    }
    if (c->input) {
        return open_input(a, operand);
    }
    if (c->file) {
        return set_path(a->request, operand);
    }
    return set(a->request, c->operand, operand)
               ? CTL_RUN
               : wrong(c, "not UTF-8: ", c->operand);
}

static int read_command(ctl_args_t *a, int argc, char **argv, int at)
{
    const ctl_command_t *c = find(argc, argv, &at);
    const char *operand = NULL;
    int status = CTL_RUN;

    if (!c) {
        return wrong(NULL, "no command ", argv[at]);
    }
    a->command = c->wire ? c->wire : c->name;
    if (!set(a->request, "command", a->command)) {
        return wrong(NULL, "out of memory", "");
    }
    for (int i = at; i < argc && status == CTL_RUN; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            (void)printf("usage: wacrmctl %s %s\n      %s\n", c->name, c->usage,
                         c->help);
            return 0;
        }
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            status = read_option(c, a->request, argc, argv, &i);
        } else if (operand) {
            status = wrong(c, "too much: ", argv[i]);
        } else {
            operand = argv[i];
        }
    }
    if (status == CTL_RUN) {
        status = take_operand(a, c, operand);
    }
    if (status == CTL_RUN && c->password) {
        status = ask_password(a->request);
    }
    return status;
}

int ctl_args_read(ctl_args_t *a, int argc, char **argv)
{
    int at = 0, status;

    *a = (ctl_args_t){.config = "/etc/wacrm/wacrmd.conf"};
    a->request = json_object();
    if (!a->request) {
        return wrong(NULL, "out of memory", "");
    }
    status = read_own(a, argc, argv, &at);
    return status == CTL_RUN ? read_command(a, argc, argv, at) : status;
}

void ctl_args_free(ctl_args_t *a)
{
    json_decref(a->request);
    if (a->input && a->input != stdin) {
        (void)fclose(a->input);
    }
}
