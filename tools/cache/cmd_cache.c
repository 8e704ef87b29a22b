/* SPDX-License-Identifier: Apache-2.0 */
/* `keelson cache`: options, then one of the commands. */
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "lib/log.h"
#include "tools/cache/cache.h"
#include "tools/cache/cache_priv.h"
#include "tools/cache/merge.h"
#include "tools/cli/options.h"
#include "tools/image/image.h"
#include "tools/registry/options.h"
#include "tools/registry/registry.h"

static const char usage[] =
    "usage: keelson cache ls [--json] [IMAGE]...            what is in the cache\n"
    "       keelson cache pull [--arch ARCH|all] IMAGE...   from a registry\n"
    "       keelson cache push [--arch ARCH] [--with-arch-tags] IMAGE [TO]   to a registry, as TO (--remote-name TO)\n"
    "       keelson cache import [--name IMAGE] FILE|-...   an OCI or docker-archive tar, or an OCI layout's folder\n"
    "       keelson cache export [--format oci|docker|filesystem] [--arch ARCH] [--name NAME] [-o FILE] IMAGE\n"
    "       keelson cache rm [--published-only] IMAGE...    forget images, and remove what nothing else needs\n"
    "       keelson cache clean [--published-only]          empty the cache\n"
    "       keelson cache gc                                remove what no image needs\n"
    "       keelson cache verify [--repair]                 read everything and compare it with its digest\n\n";

struct options {
    const char *cache, *arch, *name, *out;
    enum export_format format;
    bool json, repair, arch_tags, published_only;
    struct registry_flags registry;
};

static int take_format(void *to, const char *word) {
    static const char *const words[] = {
        [EXPORT_OCI] = "oci", [EXPORT_DOCKER] = "docker", [EXPORT_FILESYSTEM] = "filesystem"};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (!strcmp(word, words[i])) {
            *(enum export_format *)to = (enum export_format)i;
            return 0;
        }
    log_error("unknown format \"%s\"; use oci, docker or filesystem", word);
    return -EINVAL;
}

/* LinuxKit's --platform linux/ARCH is our --arch. */
static int take_platform(void *to, const char *word) {
    if (strncmp(word, "linux/", 6) != 0 || !word[6]) {
        log_error("unknown platform \"%s\"; use linux/ARCH", word);
        return -EINVAL;
    }
    *(const char **)to = word + 6;
    return 0;
}

/* 0: go on; 1: help was printed; negative: misuse, reported. */
static int parse_options(int argc, char **argv, struct options *o, int *first) {
    bool override; /* LinuxKit's: what we push always takes the name */
    const struct option_row rows[] = {
        OPTION_TEXT("cache", "DIR", o->cache,
                    "image cache (default: $KEELSON_CACHE, $LINUXKIT_CACHE, ~/.cache/keelson)"),
        OPTION_TEXT("arch", "ARCH", o->arch, NULL),
        OPTION_TAKE("platform", "PLATFORM", take_platform, o->arch, NULL),
        OPTION_TEXT("name", "NAME", o->name, NULL),
        OPTION_TEXT("remote-name", "NAME", o->name, NULL),
        {.name = "o", .letter = 'o', .argument = "FILE", .text = &o->out},
        OPTION_TEXT("outfile", "FILE", o->out, NULL),
        OPTION_TAKE("format", "FORMAT", take_format, o->format, NULL),
        OPTION_FLAG("json", o->json, NULL),
        OPTION_FLAG("repair", o->repair, NULL),
        OPTION_FLAG("with-arch-tags", o->arch_tags, NULL),
        OPTION_FLAG("published-only", o->published_only, "rm, clean: only images that their registry has, too"),
        OPTION_FLAG("override", override, NULL),
    };
    const struct option_table table = {.head = usage,
                                       .tail = REGISTRY_USAGE,
                                       .rows = rows,
                                       .len = ARRAY_SIZE(rows),
                                       .shared = registry_option_group(&o->registry)};

    *o = (struct options){.out = "-"};
    registry_flags_init(&o->registry);
    return options_read(&table, argc, argv, first);
}

static int do_ls(const struct options *o, const char *cache, char **words, size_t len, struct err *e) {
    return cache_ls(cache, words, len, o->json, e);
}

static int do_pull(const struct options *o, const char *cache, char **words, size_t len, struct err *e) {
    AUTO_REGISTRY struct registry *registry = NULL;
    const char *arch = !o->arch ? image_host_arch() : strcmp(o->arch, "all") ? o->arch : NULL;
    int r = registry_new(&o->registry.options, &registry, e);

    if (r < 0)
        return r;
    /* If one fails, the others are still pulled; the last failure is told by who called. */
    for (size_t i = 0; i < len; i++) {
        AUTO_REFERENCE struct reference ref = {0};
        struct err why = {0};
        int one = reference_parse(words[i], &ref, &why);
        if (!one)
            one = registry_pull(registry, cache, &ref, arch, &why);
        if (one < 0 && r < 0)
            log_error("%s", e->msg);
        if (one < 0)
            r = err_set(e, one, "%s", why.msg);
    }
    return r;
}

/* TAG-ARCH for each platform of an index that the cache has. */
static int push_arch_tags(struct registry *registry, const char *cache, const char *from, const struct reference *to,
                          struct err *e) {
    AUTO_JSON json_t *arches = json_array();
    const json_t *arch;
    size_t i;
    int r = arches ? index_arches(cache, from, arches, e) : err_errno(e, -ENOMEM, "could not push %s", to->name);

    if (!r && !to->tag)
        r = err_set(e, -EINVAL, "--with-arch-tags needs a tag to add to, and %s has none", to->name);
    json_array_foreach(arches, i, arch) {
        AUTO_REFERENCE struct reference one = {0};
        AUTO_FREE char *name = NULL;
        if (!r && asprintf(&name, "%s/%s:%s-%s", to->registry, to->repository, to->tag, json_string_value(arch)) < 0) {
            name = NULL;
            r = err_errno(e, -ENOMEM, "could not push %s", to->name);
        }
        if (!r)
            r = reference_parse(name, &one, e);
        if (!r)
            r = registry_push(registry, cache, from, &one, json_string_value(arch), e);
    }
    return r;
}

static int do_push(const struct options *o, const char *cache, char **words, size_t len, struct err *e) {
    AUTO_REGISTRY struct registry *registry = NULL;
    AUTO_REFERENCE struct reference from = {0}, to = {0};
    int r = len > 2 || (o->name && len > 1)
                ? err_set(e, -EINVAL, "cache push takes an image, and what to push it as once")
                : registry_new(&o->registry.options, &registry, e);

    if (!r)
        r = reference_parse(words[0], &from, e);
    if (!r)
        r = reference_parse(o->name ? o->name : words[len - 1], &to, e);
    if (!r)
        r = registry_push(registry, cache, from.name, &to, o->arch, e);
    return r || !o->arch_tags ? r : push_arch_tags(registry, cache, from.name, &to, e);
}

static int do_import(const struct options *o, const char *cache, char **words, size_t len, struct err *e) {
    int r = 0;

    for (size_t i = 0; i < len && !r; i++)
        r = cache_import(cache, words[i], o->name, stdout, e);
    return r;
}

static int do_export(const struct options *o, const char *cache, char **words, size_t len, struct err *e) {
    const char *arch = o->arch;

    if (len != 1)
        return err_set(e, -EINVAL, "cache export takes one image");
    if (!arch && o->format != EXPORT_OCI)
        arch = image_host_arch();
    return cache_export(cache, words[0], arch && strcmp(arch, "all") != 0 ? arch : NULL, o->format, o->name, o->out, e);
}

/* words: NULL: all images. */
static int rm_published(const struct options *o, const char *cache, char **words, size_t len, struct err *e) {
    AUTO_REGISTRY struct registry *registry = NULL;
    int r = registry_new(&o->registry.options, &registry, e);

    return r ? r : cache_rm_published(cache, registry, words, len, e);
}

static int do_rm(const struct options *o, const char *cache, char **words, size_t len, struct err *e) {
    return o->published_only ? rm_published(o, cache, words, len, e)
                             : cache_rm(cache, (const char *const *)words, len, e);
}

static int do_clean(const struct options *o, const char *cache, char **words, size_t len, struct err *e) {
    (void)words;
    return o->published_only ? rm_published(o, cache, NULL, len, e) : cache_clean(cache, e);
}

static int do_gc(const struct options *o, const char *cache, char **words, size_t len, struct err *e) {
    (void)o;
    (void)words;
    (void)len;
    return cache_gc(cache, e);
}

static int do_verify(const struct options *o, const char *cache, char **words, size_t len, struct err *e) {
    (void)words;
    (void)len;
    return cache_verify(cache, o->repair, e);
}

static const struct command {
    const char *name;
    bool needs_word, takes_words;
    int (*fn)(const struct options *o, const char *cache, char **words, size_t len, struct err *e);
} commands[] = {
    {"ls", false, true, do_ls},        {"pull", true, true, do_pull},     {"push", true, true, do_push},
    {"import", true, true, do_import}, {"export", true, true, do_export}, {"rm", true, true, do_rm},
    {"clean", false, false, do_clean}, {"gc", false, false, do_gc},       {"verify", false, false, do_verify},
};

static int run(const struct command *c, int argc, char **argv) {
    AUTO_FREE char *cache = NULL;
    struct options o;
    struct err e = {0};
    int first, r = parse_options(argc, argv, &o, &first);

    if (r)
        return r > 0 ? 0 : EXIT_USAGE;
    size_t len = (size_t)(argc - first);
    if ((c->needs_word && !len) || (!c->takes_words && len)) {
        log_error("cache %s %s; see keelson cache --help", c->name, len ? "takes no image" : "needs an image");
        return EXIT_USAGE;
    }
    r = image_cache_dir(o.cache, &cache, &e);
    if (!r)
        r = c->fn(&o, cache, argv + first, len, &e);
    registry_flags_free(&o.registry);
    if (!r && fflush(stdout) != 0)
        r = err_errno(&e, -errno, "could not write to standard output");
    if (r < 0)
        log_error("%s", e.msg);
    return r < 0;
}

int cache_main(int argc, char **argv) {
    struct options o;
    int first;

    for (size_t i = 0; i < ARRAY_SIZE(commands) && argc > 1; i++)
        if (!strcmp(argv[1], commands[i].name))
            return run(&commands[i], argc - 1, argv + 1);
    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-help") || !strcmp(argv[1], "-h")))
        return parse_options(argc, argv, &o, &first) < 0;
    if (argc > 1)
        log_error("unknown command \"cache %s\"; see keelson cache --help", argv[1]);
    else
        (void)fputs(usage, stderr);
    return EXIT_USAGE;
}
