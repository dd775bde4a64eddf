#include "base/sniff.h"

#include <string.h>
#include <strings.h>

#include "base/utf8.h"

enum {
    JPEG,
    PNG,
    GIF,
    WEBP,
    PDF,
    MP3,
    OGG,
    AMR,
    M4A,
    MP4,
    GP3,
    DOCX,
    XLSX,
    PPTX,
    ODT,
    ODS,
    ODP,
    ZIP,
    TEXT,
    TYPES
};

#define OOXML "application/vnd.openxmlformats-officedocument."
#define ODF   "application/vnd.oasis.opendocument."

static const sniff_t types[TYPES] = {
    [JPEG] = {"jpeg", "image/jpeg", ".jpg", true, true},
    [PNG] = {"png", "image/png", ".png", true, true},
    [GIF] = {"gif", "image/gif", ".gif", true, true},
    [WEBP] = {"webp", "image/webp", ".webp", true, true},
    [PDF] = {"pdf", "application/pdf", ".pdf", false, true},
    [MP3] = {"mp3", "audio/mpeg", ".mp3", false, true},
    [OGG] = {"ogg", "audio/ogg", ".ogg", false, true},
    [AMR] = {"amr", "audio/amr", ".amr", false, true},
    [M4A] = {"m4a", "audio/mp4", ".m4a", false, true},
    [MP4] = {"mp4", "video/mp4", ".mp4", false, true},
    [GP3] = {"3gp", "video/3gpp", ".3gp", false, true},
    [DOCX] = {"office", OOXML "wordprocessingml.document", ".docx", false,
              false},
    [XLSX] = {"office", OOXML "spreadsheetml.sheet", ".xlsx", false, false},
    [PPTX] = {"office", OOXML "presentationml.presentation", ".pptx", false,
              false},
    [ODT] = {"office", ODF "text", ".odt", false, false},
    [ODS] = {"office", ODF "spreadsheet", ".ods", false, false},
    [ODP] = {"office", ODF "presentation", ".odp", false, false},
    [ZIP] = {"zip", "application/zip", ".zip", false, false},
    [TEXT] = {"text", "text/plain", ".txt", false, false},
};

static bool has(const unsigned char *p, size_t len, size_t at, const char *what,
                size_t n)
{
    return len >= at && len - at >= n && memcmp(p + at, what, n) == 0;
}

#define HAS(at, text) has(p, len, at, text, sizeof(text) - 1)

/* ISO base media: the brand tells sound from pictures. */
static const sniff_t *of_brand(const unsigned char *p, size_t len)
{
    static const char *const films[] = {"isom", "iso2", "iso4", "iso5", "iso6",
                                        "mp41", "mp42", "avc1", "M4V ", "MSNV"};

    if (HAS(8, "M4A ") || HAS(8, "M4B ")) {
        return &types[M4A];
    }
    if (HAS(8, "3gp") || HAS(8, "3g2")) {
        return &types[GP3];
    }
    for (size_t i = 0; i < sizeof(films) / sizeof(films[0]); i++) {
        if (has(p, len, 8, films[i], 4)) {
            return &types[MP4];
        }
    }
    return NULL;
}

static uint32_t little(const unsigned char *p, int bytes)
{
    uint32_t v = 0;

    for (int i = bytes; i-- > 0;) {
        v = v << 8 | p[i];
    }
    return v;
}

/* The office format by the names in the archive's directory, which is at its
 * end: entries may come in any order, and sizes after the data. */
static const sniff_t *of_names(const unsigned char *p, size_t len, size_t at,
                               unsigned count)
{
    bool typed = false;
    const sniff_t *found = NULL;

    for (; count > 0 && HAS(at, "PK\1\2") && len - at >= 46; count--) {
        size_t name = little(p + at + 28, 2);
        size_t next =
            46 + name + little(p + at + 30, 2) + little(p + at + 32, 2);

        if (name > len - at - 46) {
            break;
        }
        if (name == 19 && HAS(at + 46, "[Content_Types].xml")) {
            typed = true;
        } else if (name > 5 && HAS(at + 46, "word/")) {
            found = &types[DOCX];
        } else if (name > 3 && HAS(at + 46, "xl/")) {
            found = &types[XLSX];
        } else if (name > 4 && HAS(at + 46, "ppt/")) {
            found = &types[PPTX];
        }
        if (next > len - at) {
            break;
        }
        at += next;
    }
    return typed && found != NULL ? found : &types[ZIP];
}

/* OpenDocument: the first entry is `mimetype`, not compressed. */
static const sniff_t *of_mimetype(const unsigned char *p, size_t len)
{
    static const int kinds[] = {ODT, ODS, ODP};

    if (!HAS(30, "mimetype") || len < 38 || little(p + 26, 2) != 8 ||
        little(p + 28, 2) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < 3; i++) {
        const char *mime = types[kinds[i]].mime;
        size_t n = strlen(mime);

        if (little(p + 22, 4) == n && has(p, len, 38, mime, n)) {
            return &types[kinds[i]];
        }
    }
    return NULL;
}

static const sniff_t *of_zip(const unsigned char *p, size_t len)
{
    const sniff_t *t = of_mimetype(p, len);
    size_t low = len > 65557 ? len - 65557 : 0;

    if (t != NULL) {
        return t;
    }
    for (size_t at = len - 22 + 1; len >= 22 && at-- > low;) {
        if (HAS(at, "PK\5\6")) {
            return of_names(p, len, little(p + at + 16, 4),
                            little(p + at + 10, 2));
        }
    }
    return NULL; /* no archive that anything could open */
}

/* A frame header of MPEG audio, layer III. */
static bool is_mp3(const unsigned char *p, size_t len)
{
    if (HAS(0, "ID3")) {
        return len >= 10;
    }
    return len >= 4 && p[0] == 0xff && (p[1] & 0xe6) == 0xe2 &&
           (p[1] & 0x18) != 0x08 && (p[2] & 0xf0) != 0xf0 &&
           (p[2] & 0xf0) != 0 && (p[2] & 0x0c) != 0x0c;
}

static bool is_text(const unsigned char *p, size_t len)
{
    size_t at = HAS(0, "\xef\xbb\xbf") ? 3 : 0;

    if (at == len) {
        return false;
    }
    while (at < len) {
        size_t n = utf8_len((const char *)p + at, len - at);

        if (n == 0 || p[at] == 0x7f ||
            (p[at] < ' ' && strchr("\t\n\r\f", p[at]) == NULL) ||
            p[at] == '\0') {
            return false;
        }
        at += n;
    }
    return true;
}

const sniff_t *sniff(const void *data, size_t len)
{
    const unsigned char *p = data;

    if (HAS(0, "\xff\xd8\xff")) {
        return &types[JPEG];
    }
    if (HAS(0, "\x89PNG\r\n\x1a\n")) {
        return &types[PNG];
    }
    if (HAS(0, "GIF87a") || HAS(0, "GIF89a")) {
        return &types[GIF];
    }
    if (HAS(0, "RIFF")) {
        return HAS(8, "WEBP") ? &types[WEBP] : NULL;
    }
    if (HAS(0, "%PDF-")) {
        return &types[PDF];
    }
    if (HAS(0, "OggS")) {
        return &types[OGG];
    }
    if (HAS(0, "#!AMR\n") || HAS(0, "#!AMR-WB\n")) {
        return &types[AMR];
    }
    if (HAS(4, "ftyp")) {
        return of_brand(p, len);
    }
    if (HAS(0, "PK\3\4")) {
        return of_zip(p, len);
    }
    if (is_mp3(p, len)) {
        return &types[MP3];
    }
    return is_text(p, len) ? &types[TEXT] : NULL;
}

const sniff_t *sniff_find(const char *mime)
{
    for (size_t i = 0; i < TYPES; i++) {
        if (strcmp(types[i].mime, mime) == 0) {
            return &types[i];
        }
    }
    return NULL;
}

bool sniff_knows_ending(const char *name)
{
    static const char *const others[] = {
        ".jpeg", ".jfif", ".mpga", ".oga", ".opus", ".aac", ".m4v", ".3gpp",
        ".csv",  ".tsv",  ".log",  ".md",  ".json", ".vcf", ".ics"};
    const char *end = strrchr(name, '.');
    bool known = false;

    if (end == NULL || end == name) {
        return false;
    }
    for (size_t i = 0; i < TYPES; i++) {
        known = known || strcasecmp(end, types[i].extension) == 0;
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        known = known || strcasecmp(end, others[i]) == 0;
    }
    return known;
}

bool sniff_set_parse(const char *names, uint32_t *set)
{
    *set = 0;
    names += strspn(names, " \t");
    while (*names != '\0') {
        size_t len = strcspn(names, " \t");
        uint32_t bits = 0;

        for (size_t i = 0; i < TYPES; i++) {
            if (strlen(types[i].name) == len &&
                memcmp(types[i].name, names, len) == 0) {
                bits |= UINT32_C(1) << i;
            }
        }
        if (bits == 0) {
            return false;
        }
        *set |= bits;
        names += len;
        names += strspn(names, " \t");
    }
    return *set != 0;
}

bool sniff_set_has(uint32_t set, const sniff_t *type)
{
    return (set >> (type - types) & 1) != 0;
}
