/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/metadata.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/temp.h"
#include "tools/output/program.h"

#define EXIT_USAGE 100

static const char usage[] = "usage: keelson metadata create ISO TEXT\n"
                            "       keelson metadata create ISO --file FILE\n"
                            "Writes the CD with user data for an appliance: TEXT, or what is in FILE.\n";

int metadata_write(const char *iso, const void *data, size_t len, struct err *e) {
    const struct need xorriso = {"xorriso", "xorriso"};
    AUTO_TEMP_DIR struct temp_dir dir = {""};
    AUTO_FREE char *config = NULL, *made = NULL, *date = NULL;
    AUTO_BUF struct buf image = BUF_INIT;
    int r = need_check(&xorriso, e);

    if (!r)
        r = temp_dir_make(&dir, NULL, "keelson-metadata.", e);
    if (r < 0)
        return r;
    if (asprintf(&config, "%s/config", dir.path) < 0 || asprintf(&made, "%s.iso", dir.path) < 0 ||
        asprintf(&date, "=%d", IMAGE_TIME) < 0)
        return err_errno(e, -ENOMEM, "could not write %s", iso);
    const char *const argv[] = {"xorriso",
                                "-as",
                                "mkisofs",
                                "-quiet",
                                "-o",
                                made,
                                "-V",
                                "config",
                                "-J",
                                "-r",
                                "--modification-date=2017041816300000",
                                "--set_all_file_dates",
                                date,
                                dir.path,
                                NULL};
    r = write_file_atomic(config, data, len, 0644, false, e);
    if (!r)
        r = program_run(argv, NULL, e);
    if (!r)
        r = read_file(made, BUF_DEFAULT_MAX, &image, e);
    (void)remove(made);
    return r ? r : temp_file_write(iso, image.data, image.len, e);
}

int metadata_main(int argc, char **argv) {
    AUTO_BUF struct buf data = BUF_INIT;
    struct err e = {0};

    if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-help")))
        return fputs(usage, stdout) < 0;
    bool file = argc == 5 && (!strcmp(argv[3], "--file") || !strcmp(argv[3], "-file"));
    if ((argc != 4 && !file) || strcmp(argv[1], "create") != 0) {
        (void)fputs(usage, stderr);
        return EXIT_USAGE;
    }
    int r = file ? read_file(argv[4], METADATA_MAX, &data, &e) : buf_puts(&data, argv[3]);
    if (!r)
        r = metadata_write(argv[2], data.data ? data.data : "", data.len, &e);
    if (r < 0)
        log_error("%s", *e.msg ? e.msg : "could not write the CD: out of memory");
    return r < 0;
}
