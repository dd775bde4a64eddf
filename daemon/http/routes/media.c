#include <stdio.h>
#include <string.h>

#include "domain/media.h"
#include "domain/media_url.h"
#include "http/keyed.h"
#include "http/routes/routes.h"
#include "http/upload.h"

/* Internal location of nginx.conf: the media directory. */
#define INTERNAL "/wacrm-media/"

/* ---- up ---- */

typedef struct {
    const media_blob_t *blob;
    const char *name;
    int64_t user;
    media_row_t row;
} job_upload_t;

static int add(tx_t *tx, void *arg)
{
    job_upload_t *job = arg;
    return media_add(tx, job->blob, job->name, job->user, &job->row);
}

static int write_row(tx_t *tx, void *arg, buf_t *b)
{
    const job_upload_t *job = arg;
    const media_row_t *m = &job->row;
    const media_viewer_t viewer = {tx->domain, job->user};
    buf_t url;
    buf_init(&url, 0);
    media_url_add(&url, &viewer, m->public_id);
    jw_open_object(b, "data");
    jw_str(b, "media_id", m->public_id);
    jw_str(b, "url", url.data);
    jw_str(b, "mime", m->mime);
    jw_str(b, "filename", m->filename[0] != '\0' ? m->filename : NULL);
    jw_i64(b, "size", m->size);
    jw_close_object(b);
    b->failed = b->failed || url.failed;
    buf_free(&url);
    return WERR_OK;
}

static void store(request_t *r, const upload_t *u)
{
    invalid_t invalid = {0};
    media_blob_t blob;
    job_upload_t job = {.blob = &blob, .name = u->name, .user = r->user.id};
    keyed_t k = {add, write_row, &job, 201, NULL};
    int rc = media_store(r->options->domain, u->data, u->len, &blob);
    if (rc != WERR_OK) {
        upload_refuse(r, rc);
        return;
    }
    rc = keyed_request(r, &invalid, &k);
    media_release(&blob);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}

void route_media_upload(request_t *r)
{
    invalid_t invalid = {0};
    upload_t u;
    bool ok = upload_read(r, &u);
    if (ok && (u.data == NULL || u.len == 0)) {
        invalid_add(&invalid, "file",
                    json_object_get(u.fields, "file") != NULL
                        ? "The file field must be a file."
                        : "The file field is required.");
    }
    if (ok && !invalid_answer(&invalid, &r->response)) {
        store(r, &u);
    }
    upload_free(&u);
}

/* ---- down ---- */

static bool read_id(const request_t *r, char id[MEDIA_ID])
{
    const route_param_t *p = &r->match.params[0];
    if (p->len != MEDIA_ID - 1) {
        return false;
    }
    memcpy(id, p->text, p->len);
    id[p->len] = '\0';
    return strspn(id, "0123456789abcdef") == p->len;
}

/* RFC 6266: a name of plain ASCII, and the real one beside it. */
static void disposition(request_t *r, const media_row_t *m, const sniff_t *type)
{
    char name[MEDIA_NAME_MAX];
    bool plain = true;
    buf_t b;
    if (m->filename[0] != '\0') {
        memcpy(name, m->filename, sizeof(name));
    } else {
        snprintf(name, sizeof(name), "%.8s%s", m->public_id, type->extension);
    }
    buf_init(&b, 0);
    buf_addf(&b, "%s; filename=\"", type->shown ? "inline" : "attachment");
    for (const char *p = name; *p != '\0'; p++) {
        bool odd = (unsigned char)*p >= 0x7f || strchr("\"\\%", *p) != NULL;
        buf_addc(&b, odd ? '_' : *p);
        plain = plain && !odd;
    }
    buf_addc(&b, '"');
    if (!plain) {
        buf_adds(&b, "; filename*=UTF-8''");
    }
    for (const char *p = name; !plain && *p != '\0'; p++) {
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                   "0123456789-._~",
                   *p) != NULL) {
            buf_addc(&b, *p);
        } else {
            buf_addf(&b, "%%%02X", (unsigned char)*p);
        }
    }
    response_header(&r->response, "Content-Disposition",
                    b.failed ? "attachment" : b.data);
    buf_free(&b);
}

/* nginx sends the bytes, with ranges and 304. */
static void hand_over(request_t *r, const media_row_t *m)
{
    char path[128];
    const sniff_t *type = sniff_find(m->mime);
    if (type == NULL) {
        response_message(&r->response, 500, "Server Error");
        return;
    }
    snprintf(path, sizeof(path), INTERNAL "%.2s/%s", m->hash, m->hash + 2);
    response_reset(&r->response, 200);
    r->response.type = type->mime;
    response_header(&r->response, "X-Accel-Redirect", path);
    disposition(r, m, type);
    response_header(&r->response, "X-Content-Type-Options", "nosniff");
    response_header(&r->response, "Cache-Control", "private, max-age=86400");
}

/* By a signed address: true, and r->user is its user, or nobody for a
 * gateway. */
static bool know_signer(request_t *r, const char *id, bool *gateway)
{
    int64_t user;
    int rc = media_url_check(r->options->domain, id, request_query(r, "user"),
                             request_query(r, "expires"),
                             request_query(r, "signature"), &user);
    if (rc == WERR_DENIED) {
        response_not_found(&r->response, "Media not found.");
    } else if (rc != WERR_OK) {
        /* no verdict: a gateway would give the message up for a 404 */
        response_error(&r->response, rc);
    }
    if (rc != WERR_OK) {
        return false;
    }
    *gateway = user == 0;
    return *gateway || request_as(r, user);
}

void route_media(request_t *r)
{
    char id[MEDIA_ID];
    media_row_t m;
    bool gateway = false;
    if (!read_id(r, id)) {
        response_not_found(&r->response, "Media not found.");
        return;
    }
    if (request_query(r, "signature") != NULL &&
        !know_signer(r, id, &gateway)) {
        return;
    }
    int rc = media_find(r->db, id, &m);
    if (rc == WERR_OK && !gateway) {
        rc = media_visible(r->db, &m, r->user.id, &r->visible);
    }
    if (rc == WERR_NOTFOUND) {
        response_not_found(&r->response, "Media not found.");
    } else if (rc != WERR_OK) {
        response_error(&r->response, rc);
    } else {
        hand_over(r, &m);
    }
}
