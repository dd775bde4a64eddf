#include "edge/sig_internal.h"

#include <string.h>

static const struct {
    const char *text;
    sig_part_type_t type;
} fields[] = {
    {"{id}", SIG_PART_ID},
    {"{ts}", SIG_PART_TIME},
    {"{body}", SIG_PART_BODY},
};

#define NFIELDS (sizeof(fields) / sizeof(fields[0]))

bool sig_template_has(const sig_scheme_t *scheme, sig_part_type_t type)
{
    size_t i;

    for (i = 0; i < scheme->nparts; i++) {
        if (scheme->parts[i].type == type) {
            return true;
        }
    }
    return false;
}

/* The part that begins at text; false: a '{' that begins no field. */
static bool next_part(const char *text, sig_part_t *part)
{
    size_t i;

    if (*text != '{') {
        part->type = SIG_PART_LITERAL;
        part->len = (uint16_t)strcspn(text, "{");
        return true;
    }
    for (i = 0; i < NFIELDS; i++) {
        part->len = (uint16_t)strlen(fields[i].text);
        if (strncmp(text, fields[i].text, part->len) == 0) {
            part->type = fields[i].type;
            return true;
        }
    }
    return false;
}

static int judge(const sig_scheme_t *scheme, char error[SIG_ERROR_MAX])
{
    const sig_form_t *form = &scheme->form;
    size_t i;

    if (!sig_template_has(scheme, SIG_PART_BODY)) {
        return sig_failed(error, "the template has no {body}");
    }
    if (sig_template_has(scheme, SIG_PART_ID) && form->id_header[0] == '\0') {
        return sig_failed(error, "{id} in the template, but no id_header");
    }
    if (sig_template_has(scheme, SIG_PART_TIME) &&
        form->timestamp_header[0] == '\0' && form->timestamp_item[0] == '\0') {
        return sig_failed(error, "{ts} in the template, but neither "
                                 "timestamp_header nor timestamp_item");
    }
    for (i = 0; i + 1 < scheme->nparts; i++) {
        if (scheme->parts[i].type == SIG_PART_ID &&
            scheme->parts[i + 1].type != SIG_PART_LITERAL) {
            return sig_failed(error, "nothing separates {id} from what "
                                     "follows it");
        }
    }
    return 0;
}

int sig_template_parse(sig_scheme_t *scheme, char error[SIG_ERROR_MAX])
{
    const char *template = scheme->form.template;
    sig_part_t part = {0};
    size_t at = 0;

    scheme->nparts = 0;
    while (template[at] != '\0') {
        part.at = (uint16_t)at;
        if (!next_part(template + at, &part)) {
            return sig_failed(error,
                              "template: only {id}, {ts} and {body} are known");
        }
        if (part.type != SIG_PART_LITERAL &&
            sig_template_has(scheme, part.type)) {
            return sig_failed(error, "a field stands twice in the template");
        }
        if (scheme->nparts == SIG_PARTS_MAX) {
            return sig_failed(error, "the template has too many parts");
        }
        scheme->parts[scheme->nparts++] = part;
        at += part.len;
    }
    return judge(scheme, error);
}

bool sig_template_id_fits(const sig_scheme_t *scheme, sig_str_t id)
{
    size_t i;

    for (i = 0; i + 1 < scheme->nparts; i++) {
        if (scheme->parts[i].type == SIG_PART_ID) {
            return memchr(id.data,
                          scheme->form.template[scheme->parts[i + 1].at],
                          id.len) == NULL;
        }
    }
    return true;
}
