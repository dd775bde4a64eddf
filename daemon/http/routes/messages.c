#include "domain/audit.h"
#include "domain/consent.h"
#include "domain/contact.h"
#include "domain/media_url.h"
#include "domain/message.h"
#include "http/idempotency.h"
#include "http/routes/draft.h"
#include "http/routes/draft_media.h"
#include "http/routes/routes.h"

#define STALE_MAX 20
/* By how much a gateway's time may lie before ours: seconds, and its clock. */
#define GATEWAY_LATE_MS 60000

DB_QUERY(send_chat,
         "SELECT id FROM chats WHERE session_id = $1 AND contact_id = $2");
DB_QUERY(send_seen_at, "SELECT created_at FROM events WHERE seq <= $1"
                       " ORDER BY seq DESC LIMIT 1");
/* Of what came within the millisecond of the event, its number tells. */
DB_QUERY(send_newer, "SELECT id FROM messages AS m WHERE chat_id = $1"
                     " AND ts >= $2 AND direction = 1 AND status < 7"
                     " AND (created_at > $3 OR (created_at = $3 AND EXISTS"
                     " (SELECT 1 FROM events AS e WHERE e.seq > $6"
                     " AND e.ref = m.id AND e.kind IN (1, 2))))"
                     " AND (cs_id IS NULL OR cs_id <> $4)"
                     " AND coalesce(source, '') <> 'auto'"
                     " ORDER BY ts, id LIMIT $5");
DB_QUERY(retry_contact, "SELECT c.contact_id, c.id, coalesce(m.source, '') IN"
                        " ('auto', 'template', 'campaign') FROM messages AS m"
                        " JOIN chats AS c ON c.id = m.chat_id WHERE m.id = $1");

/* Why a send did not happen; the transaction is rolled back then. */
typedef enum {
    REFUSED_NOT,
    REFUSED_MISMATCH,
    REFUSED_OPTED_OUT,
    REFUSED_STALE,
    REFUSED_REPLY_TO,
    REFUSED_STATE
} refusal_t;

typedef struct {
    idempotency_t idempotency;
    const draft_t *draft; /* send */
    int64_t session;
    int64_t cs_id;
    int64_t message; /* retry */
    refusal_t refusal;
    buf_t newer; /* REFUSED_STALE: JSON */
    int status;
    buf_t answer;
} job_send_t;

static int refuse(job_send_t *job, refusal_t why)
{
    job->refusal = why;
    return WERR_CONFLICT;
}

/* The ids of what colleagues wrote, here or on the phone itself, since the
 * writer looked; count, or < 0. */
static int find_newer(db_t *db, const job_send_t *job, int64_t chat,
                      int64_t ids[STALE_MAX])
{
    int64_t seen_at = 0;
    int n = 0;
    db_stmt_t *s = db_stmt(db, &send_seen_at);
    db_bind_i64(s, 1, job->draft->seen_seq);
    int rc = db_first_i64(s, &seen_at);
    if (rc != WERR_OK && rc != WERR_NOTFOUND) {
        return rc;
    }
    s = db_stmt(db, &send_newer);
    db_bind_i64(s, 1, chat);
    db_bind_i64(s, 2, seen_at - GATEWAY_LATE_MS);
    db_bind_i64(s, 3, seen_at);
    db_bind_i64(s, 4, job->cs_id);
    db_bind_i64(s, 5, STALE_MAX);
    db_bind_i64(s, 6, job->draft->seen_seq);
    while ((rc = db_step(s)) == DB_ROW) {
        ids[n++] = db_i64(s, 0);
    }
    return rc < 0 ? rc : n;
}

static int check_stale(tx_t *tx, job_send_t *job, int64_t chat)
{
    const media_viewer_t viewer = {tx->domain, job->cs_id};
    int64_t ids[STALE_MAX];
    if (job->draft->seen_seq < 0) {
        return WERR_OK;
    }
    int n = find_newer(tx->db, job, chat, ids);
    if (n <= 0) {
        return n;
    }
    jw_open_object(&job->newer, NULL);
    jw_open_array(&job->newer, "messages");
    for (int i = 0; i < n; i++) {
        int rc =
            message_write_json_for(tx->db, ids[i], &viewer, &job->newer, NULL);
        if (rc != WERR_OK) {
            return rc;
        }
    }
    jw_close_array(&job->newer);
    jw_close_object(&job->newer);
    return refuse(job, REFUSED_STALE);
}

static int check_reply_to(tx_t *tx, job_send_t *job, int64_t chat)
{
    int64_t session, of_chat;
    if (job->draft->reply_to == 0) {
        return WERR_OK;
    }
    int rc = message_place(tx->db, job->draft->reply_to, &session, &of_chat);
    if (rc == WERR_NOTFOUND || (rc == WERR_OK && of_chat != chat)) {
        return refuse(job, REFUSED_REPLY_TO);
    }
    return rc;
}

/* Who has opted out is answered, and nothing else. */
static int check_consent(tx_t *tx, job_send_t *job, int64_t contact,
                         int64_t chat, bool unasked)
{
    bool opted_out, may = false;
    int rc = consent_opted_out(tx->db, contact, &opted_out);
    if (rc != WERR_OK || !opted_out) {
        return rc;
    }
    if (!unasked && chat != 0) {
        rc = consent_may_reply(tx, contact, chat, tx->now, &may);
    }
    return rc == WERR_OK && !may ? refuse(job, REFUSED_OPTED_OUT) : rc;
}

/* What the contact and the chat have to say, if there are any yet. */
static int check_chat(tx_t *tx, job_send_t *job)
{
    int64_t contact = 0, chat = 0;
    int rc = contact_find(tx->db, job->draft->phone, &contact);
    if (rc == WERR_OK) {
        db_stmt_t *s = db_stmt(tx->db, &send_chat);
        db_bind_i64(s, 1, job->session);
        db_bind_i64(s, 2, contact);
        rc = db_first_i64(s, &chat);
    }
    if (rc == WERR_NOTFOUND) {
        rc = WERR_OK;
    }
    if (rc == WERR_OK && contact != 0) {
        rc = check_consent(tx, job, contact, chat, job->draft->unasked);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    rc = check_reply_to(tx, job, chat);
    return rc == WERR_OK && chat != 0 ? check_stale(tx, job, chat) : rc;
}

/* The answer of a message that is queued now, kept under the key. */
static int answer_queued(tx_t *tx, job_send_t *job, int64_t id)
{
    const media_viewer_t viewer = {tx->domain, job->cs_id};
    buf_t *b = &job->answer;
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    int rc = message_write_json_for(tx->db, id, &viewer, b, "data");
    jw_str(b, "message", "Success");
    jw_close_object(b);
    if (rc == WERR_OK && b->failed) {
        rc = WERR_NOMEM;
    }
    return rc == WERR_OK ? idempotency_keep(tx, &job->idempotency, 200, b) : rc;
}

/* As idempotency_find(). */
static int begin(tx_t *tx, job_send_t *job)
{
    int rc =
        idempotency_find(tx, &job->idempotency, &job->status, &job->answer);
    return rc == WERR_CONFLICT ? refuse(job, REFUSED_MISMATCH) : rc;
}

static int send_message(tx_t *tx, void *arg)
{
    job_send_t *job = arg;
    const draft_t *d = job->draft;
    int64_t id = 0;
    int rc = begin(tx, job);
    if (rc != WERR_NOTFOUND) {
        return rc;
    }
    int64_t media = 0;
    rc = check_chat(tx, job);
    if (rc == WERR_OK && d->file != NULL) {
        rc = draft_media_row(tx, d->file, job->cs_id, &media);
    }
    if (rc == WERR_OK) {
        message_out_t out = {
            .session = job->session,
            .phone = d->phone,
            .typed = d->typed,
            .type = d->type,
            .text = d->text != NULL ? d->text : "",
            .media = media,
            .source = d->source,
            .cs_id = job->cs_id,
            .reply_to = d->reply_to,
            .url = d->url,
            .type_told = d->type_told,
            .scheduled_at = d->scheduled_at,
            .template = d->template,
        };
        rc = message_queue(tx, &out, &id);
    }
    if (rc == WERR_OK) {
        rc = audit_message(tx, &(audit_t){.user = job->cs_id,
                                          .action = d->scheduled_at != 0
                                                        ? "message.schedule"
                                                        : "message.send",
                                          .object = id,
                                          .detail = d->source});
    }
    return rc == WERR_OK ? answer_queued(tx, job, id) : rc;
}

static int check_retry(tx_t *tx, job_send_t *job)
{
    db_stmt_t *s = db_stmt(tx->db, &retry_contact);
    db_bind_i64(s, 1, job->message);
    int rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    int64_t contact = db_i64(s, 0), chat = db_i64(s, 1);
    bool unasked = db_i64(s, 2) != 0;
    db_done(s);
    return check_consent(tx, job, contact, chat, unasked);
}

static int retry_message(tx_t *tx, void *arg)
{
    job_send_t *job = arg;
    int rc = begin(tx, job);
    if (rc != WERR_NOTFOUND) {
        return rc;
    }
    rc = check_retry(tx, job);
    if (rc != WERR_OK) {
        return rc;
    }
    rc = message_retry(tx, job->message);
    if (rc == WERR_CONFLICT) {
        return refuse(job, REFUSED_STATE);
    }
    if (rc == WERR_OK) {
        rc = audit_message(tx, &(audit_t){.user = job->cs_id,
                                          .action = "message.retry",
                                          .object = job->message});
    }
    return rc == WERR_OK ? answer_queued(tx, job, job->message) : rc;
}

static void answer_refusal(request_t *r, const job_send_t *job)
{
    invalid_t invalid = {0};
    switch (job->refusal) {
    case REFUSED_MISMATCH:
        idempotency_mismatch(&r->response);
        break;
    case REFUSED_OPTED_OUT:
        response_conflict(&r->response, "opted_out",
                          "This contact does not want to be written to.", NULL,
                          0);
        break;
    case REFUSED_STALE:
        response_conflict(&r->response, "stale",
                          "A colleague has answered in the meantime.",
                          job->newer.data, job->newer.len);
        break;
    case REFUSED_REPLY_TO:
        invalid_add(&invalid, "reply_to", "The selected reply_to is invalid.");
        (void)invalid_answer(&invalid, &r->response);
        break;
    default:
        response_conflict(&r->response, "not_retryable",
                          "Only a failed or unknown message can be retried.",
                          NULL, 0);
        break;
    }
}

/* Runs the transaction and answers. */
static void run(request_t *r, job_send_t *job, tx_fn fn)
{
    job->status = 200;
    buf_init(&job->answer, 0);
    buf_init(&job->newer, 0);
    int rc = domain_write(r->options->domain, fn, job);
    if (rc < 0 && job->refusal != REFUSED_NOT) {
        answer_refusal(r, job);
    } else if (rc < 0) {
        response_error(&r->response, rc);
    } else {
        response_reset(&r->response, job->status);
        buf_add(&r->response.body, job->answer.data, job->answer.len);
    }
    buf_free(&job->answer);
    buf_free(&job->newer);
}

void draft_send(request_t *r, const draft_t *draft, invalid_t *invalid)
{
    job_send_t job = {.draft = draft, .cs_id = r->user.id};
    int rc = idempotency_read(r, invalid, &job.idempotency);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
        return;
    }
    rc = session_acting(r->db, r->options->domain, &r->user, &r->visible,
                        request_session(r), &job.session);
    if ((rc == WERR_OK && idempotency_answered(r, &job.idempotency)) ||
        invalid_answer(invalid, &r->response)) {
        return;
    }
    if (rc == WERR_NOTFOUND) {
        response_not_found(&r->response, "Session not found.");
    } else if (rc != WERR_OK) {
        response_error(&r->response, rc);
    } else {
        run(r, &job, send_message);
    }
}

static void send_upload(request_t *r, const upload_t *u)
{
    invalid_t invalid = {0};
    draft_media_t file;
    draft_t draft;
    int rc = draft_read(r, u->fields, &invalid, &draft);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
        return;
    }
    if (!draft_media_check(r, u, &draft, &invalid, &file) ||
        (invalid.n == 0 && !draft_media_store(r, u, &draft, &file))) {
        return;
    }
    draft.file = &file;
    draft_send(r, &draft, &invalid);
    draft_media_end(&file);
}

void route_send(request_t *r)
{
    upload_t u;
    if (upload_read(r, &u)) {
        send_upload(r, &u);
    }
    upload_free(&u);
}

void route_retry(request_t *r)
{
    invalid_t invalid = {0};
    job_send_t job = {.cs_id = r->user.id};
    int64_t chat;
    int rc = request_id(r, 0, &job.message)
                 ? message_place(r->db, job.message, &job.session, &chat)
                 : WERR_NOTFOUND;
    if (rc == WERR_NOTFOUND ||
        (rc == WERR_OK && !session_set_has(&r->visible, job.session))) {
        response_not_found(&r->response, "Message not found.");
        return;
    }
    if (rc == WERR_OK) {
        rc = idempotency_read(r, &invalid, &job.idempotency);
    }
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    } else if (!invalid_answer(&invalid, &r->response)) {
        run(r, &job, retry_message);
    }
}
