/* SPDX-License-Identifier: Apache-2.0 */
/* Root file systems, which their own programs make tars of. */
#include <errno.h>
#include <stdio.h>

#include "lib/temp.h"
#include "tools/inspect/inspect_priv.h"
#include "tools/output/program.h"

/* fakeroot: an ordinary user cannot make device nodes, nor read what nobody may read. */
static const char erofs_to_tar[] = "exec fakeroot sh -c 'fsck.erofs --extract=\"$0/tree\" " PROGRAM_INPUT
                                   " >/dev/null && exec tar -C \"$0/tree\" -cf - .' "
                                   "\"$0\"";

static int read_tar_of(struct inspection *in, int fd, const char *const *argv, struct err *e) {
    AUTO_PROGRAM struct program p = PROGRAM_NONE;
    int r = program_open(&p, argv, fd, e);

    if (!r)
        r = archive_read_all(in, fileno(p.out), ARCHIVE_ROOT, e);
    if (r && r != -EBADMSG)
        return r;
    /* Why the program failed says more than that its tar is none. */
    struct err why = {0};
    int closed = p.out ? program_close(&p, &why) : 0;
    return closed < 0 ? err_set(e, closed, "%s", why.msg) : r;
}

int root_read_squashfs(struct inspection *in, int fd, struct err *e) {
    static const struct need need = {"sqfs2tar", "squashfs-tools-ng"};
    static const char *const argv[] = {"sqfs2tar", PROGRAM_INPUT, NULL};
    int r = need_check(&need, e);

    return r ? r : read_tar_of(in, fd, argv, e);
}

int root_read_erofs(struct inspection *in, int fd, struct err *e) {
    static const struct need needs[] = {{"fsck.erofs", "erofs-utils"}, {"fakeroot", "fakeroot"}, {"tar", "tar"}};
    AUTO_TEMP_DIR struct temp_dir dir = {""};
    const char *const argv[] = {"sh", "-c", erofs_to_tar, dir.path, NULL};
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(needs) && !r; i++)
        r = need_check(&needs[i], e);
    if (!r)
        r = temp_dir_make(&dir, NULL, "keelson-inspect.", e);
    return r ? r : read_tar_of(in, fd, argv, e);
}
