#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "domain/status.h"

#define Q STATUS_QUEUED
#define U STATUS_UNKNOWN
#define S STATUS_SENT
#define D STATUS_DELIVERED
#define R STATUS_READ
#define P STATUS_PLAYED
#define F STATUS_FAILED

/* may[from][to] */
static const bool may[7][7] = {
    /*        Q  U  S  D  R  P  F */
    [Q] = {0, 1, 1, 1, 1, 1, 1}, [U] = {0, 0, 1, 1, 1, 1, 1},
    [S] = {0, 0, 0, 1, 1, 1, 1}, [D] = {0, 0, 0, 0, 1, 1, 0},
    [R] = {0, 0, 0, 0, 0, 1, 0}, [P] = {0, 0, 0, 0, 0, 0, 0},
    [F] = {0, 0, 0, 1, 1, 1, 0},
};

static void lattice(void **state)
{
    (void)state;
    for (int from = Q; from <= F; from++) {
        for (int to = Q; to <= F; to++) {
            assert_int_equal(status_may_move((status_t)from, (status_t)to),
                             may[from][to]);
        }
    }
    /* withdrawn, but an attempt before had arrived */
    for (int to = Q; to <= F; to++) {
        assert_int_equal(status_may_move(STATUS_CANCELLED, (status_t)to),
                         to >= D && to <= P);
        assert_false(status_may_move(STATUS_SCHEDULED, (status_t)to));
    }
}

/* Whatever the order of arrival, the end is the same. */
static void any_order_ends_alike(void **state)
{
    static const status_t orders[][3] = {{S, D, R}, {R, D, S}, {D, S, R},
                                         {R, S, D}, {S, R, D}, {D, R, S}};

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        status_t at = Q;

        for (size_t k = 0; k < 3; k++) {
            if (status_may_move(at, orders[i][k])) {
                at = orders[i][k];
            }
        }
        assert_int_equal(at, R);
    }
}

static void words(void **state)
{
    status_t s;

    (void)state;
    for (int i = Q; i <= F; i++) {
        assert_true(status_parse(status_name((status_t)i), &s));
        assert_int_equal(s, i);
    }
    assert_true(status_parse("pending", &s));
    assert_int_equal(s, Q);
    assert_true(status_parse("SERVER_ACK", &s));
    assert_int_equal(s, S);
    assert_true(status_parse("Delivery_Ack", &s));
    assert_int_equal(s, D);
    assert_true(status_parse("error", &s));
    assert_int_equal(s, F);
    assert_false(status_parse("deleted", &s));
    assert_false(status_parse("", &s));
    assert_false(status_parse(NULL, &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lattice),
        cmocka_unit_test(any_order_ends_alike),
        cmocka_unit_test(words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
