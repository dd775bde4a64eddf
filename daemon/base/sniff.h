/*
 * sniff.h - what a file is, by its bytes. What its sender calls it is not
 * asked.
 */
#ifndef WACRM_BASE_SNIFF_H
#define WACRM_BASE_SNIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name; /* in the configuration: jpeg, pdf, office ... */
    const char *mime;
    const char *extension; /* with its dot */
    bool image;            /* may be sent as one */
    bool shown;            /* a browser may show it in its page */
} sniff_t;

/* NULL: nothing that is known. Looks at all of it where it must. */
const sniff_t *sniff(const void *data, size_t len);

/* The type of that MIME name, or NULL. */
const sniff_t *sniff_find(const char *mime);

/*
 * Does the name end as one of all these types does? What is in "resi.bat" or
 * "foto.hta" may look like a text or a picture: who opens it runs it.
 */
bool sniff_knows_ending(const char *name);

/* Sets of types, as bits: by names with blanks between. */
bool sniff_set_parse(const char *names, uint32_t *set);
bool sniff_set_has(uint32_t set, const sniff_t *type);
#define SNIFF_ALL UINT32_MAX

#endif
