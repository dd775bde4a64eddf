/*
 * backfill.h - a gateway's history of a session: a run fetches the list of
 * chats, then the messages of each, page by page. How far it is stands in the
 * database with the effects of each page: a crash goes on where it was.
 *
 * What comes is deduplicated, is never unread, raises no NewMessageReceived
 * and no greeting. Incoming messages that are younger than two minutes are
 * left to the webhook, which may bring them at the same time.
 */
#ifndef WACRM_DOMAIN_BACKFILL_H
#define WACRM_DOMAIN_BACKFILL_H

#include "base/buf.h"
#include "base/phone.h"
#include "domain/message.h"

#define BACKFILL_PAGE       100 /* lines asked for at once */
#define BACKFILL_CHAT_PAGES 100 /* of the list of chats, at most */
#define BACKFILL_PAGES      20  /* of one chat, at most */
#define BACKFILL_ID_MAX     200

/*
 * Begins a run, or hurries the one that is under way. deep: also the chats in
 * which nothing new is, and older pages of what is known.
 */
int backfill_request(tx_t *tx, int64_t session, bool deep) WACRM_CHECKED;
/* Somebody asks for a deep one, of which the audit log tells. A transaction of
 * its own. */
int backfill_ask(domain_t *d, int64_t session) WACRM_CHECKED;

/*
 * The session is connected now; down_since: it was not since then, 0: it
 * never was. A run begins in a minute (what the gateway has kept for us comes
 * by webhook first), if it was down for five minutes, or the last run has not
 * ended well.
 */
int backfill_connected(tx_t *tx, int64_t session,
                       int64_t down_since) WACRM_CHECKED;

/* A page to fetch. */
typedef struct {
    int64_t session, requested_at;
    bool deep;
    int64_t chat; /* 0: of the list of chats */
    int64_t page; /* from 1 */
    int64_t oldest;
    char account[64], remote[BACKFILL_ID_MAX], jid[BACKFILL_ID_MAX];
} backfill_task_t;

/*
 * The next page of the oldest run that is due; busy: chats that are being
 * fetched. WERR_NOTFOUND: nothing to do before *next_due (ms, INT64_MAX).
 */
int backfill_next(db_t *db, int64_t now, const int64_t *busy, size_t nbusy,
                  backfill_task_t *out, int64_t *next_due) WACRM_CHECKED;

/* A chat of the list; strings NULL or "" where not told. */
typedef struct {
    char jid[BACKFILL_ID_MAX], phone[ALIAS_MAX], alias[ALIAS_MAX];
    char name[256];
    int64_t ts; /* of its last message; 0: not told */
} backfill_chat_t;

/* lines: how many the page had, also those that are left out. */
int backfill_apply_chats(tx_t *tx, const backfill_task_t *task,
                         const backfill_chat_t *chats, size_t n,
                         size_t lines) WACRM_CHECKED;

typedef struct {
    const char *phone, *alias, *name; /* of the other side, or NULL */
    const char *status;               /* the gateway's word, or NULL */
    message_in_t in;                  /* session, live, history: set here */
} backfill_message_t;

/* Sorts messages by their time. */
int backfill_apply_messages(tx_t *tx, const backfill_task_t *task,
                            backfill_message_t *messages, size_t n,
                            size_t lines) WACRM_CHECKED;

typedef enum {
    BACKFILL_AGAIN,   /* later, up to five times in a row */
    BACKFILL_WAIT,    /* the gateway asked for it: counts for nothing */
    BACKFILL_REFUSED, /* this page will never come */
    BACKFILL_NEVER    /* nor will any other */
} backfill_failure_t;

/* wait_ms: at least so long. */
int backfill_failed(tx_t *tx, const backfill_task_t *task,
                    backfill_failure_t how, const char *reason,
                    int64_t wait_ms) WACRM_CHECKED;

/* {session_id, state, chats, chats_done, messages, left_out, error,
 * requested_at, finished_at}; state "none": never asked for. */
int backfill_write_json(db_t *db, int64_t session, buf_t *out,
                        const char *key) WACRM_CHECKED;

#endif
