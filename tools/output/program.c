/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "lib/spawn.h"

#define SAID_MAX ((size_t)64 << 10)

/* A normal user's PATH lacks what mkfs.vfat and sfdisk are in. */
static int search_path(char **out) {
    const char *path = getenv("PATH");

    return asprintf(out, "%s:/usr/sbin:/sbin", path && *path ? path : "/usr/bin:/bin") < 0 ? -ENOMEM : 0;
}

/* malloc'd; NULL: it is in none of them. */
static char *find_program(const char *name) {
    AUTO_FREE char *path = NULL;

    if (search_path(&path) < 0)
        return NULL;
    for (char *rest = path, *dir; (dir = strsep(&rest, ":"));) {
        AUTO_FREE char *full = path_join(*dir ? dir : ".", name);
        if (full && access(full, X_OK) == 0)
            return steal_ptr(&full);
    }
    return NULL;
}

int need_check(const struct need *n, struct err *e) {
    bool file = strchr(n->name, '/') != NULL;
    AUTO_FREE char *program = file ? NULL : find_program(n->name);

    if (file ? access(n->name, R_OK) == 0 : program != NULL)
        return 0;
    return err_set(e, -ENOENT, "could not find %s: install the Debian package %s", n->name, n->package);
}

static int memory_file(const char *text) {
    AUTO_CLOSE int fd = memfd_create("keelson", MFD_CLOEXEC);

    if (fd < 0 || (text && (write_full(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0)))
        return -1;
    return steal_fd(&fd);
}

/* The last line that is not empty. */
static const char *last_line(int fd, struct buf *said) {
    const char *last = "";

    if (lseek(fd, 0, SEEK_SET) < 0)
        return last;
    char *room = buf_reserve(said, SAID_MAX);
    ssize_t n = room ? read_full(fd, room, SAID_MAX) : -1;
    if (n <= 0)
        return last;
    buf_commit(said, (size_t)n);
    for (char *line, *pos = said->data; (line = next_line(&pos));)
        if (line[strspn(line, " \t\r")])
            last = line;
    return last;
}

/* Starts it with the environment that program.h promises. */
static int start(const char *const *argv, int in, int out, int said, pid_t *pid, struct err *e) {
    const char *tmp = getenv("TMPDIR"), *home = getenv("HOME");
    AUTO_FREE char *path = NULL, *path_word = NULL, *epoch = NULL, *tmp_word = NULL, *home_word = NULL;

    if (search_path(&path) < 0 || asprintf(&path_word, "PATH=%s", path) < 0 ||
        asprintf(&epoch, "SOURCE_DATE_EPOCH=%d", IMAGE_TIME) < 0 ||
        asprintf(&tmp_word, "TMPDIR=%s", tmp && *tmp ? tmp : "/tmp") < 0 ||
        asprintf(&home_word, "HOME=%s", home ? home : "/") < 0)
        return err_errno(e, -ENOMEM, "could not start %s", argv[0]);
    const char *const envp[] = {
        path_word, epoch, tmp_word, home_word, "TZ=UTC0", "LC_ALL=C.UTF-8", "MTOOLSRC=/dev/null", "MTOOLS_SKIP_CHECK=1",
        NULL};
    AUTO_FREE char *program = find_program(argv[0]);
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.program = program;
    s.envp = envp;
    s.stdin_fd = in;
    s.stdout_fd = out;
    s.stderr_fd = said;
    s.die_with_us = true;
    return spawn(&s, pid, NULL, e);
}

/* Waits for its end; what it said last is shown if it failed. */
static int finish(pid_t pid, const char *name, int said_fd, struct err *e) {
    AUTO_BUF struct buf said = BUF_INIT;
    char reason[64];
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(e, -errno, "could not wait for %s", name);
    if (status == 0)
        return 0;
    const char *line = last_line(said_fd, &said);
    return err_set(e, -EIO, "%s %s%s%s", name, exit_reason(status, reason, sizeof(reason)), *line ? ": " : "", line);
}

int program_run_on(const char *const *argv, int in, int out, struct err *e) {
    AUTO_CLOSE int said = memory_file(NULL);
    pid_t pid;
    int r = said < 0 ? err_errno(e, -errno, "could not start %s", argv[0]) : start(argv, in, out, said, &pid, e);

    return r < 0 ? r : finish(pid, argv[0], said, e);
}

int program_run(const char *const *argv, const char *input, struct err *e) {
    AUTO_CLOSE int in = memory_file(input);
    AUTO_CLOSE int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    return in < 0 || null < 0 ? err_errno(e, -errno, "could not start %s", argv[0]) : program_run_on(argv, in, null, e);
}

int program_open(struct program *p, const char *const *argv, int in, struct err *e) {
    int ends[2];

    *p = (struct program){.name = argv[0], .said = memory_file(NULL)};
    if (p->said < 0 || pipe2(ends, O_CLOEXEC) < 0) {
        int r = -errno;
        program_free(p);
        return err_errno(e, r, "could not start %s", argv[0]);
    }
    AUTO_CLOSE int out = ends[1];
    p->out = fdopen(ends[0], "r");
    int r = p->out ? start(argv, in, out, p->said, &p->pid, e) : err_errno(e, -errno, "could not start %s", argv[0]);
    if (!p->out)
        (void)close(ends[0]);
    if (r < 0) {
        p->pid = 0;
        program_free(p);
    }
    return r;
}

int program_close(struct program *p, struct err *e) {
    char rest[4096];

    while (fread(rest, 1, sizeof(rest), p->out) > 0)
        ;
    int r = finish(p->pid, p->name, p->said, e);
    p->pid = 0;
    program_free(p);
    return r;
}

void program_free(struct program *p) {
    if (p->out)
        (void)fclose(p->out);
    if (p->pid)
        (void)kill(p->pid, SIGKILL);
    while (p->pid && waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (p->said >= 0)
        (void)close(p->said);
    *p = (struct program){.said = -1};
}
