/*
 * contact_visible.h - whom a user may see: contacts with a chat in a session
 * that is theirs, and contacts without any chat, whom the charity itself
 * knows (by import). Supervisors and administrators see everybody.
 *
 * A chat opens the contact's record once something was received in it or has
 * left (chats.live): what only waits to be sent does not, where another chat
 * of the contact is live. Until then such a chat is one with a number, and no
 * more: no name, no gifts.
 */
#ifndef WACRM_DOMAIN_CONTACT_VISIBLE_H
#define WACRM_DOMAIN_CONTACT_VISIBLE_H

#include "domain/domain.h"
#include "domain/user.h"

/* SQL: chat c opens the record of its contact. */
#define CHAT_OPENS(c)                                             \
    "(" c ".live = 1 OR NOT EXISTS (SELECT 1 FROM chats o WHERE " \
    "o.contact_id = " c ".contact_id AND o.live = 1))"

/* SQL: contact k may be seen by user `user`; all is 1 for who sees all. */
#define CONTACT_VISIBLE(k, user, all)                                       \
    "(" all " = 1 OR NOT EXISTS (SELECT 1 FROM chats v WHERE "              \
    "v.contact_id = " k ") OR EXISTS (SELECT 1 FROM chats v JOIN sessions " \
    "vs ON vs.id = v.session_id WHERE v.contact_id = " k " AND "            \
    "(vs.user_id = " user " OR vs.everyone = 1 OR EXISTS (SELECT 1 FROM "   \
    "session_members vm WHERE vm.user_id = " user " AND vm.session_id = "   \
    "vs.id)) AND " CHAT_OPENS("v") "))"

/* By id, or by phone or alias: WERR_NOTFOUND also if not theirs to see. */
int contact_visible(db_t *db, const user_t *user, int64_t id) WACRM_CHECKED;
int contact_find_visible(db_t *db, const user_t *user, const char *phone,
                         int64_t *id) WACRM_CHECKED;

#endif
