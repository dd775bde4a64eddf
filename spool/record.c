#include "spool/record.h"

#include <limits.h>
#include <string.h>

#include <msgpack.h>

#include "spool/spool.h"
#include "spool/wire.h"

#define NKEYS 11 /* of version 1 */

/* Bytes of all keys of version 1 and of the three containers around them. */
#define FIXED_MAX 96
/* Header of a str or bin of any length. */
#define HEAD_MAX 5

typedef struct {
    char *data;
    size_t size;
    size_t used;
} bounded_t;

static int bounded_write(void *ctx, const char *data, size_t len)
{
    bounded_t *b = ctx;

    if (len > b->size - b->used) {
        b->size = b->used; /* nothing may follow what did not fit */
        return -1;
    }
    memcpy(b->data + b->used, data, len);
    b->used += len;
    return 0;
}

/* 0 like the packer's own functions, else the buffer is full. */
static int pack_str(msgpack_packer *pk, spool_str_t s)
{
    if (msgpack_pack_str(pk, s.len) != 0) {
        return -1;
    }
    return s.len == 0 ? 0 : msgpack_pack_str_body(pk, s.data, s.len);
}

static int pack_bin(msgpack_packer *pk, spool_str_t s)
{
    if (msgpack_pack_bin(pk, s.len) != 0) {
        return -1;
    }
    return s.len == 0 ? 0 : msgpack_pack_bin_body(pk, s.data, s.len);
}

static int pack_key(msgpack_packer *pk, const char *key)
{
    return pack_str(pk, (spool_str_t){key, strlen(key)});
}

static int pack_field(msgpack_packer *pk, const char *key, spool_str_t s)
{
    return pack_key(pk, key) != 0 ? -1 : pack_str(pk, s);
}

static int pack_headers(msgpack_packer *pk, const spool_record_t *rec)
{
    if (pack_key(pk, "h") != 0 || msgpack_pack_map(pk, rec->nheaders) != 0) {
        return -1;
    }
    for (size_t i = 0; i < rec->nheaders; i++) {
        if (pack_str(pk, rec->headers[i].name) != 0 ||
            pack_str(pk, rec->headers[i].value) != 0) {
            return -1;
        }
    }
    return 0;
}

static int pack_record(msgpack_packer *pk, const spool_record_t *rec)
{
    if (msgpack_pack_map(pk, NKEYS) != 0 || pack_key(pk, "v") != 0 ||
        msgpack_pack_unsigned_int(pk, SPOOL_RECORD_VERSION) != 0 ||
        pack_field(pk, "src", rec->source) != 0 || pack_key(pk, "at") != 0 ||
        msgpack_pack_uint64(pk, rec->received_us) != 0 ||
        pack_field(pk, "ip", rec->remote) != 0 ||
        pack_field(pk, "sig", rec->signature) != 0 ||
        pack_field(pk, "m", rec->method) != 0 ||
        pack_field(pk, "path", rec->path) != 0 ||
        pack_field(pk, "q", rec->query) != 0 ||
        pack_field(pk, "ct", rec->content_type) != 0 ||
        pack_headers(pk, rec) != 0 || pack_key(pk, "body") != 0) {
        return -1;
    }
    return pack_bin(pk, rec->body);
}

size_t spool_record_bound(const spool_record_t *rec)
{
    size_t n = FIXED_MAX + 8 * HEAD_MAX;

    n += rec->source.len + rec->remote.len + rec->signature.len +
         rec->method.len + rec->path.len + rec->query.len +
         rec->content_type.len + rec->body.len;
    for (size_t i = 0; i < rec->nheaders && i < SPOOL_HEADERS_MAX; i++) {
        n += rec->headers[i].name.len + rec->headers[i].value.len;
        n += 2 * HEAD_MAX;
    }
    return n;
}

size_t spool_record_encode(const spool_record_t *rec, void *buf, size_t size)
{
    bounded_t out = {buf, size, 0};
    msgpack_packer pk;

    /* No length of its own can be cut short on the wire: 32 bits hold it. */
    if (rec->nheaders > SPOOL_HEADERS_MAX ||
        spool_record_bound(rec) > UINT32_MAX) {
        return 0;
    }
    msgpack_packer_init(&pk, &out, bounded_write);
    return pack_record(&pk, rec) == 0 ? out.used : 0;
}

typedef enum {
    KEY_UNKNOWN = -1,
    KEY_V,
    KEY_SRC,
    KEY_AT,
    KEY_IP,
    KEY_SIG,
    KEY_M,
    KEY_PATH,
    KEY_Q,
    KEY_CT,
    KEY_H,
    KEY_BODY,
} record_key_t;

/* Without these a record says nothing. */
#define KEYS_NEEDED (1u << KEY_SRC | 1u << KEY_AT | 1u << KEY_BODY)

static record_key_t key_of(const msgpack_object *o)
{
    static const char names[NKEYS][5] = {
        [KEY_V] = "v",       [KEY_SRC] = "src",   [KEY_AT] = "at",
        [KEY_IP] = "ip",     [KEY_SIG] = "sig",   [KEY_M] = "m",
        [KEY_PATH] = "path", [KEY_Q] = "q",       [KEY_CT] = "ct",
        [KEY_H] = "h",       [KEY_BODY] = "body",
    };

    if (o->type != MSGPACK_OBJECT_STR || o->via.str.size > 4) {
        return KEY_UNKNOWN;
    }
    for (int i = 0; i < NKEYS; i++) {
        if (names[i][o->via.str.size] == '\0' &&
            memcmp(names[i], o->via.str.ptr, o->via.str.size) == 0) {
            return (record_key_t)i;
        }
    }
    return KEY_UNKNOWN;
}

static bool get_str(const msgpack_object *o, spool_str_t *out)
{
    if (o->type != MSGPACK_OBJECT_STR) {
        return false;
    }
    out->data = o->via.str.ptr;
    out->len = o->via.str.size;
    return true;
}

static bool get_headers(const msgpack_object *o, spool_record_t *rec)
{
    if (o->type != MSGPACK_OBJECT_MAP || o->via.map.size > SPOOL_HEADERS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < o->via.map.size; i++) {
        const msgpack_object_kv *kv = &o->via.map.ptr[i];

        if (!get_str(&kv->key, &rec->headers[i].name) ||
            !get_str(&kv->val, &rec->headers[i].value)) {
            return false;
        }
    }
    rec->nheaders = o->via.map.size;
    return true;
}

static bool get_value(record_key_t key, const msgpack_object *o,
                      spool_record_t *rec)
{
    switch (key) {
    case KEY_SRC:
        return get_str(o, &rec->source);
    case KEY_IP:
        return get_str(o, &rec->remote);
    case KEY_SIG:
        return get_str(o, &rec->signature);
    case KEY_M:
        return get_str(o, &rec->method);
    case KEY_PATH:
        return get_str(o, &rec->path);
    case KEY_Q:
        return get_str(o, &rec->query);
    case KEY_CT:
        return get_str(o, &rec->content_type);
    case KEY_H:
        return get_headers(o, rec);
    case KEY_AT:
        rec->received_us = o->via.u64;
        return o->type == MSGPACK_OBJECT_POSITIVE_INTEGER;
    case KEY_BODY:
        rec->body.data = o->via.bin.ptr;
        rec->body.len = o->via.bin.size;
        return o->type == MSGPACK_OBJECT_BIN;
    default:
        return true; /* v is known already, others are not ours */
    }
}

/* The version first: a later one may give every other key a new meaning. */
static int get_version(const msgpack_object_map *map, spool_record_t *rec)
{
    const msgpack_object *v = NULL;

    for (uint32_t i = 0; i < map->size; i++) {
        if (key_of(&map->ptr[i].key) == KEY_V) {
            v = &map->ptr[i].val;
            break;
        }
    }
    if (v == NULL || v->type != MSGPACK_OBJECT_POSITIVE_INTEGER ||
        v->via.u64 == 0) {
        return SPOOL_CORRUPT;
    }
    rec->version = v->via.u64 > UINT_MAX ? UINT_MAX : (unsigned)v->via.u64;
    return rec->version > SPOOL_RECORD_VERSION ? SPOOL_FUTURE : SPOOL_OK;
}

static int get_record(const msgpack_object *o, spool_record_t *rec)
{
    unsigned seen = 0;
    int rc;

    if (o->type != MSGPACK_OBJECT_MAP) {
        return SPOOL_CORRUPT;
    }
    rc = get_version(&o->via.map, rec);
    if (rc != SPOOL_OK) {
        return rc;
    }
    for (uint32_t i = 0; i < o->via.map.size; i++) {
        const msgpack_object_kv *kv = &o->via.map.ptr[i];
        record_key_t key = key_of(&kv->key);

        if (key == KEY_UNKNOWN) {
            continue;
        }
        if ((seen & 1u << key) != 0 || !get_value(key, &kv->val, rec)) {
            return SPOOL_CORRUPT;
        }
        seen |= 1u << key;
    }
    return (seen & KEYS_NEEDED) == KEYS_NEEDED ? SPOOL_OK : SPOOL_CORRUPT;
}

int spool_record_decode(const void *data, size_t len, spool_record_t *rec)
{
    msgpack_object object;
    msgpack_zone zone;
    size_t off = 0;
    int rc;

    memset(rec, 0, sizeof(*rec));
    if (!spool_wire_valid(data, len)) {
        return SPOOL_CORRUPT;
    }
    /* One chunk holds every record of ours; more only for unknown keys. */
    if (!msgpack_zone_init(&zone, 2048)) {
        return SPOOL_NOMEM;
    }
    switch (msgpack_unpack(data, len, &off, &zone, &object)) {
    case MSGPACK_UNPACK_SUCCESS:
        rc = get_record(&object, rec);
        break;
    case MSGPACK_UNPACK_NOMEM_ERROR:
        rc = SPOOL_NOMEM;
        break;
    default:
        rc = SPOOL_CORRUPT;
        break;
    }
    msgpack_zone_destroy(&zone);
    return rc;
}

spool_str_t spool_record_header(const spool_record_t *rec, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < rec->nheaders; i++) {
        if (rec->headers[i].name.len == len &&
            memcmp(rec->headers[i].name.data, name, len) == 0) {
            return rec->headers[i].value;
        }
    }
    return (spool_str_t){NULL, 0};
}
