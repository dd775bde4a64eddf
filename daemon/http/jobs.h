/*
 * jobs.h - the bounded queue between the I/O thread and the workers.
 *
 * A place is reserved before the connection is suspended and the job is put
 * in afterwards, so that no worker can see a request that is not suspended
 * yet. Heavy jobs (password hashes) run one at a time: they never hold more
 * than one worker.
 */
#ifndef WACRM_HTTP_JOBS_H
#define WACRM_HTTP_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct job_s {
    struct job_s *next;
    uint64_t number;
    bool heavy;
} job_t;

typedef struct jobs_s jobs_t;

int jobs_new(jobs_t **out, size_t max, size_t heavy_max) WACRM_CHECKED;
void jobs_free(jobs_t **jobs);

/* false: full, or refused since jobs_refuse(). */
bool jobs_reserve(jobs_t *jobs, bool heavy) WACRM_CHECKED;
/* The reserved place becomes this job, which is the taker's. */
void jobs_put(jobs_t *jobs, job_t *job, bool heavy);

/* Waits; NULL once closed and empty. */
job_t *jobs_take(jobs_t *jobs);
/* After the job has been answered; the job itself may be gone. */
void jobs_done(jobs_t *jobs, bool heavy);

/* No reservation succeeds any more. */
void jobs_refuse(jobs_t *jobs);
/* Waits until nothing is reserved, queued or running. */
void jobs_drain(jobs_t *jobs);
/* Ends the takers. */
void jobs_close(jobs_t *jobs);

/* Reserved, queued and running. */
size_t jobs_count(jobs_t *jobs);

#endif
