/*
 * requests.c - a pool of signed webhook requests for wrk: N whole HTTP
 * requests of one length each, distinct message ids, 600-byte bodies.
 *
 * usage: requests N PATH SECRET > FILE; prints the length of one on stderr.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define BODY_LEN 600

static const char text[] =
    "Assalamualaikum, saya ingin menyalurkan infak untuk program beasiswa "
    "yatim bulan ini. Mohon info nomor rekening dan apakah bisa lewat QRIS? "
    "Terima kasih banyak, semoga berkah untuk semua tim di yayasan. ";

static int write_one(unsigned i, const char *path, const char *secret)
{
    char body[BODY_LEN + 1], hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int n;

    n = snprintf(
        body, sizeof(body),
        "{\"event\":\"message.received\",\"data\":{\"from\":\"62812%07u\""
        ",\"pushName\":\"Donatur %07u\",\"type\":\"text\",\"id\":"
        "\"3EB0%016X\",\"timestamp\":1760000000,\"message\":\"",
        i % 10000, i % 10000, i);
    if (n < 0 || n > BODY_LEN - 3) {
        return -1;
    }
    for (size_t at = (size_t)n; at < BODY_LEN - 3; at++) {
        body[at] = text[(at + i) % (sizeof(text) - 1)];
    }
    memcpy(body + BODY_LEN - 3, "\"}}", 4);
    if (HMAC(EVP_sha256(), secret, (int)strlen(secret),
             (const unsigned char *)body, BODY_LEN, mac, &len) == NULL) {
        return -1;
    }
    for (unsigned j = 0; j < len; j++) {
        (void)snprintf(hex + 2 * j, 3, "%02x", mac[j]);
    }
    return printf("POST %s HTTP/1.1\r\nHost: bench\r\n"
                  "Content-Type: application/json\r\n"
                  "X-Webhook-Signature: %s\r\nContent-Length: %d\r\n\r\n%s",
                  path, hex, BODY_LEN, body);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: requests N PATH SECRET > FILE\n");
        return 1;
    }

    unsigned n = (unsigned)strtoul(argv[1], NULL, 10);
    int len = 0;

    for (unsigned i = 0; i < n; i++) {
        len = write_one(i, argv[2], argv[3]);
        if (len < 0) {
            fprintf(stderr, "requests: cannot write\n");
            return 1;
        }
    }
    fprintf(stderr, "%d\n", len);
    return fflush(stdout) == 0 ? 0 : 1;
}
