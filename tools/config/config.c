/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "tools/config/config.h"
#include "tools/config/yaml.h"

#define ID_MAX 76
#define FIRST_USER_ID 100

const char *const section_names[SECTION_COUNT] = {"onboot", "onshutdown", "services"};

static const char *string_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/* Appends what a later file says to what the earlier ones said. */
static int merge(json_t *all, json_t *file) {
    const char *key;
    json_t *value;

    json_object_foreach(file, key, value) {
        json_t *old = json_object_get(all, key);
        int r = 0;
        if (!old)
            r = json_object_set(all, key, value);
        else if (json_is_array(old))
            r = json_array_extend(old, value);
        else if (json_is_object(old))
            r = json_object_update(old, value);
        if (r < 0)
            return -ENOMEM;
    }
    return 0;
}

static int read_one(const char *path, json_t *all, struct err *e) {
    bool is_stdin = !strcmp(path, "-");
    AUTO_BUF struct buf text = BUF_INIT;
    AUTO_JSON json_t *doc = NULL;

    int r = read_file(is_stdin ? "/dev/stdin" : path, YAML_MAX_BYTES, &text, e);
    if (!r)
        r = yaml_read(is_stdin ? "stdin" : path, text.data ? text.data : "", text.len, &schema_config, true, &doc, e);
    if (r < 0)
        return r;
    if (merge(all, doc) < 0)
        return err_errno(e, -ENOMEM, "could not hold %s", path);
    return 0;
}

/* containerd's rule for identifiers: words of ASCII letters and digits, joined by single . _ or -. */
static bool valid_id(const char *name) {
    bool joint = true; /* a joint may not stand here */

    for (const char *p = name; *p; p++) {
        bool alnum = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        if (!alnum && (joint || !strchr("._-", *p)))
            return false;
        joint = !alnum;
    }
    return !joint && strlen(name) <= ID_MAX;
}

static int check_container(const struct config *c, enum section s, size_t index, struct err *e) {
    const struct config_container *this = &c->containers[s][index];

    if (!*this->name || !strcmp(this->name, ".") || strchr(this->name, '/') || strstr(this->name, ".."))
        return err_set(e, -EINVAL, "%s: \"%s\" cannot be the name of a container; use letters, digits, - and _",
                       this->place, this->name);
    if (s == SECTION_SERVICES && !valid_id(this->name))
        return err_set(
            e, -EINVAL,
            "%s: containerd refuses \"%s\" as the name of a service; use at most %d letters and digits, with "
            "single . _ - between them",
            this->place, this->name, ID_MAX);
    for (size_t i = 0; s == SECTION_SERVICES && i < index; i++)
        if (!strcmp(c->containers[s][i].name, this->name))
            return err_set(e, -EINVAL, "%s: there is another service named \"%s\" at %s; rename one", this->place,
                           this->name, c->containers[s][i].place);
    return 0;
}

static int take_containers(struct config *c, enum section s, struct err *e) {
    const json_t *list = json_object_get(c->doc, section_names[s]), *entry;
    size_t i;

    c->containers[s] = calloc(json_array_size(list) + 1, sizeof(*c->containers[s]));
    if (!c->containers[s])
        return err_errno(e, -ENOMEM, "could not hold the containers");
    json_array_foreach(list, i, entry) {
        c->containers[s][i] = (struct config_container){
            .name = string_of(entry, "name"),
            .image = string_of(entry, "image"),
            .place = string_of(entry, "@"),
            .fields = entry,
        };
        c->containers_len[s]++;
        int r = check_container(c, s, i, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_file(const struct config_file *f, struct err *e) {
    int kinds = (f->contents != NULL) + (f->source && *f->source) + (f->metadata && *f->metadata);

    if (!f->path || !*f->path)
        return err_set(e, -EINVAL, "%s: this file has no \"path\"; add it", f->place);
    if (!strcmp(f->path, "..") || !strncmp(f->path, "../", 3) || strstr(f->path, "/../") ||
        (strlen(f->path) > 2 && !strcmp(f->path + strlen(f->path) - 3, "/..")))
        return err_set(e, -EINVAL, "%s: the path \"%s\" contains \"..\"; write it without", f->place, f->path);
    if (f->directory && kinds)
        return err_set(e, -EINVAL, "%s: \"%s\" is a directory and cannot have contents", f->place, f->path);
    if (f->symlink && *f->symlink && f->source && *f->source)
        return err_set(e, -EINVAL, "%s: \"%s\" is a symlink and cannot have a source", f->place, f->path);
    if (kinds > 1)
        return err_set(e, -EINVAL,
                       "%s: \"%s\" has more than one of \"contents\", \"source\" and \"metadata\"; keep one", f->place,
                       f->path);
    if (!f->directory && !(f->symlink && *f->symlink) && !kinds)
        return err_set(e, -EINVAL, "%s: \"%s\" has no contents; add \"contents\", \"source\" or \"symlink\"", f->place,
                       f->path);
    return 0;
}

/* Without leading, trailing and double slashes and "."; kept in the entry. NULL: no memory. */
static const char *clean_path(json_t *entry) {
    const char *p = string_of(entry, "path");
    AUTO_FREE char *clean = calloc(1, p ? strlen(p) + 1 : 1);
    size_t len = 0;

    while (clean && p && *p) {
        size_t n = strcspn(p, "/");
        if (n && !(n == 1 && *p == '.')) {
            if (len)
                clean[len++] = '/';
            memcpy(clean + len, p, n);
            len += n;
        }
        p += n + (p[n] == '/');
    }
    if (!clean || json_object_set_new(entry, "@path", json_string(clean)) < 0)
        return NULL;
    return string_of(entry, "@path");
}

static int take_file(struct config_file *f, json_t *entry, struct err *e) {
    const char *mode = string_of(entry, "mode");

    *f = (struct config_file){
        .path = clean_path(entry),
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
    f->mode = f->directory ? 0700 : 0600;
    if (mode && *mode) {
        if (strspn(mode, "01234567") != strlen(mode) || strlen(mode) > 5)
            return err_set(e, -EINVAL, "%s: the mode \"%s\" is not an octal number; write it like \"0644\"", f->place,
                           mode);
        f->mode = (uint32_t)strtoul(mode, NULL, 8) & 07777;
    }
    return check_file(f, e);
}

static int take_files(struct config *c, struct err *e) {
    const json_t *list = json_object_get(c->doc, "files");
    json_t *entry;
    size_t i;

    c->files = calloc(json_array_size(list) + 1, sizeof(*c->files));
    if (!c->files)
        return err_errno(e, -ENOMEM, "could not hold the files");
    json_array_foreach(list, i, entry) {
        int r = take_file(&c->files[c->files_len++], entry, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int take_init(struct config *c, struct err *e) {
    const json_t *list = json_object_get(c->doc, "init"), *entry;
    size_t i;

    c->init = calloc(json_array_size(list) + 1, sizeof(*c->init));
    if (!c->init)
        return err_errno(e, -ENOMEM, "could not hold the init images");
    json_array_foreach(list, i, entry) {
        c->init[c->init_len++] = json_string_value(entry);
    }
    return 0;
}

static int take_all(struct config *c, struct err *e) {
    const json_t *kernel = json_object_get(c->doc, "kernel");
    const json_t *volume = json_array_get(json_object_get(c->doc, "volumes"), 0);

    if (volume)
        return err_set(e, -ENOTSUP, "%s: volumes cannot be built yet; remove \"volumes\"", string_of(volume, "@"));
    c->kernel.image = string_of(kernel, "image");
    c->kernel.cmdline = string_of(kernel, "cmdline");
    c->kernel.binary = string_of(kernel, "binary");
    c->kernel.tar = string_of(kernel, "tar");
    c->kernel.ucode = string_of(kernel, "ucode");
    int r = take_init(c, e);
    for (int s = 0; s < SECTION_COUNT && !r; s++)
        r = take_containers(c, (enum section)s, e);
    return r ? r : take_files(c, e);
}

int config_read(const char *const *paths, size_t paths_len, struct config *out, struct err *e) {
    *out = (struct config){.doc = json_object()};
    int r = out->doc ? 0 : err_errno(e, -ENOMEM, "could not hold the configuration");

    for (size_t i = 0; i < paths_len && !r; i++)
        r = read_one(paths[i], out->doc, e);
    if (!r)
        r = take_all(out, e);
    if (r < 0)
        config_free(out);
    return r;
}

void config_free(struct config *c) {
    free(c->init);
    free(c->files);
    for (int s = 0; s < SECTION_COUNT; s++)
        free(c->containers[s]);
    json_decref(c->doc);
    *c = (struct config){0};
}

json_t *config_copy_plain(const json_t *value) {
    json_t *copy = NULL, *item;
    const char *key;
    size_t i;

    if (json_is_object(value)) {
        copy = json_object();
        /* jansson's iteration wants a pointer that is not const; it changes nothing */
        for (void *it = json_object_iter((json_t *)(uintptr_t)value); it;
             it = json_object_iter_next((json_t *)(uintptr_t)value, it)) {
            key = json_object_iter_key(it);
            if (*key != '@' && json_object_set_new(copy, key, config_copy_plain(json_object_iter_value(it))) < 0)
                break;
        }
        return copy;
    }
    if (!json_is_array(value))
        return json_deep_copy(value);
    copy = json_array();
    json_array_foreach(value, i, item) {
        if (json_array_append_new(copy, config_copy_plain(item)) < 0)
            break;
    }
    return copy;
}

int config_user_id(const struct config *c, const json_t *value, uint32_t *id, struct err *e) {
    const char *name = json_string_value(value);
    uint32_t next = FIRST_USER_ID;
    bool known = false;

    *id = 0;
    if (json_is_integer(value)) {
        *id = (uint32_t)json_integer_value(value);
        if (json_integer_value(value) != *id)
            return err_set(e, -EINVAL, "%lld is not a user or group number", (long long)json_integer_value(value));
        return 0;
    }
    if (!name || !*name || !strcmp(name, "root"))
        return 0;
    for (int s = 0; s < SECTION_COUNT; s++)
        for (size_t i = 0; i < c->containers_len[s]; i++, next++)
            if (!strcmp(c->containers[s][i].name, name)) {
                *id = next;
                known = true;
            }
    return known ? 0
                 : err_set(e, -EINVAL, "no container is named \"%s\", so there is no such user; use a number", name);
}
