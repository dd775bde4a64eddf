/*
 * test_config.c - the table of options against the document and the rooms'
 * own defaults. `test_config --print` prints the tables of the document. What
 * a file may hold is tested through the program: t/config.t.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config_table.h"
#include "config_value.h"
#include "spool/spool.h"

#define DOCUMENT "docs/configuration.md"

static void add_row(buf_t *b, const option_t *o)
{
    buf_addf(b, "| `%s` | %s | ", o->key, option_type_text(o->type));
    if (o->fallback) {
        buf_addf(b, "`%s`", o->fallback);
    }
    buf_addf(b, " | %s | %s |\n", o->live ? "reload" : "restart", o->text);
}

static void print_tables(void)
{
    const char *section = "";
    buf_t b;

    buf_init(&b, 0);
    for (size_t i = 0; i < config_noptions; i++) {
        const option_t *o = &config_options[i];

        if (strcmp(o->section, section) != 0) {
            buf_addf(&b,
                     "\n## [%s%s]\n\n| key | value | default | takes "
                     "effect | meaning |\n|---|---|---|---|---|\n",
                     o->section,
                     strcmp(o->section, "gateway") == 0 ? " NAME" : "");
        }
        section = o->section;
        add_row(&b, o);
    }
    (void)fputs(b.data, stdout);
    buf_free(&b);
}

static const char *slurp(const char *path)
{
    static char text[65536];
    FILE *f = fopen(path, "re");
    size_t len;

    assert_non_null(f);
    len = fread(text, 1, sizeof(text) - 1, f);
    assert_true(len > 0 && len < sizeof(text) - 1);
    text[len] = '\0';
    assert_int_equal(fclose(f), 0);
    return text;
}

/* Where the section begins. */
static const char *part(const char *text, const char *section)
{
    char head[64];

    (void)snprintf(head, sizeof(head), "\n## [%s%s]\n", section,
                   strcmp(section, "gateway") == 0 ? " NAME" : "");
    return strstr(text, head);
}

static size_t rows_of(const char *text)
{
    size_t n = 0;

    for (const char *p = strstr(text, "\n| `"); p; p = strstr(p + 1, "\n| `")) {
        n++;
    }
    return n;
}

static void document_tells_all(void **state)
{
    const char *text = slurp(DOCUMENT);
    size_t failed = 0;
    buf_t row;

    (void)state;
    buf_init(&row, 0);
    for (size_t i = 0; i < config_noptions; i++) {
        const option_t *o = &config_options[i];
        const char *from = part(text, o->section), *at, *next;

        buf_reset(&row);
        add_row(&row, o);
        at = from ? strstr(from, row.data) : NULL;
        next = from ? strstr(from + 1, "\n## ") : NULL;
        if (at && (!next || at < next)) {
            continue;
        }
        print_error(DOCUMENT " lacks in [%s]: %s", o->section, row.data);
        failed++;
    }
    buf_free(&row);
    assert_int_equal(failed, 0);
    assert_int_equal(rows_of(text), config_noptions);
}

/* ---- a file of its own ---- */

static char dir[32], file[64], secret[64], error[600];

static int setup(void **state)
{
    FILE *f;

    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/wacrm-config-XXXXXX");
    if (!mkdtemp(dir)) {
        return -1;
    }
    (void)snprintf(file, sizeof(file), "%s/wacrmd.conf", dir);
    (void)snprintf(secret, sizeof(secret), "%s/secret", dir);
    f = fopen(secret, "we");
    if (!f || fputs("0123456789abcdef0123456789abcdef\n", f) < 0) {
        return -1;
    }
    return fclose(f);
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(file);
    (void)unlink(secret);
    return rmdir(dir);
}

static bool load(config_t *c, const char *text)
{
    FILE *f = fopen(file, "we");

    assert_non_null(f);
    assert_true(fprintf(f,
                        "[auth]\njwt_secret_file = %s\n"
                        "[gateway main]\nbase_url = http://h/api/\n%s",
                        secret, text) > 0);
    assert_int_equal(fclose(f), 0);
    return config_load(c, file, error, sizeof(error));
}

static void defaults(void **state)
{
    domain_settings_t d;
    outbox_options_t o;
    config_t c;

    (void)state;
    if (!load(&c, "")) {
        fail_msg("%s", error);
    }
    domain_settings_default(&d);
    outbox_options_default(&o);
    assert_string_equal(c.database, "/var/lib/wacrm/wacrm.db");
    assert_int_equal(c.jwt_secret_len, 32);
    assert_int_equal(c.access_ttl_s, 43200);
    assert_int_equal(c.spool_size, SPOOL_DEFAULT_SIZE);
    assert_int_equal(c.ngateways, 1);
    assert_string_equal(c.gateways[0].name, "main");
    assert_string_equal(c.gateways[0].driver, "waapi");
    assert_string_equal(c.gateways[0].base_url, "http://h/api");
    assert_int_equal(c.gateways[0].timeout_s, 30);
    assert_string_equal(c.domain.default_account, "main");
    assert_null(c.group);
    /* what the rooms think is right by themselves */
    assert_int_equal(c.domain.utc_offset_s, d.utc_offset_s);
    assert_int_equal(c.domain.vip_amount, d.vip_amount);
    assert_int_equal(c.domain.major_amount, d.major_amount);
    assert_int_equal(c.domain.mid_amount, d.mid_amount);
    assert_int_equal(c.domain.lapse_days, d.lapse_days);
    assert_int_equal(c.domain.welcome, d.welcome);
    assert_string_equal(c.domain.welcome_text, d.welcome_text);
    assert_int_equal(c.domain.welcome_per_minute, d.welcome_per_minute);
    assert_int_equal(c.domain.raw_retention_days, d.raw_retention_days);
    assert_int_equal(c.domain.default_everyone, d.default_everyone);
    assert_int_equal(c.outbox.tries, o.tries);
    assert_int_equal(c.outbox.nbackoff, o.nbackoff);
    assert_memory_equal(c.outbox.backoff_s, o.backoff_s,
                        o.nbackoff * sizeof(o.backoff_s[0]));
    assert_int_equal(c.outbox.jitter, o.jitter);
    assert_int_equal(c.outbox.per_minute, o.per_minute);
    assert_int_equal(c.outbox.gap_ms, o.gap_ms);
    assert_int_equal(c.outbox.first_per_minute, o.first_per_minute);
    assert_int_equal(c.outbox.max_inflight, o.max_inflight);
    assert_int_equal(c.outbox.unknown_hold_s, o.unknown_hold_s);
    config_free(&c);
    assert_null(c.memory);
}

static void values(void **state)
{
    config_t c;

    (void)state;
    if (!load(&c, "token_file = /dev/null\n")) {
        assert_non_null(strstr(error, "is empty"));
    }
    if (!load(&c, "timeout = 2m\nread_receipts = off\nemail = a@b\n"
                  "password = p\\nq;r\n[gateway two-2]\nbase_url=https://x\n"
                  "[wacrmd]\nstate_dir = /s\nspool_size = 512M\n"
                  "log_level = warn\ngroup = wacrm\n"
                  "[organisation]\ntimezone = -09:30\nraw_retention = 0d\n"
                  "welcome_text = a\\nb {name}\ndefault_gateway = two-2\n"
                  "vip_amount = 25000000000\n"
                  "[outbox]\nbackoff = 1s  2m 1h\ngap = 1500ms\n")) {
        fail_msg("%s", error);
    }
    assert_int_equal(c.gateways[0].timeout_s, 120);
    assert_false(c.gateways[0].read_receipts);
    assert_string_equal(c.gateways[0].password, "p\\nq;r");
    assert_int_equal(c.ngateways, 2);
    assert_string_equal(c.gateways[1].name, "two-2");
    assert_string_equal(c.notify, "/s/notify.sock");
    assert_int_equal(c.spool_size, 512 << 20);
    assert_int_equal(c.log_level, LOG_WARN);
    assert_string_equal(c.group, "wacrm");
    assert_int_equal(c.domain.utc_offset_s, -34200);
    assert_int_equal(c.domain.raw_retention_days, 0);
    assert_string_equal(c.domain.welcome_text, "a\nb {name}");
    assert_string_equal(c.domain.default_account, "two-2");
    assert_int_equal(c.domain.vip_amount, INT64_C(25000000000));
    assert_int_equal(c.outbox.nbackoff, 3);
    assert_int_equal(c.outbox.backoff_s[2], 3600);
    assert_int_equal(c.outbox.gap_ms, 1500);
    config_free(&c);
}

static void environment(void **state)
{
    config_t c;

    (void)state;
    assert_int_equal(setenv("WHATSAPP_API_URL", "http://e/v1/", 1), 0);
    assert_int_equal(setenv("WHATSAPP_API_TOKEN", "tok;en ;x", 1), 0);
    assert_int_equal(setenv("WHATSAPP_SESSION_ID", "desk", 1), 0);
    assert_int_equal(setenv("WACRM_LOG_LEVEL", "error", 1), 0);
    assert_int_equal(setenv("WACRM_OUTBOX_TRIES", "7", 1), 0);
    assert_int_equal(setenv("WACRM_GATEWAY_MAIN_TIMEOUT", "9s", 1), 0);
    if (!load(&c, "[outbox]\ntries = 2\n")) {
        fail_msg("%s", error);
    }
    assert_string_equal(c.gateways[0].base_url, "http://e/v1");
    assert_string_equal(c.gateways[0].token, "tok;en ;x");
    assert_string_equal(c.domain.default_session, "desk");
    assert_int_equal(c.log_level, LOG_ERROR);
    assert_int_equal(c.outbox.tries, 7);
    assert_int_equal(c.gateways[0].timeout_s, 9);
    config_free(&c);
    assert_int_equal(setenv("WACRM_OUTBOX_TRIES", "many", 1), 0);
    assert_false(load(&c, ""));
    assert_string_equal(error, "environment: WACRM_OUTBOX_TRIES: not a number");
    (void)unsetenv("WHATSAPP_API_URL");
    (void)unsetenv("WHATSAPP_API_TOKEN");
    (void)unsetenv("WHATSAPP_SESSION_ID");
    (void)unsetenv("WACRM_LOG_LEVEL");
    (void)unsetenv("WACRM_OUTBOX_TRIES");
    (void)unsetenv("WACRM_GATEWAY_MAIN_TIMEOUT");
}

static void same(void **state)
{
    config_t a, b;

    (void)state;
    assert_true(load(&a, "[outbox]\ntries = 2\nbackoff = 1s 2s\n"));
    assert_true(load(&b, "[outbox]\ntries = 4\nbackoff = 1s 2s\n"
                         "[organisation]\nwelcome_text = x\n"));
    for (size_t i = 0; i < config_noptions; i++) {
        const option_t *o = &config_options[i];
        bool differs =
            strcmp(o->key, "tries") == 0 || strcmp(o->key, "welcome_text") == 0;

        if (strcmp(o->section, "gateway") != 0) {
            assert_int_equal(config_value_same(o, &a, &b), !differs);
        }
    }
    config_free(&a);
    config_free(&b);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(document_tells_all),
        cmocka_unit_test(defaults),
        cmocka_unit_test(values),
        cmocka_unit_test(environment),
        cmocka_unit_test(same),
    };

    if (argc > 1 && strcmp(argv[1], "--print") == 0) {
        print_tables();
        return 0;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
