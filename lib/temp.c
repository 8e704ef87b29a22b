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
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/array.h"
#include "lib/fdutil.h"
#include "lib/log.h"

#define WALK_FDS 16
#define WALKS_MAX 1000
#define LINKS_MAX 40
#define RANDOM "XXXXXX"
#define RANDOM_LEN strlen(RANDOM)

struct made {
    char *path;
    int fd; /* of a folder that is locked; else -1 */
};

/* What there is, for the thread that waits for signals. Of the whole program, as signals are. */
static struct {
    pthread_mutex_t lock; /* held while one comes or goes, and from a signal to the end */
    struct made *v;
    size_t len, cap;
} there = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Under the lock. */
static int enter(const char *path, int fd) {
    if (ARRAY_ROOM(there.v, there.len, there.cap) < 0)
        return -ENOMEM;
    struct made *m = &there.v[there.len];
    *m = (struct made){strdup(path), fd};
    if (!m->path)
        return -ENOMEM;
    there.len++;
    return 0;
}

static void forget(const char *path) {
    for (size_t i = 0; i < there.len; i++)
        if (!strcmp(there.v[i].path, path)) {
            free(there.v[i].path);
            if (there.v[i].fd >= 0)
                (void)close(there.v[i].fd);
            there.v[i] = there.v[--there.len];
            break;
        }
    if (there.len)
        return;
    free(there.v);
    there.v = NULL;
    there.cap = 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static bool still_there(int fd, const char *path) {
    struct stat ours, theirs;

    return fstat(fd, &ours) == 0 && lstat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
           ours.st_dev == theirs.st_dev;
}

/* Who removes what is left locks it before, too: it may be gone then, and has to be made again. */
static bool lock_new(int fd, const char *path) {
    while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
        ;
    return still_there(fd, path);
}

/* The lock goes with its process. What is not ours may be anything, and may change while it is removed. */
static void remove_left(const char *path) {
    struct stat st;
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) ||
        flock(fd, LOCK_EX | LOCK_NB) < 0 || !still_there(fd, path))
        return;
    if (nftw(path, remove_one, WALK_FDS, FTW_DEPTH | FTW_PHYS) != 0)
        log_warning("could not remove %s: %s", path, strerror(errno));
}

/* template ends in XXXXXX. */
static void remove_all_left(const char *template) {
    const char *name = strrchr(template, '/') + 1;
    size_t len = strlen(name);
    AUTO_FREE char *dir = strndup(template, (size_t)(name - template));
    AUTO_NAMES struct names names = {0};

    if (!dir || list_dir(dir, &names, NULL) < 0)
        return; /* whoever makes something there says so */
    for (size_t i = 0; i < names.len; i++) {
        AUTO_FREE char *path = NULL;
        if (strlen(names.v[i]) == len && !strncmp(names.v[i], name, len - RANDOM_LEN) &&
            (path = path_join(dir, names.v[i])))
            remove_left(path);
    }
}

/* DIR/.NAME.keelson-XXXXXX beside a path, DIR/ included. */
static char *template_beside(const char *path) {
    const char *slash = strrchr(path, '/');
    int dir = slash ? (int)(slash + 1 - path) : 0;
    char *out = NULL;

    return asprintf(&out, "%.*s.%s.keelson-" RANDOM, dir ? dir : 2, dir ? path : "./", path + dir) < 0 ? NULL : out;
}

static int make_dir(struct temp_dir *t, const char *template, bool locked, struct err *e) {
    int n = snprintf(t->path, sizeof(t->path), "%s", template), fd = -1;
    int r = n >= (int)sizeof(t->path) ? -ENAMETOOLONG : 0;

    (void)pthread_mutex_lock(&there.lock);
    while (!r && fd < 0) {
        memcpy(t->path + n - RANDOM_LEN, RANDOM, RANDOM_LEN);
        r = mkdtemp(t->path) ? 0 : -errno;
        if (r || !locked)
            break;
        fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = fd < 0 && errno != ENOENT ? -errno : 0;
        if (fd >= 0 && !lock_new(fd, t->path))
            (void)close(steal_fd(&fd));
    }
    if (!r && (r = enter(t->path, fd)) < 0)
        (void)rmdir(t->path);
    if (r < 0 && fd >= 0)
        (void)close(fd);
    (void)pthread_mutex_unlock(&there.lock);
    if (!r)
        return 0;
    *t->path = '\0';
    return err_errno(e, r, "could not create a temporary folder in %.*s", (int)(strrchr(template, '/') - template),
                     template);
}

static const char *usual_parent(void) {
    const char *tmpdir = getenv("TMPDIR");

    return tmpdir && *tmpdir ? tmpdir : "/tmp";
}

int temp_dir_make(struct temp_dir *t, const char *parent, const char *prefix, struct err *e) {
    AUTO_FREE char *template = NULL;

    if (!parent)
        parent = usual_parent();
    *t->path = '\0';
    if (asprintf(&template, "%s/%s" RANDOM, parent, prefix) < 0) {
        template = NULL;
        return err_errno(e, -ENOMEM, "could not create a temporary folder");
    }
    return make_dir(t, template, false, e);
}

bool temp_is_special(const char *path) {
    struct stat st;

    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

int temp_dir_make_beside(struct temp_dir *t, const char *path, struct err *e) {
    AUTO_FREE char *target = NULL, *plain = NULL;

    if (!path || temp_is_special(path))
        return temp_dir_make(t, NULL, "keelson-", e);
    *t->path = '\0';
    int r = temp_target(path, &target);
    if (!r && asprintf(&plain, "%s%s", *target == '/' ? "" : "./", target) < 0)
        plain = NULL;
    AUTO_FREE char *template = plain ? template_beside(plain) : NULL;
    if (!template)
        return err_errno(e, r < 0 ? r : -ENOMEM, "could not write %s", path);
    remove_all_left(template);
    return make_dir(t, template, true, e);
}

void temp_dir_remove(struct temp_dir *t) {
    if (!*t->path)
        return;
    (void)pthread_mutex_lock(&there.lock); /* until all is gone: a signal would leave what it is no longer told of */
    int r = nftw(t->path, remove_one, WALK_FDS, FTW_DEPTH | FTW_PHYS) != 0 ? -errno : 0;
    forget(t->path);
    (void)pthread_mutex_unlock(&there.lock);
    if (r < 0)
        log_warning("could not remove %s: %s", t->path, strerror(-r));
    *t->path = '\0';
}

/* A link that somebody else has put where all may write leads where they want. */
static bool may_follow(const char *link) {
    const char *slash = strrchr(link, '/');
    AUTO_FREE char *dir = slash ? strndup(link, slash == link ? 1 : (size_t)(slash - link)) : strdup(".");
    struct stat of_dir, of_link;

    return dir && stat(dir, &of_dir) == 0 && lstat(link, &of_link) == 0 &&
           (!(of_dir.st_mode & S_ISVTX) || !(of_dir.st_mode & S_IWOTH) || of_link.st_uid == geteuid() ||
            of_link.st_uid == of_dir.st_uid);
}

int temp_target(const char *path, char **out) {
    AUTO_FREE char *now = strdup(path);

    for (int links = 0; now && links < LINKS_MAX; links++) {
        char to[PATH_MAX];
        ssize_t n = readlink(now, to, sizeof(to) - 1);
        if (n < 0) { /* no link: what else is wrong with it shows when it is written */
            *out = steal_ptr(&now);
            return 0;
        }
        to[n] = '\0';
        if (!may_follow(now))
            return -EACCES;
        const char *slash = strrchr(now, '/');
        char *next = NULL;
        if (asprintf(&next, "%.*s%s", *to == '/' || !slash ? 0 : (int)(slash + 1 - now), now, to) < 0)
            return -ENOMEM;
        free(now);
        now = next;
    }
    return now ? -ELOOP : -ENOMEM;
}

int temp_file_make(const char *path, char **made) {
    AUTO_FREE char *target = NULL;
    struct stat st;
    int r = temp_target(path, &target), fd = -1;
    AUTO_FREE char *template = r < 0 ? NULL : template_beside(target);

    if (!template)
        return r < 0 ? r : -ENOMEM;
    if (stat(target, &st) == 0 && S_ISDIR(st.st_mode))
        return -EISDIR;
    remove_all_left(template);
    (void)pthread_mutex_lock(&there.lock);
    while (!r && fd < 0) {
        memcpy(template + strlen(template) - RANDOM_LEN, RANDOM, RANDOM_LEN);
        fd = mkostemp(template, O_CLOEXEC);
        r = fd < 0 ? -errno : 0;
        if (!r && !lock_new(fd, template))
            (void)close(steal_fd(&fd));
    }
    if (!r && (r = enter(template, -1)) < 0) {
        (void)unlink(template);
        (void)close(fd);
    }
    (void)pthread_mutex_unlock(&there.lock);
    if (r < 0)
        return r;
    *made = steal_ptr(&template);
    return fd;
}

/* What open(2) would give a new file. */
static mode_t new_mode(void) {
    mode_t mask = umask(0);

    (void)umask(mask);
    return 0666 & ~mask;
}

/* Under the lock. */
static int give_name(const char *path, const char *to, mode_t mode) {
    int r = chmod(path, mode) < 0 || rename(path, to) < 0 ? -errno : 0;

    if (!r)
        forget(path);
    return r;
}

int temp_file_keep(const char *path, const char *to, mode_t mode) {
    (void)pthread_mutex_lock(&there.lock);
    int r = give_name(path, to, mode);
    (void)pthread_mutex_unlock(&there.lock);
    return r;
}

int temp_file_rename(const char *path, const char *to) {
    AUTO_FREE char *target = NULL;
    int r = temp_target(to, &target);

    if (r < 0)
        return r;
    (void)pthread_mutex_lock(&there.lock);
    r = give_name(path, target, new_mode());
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
    AUTO_FREE char *target = NULL;
    AUTO_CLOSE int fd = temp_special_open(path);
    int r = fd == -ENOENT ? temp_target(path, &target) : fd < 0 ? fd : write_full(fd, data, len);

    if (!r && target)
        return write_file_atomic(target, data, len, new_mode(), false, e);
    return r < 0 ? err_errno(e, r, "could not write %s", path) : 0;
}

/* Where a file system has no O_TMPFILE. */
static int make_and_unlink(const char *parent) {
    AUTO_FREE char *path = path_join(parent, "keelson-" RANDOM);
    int fd = path ? mkostemp(path, O_CLOEXEC) : -1;
    int r = path ? -errno : -ENOMEM;

    if (fd < 0)
        return r;
    (void)unlink(path);
    return fd;
}

int temp_unnamed(struct err *e) {
    const char *parent = usual_parent();
    int fd = open(parent, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0)
        fd = make_and_unlink(parent);
    return fd < 0 ? err_errno(e, fd, "could not create a temporary file in %s", parent) : fd;
}

int temp_unnamed_stream(FILE **out, struct err *e) {
    AUTO_CLOSE int fd = temp_unnamed(e);

    *out = NULL;
    if (fd < 0)
        return fd;
    *out = fdopen(fd, "w+");
    if (!*out)
        return err_errno(e, -errno, "could not create a temporary file");
    (void)steal_fd(&fd);
    return 0;
}

/* A program that was started may still write into it, until it finds that its folder is gone. */
static void remove_while_used(const char *path) {
    for (int i = 0; i < WALKS_MAX && nftw(path, remove_one, WALK_FDS, FTW_DEPTH | FTW_PHYS) != 0; i++)
        if (access(path, F_OK) < 0)
            return;
}

/* The lock is kept: nothing new comes, and what was being given its name has it, or goes. */
static void *wait_for_signals(void *data) {
    const sigset_t *set = data;
    int number = 0;

    if (sigwait(set, &number) != 0)
        return NULL;
    (void)pthread_mutex_lock(&there.lock);
    for (size_t i = 0; i < there.len; i++)
        remove_while_used(there.v[i].path);
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
