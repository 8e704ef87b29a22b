/* SPDX-License-Identifier: Apache-2.0 */
/* `keelson pkg`: options, then one of the commands. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "lib/log.h"
#include "tools/cli/options.h"
#include "tools/image/image.h"
#include "tools/pkg/build.h"
#include "tools/pkg/pkg.h"
#include "tools/pkg/update.h"
#include "tools/registry/options.h"

#define FILES_MAX 64

static const char usage[] =
    "usage: keelson pkg build [OPTION]... DIR...       make an image of each folder's build.yml, into the cache\n"
    "       keelson pkg push [OPTION]... DIR...        build --push\n"
    "       keelson pkg show-tag [OPTION]... DIR...    print ORG/IMAGE:TAG\n"
    "       keelson pkg manifest [OPTION]... DIR...    in the registry, one index of the images TAG-ARCH\n"
    "       keelson pkg remote-tag FROM TO             another name for an image in a registry\n"
    "       keelson pkg update --in FILE... DIR...     put the present tags into YAML files\n\n"
    "  --org ORG          organisation ($KEELSON_PKG_ORG, $LINUXKIT_PKG_ORG, else the build.yml's)\n"
    "  --hash HASH        instead of the git tree's; --dev: org $USER and hash dev\n"
    "  --hash-commit REV  commit whose tree is hashed (HEAD)\n"
    "  --hash-path DIR    folder that is hashed, one that contains the package's\n"
    "  --tag TEMPLATE     of the tag ({{.Hash}})\n"
    "  --force-dirty      take the folder as changed\n"
    "  --build-yml FILE   instead of build.yml\n"
    "  --canonical        show-tag: with docker.io/\n"
    "  --force            build although the cache has the image; --nobuild: do not build\n"
    "  --pull             take the image from the registry if that has it\n"
    "  --push             then send it to the registry; --release TAG: with this tag, too\n"
    "  --manifest=false   push without making the index\n"
    "  --platforms LIST   linux/amd64,... (default: this machine's); --skip-platforms LIST; --arch ARCH is the same\n"
    "  --network, --nonetwork, --disable-cache, --enable-cache   of a Dockerfile's build\n"
    "  --dockerfile FILE  instead of the build.yml's\n"
    "  --build-arg-file FILE   NAME=VALUE lines; may be repeated\n"
    "  --builders LIST    linux/ARCH=CONTEXT,...: docker's contexts that build ($KEELSON_BUILDERS, "
    "$LINUXKIT_BUILDERS)\n"
    "  --builder-name NAME, --builder-image IMAGE, --builder-config FILE, --builder-restart   docker buildx's builder\n"
    "  --ignore-cached    ask the registries for a Dockerfile's base images\n"
    "  --ssh SPEC, --progress KIND   are handed on to the builder; --progress to docker only\n"
    "  --no-sbom          attach no SBOM (--sbom-scanner=false)\n"
    "  --docker           give the image to Docker, too\n"
    "  --dry-run          print the builder's command line\n"
    "  --in FILE          update: a file to change; may be repeated\n"
    "  --cache DIR        image cache (default: $KEELSON_CACHE, $LINUXKIT_CACHE, ~/.cache/keelson)\n";

struct options {
    const char *cache;
    struct package_options package;
    struct build_options build;
    char *arg_files[FILES_MAX];
    char *in[FILES_MAX];
    char *ssh[FILES_MAX];
    size_t in_len;
    bool canonical;
    struct registry_flags registry;
};

struct list {
    char **to;
    size_t *len; /* at most FILES_MAX */
};

/* An option that may be repeated. */
static int take_repeated(void *to, const char *value) {
    const struct list *list = to;

    if (*list->len == FILES_MAX) {
        log_error("an option is given more than %d times", FILES_MAX);
        return -EINVAL;
    }
    list->to[(*list->len)++] = (char *)(uintptr_t)value;
    return 0;
}

/* A list with a word that is none would be a list without it. */
static int take_platforms(void *to, const char *list) {
    struct err e = {0};

    if (build_arches_check(list, &e) < 0) {
        log_error("%s", e.msg);
        return -EINVAL;
    }
    *(const char **)to = list;
    return 0;
}

static int take_scanner(void *to, const char *value) {
    *(bool *)to = !strcmp(value, "false");
    return 0;
}

/* Which options there are is in `usage`. */
static int read_options(int argc, char **argv, struct options *o, int *first) {
    struct list in = {o->in, &o->in_len}, arg_files = {o->arg_files, &o->build.arg_files_len},
                ssh = {o->ssh, &o->build.ssh_len};
    const struct option_row rows[] = {
        OPTION_TEXT("cache", "", o->cache, NULL),
        OPTION_TEXT("org", "", o->package.org, NULL),
        OPTION_TEXT("hash", "", o->package.hash, NULL),
        OPTION_TEXT("hash-commit", "", o->package.hash_commit, NULL),
        OPTION_TEXT("hash-path", "", o->package.hash_path, NULL),
        OPTION_TEXT("tag", "", o->package.tag, NULL),
        OPTION_TEXT("build-yml", "", o->package.build_yml, NULL),
        OPTION_TEXT("dockerfile", "", o->package.dockerfile, NULL),
        OPTION_TAKE("platforms", "", take_platforms, o->build.platforms, NULL),
        OPTION_TAKE("arch", "", take_platforms, o->build.platforms, NULL),
        OPTION_TAKE("skip-platforms", "", take_platforms, o->build.skip_platforms, NULL),
        OPTION_TEXT("release", "", o->build.release, NULL),
        OPTION_TEXT("builders", "", o->build.builders, NULL),
        OPTION_TEXT("builder-name", "", o->build.buildkit.name, NULL),
        OPTION_TEXT("builder-image", "", o->build.buildkit.image, NULL),
        OPTION_TEXT("builder-config", "", o->build.buildkit.config, NULL),
        OPTION_FLAG("builder-restart", o->build.buildkit.restart, NULL),
        OPTION_TEXT("progress", "", o->build.progress, NULL),
        OPTION_FLAG("force-dirty", o->package.force_dirty, NULL),
        OPTION_FLAG("dev", o->package.dev, NULL),
        OPTION_FLAG("disable-cache", o->package.disable_cache, NULL),
        OPTION_FLAG("enable-cache", o->package.enable_cache, NULL),
        OPTION_FLAG("network", o->package.network, NULL),
        OPTION_FLAG("nonetwork", o->package.no_network, NULL),
        OPTION_FLAG("canonical", o->canonical, NULL),
        OPTION_FLAG("force", o->build.force, NULL),
        OPTION_FLAG("pull", o->build.pull, NULL),
        OPTION_FLAG("ignore-cached", o->build.pull_bases, NULL),
        OPTION_FLAG("push", o->build.push, NULL),
        OPTION_FLAG("nobuild", o->build.no_build, NULL),
        OPTION_FLAG("no-sbom", o->build.no_sbom, NULL),
        OPTION_FLAG("docker", o->build.docker, NULL),
        OPTION_FLAG("dry-run", o->build.dry_run, NULL),
        OPTION_FLAG("manifest", o->build.manifest, NULL),
        OPTION_TAKE("in", "", take_repeated, in, NULL),
        OPTION_TAKE("build-arg-file", "", take_repeated, arg_files, NULL),
        OPTION_TAKE("ssh", "", take_repeated, ssh, NULL),
        OPTION_TAKE("sbom-scanner", "", take_scanner, o->build.no_sbom, NULL),
    };
    const struct option_table table = {.head = usage,
                                       .tail = REGISTRY_USAGE,
                                       .rows = rows,
                                       .len = ARRAY_SIZE(rows),
                                       .shared = registry_option_group(&o->registry)};

    return options_read(&table, argc, argv, first);
}

/* 0: go on; 1: help was printed; negative: misuse, reported. */
static int parse_options(int argc, char **argv, bool push, struct options *o, int *first) {
    *o = (struct options){.build = {.manifest = true, .push = push}};
    o->build.arg_files = o->arg_files;
    o->build.ssh = o->ssh;
    registry_flags_init(&o->registry);
    int r = read_options(argc, argv, o, first);
    if (!r && ((o->build.force && o->build.no_build) || (o->build.release && !o->build.push))) {
        log_error("%s", o->build.release ? "--release needs --push" : "--force and --nobuild do not go together");
        r = -EINVAL;
    }
    return r;
}

static int show_tag_of(const struct package *p, const struct options *o, const char *arch, struct err *e) {
    AUTO_FREE char *ref = NULL;
    int r = package_ref(p, o->build.cache_dir, arch, &ref, e);
    AUTO_FREE char *full = NULL;
    if (!r && o->canonical)
        r = image_ref_normalize(ref, &full, e);
    if (!r && printf("%s\n", full ? full : ref) < 0)
        r = err_errno(e, -EIO, "could not write to standard output");
    return r;
}

static int show_tag(const struct package *p, const struct options *o, struct err *e) {
    struct arches arches;
    int r = 0;

    if (p->dockerfile) /* one tag for all */
        return show_tag_of(p, o, image_host_arch(), e);
    build_arches(p, &o->build, &arches);
    if (!arches.len)
        log_notice("%s: not for %s: skipped", p->name, o->build.platforms ? o->build.platforms : image_host_arch());
    for (size_t i = 0; i < arches.len && !r; i++)
        r = show_tag_of(p, o, arches.v[i], e);
    return r;
}

static int build(const struct package *p, const struct options *o, struct err *e) {
    return build_package(p, &o->build, e);
}

static int manifest(const struct package *p, const struct options *o, struct err *e) {
    return build_manifest(p, &o->build, e);
}

/* What a command does with a folder's package. */
typedef int package_fn(const struct package *p, const struct options *o, struct err *e);

/* If one folder fails, the others are still done. */
static int each_folder(package_fn *fn, const struct options *o, char **dirs, size_t len) {
    int status = 0;

    for (size_t i = 0; i < len; i++) {
        AUTO_PACKAGE struct package p;
        struct err e = {0};
        int r = package_load(dirs[i], &o->package, &p, &e);
        if (!r)
            r = fn(&p, o, &e);
        if (r < 0) {
            log_error("%s", e.msg);
            status = 1;
        }
    }
    return status;
}

static int remote_tag(const struct options *o, char **names, size_t len, struct err *e) {
    AUTO_REFERENCE struct reference from = {0}, to = {0};
    int r = len == 2 ? 0 : err_set(e, -EINVAL, "pkg remote-tag takes two names: FROM TO");

    if (!r)
        r = reference_parse(names[0], &from, e);
    if (!r)
        r = reference_parse(names[1], &to, e);
    return r ? r : registry_tag(o->build.registry, o->build.cache_dir, &from, &to, e);
}

static int update(const struct options *o, char **dirs, size_t len, struct err *e) {
    char **refs = calloc(len + 1, sizeof(*refs));
    int r = !refs        ? err_errno(e, -ENOMEM, "could not update")
            : !o->in_len ? err_set(e, -EINVAL, "pkg update needs a file to change: --in FILE")
                         : 0;

    for (size_t i = 0; i < len && !r; i++) {
        AUTO_PACKAGE struct package p;
        r = package_load(dirs[i], &o->package, &p, e);
        if (!r)
            r = package_ref(&p, o->build.cache_dir, image_host_arch(), &refs[i], e);
    }
    for (size_t i = 0; i < o->in_len && !r; i++)
        r = update_file(o->in[i], (const char *const *)refs, len, e);
    for (size_t i = 0; refs && i < len; i++)
        free(refs[i]);
    free(refs);
    return r;
}

static const struct command {
    const char *name;
    package_fn *each; /* or: */
    int (*all)(const struct options *o, char **words, size_t len, struct err *e);
    bool push;
} commands[] = {
    {"build", build, NULL, false},       {"push", build, NULL, true},      {"show-tag", show_tag, NULL, false},
    {"manifest", manifest, NULL, false}, {"index", manifest, NULL, false}, {"remote-tag", NULL, remote_tag, false},
    {"update", NULL, update, false},
};

static int run(const struct command *c, struct options *o, char **words, size_t len) {
    AUTO_REGISTRY struct registry *registry = NULL;
    AUTO_FREE char *cache_dir = NULL;
    struct err e = {0};
    int r = image_cache_dir(o->cache, &cache_dir, &e);

    if (!r)
        r = registry_new(&o->registry.options, &registry, &e);
    o->build.cache_dir = cache_dir;
    o->build.registry = registry;
    if (!r && c->each)
        return each_folder(c->each, o, words, len);
    if (!r)
        r = c->all(o, words, len, &e);
    if (r < 0)
        log_error("%s", e.msg);
    return r < 0;
}

static int parse_and_run(const struct command *c, int argc, char **argv) {
    struct options o;
    int first, r = parse_options(argc, argv, c->push, &o, &first);

    if (r != 0)
        return r < 0 ? EXIT_USAGE : 0;
    if (first == argc) {
        log_error("no folder given; see keelson pkg --help");
        return EXIT_USAGE;
    }
    int status = run(c, &o, argv + first, (size_t)(argc - first));
    registry_flags_free(&o.registry);
    return fflush(stdout) != 0 ? 1 : status;
}

int pkg_main(int argc, char **argv) {
    struct options o;
    int first;

    for (size_t i = 0; i < ARRAY_SIZE(commands) && argc > 1; i++)
        if (!strcmp(argv[1], commands[i].name))
            return parse_and_run(&commands[i], argc - 1, argv + 1);
    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-help") || !strcmp(argv[1], "-h")))
        return parse_options(argc, argv, false, &o, &first) < 0;
    if (argc > 1)
        log_error("unknown command \"pkg %s\"; see keelson pkg --help", argv[1]);
    else
        (void)fputs(usage, stderr);
    return EXIT_USAGE;
}
