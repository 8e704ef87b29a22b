/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/array.h"
#include "lib/fdutil.h"
#include "lib/log.h"

#define WALK_FDS 16

/* What there is, for the thread that waits for signals. Of the whole program, as signals are. */
static struct {
    pthread_mutex_t lock; /* held while one comes or goes, and from a signal to the end */
    char **paths;
    size_t len, cap;
} there = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Under the lock. Without memory it is there all the same, and is left by a signal. */
static void enter(const char *path) {
    if (ARRAY_ROOM(there.paths, there.len, there.cap) < 0)
        return;
    there.paths[there.len] = strdup(path);
    there.len += there.paths[there.len] != NULL;
}

static void forget(const char *path) {
    for (size_t i = 0; i < there.len; i++)
        if (!strcmp(there.paths[i], path)) {
            free(there.paths[i]);
            there.paths[i] = there.paths[--there.len];
            break;
        }
    if (there.len)
        return;
    free(there.paths);
    there.paths = NULL;
    there.cap = 0;
}

int temp_dir_make(struct temp_dir *t, const char *parent, const char *prefix, struct err *e) {
    const char *tmpdir = getenv("TMPDIR");

    if (!parent)
        parent = tmpdir && *tmpdir ? tmpdir : "/tmp";
    int n = snprintf(t->path, sizeof(t->path), "%s/%sXXXXXX", parent, prefix);
    (void)pthread_mutex_lock(&there.lock);
    int r = n >= (int)sizeof(t->path) ? -ENAMETOOLONG : mkdtemp(t->path) ? 0 : -errno;
    if (!r)
        enter(t->path);
    (void)pthread_mutex_unlock(&there.lock);
    if (r < 0) {
        *t->path = '\0';
        return err_errno(e, r, "could not create a temporary folder in %s", parent);
    }
    return 0;
}

bool temp_is_special(const char *path) {
    struct stat st;

    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

int temp_dir_make_beside(struct temp_dir *t, const char *path, const char *prefix, struct err *e) {
    const char *slash = path ? strrchr(path, '/') : NULL;
    AUTO_FREE char *parent = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");

    if (!parent)
        return err_errno(e, -ENOMEM, "could not create a temporary folder");
    return temp_dir_make(t, path && !temp_is_special(path) ? parent : NULL, prefix, e);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void temp_dir_remove(struct temp_dir *t) {
    if (!*t->path)
        return;
    (void)pthread_mutex_lock(&there.lock);
    forget(t->path);
    (void)pthread_mutex_unlock(&there.lock);
    if (nftw(t->path, remove_one, WALK_FDS, FTW_DEPTH | FTW_PHYS) != 0)
        log_warning("could not remove %s: %s", t->path, strerror(errno));
    *t->path = '\0';
}

int temp_file_make(char *path) {
    (void)pthread_mutex_lock(&there.lock);
    int fd = mkostemp(path, O_CLOEXEC), r = fd < 0 ? -errno : fd;
    if (fd >= 0)
        enter(path);
    (void)pthread_mutex_unlock(&there.lock);
    return r;
}

/* What open(2) would give a new file. */
static mode_t new_mode(void) {
    mode_t mask = umask(0);

    (void)umask(mask);
    return 0666 & ~mask;
}

int temp_file_rename(const char *path, const char *to) {
    (void)pthread_mutex_lock(&there.lock);
    int r = chmod(path, new_mode()) < 0 || rename(path, to) < 0 ? -errno : 0;
    if (!r)
        forget(path);
    (void)pthread_mutex_unlock(&there.lock);
    return r;
}

void temp_file_remove(const char *path) {
    (void)pthread_mutex_lock(&there.lock);
    forget(path);
    (void)unlink(path);
    (void)pthread_mutex_unlock(&there.lock);
}

int temp_special_open(const char *path) {
    if (!temp_is_special(path))
        return -ENOENT;
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    return fd < 0 ? -errno : fd;
}

int temp_file_write(const char *path, const void *data, size_t len, struct err *e) {
    AUTO_CLOSE int fd = temp_special_open(path);
    if (fd == -ENOENT)
        return write_file_atomic(path, data, len, new_mode(), false, e);
    int r = fd < 0 ? fd : write_full(fd, data, len);
    return r < 0 ? err_errno(e, r, "could not write %s", path) : 0;
}

/* The lock is kept: nothing new comes, and what was being given its name has it, or goes. */
static void *wait_for_signals(void *data) {
    const sigset_t *set = data;
    int number = 0;

    if (sigwait(set, &number) != 0)
        return NULL;
    (void)pthread_mutex_lock(&there.lock);
    for (size_t i = 0; i < there.len; i++)
        (void)nftw(there.paths[i], remove_one, WALK_FDS, FTW_DEPTH | FTW_PHYS);
    (void)signal(number, SIG_DFL);
    (void)pthread_sigmask(SIG_UNBLOCK, set, NULL);
    (void)kill(getpid(), number);
    return NULL;
}

int temp_remove_on_signals(struct err *e) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    static sigset_t set;
    struct sigaction now;
    pthread_t thread;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            (void)sigaddset(&set, numbers[i]);
    int r = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (!r)
        r = pthread_create(&thread, NULL, wait_for_signals, &set);
    if (!r)
        r = pthread_detach(thread);
    return r ? err_errno(e, -r, "could not wait for signals") : 0;
}
