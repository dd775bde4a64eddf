/*
 * fuzz_import.c - bytes as a CSV file of donors: a dry run tells what then
 * happens, and the same file again changes nothing.
 */
#include <stdint.h>

#include "domain.h"
#include "domain/donor_import.h"
#include "through.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_bad(void *ctx, int64_t row, const char *reason)
{
    int64_t *count = ctx;

    /* row 1: the names themselves are broken */
    if (row < 1 || reason == NULL || reason[0] == '\0') {
        abort();
    }
    (*count)++;
}

static int run(const uint8_t *data, size_t size, bool dry, donor_import_t *out)
{
    FILE *in = fmemopen((void *)(uintptr_t)data, size, "rb");
    int64_t bad = 0;
    donor_import_options_t o = {.dry_run = dry, .bad = on_bad, .ctx = &bad};
    int rc;

    if (in == NULL) {
        abort();
    }
    memset(out, 0, sizeof(*out));
    rc = donor_import(fuzz_domain(), in, &o, out);
    fclose(in);
    if (rc != WERR_OK && rc != WERR_INVALID) {
        abort();
    }
    if (rc == WERR_OK && (bad != out->bad || out->bad > out->rows ||
                          out->contacts + out->bad > out->rows ||
                          out->gifts + out->known + out->bad > out->rows)) {
        abort();
    }
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    donor_import_t dry, real, again;

    if (size == 0) {
        return 0;
    }
    int rc = run(data, size, true, &dry);
    if (run(data, size, false, &real) != rc) {
        abort();
    }
    if (rc != WERR_OK) {
        return 0;
    }
    if (memcmp(&dry, &real, sizeof(dry)) != 0) {
        abort();
    }
    if (real.gifts > 0) {
        fuzz_through();
    }
    (void)run(data, size, false, &again);
    if (again.contacts != 0 || again.gifts != 0 || again.bad != real.bad ||
        again.known != real.known + real.gifts) {
        abort();
    }
    return 0;
}
