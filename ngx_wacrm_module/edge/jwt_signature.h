/*
 * jwt_signature.h - the signature of a token, by libjwt.
 *
 * Apart from jwt_gate.h because <jwt.h> names its algorithms alike.
 */
#ifndef WACRM_EDGE_JWT_SIGNATURE_H
#define WACRM_EDGE_JWT_SIGNATURE_H

#include <stddef.h>

/*
 * Whether token (terminated) is signed by that algorithm ("HS256") and key:
 * 1, 0 if not, -1 without memory or with an empty key.
 */
int jwt_signature_good(const char *token, const char *alg,
                       const unsigned char *key, size_t len);

#endif
