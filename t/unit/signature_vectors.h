/*
 * signature_vectors.h - signed requests that pass, and such that must not.
 *
 * Standard Webhooks, GitHub, Slack and WAHA have published theirs; the others
 * are computed over the same bodies. All secrets are published or made up.
 */
#ifndef WACRM_TEST_SIGNATURE_VECTORS_H
#define WACRM_TEST_SIGNATURE_VECTORS_H

#include "signature_request.h"

#define WHSEC     "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define GOOD      "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define DECOY     "Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
#define MSG_ID    "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define TEST_BODY "{\"test\": 2432232314}"
#define V1        "7d5c18aece3f36400e77d426b95f71899ba8781a66210a3643746b172ce11d17"
#define V0        "6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"
#define WAAPI_MAC \
    "1ac332174a807b0ad06e37e614d9d14e79a97b936d36f875cad0e0100a5fa1a1"
#define HUB_MAC \
    "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
#define SLACK_BODY                                                             \
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow" \
    "&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name="   \
    "roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2F"  \
    "hooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZ"  \
    "RskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8" \
    "b6703c"

typedef struct {
    const char *preset;
    const char *secret;
    pair_t headers[HEADERS_MAX];
    const char *body;
    int64_t now;
    sig_result_t result;
} vector_t;

static const vector_t vectors[] = {
    {"standard",
     WHSEC,
     {{"webhook-id", MSG_ID},
      {"webhook-timestamp", "1614265330"},
      {"webhook-signature", GOOD}},
     TEST_BODY,
     1614265330,
     SIG_OK},
    {"svix",
     WHSEC,
     {{"svix-id", MSG_ID},
      {"svix-timestamp", "1614265330"},
      {"svix-signature", "v1," DECOY " " GOOD " v2," DECOY}},
     TEST_BODY,
     1614265330,
     SIG_OK},
    {"hub256",
     "It's a Secret to Everybody",
     {{"x-hub-signature-256", "sha256=" HUB_MAC}},
     "Hello, World!",
     0,
     SIG_OK},
    {"slack",
     "8f742231b10e8888abcd99yyyzzz85a5",
     {{"x-slack-request-timestamp", "1531420618"},
      {"x-slack-signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd"
                            "27519666489c69b503"}},
     SLACK_BODY,
     1531420618,
     SIG_OK},
    {"waha",
     "my-secret-key",
     {{"x-webhook-hmac-algorithm", "sha512"},
      {"x-webhook-hmac",
       "208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8097c46"
       "2b2b17a6ce93b6b47a136cf2e78a33a63f6752c2c1631777076153fa89"}},
     "{\"event\":\"message\",\"session\":\"default\",\"engine\":\"WEBJS\"}",
     0,
     SIG_OK},
    {"stripe",
     "whsec_test_secret",
     {{"stripe-signature", "t=1614265330,v1=" V1 ",v0=" V0}},
     EVENT,
     1614265330,
     SIG_OK},
    {"shopify",
     "hush",
     {{"x-shopify-hmac-sha256",
       "eRjaCTZh/JHzp3tpFMDOFrs6o0ErOm6shox2XZx5t+M="}},
     EVENT,
     0,
     SIG_OK},
    {"waapi",
     "seed-secret",
     {{"x-webhook-signature", WAAPI_MAC}},
     EVENT,
     0,
     SIG_OK},
    {"waapi",
     "seed-secret",
     {{"x-webhook-signature", "sha256=" WAAPI_MAC}},
     EVENT,
     0,
     SIG_OK},

#define STANDARD(id, ts, sig, now, result) \
    {                                      \
        "standard", WHSEC,                 \
            {{"webhook-id", id},           \
             {"webhook-timestamp", ts},    \
             {"webhook-signature", sig}},  \
            TEST_BODY, now, result         \
    }
    /* must pass: decoys before the right item, the edges of the tolerance */
    STANDARD(MSG_ID, "1614265330", "v2," DECOY " v1," DECOY " " GOOD,
             1614265330, SIG_OK),
    STANDARD(MSG_ID, "1614265330", GOOD, 1614265330 + 300, SIG_OK),
    STANDARD(MSG_ID, "1614265330", GOOD, 1614265330 - 300, SIG_OK),
    STANDARD(MSG_ID, "1614265330", GOOD " v1," DECOY, 1614265330, SIG_OK),
    /* must not */
    STANDARD(MSG_ID, "1614265330", GOOD, 1614265330 + 301, SIG_STALE),
    STANDARD(MSG_ID, "1614265330", GOOD, 1614265330 - 301, SIG_STALE),
    STANDARD(MSG_ID, "1614265330", "v1,", 1614265330, SIG_MISMATCH),
    STANDARD(MSG_ID, "1614265330",
             "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIO"
             "LJ1OE=",
             1614265330, SIG_MISMATCH),
    STANDARD(MSG_ID, "1614265330", "v1," DECOY, 1614265330, SIG_MISMATCH),
    STANDARD(NULL, "1614265330", GOOD, 1614265330, SIG_MISSING),
    STANDARD("", "1614265330", GOOD, 1614265330, SIG_MISSING),
    STANDARD(MSG_ID, NULL, GOOD, 1614265330, SIG_MISSING),
    STANDARD(MSG_ID, "", GOOD, 1614265330, SIG_MISSING),
    STANDARD(MSG_ID, "hello", GOOD, 1614265330, SIG_MISMATCH),
    STANDARD(MSG_ID, "-1614265330", GOOD, 1614265330, SIG_MISMATCH),
    STANDARD(MSG_ID, "1614265330.0", GOOD, 1614265330, SIG_MISMATCH),
    STANDARD(MSG_ID, "99999999999999999999", GOOD, 1614265330, SIG_MISMATCH),
    STANDARD(MSG_ID, "1614265330", NULL, 1614265330, SIG_MISSING),
    STANDARD(MSG_ID, "1614265330", "", 1614265330, SIG_MISSING),
    STANDARD(MSG_ID ".1", "1614265330", GOOD, 1614265330, SIG_MISMATCH),
    STANDARD("msg_p5jXN8AQM9LWM0D4loKWxJel", "1614265330", GOOD, 1614265330,
             SIG_MISMATCH),
    STANDARD(MSG_ID, "1614265331", GOOD, 1614265330, SIG_MISMATCH),
    STANDARD(MSG_ID, "1614265330",
             "v1,g0hM9SsE-OTPJTGt_tmIKtSyZlE3uFJELVlNIO"
             "LJ1OE=",
             1614265330, SIG_MISMATCH),
    STANDARD(MSG_ID, "1614265330",
             "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIO"
             "LJ1OE",
             1614265330, SIG_MISMATCH),
    {"slack",
     "8f742231b10e8888abcd99yyyzzz85a5",
     {{"x-slack-request-timestamp", "1531420618"},
      {"x-slack-signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd"
                            "27519666489c69b503"}},
     "T" SLACK_BODY,
     1531420618,
     SIG_MISMATCH},
    {"hub256",
     "It's a Secret to Everybody",
     {{"x-hub-signature-256", "sha1=" HUB_MAC}},
     "Hello, World!",
     0,
     SIG_MISMATCH},
    {"hub256",
     "It's a Secret to Everybody",
     {{"x-hub-signature-256", HUB_MAC}},
     "Hello, World!",
     0,
     SIG_MISMATCH},
    {"hub256",
     "It's a Secret to Everybody",
     {{"x-hub-signature-256", "sha256="}},
     "Hello, World!",
     0,
     SIG_MISMATCH},
    {"hub256",
     "It's a Secret to Everybody",
     {{NULL, NULL}},
     "Hello, World!",
     0,
     SIG_MISSING},
    {"hub256",
     "It's another Secret indeed!",
     {{"x-hub-signature-256", "sha256=" HUB_MAC}},
     "Hello, World!",
     0,
     SIG_MISMATCH},
    {"stripe",
     "whsec_test_secret",
     {{"stripe-signature", "t=1614265330,v0=" V0}},
     EVENT,
     1614265330,
     SIG_MISMATCH},
    {"stripe",
     "whsec_test_secret",
     {{"stripe-signature", "t=1614265330,v1=" V0 ",v1=" V1}},
     EVENT,
     1614265330,
     SIG_OK},
    {"stripe",
     "whsec_test_secret",
     {{"stripe-signature", "v1=" V1}},
     EVENT,
     1614265330,
     SIG_MISSING},
    {"stripe",
     "whsec_test_secret",
     {{"stripe-signature", "t=1614265330,t=1614265330,v1=" V1}},
     EVENT,
     1614265330,
     SIG_MISMATCH},
    {"stripe",
     "whsec_test_secret",
     {{"stripe-signature", "t=1614265330,v1=" V1}},
     EVENT,
     1614266330,
     SIG_STALE},
    {"waha",
     "my-secret-key",
     {{"x-webhook-hmac-algorithm", "sha256"},
      {"x-webhook-hmac",
       "208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8097c46"
       "2b2b17a6ce93b6b47a136cf2e78a33a63f6752c2c1631777076153fa89"}},
     "{\"event\":\"message\",\"session\":\"default\",\"engine\":\"WEBJS\"}",
     0,
     SIG_MISMATCH},
    {"waha",
     "my-secret-key",
     {{"x-webhook-timestamp", "1614265330000"},
      {"x-webhook-hmac",
       "208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8097c46"
       "2b2b17a6ce93b6b47a136cf2e78a33a63f6752c2c1631777076153fa89"}},
     "{\"event\":\"message\",\"session\":\"default\",\"engine\":\"WEBJS\"}",
     1614265330 + 301,
     SIG_STALE},
    {"waha",
     "my-secret-key",
     {{"x-webhook-timestamp", "1614265330000"},
      {"x-webhook-hmac",
       "208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8097c46"
       "2b2b17a6ce93b6b47a136cf2e78a33a63f6752c2c1631777076153fa89"}},
     "{\"event\":\"message\",\"session\":\"default\",\"engine\":\"WEBJS\"}",
     1614265330 + 299,
     SIG_OK},
    {"waapi",
     "seed-secret",
     {{"x-webhook-signature", "sha512=" WAAPI_MAC}},
     EVENT,
     0,
     SIG_MISMATCH},
    {"waapi",
     "seed-secret",
     {{"x-webhook-signature", "sha256=sha256=" WAAPI_MAC}},
     EVENT,
     0,
     SIG_MISMATCH},
};

#endif
