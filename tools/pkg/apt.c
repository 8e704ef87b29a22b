/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/pkg/apt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/spawn.h"
#include "lib/temp.h"
#include "tools/image/image.h"

#define LIST_MAX ((size_t)1 << 20)
#define HOST_LISTS "/var/lib/apt/lists"
#define TIMEOUT_MS (10 * 60 * 1000)

static int run(const char *const *argv, const char *cwd, int stdout_fd, struct err *e) {
    char reason[96];
    int status = 0;
    struct spawn s = SPAWN_INIT;

    s.argv = argv;
    s.cwd = cwd;
    s.stdout_fd = stdout_fd;
    int r = spawn_wait(&s, TIMEOUT_MS, &status, e);
    if (r < 0)
        return err_wrap(e, r, "could not ask apt for packages");
    if (status != 0)
        return err_set(e, -EIO,
                       "could not ask apt for packages: apt-get %s; see its words above, and try apt-get update",
                       exit_reason(status, reason, sizeof(reason)));
    return 0;
}

/* What each call of apt-get starts with. */
struct command {
    const char *argv[APT_PACKAGES_MAX + 24];
    size_t len;
    char options[6][PATH_MAX + 64];
    size_t options_len;
};

static void add(struct command *c, const char *word) {
    c->argv[c->len++] = word;
}

__attribute__((format(printf, 2, 3))) static void add_option(struct command *c, const char *format, ...) {
    char *text = c->options[c->options_len++];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(c->options[0]), format, args);
    va_end(args);
    add(c, "-o");
    add(c, text);
}

static bool is_foreign(const char *arch) {
    return strcmp(arch, image_host_arch()) != 0;
}

static int begin(struct command *c, const char *deb_dir, const char *arch, struct err *e) {
    char absolute[PATH_MAX]; /* apt takes the others for relative to / */

    if (!realpath(deb_dir, absolute))
        return err_errno(e, -errno, "could not open %s", deb_dir);
    add(c, "apt-get");
    add(c, "-qq");
    if (geteuid() == 0) /* apt's own user may not write into our folders, and apt warns of it */
        add_option(c, "APT::Sandbox::User=root");
    if (is_foreign(arch)) {
        add_option(c, "APT::Architecture=%s", arch);
        add_option(c, "APT::Architectures=%s", arch);
        add_option(c, "Dir::State=%s/apt-%s", absolute, arch);
        add_option(c, "Dir::State::status=/dev/null");
        add_option(c, "Dir::Cache=%s/apt-%s", absolute, arch);
    }
    return 0;
}

static int run_download(struct command *c, const char *cwd, const char *const *packages, size_t len, int stdout_fd,
                        struct err *e) {
    if (len > APT_PACKAGES_MAX)
        return err_set(e, -E2BIG, "%zu packages in one image: at most %d", len, APT_PACKAGES_MAX);
    for (size_t i = 0; i < len; i++)
        add(c, packages[i]);
    return run(c->argv, cwd, stdout_fd, e);
}

int apt_download(const char *deb_dir, const char *arch, const char *dir, const char *const *packages, size_t len,
                 struct err *e) {
    struct command c = {0};

    int r = begin(&c, deb_dir, arch, e);
    if (r < 0)
        return r;
    add(&c, "download");
    return run_download(&c, dir, packages, len, STDERR_FILENO, e);
}

/* --- the lists for another architecture --- */

static bool is_older(const char *path, const char *than) {
    struct stat a, b;

    return stat(path, &a) < 0 || (stat(than, &b) == 0 && a.st_mtime < b.st_mtime);
}

/* Locked, since apt-get fails when another is at work on the same lists. */
static int update_lists(const char *deb_dir, const char *arch, struct err *e) {
    char state[PATH_MAX], path[PATH_MAX + 32];
    struct command c = {0};
    static const char *const folders[] = {"lists/partial", "archives/partial"};

    (void)snprintf(state, sizeof(state), "%s/apt-%s", deb_dir, arch);
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", state, folders[i]);
        int r = mkdir_p(path, 0755, e);
        if (r < 0)
            return r;
    }
    AUTO_CLOSE int lock = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX) < 0)
        return err_errno(e, -errno, "could not lock %s", state);
    (void)snprintf(path, sizeof(path), "%s/updated", state);
    if (!is_older(path, HOST_LISTS))
        return 0;
    int r = begin(&c, deb_dir, arch, e);
    if (r < 0)
        return r;
    add(&c, "update");
    r = run(c.argv, NULL, STDERR_FILENO, e);
    return r < 0 ? r : write_file_atomic(path, "", 0, 0644, false, e);
}

/* --- a line of --print-uris: 'URI' NAME_VERSION_ARCH.deb SIZE SHA256:HEX --- */

/* Cuts the last word off. NULL: there is none but the first. */
static char *cut_last_word(char *line) {
    char *space = strrchr(line, ' ');

    if (!space)
        return NULL;
    *space = '\0';
    return space + 1;
}

/* %3a in a file name is the colon of an epoch. */
static char *decode_version(const char *text, size_t len) {
    char *version = calloc(1, len + 1);
    char *to = version;

    for (size_t i = 0; version && i < len; i++) {
        bool colon = i + 2 < len && !strncasecmp(text + i, "%3a", 3);
        *to++ = colon ? ':' : text[i];
        i += colon ? 2 : 0;
    }
    return version;
}

static int fill_deb(const char *dir, const char *package, const char *file, const char *hash, struct deb *deb,
                    struct err *e) {
    const char *version = strchr(file, '_');
    const char *end = version ? strchr(version + 1, '_') : NULL;

    if (!end || strchr(file, '/'))
        return err_set(e, -EINVAL, "could not understand apt's file name %s", file);
    if (strncmp(hash, "SHA256:", 7) != 0)
        return err_set(e, -EINVAL, "could not check %s: apt knows no SHA256 of it, but \"%s\"", file, hash);
    deb->package = strdup(package);
    deb->path = path_join(dir, file);
    deb->version = decode_version(version + 1, (size_t)(end - version - 1));
    deb->sha256 = strdup(hash + 7);
    return deb->package && deb->path && deb->version && deb->sha256
               ? 0
               : err_errno(e, -ENOMEM, "could not fetch %s", package);
}

/* apt prints a line for each package, in an order of its own. */
static int take_line(char *line, const char *dir, const char *const *packages, size_t len, struct deb *debs,
                     struct err *e) {
    const char *hash = cut_last_word(line);
    const char *size = hash ? cut_last_word(line) : NULL;
    const char *file = size ? cut_last_word(line) : NULL;
    int r = 0;

    for (size_t i = 0; file && i < len && !r; i++) {
        size_t name_len = strlen(packages[i]);
        if (!debs[i].path && !strncmp(file, packages[i], name_len) && file[name_len] == '_')
            r = fill_deb(dir, packages[i], file, hash, &debs[i], e);
    }
    return r;
}

static int list_into(struct buf *text, struct command *c, const char *const *packages, size_t len, struct err *e) {
    AUTO_TEMP_DIR struct temp_dir dir = {""};

    /* apt says nothing of files that lie in its working directory already: an empty one. */
    int r = temp_dir_make(&dir, NULL, "keelson-apt.", e);
    if (r < 0)
        return r;
    AUTO_FREE char *path = path_join(dir.path, "list");
    AUTO_CLOSE int fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return err_errno(e, -errno, "could not create a file in %s", dir.path);
    r = run_download(c, dir.path, packages, len, fd, e);
    return r < 0 ? r : read_file(path, LIST_MAX, text, e);
}

int apt_list(const char *deb_dir, const char *arch, const char *const *packages, size_t len, struct deb *debs,
             struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT;
    struct command c = {0};

    int r = is_foreign(arch) ? update_lists(deb_dir, arch, e) : 0;
    if (!r)
        r = begin(&c, deb_dir, arch, e);
    if (r < 0)
        return r;
    add(&c, "download");
    add(&c, "--print-uris");
    r = list_into(&text, &c, packages, len, e);
    char *rest = text.data;
    for (char *line; !r && rest && (line = strsep(&rest, "\n"));)
        r = take_line(line, deb_dir, packages, len, debs, e);
    for (size_t i = 0; i < len && !r; i++)
        if (!debs[i].path)
            r = err_set(e, -ENOENT, "could not find package %s: apt names no file for it", packages[i]);
    return r;
}
