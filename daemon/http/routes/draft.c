#include "http/routes/draft.h"

#include <string.h>

#include "base/clock.h"
#include "base/jsonr.h"
#include "domain/contact_visible.h"
#include "domain/schedule.h"

size_t draft_characters(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

/* A number in any typed form, or the alias of a contact without one whom the
 * writer may see. */
static int read_phone(const request_t *r, const json_t *body,
                      invalid_t *invalid, draft_t *out)
{
    int64_t contact;
    out->typed = invalid_string(invalid, body, "phone", true);
    if (out->typed == NULL) {
        return WERR_OK;
    }
    size_t len = strlen(out->typed);
    if (phone_from_typed(out->typed, len, out->phone)) {
        return WERR_OK;
    }
    int rc = WERR_NOTFOUND;
    if (len < sizeof(out->phone)) {
        rc = contact_find_visible(r->db, &r->user, out->typed, &contact);
    }
    if (rc == WERR_OK) {
        memcpy(out->phone, out->typed, len + 1);
        out->typed = NULL;
    } else if (rc == WERR_NOTFOUND) {
        invalid_add(invalid, "phone",
                    "The phone field must be a phone number.");
        rc = WERR_OK;
    }
    return rc;
}

static bool has(const json_t *body, const char *field)
{
    const json_t *v = json_object_get(body, field);
    return v != NULL && !json_is_null(v);
}

/* One of them; a file before what only names one. */
static draft_source_t read_media(const json_t *body)
{
    if (has(body, "file")) {
        return DRAFT_FILE;
    }
    if (has(body, "media_id")) {
        return DRAFT_MEDIA_ID;
    }
    return has(body, "url") ? DRAFT_URL : DRAFT_NO_MEDIA;
}

/* A form has a field that was left empty as an empty text. */
static bool is_empty(const json_t *body, const char *field)
{
    const json_t *v = json_object_get(body, field);
    return v == NULL || json_is_null(v) ||
           (json_is_string(v) && json_string_length(v) == 0);
}

/* Nothing is left out without a word. */
static void refuse_media(const json_t *body, invalid_t *invalid)
{
    static const char *const fields[] = {"file", "media_id", "url"};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (!is_empty(body, fields[i])) {
            invalid_add(invalid, "type",
                        "The type field must be image or document where "
                        "there is a file.");
            return;
        }
    }
}

/* text, image or document; by the file where it is not told. */
static void read_type(const json_t *body, invalid_t *invalid, draft_t *out)
{
    out->type = invalid_string(invalid, body, "type", false);
    out->type_told = out->type != NULL;
    if (out->type != NULL && strcmp(out->type, "text") == 0) {
        refuse_media(body, invalid);
        return;
    }
    if (out->type != NULL && strcmp(out->type, "image") != 0 &&
        strcmp(out->type, "document") != 0) {
        invalid_add(invalid, "type", "The selected type is invalid.");
        return;
    }
    out->media = read_media(body);
    if (out->media == DRAFT_URL) {
        out->url = invalid_string(invalid, body, "url", true);
    } else if (out->media == DRAFT_NO_MEDIA) {
        if (out->type != NULL) {
            invalid_add(invalid, "file", "The file field is required.");
        } else if (!invalid_has(invalid, "type")) {
            out->type = "text";
        }
    }
}

static void read_text(const json_t *body, invalid_t *invalid, draft_t *out)
{
    bool required = out->type != NULL && strcmp(out->type, "text") == 0;
    out->text = invalid_string(invalid, body, "message", required);
    if (out->text != NULL && draft_characters(out->text) > DRAFT_TEXT_MAX) {
        invalid_add(invalid, "message",
                    "The message field must not be greater than %d "
                    "characters.",
                    DRAFT_TEXT_MAX);
    }
}

static int64_t read_number(const json_t *body, invalid_t *invalid,
                           const char *field, int64_t min, int64_t none)
{
    int64_t v = none;
    if (has(body, field) && (!jsonr_i64(body, field, &v) || v < min)) {
        invalid_add(invalid, field, "The %s field must be an integer.", field);
        return none;
    }
    return v;
}

int64_t draft_schedule(const json_t *body, invalid_t *invalid)
{
    int64_t at = 0, now = clock_now_ms();
    const char *text;
    if (!has(body, "scheduled_at")) {
        return 0;
    }
    text = json_string_value(json_object_get(body, "scheduled_at"));
    if (text == NULL || !clock_parse_iso(text, strlen(text), &at)) {
        invalid_add(invalid, "scheduled_at",
                    "The scheduled_at field must be a valid date.");
    } else if (at <= now) {
        invalid_add(invalid, "scheduled_at",
                    "The scheduled_at field must be a date after now.");
    } else if (at > now + SCHEDULE_MAX_DAYS * DAY_MS) {
        invalid_add(invalid, "scheduled_at",
                    "The scheduled_at field must be within %d days.",
                    SCHEDULE_MAX_DAYS);
    } else {
        return at;
    }
    return 0;
}

int draft_read_to(const request_t *r, const json_t *body, invalid_t *invalid,
                  draft_t *out)
{
    memset(out, 0, sizeof(*out));
    out->type = "text";
    out->source = "agent";
    int rc = read_phone(r, body, invalid, out);
    out->seen_seq = read_number(body, invalid, "seen_seq", 0, -1);
    out->scheduled_at = draft_schedule(body, invalid);
    return rc;
}

int draft_read(const request_t *r, const json_t *body, invalid_t *invalid,
               draft_t *out)
{
    int rc = draft_read_to(r, body, invalid, out);
    read_type(body, invalid, out);
    read_text(body, invalid, out);
    out->reply_to = read_number(body, invalid, "reply_to", 1, 0);
    return rc;
}
