/*
 * viewer.c - which user a socket is authorised for, and what they may see. It
 * is asked of the database when it changes (EVENT_ACCESS, revocations), never
 * at an event.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "domain/token_revoke.h"
#include "realtime/internal.h"

static int find(realtime_t *rt, int64_t user, rt_viewer_t **out)
{
    rt_viewer_t *v = rt->viewers;
    int rc;

    while (v != NULL && v->user != user) {
        v = v->next;
    }
    *out = v;
    if (v != NULL) {
        return WERR_OK;
    }
    v = calloc(1, sizeof(*v));
    if (v == NULL) {
        return WERR_NOMEM;
    }
    rc = visibility_of(rt->db, user, &v->sees);
    if (rc != WERR_OK) {
        free(v);
        return rc;
    }
    v->user = user;
    v->next = rt->viewers;
    rt->viewers = v;
    *out = v;
    return WERR_OK;
}

static void let_go(realtime_t *rt, rt_viewer_t *v)
{
    rt_viewer_t **at = &rt->viewers;

    if (v->refs > 0) {
        return;
    }
    while (*at != v) {
        at = &(*at)->next;
    }
    *at = v->next;
    free(v->sees);
    free(v);
}

void rt_grant_drop(realtime_t *rt, rt_client_t *c)
{
    rt_grant_t *g = c->grant;

    c->grant = NULL;
    if (g != NULL) {
        g->viewer->refs--;
        let_go(rt, g->viewer);
        free(g);
    }
}

/* What the last user had subscribed to is none of the next one's. */
static void drop_private(realtime_t *rt, rt_client_t *c)
{
    rt_sub_t *next;

    for (rt_sub_t *sub = c->subs; sub != NULL; sub = next) {
        next = sub->next;
        if (sub->channel->kind != RT_PUBLIC) {
            rt_sub_drop(rt, sub);
        }
    }
}

int rt_grant(realtime_t *rt, rt_client_t *c, int64_t user, const char *jti,
             int64_t exp)
{
    int64_t now = clock_now_ms();
    rt_grant_t *g = calloc(1, sizeof(*g));
    bool revoked = true;
    int rc = g != NULL ? find(rt, user, &g->viewer) : WERR_NOMEM;

    if (rc == WERR_OK) {
        rc = token_is_revoked(rt->db, user, jti, now / 1000, &revoked);
        if (rc == WERR_OK && revoked) {
            rc = WERR_DENIED;
        }
        if (rc != WERR_OK) {
            let_go(rt, g->viewer);
        }
    }
    if (rc != WERR_OK) {
        free(g);
        return rc == WERR_NOTFOUND ? WERR_DENIED : rc;
    }
    g->viewer->refs++;
    g->exp = exp;
    g->given_ms = now;
    snprintf(g->jti, sizeof(g->jti), "%s", jti);
    if (c->grant != NULL && c->grant->viewer != g->viewer) {
        drop_private(rt, c);
    }
    rt_grant_drop(rt, c);
    c->grant = g;
    return WERR_OK;
}

bool rt_sees(const rt_client_t *c, int64_t session)
{
    return c->grant != NULL && visibility_has(c->grant->viewer->sees, session);
}

/* ---- changes ---- */

static void refuse_chats(rt_client_t *c)
{
    realtime_t *rt = c->rt;
    rt_sub_t *next;

    for (rt_sub_t *sub = c->subs; sub != NULL; sub = next) {
        rt_channel_t *ch = sub->channel;
        char name[REALTIME_NAME_MAX + 1];

        next = sub->next;
        if (ch->scope != RT_CHAT || rt_sees(c, ch->session)) {
            continue;
        }
        snprintf(name, sizeof(name), "%s", ch->name);
        rt_sub_drop(rt, sub);
        rt_say_refused(c, name, "AuthError", "No longer yours to see.", 403);
    }
}

static void close_all(realtime_t *rt, const rt_viewer_t *v, int code,
                      const char *reason)
{
    for (size_t i = 0; i < rt->nslots; i++) {
        rt_client_t *c = rt->slots[i];

        if (c != NULL && c->grant != NULL && c->grant->viewer == v) {
            rt_count(&rt->counters.revoked, code == REALTIME_DENIED);
            rt_client_close(c, code, reason);
        }
    }
}

/* false: its clients are being closed. */
static bool look_again(realtime_t *rt, rt_viewer_t *v)
{
    visibility_t *sees;
    int rc = visibility_of(rt->db, v->user, &sees);

    if (rc == WERR_OK) {
        free(v->sees);
        v->sees = sees;
        return true;
    }
    v->sees->all = false; /* nothing more, whatever is under way */
    v->sees->n = 0;
    if (rc == WERR_NOTFOUND) {
        close_all(rt, v, REALTIME_DENIED, "Switched off.");
    } else {
        rt_count(&rt->counters.faults, 1);
        log_error("realtime", "msg=\"who sees what is not known\" error=%s",
                  log_str(werr_text(rc)));
        close_all(rt, v, REALTIME_OVER, "Please connect again.");
    }
    return false;
}

void rt_viewers_reload(realtime_t *rt)
{
    for (rt_viewer_t *v = rt->viewers; v != NULL; v = v->next) {
        (void)look_again(rt, v);
    }
    for (size_t i = 0; i < rt->nslots; i++) {
        rt_client_t *c = rt->slots[i];

        if (c != NULL && c->state == RT_OPEN && c->grant != NULL) {
            refuse_chats(c);
        }
    }
}

void rt_grants_check(realtime_t *rt)
{
    for (size_t i = 0; i < rt->nslots; i++) {
        rt_client_t *c = rt->slots[i];
        bool revoked = false;
        int rc;

        if (c == NULL || c->state != RT_OPEN || c->grant == NULL) {
            continue;
        }
        rc = token_is_revoked(rt->db, c->grant->viewer->user, c->grant->jti,
                              c->grant->given_ms / 1000, &revoked);
        if (rc != WERR_OK) {
            rt_count(&rt->counters.faults, 1);
            rt_client_close(c, REALTIME_OVER, "Please connect again.");
        } else if (revoked) {
            rt_count(&rt->counters.revoked, 1);
            rt_client_close(c, REALTIME_DENIED, "Signed out.");
        }
    }
}

/* Whoever has a newer token by now comes back with it. */
void rt_grant_tick(rt_client_t *c, int64_t now_s)
{
    if (c->grant != NULL && c->grant->exp <= now_s) {
        rt_client_close(c, REALTIME_AGAIN,
                        "The token has ended: connect and authorise again.");
    }
}
