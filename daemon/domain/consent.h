/*
 * consent.h - who does not want to be written to: a ledger, and what follows
 * from it. contacts.opted_out is what the newest entry says, by the time it
 * was said and not by the time we heard of it.
 */
#ifndef WACRM_DOMAIN_CONSENT_H
#define WACRM_DOMAIN_CONSENT_H

#include "base/buf.h"
#include "domain/domain.h"

#define CONSENT_NOTE_MAX 1000 /* characters */

typedef struct {
    int64_t contact;
    bool opted_out;
    const char *how;  /* message agent merge */
    int64_t user;     /* 0: nobody of ours */
    int64_t message;  /* 0: none */
    const char *note; /* NULL: none */
    int64_t since;    /* ms; 0: now */
} consent_t;

/* Also fails what waits for who has opted out now. */
int consent_record(tx_t *tx, const consent_t *c) WACRM_CHECKED;

/*
 * What a contact wrote: a lone stop_words or start_words of the settings, in
 * any case, is an entry; anything else is none.
 */
int consent_hear(tx_t *tx, int64_t contact, int64_t message, const char *text,
                 int64_t ts) WACRM_CHECKED;
/* Is text one of the words of the list, which has commas between them? */
bool consent_is_word(const char *list, const char *text);

int consent_opted_out(db_t *db, int64_t contact, bool *out) WACRM_CHECKED;
/*
 * May we write in this chat to who has opted out? Only in answer to what they
 * wrote there after it, not later than 24 h after that, and with what was
 * queued (ms) since they opted out; never to who has been erased.
 */
int consent_may_reply(tx_t *tx, int64_t contact, int64_t chat, int64_t queued,
                      bool *may) WACRM_CHECKED;

/* {opted_out, history: [..]}, newest first. */
int consent_write(db_t *db, int64_t contact, buf_t *out,
                  const char *key) WACRM_CHECKED;

#endif
