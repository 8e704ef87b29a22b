/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "tools/output/bootable.h"

#define CHUNK ((size_t)64 << 10)

int parts_path(const struct parts *p, const char *name, char *out, struct err *e) {
    return snprintf(out, PATH_MAX, "%s/%s", p->dir, name) < PATH_MAX
               ? 0
               : err_errno(e, -ENAMETOOLONG, "could not create %s", name);
}

int parts_set_time(const char *path, struct err *e) {
    const struct timespec times[2] = {{.tv_sec = IMAGE_TIME}, {.tv_sec = IMAGE_TIME}};

    return utimensat(AT_FDCWD, path, times, 0) < 0 ? err_errno(e, -errno, "could not set the time of %s", path) : 0;
}

int parts_text(const struct parts *p, const char *name, const char *text, char *out, struct err *e) {
    int r = parts_path(p, name, out, e);

    if (!r)
        r = write_file_atomic(out, text, strlen(text), 0644, false, e);
    return r ? r : parts_set_time(out, e);
}

int parts_size(const char *path, uint64_t *size, struct err *e) {
    struct stat st;

    if (stat(path, &st) < 0)
        return err_errno(e, -errno, "could not open %s", path);
    *size = (uint64_t)st.st_size;
    return 0;
}

static int digest_file(EVP_MD_CTX *hash, const char *path, struct err *e) {
    AUTO_FREE char *chunk = malloc(CHUNK);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;

    if (fd < 0 || !chunk)
        return err_errno(e, fd < 0 ? -errno : -ENOMEM, "could not read %s", path);
    while ((n = read_full(fd, chunk, CHUNK)) > 0)
        if (EVP_DigestUpdate(hash, chunk, (size_t)n) != 1)
            return err_errno(e, -ENOMEM, "could not read %s", path);
    return n < 0 ? err_errno(e, (int)n, "could not read %s", path) : 0;
}

static int digest(struct parts *p, struct err *e) {
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    int r =
        hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 ? 0 : err_errno(e, -ENOMEM, "could not start sha256");

    if (!r)
        r = digest_file(hash, p->kernel, e);
    if (!r)
        r = digest_file(hash, p->initrd, e);
    if (!r &&
        (EVP_DigestUpdate(hash, p->cmdline, strlen(p->cmdline)) != 1 || EVP_DigestFinal_ex(hash, p->id, NULL) != 1))
        r = err_errno(e, -ENOMEM, "could not finish sha256");
    EVP_MD_CTX_free(hash);
    return r;
}

/* The text on one line. */
static int read_cmdline(struct parts *p, const char *path, struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT;
    int r = read_file(path, CHUNK, &text, e);

    while (!r && text.len > 0 && strchr("\n ", text.data[text.len - 1]))
        text.data[--text.len] = '\0';
    if (!r && text.len > CMDLINE_MAX)
        return err_set(e, -E2BIG, "could not use kernel.cmdline: it has %zu bytes, and the kernel takes %d", text.len,
                       CMDLINE_MAX);
    for (size_t i = 0; !r && i < text.len; i++)
        p->cmdline[i] = text.data[i];
    for (char *c = p->cmdline; *c; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
    return r;
}

static int check_kernel(const struct parts *p, struct err *e) {
    struct bootable b;
    int r = access(p->kernel, F_OK) == 0
                ? bootable_look(p->kernel, &b, e)
                : err_set(e, -ENOENT, "could not make a bootable image: the YAML has no kernel");

    if (!r && b.kind != BOOTABLE_KERNEL)
        return err_set(e, -EINVAL, "could not use the kernel: it is neither an x86 bzImage nor an arm64 Image");
    if (!r && strcmp(b.arch, p->arch) != 0)
        return err_set(e, -EINVAL, "could not use the kernel: it is for %s, and the appliance for %s", b.arch, p->arch);
    return r;
}

int parts_load(struct parts *p, const char *dir, const char *base, const char *arch, struct err *e) {
    char cmdline[PATH_MAX];

    p->arch = arch;
    if (snprintf(p->dir, sizeof(p->dir), "%s", dir) >= (int)sizeof(p->dir) ||
        snprintf(p->kernel, PATH_MAX, "%s-kernel", base) >= PATH_MAX ||
        snprintf(p->initrd, PATH_MAX, "%s-initrd.img", base) >= PATH_MAX ||
        snprintf(cmdline, PATH_MAX, "%s-cmdline", base) >= PATH_MAX)
        return err_errno(e, -ENAMETOOLONG, "could not open %s", base);
    int r = check_kernel(p, e);
    if (!r)
        r = read_cmdline(p, cmdline, e);
    return r ? r : digest(p, e);
}

void parts_uuid(const struct parts *p, unsigned n, char *out) {
    unsigned char b[16];

    for (size_t i = 0; i < sizeof(b); i++)
        b[i] = (unsigned char)(p->id[i] ^ p->id[i + 16] ^ (i == 15 ? n : 0));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* as if it were a random one: version 4, variant 1 */
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    (void)snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
                   b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

uint32_t parts_serial(const struct parts *p) {
    return (uint32_t)p->id[0] << 24 | (uint32_t)p->id[1] << 16 | (uint32_t)p->id[2] << 8 | p->id[3];
}
