/*
 * like.h - patterns of LIKE for what people type into a search field. In
 * statements: lower(x) LIKE $1 ESCAPE '!'.
 */
#ifndef WACRM_DOMAIN_LIKE_H
#define WACRM_DOMAIN_LIKE_H

#include <stddef.h>

#define LIKE_MAX 420

/* "%text%" of len bytes, ASCII in lower case; cut where it is too long. */
void like_text(const char *text, size_t len, char out[LIKE_MAX]);

/*
 * Of a phone as people type it: "0812-34" and "+62 812 34" are looked for as
 * "%81234%" and "%6281234%". What is no part of a phone: as like_text().
 * Blanks and signs only: "", which finds nothing.
 */
void like_phone(const char *text, char out[LIKE_MAX]);

#endif
