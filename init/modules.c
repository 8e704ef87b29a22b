/* SPDX-License-Identifier: Apache-2.0 */
#include "init/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "init/glob.h"
#include "lib/fdutil.h"
#include "lib/log.h"

#define MODULES_FILE_MAX ((size_t)16 << 20)
#define MODULES_CONF_MAX ((size_t)1 << 20)
#define MODULE_INIT_COMPRESSED 4

static int read_list(const struct modules *m, const char *name, struct buf *out, struct err *e) {
    char path[192];

    (void)snprintf(path, sizeof(path), "%s/%s", m->dir, name);
    return read_file(path, MODULES_FILE_MAX, out, e);
}

int modules_open(struct modules *m, const char *root, struct err *e) {
    struct utsname uts;
    struct stat st;

    *m = (struct modules){0};
    if (uname(&uts) < 0)
        return err_errno(e, -errno, "could not name the kernel");
    (void)snprintf(m->dir, sizeof(m->dir), "%s/lib/modules/%s", root, uts.release);
    if (stat(m->dir, &st) < 0)
        return -ENOENT;
    int r = read_list(m, "modules.dep", &m->deps, e);
    if (!r)
        r = read_list(m, "modules.alias", &m->aliases, e);
    if (r < 0)
        modules_close(m);
    return r;
}

void modules_close(struct modules *m) {
    buf_free(&m->blacklist);
    buf_free(&m->aliases);
    buf_free(&m->deps);
}

/* Module names treat - and _ as the same. */
static bool same_name(const char *a, size_t a_len, const char *b, size_t b_len) {
    if (a_len != b_len)
        return false;
    for (size_t i = 0; i < a_len; i++) {
        char x = a[i] == '-' ? '_' : a[i];
        char y = b[i] == '-' ? '_' : b[i];
        if (x != y)
            return false;
    }
    return true;
}

/* The name in "kernel/drivers/net/virtio_net.ko.xz": up to the first dot behind the last slash. */
static const char *base_name(const char *path, size_t len, size_t *name_len) {
    const char *base = path;

    for (size_t i = 0; i < len; i++)
        if (path[i] == '/')
            base = path + i + 1;
    const char *dot = memchr(base, '.', len - (size_t)(base - path));
    *name_len = dot ? (size_t)(dot - base) : len - (size_t)(base - path);
    return base;
}

int module_load(const char *path, void *data) {
    const char *ext = strrchr(path, '.');
    int flags = ext && strcmp(ext, ".ko") != 0 ? MODULE_INIT_COMPRESSED : 0;

    (void)data;
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    /* A driver that hangs is found by the name of the process that loads it. */
    const char *slash = strrchr(path, '/');
    (void)prctl(PR_SET_NAME, slash ? slash + 1 : path);
    if (syscall(SYS_finit_module, fd, "", flags) < 0 && errno != EEXIST)
        return -errno;
    return 0;
}

static int load_path(const struct modules *m, const char *path, size_t len, module_load_fn *load, void *data,
                     struct err *e) {
    char full[512];

    if (snprintf(full, sizeof(full), "%s/%.*s", m->dir, (int)len, path) >= (int)sizeof(full))
        return err_set(e, -ENAMETOOLONG, "could not load module %.*s: its path is too long", (int)len, path);
    int r = load(full, data);
    return r < 0 ? err_errno(e, r, "could not load module %s", full) : 0;
}

/* A line of modules.dep is "PATH: DEP DEP ...", what is needed first standing last. Loads back to front. */
static int load_line(const struct modules *m, const char *line, size_t len, module_load_fn *load, void *data,
                     struct err *e) {
    const char *colon = memchr(line, ':', len);
    const char *end = line + len;

    while (colon && end > colon + 1) {
        const char *start = end;
        while (start > colon + 1 && start[-1] != ' ')
            start--;
        if (end > start) {
            int r = load_path(m, start, (size_t)(end - start), load, data, e);
            if (r < 0)
                return r;
        }
        end = start > colon + 1 ? start - 1 : start;
    }
    return colon ? load_path(m, line, (size_t)(colon - line), load, data, e) : 0;
}

/* 1: loaded, 0: no module of that name. */
static int load_by_name(const struct modules *m, const char *name, size_t name_len, module_load_fn *load, void *data,
                        struct err *e) {
    const char *line = m->deps.data ? m->deps.data : "";

    for (; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t len = strcspn(line, "\n"), base_len;
        const char *colon = memchr(line, ':', len);
        const char *base = base_name(line, colon ? (size_t)(colon - line) : len, &base_len);
        if (same_name(base, base_len, name, name_len)) {
            int r = load_line(m, line, len, load, data, e);
            return r < 0 ? r : 1;
        }
    }
    return 0;
}

/* Splits "alias PATTERN MODULE" of at most len bytes. */
static bool parse_alias(const char *line, size_t len, const char **pattern, size_t *pattern_len, const char **target,
                        size_t *target_len) {
    static const char word[] = "alias ";

    if (len < sizeof(word) || strncmp(line, word, sizeof(word) - 1) != 0)
        return false;
    *pattern = line + sizeof(word) - 1;
    *pattern_len = strcspn(*pattern, " \n");
    *target = *pattern + *pattern_len + 1;
    if (*target >= line + len)
        return false;
    *target_len = (size_t)(line + len - *target);
    return true;
}

static bool blacklisted(const struct modules *m, const char *name, size_t len) {
    const char *line = m->blacklist.data ? m->blacklist.data : "";

    for (; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (same_name(line, strcspn(line, "\n"), name, len))
            return true;
    return false;
}

void modules_blacklist(struct modules *m, const char *names) {
    static const char separators[] = ", \t\n";

    for (const char *p = names + strspn(names, separators); *p; p += strspn(p, separators)) {
        size_t len = strcspn(p, separators);
        if (buf_append(&m->blacklist, p, len) < 0 || buf_puts(&m->blacklist, "\n") < 0)
            log_error("could not blacklist %.*s: out of memory", (int)len, p);
        p += len;
    }
}

static void blacklist_file(struct modules *m, const char *path) {
    static const char word[] = "blacklist ";
    AUTO_BUF struct buf text = BUF_INIT;
    struct err e = {0};

    if (read_file(path, MODULES_CONF_MAX, &text, &e) < 0) {
        log_warning("%s", e.msg);
        return;
    }
    for (char *line, *pos = text.data; (line = next_line(&pos));)
        if (!strncmp(line, word, sizeof(word) - 1))
            modules_blacklist(m, line + sizeof(word) - 1);
}

void modules_blacklist_files(struct modules *m, const char *root) {
    AUTO_NAMES struct names names = {0};
    char dir[192], path[512];

    (void)snprintf(dir, sizeof(dir), "%s/etc/modprobe.d", root);
    if (list_dir(dir, &names, NULL) < 0)
        return; /* none */
    for (size_t i = 0; i < names.len; i++) {
        size_t len = strlen(names.v[i]);
        if (len < 5 || strcmp(names.v[i] + len - 5, ".conf") != 0)
            continue;
        (void)snprintf(path, sizeof(path), "%s/%.255s", dir, names.v[i]);
        blacklist_file(m, path);
    }
}

static int load_by_alias(const struct modules *m, const char *name, module_load_fn *load, void *data, struct err *e) {
    const char *line = m->aliases.data ? m->aliases.data : "";
    const char *pattern, *target;
    size_t pattern_len, target_len;
    int matched = 0, first_error = 0;

    for (; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (!parse_alias(line, strcspn(line, "\n"), &pattern, &pattern_len, &target, &target_len) ||
            !glob_match(pattern, pattern_len, name) || blacklisted(m, target, target_len))
            continue;
        int r = load_by_name(m, target, target_len, load, data, first_error ? NULL : e);
        if (r > 0)
            matched++;
        else if (r < 0 && !first_error)
            first_error = r;
    }
    return first_error ? first_error : matched;
}

int modules_load(struct modules *m, const char *name, module_load_fn *load, void *data, struct err *e) {
    int r = load_by_name(m, name, strlen(name), load, data, e);

    return r != 0 ? r : load_by_alias(m, name, load, data, e);
}

int modprobe_main(int argc, char **argv) {
    struct modules m;
    struct err e = {0};
    bool quiet = false;
    int status = 0;

    log_init("modprobe", LOG_LEVEL_NOTICE);
    int r = modules_open(&m, "", &e);
    if (r < 0) {
        log_error("%s", r == -ENOENT ? "could not find modules for this kernel" : e.msg);
        return 1;
    }
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-q"))
            quiet = true;
        else if (argv[i][0] == '-' && !strchr("-abs", argv[i][1])) {
            log_error("could not use option %s: this modprobe only loads modules by name or alias", argv[i]);
            status = 1;
            break;
        }
        if (argv[i][0] == '-')
            continue;
        if (strchr(argv[i], '=')) {
            log_error("could not pass %s: parameters belong on the kernel command line, as MODULE.%s", argv[i],
                      argv[i]);
            status = 1;
            continue;
        }
        r = modules_load(&m, argv[i], module_load, NULL, &e);
        if (r > 0)
            continue;
        status = 1;
        if (!quiet)
            log_error("%s", r < 0 ? e.msg : "could not find a module of that name");
    }
    modules_close(&m);
    return status;
}
