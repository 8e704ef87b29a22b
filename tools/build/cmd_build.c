/* SPDX-License-Identifier: Apache-2.0 */
/* `keelson build`: options, then read, build, write. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/temp.h"
#include "tools/build/build_priv.h"
#include "tools/build/progress.h"
#include "tools/cli/options.h"
#include "tools/image/tar.h"
#include "tools/output/format.h"
#include "tools/output/verify.h"
#include "tools/pkg/pkg.h"
#include "tools/registry/options.h"

#define TAR_HEADER 512
#define TAR_MAGIC_AT 257

struct options {
    const char *name, *dir, *output, *cache, *arch, *sbom_path;
    struct format_list formats;
    enum compression compression;
    uint64_t size_mib;
    int64_t sbom_time;
    enum root_kind root;
    bool dry_run, verify, decompress_kernel, no_sbom, sbom_current_time;
    struct registry_flags registry;
};

static const char usage[] =
    "usage: keelson build [OPTION]... FILE[.yml]...\n"
    "Builds a bootable appliance from linuxkit.yml files. Several files are merged; - is standard input.\n\n";

static const char *machine_arch(void) {
    static struct utsname u;

    if (uname(&u) < 0)
        return "amd64";
    if (!strcmp(u.machine, "x86_64"))
        return "amd64";
    return strcmp(u.machine, "aarch64") ? u.machine : "arm64";
}

static int take_compression(void *to, const char *word) {
    if (compression_parse(word, to) == 0)
        return 0;
    log_error("unknown compression \"%s\"; use " COMPRESSION_NAMES, word);
    return -EINVAL;
}

static int take_formats(void *to, const char *words) {
    struct err e = {0};
    int r = format_list_add(to, words, &e);

    if (r < 0)
        log_error("%s", e.msg);
    return r;
}

/* MiB, or with M or G at the end. */
static int take_size(void *to, const char *word) {
    size_t len = strlen(word), unit = len ? strcspn("MmGg", word + len - 1) : 4;
    AUTO_FREE char *digits = strndup(word, unit < 4 ? len - 1 : len);
    uint64_t *mib = to;

    if (!digits || parse_u64(digits, (uint64_t)1 << 24, mib) < 0 || *mib == 0) {
        log_error("could not understand --size %s: want a number of MiB, or one with M or G", word);
        return -EINVAL;
    }
    *mib *= unit == 2 || unit == 3 ? 1024 : 1;
    return 0;
}

static int take_root(void *to, const char *word) {
    static const char *const names[] = {
        [ROOT_INITRAMFS] = "initramfs", [ROOT_SQUASHFS] = "squashfs", [ROOT_EROFS] = "erofs"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (!strcmp(word, names[i])) {
            *(enum root_kind *)to = (enum root_kind)i;
            return 0;
        }
    log_error("unknown root \"%s\"; use initramfs, squashfs or erofs", word);
    return -EINVAL;
}

/* LinuxKit takes the images' files from the tar of an earlier build. Here what an image comes to is kept in the cache,
 * so that there is nothing to be taken; but who names a tar that is none should hear of it. */
static int take_input_tar(void *to, const char *word) {
    char head[TAR_HEADER];

    (void)to;
    AUTO_CLOSE int fd = open(word, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -errno : read_full(fd, head, sizeof(head));
    if (n < 0)
        log_error("could not read --input-tar %s: %s", word, strerror((int)-n));
    else if (n < (ssize_t)sizeof(head) || memcmp(head + TAR_MAGIC_AT, "ustar", 5) != 0)
        log_error("could not use --input-tar %s: it is no tar archive", word);
    else
        return 0;
    return -EINVAL;
}

/* 0: go on; 1: help was printed; negative: misuse, reported. */
static int read_options(int argc, char **argv, struct options *o, int *first) {
    const struct option_row rows[] = {
        OPTION_TEXT("name", "NAME", o->name, "prefix of the output files (default: the last file's name without .yml)"),
        OPTION_TEXT("dir", "DIR", o->dir, "directory for the output files (default: .)"),
        {.name = "o",
         .letter = 'o',
         .argument = "PATH",
         .text = &o->output,
         .help = "output path, of one format (default then: tar); - is standard output"},
        {.name = "format",
         .letter = 'f',
         .argument = "FORMAT",
         .take = take_formats,
         .to = &o->formats,
         .help = "several with commas, or several times: kernel+initrd (default), tar, tar-kernel-initrd,\n"
                 "kernel+squashfs, kernel+erofs, kernel+iso, docker, uki;\niso (BIOS and EFI, CD and USB stick), "
                 "iso-bios,\n"
                 "iso-efi, iso-efi-initrd; raw-bios, raw-efi, qcow2-bios, qcow2-efi, vmdk, vhd,\n"
                 "dynamic-vhd, aws, gcp, rpi3"},
        OPTION_TAKE("size", "SIZE", take_size, o->size_mib,
                    "of a disk: MiB, or with M or G (default: as small as it can be)"),
        OPTION_TAKE("compress", "METHOD", take_compression, o->compression,
                    "of the initrd: zstd (default), gzip, xz or none"),
        OPTION_TEXT("cache", "DIR", o->cache,
                    "image cache (default: $KEELSON_CACHE, $LINUXKIT_CACHE, ~/.cache/keelson)"),
        OPTION_TEXT("arch", "ARCH", o->arch, "amd64 or arm64 (default: this machine's)"),
        OPTION_TAKE("input-tar", "FILE", take_input_tar, *o,
                    "the tar of an earlier build; what is unchanged comes from the cache anyway"),
        OPTION_FLAG("dry-run", o->dry_run, "print the files, merged and checked, and stop there"),
        OPTION_TAKE("root", "KIND", take_root, o->root,
                    "initramfs (default): unpacked into memory; squashfs, erofs: it stays\ncompressed there"),
        OPTION_FLAG("decompress-kernel", o->decompress_kernel,
                    "the kernel as what is in it: of a bzImage an ELF file, of Image.gz an Image"),
        OPTION_FLAG("verify", o->verify, "build it twice, and fail if the bytes differ"),
        OPTION_FLAG("no-sbom", o->no_sbom, "put no SBOM into the appliance"),
        OPTION_TEXT("sbom-output", "PATH", o->sbom_path, "where it is in the appliance (default: sbom.spdx.json)"),
        OPTION_FLAG("sbom-current-time", o->sbom_current_time,
                    "date it now, instead of always the same; no two builds are the same then"),
    };
    const struct option_table table = {.head = usage,
                                       .tail = IMAGE_USAGE,
                                       .rows = rows,
                                       .len = ARRAY_SIZE(rows),
                                       .shared = image_option_group(&o->registry)};

    return options_read(&table, argc, argv, first);
}

/* As with LinuxKit what is empty is not given, and slashes at the end of a name are not a part of it. */
static int check_name(struct options *o) {
    if (o->name && !*o->name)
        o->name = NULL;
    if (o->output && !*o->output)
        o->output = NULL;
    if (!*o->dir)
        o->dir = ".";
    if (!o->name || o->name[strspn(o->name, "/")])
        return 0;
    log_error("could not use --name %s: want a name for the output files", o->name);
    return -EINVAL;
}

/* The same, with what follows from others. */
static int parse_options(int argc, char **argv, struct options *o, int *first) {
    *o = (struct options){.dir = ".",
                          .arch = machine_arch(),
                          .compression = COMPRESS_ZSTD,
                          .sbom_path = "sbom.spdx.json",
                          .sbom_time = DEFAULT_MTIME};
    registry_flags_init(&o->registry);
    int r = read_options(argc, argv, o, first);
    if (!r)
        r = check_name(o);
    if (!r && !o->formats.len)
        r = take_formats(&o->formats, o->output ? "tar" : "kernel+initrd");
    if (!r && o->sbom_current_time)
        o->sbom_time = time(NULL);
    if (!r && *first == argc) {
        log_error("which file? Give the name of a YAML file, or - for standard input");
        r = -EINVAL;
    }
    return r;
}

/* DIR/NAME, where NAME is the last file's without its folder and .yml. */
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
    while (len && name[len - 1] == '/')
        len--;
    AUTO_FREE char *stem = strndup(name, len);
    return stem ? path_join(o->dir, stem) : NULL;
}

/* A name without .yml is taken as it is if the file exists. */
static char *input_path(const char *word) {
    char *path = NULL;

    if (!strcmp(word, "-") || !strncmp(word, "http://", 7) || !strncmp(word, "https://", 8) || access(word, F_OK) == 0)
        return strdup(word);
    if (asprintf(&path, "%s.yml", word) < 0)
        return NULL;
    if (access(path, F_OK) == 0)
        return path;
    free(path);
    return strdup(word);
}

struct asked {
    const char *cache_dir, *arch;
    bool dry_run;
};

static int resolve_package(void *data, const char *folder, char **out, struct err *e) {
    const struct asked *a = data;

    return pkg_ref(folder, a->cache_dir, a->arch, out, e);
}

/* --dry-run finds what reading finds, as with LinuxKit: the files' sources may be on another machine. */
static int check(void *data, const struct config *c, struct problems *p, struct err *e) {
    const struct asked *a = data;

    return a->dry_run ? 0 : build_check(c, a->arch, p, e);
}

static int read_config(char **words, size_t len, struct asked asked, struct config *config, struct problems *p,
                       struct err *e) {
    const struct config_resolver resolver = {.package = resolve_package, .check = check, .data = &asked};
    AUTO_FREE char **paths = calloc(len + 1, sizeof(*paths));
    int r = paths ? 0 : err_errno(e, -ENOMEM, "could not read the files");

    for (size_t i = 0; i < len && !r; i++) {
        paths[i] = input_path(words[i]);
        if (!paths[i])
            r = err_errno(e, -ENOMEM, "could not read %s", words[i]);
    }
    if (!r)
        r = config_read((const char *const *)paths, len, &resolver, config, p, e);
    for (size_t i = 0; paths && i < len; i++)
        free(paths[i]);
    return r;
}

static struct format_order order_of(const struct options *o) {
    return (struct format_order){
        .arch = o->arch, .compression = o->compression, .size_mib = o->size_mib, .root = o->root};
}

struct outputs {
    struct output *v[FORMATS_MAX];
    size_t len;
};

static void outputs_free(struct outputs *outputs) {
    for (size_t i = 0; i < outputs->len; i++)
        output_free(outputs->v[i]);
    outputs->len = 0;
}

static int open_outputs(const struct options *o, const struct format_order *order, struct outputs *outputs,
                        struct err *e) {
    int r = 0;

    for (; outputs->len < o->formats.len && !r; outputs->len += !r)
        r = format_open(o->formats.names[outputs->len], order, &outputs->v[outputs->len], e);
    return r;
}

/* One build; base and path say where to. */
static int build_once(const struct options *o, struct build b, const char *base, const char *path, struct err *e) {
    struct format_order order = order_of(o);
    AUTO_SBOM struct sbom *sbom = NULL;
    AUTO(outputs_free) struct outputs outputs = {.len = 0};
    AUTO_PROGRESS_LINE struct progress_line *progress =
        progress_line_start(base, !log_shows(LOG_LEVEL_NOTICE) || log_shows(LOG_LEVEL_DEBUG));

    order.base = base;
    order.path = path;
    int r = open_outputs(o, &order, &outputs, e);
    if (!r && !o->no_sbom)
        r = sbom_new(b.cache_dir, &sbom, e);
    if (r < 0)
        return r;
    b.sbom = sbom;
    b.sbom_path = o->sbom_path;
    b.sbom_time = o->sbom_time;
    b.outputs = outputs.v;
    b.outputs_len = outputs.len;
    b.compression = o->compression;
    b.decompress_kernel = o->decompress_kernel;
    b.progress = progress;
    r = build_tree(&b, e);
    for (size_t i = 0; i < outputs.len && !r; i++) {
        progress_finish(progress, o->formats.names[i]);
        r = output_finish(outputs.v[i], e);
    }
    for (size_t i = 0; i < outputs.len && !r; i++)
        r = output_commit(outputs.v[i], e);
    return r;
}

/* The second build has the same names in a folder beside the first one's files. */
static int verify(const struct options *o, struct build b, const char *base, struct err *e) {
    const char *slash = strrchr(base, '/');
    AUTO_FREE char *dir = slash == base ? strdup("/") : slash ? strndup(base, (size_t)(slash - base)) : strdup(".");
    AUTO_TEMP_DIR struct temp_dir again = {""};

    int r = dir ? temp_dir_make_beside(&again, base, e) : err_errno(e, -ENOMEM, "could not verify %s", base);
    if (r < 0)
        return r;
    b.anew = true;
    AUTO_FREE char *second = path_join(again.path, slash ? slash + 1 : base);
    r = second ? build_once(o, b, second, o->output ? second : NULL, e)
               : err_errno(e, -ENOMEM, "could not verify %s", base);
    return r ? r : verify_same(dir, again.path, e);
}

static int print_config(const struct config *config, struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT;
    int r = config_print(config, &text, e);

    if (!r && text.data && (r = write_full(STDOUT_FILENO, text.data, text.len)) < 0)
        return err_errno(e, r, "could not print the configuration");
    return r;
}

/* What can be told from the options alone comes before anything is read. */
static int check_options(const struct options *o, struct err *e) {
    struct format_order order = order_of(o);
    char clean[ENTRY_PATH_MAX];

    order.path = o->output;
    if (o->verify && o->output && (!strcmp(o->output, "-") || temp_is_special(o->output)))
        return err_set(e, -EINVAL, "could not verify what goes to %s: it is no file",
                       strcmp(o->output, "-") ? o->output : "standard output");
    int r = format_list_check(&o->formats, &order, e);

    if (!r && !o->no_sbom && (entry_path_clean(o->sbom_path, clean, sizeof(clean), NULL) < 0 || !*clean))
        r = err_set(e, -EINVAL, "could not put an SBOM at \"%s\": want a path in the appliance", o->sbom_path);
    return r;
}

static int build(const struct options *o, char **words, size_t len, struct problems *p, struct err *e) {
    AUTO_CONFIG struct config config = {0};
    AUTO_REGISTRY struct registry *registry = NULL;
    AUTO_POLICY struct policy policy = {0};
    AUTO_JSON json_t *roots = json_object();
    AUTO_FREE char *cache = NULL;
    int r = o->dry_run ? 0 : check_options(o, e);

    if (!r)
        r = image_cache_dir(o->cache, &cache, e);
    if (!r)
        r = read_config(words, len, (struct asked){cache, o->arch, o->dry_run}, &config, p, e);
    if (r < 0)
        return r;
    if (o->dry_run)
        return print_config(&config, e);
    AUTO_FREE char *base = output_base(o, words[len - 1]);
    if (!r && (!base || !roots))
        r = err_errno(e, -ENOMEM, "could not open the output");
    if (!r)
        r = registry_new(&o->registry.options, &registry, e);
    if (!r)
        r = policy_load(o->registry.policy, &policy, e);
    if (r < 0)
        return r;
    const struct image_ensure ensure = {.cache_dir = cache,
                                        .arch = o->arch,
                                        .pull = o->registry.pull,
                                        .offline = o->registry.offline,
                                        .docker = o->registry.docker,
                                        .registry = registry,
                                        .policy = &policy,
                                        .trust = json_object_get(config.doc, "trust")};
    r = build_bring_images(&config, &ensure, roots, p, e);
    if (r < 0)
        return r;
    const struct build b = {.config = &config, .cache_dir = cache, .arch = o->arch, .roots = roots, .problems = p};
    r = build_once(o, b, base, o->output, e);
    if (r < 0 && !p->count)
        problems_add(p, e);
    return r || !o->verify ? r : verify(o, b, base, e);
}

/* Problems show their lines; what has none is one line. */
static void report(const struct problems *p, const struct err *e) {
    if (!p->count || !p->text.data) {
        log_error("%s", e->msg);
        return;
    }
    (void)write_full(STDERR_FILENO, p->text.data, p->text.len);
    if (p->count > PROBLEMS_MAX)
        log_error("and %u more", p->count - PROBLEMS_MAX);
}

int build_main(int argc, char **argv) {
    struct options o;
    AUTO_PROBLEMS struct problems p = {0};
    struct err e = {0};
    int first, r = parse_options(argc, argv, &o, &first);

    if (r)
        return r > 0 ? 0 : EXIT_USAGE;
    r = build(&o, argv + first, (size_t)(argc - first), &p, &e);
    registry_flags_free(&o.registry);
    if (r < 0)
        report(&p, &e);
    return r < 0;
}
