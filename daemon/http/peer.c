#include "http/peer.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define KNOWN_MS   60000
#define GROUPS_MAX 128

void peers_init(peers_t *p, gid_t socket_group)
{
    memset(p, 0, sizeof(*p));
    p->groups[0] = socket_group;
    p->groups[1] = getegid();
}

static bool is_ours(const peers_t *p, gid_t gid)
{
    return gid == p->groups[0] || gid == p->groups[1];
}

/* ucred tells the primary group only: the others are looked up by name. */
static bool is_member(const peers_t *p, uid_t uid, gid_t gid)
{
    struct passwd pw, *found = NULL;
    char text[4096];
    gid_t groups[GROUPS_MAX];
    int n = GROUPS_MAX;
    if (getpwuid_r(uid, &pw, text, sizeof(text), &found) != 0 ||
        found == NULL || getgrouplist(pw.pw_name, gid, groups, &n) < 0) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        if (is_ours(p, groups[i])) {
            return true;
        }
    }
    return false;
}

static bool judge(peers_t *p, uid_t uid, gid_t gid)
{
    int64_t now = clock_mono_ms();
    for (size_t i = 0; i < PEER_CACHE; i++) {
        if (p->known[i].uid == uid && p->known[i].gid == gid &&
            p->known[i].until > now) {
            return p->known[i].allowed;
        }
    }
    bool allowed = is_member(p, uid, gid);
    size_t i = p->next++ % PEER_CACHE;
    p->known[i].uid = uid;
    p->known[i].gid = gid;
    p->known[i].allowed = allowed;
    p->known[i].until = now + KNOWN_MS;
    return allowed;
}

bool peers_allow(peers_t *p, int fd)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0) {
        log_warn("http", "msg=\"peer unknown\"");
        return false;
    }
    if (cred.uid == 0 || cred.uid == geteuid() || is_ours(p, cred.gid) ||
        judge(p, cred.uid, cred.gid)) {
        return true;
    }
    log_warn("http", "msg=\"peer refused\" uid=%u gid=%u pid=%d",
             (unsigned)cred.uid, (unsigned)cred.gid, (int)cred.pid);
    return false;
}
