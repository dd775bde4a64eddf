#include "domain/welcome.h"

#include <string.h>

#include "base/buf.h"
#include "domain/message.h"

#define FRESH_MS    (10 * 60 * INT64_C(1000))
#define PLACEHOLDER "{name}"
#define NOBODY      "Kak"

static bool may_send(const tx_t *tx, welcome_pace_t *pace, int64_t ts)
{
    const domain_settings_t *set = &tx->domain->settings;
    int64_t minute = tx->now / 60000;

    if (!set->welcome || set->welcome_text == NULL || tx->now - ts > FRESH_MS) {
        return false;
    }
    if (pace->minute != minute) {
        *pace = (welcome_pace_t){.minute = minute};
    }
    return pace->sent < set->welcome_per_minute;
}

static void fill_in(buf_t *out, const char *text, const char *name)
{
    const char *at;

    while ((at = strstr(text, PLACEHOLDER)) != NULL) {
        buf_add(out, text, (size_t)(at - text));
        buf_adds(out, name);
        text = at + strlen(PLACEHOLDER);
    }
    buf_adds(out, text);
}

int welcome_queue(tx_t *tx, welcome_pace_t *pace, int64_t session,
                  const char *phone, const char *name, int64_t ts)
{
    message_out_t out = {
        .session = session, .phone = phone, .type = "text", .source = "auto"};
    buf_t text;
    int64_t id;
    int rc = WERR_NOMEM;

    if (!may_send(tx, pace, ts)) {
        return WERR_OK;
    }
    buf_init(&text, 0);
    fill_in(&text, tx->domain->settings.welcome_text,
            name != NULL && *name != '\0' ? name : NOBODY);
    if (!text.failed) {
        out.text = text.data;
        rc = message_queue(tx, &out, &id);
    }
    if (rc == WERR_OK) {
        pace->sent++;
    }
    buf_free(&text);
    return rc;
}
