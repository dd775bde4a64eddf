#include "domain/like.h"

#include <ctype.h>
#include <string.h>

#define DIGITS_MAX 63

void like_text(const char *text, size_t len, char out[LIKE_MAX])
{
    size_t n = 0;

    out[n++] = '%';
    for (size_t i = 0; i < len && n < LIKE_MAX - 4; i++) {
        if (text[i] == '%' || text[i] == '_' || text[i] == '!') {
            out[n++] = '!';
        }
        out[n++] = (char)tolower((unsigned char)text[i]);
    }
    out[n++] = '%';
    out[n] = '\0';
}

void like_phone(const char *text, char out[LIKE_MAX])
{
    char digits[DIGITS_MAX] = "";
    size_t n = 0;

    if (strspn(text, "0123456789+-. ()") != strlen(text)) {
        like_text(text, strlen(text), out);
        return;
    }
    for (; *text != '\0' && n < sizeof(digits); text++) {
        if (isdigit((unsigned char)*text) && (n > 0 || *text != '0')) {
            digits[n++] = *text;
        }
    }
    like_text(digits, n, out);
    if (n == 0) {
        out[0] = '\0'; /* LIKE '' finds nothing */
    }
}
