/*
 * loopback.h - does a name mean this machine, whatever the resolver says?
 */
#ifndef WACRM_BASE_LOOPBACK_H
#define WACRM_BASE_LOOPBACK_H

#include <stdbool.h>

/* "host" or "host:port", as in a Host header: localhost, [::1], 127.0.0.0/8. */
bool loopback_host(const char *host);
/* An http or https URL without a name and password in it. */
bool loopback_url(const char *url);

#endif
