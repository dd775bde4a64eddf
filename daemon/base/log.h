/*
 * log.h - one line per thing that happened: time, level, room, key=value.
 *
 *   2026-03-01T04:05:06.789Z info intake msg="batch applied" events=12 seq=77
 *
 * Text values go through log_str() (quoted and escaped, so that no input can
 * forge a line), others' sentences through log_words(), phones through
 * log_phone() (only the last three digits stand).
 * Never a secret, a body or a full phone number.
 */
#ifndef WACRM_BASE_LOG_H
#define WACRM_BASE_LOG_H

typedef enum { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG } log_level_t;

/* Lines go to fd (2 unless set). Thread-safe: one write(2) a line. */
void log_setup(log_level_t level, int fd);
int log_level_parse(const char *name, log_level_t *level);

void log_write(log_level_t level, const char *room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(room, ...) log_write(LOG_ERROR, room, __VA_ARGS__)
#define log_warn(room, ...)  log_write(LOG_WARN, room, __VA_ARGS__)
#define log_info(room, ...)  log_write(LOG_INFO, room, __VA_ARGS__)
#define log_debug(room, ...) log_write(LOG_DEBUG, room, __VA_ARGS__)

/* For one call of log_write: quoted and escaped copy in a per-thread ring of
 * 8; cut at 200 bytes. */
const char *log_str(const char *s);
const char *log_strn(const char *s, unsigned long len);
/* log_str() of what another program says, which may name a phone: long numbers
 * are masked in it. */
const char *log_words(const char *s);
/* "*********890"; aliases keep their kind: "*****@lid". */
const char *log_phone(const char *phone);

#endif
