/*
 * Why no update is lost, and no key gets two slots at once: a slot is one
 * 128-bit word, so a charge and a take-over of the same slot exclude each
 * other. The slot to take over is the one of the least TAT (empty: 0; a tie:
 * the lowest place), whatever the time is. The TAT of a slot never goes back
 * as long as only expired slots are taken over and no reload has changed the
 * rate, hence two processes that both miss the same key choose the same slot,
 * or one finds that its choice has changed and looks again.
 */
#include "edge/gcra.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

#define GCRA_MAGIC    0x3161726367637277ull /* "wrcgcra1" */
#define GCRA_MAX      1000000u
#define GCRA_SETS_MAX UINT32_MAX
#define US_PER_S      1000000ull

typedef unsigned __int128 gcra_pair_t;

typedef union {
    gcra_pair_t pair;
    struct {
        _Atomic uint64_t hash; /* 0: empty */
        _Atomic uint64_t tat;
    };
} gcra_slot_t;

typedef struct {
    gcra_slot_t ways[GCRA_WAYS];
} gcra_set_t;

struct gcra_table_s {
    _Alignas(64) _Atomic uint64_t magic;
    uint64_t nsets;
    uint64_t seed[2];
    _Alignas(64) gcra_set_t sets[];
};

_Static_assert(sizeof(gcra_slot_t) == 16, "a slot is two words");
_Static_assert(sizeof(struct gcra_table_s) == 64, "sets are cache lines");

/* ---- the rate ---- */

bool gcra_rate_parse(const char *text, size_t len, uint32_t burst,
                     gcra_rate_t *rate)
{
    uint32_t quota = 0;
    uint32_t window;
    size_t i = 0;

    while (i < len && text[i] >= '0' && text[i] <= '9') {
        quota = quota * 10 + (uint32_t)(text[i] - '0');
        if (quota > GCRA_MAX) {
            return false;
        }
        i++;
    }
    if (quota == 0 || burst > GCRA_MAX || len - i != 3 || text[i] != 'r' ||
        text[i + 1] != '/') {
        return false;
    }
    switch (text[i + 2]) {
    case 's':
        window = 1;
        break;
    case 'm':
        window = 60;
        break;
    case 'h':
        window = 3600;
        break;
    default:
        return false;
    }
    rate->interval_us = window * US_PER_S / quota;
    rate->burst = burst == 0 ? quota : burst;
    rate->quota = quota;
    rate->window_s = window;
    return true;
}

/* ---- the table ---- */

size_t gcra_table_size(size_t n)
{
    size_t nsets = n / GCRA_WAYS + (n % GCRA_WAYS != 0 || n == 0);

    if (nsets > GCRA_SETS_MAX ||
        nsets > (SIZE_MAX - sizeof(gcra_table_t)) / sizeof(gcra_set_t)) {
        return 0;
    }
    return sizeof(gcra_table_t) + nsets * sizeof(gcra_set_t);
}

static size_t gcra_nsets(size_t size)
{
    size_t nsets;

    if (size < sizeof(gcra_table_t)) {
        return 0;
    }
    nsets = (size - sizeof(gcra_table_t)) / sizeof(gcra_set_t);
    return nsets > GCRA_SETS_MAX ? GCRA_SETS_MAX : nsets;
}

size_t gcra_table_capacity(size_t size)
{
    return gcra_nsets(size) * GCRA_WAYS;
}

static bool gcra_usable(const void *memory, size_t size)
{
    return memory != NULL && (uintptr_t)memory % 64 == 0 &&
           gcra_nsets(size) > 0;
}

gcra_table_t *gcra_table_init(void *memory, size_t size)
{
    gcra_table_t *table = memory;

    if (!gcra_usable(memory, size)) {
        return NULL;
    }
    table->nsets = gcra_nsets(size);
    if (getrandom(table->seed, sizeof(table->seed), 0) !=
        (ssize_t)sizeof(table->seed)) {
        return NULL;
    }
    atomic_store(&table->magic, GCRA_MAGIC);
    return table;
}

gcra_table_t *gcra_table_attach(void *memory, size_t size)
{
    gcra_table_t *table = memory;

    if (!gcra_usable(memory, size) ||
        atomic_load(&table->magic) != GCRA_MAGIC ||
        table->nsets != gcra_nsets(size)) {
        return NULL;
    }
    return table;
}

size_t gcra_table_used(const gcra_table_t *table, uint64_t now_us)
{
    const gcra_slot_t *slot;
    size_t i, n = 0;

    for (i = 0; i < table->nsets * GCRA_WAYS; i++) {
        slot = &table->sets[i / GCRA_WAYS].ways[i % GCRA_WAYS];
        if (atomic_load_explicit(&slot->tat, memory_order_relaxed) > now_us) {
            n++;
        }
    }
    return n;
}

/* ---- the hash: SipHash-1-3, so that nobody outside can aim at a set ---- */

static inline uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static inline void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

static uint64_t sip_hash(const uint64_t seed[2], const void *key, size_t len)
{
    const unsigned char *p = key;
    uint64_t v[4] = {
        seed[0] ^ 0x736f6d6570736575ull, seed[1] ^ 0x646f72616e646f6dull,
        seed[0] ^ 0x6c7967656e657261ull, seed[1] ^ 0x7465646279746573ull};
    uint64_t last = (uint64_t)len << 56;
    uint64_t word;
    size_t i;

    for (i = 0; i + 8 <= len; i += 8) {
        memcpy(&word, p + i, 8);
        sip_word(v, word);
    }
    for (; i < len; i++) {
        last |= (uint64_t)p[i] << 8 * (i % 8);
    }
    sip_word(v, last);
    v[2] ^= 0xff;
    for (i = 0; i < 3; i++) {
        sip_round(v);
    }
    word = v[0] ^ v[1] ^ v[2] ^ v[3];
    return word == 0 ? 1 : word;
}

/* ---- one request ---- */

typedef struct {
    uint64_t hash;
    uint64_t tat;
} gcra_value_t;

/*
 * Both words at once, by the processor itself: the C11 form calls a library
 * whose locks other processes do not see.
 */
#if defined(__x86_64__)

static bool gcra_swap(gcra_slot_t *slot, gcra_value_t from, gcra_value_t to)
{
    bool done;

    __asm__ __volatile__("lock cmpxchg16b %1"
                         : "=@ccz"(done), "+m"(slot->pair), "+a"(from.hash),
                           "+d"(from.tat)
                         : "b"(to.hash), "c"(to.tat)
                         : "memory");
    return done;
}

#else

static gcra_pair_t gcra_pack(gcra_value_t value)
{
    gcra_slot_t slot;

    atomic_init(&slot.hash, value.hash);
    atomic_init(&slot.tat, value.tat);
    return slot.pair;
}

static bool gcra_swap(gcra_slot_t *slot, gcra_value_t from, gcra_value_t to)
{
    return __sync_bool_compare_and_swap(&slot->pair, gcra_pack(from),
                                        gcra_pack(to));
}

#endif

/* Both words as they were at one time; false if they just changed. */
static bool gcra_read(gcra_slot_t *slot, gcra_value_t *value)
{
    value->hash = atomic_load(&slot->hash);
    value->tat = atomic_load(&slot->tat);
    return atomic_load(&slot->hash) == value->hash;
}

/* The slot of hash, or the one to take over for it. */
static gcra_slot_t *gcra_find(gcra_set_t *set, uint64_t hash,
                              gcra_value_t *value)
{
    gcra_slot_t *least;
    gcra_value_t seen;
    unsigned i;

again:
    least = NULL;
    for (i = 0; i < GCRA_WAYS; i++) {
        if (!gcra_read(&set->ways[i], &seen)) {
            goto again;
        }
        if (seen.hash == hash) {
            *value = seen;
            return &set->ways[i];
        }
        if (least == NULL || seen.tat < value->tat) {
            least = &set->ways[i];
            *value = seen;
        }
    }
    return least;
}

static uint32_t ceil_s(uint64_t us)
{
    uint64_t s = us / US_PER_S + (us % US_PER_S != 0);

    return s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

/* What to say about a key whose TAT is `ahead` of now. */
static void gcra_describe(gcra_result_t *result, const gcra_rate_t *rate,
                          uint64_t ahead)
{
    uint64_t full = rate->interval_us * rate->burst;
    uint64_t tolerance = full - rate->interval_us;

    result->limit = rate->burst;
    result->remaining = (uint32_t)((full - ahead) / rate->interval_us);
    result->reset = ceil_s(ahead);
    if (!result->allowed) {
        result->retry_after = ceil_s(ahead - tolerance);
    }
}

/*
 * The slot of hash and its TAT, now if that is past. A reload may have changed
 * the rate (or a clock was set back): what is owed is a whole burst at most,
 * and is cut down to that, else the key would be refused for longer than said.
 */
static gcra_slot_t *gcra_due(gcra_set_t *set, const gcra_rate_t *rate,
                             uint64_t hash, uint64_t now_us,
                             gcra_value_t *value, uint64_t *tat)
{
    uint64_t full = rate->interval_us * rate->burst;
    gcra_value_t most = {hash, now_us + full};
    gcra_slot_t *slot;

    for (;;) {
        slot = gcra_find(set, hash, value);
        if (value->hash != hash || value->tat <= now_us) {
            *tat = now_us;
            return slot;
        }
        *tat = value->tat;
        if (*tat - now_us <= full) {
            return slot;
        }
        (void)gcra_swap(slot, *value, most);
    }
}

gcra_result_t gcra_table_take(gcra_table_t *table, const gcra_rate_t *rate,
                              const void *key, size_t key_len, uint64_t now_us,
                              bool commit)
{
    uint64_t hash = sip_hash(table->seed, key, key_len);
    gcra_set_t *set = &table->sets[((hash >> 32) * table->nsets) >> 32];
    uint64_t tolerance = rate->interval_us * (rate->burst - 1);
    gcra_result_t result = {0};
    gcra_slot_t *slot;
    gcra_value_t from;
    gcra_value_t to;
    uint64_t tat;

    do {
        slot = gcra_due(set, rate, hash, now_us, &from, &tat);
        result.allowed = tat - now_us <= tolerance;
        if (!result.allowed || !commit) {
            gcra_describe(&result, rate, tat - now_us);
            return result;
        }
        to.hash = hash;
        to.tat = tat + rate->interval_us;
    } while (!gcra_swap(slot, from, to));

    gcra_describe(&result, rate, to.tat - now_us);
    return result;
}
