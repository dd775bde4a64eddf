/*
 * ngx_wacrm_jwt_signature.h - the signature of a token, by libjwt.
 *
 * Apart from ngx_wacrm_jwt.h because <jwt.h> and edge/jwt_gate.h name their
 * algorithms alike.
 */

#ifndef _NGX_WACRM_JWT_SIGNATURE_H_INCLUDED_
#define _NGX_WACRM_JWT_SIGNATURE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Whether token (terminated) is signed by that algorithm ("HS256") and key:
 * NGX_OK, NGX_DECLINED if not, NGX_ERROR without memory or with an empty key.
 */
ngx_int_t ngx_wacrm_jwt_signature(const char *token, const char *alg,
    const u_char *key, size_t len);


#endif /* _NGX_WACRM_JWT_SIGNATURE_H_INCLUDED_ */
