/* sniff and base64: what bytes are, whatever they are called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/sniff.h"

#define IS(text, what) is(text, sizeof(text) - 1, what)

static void is(const char *data, size_t len, const char *mime)
{
    char *copy = malloc(len > 0 ? len : 1); /* its end is watched */
    const sniff_t *t;

    assert_non_null(copy);
    memcpy(copy, data, len);
    t = sniff(copy, len);
    free(copy);
    if (mime == NULL) {
        assert_null(t);
        return;
    }
    assert_non_null(t);
    assert_string_equal(t->mime, mime);
    assert_ptr_equal(sniff_find(mime), t);
}

static void test_magic(void **state)
{
    (void)state;
    IS("\xff\xd8\xff\xe0....", "image/jpeg");
    IS("\x89PNG\r\n\x1a\n....", "image/png");
    IS("GIF87a", "image/gif");
    IS("GIF89a", "image/gif");
    IS("RIFF....WEBPVP8 ", "image/webp");
    IS("%PDF-1.7\n", "application/pdf");
    IS("ID3\4\0\0\0\0\0\0", "audio/mpeg");
    IS("\xff\xfb\x90\x64", "audio/mpeg");
    IS("OggS\0\2", "audio/ogg");
    IS("#!AMR\n\x3c", "audio/amr");
    IS("\0\0\0\x20"
       "ftypM4A \0\0",
       "audio/mp4");
    IS("\0\0\0\x20"
       "ftypisom\0\0",
       "video/mp4");
    IS("\0\0\0\x20"
       "ftypmp42\0\0",
       "video/mp4");
    IS("\0\0\0\x18"
       "ftyp3gp5\0\0",
       "video/3gpp");
    IS("Halo, apa kabar \xf0\x9f\x99\x8f\r\n", "text/plain");
    IS("\xef\xbb\xbfnama;jumlah\n", "text/plain");
    IS("<script>alert(1)</script>", "text/plain");
}

static void test_unknown(void **state)
{
    (void)state;
    IS("", NULL);
    IS("\xff\xd8", NULL);
    IS("\x89PNG", NULL);
    IS("RIFF....WAVE", NULL);
    IS("\0\0\0\x20"
       "ftypheic",
       NULL);
    IS("\0\0\0\x20"
       "ftyp",
       NULL);
    IS("\x7f"
       "ELF\2\1\1",
       NULL);
    IS("MZ\x90\0\3\0", NULL);
    IS("text\0text", NULL);
    IS("caf\xe9", NULL);
    IS("\xff\xff\xff\xff", NULL);
    IS("PK\3\4", NULL);
    IS("PK\3\4............................mimetype", NULL);
}

/* An entry of the directory, with its name. */
static void entry(buf_t *b, const char *name)
{
    char head[46] = "PK\1\2";

    head[28] = (char)strlen(name);
    buf_add(b, head, sizeof(head));
    buf_adds(b, name);
}

static void archive(const char *const *names, size_t n, const char *mime)
{
    char head[30] = "PK\3\4", tail[22] = "PK\5\6";
    buf_t b;

    buf_init(&b, 0);
    buf_add(&b, head, sizeof(head));
    tail[10] = (char)n;
    tail[16] = (char)b.len;
    for (size_t i = 0; i < n; i++) {
        entry(&b, names[i]);
    }
    buf_add(&b, tail, sizeof(tail));
    is(b.data, b.len, mime);
    /* a directory that points out of the file is a plain archive */
    b.data[b.len - 3] = 0x7f;
    is(b.data, b.len, "application/zip");
    buf_free(&b);
}

static void test_archives(void **state)
{
    static const char *const word[] = {"_rels/.rels", "[Content_Types].xml",
                                       "word/document.xml"};
    static const char *const excel[] = {"[Content_Types].xml",
                                        "xl/workbook.xml"};
    static const char *const power[] = {"[Content_Types].xml",
                                        "ppt/presentation.xml"};
    static const char *const plain[] = {"word/notes.txt", "a"};
    char odt[] = "PK\3\4\x14\0\0\0\0\0\0\0\0\0....\x27\0\0\0\x27\0\0\0\x8\0\0\0"
                 "mimetypeapplication/vnd.oasis.opendocument.text";

    (void)state;
    archive(word, 3,
            "application/vnd.openxmlformats-officedocument."
            "wordprocessingml.document");
    archive(excel, 2,
            "application/vnd.openxmlformats-officedocument."
            "spreadsheetml.sheet");
    archive(power, 2,
            "application/vnd.openxmlformats-officedocument."
            "presentationml.presentation");
    archive(plain, 2, "application/zip");
    is(odt, sizeof(odt) - 1, "application/vnd.oasis.opendocument.text");
}

static void test_sets(void **state)
{
    uint32_t set;

    (void)state;
    assert_true(sniff_set_parse("jpeg  office", &set));
    assert_true(sniff_set_has(set, sniff_find("image/jpeg")));
    assert_false(sniff_set_has(set, sniff_find("image/png")));
    assert_true(sniff_set_has(set, sniff_find("application/vnd.oasis."
                                              "opendocument.spreadsheet")));
    assert_true(sniff_set_has(SNIFF_ALL, sniff_find("text/plain")));
    assert_false(sniff_set_parse("jpeg exe", &set));
    assert_false(sniff_set_parse(" ", &set));
    assert_null(sniff_find("text/html"));
}

static void test_endings(void **state)
{
    static const char *const known[] = {"foto.jpg",  "foto.JPEG", "a.b.csv",
                                        "surat.PDF", "x.docx",    "lagu.opus"};
    static const char *const unknown[] = {
        "resi.bat", "foto.hta",  "resi.txt.js", "a.html",    "a.svg", "app.jar",
        "x.docm",   "resi.txt.", "resi.tx",     "resi.csv ", "resi",  ".txt",
        "",         "."};

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_true(sniff_knows_ending(known[i]));
    }
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_false(sniff_knows_ending(unknown[i]));
    }
}

static void there_and_back(const char *data, size_t len, const char *text)
{
    size_t n = 0;
    buf_t b;
    char out[64];
    void *back;

    buf_init(&b, 0);
    assert_true(BASE64_LEN(len) <= sizeof(out));
    buf_add(&b, out, base64_encode(out, data, len));
    assert_int_equal(b.len, BASE64_LEN(len));
    assert_string_equal(b.data, text);
    back = base64_decode(b.data, b.len, &n);
    assert_non_null(back);
    assert_int_equal(n, len);
    assert_memory_equal(back, data, len);
    free(back);
    buf_free(&b);
}

static void test_base64(void **state)
{
    static const char *const bad[] = {
        "",     "Zg",       "Zg=",  "Z===", "Zh==",
        "Zm9=", "Zg==Zg==", "Z g=", "====", "Zm9vYg=\n"};
    size_t n;

    (void)state;
    there_and_back("f", 1, "Zg==");
    there_and_back("fo", 2, "Zm8=");
    there_and_back("foo", 3, "Zm9v");
    there_and_back("foobar", 6, "Zm9vYmFy");
    there_and_back("\xfb\xff\xbf\0", 4, "+/+/AA==");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(base64_decode(bad[i], strlen(bad[i]), &n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_magic),    cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_archives), cmocka_unit_test(test_sets),
        cmocka_unit_test(test_base64),   cmocka_unit_test(test_endings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
