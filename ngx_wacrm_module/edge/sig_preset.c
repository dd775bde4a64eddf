#include "edge/sig_internal.h"

#include <string.h>

#define MINUTES(n) ((n)*60)

typedef struct {
    const char *name;
    sig_form_t form;
} sig_preset_t;

static const sig_preset_t presets[] = {
    {"custom",
     {.kind = SIG_KIND_MAC, .digest = SIG_SHA256, .tolerance = MINUTES(5)}},
    {"standard",
     {.kind = SIG_KIND_MAC,
      .header = "webhook-signature",
      .prefix = "v1,",
      .key_prefix = "v1a,",
      .separator = ' ',
      .template = "{id}.{ts}.{body}",
      .id_header = "webhook-id",
      .timestamp_header = "webhook-timestamp",
      .tolerance = MINUTES(5),
      .digest = SIG_SHA256,
      .coding = SIG_BASE64,
      .key = SIG_KEY_WHSEC}},
    {"svix",
     {.kind = SIG_KIND_MAC,
      .header = "svix-signature",
      .prefix = "v1,",
      .key_prefix = "v1a,",
      .separator = ' ',
      .template = "{id}.{ts}.{body}",
      .id_header = "svix-id",
      .timestamp_header = "svix-timestamp",
      .tolerance = MINUTES(5),
      .digest = SIG_SHA256,
      .coding = SIG_BASE64,
      .key = SIG_KEY_WHSEC}},
    {"hub256",
     {.kind = SIG_KIND_MAC,
      .header = "x-hub-signature-256",
      .prefix = "sha256=",
      .template = "{body}",
      .digest = SIG_SHA256}},
    {"hub1",
     {.kind = SIG_KIND_MAC,
      .header = "x-hub-signature",
      .prefix = "sha1=",
      .template = "{body}",
      .digest = SIG_SHA1}},
    {"slack",
     {.kind = SIG_KIND_MAC,
      .header = "x-slack-signature",
      .prefix = "v0=",
      .template = "v0:{ts}:{body}",
      .timestamp_header = "x-slack-request-timestamp",
      .tolerance = MINUTES(5),
      .digest = SIG_SHA256}},
    {"stripe",
     {.kind = SIG_KIND_MAC,
      .header = "stripe-signature",
      .prefix = "v1=",
      .separator = ',',
      .template = "{ts}.{body}",
      .timestamp_item = "t",
      .tolerance = MINUTES(5),
      .digest = SIG_SHA256}},
    {"shopify",
     {.kind = SIG_KIND_MAC,
      .header = "x-shopify-hmac-sha256",
      .template = "{body}",
      .id_header = "x-shopify-webhook-id",
      .digest = SIG_SHA256,
      .coding = SIG_BASE64}},
    {"waha",
     {.kind = SIG_KIND_MAC,
      .header = "x-webhook-hmac",
      .template = "{body}",
      .id_header = "x-webhook-request-id",
      .timestamp_header = "x-webhook-timestamp",
      .digest_header = "x-webhook-hmac-algorithm",
      .time = SIG_TIME_MS,
      .tolerance = MINUTES(5),
      .digest = SIG_SHA512}},
    {"waapi",
     {.kind = SIG_KIND_MAC,
      .header = "x-webhook-signature",
      .prefix = "sha256=",
      .optional_prefix = true,
      .template = "{body}",
      .digest = SIG_SHA256}},
    {"openwa",
     {.kind = SIG_KIND_MAC,
      .header = "x-openwa-signature",
      .prefix = "sha256=",
      .template = "{body}",
      .id_header = "x-openwa-idempotency-key",
      .digest = SIG_SHA256}},
    {"generic",
     {.kind = SIG_KIND_MAC,
      .header = "x-webhook-signature",
      .prefix = "sha256=",
      .template = "{ts}.{body}",
      .timestamp_header = "x-webhook-timestamp",
      .tolerance = MINUTES(5),
      .digest = SIG_SHA256}},
    {"jwt_hs256",
     {.kind = SIG_KIND_JWT,
      .header = "authorization",
      /* Evolution makes the token once, before its retries of 20 min. */
      .leeway = MINUTES(30)}},
    {"token", {.kind = SIG_KIND_TOKEN}},
    {"none", {.kind = SIG_KIND_NONE}},
};

bool sig_preset_find(sig_str_t name, sig_form_t *form)
{
    size_t i;

    for (i = 0; i < sizeof(presets) / sizeof(presets[0]); i++) {
        if (sig_str_is(name, presets[i].name)) {
            *form = presets[i].form;
            return true;
        }
    }
    return false;
}
