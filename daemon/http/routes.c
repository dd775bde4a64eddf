#include "http/router.h"
#include "http/routes/routes.h"

const route_t http_routes[] = {
    {"POST", "/api/auth/login", ACCESS_PUBLIC, route_login, true},
    {"POST", "/api/auth/refresh", ACCESS_PUBLIC, route_refresh, false},
    {"POST", "/api/auth/logout", ACCESS_USER, route_logout, false},
    {"GET", "/api/auth/me", ACCESS_USER, route_me, false},
    {"GET", "/api/crm/inbox", ACCESS_USER, route_inbox, false},
    {"GET", "/api/crm/inbox/{chatId}", ACCESS_USER, route_chat, false},
    {"POST", "/api/crm/inbox/{chatId}/read", ACCESS_USER, route_chat_read,
     false},
    {"POST", "/api/crm/inbox/{chatId}/star", ACCESS_USER, route_chat_star,
     false},
    {"POST", "/api/crm/messages/send", ACCESS_USER, route_send, false},
    {"POST", "/api/crm/messages/{id}/retry", ACCESS_USER, route_retry, false},
    {"GET", "/api/health", ACCESS_PUBLIC, route_health, false},
    {"GET", "/metrics", ACCESS_PUBLIC, route_metrics, false},
};

const size_t http_nroutes = sizeof(http_routes) / sizeof(http_routes[0]);
