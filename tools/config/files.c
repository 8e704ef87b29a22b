/* SPDX-License-Identifier: Apache-2.0 */
/* The files: section: each entry alone. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fdutil.h"
#include "tools/config/config_priv.h"

static bool has(const char *s) {
    return s && *s;
}

static void check_kind(const struct config_file *f, struct problems *p) {
    int kinds = (f->contents != NULL) + has(f->source) + has(f->metadata);

    if (f->directory && kinds)
        problem(p, f->place, "\"%.100s\" is a directory and cannot have contents", f->path);
    else if (has(f->symlink) && (has(f->source) || has(f->metadata)))
        problem(p, f->place, "\"%.100s\" is a symlink and cannot have a source", f->path);
    else if (kinds > 1)
        problem(p, f->place, "\"%.100s\" has more than one of \"contents\", \"source\" and \"metadata\"; keep one",
                f->path);
    else if (!f->directory && !has(f->symlink) && !kinds)
        problem(p, f->place, "\"%.100s\" has no contents; add \"contents\", \"source\" or \"symlink\"", f->path);
}

/*
 * Without leading, trailing and double slashes, "." and ".."; kept in the entry. False: it leaves the root; NULL in
 * *out: no memory.
 */
static bool clean_path(json_t *entry, const char *p, const char **out) {
    AUTO_FREE char *clean = calloc(1, strlen(p) + 1);
    size_t len = 0;

    *out = NULL;
    while (clean && *p) {
        size_t n = strcspn(p, "/");
        if (n == 2 && !memcmp(p, "..", 2)) {
            if (!len)
                return false;
            while (len && clean[len - 1] != '/')
                len--;
            len -= len > 0;
        } else if (n && !(n == 1 && *p == '.')) {
            if (len)
                clean[len++] = '/';
            memcpy(clean + len, p, n);
            len += n;
        }
        p += n + (p[n] == '/');
    }
    if (!clean)
        return true;
    clean[len] = '\0';
    if (json_object_set_new(entry, "@path", json_pack("[s]", clean)) == 0) /* the entry keeps it, as it does places */
        *out = yaml_place(entry, "path", 0);
    return true;
}

/* A kernel leaves such an entry of an initrd out in silence. */
static bool check_names(const char *path, const struct config_file *f, struct problems *p) {
    size_t len = 0;

    for (const char *s = path; len <= NAME_MAX && *s; s += len + (s[len] == '/'))
        len = strcspn(s, "/");
    if (len > NAME_MAX)
        problem(p, f->place, "the path \"%.50s...\" has a name of more than %d bytes; shorten it", path, NAME_MAX);
    return len <= NAME_MAX;
}

static bool has_dotdot(const char *path) {
    for (const char *p = path; (p = strstr(p, "..")); p += 2)
        if ((p == path || p[-1] == '/') && (!p[2] || p[2] == '/'))
            return true;
    return false;
}

static uint32_t parse_mode(const char *mode, const struct config_file *f, struct problems *p) {
    if (!has(mode))
        return f->directory ? 0700 : 0600;
    if (strspn(mode, "01234567") != strlen(mode) || strlen(mode) > 5 || strtoul(mode, NULL, 8) > 07777)
        problem(p, f->place, "the mode \"%.50s\" is not an octal number; write it like \"0644\"", mode);
    return (uint32_t)strtoul(mode, NULL, 8) & 07777;
}

/* What is missing then need not be told. */
static bool was_refused(const json_t *entry) {
    static const char *const keys[] = {"path", "directory", "symlink", "contents", "source", "metadata"};

    if (!json_is_object(entry))
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (json_is_null(json_object_get(entry, keys[i])))
            return true;
    return false;
}

static int take_file(struct config_file *f, json_t *entry, struct problems *p) {
    const char *path = string_of(entry, "path");

    *f = (struct config_file){
        .symlink = string_of(entry, "symlink"),
        .contents = string_of(entry, "contents"),
        .source = string_of(entry, "source"),
        .metadata = string_of(entry, "metadata"),
        .place = yaml_place(entry, "", 0),
        .directory = json_is_true(json_object_get(entry, "directory")),
        .optional = json_is_true(json_object_get(entry, "optional")),
        .uid = json_object_get(entry, "uid"),
        .gid = json_object_get(entry, "gid"),
    };
    if (was_refused(entry))
        return 0;
    if (!has(path)) {
        problem(p, f->place, "this file has no \"path\"; add it");
        return 0;
    }
    if (!check_names(path, f, p))
        return 0;
    if (!clean_path(entry, path, &f->path)) {
        problem(p, f->place, "the path \"%.200s\" leaves the root; write it without \"..\"", path);
        return 0;
    }
    if (!f->path)
        return -ENOMEM;
    f->spelling = has_dotdot(path) ? path + strspn(path, "/") : NULL;
    if (!*f->path)
        problem(p, f->place, "the path \"%.200s\" is the root itself; name a file below it", path);
    f->mode = parse_mode(string_of(entry, "mode"), f, p);
    check_kind(f, p);
    return 0;
}

int take_files(struct config *c, struct problems *p) {
    const json_t *list = json_object_get(c->doc, "files");
    json_t *entry;
    size_t i;

    c->files = calloc(json_array_size(list) + 1, sizeof(*c->files));
    if (!c->files)
        return -ENOMEM;
    json_array_foreach(list, i, entry) {
        int r = take_file(&c->files[c->files_len++], entry, p);
        if (r < 0)
            return r;
    }
    return check_clashes(c, p);
}

char *config_source_path(const char *source) {
    const char *home = getenv("HOME");

    return home && !strncmp(source, "~/", 2) ? path_join(home, source + 2) : strdup(source);
}
