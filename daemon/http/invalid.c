#include "http/invalid.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PASSWORD_MIN 8
#define PASSWORD_MAX 500

void invalid_add(invalid_t *in, const char *field, const char *format, ...)
{
    va_list ap;
    if (in->n == INVALID_MAX || invalid_has(in, field)) {
        return;
    }
    in->errors[in->n].field = field;
    va_start(ap, format);
    vsnprintf(in->errors[in->n].text, INVALID_TEXT, format, ap);
    va_end(ap);
    in->n++;
}

bool invalid_has(const invalid_t *in, const char *field)
{
    for (size_t i = 0; i < in->n; i++) {
        if (strcmp(in->errors[i].field, field) == 0) {
            return true;
        }
    }
    return false;
}

const char *invalid_string(invalid_t *in, const json_t *body, const char *field,
                           bool required)
{
    const json_t *value = json_object_get(body, field);
    if (value != NULL && !json_is_null(value) && !json_is_string(value)) {
        invalid_add(in, field, "The %s field must be a string.", field);
        return NULL;
    }
    const char *text = json_string_value(value);
    if (text != NULL && text[strspn(text, " \t\r\n")] != '\0') {
        return text;
    }
    if (required) {
        invalid_add(in, field, "The %s field is required.", field);
    }
    return NULL;
}

void invalid_password(invalid_t *in, const char *field, const char *password)
{
    size_t len = password != NULL ? strlen(password) : PASSWORD_MIN;
    if (len < PASSWORD_MIN) {
        invalid_add(in, field, "The %s field must be at least %d characters.",
                    field, PASSWORD_MIN);
    } else if (len > PASSWORD_MAX) {
        invalid_add(in, field,
                    "The %s field must not be greater than %d bytes.", field,
                    PASSWORD_MAX);
    }
}

bool invalid_answer(const invalid_t *in, response_t *response)
{
    if (in->n == 0) {
        return false;
    }
    response_reset(response, 422);
    buf_t *b = &response->body;
    jw_open_object(b, NULL);
    jw_str(b, "message", in->errors[0].text);
    jw_open_object(b, "errors");
    for (size_t i = 0; i < in->n; i++) {
        jw_open_array(b, in->errors[i].field);
        jw_str(b, NULL, in->errors[i].text);
        jw_close_array(b);
    }
    jw_close_object(b);
    jw_close_object(b);
    return true;
}
