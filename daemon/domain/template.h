/*
 * template.h - texts that are sent again and again, with places to fill in:
 * {{1}} or {{name}}, blanks inside allowed; anything else stays as it is.
 */
#ifndef WACRM_DOMAIN_TEMPLATE_H
#define WACRM_DOMAIN_TEMPLATE_H

#include "base/buf.h"
#include "domain/domain.h"

#define TEMPLATE_NAME_MAX     100  /* characters */
#define TEMPLATE_CONTENT_MAX  4096 /* characters */
#define TEMPLATE_VARIABLE_MAX 64   /* bytes of a variable's name */

typedef struct {
    const char *name, *content;
    const char *gateway_name, *language; /* NULL: none */
} template_t;

/* WERR_CONFLICT: the name is taken. */
int template_add(tx_t *tx, const template_t *t, int64_t *id) WACRM_CHECKED;
/* All of it anew. */
int template_set(tx_t *tx, int64_t id, const template_t *t) WACRM_CHECKED;
int template_remove(tx_t *tx, int64_t id) WACRM_CHECKED;

/* Texts of out are malloc'd: template_free(). */
typedef struct {
    int64_t id;
    char *name, *content, *gateway_name, *language;
} template_row_t;
int template_get(db_t *db, int64_t id, template_row_t *out) WACRM_CHECKED;
void template_free(template_row_t *t);

/* One as JSON (Template of the HTTP contract); the list by name, those whose
 * name or content contains search (NULL: all). */
int template_write(db_t *db, int64_t id, buf_t *out,
                   const char *key) WACRM_CHECKED;
int template_list(db_t *db, const char *search, int limit, buf_t *out,
                  const char *key) WACRM_CHECKED;

/* The names in content, each once, as a JSON array. */
void template_variables(const char *content, buf_t *out, const char *key);

/* The value of a variable; NULL: there is none. */
typedef const char *(*template_value_fn)(void *arg, const char *name);
/*
 * Fills in, in one pass: a value is never looked at for places of its own.
 * values: what was put in, as a JSON array, numbers in their order first.
 * missing: the names without a value, each once, ", " between. Either may be
 * NULL.
 */
void template_fill(const char *content, template_value_fn value, void *arg,
                   buf_t *out, buf_t *values, buf_t *missing);

#endif
