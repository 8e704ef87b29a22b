/* SPDX-License-Identifier: Apache-2.0 */
/* In the guest of a boot test: prints "PATH NAME=HEX" for each extended attribute of what is in a file system. */
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define FDS 16

static int look_at(const char *path, const struct stat *st, int type, struct FTW *place) {
    char names[4096];
    unsigned char value[4096];
    (void)st;
    (void)type;
    (void)place;
    ssize_t len = llistxattr(path, names, sizeof(names));
    for (const char *name = names; len > 0 && name < names + len; name += strlen(name) + 1) {
        ssize_t n = lgetxattr(path, name, value, sizeof(value));
        (void)printf("%s %s=", path, name);
        for (ssize_t i = 0; i < n; i++)
            (void)printf("%02x", value[i]);
        (void)putchar('\n');
    }
    return 0;
}

int main(int argc, char **argv) {
    return argc == 2 && nftw(argv[1], look_at, FDS, FTW_PHYS | FTW_MOUNT) == 0 ? 0 : 1;
}
