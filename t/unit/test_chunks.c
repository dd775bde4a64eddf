/* A file in chunks, from a socket: what is no chunk and what does not come end
 * it for good. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/chunks.h"

#define SILENCE_MS 20

typedef struct {
    int peer;
    FILE *in;
    FILE *chunks;
    int error;
} link_t;

static void begin(link_t *l)
{
    struct timeval silence = {.tv_usec = SILENCE_MS * 1000};
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(
        setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence)),
        0);
    l->peer = fds[1];
    l->in = fdopen(fds[0], "r");
    assert_non_null(l->in);
    l->chunks = chunks_open(l->in, &l->error);
    assert_non_null(l->chunks);
}

static void end(link_t *l)
{
    assert_int_equal(fclose(l->chunks), 0);
    assert_int_equal(fclose(l->in), 0);
    assert_int_equal(close(l->peer), 0);
}

static void say(link_t *l, const char *bytes, size_t len)
{
    assert_int_equal(write(l->peer, bytes, len), len);
}

static void say_chunk(link_t *l, const char *text)
{
    unsigned char head[CHUNK_HEAD];

    chunk_head(head, strlen(text));
    say(l, (const char *)head, sizeof(head));
    say(l, text, strlen(text));
}

/* What one fread() gives. */
static void reads(link_t *l, const char *want)
{
    char got[256];
    size_t n = fread(got, 1, sizeof(got), l->chunks);

    assert_int_equal(n, strlen(want));
    assert_memory_equal(got, want, n);
}

static void whole(void **state)
{
    link_t l;

    (void)state;
    begin(&l);
    say_chunk(&l, "one,");
    say_chunk(&l, "two");
    say_chunk(&l, "");
    reads(&l, "one,two");
    reads(&l, "");
    assert_int_equal(ferror(l.chunks), 0);
    assert_int_equal(l.error, 0);
    end(&l);
}

static void no_chunk(void **state)
{
    link_t l;

    (void)state;
    begin(&l);
    say_chunk(&l, "one,");
    say(&l, "two,three", 9); /* "two," is no length */
    assert_int_equal(shutdown(l.peer, SHUT_WR), 0);
    reads(&l, "one,");
    reads(&l, "");
    reads(&l, "");
    assert_int_not_equal(ferror(l.chunks), 0);
    assert_int_equal(l.error, EPROTO);
    end(&l);
}

/* Silence between two chunks, in a head, in a chunk. */
static void silence(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } cut[] = {{"", 0}, {"\0\0", 2}, {"\0\0\0\5t", 5}};

    (void)state;
    for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
        link_t l;

        begin(&l);
        say_chunk(&l, "one,");
        say(&l, cut[i].bytes, cut[i].len);
        reads(&l, i == 2 ? "one,t" : "one,");
        assert_int_equal(l.error, ETIMEDOUT);
        /* too late, and whole as it looks */
        say_chunk(&l, "three");
        say_chunk(&l, "");
        reads(&l, "");
        assert_int_not_equal(ferror(l.chunks), 0);
        assert_int_equal(l.error, ETIMEDOUT);
        end(&l);
    }
}

static void cut(void **state)
{
    link_t l;

    (void)state;
    begin(&l);
    say_chunk(&l, "one,");
    assert_int_equal(shutdown(l.peer, SHUT_WR), 0);
    reads(&l, "one,");
    reads(&l, "");
    assert_int_equal(l.error, EPROTO);
    end(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(no_chunk),
        cmocka_unit_test(silence),
        cmocka_unit_test(cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
