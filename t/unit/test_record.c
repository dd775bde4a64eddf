#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <msgpack.h>

#include "spool/record.h"
#include "spool/spool.h"
#include "spool/wire.h"

#define STR(s)           \
    {                    \
        s, sizeof(s) - 1 \
    }

/* The directory of golden files; the tests run from the repository's root. */
#define GOLDEN "t/data/spool/record-v1.hex"

static const spool_record_t sample = {
    .version = 1,
    .source = STR("waapi"),
    .received_us = 1767225600123456,
    .remote = STR("203.0.113.7"),
    .signature = STR("waapi"),
    .method = STR("POST"),
    .path = STR("/api/webhook/whatsapp"),
    .query = STR("token="),
    .content_type = STR("application/json"),
    .headers = {{STR("x-webhook-event"), STR("message.received")},
                {STR("x-webhook-id"), STR("evt-1")}},
    .nheaders = 2,
    .body = STR("{\"event\":\"message.received\"}"),
};

static void assert_str(spool_str_t got, spool_str_t want)
{
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.data, want.data, want.len);
}

static void assert_record(const spool_record_t *got, const spool_record_t *want)
{
    assert_int_equal(got->version, 1);
    assert_str(got->source, want->source);
    assert_true(got->received_us == want->received_us);
    assert_str(got->remote, want->remote);
    assert_str(got->signature, want->signature);
    assert_str(got->method, want->method);
    assert_str(got->path, want->path);
    assert_str(got->query, want->query);
    assert_str(got->content_type, want->content_type);
    assert_str(got->body, want->body);
    assert_int_equal(got->nheaders, want->nheaders);
    for (size_t i = 0; i < want->nheaders; i++) {
        assert_str(got->headers[i].name, want->headers[i].name);
        assert_str(got->headers[i].value, want->headers[i].value);
    }
}

/* Hex digits, white space and comments from # to the end of the line. */
static size_t read_golden(unsigned char *buf, size_t size)
{
    FILE *f = fopen(GOLDEN, "r");
    char line[256];
    size_t n = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        unsigned byte;
        int used;

        for (char *p = line; sscanf(p, " %2x%n", &byte, &used) == 1;
             p += used) {
            assert_true(n < size);
            buf[n++] = (unsigned char)byte;
        }
    }
    fclose(f);
    return n;
}

static void test_golden(void **state)
{
    unsigned char golden[1024];
    unsigned char buf[1024];
    spool_record_t rec;
    size_t want;
    size_t n;

    (void)state;
    want = read_golden(golden, sizeof(golden));
    n = spool_record_encode(&sample, buf, sizeof(buf));
    assert_int_equal(n, want);
    assert_memory_equal(buf, golden, n);
    assert_int_equal(spool_record_decode(golden, want, &rec), SPOOL_OK);
    assert_record(&rec, &sample);
}

static void test_bound(void **state)
{
    spool_record_t rec = sample;
    unsigned char buf[1024];
    size_t n;

    (void)state;
    n = spool_record_encode(&rec, buf, sizeof(buf));
    assert_true(n > 0 && n <= spool_record_bound(&rec));
    for (size_t size = 0; size < n; size++) {
        assert_int_equal(spool_record_encode(&rec, buf, size), 0);
    }
    assert_int_equal(spool_record_encode(&rec, buf, n), n);
    rec.nheaders = SPOOL_HEADERS_MAX + 1;
    assert_int_equal(spool_record_encode(&rec, buf, sizeof(buf)), 0);
}

/* The bound holds where every string is long and every header is there. */
static void test_large(void **state)
{
    static char big[70000];
    spool_record_t rec = {.received_us = UINT64_MAX};
    spool_str_t s = {big, sizeof(big)};
    spool_record_t got;
    unsigned char *buf;
    size_t bound;
    size_t n;

    (void)state;
    memset(big, 0xff, sizeof(big));
    rec.source = rec.remote = rec.signature = rec.method = s;
    rec.path = rec.query = rec.content_type = rec.body = s;
    rec.nheaders = SPOOL_HEADERS_MAX;
    for (size_t i = 0; i < rec.nheaders; i++) {
        rec.headers[i] = (spool_header_t){s, s};
    }
    bound = spool_record_bound(&rec);
    buf = malloc(bound);
    assert_non_null(buf);
    n = spool_record_encode(&rec, buf, bound);
    assert_true(n > 40 * sizeof(big));
    assert_int_equal(spool_record_decode(buf, n, &got), SPOOL_OK);
    assert_record(&got, &rec);
    free(buf);
}

static void test_empty_strings(void **state)
{
    spool_record_t rec = {.version = 1};
    unsigned char buf[256];
    spool_record_t got;
    size_t n;

    (void)state;
    n = spool_record_encode(&rec, buf, sizeof(buf));
    assert_true(n > 0);
    assert_int_equal(spool_record_decode(buf, n, &got), SPOOL_OK);
    assert_int_equal(got.body.len, 0);
    assert_int_equal(got.nheaders, 0);
}

static void test_header(void **state)
{
    (void)state;
    assert_str(spool_record_header(&sample, "x-webhook-id"),
               (spool_str_t)STR("evt-1"));
    assert_null(spool_record_header(&sample, "x-webhook").data);
    assert_null(spool_record_header(&sample, "").data);
}

/* Every cut copy lies at the end of its own allocation, for ASan to see. */
static int decode_copy(const unsigned char *data, size_t len)
{
    unsigned char *copy = malloc(len > 0 ? len : 1);
    spool_record_t rec;
    int rc;

    assert_non_null(copy);
    memcpy(copy, data, len);
    rc = spool_record_decode(copy, len, &rec);
    if (rc == SPOOL_OK) {
        /* All the strings can be read. */
        volatile unsigned char sum = 0;

        for (size_t i = 0; i < rec.body.len; i++) {
            sum ^= (unsigned char)rec.body.data[i];
        }
        for (size_t i = 0; i < rec.nheaders; i++) {
            if (rec.headers[i].value.len > 0) {
                sum ^= (unsigned char)rec.headers[i].value.data[0];
            }
        }
        (void)sum;
    }
    free(copy);
    return rc;
}

static void test_truncated(void **state)
{
    unsigned char buf[1024];
    size_t n;

    (void)state;
    n = spool_record_encode(&sample, buf, sizeof(buf) - 1);
    for (size_t len = 0; len < n; len++) {
        assert_int_equal(decode_copy(buf, len), SPOOL_CORRUPT);
    }
    buf[n] = 0xc0; /* a byte too many is no record either */
    assert_int_equal(decode_copy(buf, n + 1), SPOOL_CORRUPT);
    assert_int_equal(decode_copy(buf, n), SPOOL_OK);
}

static void key(msgpack_packer *pk, const char *name)
{
    msgpack_pack_str(pk, strlen(name));
    msgpack_pack_str_body(pk, name, strlen(name));
}

typedef struct {
    msgpack_sbuffer buf;
    msgpack_packer pk;
} builder_t;

static void build(builder_t *b, unsigned keys)
{
    msgpack_sbuffer_init(&b->buf);
    msgpack_packer_init(&b->pk, &b->buf, msgpack_sbuffer_write);
    msgpack_pack_map(&b->pk, keys);
}

static void build_needed(builder_t *b, unsigned version)
{
    key(&b->pk, "body");
    msgpack_pack_bin(&b->pk, 2);
    msgpack_pack_bin_body(&b->pk, "{}", 2);
    key(&b->pk, "at");
    msgpack_pack_uint8(&b->pk, 7);
    key(&b->pk, "src");
    key(&b->pk, "a");
    key(&b->pk, "v");
    msgpack_pack_uint32(&b->pk, version);
}

static int decode_built(builder_t *b)
{
    int rc = decode_copy((unsigned char *)b->buf.data, b->buf.size);

    msgpack_sbuffer_destroy(&b->buf);
    return rc;
}

static void test_unknown_keys(void **state)
{
    builder_t b;

    (void)state;
    build(&b, 8);
    key(&b.pk, "later");
    msgpack_pack_array(&b.pk, 3);
    msgpack_pack_nil(&b.pk);
    msgpack_pack_double(&b.pk, 1.5);
    msgpack_pack_map(&b.pk, 1);
    key(&b.pk, "x");
    msgpack_pack_true(&b.pk);
    msgpack_pack_int(&b.pk, 42); /* a key that is no string */
    msgpack_pack_int64(&b.pk, INT64_MIN);
    key(&b.pk, "ext");
    msgpack_pack_ext(&b.pk, 3, 9);
    msgpack_pack_ext_body(&b.pk, "abc", 3);
    build_needed(&b, 1);
    key(&b.pk, "bodyx");
    msgpack_pack_float(&b.pk, 0);
    assert_int_equal(decode_built(&b), SPOOL_OK);
}

static void test_versions(void **state)
{
    static const struct {
        unsigned version;
        int rc;
    } cases[] = {{0, SPOOL_CORRUPT},
                 {1, SPOOL_OK},
                 {2, SPOOL_FUTURE},
                 {UINT32_MAX, SPOOL_FUTURE}};
    builder_t b;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        build(&b, 4);
        build_needed(&b, cases[i].version);
        assert_int_equal(decode_built(&b), cases[i].rc);
    }
    /* In a later version the other keys may be anything. */
    build(&b, 2);
    key(&b.pk, "body");
    msgpack_pack_nil(&b.pk);
    key(&b.pk, "v");
    msgpack_pack_uint8(&b.pk, 2);
    assert_int_equal(decode_built(&b), SPOOL_FUTURE);
}

static void test_wrong_types(void **state)
{
    static const char *const strings[] = {"src", "ip", "sig", "m",  "path",
                                          "q",   "ct", "h",   "at", "v"};
    builder_t b;

    (void)state;
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        build(&b, 1);
        key(&b.pk, strings[i]);
        msgpack_pack_bin(&b.pk, 1);
        msgpack_pack_bin_body(&b.pk, "x", 1);
        assert_int_equal(decode_built(&b), SPOOL_CORRUPT);
    }
    build(&b, 5); /* twice the same key */
    build_needed(&b, 1);
    key(&b.pk, "src");
    key(&b.pk, "b");
    assert_int_equal(decode_built(&b), SPOOL_CORRUPT);
    build(&b, 5); /* a string is no body */
    build_needed(&b, 1);
    key(&b.pk, "ip");
    msgpack_pack_int(&b.pk, -1);
    assert_int_equal(decode_built(&b), SPOOL_CORRUPT);
    build(&b, 5); /* more headers than there is room for */
    build_needed(&b, 1);
    key(&b.pk, "h");
    msgpack_pack_map(&b.pk, SPOOL_HEADERS_MAX + 1);
    for (int i = 0; i <= SPOOL_HEADERS_MAX; i++) {
        key(&b.pk, "n");
        key(&b.pk, "v");
    }
    assert_int_equal(decode_built(&b), SPOOL_CORRUPT);
}

static void test_hostile_heads(void **state)
{
    static const char *const heads[] = {
        "\xdd\xff\xff\xff\xff",
        "\xdf\xff\xff\xff\xff",
        "\xdc\xff\xff",
        "\xde\xff\xff",
        "\xdb\xff\xff\xff\xff",
        "\xc6\xff\xff\xff\xff",
        "\xc9\xff\xff\xff\xff\x01",
        "\xc1",
        "\xdd\xff",
        "\xd9",
    };
    unsigned char deep[64];
    unsigned char many[10000];

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        builder_t b;
        size_t n = strlen(heads[i]);

        assert_int_equal(decode_copy((const unsigned char *)heads[i], n),
                         SPOOL_CORRUPT);
        build(&b, 5);
        build_needed(&b, 1);
        key(&b.pk, "x");
        msgpack_sbuffer_write(&b.buf, heads[i], n);
        assert_int_equal(decode_built(&b), SPOOL_CORRUPT);
    }
    memset(deep, 0x91, sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = 0xc0;
    assert_false(spool_wire_valid(deep, sizeof(deep)));
    assert_true(spool_wire_valid(deep + 64 - SPOOL_WIRE_DEPTH - 1,
                                 SPOOL_WIRE_DEPTH + 1));
    assert_false(spool_wire_valid(deep + 64 - SPOOL_WIRE_DEPTH - 2,
                                  SPOOL_WIRE_DEPTH + 2));
    memset(many, 0xc0, sizeof(many)); /* enough bytes, too many objects */
    memcpy(many, "\xdc\x27\x0d", 3);  /* 9997 */
    assert_false(spool_wire_valid(many, sizeof(many)));
    memcpy(many, "\xdc\x0f\xff", 3); /* 4095, and the array itself */
    assert_true(spool_wire_valid(many, 3 + 4095));
}

/* The same table as the specification's, type by type. */
static void test_every_first_byte(void **state)
{
    (void)state;
    for (unsigned b = 0; b < 256; b++) {
        unsigned char buf[64] = {(unsigned char)b};
        msgpack_object object;
        msgpack_zone zone;

        for (size_t n = 1; n < sizeof(buf); n++) {
            size_t off = 0;
            bool ours = spool_wire_valid(buf, n);
            bool theirs;

            assert_true(msgpack_zone_init(&zone, 256));
            theirs = msgpack_unpack((char *)buf, n, &off, &zone, &object) ==
                     MSGPACK_UNPACK_SUCCESS;
            msgpack_zone_destroy(&zone);
            assert_int_equal(ours, theirs);
        }
    }
}

static uint32_t next_random(uint32_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

static void test_mutations(void **state)
{
    unsigned char good[1024];
    unsigned char buf[1024];
    uint32_t x = 2463534242;
    unsigned bad = 0;
    size_t n;

    (void)state;
    n = spool_record_encode(&sample, good, sizeof(good));
    for (int i = 0; i < 20000; i++) {
        unsigned changes = 1 + next_random(&x) % 4;
        int rc;

        memcpy(buf, good, n);
        while (changes-- > 0) {
            buf[next_random(&x) % n] = (unsigned char)next_random(&x);
        }
        rc = decode_copy(buf, n);
        assert_true(rc == SPOOL_OK || rc == SPOOL_CORRUPT ||
                    rc == SPOOL_FUTURE);
        bad += rc != SPOOL_OK;
    }
    assert_true(bad > 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_empty_strings),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_hostile_heads),
        cmocka_unit_test(test_every_first_byte),
        cmocka_unit_test(test_mutations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
