/*
 * coding.h - hex and base64, strictly: what has a second spelling is refused.
 *
 * No white space, no foreign letter, no bits left over in the last letter.
 */
#ifndef WACRM_EDGE_CODING_H
#define WACRM_EDGE_CODING_H

#include <stdbool.h>
#include <stddef.h>

/* Either case. true if in is exactly 2 * out_len digits. */
bool hex_decode(unsigned char *out, size_t out_len, const char *in, size_t len);

#define B64_URL      1u /* - and _ in place of + and / */
#define B64_PADDED   2u /* '=' up to a multiple of four: allowed */
#define B64_UNPADDED 4u /* no '=' at all: allowed */

/* Room that any base64 text of len letters fits into, decoded. */
#define B64_DECODED_MAX(len) ((len) / 4 * 3 + 3)

/*
 * Decodes into out, which has room for cap bytes; *out_len says how many
 * came. false if the text is malformed or does not fit.
 */
bool b64_decode(unsigned char *out, size_t cap, size_t *out_len, const char *in,
                size_t len, unsigned flags);

#endif
