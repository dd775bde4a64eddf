/*
 * record.h - one webhook event as it lies in the spool.
 *
 * A record is one msgpack map with string keys. Version 1 has these:
 *
 *   key    type   meaning
 *   v      uint   version of the record, 1
 *   src    str    source: the gateway account, names [gateway NAME]
 *   at     uint   time of receipt, microseconds since 1970-01-01 UTC
 *   ip     str    remote address, text
 *   sig    str    signature scheme that matched, "none" when unsigned
 *   m      str    method
 *   path   str    path of the request, not decoded
 *   q      str    query string, a configured token parameter blanked
 *   ct     str    Content-Type, "" if absent
 *   h      map    headers kept, lower-case name -> value
 *   body   bin    the raw body
 *
 * A decoder skips keys that it does not know; a record whose v is larger
 * than SPOOL_RECORD_VERSION is SPOOL_FUTURE, anything malformed SPOOL_CORRUPT.
 * A worked hex example: docs/spool.md. Wire format: msgpack specification,
 * github.com/msgpack/msgpack/blob/master/spec.md.
 */
#ifndef WACRM_SPOOL_RECORD_H
#define WACRM_SPOOL_RECORD_H

#include <stddef.h>
#include <stdint.h>

#define SPOOL_RECORD_VERSION 1
#define SPOOL_HEADERS_MAX    16

/* Bytes that belong to somebody else; not terminated. */
typedef struct {
    const char *data;
    size_t len;
} spool_str_t;

typedef struct {
    spool_str_t name; /* lower case */
    spool_str_t value;
} spool_header_t;

typedef struct {
    unsigned version;
    spool_str_t source;
    uint64_t received_us;
    spool_str_t remote;
    spool_str_t signature;
    spool_str_t method;
    spool_str_t path;
    spool_str_t query;
    spool_str_t content_type;
    spool_header_t headers[SPOOL_HEADERS_MAX];
    size_t nheaders;
    spool_str_t body;
} spool_record_t;

/* An upper bound of the encoded size, to allocate by. */
size_t spool_record_bound(const spool_record_t *rec);

/*
 * Encodes rec (version 1, whatever rec->version says) into buf. Returns the
 * bytes written, 0 if size was too small.
 */
size_t spool_record_encode(const spool_record_t *rec, void *buf, size_t size);

/*
 * Decodes data into rec, whose strings point into data: they live as long as
 * it does. SPOOL_OK, SPOOL_CORRUPT or SPOOL_FUTURE (spool.h); never reads
 * outside data, never allocates more than a fixed multiple of len.
 */
int spool_record_decode(const void *data, size_t len, spool_record_t *rec);

/* The header of that lower-case name, or an empty string with data == NULL. */
spool_str_t spool_record_header(const spool_record_t *rec, const char *name);

#endif
