#include "edge/sig_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX (7 * 86400)

#define MAC   (1u << SIG_KIND_MAC)
#define JWT   (1u << SIG_KIND_JWT)
#define TOKEN (1u << SIG_KIND_TOKEN)

typedef int (*option_set_t)(sig_form_t *form, size_t at, sig_str_t value,
                            char error[SIG_ERROR_MAX]);

static int set_header(sig_form_t *form, size_t at, sig_str_t value,
                      char error[SIG_ERROR_MAX])
{
    char *name = (char *)form + at;
    size_t i;

    if (value.len == 0 || value.len >= SIG_NAME_MAX) {
        return sig_failed(error, "a header's name has 1 to %d characters",
                          SIG_NAME_MAX - 1);
    }
    for (i = 0; i < value.len; i++) {
        if (!isalnum((unsigned char)value.data[i]) && value.data[i] != '-' &&
            value.data[i] != '_') {
            return sig_failed(error, "that is no header's name");
        }
        name[i] = (char)tolower((unsigned char)value.data[i]);
    }
    name[value.len] = '\0';
    return 0;
}

static int set_text(char *to, size_t cap, size_t min, sig_str_t value,
                    char error[SIG_ERROR_MAX])
{
    size_t i;

    if (value.len < min || value.len >= cap) {
        return sig_failed(error, "a value of %zu to %zu characters is needed",
                          min, cap - 1);
    }
    for (i = 0; i < value.len; i++) {
        if (value.data[i] < 0x20 || value.data[i] > 0x7e) {
            return sig_failed(error, "a value of printable ASCII is needed");
        }
    }
    memcpy(to, value.data, value.len);
    to[value.len] = '\0';
    return 0;
}

static int set_name(sig_form_t *form, size_t at, sig_str_t value,
                    char error[SIG_ERROR_MAX])
{
    return set_text((char *)form + at, SIG_NAME_MAX, 1, value, error);
}

/* The items of an Ed25519 key then have this prefix, too. */
static int set_prefix(sig_form_t *form, size_t at, sig_str_t value,
                      char error[SIG_ERROR_MAX])
{
    form->key_prefix[0] = '\0';
    return set_text((char *)form + at, SIG_NAME_MAX, 0, value, error);
}

static int set_template(sig_form_t *form, size_t at, sig_str_t value,
                        char error[SIG_ERROR_MAX])
{
    return set_text((char *)form + at, SIG_TEMPLATE_MAX, 1, value, error);
}

static int set_seconds(sig_form_t *form, size_t at, sig_str_t value,
                       char error[SIG_ERROR_MAX])
{
    int64_t seconds;

    if (!sig_time_parse(value, SIG_TIME_S, &seconds) || seconds > SECONDS_MAX) {
        return sig_failed(error, "seconds, 0 to %d, are needed", SECONDS_MAX);
    }
    memcpy((char *)form + at, &seconds, sizeof(seconds));
    return 0;
}

/* The place of value in a list of words; -1: not there. */
static int word(const char *const *words, sig_str_t value,
                char error[SIG_ERROR_MAX])
{
    int i;

    for (i = 0; words[i] != NULL; i++) {
        if (sig_str_is(value, words[i])) {
            return i;
        }
    }
    return sig_failed(error, "unknown value \"%.*s\"",
                      (int)(value.len > 40 ? 40 : value.len), value.data);
}

_Static_assert(sizeof(sig_digest_t) == sizeof(unsigned), "set_enum");

/* Every enum of the form has the order of its words, and an int's size. */
static int set_enum(sig_form_t *form, size_t at, const char *const *words,
                    sig_str_t value, char error[SIG_ERROR_MAX])
{
    int i = word(words, value, error);
    unsigned place = (unsigned)i;

    if (i < 0) {
        return -1;
    }
    memcpy((char *)form + at, &place, sizeof(place));
    return 0;
}

static int set_digest(sig_form_t *form, size_t at, sig_str_t value,
                      char error[SIG_ERROR_MAX])
{
    static const char *const words[] = {"sha1", "sha256", "sha512", "ed25519",
                                        NULL};

    return set_enum(form, at, words, value, error);
}

static int set_coding(sig_form_t *form, size_t at, sig_str_t value,
                      char error[SIG_ERROR_MAX])
{
    static const char *const words[] = {"hex", "base64", NULL};

    return set_enum(form, at, words, value, error);
}

static int set_time(sig_form_t *form, size_t at, sig_str_t value,
                    char error[SIG_ERROR_MAX])
{
    static const char *const words[] = {"s", "ms", "iso", NULL};

    return set_enum(form, at, words, value, error);
}

static int set_key(sig_form_t *form, size_t at, sig_str_t value,
                   char error[SIG_ERROR_MAX])
{
    static const char *const words[] = {"raw", "base64", "whsec", NULL};

    return set_enum(form, at, words, value, error);
}

static int set_separator(sig_form_t *form, size_t at, sig_str_t value,
                         char error[SIG_ERROR_MAX])
{
    static const char *const words[] = {"none", "space", "comma", NULL};
    static const char separators[] = {'\0', ' ', ','};
    int i = word(words, value, error);

    if (i < 0) {
        return -1;
    }
    ((char *)form)[at] = separators[i];
    return 0;
}

static int set_flag(sig_form_t *form, size_t at, sig_str_t value,
                    char error[SIG_ERROR_MAX])
{
    static const char *const words[] = {"off", "on", NULL};
    int i = word(words, value, error);
    bool on = i == 1;

    if (i < 0) {
        return -1;
    }
    memcpy((char *)form + at, &on, sizeof(on));
    return 0;
}

static const struct {
    const char *name;
    unsigned kinds;
    bool before_secret; /* the secrets are decoded by it */
    option_set_t set;
    size_t at;
} options[] = {
#define AT(member) offsetof(sig_form_t, member)
    {"header", MAC | JWT | TOKEN, false, set_header, AT(header)},
    {"prefix", MAC | TOKEN, false, set_prefix, AT(prefix)},
    {"separator", MAC, false, set_separator, AT(separator)},
    {"optional_prefix", MAC, false, set_flag, AT(optional_prefix)},
    {"digest", MAC, true, set_digest, AT(digest)},
    {"coding", MAC, false, set_coding, AT(coding)},
    {"template", MAC, false, set_template, AT(template)},
    {"id_header", MAC, false, set_header, AT(id_header)},
    {"timestamp_header", MAC, false, set_header, AT(timestamp_header)},
    {"timestamp_item", MAC, false, set_name, AT(timestamp_item)},
    {"timestamp", MAC, false, set_time, AT(time)},
    {"tolerance", MAC, false, set_seconds, AT(tolerance)},
    {"key", MAC, true, set_key, AT(key)},
    {"query", TOKEN, false, set_name, AT(query)},
    {"json", TOKEN, false, set_name, AT(json)},
    {"leeway", JWT, false, set_seconds, AT(leeway)},
#undef AT
};

static char *copied(sig_str_t text)
{
    char *copy = malloc(text.len + 1);

    if (copy != NULL) {
        memcpy(copy, text.data, text.len);
        copy[text.len] = '\0';
    }
    return copy;
}

static void claim_drop(sig_scheme_t *scheme, sig_str_t name)
{
    size_t i;

    for (i = 0; i < scheme->nclaims; i++) {
        if (sig_str_is(name, scheme->claims[i].name)) {
            free(scheme->claims[i].name);
            free(scheme->claims[i].value);
            scheme->claims[i] = scheme->claims[--scheme->nclaims];
            return;
        }
    }
}

int sig_claim_set(sig_scheme_t *scheme, sig_str_t name, sig_str_t value,
                  char error[SIG_ERROR_MAX])
{
    sig_claim_t claim;

    if (name.len == 0 || memchr(name.data, '\0', name.len) != NULL ||
        (value.len > 0 && memchr(value.data, '\0', value.len) != NULL)) {
        return sig_failed(error, "claim.NAME=VALUE is needed");
    }
    claim_drop(scheme, name);
    if (value.len == 0) {
        return 0;
    }
    if (scheme->nclaims == SIG_CLAIMS_MAX) {
        return sig_failed(error, "more than %d claims", SIG_CLAIMS_MAX);
    }
    claim.name = copied(name);
    claim.value = copied(value);
    if (claim.name == NULL || claim.value == NULL) {
        free(claim.name);
        free(claim.value);
        return sig_failed(error, "out of memory");
    }
    scheme->claims[scheme->nclaims++] = claim;
    return 0;
}

void sig_claims_clear(sig_scheme_t *scheme)
{
    while (scheme->nclaims > 0) {
        scheme->nclaims--;
        free(scheme->claims[scheme->nclaims].name);
        free(scheme->claims[scheme->nclaims].value);
    }
}

int sig_scheme_option(sig_scheme_t *scheme, sig_str_t key, sig_str_t value,
                      char error[SIG_ERROR_MAX])
{
    int shown = (int)(key.len > 40 ? 40 : key.len);
    unsigned kind = 1u << scheme->form.kind;
    size_t i;

    if (scheme->finished) {
        return sig_failed(error, "the scheme is finished");
    }
    if (kind == JWT && sig_str_starts(key, "claim.")) {
        return sig_claim_set(scheme, sig_str_skip(key, 6), value, error);
    }
    for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (!sig_str_is(key, options[i].name)) {
            continue;
        }
        if (!(options[i].kinds & kind)) {
            return sig_failed(error,
                              "the scheme \"%s\" has no use for "
                              "\"%.*s\"",
                              scheme->name, shown, key.data);
        }
        if (options[i].before_secret && scheme->nsecrets > 0) {
            return sig_failed(error, "\"%.*s\" must come before the secrets",
                              shown, key.data);
        }
        return options[i].set(&scheme->form, options[i].at, value, error);
    }
    return sig_failed(error, "unknown option \"%.*s\"", shown, key.data);
}
