/* What wacrmd makes on a file system that refuses some of it: exports and
 * backups on NFS, a state directory below a sandbox. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "control/command.h"
#include "control/lock.h"
#include "domain_fixture.h"

/* ---- before libc's: what the kernel would say ---- */

static int rename_errno;         /* 0: all is well */
static const char *rename_rival; /* what somebody makes just before */
static int chmod_errno;

static void make_rival(void)
{
    int fd;

    if (rename_rival == NULL) {
        return;
    }
    fd = open(rename_rival, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "theirs", 6), 6);
    assert_int_equal(close(fd), 0);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to,
              unsigned flags)
{
    make_rival();
    if (rename_errno != 0 && flags != 0) {
        errno = rename_errno;
        return -1;
    }
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int chmod(const char *file, mode_t mode)
{
    if (chmod_errno != 0) {
        errno = chmod_errno;
        return -1;
    }
    return fchmodat(AT_FDCWD, file, mode, 0);
}

static int begin(void **state)
{
    rename_errno = chmod_errno = 0;
    rename_rival = NULL;
    return fixture_setup(state);
}

/* ---- export and backup ---- */

typedef struct {
    char file[200], part[206];
} target_t;

static target_t target(const fixture_t *f, const char *name)
{
    target_t t;

    (void)snprintf(t.file, sizeof(t.file), "%s/%s", f->dir, name);
    (void)snprintf(t.part, sizeof(t.part), "%s.part", t.file);
    return t;
}

static void forget_answer(void *arg, const char *json, size_t len)
{
    (void)arg;
    (void)json;
    (void)len;
}

/* Its error is in `error`. */
static bool ask_for(fixture_t *f, const char *command, const char *file,
                    char error[COMMAND_ERROR_MAX])
{
    command_t c = {.domain = &f->d, .db = f->db, .emit = forget_answer};
    json_t *request = json_pack("{s:s, s:s}", "command", command, "file", file);
    bool ok;

    assert_non_null(request);
    ok = command_run(&c, request);
    json_decref(request);
    (void)snprintf(error, COMMAND_ERROR_MAX, "%s", c.error);
    return ok;
}

static const char *const files[] = {"export donors", "export donations",
                                    "backup"};
#define NFILES (sizeof(files) / sizeof(files[0]))

static void where_no_rename_can_refuse(void **state)
{
    static const int says[] = {EINVAL, ENOSYS};
    char error[COMMAND_ERROR_MAX];
    fixture_t *f = *state;

    for (size_t i = 0; i < NFILES; i++) {
        for (size_t k = 0; k < sizeof(says) / sizeof(says[0]); k++) {
            char name[20];
            struct stat st;
            target_t t;

            (void)snprintf(name, sizeof(name), "out.%zu.%zu", i, k);
            t = target(f, name);
            rename_errno = says[k];
            if (!ask_for(f, files[i], t.file, error)) {
                fail_msg("%s: %s", files[i], error);
            }
            assert_int_equal(stat(t.file, &st), 0);
            assert_true(st.st_size > 0);
            assert_int_equal(st.st_nlink, 1);
            assert_int_equal(st.st_mode & 0777, 0600);
            assert_int_equal(access(t.part, F_OK), -1);
        }
    }
}

/* By either way, what came to be there meanwhile stays. */
static void where_somebody_was_faster(void **state)
{
    static const int says[] = {0, EINVAL};
    char error[COMMAND_ERROR_MAX];
    fixture_t *f = *state;

    for (size_t i = 0; i < NFILES; i++) {
        for (size_t k = 0; k < sizeof(says) / sizeof(says[0]); k++) {
            target_t t = target(f, "theirs");
            struct stat st;

            rename_errno = says[k];
            rename_rival = t.file;
            assert_false(ask_for(f, files[i], t.file, error));
            if (strstr(error, "is there already: choose a new name") == NULL) {
                fail_msg("%s: %s", files[i], error);
            }
            assert_int_equal(stat(t.file, &st), 0);
            assert_int_equal(st.st_size, 6);
            assert_int_equal(access(t.part, F_OK), -1);
            assert_int_equal(unlink(t.file), 0);
        }
    }
}

static void what_else_it_says(void **state)
{
    char error[COMMAND_ERROR_MAX];
    fixture_t *f = *state;

    for (size_t i = 0; i < NFILES; i++) {
        target_t t = target(f, "none");

        rename_errno = EDQUOT;
        assert_false(ask_for(f, files[i], t.file, error));
        if (strcmp(files[i], "backup") != 0 &&
            strstr(error, strerrordesc_np(EDQUOT)) == NULL) {
            fail_msg("%s: %s", files[i], error);
        }
        assert_int_equal(access(t.file, F_OK), -1);
        assert_int_equal(access(t.part, F_OK), -1);
    }
}

/* ---- the state directory ---- */

static void a_mode_that_is_refused(void **state)
{
    fixture_t *f = *state;
    target_t t = target(f, "state");
    char error[400] = "";
    struct stat st;
    int lock = -1;

    for (int i = 0; i < 2; i++) { /* the second start is no better */
        chmod_errno = EPERM;
        assert_int_equal(state_lock(t.file, &lock, error, sizeof(error)),
                         WERR_IO);
        assert_non_null(strstr(error, strerrordesc_np(EPERM)));
        assert_int_equal(access(t.file, F_OK), -1);
    }
    chmod_errno = 0;
    assert_int_equal(state_lock(t.file, &lock, error, sizeof(error)), WERR_OK);
    assert_int_equal(stat(t.file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 02770);
    state_unlock(&lock);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(where_no_rename_can_refuse),
        T(where_somebody_was_faster),
        T(what_else_it_says),
        T(a_mode_that_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
