/*
 * message_text.h - a message in one line, as the inbox shows it: "[Foto]
 * caption". Private to domain/.
 */
#ifndef WACRM_DOMAIN_MESSAGE_TEXT_H
#define WACRM_DOMAIN_MESSAGE_TEXT_H

#include "base/buf.h"

/* type and text may be NULL (no message): "". */
void message_text_line(buf_t *out, const char *key, const char *type,
                       const char *text, bool deleted);

#endif
