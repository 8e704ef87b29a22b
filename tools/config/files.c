/* SPDX-License-Identifier: Apache-2.0 */
/* The files: section: each entry alone, and those that cannot be there together. */
#include <errno.h>
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
        problem(p, f->place, "\"%s\" is a directory and cannot have contents", f->path);
    else if (has(f->symlink) && (has(f->source) || has(f->metadata)))
        problem(p, f->place, "\"%s\" is a symlink and cannot have a source", f->path);
    else if (kinds > 1)
        problem(p, f->place, "\"%s\" has more than one of \"contents\", \"source\" and \"metadata\"; keep one",
                f->path);
    else if (!f->directory && !has(f->symlink) && !kinds)
        problem(p, f->place, "\"%s\" has no contents; add \"contents\", \"source\" or \"symlink\"", f->path);
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
    if (json_object_set_new(entry, "@path", json_string(clean)) == 0)
        *out = string_of(entry, "@path");
    return true;
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
    if (strspn(mode, "01234567") != strlen(mode) || strlen(mode) > 5)
        problem(p, f->place, "the mode \"%.50s\" is not an octal number; write it like \"0644\"", mode);
    return (uint32_t)strtoul(mode, NULL, 8) & 07777;
}

static int take_file(struct config_file *f, json_t *entry, struct problems *p) {
    const char *path = string_of(entry, "path");

    *f = (struct config_file){
        .symlink = string_of(entry, "symlink"),
        .contents = string_of(entry, "contents"),
        .source = string_of(entry, "source"),
        .metadata = string_of(entry, "metadata"),
        .place = string_of(entry, "@"),
        .directory = json_is_true(json_object_get(entry, "directory")),
        .optional = json_is_true(json_object_get(entry, "optional")),
        .uid = json_object_get(entry, "uid"),
        .gid = json_object_get(entry, "gid"),
    };
    if (!has(path)) {
        problem(p, f->place, "this file has no \"path\"; add it");
        return 0;
    }
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

/* What was at a path before, and who put it there. */
static int check_against(const struct config *c, const struct config_file *f, json_t *seen, size_t number,
                         struct problems *p) {
    for (const char *slash = strchr(f->path, '/'); slash; slash = strchr(slash + 1, '/')) {
        AUTO_FREE char *parent = strndup(f->path, (size_t)(slash - f->path));
        const json_t *index = parent ? json_object_get(seen, parent) : NULL;
        if (!parent)
            return -ENOMEM;
        if (!index)
            continue;
        const struct config_file *other = &c->files[json_integer_value(index)];
        if (!other->directory)
            problem(p, f->place, "\"%s\" would be below \"%s\", which is a %s (%s); change one of the two", f->path,
                    other->path, has(other->symlink) ? "symlink" : "file", other->place);
    }
    const json_t *index = json_object_get(seen, f->path);
    const struct config_file *same = index ? &c->files[json_integer_value(index)] : NULL;
    if (same && same->directory != f->directory)
        problem(p, f->place, "\"%s\" is a %s here and a %s at %s; remove one", f->path,
                f->directory ? "directory" : "file", same->directory ? "directory" : "file", same->place);
    return json_object_set_new(seen, f->path, json_integer((json_int_t)number)) < 0 ? -ENOMEM : 0;
}

/* A later file may also make a directory of what an earlier one is. */
static int check_parents(const struct config *c, json_t *parents, const struct config_file *f, size_t number,
                         struct problems *p) {
    const json_t *index = json_object_get(parents, f->path);

    if (index && !f->directory) {
        const struct config_file *below = &c->files[json_integer_value(index)];
        problem(p, f->place, "\"%s\" is a %s, but \"%s\" (%s) is below it; change one of the two", f->path,
                has(f->symlink) ? "symlink" : "file", below->path, below->place);
    }
    for (const char *slash = strchr(f->path, '/'); slash; slash = strchr(slash + 1, '/')) {
        AUTO_FREE char *parent = strndup(f->path, (size_t)(slash - f->path));
        if (!parent || json_object_set_new(parents, parent, json_integer((json_int_t)number)) < 0)
            return -ENOMEM;
    }
    return 0;
}

int take_files(struct config *c, struct problems *p) {
    const json_t *list = json_object_get(c->doc, "files");
    AUTO_JSON json_t *seen = json_object(), *parents = json_object();
    json_t *entry;
    size_t i;

    c->files = calloc(json_array_size(list) + 1, sizeof(*c->files));
    if (!c->files || !seen || !parents)
        return -ENOMEM;
    json_array_foreach(list, i, entry) {
        struct config_file *f = &c->files[c->files_len++];
        int r = take_file(f, entry, p);
        if (!r && f->path && *f->path)
            r = check_against(c, f, seen, c->files_len - 1, p);
        if (!r && f->path && *f->path)
            r = check_parents(c, parents, f, c->files_len - 1, p);
        if (r < 0)
            return r;
    }
    return 0;
}

char *config_source_path(const char *source) {
    const char *home = getenv("HOME");

    return home && !strncmp(source, "~/", 2) ? path_join(home, source + 2) : strdup(source);
}
