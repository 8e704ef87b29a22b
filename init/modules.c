/* SPDX-License-Identifier: Apache-2.0 */
#include "init/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>

#include "cmdline/cmdline.h"
#include "init/glob.h"
#include "lib/fdutil.h"
#include "lib/log.h"

#define MODULES_FILE_MAX ((size_t)16 << 20)
#define SOFTDEPS_DEPTH_MAX 4 /* softdeps of softdeps; circles end here too */
#define MODULE_INIT_COMPRESSED 4
#define COMING_MS 5000 /* how long a module that another process loads is waited for: its driver may hang */
#define COMING_PAUSE_MS 20

static int read_list(const struct modules *m, const char *name, struct buf *out, struct err *e) {
    char path[192];

    (void)snprintf(path, sizeof(path), "%s/%s", m->dir, name);
    return read_file(path, MODULES_FILE_MAX, out, e);
}

/* What decides about modules, from all places. None of them need be there. */
static void read_conf(struct modules *m, const char *root) {
    AUTO_BUF struct buf softdeps = BUF_INIT;
    char cmdline[CMDLINE_MAX];

    if (read_list(m, "modules.softdep", &softdeps, NULL) == 0)
        modconf_add(&m->conf, softdeps.data, softdeps.len);
    modconf_add_files(&m->conf, root);
    ssize_t n = *root ? 0 : cmdline_read_text(NULL, cmdline, sizeof(cmdline));
    if (n > 0)
        modconf_add_cmdline(&m->conf, cmdline, (size_t)n);
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
    else
        read_conf(m, root);
    return r;
}

void modules_close(struct modules *m) {
    modconf_free(&m->conf);
    buf_free(&m->aliases);
    buf_free(&m->deps);
}

/* The name in "kernel/drivers/net/virtio_net.ko.xz": up to the first dot behind the last slash. */
static struct word base_name(struct word path) {
    struct word base = path;

    for (size_t i = 0; i < path.len; i++)
        if (path.p[i] == '/')
            base = (struct word){path.p + i + 1, path.len - i - 1};
    const char *dot = memchr(base.p, '.', base.len);
    if (dot)
        base.len = (size_t)(dot - base.p);
    return base;
}

/* "live", "coming" (it starts), "going", or "": its file need not be read to learn that from the kernel. */
static void module_state(const char *path, char *state, size_t len) {
    char file[128];
    struct word name = base_name((struct word){path, strlen(path)});

    int n = snprintf(file, sizeof(file), "/sys/module/%.*s/initstate", (int)name.len, name.p);
    for (char *p = file; *p; p++)
        if (*p == '-')
            *p = '_';
    AUTO_CLOSE int fd = n < (int)sizeof(file) ? open(file, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t got = fd < 0 ? 0 : read_full(fd, state, len - 1);
    state[got < 0 ? 0 : got] = '\0';
    state[strcspn(state, "\n")] = '\0';
}

/* 1: it is there; 0: it is not; -EBUSY: it starts, and does not come to an end, in another process. */
static int is_live(const char *path) {
    const struct timespec pause = {.tv_nsec = COMING_PAUSE_MS * 1000000L};
    char state[8];

    for (int ms = 0; ms < COMING_MS; ms += COMING_PAUSE_MS) {
        module_state(path, state, sizeof(state));
        if (strcmp(state, "coming") != 0)
            return !strcmp(state, "live");
        (void)nanosleep(&pause, NULL);
    }
    return -EBUSY;
}

int module_load(const char *path, const char *options, void *data) {
    const char *ext = strrchr(path, '.');
    int flags = ext && strcmp(ext, ".ko") != 0 ? MODULE_INIT_COMPRESSED : 0;

    (void)data;
    int live = is_live(path);
    if (live)
        return live < 0 ? live : 0;
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    /* A driver that hangs is found by the name of the process that loads it. */
    const char *slash = strrchr(path, '/');
    (void)prctl(PR_SET_NAME, slash ? slash + 1 : path);
    if (syscall(SYS_finit_module, fd, options, flags) < 0 && errno != EEXIST)
        return -errno;
    return 0;
}

/* One run of modules_load(). */
struct job {
    const struct modules *m;
    module_load_fn *load;
    void *data;
    unsigned depth; /* of softdeps */
};

static int load_any(struct job *j, struct word name, struct err *e);

/* "softdep NAME pre: A B post: C": what is missing of it is no error. */
static void load_softdeps(struct job *j, struct word module, const char *when) {
    const char *pos = NULL;
    struct word rest, w;

    if (j->depth == SOFTDEPS_DEPTH_MAX)
        return;
    j->depth++;
    while (modconf_next(&j->m->conf, "softdep", &pos, &rest)) {
        bool now = false;
        if (!word_next(&rest, &w) || !module_name_is(w, module))
            continue;
        while (word_next(&rest, &w)) {
            if (w.p[w.len - 1] == ':')
                now = w.len == strlen(when) && !memcmp(w.p, when, w.len);
            else if (now)
                (void)load_any(j, w, NULL);
        }
    }
    j->depth--;
}

static int load_file(const struct job *j, struct word path, struct err *e) {
    char full[512], options[MODULE_OPTIONS_MAX];
    struct word name = base_name(path);

    if (modconf_has(&j->m->conf, "install", name))
        return err_set(e, -EPERM, "could not load module %.*s: modprobe.d has a program to install it, and none is run",
                       (int)name.len, name.p);
    if (snprintf(full, sizeof(full), "%s/%.*s", j->m->dir, (int)path.len, path.p) >= (int)sizeof(full))
        return err_set(e, -ENAMETOOLONG, "could not load module %.*s: its path is too long", (int)path.len, path.p);
    int r = modconf_options(&j->m->conf, name, options, sizeof(options));
    if (!r)
        r = j->load(full, options, j->data);
    if (r == -EBUSY)
        return err_set(e, r, "could not load module %s: its driver does not come to the end of its start", full);
    return r < 0 ? err_errno(e, r, "could not load module %s%s%s", full, *options ? " with " : "", options) : 0;
}

static int load_path(struct job *j, struct word path, struct err *e) {
    load_softdeps(j, base_name(path), "pre:");
    int r = load_file(j, path, e);
    if (!r)
        load_softdeps(j, base_name(path), "post:");
    return r;
}

/* A line of modules.dep is "PATH: DEP DEP ...", what is needed first standing last. Loads back to front. */
static int load_line(struct job *j, struct word line, struct err *e) {
    const char *colon = memchr(line.p, ':', line.len);
    const char *end = line.p + line.len;

    while (colon && end > colon + 1) {
        const char *start = end;
        while (start > colon + 1 && start[-1] != ' ')
            start--;
        if (end > start) {
            int r = load_path(j, (struct word){start, (size_t)(end - start)}, e);
            if (r < 0)
                return r;
        }
        end = start > colon + 1 ? start - 1 : start;
    }
    return colon ? load_path(j, (struct word){line.p, (size_t)(colon - line.p)}, e) : 0;
}

/* The next line of a list; *pos is its begin at first. False: no more. */
static bool next_entry(const char **pos, struct word *line) {
    if (!*pos || !**pos)
        return false;
    const char *end = strchrnul(*pos, '\n');
    *line = (struct word){*pos, (size_t)(end - *pos)};
    *pos = end + (*end == '\n');
    return true;
}

/* 1: loaded, 0: no module of that name. */
static int load_by_name(struct job *j, struct word name, struct err *e) {
    const char *pos = j->m->deps.data;
    struct word line;

    while (next_entry(&pos, &line)) {
        const char *colon = memchr(line.p, ':', line.len);
        struct word path = {line.p, colon ? (size_t)(colon - line.p) : line.len};
        if (module_name_is(base_name(path), name)) {
            int r = load_line(j, line, e);
            return r < 0 ? r : 1;
        }
    }
    return 0;
}

/* Takes "PATTERN MODULE" apart; true if the pattern is that of name and the module may be loaded for a device. */
static bool is_alias_of(const struct job *j, struct word rest, const char *name, struct word *module) {
    struct word pattern;

    return word_next(&rest, &pattern) && glob_match(pattern.p, pattern.len, name) && word_next(&rest, module) &&
           !modconf_has(&j->m->conf, "blacklist", *module) && !modconf_has(&j->m->conf, "install", *module);
}

struct matches {
    int count, first_error;
};

static void load_match(struct job *j, struct word module, struct matches *m, struct err *e) {
    int r = load_by_name(j, module, m->first_error ? NULL : e);

    if (r > 0)
        m->count++;
    else if (r < 0 && !m->first_error)
        m->first_error = r;
}

/* A letter of the pattern, and that of a name: whether it may match. */
static bool may_be(char pattern, char c) {
    return pattern == c || pattern == '*' || pattern == '?' || pattern == '[';
}

/*
 * Of the thousands of lines "alias PATTERN MODULE", those for another bus are most, and this is done for every device:
 * "pci:..." is not looked at for "platform:...".
 */
static bool is_of_bus(struct word *line, const char *name) {
    const size_t n = strlen("alias ");

    if (line->len < n + 2 || line->p[0] != 'a') /* what is no alias is a comment */
        return false;
    *line = (struct word){line->p + n, line->len - n};
    return may_be(line->p[0], name[0]) && (line->p[0] != name[0] || may_be(line->p[1], name[1]));
}

static int load_by_alias(struct job *j, const char *name, struct err *e) {
    const char *pos = NULL, *list = j->m->aliases.data;
    struct matches m = {0};
    struct word line, module;

    while (modconf_next(&j->m->conf, "alias", &pos, &line))
        if (is_alias_of(j, line, name, &module))
            load_match(j, module, &m, e);
    while (next_entry(&list, &line))
        if (is_of_bus(&line, name) && is_alias_of(j, line, name, &module))
            load_match(j, module, &m, e);
    return m.first_error ? m.first_error : m.count;
}

/* modules.builtin names a path a line, as modules.dep does. Devices' aliases, with their colons, are not looked for. */
static bool is_built_in(const struct modules *m, struct word name) {
    AUTO_BUF struct buf list = BUF_INIT;
    struct word line;

    if (memchr(name.p, ':', name.len) || read_list(m, "modules.builtin", &list, NULL) < 0)
        return false;
    for (const char *pos = list.data; next_entry(&pos, &line);)
        if (module_name_is(base_name(line), name))
            return true;
    return false;
}

static int load_any(struct job *j, struct word name, struct err *e) {
    char text[256];

    /* A device's alias has colons, a module's name has none. */
    int r = memchr(name.p, ':', name.len) ? 0 : load_by_name(j, name, e);
    if (r != 0 || snprintf(text, sizeof(text), "%.*s", (int)name.len, name.p) >= (int)sizeof(text))
        return r;
    r = load_by_alias(j, text, e);
    return r ? r : is_built_in(j->m, name);
}

int modules_load(struct modules *m, const char *name, module_load_fn *load, void *data, struct err *e) {
    struct job j = {m, load, data, 0};

    return load_any(&j, (struct word){name, strlen(name)}, e);
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
