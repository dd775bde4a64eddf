/*
 * multipart.h - multipart/form-data (RFC 7578), strict, over a whole body in
 * memory. libmicrohttpd's own reader loses fields without an error.
 *
 * Refused: a preamble, anything after the last boundary but one line end, a
 * name twice, a part without a name, an encoding, more or longer parts and
 * headers than below. A boundary counts only at the begin of a line.
 */
#ifndef WACRM_HTTP_MULTIPART_H
#define WACRM_HTTP_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#define MULTIPART_PARTS_MAX 16
#define MULTIPART_HEAD_MAX  1024  /* bytes of one part's headers */
#define MULTIPART_FIELD_MAX 65536 /* of what is no file */
#define MULTIPART_NAME_MAX  64
#define MULTIPART_FILE_MAX  256 /* of a file's name */

typedef struct {
    char name[MULTIPART_NAME_MAX];
    bool file; /* has a file name, which may be empty */
    char filename[MULTIPART_FILE_MAX];
    const char *data; /* of the body */
    size_t len;
} multipart_part_t;

typedef struct {
    multipart_part_t parts[MULTIPART_PARTS_MAX];
    size_t n;
} multipart_t;

/* Is this the type that the rest is for? */
bool multipart_is(const char *content_type);

/* NULL, or what is wrong with it. */
const char *multipart_parse(multipart_t *out, const char *content_type,
                            const char *body, size_t len);

const multipart_part_t *multipart_get(const multipart_t *m, const char *name);

#endif
