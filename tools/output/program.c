/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
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

static int wait_program(const struct spawn *s, int said_fd, struct err *e) {
    AUTO_BUF struct buf said = BUF_INIT;
    char reason[64];
    int status;
    int r = spawn_wait(s, 0, &status, e);

    if (r < 0 || status == 0)
        return r;
    const char *line = last_line(said_fd, &said);
    return err_set(e, -EIO, "%s %s%s%s", s->argv[0], exit_reason(status, reason, sizeof(reason)), *line ? ": " : "",
                   line);
}

int program_run(const char *const *argv, const char *input, struct err *e) {
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
    AUTO_CLOSE int in = memory_file(input);
    AUTO_CLOSE int said = memory_file(NULL);
    AUTO_CLOSE int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (in < 0 || said < 0 || null < 0)
        return err_errno(e, -errno, "could not start %s", argv[0]);
    AUTO_FREE char *program = find_program(argv[0]);
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.program = program;
    s.envp = envp;
    s.stdin_fd = in;
    s.stdout_fd = null;
    s.stderr_fd = said;
    s.die_with_us = true;
    return wait_program(&s, said, e);
}
