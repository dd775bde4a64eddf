/* http: the socket of a real server: starting, remains, peers. */
#include "http_group.h"

#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void test_start_fails(void **state)
{
    char path[300];
    http_server_t *s = NULL;
    http_options_t o = web.options;
    (void)state;
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    o.socket_path = path;
    assert_int_equal(http_start(&s, &o), WERR_IO);
    assert_null(s);
    o.socket_path = "/nowhere/at/all";
    assert_int_equal(http_start(&s, &o), WERR_IO);
    assert_null(s);
    o = web.options;
    o.jwt_secret_len = 31;
    assert_int_equal(http_start(&s, &o), WERR_INVALID);
    http_stop(&s, 0);
}

/* What a crash leaves behind is in nobody's way. */
static void test_stale_socket(void **state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)state;
    http_stop(&web.server, 1000);
    assert_int_not_equal(access(web.socket, F_OK), 0);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%.100s", web.socket);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    close(fd);
    assert_int_equal(access(web.socket, F_OK), 0);
    web_start(&web);
    assert_int_equal(web_status(&web, "GET", "/api/health", 0, "", NULL), 200);
}

/* One request by a process of that user and group: its status, 0 if cut
 * off, 99 if it could not even try. */
static int status_as(uid_t uid, gid_t gid)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        answer_t a = {0};
        if (setgroups(0, NULL) != 0 || setgid(gid) != 0 || setuid(uid) != 0) {
            _exit(99);
        }
        int fd = web_try_connect(&web);
        if (fd < 0) {
            _exit(99);
        }
        if (web_request(fd, "GET", "/api/health", 0, "", NULL, 0)) {
            web_read(fd, false, &a);
        }
        _exit(a.status == 200 ? 20 : a.status == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* A stranger's process, let through by the file's mode, is cut off. */
static void test_peers(void **state)
{
    struct stat st;
    (void)state;
    assert_int_equal(stat(web.socket, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(chmod(web.crm.dir, 0755), 0);
    assert_int_equal(chmod(web.socket, 0666), 0);
    assert_int_equal(status_as(65534, 65534), 0);
    assert_int_equal(status_as(65534, 65534), 0); /* remembered */
    assert_int_equal(status_as(65534, st.st_gid), 20);
    assert_int_equal(status_as(0, 65534), 20);
    assert_int_equal(web_status(&web, "GET", "/api/health", 0, "", NULL), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_fails),
        cmocka_unit_test(test_stale_socket),
        cmocka_unit_test(test_peers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
