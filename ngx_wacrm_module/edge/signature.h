/*
 * signature.h - how a webhook is signed, and whether it is.
 *
 * One verifier for every scheme: a header carries one or more items, each a
 * prefix and a coded digest; the digest is an HMAC (or Ed25519) over a
 * template of {id}, {ts}, {body} and literals. Presets name the usual ones:
 *
 *   standard svix hub256 hub1 slack stripe shopify waha waapi openwa generic
 *   jwt_hs256 token none
 *
 * Sources of the schemes: docs/directives.md, wacrm_webhook_signature.
 *
 * Pure C: no nginx type, no global state, no clock: the caller says what time
 * it is. A scheme and its keys are constant once configured and may be shared
 * by any number of verifications.
 */
#ifndef WACRM_EDGE_SIGNATURE_H
#define WACRM_EDGE_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIG_ERROR_MAX 160

/* Bytes that belong to somebody else; data == NULL means absent. */
typedef struct {
    const char *data;
    size_t len;
} sig_str_t;

typedef struct sig_scheme_s sig_scheme_t;
typedef struct sig_verify_s sig_verify_t;

/* ---- configuration: each of these may fail with a reason in words ---- */

/*
 * A scheme from its preset name, or the empty general form for "custom".
 * *out is the caller's, to be freed; -1 with error filled if there is none of
 * that name.
 */
int sig_scheme_new(sig_scheme_t **out, sig_str_t name,
                   char error[SIG_ERROR_MAX]);
void sig_scheme_free(sig_scheme_t **scheme);

/*
 * Changes one part: header= prefix= separator=space|comma|none
 * optional_prefix=on|off digest=sha1|sha256|sha512|ed25519 coding=hex|base64
 * template= id_header= timestamp_header= timestamp_item= timestamp=s|ms|iso
 * tolerance=SECONDS key=raw|base64|whsec; for `token`: header= | query= |
 * json=; for `jwt_hs256`: leeway=, claim.NAME=VALUE. -1 with error for an
 * unknown key, a bad value, or a key that this scheme has no use for.
 */
int sig_scheme_option(sig_scheme_t *scheme, sig_str_t key, sig_str_t value,
                      char error[SIG_ERROR_MAX]);

/*
 * Adds a secret (any of them may match). Decodes it as the scheme's key
 * coding says. -1 with error if it is shorter than 16 bytes, not decodable,
 * or a known default ("secret"). min_len 0 switches the length check off:
 * for published test vectors only.
 */
int sig_scheme_secret(sig_scheme_t *scheme, sig_str_t secret, size_t min_len,
                      char error[SIG_ERROR_MAX]);

/*
 * To be called once after the options and secrets: -1 with error if a part is
 * missing or contradicts another (template without {body}, {ts} without a
 * timestamp, no secret ...).
 */
int sig_scheme_finish(sig_scheme_t *scheme, char error[SIG_ERROR_MAX]);

/* "waapi" ..., "custom"; static or owned by the scheme. */
const char *sig_scheme_name(const sig_scheme_t *scheme);
/* true for the preset none: nothing is verified. */
bool sig_scheme_unsigned(const sig_scheme_t *scheme);
/* Lower-case names of the id and timestamp headers, "" if none: these are
 * worth keeping in the spool; the signature header never is. */
const char *sig_scheme_id_header(const sig_scheme_t *scheme);
const char *sig_scheme_timestamp_header(const sig_scheme_t *scheme);
/* Name of the query parameter that carries a token, "" if none: to be
 * blanked before the query is stored or logged. */
const char *sig_scheme_token_query(const sig_scheme_t *scheme);

/* ---- verification ---- */

typedef enum {
    SIG_OK = 0,
    SIG_MISSING,  /* no signature, id or timestamp header */
    SIG_MISMATCH, /* wrong or malformed */
    SIG_STALE,    /* outside the tolerance, either side */
    SIG_FAULT     /* of ours: memory, crypto library */
} sig_result_t;

/* "ok" "missing" "mismatch" "stale" "fault": for metrics and logs. */
const char *sig_result_name(sig_result_t result);

/* What the request has to say; any of these gives data == NULL if absent. */
typedef struct {
    void *ctx;
    /* Value of a header by lower-case name; several of one name: *more = true
     * and the verification fails as a mismatch. */
    sig_str_t (*header)(void *ctx, const char *name, bool *more);
    /* Value of a query parameter, decoded by the caller or raw. */
    sig_str_t (*query)(void *ctx, const char *name);
    int64_t now; /* seconds since 1970 */
} sig_request_t;

/*
 * Starts a verification. *out is NULL unless SIG_OK. The headers' bytes must
 * live until sig_verify_final(). An early result (missing, stale, malformed)
 * may be given here, so that a caller can refuse before reading on.
 */
sig_result_t sig_verify_begin(sig_verify_t **out, const sig_scheme_t *scheme,
                              const sig_request_t *request);

/* The next bytes of the raw body; any number of calls. */
void sig_verify_update(sig_verify_t *v, const void *data, size_t len);

/* The result; compares in constant time, over all items and all secrets.
 * Frees v and NULLs it. */
sig_result_t sig_verify_final(sig_verify_t **v);

/* Gives a verification up. */
void sig_verify_abort(sig_verify_t **v);

#endif
