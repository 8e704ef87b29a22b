/* SPDX-License-Identifier: Apache-2.0 */
/* The files: section. Parents of a file are made with its owner, and its mode plus x where it has any bit. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/log.h"
#include "tools/build/build_priv.h"
#include "tools/image/content.h"

struct file {
    const struct build *build;
    const struct config_file *config;
    struct origin origin;
    uint32_t uid, gid;
    json_t *made; /* paths that a files: entry made before: a set */
};

static mode_t parent_mode(mode_t mode) {
    return mode | (mode & 0700 ? 0100 : 0) | (mode & 0070 ? 0010 : 0) | (mode & 0007 ? 0001 : 0);
}

static int add_parents(const struct file *f, struct err *e) {
    int r = 0;

    for (const char *slash = strchr(f->config->path, '/'); slash && !r; slash = strchr(slash + 1, '/')) {
        AUTO_FREE char *parent = strndup(f->config->path, (size_t)(slash - f->config->path));
        if (!parent)
            return err_errno(e, -ENOMEM, "could not add %s", f->config->path);
        if (json_object_get(f->made, parent))
            continue;
        const struct entry entry = {.type = ENTRY_DIR,
                                    .path = parent,
                                    .mode = parent_mode(f->config->mode),
                                    .uid = f->uid,
                                    .gid = f->gid,
                                    .mtime = DEFAULT_MTIME};
        r = output_add(f->build->output, &entry, NULL, &f->origin, e);
        if (!r && json_object_set_new(f->made, parent, json_true()) < 0)
            r = err_errno(e, -ENOMEM, "could not add %s", parent);
    }
    return r;
}

/* -ENOENT without a message: not there, and that was allowed. */
static int open_source(const struct config_file *c, struct content_source *s, uint64_t *size, struct err *e) {
    AUTO_FREE char *path = config_source_path(c->source);
    struct stat st;

    if (!path)
        return err_errno(e, -ENOMEM, "could not read %s", c->source);
    s->name = c->source;
    s->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (s->fd < 0 && c->optional && errno == ENOENT)
        return -ENOENT;
    if (s->fd < 0 || fstat(s->fd, &st) < 0)
        return err_errno(e, -errno, "%s: could not read %s", c->place, path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, -EINVAL, "%s: could not read %s: it is not a regular file", c->place, path);
    *size = (uint64_t)st.st_size;
    return 0;
}

static int add_one(const struct file *f, struct err *e) {
    const struct config_file *c = f->config;
    const char *text = c->contents ? c->contents : "";
    struct content_source source = content_text(c->path, text, strlen(text));
    struct entry_content content = {.read = content_read, .ctx = &source};
    struct entry entry = {.type = ENTRY_FILE,
                          .path = c->path,
                          .spelling = c->spelling,
                          .mode = c->mode,
                          .uid = f->uid,
                          .gid = f->gid,
                          .mtime = DEFAULT_MTIME};
    int r = 0;

    entry.size = source.left;
    if (c->directory) {
        entry.type = ENTRY_DIR;
    } else if (c->symlink && *c->symlink) {
        entry.type = ENTRY_SYMLINK;
        entry.link = c->symlink;
    } else if (c->source && *c->source) {
        bool reported = false;
        r = open_source(c, &source, &entry.size, e);
        reported = r < 0 && !(r == -ENOENT && c->optional);
        if (r < 0 && !reported)
            return 0;
    }
    if (!r) {
        r = add_parents(f, e);
        if (!r)
            r = output_add(f->build->output, &entry, entry.type == ENTRY_FILE ? &content : NULL, &f->origin, e);
        if (r < 0)
            (void)err_wrap(e, r, "%s", c->place);
    }
    if (source.fd >= 0)
        (void)close(source.fd);
    if (!r && json_object_set_new(f->made, c->path, json_true()) < 0)
        r = err_errno(e, -ENOMEM, "could not add %s", c->path);
    return r;
}

static int add_metadata(const struct file *f, struct err *e) {
    struct config_file with_contents = *f->config;
    struct file copy = *f;
    AUTO_FREE char *text = NULL;

    if (strcmp(f->config->metadata, "json") != 0 && strcmp(f->config->metadata, "yaml") != 0)
        return err_set(e, -EINVAL, "%s: unknown metadata \"%s\"; use \"json\" or \"yaml\"", f->config->place,
                       f->config->metadata);
    int r = make_metadata(f->build->config, f->config->metadata, &text, e);
    with_contents.contents = text;
    copy.config = &with_contents;
    return r ? r : add_one(&copy, e);
}

static int check_one(const struct config *config, const struct config_file *c, struct err *e) {
    struct content_source source = {.fd = -1};
    uint64_t size;
    uint32_t id;
    int r = config_user_id(config, c->uid, &id, e);

    if (!r)
        r = config_user_id(config, c->gid, &id, e);
    if (r < 0)
        return err_wrap(e, r, "%s", c->place);
    if (c->source && *c->source)
        r = open_source(c, &source, &size, e);
    if (source.fd >= 0)
        (void)close(source.fd);
    return r == -ENOENT && c->optional ? 0 : r;
}

int check_files(const struct config *c, struct problems *p, struct err *e) {
    for (size_t i = 0; i < c->files_len; i++) {
        int r = check_one(c, &c->files[i], e);
        if (r == -ENOMEM)
            return r;
        if (r < 0)
            problems_add(p, e);
    }
    return 0;
}

static bool is_missing(const struct config_file *c) {
    struct content_source source = {.fd = -1};
    struct err ignored = {0};
    uint64_t size;
    bool missing = c->optional && c->source && *c->source && open_source(c, &source, &size, &ignored) == -ENOENT;

    if (source.fd >= 0)
        (void)close(source.fd);
    return missing;
}

/*
 * Of several with one path the last that is there counts; replaced[i]: this one does not, though its parents do. Who
 * says so in another YAML file, or with a file that may be missing, means it.
 */
static int find_replaced(const struct config *c, bool *replaced) {
    AUTO_JSON json_t *taken = json_object();

    for (size_t i = c->files_len; i-- > 0;) {
        const struct config_file *f = &c->files[i];
        const json_t *index = json_object_get(taken, f->path);
        const struct config_file *later = index ? &c->files[json_integer_value(index)] : NULL;
        replaced[i] = later;
        if (later && !f->optional && !later->optional && config_same_yaml(f->place, later->place))
            log_warning("%s: \"%.100s\" is left out, as it is there again at %s", f->place, f->path, later->place);
        if (!later && !f->directory && !is_missing(f) &&
            json_object_set_new(taken, f->path, json_integer((json_int_t)i)) < 0)
            return -ENOMEM;
    }
    return taken ? 0 : -ENOMEM;
}

int add_files(const struct build *b, struct err *e) {
    AUTO_JSON json_t *made = json_object();
    AUTO_FREE bool *replaced = calloc(b->config->files_len + 1, sizeof(*replaced));
    char location[32];
    int r = made && replaced ? find_replaced(b->config, replaced) : -ENOMEM;

    if (r < 0)
        return err_errno(e, r, "could not add the files");
    for (size_t i = 0; i < b->config->files_len && !r; i++) {
        const struct config_file *c = &b->config->files[i];
        struct file f = {.build = b, .config = c, .made = made, .origin = {.source = "linuxkit.files"}};
        (void)snprintf(location, sizeof(location), "files[%zu]", i);
        f.origin.location = location;
        r = config_user_id(b->config, c->uid, &f.uid, e);
        if (!r)
            r = config_user_id(b->config, c->gid, &f.gid, e);
        if (r < 0)
            return err_wrap(e, r, "%s", c->place);
        if (replaced[i])
            r = is_missing(c) ? 0 : add_parents(&f, e);
        else
            r = c->metadata && *c->metadata ? add_metadata(&f, e) : add_one(&f, e);
    }
    return r;
}
