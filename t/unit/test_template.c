/* template: places, what is put into them, and the rows. */
#include "domain_fixture.h"

#include "domain/template.h"

typedef struct {
    const char *name, *value;
} pair_t;

static const char *value_of(void *arg, const char *name)
{
    for (const pair_t *p = arg; p->name != NULL; p++) {
        if (strcmp(p->name, name) == 0) {
            return p->value;
        }
    }
    return NULL;
}

static void fills(const char *content, const pair_t *pairs, const char *text,
                  const char *values, const char *missing)
{
    buf_t out, v, m;

    buf_init(&out, 0);
    buf_init(&v, 0);
    buf_init(&m, 0);
    template_fill(content, value_of, (void *)(uintptr_t)pairs, &out, &v, &m);
    assert_string_equal(out.data, text);
    assert_string_equal(v.data, values);
    assert_string_equal(m.data != NULL ? m.data : "", missing);
    buf_free(&out);
    buf_free(&v);
    buf_free(&m);
}

static void test_fill(void **state)
{
    static const pair_t pairs[] = {{"name", "Siti"},  {"1", "satu"},
                                   {"2", "{{name}}"}, {"10", "sepuluh"},
                                   {"a", "{"},        {NULL, NULL}};

    (void)state;
    fills("Halo {{name}}!", pairs, "Halo Siti!", "[\"Siti\"]", "");
    fills("{{ name }}{{\t1}}", pairs, "Sitisatu", "[\"satu\",\"Siti\"]", "");
    fills("{{10}}{{2}}{{1}}{{1}}", pairs, "sepuluh{{name}}satusatu",
          "[\"satu\",\"{{name}}\",\"sepuluh\"]", "");
    fills("{{x}} {{3}} {{x}}", pairs, "  ", "[\"\",\"\"]", "3, x");
    /* what two values make together is no place either */
    fills("{{a}}{{a}}name}}", pairs, "{{name}}", "[\"{\"]", "");
    fills("{{{name}}}", pairs, "{Siti}", "[\"Siti\"]", "");
    fills("{{{{name}}}}", pairs, "{{Siti}}", "[\"Siti\"]", "");
    fills("", pairs, "", "[]", "");
}

static void test_no_places(void **state)
{
    static const char *const texts[] = {
        "{name}",
        "{{}}",
        "{{ }}",
        "{{na me}}",
        "{{name}",
        "{{name }x",
        "{{name\n}}",
        "{{n-m}}",
        "{{",
        "}}{{",
        "{{name",
        "{{\xc3\xa9}}",
        "%s %n",
        "{{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}",
    };
    static const pair_t none[] = {{NULL, NULL}};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        fills(texts[i], none, texts[i], "[]", "");
    }
}

static void test_variables(void **state)
{
    buf_t b;

    (void)state;
    buf_init(&b, 0);
    template_variables("{{b}} {{2}} {{a}} {{10}} {{b}} {{1}} {{01}}", &b, NULL);
    assert_string_equal(b.data, "[\"1\",\"2\",\"10\",\"b\",\"a\"]");
    buf_reset(&b);
    b.comma = false;
    /* beyond any number */
    template_variables("{{99999999999999999999999}}{{1}}", &b, NULL);
    assert_string_equal(b.data, "[\"1\",\"99999999999999999999999\"]");
    buf_free(&b);
}

typedef struct {
    int64_t id;
    template_t t;
} row_t;

static int add(tx_t *tx, void *arg)
{
    row_t *r = arg;

    return template_add(tx, &r->t, &r->id);
}

static int set(tx_t *tx, void *arg)
{
    const row_t *r = arg;

    return template_set(tx, r->id, &r->t);
}

static int drop(tx_t *tx, void *arg)
{
    const row_t *r = arg;

    return template_remove(tx, r->id);
}

static void test_rows(void **state)
{
    fixture_t *f = *state;
    row_t a = {.t = {"a", "isi {{1}}", NULL, NULL}};
    row_t b = {.t = {"b", "50%", "gw", "id"}};
    template_row_t row;
    buf_t list;

    assert_int_equal(domain_write(&f->d, add, &a), WERR_OK);
    assert_int_equal(domain_write(&f->d, add, &b), WERR_OK);
    row_t same = {.t = {"a", "x", NULL, NULL}};
    assert_int_equal(domain_write(&f->d, add, &same), WERR_CONFLICT);
    same.id = b.id;
    assert_int_equal(domain_write(&f->d, set, &same), WERR_CONFLICT);
    assert_int_equal(template_get(f->db, b.id, &row), WERR_OK);
    assert_string_equal(row.gateway_name, "gw");
    assert_string_equal(row.language, "id");
    template_free(&row);
    buf_init(&list, 0);
    assert_int_equal(template_list(f->db, "%", 10, &list, NULL), WERR_OK);
    assert_non_null(strstr(list.data, "\"name\":\"b\""));
    assert_null(strstr(list.data, "\"name\":\"a\""));
    buf_free(&list);
    assert_int_equal(domain_write(&f->d, drop, &a), WERR_OK);
    assert_int_equal(domain_write(&f->d, drop, &a), WERR_NOTFOUND);
    assert_int_equal(domain_write(&f->d, set, &a), WERR_NOTFOUND);
    assert_int_equal(template_get(f->db, a.id, &row), WERR_NOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fill),
        cmocka_unit_test(test_no_places),
        cmocka_unit_test(test_variables),
        cmocka_unit_test_setup_teardown(test_rows, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
