/* SPDX-License-Identifier: Apache-2.0 */
/* `keelson pkg build` and `keelson pkg show-tag`. */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "tools/image/image.h"
#include "tools/pkg/assemble.h"
#include "tools/pkg/pkg.h"
#include "tools/pkg/recipe.h"
#include "tools/pkg/tag.h"

#define EXIT_USAGE 100

#ifdef __aarch64__
#define HOST_ARCH "arm64"
#else
#define HOST_ARCH "amd64"
#endif

static const char usage[] =
    "usage: keelson pkg build [OPTION]... DIR...\n"
    "       keelson pkg show-tag [OPTION]... DIR...\n"
    "build makes an image of each folder's build.yml and puts it into the image cache; needs neither root nor Docker.\n"
    "show-tag prints ORG/IMAGE:TAG of each folder's image in the cache, as it was built last.\n\n"
    "  --cache DIR   image cache (default: $KEELSON_CACHE, $LINUXKIT_CACHE, ~/.cache/keelson)\n"
    "  --org ORG     organisation in the images' names (default: the build.yml's, else keelson)\n"
    "  --help        this text\n";

struct options {
    const char *cache, *org;
};

/* 0: go on; 1: help was printed; -1: misuse, reported. */
static int parse_options(int argc, char **argv, struct options *o) {
    static const struct option longs[] = {{"cache", required_argument, NULL, 'c'},
                                          {"org", required_argument, NULL, 'o'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int c;

    *o = (struct options){0};
    while ((c = getopt_long_only(argc, argv, "h", longs, NULL)) != -1) {
        if (c == 'c')
            o->cache = optarg;
        else if (c == 'o')
            o->org = optarg;
        else if (c == 'h')
            return fputs(usage, stdout) < 0 ? -1 : 1;
        else
            return -1;
    }
    return 0;
}

/* What a command does with a folder. tag: TAG_LEN + 1 bytes. */
typedef int recipe_fn(const struct recipe *r, const char *cache_dir, const char *arch, char *tag, struct err *e);

static int show_tag(const struct recipe *r, const char *cache_dir, const char *arch, char *tag, struct err *e) {
    return tag_find(cache_dir, r->org, r->image, arch, tag, e);
}

static int do_one(recipe_fn *fn, const char *dir, const char *cache_dir, const struct options *o, struct err *e) {
    AUTO_RECIPE struct recipe recipe;
    char tag[TAG_LEN + 1];

    int r = recipe_load(dir, &recipe, e);
    if (r < 0)
        return r;
    if (o->org)
        recipe.org = o->org;
    if (!recipe_has_arch(&recipe, HOST_ARCH)) {
        log_notice("%s/%s: not for %s: skipped", recipe.org, recipe.image, HOST_ARCH);
        return 0;
    }
    r = fn(&recipe, cache_dir, HOST_ARCH, tag, e);
    if (!r && printf("%s/%s:%s\n", recipe.org, recipe.image, tag) < 0)
        r = err_errno(e, -errno, "could not write to standard output");
    return r;
}

static int do_all(recipe_fn *fn, int argc, char **argv) {
    AUTO_FREE char *cache_dir = NULL;
    struct options o;
    struct err e = {0};
    int status = 0;

    int r = parse_options(argc, argv, &o);
    if (r != 0)
        return r < 0 ? EXIT_USAGE : 0;
    if (optind == argc) {
        log_error("no folder given; see keelson pkg --help");
        return EXIT_USAGE;
    }
    if (image_cache_dir(o.cache, &cache_dir, &e) < 0) {
        log_error("%s", e.msg);
        return 1;
    }
    for (int i = optind; i < argc; i++)
        if (do_one(fn, argv[i], cache_dir, &o, &e) < 0) {
            log_error("%s", e.msg);
            status = 1;
        }
    return fflush(stdout) != 0 ? 1 : status;
}

int pkg_main(int argc, char **argv) {
    static const struct {
        const char *name;
        recipe_fn *fn;
    } commands[] = {{"build", assemble}, {"show-tag", show_tag}};

    for (size_t i = 0; i < ARRAY_SIZE(commands) && argc > 1; i++)
        if (!strcmp(argv[1], commands[i].name))
            return do_all(commands[i].fn, argc - 1, argv + 1);
    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-help") || !strcmp(argv[1], "-h")))
        return fputs(usage, stdout) < 0;
    log_error("unknown command \"pkg %s\"; use pkg build or pkg show-tag", argc > 1 ? argv[1] : "");
    return EXIT_USAGE;
}
