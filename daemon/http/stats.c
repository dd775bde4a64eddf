#include "http/stats.h"

#include "http/router.h"

static const int64_t bounds_us[STATS_BUCKETS] = {
    100,   250,   500,    1000,   2500,    5000,
    10000, 25000, 100000, 250000, 1000000, 5000000};

void stats_count(stats_t *s, long route, int status, int64_t us)
{
    size_t row =
        route < 0 || route >= STATS_ROUTES_MAX ? STATS_ROUTES_MAX : route;
    size_t hundreds = status >= 100 && status < 600 ? status / 100 : 5;
    size_t b = 0;
    while (b < STATS_BUCKETS && us > bounds_us[b]) {
        b++;
    }
    atomic_fetch_add_explicit(&s->answers[row][hundreds], 1,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&s->buckets[b], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->sum_us, us, memory_order_relaxed);
}

static void write_answers(const stats_t *s, buf_t *out)
{
    buf_adds(out,
             "# HELP wacrm_http_requests_total Requests by route and status.\n"
             "# TYPE wacrm_http_requests_total counter\n");
    for (size_t i = 0; i <= STATS_ROUTES_MAX; i++) {
        bool none = i == STATS_ROUTES_MAX;
        if (!none && i >= http_nroutes) {
            continue;
        }
        for (int hundreds = 1; hundreds < 6; hundreds++) {
            int64_t n = s->answers[i][hundreds];
            if (n > 0) {
                buf_addf(out,
                         "wacrm_http_requests_total{method=\"%s\","
                         "route=\"%s\",status=\"%dxx\"} %lld\n",
                         none ? "" : http_routes[i].method,
                         none ? "" : http_routes[i].pattern, hundreds,
                         (long long)n);
            }
        }
    }
}

void stats_write(const stats_t *s, buf_t *out)
{
    int64_t total = 0;
    write_answers(s, out);
    buf_adds(out, "# HELP wacrm_http_request_seconds Time from the head of a "
                  "request to its answer.\n"
                  "# TYPE wacrm_http_request_seconds histogram\n");
    for (size_t i = 0; i < STATS_BUCKETS; i++) {
        total += s->buckets[i];
        buf_addf(out, "wacrm_http_request_seconds_bucket{le=\"%g\"} %lld\n",
                 (double)bounds_us[i] / 1e6, (long long)total);
    }
    total += s->buckets[STATS_BUCKETS];
    buf_addf(out,
             "wacrm_http_request_seconds_bucket{le=\"+Inf\"} %lld\n"
             "wacrm_http_request_seconds_sum %.6f\n"
             "wacrm_http_request_seconds_count %lld\n",
             (long long)total, (double)s->sum_us / 1e6, (long long)total);
    buf_addf(
        out,
        "# HELP wacrm_http_refused_total Requests refused before their route.\n"
        "# TYPE wacrm_http_refused_total counter\n"
        "wacrm_http_refused_total{what=\"peer\"} %lld\n"
        "wacrm_http_refused_total{what=\"identity\"} %lld\n"
        "wacrm_http_refused_total{what=\"queue\"} %lld\n",
        (long long)s->refused_peers, (long long)s->refused_identities,
        (long long)s->queue_full);
}
