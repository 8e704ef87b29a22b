/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/shares.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/fdutil.h"
#include "lib/spawn.h"

#define QEMUS_OWN "/usr/lib/qemu/virtiofsd" /* up to QEMU 7.2: written in C, and for root only */

/* PATH has it nowhere: it is no command for people. */
static const char *find_daemon(void) {
    static const char *const places[] = {"/usr/libexec/virtiofsd", QEMUS_OWN};

    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return "virtiofsd";
}

/* Listening before the daemon is there: QEMU need not wait for it. */
static int listen_at(const char *path, struct err *e) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return err_errno(e, -ENAMETOOLONG, "could not listen on %s", path);
    memcpy(address.sun_path, path, strlen(path));
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
        return err_errno(e, -errno, "could not listen on %s", path);
    return steal_fd(&fd);
}

/* For a list of -o: a comma ends a value there. malloc'd; NULL: no memory. */
static char *quoted_source(const char *dir) {
    AUTO_BUF struct buf text = BUF_INIT;
    int r = buf_puts(&text, "source=");

    for (; *dir && !r; dir++)
        r = buf_printf(&text, "%s%c", strchr(",\\", *dir) ? "\\" : "", *dir);
    return r < 0 ? NULL : steal_ptr(&text.data);
}

static int start_daemon(struct shares *s, struct run_share *share, struct err *e) {
    AUTO_FREE char *whole = realpath(share->dir, NULL), *source = NULL, *number = NULL;
    struct spawn sp = SPAWN_INIT;
    struct stat st;

    if (!whole || stat(whole, &st) < 0)
        return err_errno(e, -errno, "could not share %s", share->dir);
    if (!S_ISDIR(st.st_mode))
        return err_errno(e, -ENOTDIR, "could not share %s", share->dir);
    const char *daemon = find_daemon();
    if (geteuid() != 0 && !strcmp(daemon, QEMUS_OWN))
        return err_set(e, -EPERM, "could not share %s: %s has to be started by root", share->dir, daemon);
    AUTO_CLOSE int fd = listen_at(share->socket, e);
    if (fd < 0)
        return fd;
    source = quoted_source(whole);
    if (!source || asprintf(&number, "--fd=%d", fd) < 0)
        return err_errno(e, -ENOMEM, "could not share %s", share->dir);
    sp.argv = (const char *const[]){daemon, number, "-o", source, NULL};
    sp.stdout_fd = STDERR_FILENO;
    sp.keep_fds = &fd;
    sp.keep_fds_len = 1;
    sp.setsid = true;
    sp.die_with_us = true;
    int r = spawn(&sp, &s->pids[s->len], NULL, e);
    if (r < 0)
        return r != -ENOENT ? err_wrap(e, r, "could not share %s", share->dir)
                            : err_set(e, r,
                                      "could not share %s: there is no virtiofsd: install the Debian package "
                                      "qemu-system-common, or virtiofsd where it is one of its own",
                                      share->dir);
    s->len++;
    return 0;
}

int shares_start(struct shares *s, struct run_options *o, struct err *e) {
    int r = o->shares_len ? temp_dir_make(&s->dir, NULL, "keelson-run.", e) : 0;

    for (size_t i = 0; i < o->shares_len && !r; i++) {
        if (snprintf(o->shares[i].socket, RUN_PATH_MAX, "%s/%zu", s->dir.path, i) >= RUN_PATH_MAX)
            r = err_errno(e, -ENAMETOOLONG, "could not share %s", o->shares[i].dir);
        else
            r = start_daemon(s, &o->shares[i], e);
    }
    return r;
}

/* They end with QEMU, too; one that has not been asked anything yet waits for it for ever. */
void shares_stop(struct shares *s) {
    for (size_t i = 0; i < s->len; i++) {
        (void)kill(s->pids[i], SIGKILL);
        (void)waitpid(s->pids[i], NULL, 0);
    }
    s->len = 0;
    temp_dir_remove(&s->dir);
}
