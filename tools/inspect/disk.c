/* SPDX-License-Identifier: Apache-2.0 */
/* Disks: sfdisk tells their partitions, mtools read the FAT in them, qemu-img makes other formats raw. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/temp.h"
#include "tools/inspect/inspect_priv.h"
#include "tools/output/bootable.h"
#include "tools/output/program.h"

#define LISTING_MAX ((size_t)1 << 20)
#define CHUNK ((size_t)64 << 10)
#define ROOT_OF_FAT "::/"

/* All that a program prints. */
static int read_all(FILE *f, struct buf *out, struct err *e) {
    size_t n;

    do {
        char *room = buf_reserve(out, CHUNK);
        if (!room || out->len > LISTING_MAX)
            return err_errno(e, -E2BIG, "could not list its files");
        n = fread(room, 1, CHUNK, f);
        buf_commit(out, n);
    } while (n > 0);
    return ferror(f) ? err_errno(e, -EIO, "could not list its files") : 0;
}

/* A file of the file system, by its name in the listing. */
static int read_file_of_fat(struct inspection *in, int fd, const char *target, const char *name, struct err *e) {
    payload_fn *read = payload_on_medium(name + strlen(ROOT_OF_FAT));
    const char *const argv[] = {"mtype", "-i", target, name, NULL};
    AUTO_PROGRAM struct program p = PROGRAM_NONE;

    if (!read)
        return 0;
    int r = program_open(&p, argv, fd, e);
    if (!r)
        r = read(in, p.out, e);
    return r ? r : program_close(&p, e);
}

static int read_fat(struct inspection *in, int fd, uint64_t offset, struct err *e) {
    AUTO_BUF struct buf listing = BUF_INIT;
    AUTO_PROGRAM struct program p = PROGRAM_NONE;
    char target[64];
    const char *const argv[] = {"mdir", "-/", "-b", "-i", target, ROOT_OF_FAT, NULL};

    (void)snprintf(target, sizeof(target), PROGRAM_INPUT "@@%llu", (unsigned long long)offset);
    int r = program_open(&p, argv, fd, e);
    if (!r)
        r = read_all(p.out, &listing, e);
    if (!r)
        r = program_close(&p, e);
    for (char *pos = listing.data, *line; !r && pos && (line = next_line(&pos));)
        if (!strncmp(line, ROOT_OF_FAT, strlen(ROOT_OF_FAT)))
            r = read_file_of_fat(in, fd, target, line, e);
    return r;
}

static bool is_fat(const char *type) {
    static const char *const types[] = {"1", "4", "6", "b", "c", "e", "ef", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"};

    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (!strcasecmp(type, types[i]))
            return true;
    return false;
}

static int read_table(int fd, json_t **table, struct err *e) {
    static const char *const argv[] = {"sfdisk", "--json", PROGRAM_INPUT, NULL};
    AUTO_PROGRAM struct program p = PROGRAM_NONE;
    int r = program_open(&p, argv, fd, e);

    if (r < 0)
        return r;
    *table = json_loadf(p.out, JSON_DISABLE_EOF_CHECK, NULL);
    r = program_close(&p, e);
    return r || *table ? r : err_set(e, -EBADMSG, "could not read its partition table: sfdisk printed something else");
}

static int read_partition(struct inspection *in, int fd, const json_t *partition, json_int_t sector, uint64_t size,
                          struct err *e) {
    const char *type = json_string_value(json_object_get(partition, "type"));
    json_int_t start = json_integer_value(json_object_get(partition, "start"));
    json_int_t len = json_integer_value(json_object_get(partition, "size"));

    if (!type || !is_fat(type))
        return 0;
    if (start <= 0 || len <= 0 || sector <= 0 || (uint64_t)(start + len) > size / (uint64_t)sector)
        return err_set(e, -EBADMSG, "it is cut off: its partition ends behind it");
    return read_fat(in, fd, (uint64_t)start * (uint64_t)sector, e);
}

int disk_read(struct inspection *in, int fd, struct err *e) {
    static const struct need needs[] = {{"sfdisk", "fdisk"}, {"mdir", "mtools"}, {"mtype", "mtools"}};
    AUTO_JSON json_t *doc = NULL;
    struct bootable b = {.arch = ""};
    struct stat st = {.st_size = 0};
    size_t i;
    json_t *partition;
    int r = 0;

    for (i = 0; i < ARRAY_SIZE(needs) && !r; i++)
        r = need_check(&needs[i], e);
    if (!r && (fstat(fd, &st) < 0 || bootable_look_fd(fd, &b) < 0))
        r = err_errno(e, -EIO, "could not read it");
    if (!r)
        r = read_table(fd, &doc, e);
    if (r < 0)
        return r;
    in->bios = b.bios;
    in->efi = b.efi;
    const json_t *table = json_object_get(doc, "partitiontable");
    const json_t *sector = json_object_get(table, "sectorsize");
    json_array_foreach(json_object_get(table, "partitions"), i, partition) {
        r = read_partition(in, fd, partition, sector ? json_integer_value(sector) : 512, (uint64_t)st.st_size, e);
        if (r < 0 || payload_found(in))
            break;
    }
    return r || payload_found(in) ? r
                                  : err_set(e, -ENOENT, "none of its partitions has a kernel where keelson puts it");
}

int disk_convert(struct inspection *in, int fd, const char *format, struct err *e) {
    static const struct need need = {"qemu-img", "qemu-utils"};
    const char *const argv[] = {"qemu-img", "convert", "-f", format, "-O", "raw", PROGRAM_INPUT, PROGRAM_OUTPUT, NULL};
    int r = need_check(&need, e);

    if (r < 0)
        return r;
    AUTO_CLOSE int raw = temp_unnamed(e);
    r = raw < 0 ? raw : program_run_on(argv, fd, raw, e);
    return r ? r : disk_read(in, raw, e);
}
