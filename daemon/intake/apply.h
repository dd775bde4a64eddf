/*
 * apply.h - one record's events into the domain. Private to intake/.
 */
#ifndef WACRM_INTAKE_APPLY_H
#define WACRM_INTAKE_APPLY_H

#include "base/phone.h"
#include "domain/domain.h"
#include "domain/welcome.h"
#include "intake/item.h"

#define TYPING_MAX   64
#define SESSIONS_MAX 32

typedef struct {
    int64_t session;
    bool on;
    char phone[ALIAS_MAX];
} typing_t;

/* The work of one transaction; apply_begin() empties it. */
typedef struct {
    bool live;            /* no replay */
    welcome_pace_t *pace; /* NULL: no welcome */
    int64_t duplicates, dead, ignored;
    typing_t typing[TYPING_MAX]; /* to be told after the commit */
    size_t ntyping;
    struct {
        const gateway_account_t *account;
        int64_t account_id, id;
        char remote[200];
    } sessions[SESSIONS_MAX]; /* seen in this transaction */
    size_t nsessions;
    char reason[REASON_MAX]; /* why apply_item() was not content */
    /* When the newest one that was applied live came; 0 before the first, and
     * no business of apply_begin(). */
    int64_t newest;
} apply_t;

void apply_begin(apply_t *a, bool live, welcome_pace_t *pace);

/*
 * WERR_OK; a fault; or why these events cannot be applied, with a->reason:
 * then the transaction has to go back to before it.
 */
int apply_item(apply_t *a, tx_t *tx, const item_t *item) WACRM_CHECKED;

#endif
