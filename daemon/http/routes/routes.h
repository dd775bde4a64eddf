/*
 * routes.h - the handlers of the route table, a file per noun.
 */
#ifndef WACRM_HTTP_ROUTES_H
#define WACRM_HTTP_ROUTES_H

#include "http/request.h"

/* auth.c */
void route_login(request_t *r);
void route_refresh(request_t *r);
void route_logout(request_t *r);
void route_me(request_t *r);

/* inbox.c */
void route_inbox(request_t *r);

/* chat.c */
void route_chat(request_t *r);
void route_chat_read(request_t *r);
void route_chat_star(request_t *r);

/* messages.c */
void route_send(request_t *r);
void route_retry(request_t *r);

/* health.c, metrics.c */
void route_health(request_t *r);
void route_metrics(request_t *r);

#endif
