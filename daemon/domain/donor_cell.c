#include "domain/donor_cell.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/utf8.h"

#define AMOUNT_MAX INT64_C(1000000000000) /* a trillion rupiah */

bool donor_cell_date(const char *text, int64_t *day)
{
    char iso[11];

    if (clock_parse_day(text, strlen(text), day)) {
        return true;
    }
    /* 01/03/2026, as spreadsheets here write it */
    if (strlen(text) != 10 || text[2] != '/' || text[5] != '/') {
        return false;
    }
    memcpy(iso, text + 6, 4);
    iso[4] = iso[7] = '-';
    memcpy(iso + 5, text + 3, 2);
    memcpy(iso + 8, text, 2);
    iso[10] = '\0';
    return clock_parse_day(iso, 10, day);
}

bool donor_cell_amount(const char *text, int64_t *amount)
{
    int64_t sum = 0;
    int group = -1; /* digits since the last dot */

    if (strncasecmp(text, "rp", 2) == 0) {
        text += 2;
    }
    while (*text == ' ' || *text == '.') {
        text++;
    }
    if (!isdigit((unsigned char)*text)) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text == '.') {
            if (group != -1 && group != 3) {
                return false;
            }
            group = 0;
        } else if (isdigit((unsigned char)*text)) {
            sum = sum * 10 + (*text - '0');
            group += group >= 0;
        } else {
            return false;
        }
        if (sum > AMOUNT_MAX) {
            return false;
        }
    }
    *amount = sum;
    return sum > 0 && (group == -1 || group == 3);
}

bool donor_cell_text(const char *s, size_t len)
{
    while (len > 0 && *s != '\0') {
        size_t n = utf8_len(s, len);

        if (n == 0) {
            return false;
        }
        s += n;
        len -= n;
    }
    return len == 0;
}

bool donor_cell_computes(const char *text, size_t len, size_t at)
{
    size_t i = at;

    if (at > 0 && memchr(";\t\r\n", text[at - 1], 4) == NULL) {
        return false;
    }
    while (i < len && memchr(" \"'", text[i], 3) != NULL) {
        i++;
    }
    return i < len && (memchr("=+-@", text[i], 4) != NULL ||
                       (at == 0 && memchr("\t\r\n", text[i], 3) != NULL));
}
