#include "http/jobs.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/lock.h"

typedef struct {
    job_t *head, **tail;
    size_t count, max; /* reserved, queued and running */
} lane_t;

struct jobs_s {
    pthread_mutex_t lock;
    pthread_cond_t work, idle;
    lane_t lanes[2]; /* plain, heavy */
    uint64_t next_number;
    bool heavy_running;
    bool refuse, closed;
};

int jobs_new(jobs_t **out, size_t max, size_t heavy_max)
{
    jobs_t *q = calloc(1, sizeof(*q));
    *out = q;
    if (q == NULL || !lock_init(&q->lock, &q->work, &q->idle)) {
        free(q);
        *out = NULL;
        return WERR_NOMEM;
    }
    q->lanes[0].max = max;
    q->lanes[1].max = heavy_max;
    q->lanes[0].tail = &q->lanes[0].head;
    q->lanes[1].tail = &q->lanes[1].head;
    return WERR_OK;
}

void jobs_free(jobs_t **jobs)
{
    jobs_t *q = *jobs;
    *jobs = NULL;
    if (q != NULL) {
        pthread_cond_destroy(&q->idle);
        pthread_cond_destroy(&q->work);
        pthread_mutex_destroy(&q->lock);
        free(q);
    }
}

bool jobs_reserve(jobs_t *q, bool heavy)
{
    lane_t *lane = &q->lanes[heavy];
    pthread_mutex_lock(&q->lock);
    bool ok = !q->refuse && lane->count < lane->max;
    lane->count += ok;
    pthread_mutex_unlock(&q->lock);
    return ok;
}

void jobs_put(jobs_t *q, job_t *job, bool heavy)
{
    lane_t *lane = &q->lanes[heavy];
    job->next = NULL;
    job->heavy = heavy;
    pthread_mutex_lock(&q->lock);
    job->number = q->next_number++;
    *lane->tail = job;
    lane->tail = &job->next;
    pthread_cond_signal(&q->work);
    pthread_mutex_unlock(&q->lock);
}

/* The older of the two heads that may run now. */
static job_t *pick(jobs_t *q)
{
    job_t *plain = q->lanes[0].head;
    job_t *heavy = q->heavy_running ? NULL : q->lanes[1].head;
    job_t *job = plain;
    if (heavy != NULL && (plain == NULL || heavy->number < plain->number)) {
        job = heavy;
    }
    if (job == NULL) {
        return NULL;
    }
    lane_t *lane = &q->lanes[job->heavy];
    lane->head = job->next;
    if (lane->head == NULL) {
        lane->tail = &lane->head;
    }
    q->heavy_running = q->heavy_running || job->heavy;
    return job;
}

job_t *jobs_take(jobs_t *q)
{
    pthread_mutex_lock(&q->lock);
    job_t *job = pick(q);
    while (job == NULL && !q->closed) {
        pthread_cond_wait(&q->work, &q->lock);
        job = pick(q);
    }
    pthread_mutex_unlock(&q->lock);
    return job;
}

void jobs_done(jobs_t *q, bool heavy)
{
    pthread_mutex_lock(&q->lock);
    q->lanes[heavy].count--;
    if (heavy) {
        q->heavy_running = false;
        if (q->lanes[1].head != NULL) {
            pthread_cond_signal(&q->work);
        }
    }
    if (q->lanes[0].count + q->lanes[1].count == 0) {
        pthread_cond_broadcast(&q->idle);
    }
    pthread_mutex_unlock(&q->lock);
}

void jobs_refuse(jobs_t *q)
{
    pthread_mutex_lock(&q->lock);
    q->refuse = true;
    pthread_mutex_unlock(&q->lock);
}

void jobs_drain(jobs_t *q)
{
    pthread_mutex_lock(&q->lock);
    while (q->lanes[0].count + q->lanes[1].count > 0) {
        pthread_cond_wait(&q->idle, &q->lock);
    }
    pthread_mutex_unlock(&q->lock);
}

void jobs_close(jobs_t *q)
{
    pthread_mutex_lock(&q->lock);
    q->refuse = true;
    q->closed = true;
    pthread_cond_broadcast(&q->work);
    pthread_mutex_unlock(&q->lock);
}

size_t jobs_count(jobs_t *q)
{
    pthread_mutex_lock(&q->lock);
    size_t n = q->lanes[0].count + q->lanes[1].count;
    pthread_mutex_unlock(&q->lock);
    return n;
}
