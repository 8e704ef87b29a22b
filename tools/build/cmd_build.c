/* SPDX-License-Identifier: Apache-2.0 */
/* `keelson build`: options, then read, build, write. */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sys/utsname.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "tools/build/build.h"
#include "tools/image/image.h"

#define EXIT_USAGE 100

struct options {
    const char *name, *dir, *output, *format, *cache, *arch;
    enum compression compression;
    bool dry_run;
};

static const char usage[] =
    "usage: keelson build [OPTION]... FILE[.yml]...\n"
    "Builds a bootable appliance from linuxkit.yml files. Several files are merged; - is standard input.\n\n"
    "  --name NAME          prefix of the output files (default: the first file's name without .yml)\n"
    "  --dir DIR            directory for the output files (default: .)\n"
    "  -o, --o PATH         output path: the prefix, or the file for the tar format; - is standard output\n"
    "  -f, --format FORMAT  kernel+initrd (default) or tar\n"
    "  --compress METHOD    of the initrd: zstd (default), gzip or none\n"
    "  --cache DIR          image cache (default: $KEELSON_CACHE, $LINUXKIT_CACHE, ~/.cache/keelson)\n"
    "  --arch ARCH          amd64 or arm64 (default: this machine's)\n"
    "  --dry-run            check the files, and stop there\n"
    "  --no-sbom            accepted; no SBOM is made\n"
    "  --help               this text\n";

static const char *machine_arch(void) {
    static struct utsname u;

    if (uname(&u) < 0)
        return "amd64";
    if (!strcmp(u.machine, "x86_64"))
        return "amd64";
    return strcmp(u.machine, "aarch64") ? u.machine : "arm64";
}

static int parse_compression(const char *word, enum compression *out) {
    static const char *const words[] = {[COMPRESS_NONE] = "none", [COMPRESS_ZSTD] = "zstd", [COMPRESS_GZIP] = "gzip"};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (!strcmp(word, words[i])) {
            *out = (enum compression)i;
            return 0;
        }
    log_error("unknown compression \"%s\"; use zstd, gzip or none", word);
    return -EINVAL;
}

/* 0: go on; 1: help was printed; negative: misuse, reported. */
static int parse_options(int argc, char **argv, struct options *o) {
    enum { OPT_NAME = 256, OPT_DIR, OPT_CACHE, OPT_ARCH, OPT_COMPRESS, OPT_DRY_RUN, OPT_NO_SBOM };
    static const struct option longs[] = {
        {"name", required_argument, NULL, OPT_NAME},
        {"dir", required_argument, NULL, OPT_DIR},
        {"o", required_argument, NULL, 'o'},
        {"format", required_argument, NULL, 'f'},
        {"cache", required_argument, NULL, OPT_CACHE},
        {"arch", required_argument, NULL, OPT_ARCH},
        {"compress", required_argument, NULL, OPT_COMPRESS},
        {"dry-run", no_argument, NULL, OPT_DRY_RUN},
        {"no-sbom", no_argument, NULL, OPT_NO_SBOM},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c;

    *o = (struct options){.dir = ".", .format = "kernel+initrd", .arch = machine_arch(), .compression = COMPRESS_ZSTD};
    while ((c = getopt_long_only(argc, argv, "o:f:h", longs, NULL)) != -1) {
        switch (c) {
        case OPT_NAME:
            o->name = optarg;
            break;
        case OPT_DIR:
            o->dir = optarg;
            break;
        case 'o':
            o->output = optarg;
            break;
        case 'f':
            o->format = optarg;
            break;
        case OPT_CACHE:
            o->cache = optarg;
            break;
        case OPT_ARCH:
            o->arch = optarg;
            break;
        case OPT_COMPRESS:
            if (parse_compression(optarg, &o->compression) < 0)
                return -EINVAL;
            break;
        case OPT_DRY_RUN:
            o->dry_run = true;
            break;
        case OPT_NO_SBOM:
            break;
        case 'h':
            return fputs(usage, stdout) < 0 ? -EIO : 1;
        default:
            log_error("see keelson build --help");
            return -EINVAL;
        }
    }
    if (optind == argc) {
        log_error("which file? Give the name of a YAML file, or - for standard input");
        return -EINVAL;
    }
    return 0;
}

/* DIR/NAME, where NAME is the first file's without its folder and .yml. */
static char *output_base(const struct options *o, const char *file) {
    const char *slash = strrchr(file, '/');
    const char *name = o->name ? o->name : !strcmp(file, "-") ? "stdin" : slash ? slash + 1 : file;
    size_t len = strlen(name);

    if (o->output)
        return strdup(o->output);
    if (!o->name && len > 4 && !strcmp(name + len - 4, ".yml"))
        len -= 4;
    else if (!o->name && len > 5 && !strcmp(name + len - 5, ".yaml"))
        len -= 5;
    AUTO_FREE char *stem = strndup(name, len);
    return stem ? path_join(o->dir, stem) : NULL;
}

/* A name without .yml is taken as it is if the file exists. */
static char *input_path(const char *word) {
    char *path = NULL;

    if (!strcmp(word, "-") || access(word, F_OK) == 0)
        return strdup(word);
    if (asprintf(&path, "%s.yml", word) < 0)
        return NULL;
    if (access(path, F_OK) == 0)
        return path;
    free(path);
    return strdup(word);
}

static int read_config(char **words, size_t len, struct config *config, struct err *e) {
    AUTO_FREE char **paths = calloc(len + 1, sizeof(*paths));
    int r = paths ? 0 : err_errno(e, -ENOMEM, "could not read the files");

    for (size_t i = 0; i < len && !r; i++) {
        paths[i] = input_path(words[i]);
        if (!paths[i])
            r = err_errno(e, -ENOMEM, "could not read %s", words[i]);
    }
    if (!r)
        r = config_read((const char *const *)paths, len, config, e);
    for (size_t i = 0; paths && i < len; i++)
        free(paths[i]);
    return r;
}

static int open_output(const struct options *o, const char *first, struct output **out, struct err *e) {
    AUTO_FREE char *base = output_base(o, first);
    AUTO_FREE char *tar = NULL;

    if (!base)
        return err_errno(e, -ENOMEM, "could not open the output");
    if (!strcmp(o->format, "kernel+initrd") && o->output && !strcmp(o->output, "-"))
        return err_set(e, -EINVAL,
                       "could not write kernel+initrd to standard output: it is three files; use --format tar");
    if (!strcmp(o->format, "kernel+initrd"))
        return output_kernel_initrd_new(base, o->compression, out, e);
    if (strcmp(o->format, "tar") != 0)
        return err_set(e, -EINVAL, "could not make format \"%s\": only kernel+initrd and tar are known", o->format);
    if (!o->output && asprintf(&tar, "%s.tar", base) < 0)
        return err_errno(e, -ENOMEM, "could not open the output");
    return output_tar_new(tar ? tar : base, out, e);
}

static int build(const struct options *o, char **words, size_t len, struct err *e) {
    AUTO_CONFIG struct config config = {0};
    AUTO_OUTPUT struct output *output = NULL;
    AUTO_FREE char *cache = NULL;
    int r = read_config(words, len, &config, e);

    if (r < 0 || o->dry_run)
        return r;
    r = image_cache_dir(o->cache, &cache, e);
    if (!r)
        r = open_output(o, words[0], &output, e);
    if (r < 0)
        return r;
    const struct build b = {.config = &config, .cache_dir = cache, .arch = o->arch, .output = output};
    r = build_tree(&b, e);
    return r ? r : output_finish(output, e);
}

int build_main(int argc, char **argv) {
    struct options o;
    struct err e = {0};
    int r = parse_options(argc, argv, &o);

    if (r)
        return r > 0 ? 0 : EXIT_USAGE;
    if (build(&o, argv + optind, (size_t)(argc - optind), &e) < 0) {
        log_error("%s", e.msg);
        return 1;
    }
    return 0;
}
