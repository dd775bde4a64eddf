/*
 * alarm_state.h - what is looked at for alarms, and what was found. Private
 * to alarm*.c.
 */
#ifndef WACRM_ALARM_STATE_H
#define WACRM_ALARM_STATE_H

#include "alarm.h"

typedef enum {
    ALARM_DEAD_LETTERS,
    ALARM_SESSION_DOWN,
    ALARM_SPOOL,
    ALARM_OUTBOX_OLD,
    ALARM_OUTBOX_FAILING,
    ALARM_DATABASE,
    ALARM_DISK,
    ALARM_BACKUP,
    ALARM_BACKUP_OLD,
    ALARM_END
} alarm_kind_t;

#define ALARM_TEXT_MAX 300

/* One alarm as it is now. */
typedef struct {
    bool firing;
    bool new; /* more of it than was told; else only the time repeats */
    int64_t value;
    int64_t mark; /* of what `new` compares, kept when it was told */
    char text[ALARM_TEXT_MAX]; /* for people */
} alarm_state_t;

/* What lies between two looks. */
typedef struct {
    int64_t faults;    /* of the database, at the last look */
    int64_t fault_ms;  /* monotonic, of the last one; 0: none */
    int64_t failed;    /* messages, at the beginning of the window */
    int64_t window_ms; /* monotonic, its beginning; 0: none yet */
    int64_t failing;   /* messages of the last whole window */
} alarm_memory_t;

/* In the wire's words: "dead_letters". */
const char *alarm_name(alarm_kind_t kind);

/* Fills out[ALARM_END]; told[kind]: the mark that was told last. */
int alarm_read(const alarm_options_t *o, domain_t *d, db_t *db, spool_t *spool,
               const outbox_t *outbox, alarm_memory_t *memory,
               const int64_t *told, alarm_state_t *out) WACRM_CHECKED;

#endif
