/*
 * config_table.c - the options of wacrmd.conf.
 */
#include "config_table.h"

#include "config.h"

#define AT(field)      offsetof(config_t, field)
#define GATEWAY(field) offsetof(gateway_account_t, field)
#define MILLIARD       INT64_C(1000000000)

const option_t config_options[] = {
    {"wacrmd", "state_dir", OPTION_PATH, AT(state_dir), "/var/lib/wacrm", 0, 0,
     false, "Directory of the lock, and of all that follows by default."},
    {"wacrmd", "database", OPTION_PATH, AT(database), "{state_dir}/wacrm.db", 0,
     0, false, "The SQLite database; made if it is not there."},
    {"wacrmd", "search_index", OPTION_PATH, AT(search_index),
     "{state_dir}/search.db", 0, 0, false,
     "The words of all messages, names and phones; may be deleted, and is made "
     "anew."},
    {"wacrmd", "spool", OPTION_PATH, AT(spool), "{state_dir}/spool", 0, 0,
     false, "The spool; the same path as in `wacrm_spool` of nginx.conf."},
    {"wacrmd", "spool_size", OPTION_SIZE, AT(spool_size), "1g", 1 << 20,
     INT64_C(1) << 44, false,
     "Upper bound of the spool's file; the same as in `wacrm_spool`."},
    {"wacrmd", "notify", OPTION_SOCKET, AT(notify), "{state_dir}/notify.sock",
     0, 0, false,
     "Socket on which the edge tells of new events (`notify=` of "
     "`wacrm_spool`)."},
    {"wacrmd", "http_socket", OPTION_SOCKET, AT(http_socket),
     "{state_dir}/http.sock", 0, 0, false,
     "Socket of the HTTP API, for nginx only."},
    {"wacrmd", "public_url", OPTION_URL, AT(public_url), NULL, 0, 0, false,
     "Where gateways reach nginx, as https://crm.example.org: for webhooks "
     "that wacrmd registers. Without it, sessions are made at the gateway."},
    {"wacrmd", "workers", OPTION_INT, AT(workers), "2", 1, 64, false,
     "Threads that answer requests."},
    {"wacrmd", "control_socket", OPTION_SOCKET, AT(control_socket),
     "{state_dir}/control.sock", 0, 0, false, "Socket of wacrmctl."},
    {"wacrmd", "group", OPTION_TEXT, AT(group), NULL, 0, 0, false,
     "Group of the spool and the sockets, shared with nginx's workers; "
     "without it, that of the process."},
    {"wacrmd", "development", OPTION_SWITCH, AT(development), "off", 0, 0,
     false,
     "This is nobody's desk: allows `without_sign_in`, and no `public_url` but "
     "one on this machine."},
    {"wacrmd", "log_level", OPTION_LEVEL, AT(log_level), "info", 0, 0, true,
     "What is logged, to standard error."},

    {"auth", "jwt_secret_file", OPTION_PATH, AT(jwt_secret_file),
     "/etc/wacrm/secrets/jwt", 0, 0, false,
     "Key of the access tokens, at least 32 bytes; the same file as in "
     "`wacrm_jwt_key_file`."},
    {"auth", "issuer", OPTION_TEXT, AT(issuer), "wacrm", 0, 0, false,
     "Claim `iss` of the tokens (`wacrm_jwt_issuer`)."},
    {"auth", "audience", OPTION_TEXT, AT(audience), "wacrm", 0, 0, false,
     "Claim `aud` of the tokens (`wacrm_jwt_audience`)."},
    {"auth", "without_sign_in", OPTION_TEXT, AT(without_sign_in), NULL, 0, 0,
     false,
     "E-mail of the agent that everybody is who comes without a token, for "
     "development and tests only: see docs/security.md."},
    {"auth", "access_ttl", OPTION_SECONDS, AT(access_ttl_s), "12h", 60,
     366 * 86400, false,
     "Life of an access token. The front end never refreshes: a working "
     "day."},
    {"auth", "refresh_ttl", OPTION_SECONDS, AT(refresh_ttl_s), "30d", 60,
     3650 * 86400, false, "Life of a refresh token; each is used once."},
    {"auth", "guesses", OPTION_INT, AT(guesses), "10", 1, 60000, false,
     "Wrong passwords a minute for one account from one network; beside it "
     "stands the zone `login` of nginx.conf."},

    {"organisation", "timezone", OPTION_TIMEZONE, AT(domain.utc_offset_s),
     "Asia/Jakarta", 0, 0, false,
     "Calendar of the donors' figures: when a day begins."},
    {"organisation", "vip_amount", OPTION_I64, AT(domain.vip_amount),
     "10000000", 1, 1000000 * MILLIARD, true,
     "Rupiah within twelve months that make a VIP donor."},
    {"organisation", "major_amount", OPTION_I64, AT(domain.major_amount),
     "10000000", 1, 1000000 * MILLIARD, true,
     "Rupiah from which a donor is a major one."},
    {"organisation", "mid_amount", OPTION_I64, AT(domain.mid_amount), "1000000",
     1, 1000000 * MILLIARD, true, "Rupiah from which a donor is a middle one."},
    {"organisation", "lapse_days", OPTION_INT, AT(domain.lapse_days), "395", 1,
     36500, true, "Days without a gift after which a donor has lapsed."},
    {"organisation", "welcome", OPTION_SWITCH, AT(domain.welcome), "on", 0, 0,
     true, "Greets who writes for the first time."},
    {"organisation", "welcome_text", OPTION_MESSAGE, AT(domain.welcome_text),
     "Halo {name}! 👋\\n\\nTerima kasih telah menghubungi kami. Tim kami akan "
     "segera membalas pesan Anda.",
     0, 0, true, "The greeting; `{name}` is the writer's, `\\n` a new line."},
    {"organisation", "welcome_per_minute", OPTION_INT,
     AT(domain.welcome_per_minute), "20", 0, 10000, true,
     "At most so many greetings a minute."},
    {"organisation", "stop_words", OPTION_TEXT, AT(domain.stop_words),
     "STOP, BERHENTI, UNSUBSCRIBE", 0, 0, true,
     "Who sends one of these words alone, in any case, is not written to any "
     "more."},
    {"organisation", "start_words", OPTION_TEXT, AT(domain.start_words),
     "START, MULAI", 0, 0, true, "Who sends one of these may be again."},
    {"organisation", "raw_retention", OPTION_DAYS,
     AT(domain.raw_retention_days), "30d", 0, 3650, true,
     "How long events are kept as they came, for replay; `0d`: not at all."},
    {"organisation", "default_gateway", OPTION_TEXT, AT(domain.default_account),
     NULL, 0, 0, false,
     "Gateway of the default session; without it, the first one below."},
    {"organisation", "default_session", OPTION_TEXT, AT(domain.default_session),
     NULL, 0, 0, false, "WhatsApp session used where none is named."},
    {"organisation", "default_everyone", OPTION_SWITCH,
     AT(domain.default_everyone), "on", 0, 0, false,
     "Every CS agent sees the default session."},

    {"media", "dir", OPTION_PATH, AT(domain.media_dir), "{state_dir}/media", 0,
     0, false,
     "Where files are kept, for nginx to read; the same as in nginx.conf."},
    {"media", "max_size", OPTION_SIZE, AT(domain.media_max), "16m", 1024,
     INT64_C(64) << 20, false,
     "Largest file. nginx's `client_max_body_size` allows a third more."},
    {"media", "types", OPTION_TEXT, AT(media_types),
     "jpeg png gif webp pdf mp3 ogg amr m4a mp4 3gp office text", 0, 0, false,
     "What files may be, by their bytes; `zip` is known, too."},
    {"media", "url_hosts", OPTION_TEXT, AT(domain.url_hosts), NULL, 0, 0, false,
     "Hosts that agents may send files from by `url`, as `host` or "
     "`host:port`; without it, none. A private address is connected to only "
     "if it stands here itself."},
    {"media", "url_http", OPTION_SWITCH, AT(domain.url_http), "off", 0, 0,
     false, "Also by `http://`."},
    {"media", "fetch_tries", OPTION_INT, AT(outbox.fetch_tries), "5", 1, 20,
     false, "Attempts to fetch a donor's file from the gateway."},
    {"media", "fetch_backoff", OPTION_SECONDS, AT(outbox.fetch_backoff_s),
     "10s", 1, 3600, false,
     "Wait before the second one; each next wait is four times as long."},

    {"outbox", "tries", OPTION_INT, AT(outbox.tries), "3", 1, 20, false,
     "Attempts to send a message before it has failed."},
    {"outbox", "backoff", OPTION_BACKOFF, AT(outbox), "10s 30s 60s", 0, 0,
     false, "Waits between them; the last one repeats. Up to eight."},
    {"outbox", "jitter", OPTION_SWITCH, AT(outbox.jitter), "on", 0, 0, false,
     "Spreads the waits by 20 %."},
    {"outbox", "per_minute", OPTION_INT, AT(outbox.per_minute), "30", 0, 100000,
     false, "Messages a minute and session; 0: no limit."},
    {"outbox", "gap", OPTION_MS, AT(outbox.gap_ms), "1s", 0, 600000, false,
     "Least time between two messages to one recipient."},
    {"outbox", "first_per_minute", OPTION_INT, AT(outbox.first_per_minute), "5",
     0, 100000, false,
     "First messages to new contacts a minute and session; 0: no limit."},
    {"outbox", "session_poll", OPTION_MS, AT(outbox.session_poll_ms), "60s", 0,
     3600000, false,
     "How often a gateway is asked whether a session is connected; what has "
     "fallen is connected again. 0s: never."},
    {"outbox", "max_inflight", OPTION_INT, AT(outbox.max_inflight), "32", 1,
     1024, false, "Calls to gateways at once."},
    {"outbox", "unknown_hold", OPTION_SECONDS, AT(outbox.unknown_hold_s),
     "120s", 1, 86400, false,
     "How long a message that may or may not have been sent holds up those "
     "behind it."},

    {"realtime", "app_key", OPTION_TEXT, AT(realtime.key), "wacrm", 0, 0, false,
     "Key of the Pusher protocol, which browsers have in their address; no "
     "secret."},
    {"realtime", "app_id", OPTION_TEXT, AT(realtime.app_id), "wacrm", 0, 0,
     false, "Id of the application in the addresses of backends (`/apps/`)."},
    {"realtime", "secret_file", OPTION_SECRET_FILE, AT(realtime.secret), NULL,
     0, 0, false,
     "File with the secret that backends share, at least 16 bytes. Without "
     "it, one that only wacrmd knows."},
    {"realtime", "public_inbox", OPTION_SWITCH, AT(realtime.public_inbox),
     "off", 0, 0, false,
     "Tells everything on the public channel `inbox`, too: whoever has the key "
     "reads donors' messages without signing in."},
    {"realtime", "event_prefix", OPTION_TEXT, AT(realtime.event_prefix),
     "App\\Events\\", 0, 0, false,
     "What the names of events begin with; Echo adds this one itself."},
    {"realtime", "origins", OPTION_TEXT, AT(realtime.origins), NULL, 0, 0,
     false,
     "Origins whose pages may connect, as `https://crm.example.org`, with "
     "blanks between them; `*`: any. Without it, the host that is called."},
    {"realtime", "max_connections", OPTION_INT, AT(realtime.max_connections),
     "10000", 1, 1000000, false,
     "Sockets at once; more are told to come later."},
    {"realtime", "max_channels", OPTION_INT, AT(realtime.max_channels), "100",
     1, 10000, false, "Subscriptions of one socket."},
    {"realtime", "max_members", OPTION_INT, AT(realtime.max_members), "100", 1,
     10000, false, "Users in one presence channel."},
    {"realtime", "max_message", OPTION_SIZE, AT(realtime.max_message), "10k",
     1024, 1 << 20, false,
     "Largest message of a client, and largest `data` of a backend's event."},
    {"realtime", "max_queue", OPTION_SIZE, AT(realtime.max_queue), "1m",
     64 << 10, INT64_C(1) << 30, false,
     "What may wait for one client. Who is slower is told to connect again and "
     "fetch what it missed."},
    {"realtime", "client_events", OPTION_INT, AT(realtime.client_events), "10",
     1, 1000, false, "Client events (typing) a second and socket."},
    {"realtime", "activity_timeout", OPTION_SECONDS,
     AT(realtime.activity_timeout_s), "30s", 5, 600, false,
     "Silence after which clients are told to ask whether anybody is there."},

    {"alarm", "url", OPTION_URL, AT(alarm.url), NULL, 0, 0, false,
     "Where to POST what needs a person (docs/operations.md); without it, "
     "nowhere."},
    {"alarm", "secret_file", OPTION_SECRET_FILE, AT(alarm.secret), NULL, 0, 0,
     false, "File with the secret that signs them; without it, unsigned."},
    {"alarm", "repeat", OPTION_SECONDS, AT(alarm.repeat_s), "1h", 1, 30 * 86400,
     false,
     "Each alarm is told at most so often while it lasts, and when it ends."},
    {"alarm", "session_down", OPTION_SECONDS, AT(alarm.session_down_s), "5m", 1,
     86400, false, "How long a WhatsApp number may be disconnected."},
    {"alarm", "outbox_age", OPTION_SECONDS, AT(alarm.outbox_age_s), "10m", 1,
     30 * 86400, false, "How long a message may wait to be sent."},
    {"alarm", "backup_age", OPTION_SECONDS, AT(alarm.backup_age_s), "2d", 0,
     365 * 86400, false,
     "How old the last good backup may be; `0s` where backups are made in "
     "another way than by wacrmctl."},
    {"alarm", "disk_free", OPTION_SIZE, AT(alarm.disk_free), "512m", 0,
     INT64_C(1) << 50, false, "What the disk of `state_dir` should have left."},

    {"gateway", "driver", OPTION_TEXT, GATEWAY(driver), "waapi", 0, 0, false,
     "Kind of the gateway."},
    {"gateway", "base_url", OPTION_URL, GATEWAY(base_url), NULL, 0, 0, false,
     "Where its API is; required."},
    {"gateway", "token", OPTION_TEXT, GATEWAY(token), NULL, 0, 0, false,
     "Bearer token of its API; rather by `token_file`."},
    {"gateway", "token_file", OPTION_SECRET_FILE, GATEWAY(token), NULL, 0, 0,
     false, "File with the bearer token."},
    {"gateway", "email", OPTION_TEXT, GATEWAY(email), NULL, 0, 0, false,
     "Account to sign in with, where there is no token."},
    {"gateway", "password", OPTION_TEXT, GATEWAY(password), NULL, 0, 0, false,
     "Its password; rather by `password_file`."},
    {"gateway", "password_file", OPTION_SECRET_FILE, GATEWAY(password), NULL, 0,
     0, false, "File with the password."},
    {"gateway", "timeout", OPTION_SECONDS, GATEWAY(timeout_s), "30s", 1, 300,
     false, "Longest time of a call."},
    {"gateway", "webhook_path", OPTION_PATH, GATEWAY(webhook_path),
     "/api/webhook/whatsapp", 0, 0, false,
     "Location of its webhook, below `public_url`."},
    {"gateway", "read_receipts", OPTION_SWITCH, GATEWAY(read_receipts), "on", 0,
     0, false, "Tells the gateway when an agent has read a chat."},
    {"gateway", "backfill", OPTION_SWITCH, GATEWAY(backfill), "on", 0, 0, false,
     "Fetches its history of chats and messages."},
    {"gateway", "backfill_gap", OPTION_MS, GATEWAY(backfill_gap_ms), "2s", 0,
     600000, false,
     "Least time between two calls for it: gateways count them, too."},
    {"gateway", "media", OPTION_TEXT, GATEWAY(media), "url", 0, 0, false,
     "How files go out: `url` (below `public_url`, without which it is "
     "`base64`) or `base64`."},
    {"gateway", "media_hosts", OPTION_TEXT, GATEWAY(media_hosts), NULL, 0, 0,
     false,
     "Hosts that donors' files are fetched from, as `host` or `host:port`; "
     "without it, that of `base_url`."},
};

const size_t config_noptions =
    sizeof(config_options) / sizeof(config_options[0]);

_Static_assert(sizeof(config_options) / sizeof(config_options[0]) <=
                   CONFIG_OPTIONS_MAX,
               "every option has a place");

const char *option_type_text(option_type_t type)
{
    static const char *const texts[] = {
        [OPTION_TEXT] = "text",
        [OPTION_MESSAGE] = "text",
        [OPTION_PATH] = "absolute path",
        [OPTION_SOCKET] = "absolute path, up to 107 bytes",
        [OPTION_URL] = "http:// or https:// URL",
        [OPTION_SECRET_FILE] = "absolute path",
        [OPTION_INT] = "number",
        [OPTION_I64] = "number",
        [OPTION_SIZE] = "size: 512m 4g",
        [OPTION_MS] = "duration: 500ms 2s",
        [OPTION_SECONDS] = "duration: 10s 5m 12h 30d",
        [OPTION_DAYS] = "number of days: 30d",
        [OPTION_SWITCH] = "on or off",
        [OPTION_LEVEL] = "error, warn, info or debug",
        [OPTION_TIMEZONE] =
            "Asia/Jakarta, Asia/Makassar, Asia/Jayapura or +07:00",
        [OPTION_BACKOFF] = "durations: 10s 30s 60s",
    };

    return texts[type];
}
