/*
 * waapi_raw.c - texts and media dug out of raw Baileys messages, which the
 * gateway passes on beside (or in place of) what it made of them: it reads
 * only two of the many places where a text may stand.
 */
#include "gateway/waapi.h"

#include <string.h>
#include <strings.h>

#include "base/jsonr.h"

#define WRAPPERS_MAX 8

#define EDITED_TEXT                                                          \
    "editedMessage.conversation|editedMessage.extendedTextMessage.text|"     \
    "editedMessage.imageMessage.caption|editedMessage.videoMessage.caption|" \
    "editedMessage.documentMessage.caption"

static const char *const wrappers[] = {
    "ephemeralMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "viewOnceMessageV2Extension",
    "documentWithCaptionMessage",
    "deviceSentMessage",
    "editedMessage",
    "groupMentionedMessage",
};

/* What devices tell each other; votes are encrypted. */
static const char *const silent[] = {
    "pollUpdateMessage",
    "encReactionMessage",
    "keepInChatMessage",
    "pinInChatMessage",
};

/* Where each kind of content keeps its text. */
static const struct {
    const char *key, *type, *text;
} contents[] = {
    {"extendedTextMessage", "text", "text"},
    {"imageMessage", "image", "caption"},
    {"videoMessage", "video", "caption"},
    {"ptvMessage", "video", "caption"},
    {"audioMessage", "audio", ""},
    {"documentMessage", "document", "caption"},
    {"stickerMessage", "sticker", ""},
    {"locationMessage", "location", "name|address"},
    {"liveLocationMessage", "location", "caption"},
    {"contactMessage", "contacts", "displayName"},
    {"contactsArrayMessage", "contacts", "displayName"},
    {"buttonsResponseMessage", "interactive", "selectedDisplayText"},
    {"templateButtonReplyMessage", "interactive", "selectedDisplayText"},
    {"listResponseMessage", "interactive", "title|description"},
    {"interactiveResponseMessage", "interactive", "body.text"},
    {"buttonsMessage", "interactive", "contentText|text"},
    {"listMessage", "interactive", "description|title"},
    {"templateMessage", "interactive",
     "hydratedTemplate.hydratedContentText|"
     "hydratedFourRowTemplate.hydratedContentText"},
    {"interactiveMessage", "interactive", "body.text"},
    {"pollCreationMessage", "interactive", "name"},
    {"pollCreationMessageV2", "interactive", "name"},
    {"pollCreationMessageV3", "interactive", "name"},
};

static const struct {
    const char *word, *type;
} types[] = {
    {"text", "text"},
    {"chat", "text"},
    {"conversation", "text"},
    {"extendedText", "text"},
    {"image", "image"},
    {"video", "video"},
    {"gif", "video"},
    {"ptv", "video"},
    {"audio", "audio"},
    {"ptt", "audio"},
    {"voice", "audio"},
    {"document", "document"},
    {"file", "document"},
    {"documentWithCaption", "document"},
    {"sticker", "sticker"},
    {"location", "location"},
    {"liveLocation", "location"},
    {"live_location", "location"},
    {"contact", "contacts"},
    {"contacts", "contacts"},
    {"contactsArray", "contacts"},
    {"vcard", "contacts"},
    {"button", "interactive"},
    {"buttons", "interactive"},
    {"buttonsResponse", "interactive"},
    {"list", "interactive"},
    {"listResponse", "interactive"},
    {"poll", "interactive"},
    {"template", "interactive"},
    {"interactive", "interactive"},
};

const char *waapi_type(const char *word)
{
    static const char suffix[] = "Message";
    size_t len = strlen(word), cut = sizeof(suffix) - 1;

    if (len > cut && strcasecmp(word + len - cut, suffix) == 0) {
        len -= cut;
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strlen(types[i].word) == len &&
            strncasecmp(types[i].word, word, len) == 0) {
            return types[i].type;
        }
    }
    return NULL;
}

static const json_t *unwrap(const json_t *m)
{
    for (int depth = 0; depth < WRAPPERS_MAX; depth++) {
        const json_t *inner = NULL;

        for (size_t i = 0; !inner && i < sizeof(wrappers) / sizeof(*wrappers);
             i++) {
            inner = json_object_get(json_object_get(m, wrappers[i]), "message");
        }
        if (!json_is_object(inner)) {
            break;
        }
        m = inner;
    }
    return m;
}

/* Type of a protocol message: a number or its name in Baileys' schema. */
static bool protocol_is(const json_t *p, int64_t number, const char *name)
{
    const json_t *type = json_object_get(p, "type");

    if (json_is_string(type)) {
        return strcmp(json_string_value(type), name) == 0;
    }
    return json_is_integer(type) && json_integer_value(type) == number;
}

static void read_protocol(const json_t *p, waapi_raw_t *out)
{
    out->silent = true;
    out->about = jsonr_str(p, "key.id");
    if (!out->about) {
        return;
    }
    /* a missing type is proto3's zero: REVOKE */
    if (!json_object_get(p, "type") || protocol_is(p, 0, "REVOKE")) {
        out->kind = GW_DELETE;
    } else if (protocol_is(p, 14, "MESSAGE_EDIT")) {
        out->text = gw_first_str(p, EDITED_TEXT);
        if (out->text) {
            out->kind = GW_EDIT;
        }
    }
}

static bool read_content(const json_t *m, waapi_raw_t *out)
{
    for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
        const json_t *c = json_object_get(m, contents[i].key);

        if (!json_is_object(c)) {
            continue;
        }
        out->type = contents[i].type;
        out->text = gw_first_str(c, contents[i].text);
        out->mime = jsonr_str(c, "mimetype");
        out->name = gw_first_str(c, "fileName|title");
        if (!out->mime) {
            out->name = NULL;
        }
        if (!jsonr_i64(c, "fileLength", &out->size) || out->size < 0) {
            out->size = -1;
        }
        out->reply_to = jsonr_str(c, "contextInfo.stanzaId");
        return true;
    }
    return false;
}

static bool is_silent(const json_t *m)
{
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        if (json_object_get(m, silent[i])) {
            return true;
        }
    }
    return false;
}

void waapi_raw_read(const json_t *message, waapi_raw_t *out)
{
    const json_t *m = unwrap(message), *v;

    memset(out, 0, sizeof(*out));
    out->kind = GW_OTHER;
    out->size = -1;
    if (!json_is_object(m)) {
        return;
    }
    if ((v = json_object_get(m, "reactionMessage")) != NULL) {
        out->about = jsonr_str(v, "key.id");
        out->text = json_string_value(json_object_get(v, "text"));
        if (out->about) {
            out->kind = GW_REACTION;
        }
        out->silent = !out->about;
        return;
    }
    if ((v = json_object_get(m, "protocolMessage")) != NULL) {
        read_protocol(v, out);
        return;
    }
    out->silent = is_silent(m);
    out->text = jsonr_str(m, "conversation");
    if (out->text) {
        out->type = "text";
    }
    if (out->text || read_content(m, out)) {
        out->kind = GW_MESSAGE;
    }
}
