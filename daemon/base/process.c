#include "base/process.h"

#include <dirent.h>
#include <stdio.h>

int64_t process_memory(void)
{
    FILE *f = fopen("/proc/self/status", "re");
    int64_t kb = 0;
    char line[256];
    int told = 0;

    if (!f) {
        return -1;
    }
    while (fgets(line, sizeof(line), f)) {
        long long n;

        if (sscanf(line, "RssAnon: %lld kB", &n) == 1 ||
            sscanf(line, "RssShmem: %lld kB", &n) == 1) {
            kb += n;
            told++;
        }
    }
    (void)fclose(f);
    return told == 2 ? kb * 1024 : -1;
}

int64_t process_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int64_t n = 0;

    if (!dir) {
        return -1;
    }
    while (readdir(dir)) {
        n++;
    }
    (void)closedir(dir);
    return n - 3; /* the two dots, and this directory itself */
}
