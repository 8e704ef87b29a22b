/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kernel` and `kernel.tar` from a Debian kernel package. The package has no module index, which the guest's init
 * needs: the modules are unpacked into a temporary folder, depmod(8) makes it, and all of them become the tar. Device
 * trees that are asked for are in it, too, where LinuxKit's kernels have theirs.
 */
#include <archive.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/spawn.h"
#include "lib/temp.h"
#include "tools/image/content.h"
#include "tools/image/tar.h"
#include "tools/output/output.h"
#include "tools/pkg/assemble.h"
#include "tools/pkg/debian.h"

#define DEPMOD "/sbin/depmod"
#define DEPMOD_TIMEOUT_MS (5 * 60 * 1000)
#define MODULES_DIR "lib/modules/"
#define TREES_FROM "usr/lib/linux-image-"     /* then RELEASE/VENDOR/BOARD.dtb */
#define COPYRIGHT "usr/share/doc/*/copyright" /* who passes the kernel on has to pass it on too */
#define DEPTH_MAX 32                          /* of folders below the temporary one; a kernel has about ten */

struct kernel {
    struct assembly *a;
    const struct deb *deb;
    struct layer_writer *w;
    const char *dir;   /* temporary: the modules, and tar */
    char release[128]; /* as in lib/modules/RELEASE */
    bool found;
    size_t trees; /* device trees that were taken */
};

static int unpack_file(const struct kernel *k, const char *name, const struct entry_content *content, struct err *e) {
    AUTO_FREE char *path = path_join(k->dir, name);
    AUTO_FREE char *parent = path ? strdup(path) : NULL;
    char chunk[65536];
    ssize_t n;

    if (!parent)
        return err_errno(e, -ENOMEM, "could not unpack %s", name);
    *strrchr(parent, '/') = '\0';
    int r = mkdir_p(parent, 0755, e);
    if (r < 0)
        return r;
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_errno(e, -errno, "could not create %s", path);
    while ((n = content->read(content->ctx, chunk, sizeof(chunk), e)) > 0)
        if ((r = write_full(fd, chunk, (size_t)n)) < 0)
            return err_errno(e, r, "could not write %s", path);
    return (int)n;
}

/* VENDOR/BOARD.dtb of a device tree that the recipe asks for; NULL: it is none. */
static const char *wanted_tree(const struct kernel *k, const char *path) {
    const json_t *globs = json_object_get(json_object_get(k->a->recipe->doc, "kernel"), "devicetrees");
    const char *name = !strncmp(path, TREES_FROM, strlen(TREES_FROM)) ? strchr(path + strlen(TREES_FROM), '/') : NULL;

    return name && recipe_matches(globs, name + 1) ? name + 1 : NULL;
}

static int unpack_tree(struct kernel *k, const char *name, const struct entry_content *content, struct err *e) {
    AUTO_FREE char *path = path_join(BOOT_TREES, name);

    k->trees++;
    return path ? unpack_file(k, path, content, e) : err_errno(e, -ENOMEM, "could not unpack %s", name);
}

static int add_kernel_entry(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    struct kernel *k = data;

    if (entry->type != ENTRY_FILE)
        return 0;
    if (!strncmp(entry->path, "boot/vmlinuz", 12)) {
        struct entry kernel = *entry;
        kernel.path = "kernel";
        k->found = true;
        return layer_writer_add(k->w, &kernel, content, e);
    }
    if (!fnmatch(COPYRIGHT, entry->path, 0))
        return layer_writer_add(k->w, entry, content, e);
    const char *tree = wanted_tree(k, entry->path);
    if (tree)
        return unpack_tree(k, tree, content, e);
    if (strncmp(entry->path, MODULES_DIR, strlen(MODULES_DIR)) != 0 ||
        !recipe_takes(k->a->recipe, "kernel", entry->path))
        return 0;
    const char *release = entry->path + strlen(MODULES_DIR);
    if (!*k->release)
        (void)snprintf(k->release, sizeof(k->release), "%.*s", (int)strcspn(release, "/"), release);
    return unpack_file(k, entry->path, content, e);
}

static int run_depmod(const struct kernel *k, struct err *e) {
    char reason[96];
    int status = 0;
    struct spawn s = SPAWN_INIT;

    s.argv = (const char *const[]){DEPMOD, "-b", k->dir, k->release, NULL};
    int r = spawn_wait(&s, DEPMOD_TIMEOUT_MS, &status, e);
    if (r == -ENOENT)
        return err_set(e, r, "could not run %s: install the package kmod", DEPMOD);
    return !r && status != 0 ? err_set(e, -EIO, "depmod %s", exit_reason(status, reason, sizeof(reason))) : r;
}

/* --- the tar --- */

static int tar_tree(struct archive *tar, const char *root, const char *path, unsigned depth, struct err *e);

static int tar_one(struct archive *tar, const char *root, const char *path, unsigned depth, struct err *e) {
    AUTO_FREE char *full = path_join(root, path);
    struct stat st;

    AUTO_CLOSE int fd = full ? open(full, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(e, -errno, "could not open %s", path);
    bool dir = S_ISDIR(st.st_mode);
    struct content_source source = content_fd(path, fd);
    const struct entry_content content = {content_read, &source};
    const struct entry entry = {.type = dir ? ENTRY_DIR : ENTRY_FILE,
                                .path = path,
                                .mode = dir ? 0755 : 0644,
                                .size = dir ? 0 : (uint64_t)st.st_size};
    int r = tar_write_entry(tar, &entry, &content, e);
    return r < 0 || !dir ? r : tar_tree(tar, root, path, depth + 1, e);
}

static int tar_tree(struct archive *tar, const char *root, const char *path, unsigned depth, struct err *e) {
    AUTO_NAMES struct names names = {0};
    AUTO_FREE char *full = path_join(root, path);

    if (depth > DEPTH_MAX)
        return err_set(e, -ENAMETOOLONG, "%s has folders more than %d deep", path, DEPTH_MAX);
    int r = full ? list_dir(full, &names, e) : err_errno(e, -ENOMEM, "could not read %s", path);

    for (size_t i = 0; i < names.len && !r; i++) {
        AUTO_FREE char *below = path_join(path, names.v[i]);
        r = below ? tar_one(tar, root, below, depth, e) : err_errno(e, -ENOMEM, "could not read %s", path);
    }
    return r;
}

static int write_tar(const struct kernel *k, int fd, struct err *e) {
    struct archive *tar = archive_write_new();
    int r = 0;

    if (!tar || archive_write_set_format_pax_restricted(tar) != ARCHIVE_OK || tar_open_fd(tar, &fd) < 0)
        r = err_errno(e, -ENOMEM, "could not write kernel.tar");
    if (!r && k->trees)
        r = tar_one(tar, k->dir, "boot", 0, e);
    if (!r)
        r = tar_one(tar, k->dir, "lib", 0, e);
    if (tar && archive_write_close(tar) != ARCHIVE_OK && !r)
        r = tar_error(tar, "kernel.tar", e);
    if (tar)
        (void)archive_write_free(tar);
    return r;
}

static int add_tar(const struct kernel *k, struct err *e) {
    AUTO_FREE char *path = path_join(k->dir, "kernel.tar");

    AUTO_CLOSE int fd = path ? open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return err_errno(e, -errno, "could not create kernel.tar");
    int r = write_tar(k, fd, e);
    if (!r && lseek(fd, 0, SEEK_SET) < 0)
        r = err_errno(e, -errno, "could not read kernel.tar");
    return r < 0 ? r : layer_add_fd(k->w, "kernel.tar", 0644, fd, e);
}

static int fill_kernel(struct layer_writer *w, void *data, struct err *e) {
    struct kernel *k = data;

    k->w = w;
    int r = deb_walk(k->deb, add_kernel_entry, k, e);
    if (!r && (!k->found || !*k->release))
        r = err_set(e, -EINVAL, "package %s has no kernel with modules in it", k->deb->package);
    if (!r && !k->trees && json_object_get(json_object_get(k->a->recipe->doc, "kernel"), "devicetrees"))
        r = err_set(e, -EINVAL, "package %s has none of the device trees", k->deb->package);
    if (!r)
        r = run_depmod(k, e);
    if (!r)
        r = add_tar(k, e);
    return r < 0 ? r : layer_add_deb_record(w, k->deb, e);
}

/* The package that a metapackage such as linux-image-cloud-amd64 stands for; NULL: it is none. */
static char *real_package(const struct deb *deb, struct err *e) {
    AUTO_BUF struct buf control = BUF_INIT;

    if (deb_control(deb, &control, e) < 0)
        return NULL;
    const char *depends = strstr(control.data, "\nDepends: linux-image-");
    if (!depends)
        return NULL;
    depends += strlen("\nDepends: ");
    return strndup(depends, strcspn(depends, " ,\n"));
}

static int with_package(struct assembly *a, const char *package, bool may_be_meta, struct err *e) {
    struct deb deb;
    AUTO_TEMP_DIR struct temp_dir dir = {""};
    struct kernel k = {.a = a, .deb = &deb, .dir = dir.path};

    int r = debian_fetch(a->deb_dir, a->arch, &package, 1, &deb, e);
    if (r < 0)
        return r;
    AUTO_FREE char *real = may_be_meta ? real_package(&deb, e) : NULL;
    if (real) {
        debs_free(&deb, 1);
        return with_package(a, real, false, e);
    }
    r = temp_dir_make(&dir, NULL, "keelson-kernel.", e);
    if (!r)
        r = assembly_layer(a, &deb, fill_kernel, &k, e);
    debs_free(&deb, 1);
    return r;
}

int assemble_kernel(struct assembly *a, struct err *e) {
    const json_t *kernel = json_object_get(a->recipe->doc, "kernel");

    AUTO_FREE char *package = assembly_expand(a, json_string_value(json_object_get(kernel, "package")));

    return package ? with_package(a, package, true, e) : err_errno(e, -ENOMEM, "could not name the kernel's package");
}
