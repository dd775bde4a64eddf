#include "http/routes/draft_media.h"

#include <string.h>

#include "base/jsonr.h"
#include "gateway/origin.h"

#define URL_MAX 2048

/* A type that was told must be that of the bytes. */
static void settle_type(draft_t *draft, const sniff_t *type, const char *field,
                        invalid_t *invalid)
{
    if (draft->type == NULL) {
        draft->type = type->image ? "image" : "document";
    } else if (strcmp(draft->type, "image") == 0 && !type->image) {
        invalid_add(invalid, field, "The %s field must be an image.", field);
    }
}

static bool check_file(request_t *r, const upload_t *u, draft_t *draft,
                       invalid_t *invalid)
{
    const domain_settings_t *set = &r->options->domain->settings;
    if (u->data == NULL || u->len == 0) {
        invalid_add(invalid, "file", "The file field must be a file.");
        return true;
    }
    const sniff_t *type = sniff(u->data, u->len);
    if (u->len > (size_t)set->media_max) {
        upload_refuse(r, WERR_TOOBIG);
        return false;
    }
    if (type == NULL || !sniff_set_has(set->media_types, type)) {
        upload_refuse(r, WERR_INVALID);
        return false;
    }
    settle_type(draft, type, "file", invalid);
    return true;
}

/* One that the writer may see, or has uploaded. */
static bool check_known(request_t *r, const upload_t *u, draft_t *draft,
                        invalid_t *invalid, draft_media_t *out)
{
    const char *id = jsonr_str(u->fields, "media_id");
    media_row_t row;
    int rc = id != NULL ? media_find(r->db, id, &row) : WERR_NOTFOUND;
    if (rc == WERR_OK) {
        rc = media_visible(r->db, &row, r->user.id, &r->visible);
    }
    const sniff_t *type = rc == WERR_OK ? sniff_find(row.mime) : NULL;
    if (rc == WERR_NOTFOUND || (rc == WERR_OK && type == NULL)) {
        invalid_add(invalid, "media_id", "The selected media_id is invalid.");
        return true;
    }
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
        return false;
    }
    out->media = row.id;
    settle_type(draft, type, "media_id", invalid);
    return true;
}

/* By its address: whether it can be had shows later. */
static int check_url(const request_t *r, draft_t *draft, invalid_t *invalid)
{
    const domain_settings_t *set = &r->options->domain->settings;
    origin_t origin;
    if (draft->url == NULL) {
        return WERR_OK;
    }
    if (draft->type == NULL) {
        draft->type = "document"; /* an image, if it turns out to be one */
    }
    if (set->url_hosts == NULL) {
        invalid_add(invalid, "url",
                    "Sending from a URL is switched off: send the file.");
        return WERR_OK;
    }
    int rc = strlen(draft->url) > URL_MAX ? WERR_INVALID
                                          : origin_of(draft->url, &origin);
    if (rc == WERR_NOMEM) {
        return rc;
    }
    if (rc != WERR_OK || !(origin.secure || set->url_http)) {
        invalid_add(invalid, "url", "The url field must be an %s address.",
                    set->url_http ? "http or https" : "https");
    } else if (!origin_listed(set->url_hosts, &origin)) {
        invalid_add(invalid, "url", "Files are not taken from this host.");
    }
    return WERR_OK;
}

bool draft_media_check(request_t *r, const upload_t *u, draft_t *draft,
                       invalid_t *invalid, draft_media_t *out)
{
    int rc;
    memset(out, 0, sizeof(*out));
    switch (draft->media) {
    case DRAFT_FILE:
        return check_file(r, u, draft, invalid);
    case DRAFT_MEDIA_ID:
        return check_known(r, u, draft, invalid, out);
    case DRAFT_URL:
        rc = check_url(r, draft, invalid);
        if (rc != WERR_OK) {
            response_error(&r->response, rc);
        }
        return rc == WERR_OK;
    case DRAFT_NO_MEDIA:
        break;
    }
    return true;
}

bool draft_media_store(request_t *r, const upload_t *u, const draft_t *draft,
                       draft_media_t *out)
{
    if (draft->media != DRAFT_FILE) {
        return true;
    }
    int rc = media_store(r->options->domain, u->data, u->len, &out->blob);
    if (rc != WERR_OK) {
        upload_refuse(r, rc);
        return false;
    }
    out->name = u->name;
    return true;
}

void draft_media_end(draft_media_t *m)
{
    media_release(&m->blob);
}

int draft_media_row(tx_t *tx, const draft_media_t *m, int64_t user, int64_t *id)
{
    media_row_t row;
    *id = m->media;
    if (!m->blob.held) {
        return WERR_OK;
    }
    int rc = media_add(tx, &m->blob, m->name, user, &row);
    *id = row.id;
    return rc;
}
