/*
 * phone.h - one canonical form of a phone number: digits, country code first.
 *
 * Local Indonesian rules (08.., 8.., 620..) apply only to what a person
 * typed; a number out of a JID or from a gateway is international already.
 */
#ifndef WACRM_BASE_PHONE_H
#define WACRM_BASE_PHONE_H

#include <stdbool.h>
#include <stddef.h>

#define PHONE_MAX 24  /* canonical digits and NUL */
#define ALIAS_MAX 160 /* "103899771998284@lid", BSUID, and NUL */

/*
 * What a person typed: spaces, dashes, dots, brackets, +, 00, 0, 8, 62, 620,
 * or a JID of a phone. 10 to 15 digits result, or false.
 */
bool phone_from_typed(const char *text, size_t len, char out[PHONE_MAX]);

typedef enum {
    JID_PHONE,     /* out: canonical digits */
    JID_ALIAS,     /* out: "<id>@lid", or a BSUID as it is */
    JID_GROUP,     /* @g.us */
    JID_BROADCAST, /* @broadcast, @newsletter, status@broadcast */
    JID_INVALID
} jid_kind_t;

/*
 * What a gateway sent: "62..", "+62..", "62..:27@s.whatsapp.net",
 * "62..@c.us", "..@lid", "..@g.us" ...; the device part goes, nothing is
 * completed. 7 to 15 digits make a phone.
 */
jid_kind_t phone_from_jid(const char *text, size_t len, char out[ALIAS_MAX]);

/* "+62 812-3456-7890", for people; any other country: "+<digits>". An alias
 * as "Kontak ...284". */
void phone_format(const char *phone, char *out, size_t size);

#endif
