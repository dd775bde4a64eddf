/*
 * wire.h - a look over msgpack bytes before msgpack-c may build objects of
 * them. Private to spool/.
 *
 * msgpack_unpack() believes the counts in array and map headers: five bytes
 * ("dd ff ff ff ff") make it ask for 96 GB. So the headers are walked first,
 * and each count is held against the bytes that are left.
 */
#ifndef WACRM_SPOOL_WIRE_H
#define WACRM_SPOOL_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#define SPOOL_WIRE_DEPTH    8    /* containers inside containers */
#define SPOOL_WIRE_ELEMENTS 4096 /* objects in one record */

/*
 * Whether data is exactly one msgpack object within these limits. What passes
 * needs at most SPOOL_WIRE_ELEMENTS msgpack_object's to be unpacked.
 */
bool spool_wire_valid(const void *data, size_t len);

#endif
