/* template_send.c - a template with its places filled in, and a quick reply,
 * which is one without; both go the way of any message: draft_send(). */
#include <stdio.h>
#include <string.h>

#include "base/jsonr.h"
#include "domain/template.h"
#include "http/routes/draft.h"
#include "http/routes/routes.h"

#define VALUE_MAX 1024 /* characters */
#define KEY_MAX   24

/* Puts a value as text into texts; none where it is null or blank. */
static bool add_value(json_t *texts, const char *name, const json_t *value,
                      invalid_t *invalid)
{
    const char *text = json_string_value(value);
    char number[40];

    if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
                 json_integer_value(value));
        text = number;
    } else if (json_is_real(value)) {
        snprintf(number, sizeof(number), "%.15g", json_real_value(value));
        text = number;
    } else if (text == NULL && !json_is_null(value)) {
        invalid_add(invalid, "variables",
                    "The variables must be strings or numbers.");
    }
    if (text == NULL || text[strspn(text, " \t\r\n")] == '\0') {
        return true;
    }
    if (strstr(text, "{{") != NULL || strstr(text, "}}") != NULL) {
        invalid_add(invalid, "variables",
                    "The variables must not contain {{ or }}.");
    } else if (draft_characters(text) > VALUE_MAX) {
        invalid_add(invalid, "variables",
                    "A variable must not be greater than %d characters.",
                    VALUE_MAX);
    }
    return json_object_set_new(texts, name, json_string(text)) == 0;
}

/* An array is {{1}}, {{2}} ...; an object has their names. NULL: no memory. */
static json_t *read_variables(const json_t *body, invalid_t *invalid)
{
    json_t *given = json_object_get(body, "variables"), *value;
    json_t *texts = json_object();
    bool ok = texts != NULL;
    char name[KEY_MAX];
    const char *key;
    size_t i;

    if (json_is_array(given)) {
        json_array_foreach(given, i, value)
        {
            snprintf(name, sizeof(name), "%zu", i + 1);
            ok = ok && add_value(texts, name, value, invalid);
        }
    } else if (json_is_object(given)) {
        json_object_foreach(given, key, value)
        {
            ok = ok && add_value(texts, key, value, invalid);
        }
    } else if (given != NULL && !json_is_null(given)) {
        invalid_add(invalid, "variables",
                    "The variables field must be an array or an object.");
    }
    if (!ok) {
        json_decref(texts);
        texts = NULL;
    }
    return texts;
}

static const char *value_of(void *arg, const char *name)
{
    return json_string_value(json_object_get(arg, name));
}

static int read_template(request_t *r, const json_t *body, invalid_t *invalid,
                         template_row_t *out)
{
    const json_t *v = json_object_get(body, "template_id");
    int64_t id;
    int rc;

    if (v == NULL || json_is_null(v)) {
        invalid_add(invalid, "template_id",
                    "The template id field is required.");
        return WERR_OK;
    }
    rc = jsonr_i64(body, "template_id", &id) ? template_get(r->db, id, out)
                                             : WERR_NOTFOUND;
    if (rc == WERR_NOTFOUND) {
        invalid_add(invalid, "template_id",
                    "The selected template id is invalid.");
        rc = WERR_OK;
    }
    return rc;
}

typedef struct {
    draft_t draft;
    template_row_t row;
    json_t *texts;
    buf_t text, values, missing;
    message_template_t gateway;
} filled_t;

static void filled_free(filled_t *f)
{
    template_free(&f->row);
    json_decref(f->texts);
    buf_free(&f->text);
    buf_free(&f->values);
    buf_free(&f->missing);
}

static int fill(filled_t *f, invalid_t *invalid)
{
    template_fill(f->row.content, value_of, f->texts, &f->text, &f->values,
                  &f->missing);
    if (f->text.failed || f->values.failed || f->missing.failed) {
        return WERR_NOMEM;
    }
    if (f->missing.len > 0) {
        invalid_add(invalid, "variables", "Missing variables: %s.",
                    f->missing.data);
    }
    f->draft.text = f->text.data;
    if (draft_characters(f->draft.text) > DRAFT_TEXT_MAX) {
        invalid_add(invalid, "variables",
                    "The message must not be greater than %d characters.",
                    DRAFT_TEXT_MAX);
    }
    return WERR_OK;
}

static int read_all(request_t *r, const json_t *body, invalid_t *invalid,
                    filled_t *f)
{
    int rc = draft_read_to(r, body, invalid, &f->draft);

    f->draft.source = "template";
    if (rc == WERR_OK) {
        rc = read_template(r, body, invalid, &f->row);
    }
    if (rc == WERR_OK) {
        f->texts = read_variables(body, invalid);
        rc = f->texts == NULL ? WERR_NOMEM : WERR_OK;
    }
    return rc == WERR_OK && f->row.content != NULL ? fill(f, invalid) : rc;
}

static void send_filled(request_t *r, bool quick)
{
    invalid_t invalid = {0};
    filled_t f = {.texts = NULL};
    json_t *body = request_json(r);
    int rc;

    if (body == NULL) {
        return;
    }
    buf_init(&f.text, 0);
    buf_init(&f.values, 0);
    buf_init(&f.missing, 0);
    rc = read_all(r, body, &invalid, &f);
    f.draft.unasked = !quick;
    if (rc == WERR_OK && !quick && f.row.gateway_name != NULL) {
        f.gateway =
            (message_template_t){f.row.gateway_name, f.row.language,
                                 f.values.data != NULL ? f.values.data : "[]"};
        f.draft.template = &f.gateway;
    }
    if (rc == WERR_OK) {
        draft_send(r, &f.draft, &invalid);
    } else {
        response_error(&r->response, rc);
    }
    filled_free(&f);
    json_decref(body);
}

void route_send_template(request_t *r)
{
    send_filled(r, false);
}

void route_quick_reply(request_t *r)
{
    send_filled(r, true);
}
