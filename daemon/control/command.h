/*
 * command.h - what wacrmctl can do, the same inside wacrmd (through its
 * control socket) and, for some, in wacrmctl itself while wacrmd is down.
 *
 * A request is a JSON object: "command" and its arguments; a file may follow
 * it (control/chunks.h). The answer is a row of JSON objects; the last one is
 * {"ok":true} or
 * {"ok":false,"error":"..."}.
 */
#ifndef WACRM_CONTROL_COMMAND_H
#define WACRM_CONTROL_COMMAND_H

#include <stdatomic.h>
#include <stdio.h>

#include <jansson.h>

#include "base/buf.h"
#include "config.h"
#include "domain/domain.h"
#include "search/search.h"
#include "spool/spool.h"

#define COMMAND_ERROR_MAX 400
/* For a caller that says nothing, nor takes what it is told. */
#define COMMAND_PATIENCE_S 60

/*
 * The file follows in chunks. Before, "import" was one that followed as it is,
 * up to the end of the connection: a wacrmd of then takes no chunks for CSV.
 */
#define COMMAND_IMPORT "import file"
/* How the error of a command that is not known begins. */
#define COMMAND_UNKNOWN "no command "

/* One request at work. */
typedef struct {
    domain_t *domain;
    spool_t *spool;                      /* NULL: wacrmd is down */
    search_t *search;                    /* likewise */
    const struct control_parts_s *parts; /* likewise: control.h */
    const config_t *config;
    db_t *db; /* a read connection */
    /* Why the database cannot be opened, or NULL; domain and db are NULL
     * then, and only "check" is run. */
    const char *broken;
    FILE *input;     /* what comes after the request, or NULL */
    int input_error; /* of chunks_open() */
    /* wacrmd ends: what takes long is to end, too. NULL: never */
    const atomic_bool *stop;
    /* Takes one JSON object. */
    void (*emit)(void *arg, const char *json, size_t len);
    void *arg;
    char error[COMMAND_ERROR_MAX];
} command_t;

/* Runs it and emits the whole answer, the last object too. True: ok. */
bool command_run(command_t *c, const json_t *request);

/* true if it works without wacrmd. */
bool command_works_alone(const char *name);

/* ---- for the commands ---- */

/* Emits the object in b, then empties it. */
void command_emit(command_t *c, buf_t *b);
/* {"text":...} */
void command_text(command_t *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Sets the error; false. */
bool command_fail(command_t *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* true: the command is to end now. */
bool command_stopping(const command_t *c);
/* A string of the request; NULL with the error set. */
const char *command_arg(command_t *c, const json_t *request, const char *key);

typedef bool (*command_fn)(command_t *c, const json_t *request);

bool command_import(command_t *c, const json_t *request);
bool command_export_donors(command_t *c, const json_t *request);
bool command_export_donations(command_t *c, const json_t *request);
bool command_backup(command_t *c, const json_t *request);
bool command_user_add(command_t *c, const json_t *request);
bool command_user_passwd(command_t *c, const json_t *request);
bool command_user_list(command_t *c, const json_t *request);
bool command_spool_salvage(command_t *c, const json_t *request);
bool command_spool_requeue(command_t *c, const json_t *request);
bool command_spool_drop(command_t *c, const json_t *request);
bool command_token(command_t *c, const json_t *request);
bool command_dead_list(command_t *c, const json_t *request);
bool command_dead_show(command_t *c, const json_t *request);
bool command_dead_replay(command_t *c, const json_t *request);
bool command_dead_drop(command_t *c, const json_t *request);
bool command_check(command_t *c, const json_t *request);
bool command_backfill(command_t *c, const json_t *request);
bool command_top(command_t *c, const json_t *request);
bool command_probe(command_t *c, const json_t *request);

#endif
