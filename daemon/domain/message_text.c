#include "domain/message_text.h"

#include <stdio.h>
#include <string.h>

/* The body is cut before (SQL, 300 characters); this holds all of it. */
#define LINE_MAX_BYTES 1400

static const struct {
    const char *type, *label;
} labels[] = {
    {"image", "[Foto]"},
    {"document", "[Dokumen]"},
    {"audio", "[Audio]"},
    {"video", "[Video]"},
    {"sticker", "[Stiker]"},
    {"location", "[Lokasi]"},
    {"contacts", "[Kontak]"},
    {"interactive", "[Interaktif]"},
    {"unsupported", "[Pesan tidak didukung]"},
};

void message_text_line(buf_t *out, const char *key, const char *type,
                       const char *text, bool deleted)
{
    char line[LINE_MAX_BYTES];
    const char *label = "";

    if (type == NULL || text == NULL) {
        jw_str(out, key, "");
        return;
    }
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        if (strcmp(type, labels[i].type) == 0) {
            label = labels[i].label;
        }
    }
    if (*label == '\0' && !deleted) {
        jw_str(out, key, text);
        return;
    }
    snprintf(line, sizeof(line), "%s%s%s%s%s", deleted ? "[Dihapus]" : "",
             deleted && *label != '\0' ? " " : "", label,
             *text != '\0' ? " " : "", text);
    jw_str(out, key, line);
}
