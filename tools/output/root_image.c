/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/root_image.h"

#include <errno.h>
#include <string.h>

#include "lib/fdutil.h"
#include "tools/output/settled.h"

#define IMAGE_TIME_TEXT "1492533000"                    /* IMAGE_TIME */
#define EROFS_ID "6b65656c-736f-4e00-8000-65726f667321" /* any: nothing looks for it */
#define ISO_DATE "2017041815300000"                     /* IMAGE_TIME */

/*
 * $0: the folder; $1: the image. What takes a folder gets one: in fakeroot, owners and devices in it are what the tar
 * says, and not what we may make.
 */
#define IN_A_TREE(command)                                                                                             \
    "exec fakeroot sh -ec 'umask 022; mkdir \"$0/tree\"; tar -C \"$0/tree\" -xpf \"$0/tree.tar\"; rm "                 \
    "\"$0/tree.tar\"; " command "; rm -rf \"$0/tree\"' \"$0\" \"$1\""

static const struct {
    const char *script;
    const struct need *needs;
} kinds[] = {
    [ROOT_INITRAMFS] = {"", (const struct need[]){{NULL, NULL}}},
    /* The root folder is its builder's, whatever it is told: a fakeroot's is root's. */
    [ROOT_SQUASHFS] = {"exec fakeroot sqfstar -quiet -no-progress -exit-on-error -reproducible -root-mode 0755 -comp "
                       "zstd \"$1\" <\"$0/tree.tar\"",
                       (const struct need[]){{"sqfstar", "squashfs-tools"}, {"fakeroot", "fakeroot"}, {NULL, NULL}}},
    [ROOT_EROFS] = {IN_A_TREE("mkfs.erofs --quiet -zlz4hc -C65536 -T" IMAGE_TIME_TEXT " -U" EROFS_ID
                              " \"$1\" \"$0/tree\""),
                    (const struct need[]){
                        {"mkfs.erofs", "erofs-utils"}, {"fakeroot", "fakeroot"}, {"tar", "tar"}, {NULL, NULL}}},
    [ROOT_ISO] = {IN_A_TREE("xorriso -as mkisofs -quiet -R -V ROOT -o \"$1\" --modification-date=" ISO_DATE
                            " --set_all_file_dates =" IMAGE_TIME_TEXT " \"$0/tree\""),
                  (const struct need[]){
                      {"xorriso", "xorriso"}, {"fakeroot", "fakeroot"}, {"tar", "tar"}, {NULL, NULL}}},
};

const struct need *root_image_needs(enum root_kind kind) {
    return kinds[kind].needs;
}

int root_image_open(struct root_image *r, const char *base, struct err *e) {
    int ret = temp_dir_make_beside(&r->dir, base, e);
    AUTO_FREE char *tar = ret ? NULL : path_join(r->dir.path, "tree.tar");
    if (!ret)
        ret = tar ? output_settled_new(tar, &r->tree, e) : err_errno(e, -ENOMEM, "could not write %s", base);
    return ret;
}

int root_image_add(struct root_image *r, const struct entry *entry, const struct entry_content *content,
                   const struct origin *origin, struct err *e) {
    int ret = attributes_note(&r->attributes, entry, e);

    return ret ? ret : output_add(r->tree, entry, content, origin, e);
}

int root_image_make(struct root_image *r, enum root_kind kind, char **path, struct err *e) {
    AUTO_FREE char *image = path_join(r->dir.path, "root.img");
    const char *const argv[] = {"sh", "-c", kinds[kind].script, r->dir.path, image, NULL};
    int ret = image ? output_complete(r->tree, e) : err_errno(e, -ENOMEM, "could not make the root");

    if (!ret && kind != ROOT_SQUASHFS)
        ret = attributes_warn(&r->attributes, NULL, "of roots in an image, only one of squashfs keeps them", e);
    if (!ret)
        ret = program_run(argv, NULL, e);
    if (!ret)
        *path = steal_ptr(&image);
    return ret;
}

void root_image_fini(struct root_image *r) {
    if (r->tree)
        output_free(r->tree);
    r->tree = NULL;
    attributes_fini(&r->attributes);
    temp_dir_remove(&r->dir);
}
