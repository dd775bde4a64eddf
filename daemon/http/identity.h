/*
 * identity.h - who is calling, as the edge tells: X-Wacrm-User,
 * X-Wacrm-Token-Id, X-Wacrm-Token-Exp. All once, or none. Any other of
 * that prefix is refused, but for X-Wacrm-Client, the client's address, which
 * is nobody's identity.
 */
#ifndef WACRM_HTTP_IDENTITY_H
#define WACRM_HTTP_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

struct MHD_Connection;

#define IDENTITY_JTI_MAX 200

typedef struct {
    int64_t user;
    char jti[IDENTITY_JTI_MAX];
    int64_t exp; /* s */
} identity_t;

typedef enum {
    IDENTITY_NONE,
    IDENTITY_OK,
    IDENTITY_REFUSED /* some, twice, or malformed: not the edge's doing */
} identity_result_t;

identity_result_t identity_read(struct MHD_Connection *connection,
                                identity_t *out);

#endif
