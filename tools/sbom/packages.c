/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/sbom/packages.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/array.h"
#include "lib/buf.h"
#include "lib/fdutil.h"

static char *dup_or_null(const char *s) {
    return s ? strdup(s) : NULL;
}

static int add_package(struct packages *p, const struct package *package) {
    if (!package->name || !package->version)
        return 0;
    if (ARRAY_ROOM(p->v, p->len, p->cap) < 0)
        return -ENOMEM;
    struct package *n = &p->v[p->len++];
    *n = (struct package){.name = strdup(package->name),
                          .version = strdup(package->version),
                          .arch = dup_or_null(package->arch),
                          .kind = package->kind};
    return n->name && n->version && (n->arch || !package->arch) ? 0 : -ENOMEM;
}

static int add_owned(struct packages *p, const char *dir, const char *name, const char *owner) {
    char *path = NULL;

    if (ARRAY_ROOM(p->owned, p->owned_len, p->owned_cap) < 0)
        return -ENOMEM;
    if (asprintf(&path, "%s%s%s", dir, *dir ? "/" : "", name) < 0)
        return -ENOMEM;
    p->owned[p->owned_len++] = (struct owned_path){.path = path, .owner = owner};
    return 0;
}

/* A copy of the name that lives as long as p; NULL: no memory. */
static const char *keep_owner(struct packages *p, const char *name, size_t len) {
    if (ARRAY_ROOM(p->owners, p->owners_len, p->owners_cap) < 0)
        return NULL;
    return p->owners[p->owners_len++] = strndup(name, len);
}

static char *value_of(char *line, const char *key) {
    size_t len = strlen(key);

    return strncmp(line, key, len) ? NULL : line + len;
}

/* Paragraphs, separated by empty lines. Packages whose files have been removed are in it too. */
static int take_dpkg(struct packages *p, const char *path, char *text) {
    struct package package = {.kind = "deb"};
    char *pos = text, *line;
    bool installed = true;
    int r = 0;

    (void)path;
    while (!r && (line = next_line(&pos))) {
        char *value;
        if (!*line) {
            r = installed ? add_package(p, &package) : 0;
            package = (struct package){.kind = "deb"};
            installed = true;
        } else if ((value = value_of(line, "Package: "))) {
            package.name = value;
        } else if ((value = value_of(line, "Version: "))) {
            package.version = value;
        } else if ((value = value_of(line, "Architecture: "))) {
            package.arch = value;
        } else if ((value = value_of(line, "Status: "))) {
            installed = strstr(value, " installed") != NULL;
        }
    }
    return r || !installed ? r : add_package(p, &package);
}

/* .../NAME.list or NAME:ARCH.list: an absolute path a line. */
static int take_dpkg_list(struct packages *p, const char *path, char *text) {
    const char *base = strrchr(path, '/') + 1;
    const char *owner = keep_owner(p, base, strlen(base) - strlen(".list"));
    char *pos = text, *line;
    int r = owner ? 0 : -ENOMEM;

    while (!r && (line = next_line(&pos)))
        r = *line == '/' && line[1] && strcmp(line, "/.") != 0 ? add_owned(p, "", line + 1, owner) : 0;
    return r;
}

/* status.d/NAME.md5sums: "DIGEST  PATH" a line, relative to the root. */
static int take_md5sums(struct packages *p, const char *path, char *text) {
    const char *base = strrchr(path, '/') + 1;
    const char *owner = keep_owner(p, base, strlen(base) - strlen(".md5sums"));
    char *pos = text, *line;
    int r = owner ? 0 : -ENOMEM;

    while (!r && (line = next_line(&pos))) {
        const char *name = strchr(line, ' ');
        name = name ? name + strspn(name, " */") : "";
        r = *name ? add_owned(p, "", name, owner) : 0;
    }
    return r;
}

/* Paragraphs: P: name, V: version, A: architecture, then F: a folder and R: the files in it. */
static int take_apk(struct packages *p, const char *path, char *text) {
    struct package package = {.kind = "apk"};
    const char *folder = "", *owner = NULL;
    char *pos = text, *line;
    int r = 0;

    (void)path;
    while (!r && (line = next_line(&pos))) {
        char *value = line + 2;
        if (!*line) {
            r = add_package(p, &package);
            package = (struct package){.kind = "apk"};
            folder = "";
            owner = NULL;
        } else if (line[1] != ':') {
            continue;
        } else if (*line == 'P') {
            package.name = value;
            owner = keep_owner(p, value, strlen(value));
            r = owner ? 0 : -ENOMEM;
        } else if (*line == 'V') {
            package.version = value;
        } else if (*line == 'A') {
            package.arch = value;
        } else if (*line == 'F') {
            folder = value;
        } else if (*line == 'R' && owner) {
            r = add_owned(p, folder, value, owner);
        }
    }
    return r ? r : add_package(p, &package);
}

static int take_os_release(struct packages *p, const char *path, char *text) {
    char *pos = text, *line;

    (void)path;
    while ((line = next_line(&pos))) {
        char *value = value_of(line, "ID=");
        if (!value)
            continue;
        value += strspn(value, "\"'");
        free(p->distribution);
        p->distribution = strndup(value, strcspn(value, "\"'"));
        return p->distribution ? 0 : -ENOMEM;
    }
    return 0;
}

static const struct database {
    const char *prefix, *suffix; /* the path, or what it begins and ends with */
    bool folder;
    int (*take)(struct packages *p, const char *path, char *text);
} databases[] = {
    {"var/lib/dpkg/status", "", false, take_dpkg},
    {"var/lib/dpkg/info/", ".list", true, take_dpkg_list},
    {"var/lib/dpkg/status.d/", ".md5sums", true, take_md5sums},
    {"var/lib/dpkg/status.d/", "", true, take_dpkg},
    {"lib/apk/db/installed", "", false, take_apk},
    {"usr/lib/apk/db/installed", "", false, take_apk},
    {"etc/os-release", "", false, take_os_release},
    {"usr/lib/os-release", "", false, take_os_release},
};

static const struct database *find_database(const char *path) {
    for (size_t i = 0; i < ARRAY_SIZE(databases); i++) {
        const struct database *d = &databases[i];
        size_t len = strlen(path), prefix = strlen(d->prefix), suffix = strlen(d->suffix);
        if (d->folder ? len > prefix + suffix && !strncmp(path, d->prefix, prefix) && !strchr(path + prefix, '/') &&
                            !strcmp(path + len - suffix, d->suffix)
                      : !strcmp(path, d->prefix))
            return d;
    }
    return NULL;
}

bool packages_want(const char *path) {
    return find_database(path) != NULL;
}

int packages_take(struct packages *p, const char *path, char *text, struct err *e) {
    const struct database *d = find_database(path);

    return d && d->take(p, path, text) < 0 ? err_errno(e, -ENOMEM, "could not hold the packages of %s", path) : 0;
}

int packages_add(struct packages *p, const char *name, const char *version, const char *kind, struct err *e) {
    const struct package package = {
        .name = (char *)(uintptr_t)name, .version = (char *)(uintptr_t)version, .kind = kind};

    return add_package(p, &package) < 0 ? err_errno(e, -ENOMEM, "could not hold the package %s", name) : 0;
}

static int compare(const char *a, const char *b) {
    return strcmp(a ? a : "", b ? b : "");
}

static int by_name(const void *a, const void *b) {
    const struct package *left = a, *right = b;
    int order = strcmp(left->name, right->name);

    order = order ? order : strcmp(left->version, right->version);
    return order ? order : compare(left->arch, right->arch);
}

static int by_path(const void *a, const void *b) {
    const struct owned_path *left = a, *right = b;
    int order = strcmp(left->path, right->path);

    return order ? order : strcmp(left->owner, right->owner);
}

void packages_end(struct packages *p) {
    size_t kept = 0;

    if (p->len)
        qsort(p->v, p->len, sizeof(*p->v), by_name);
    for (size_t i = 0; i < p->len; i++) { /* a root may have a database under two names */
        if (kept && by_name(&p->v[kept - 1], &p->v[i]) == 0) {
            free(p->v[i].name);
            free(p->v[i].version);
            free(p->v[i].arch);
        } else {
            p->v[kept++] = p->v[i];
        }
    }
    p->len = kept;
    if (p->owned_len)
        qsort(p->owned, p->owned_len, sizeof(*p->owned), by_path);
}

static const char *find_owned(const struct packages *p, const char *path) {
    size_t low = 0, high = p->owned_len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(p->owned[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < p->owned_len && !strcmp(p->owned[low].path, path) ? p->owned[low].owner : NULL;
}

size_t packages_find(const struct packages *p, const char *owner) {
    size_t len = strcspn(owner, ":");
    const char *arch = owner[len] ? owner + len + 1 : NULL;

    for (size_t low = 0, high = p->len; low < high;) {
        size_t middle = low + (high - low) / 2;
        int order = strncmp(p->v[middle].name, owner, len);
        order = order ? order : p->v[middle].name[len] != '\0';
        if (order < 0) {
            low = middle + 1;
        } else if (order > 0) {
            high = middle;
        } else {
            while (middle && !strncmp(p->v[middle - 1].name, owner, len) && !p->v[middle - 1].name[len])
                middle--;
            for (size_t i = middle; arch && i < p->len && !strcmp(p->v[i].name, p->v[middle].name); i++)
                if (compare(p->v[i].arch, arch) == 0)
                    return i;
            return middle;
        }
    }
    return PACKAGE_UNKNOWN;
}

size_t packages_owner(const struct packages *p, const char *path) {
    static const char *const merged[] = {"bin/", "sbin/", "lib/", "lib32/", "lib64/", "libx32/"};
    const char *owner = find_owned(p, path);
    bool in_usr = !strncmp(path, "usr/", 4);
    const char *rest = in_usr ? path + 4 : path;

    for (size_t i = 0; !owner && i < ARRAY_SIZE(merged); i++) {
        AUTO_FREE char *other = NULL;
        if (strncmp(rest, merged[i], strlen(merged[i])) != 0)
            continue;
        if (in_usr)
            owner = find_owned(p, rest);
        else if (asprintf(&other, "usr/%s", rest) >= 0)
            owner = find_owned(p, other);
    }
    return owner ? packages_find(p, owner) : PACKAGE_UNKNOWN;
}

/* As package URLs want it: what could be taken for a part of the URL as %XX. */
static int put_encoded(struct buf *b, const char *text) {
    int r = 0;

    for (; !r && *text; text++) {
        bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= '0' && *text <= '9') || strchr(".-_~", *text);
        r = plain ? buf_append(b, text, 1) : buf_printf(b, "%%%02X", (unsigned char)*text);
    }
    return r;
}

char *package_url(const struct packages *p, const struct package *package) {
    const char *otherwise = !strcmp(package->kind, "deb") ? "debian" : "alpine";
    struct buf url = BUF_INIT;
    int r = buf_printf(&url, "pkg:%s/", package->kind);

    if (!r)
        r = put_encoded(&url, p->distribution ? p->distribution : otherwise);
    if (!r)
        r = buf_puts(&url, "/");
    if (!r)
        r = put_encoded(&url, package->name);
    if (!r)
        r = buf_puts(&url, "@");
    if (!r)
        r = put_encoded(&url, package->version);
    if (!r && package->arch)
        r = buf_puts(&url, "?arch=");
    if (!r && package->arch)
        r = put_encoded(&url, package->arch);
    if (!r)
        return url.data; /* buf_free() would free just this */
    buf_free(&url);
    return NULL;
}

void packages_free(struct packages *p) {
    for (size_t i = 0; i < p->len; i++) {
        free(p->v[i].name);
        free(p->v[i].version);
        free(p->v[i].arch);
    }
    for (size_t i = 0; i < p->owned_len; i++)
        free(p->owned[i].path);
    for (size_t i = 0; i < p->owners_len; i++)
        free(p->owners[i]);
    free(p->v);
    free(p->owned);
    free(p->owners);
    free(p->distribution);
    *p = (struct packages){0};
}
