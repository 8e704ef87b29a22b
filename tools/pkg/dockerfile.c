/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/pkg/dockerfile.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "lib/capture.h"
#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/spawn.h"
#include "lib/temp.h"
#include "tools/cache/archive.h"
#include "tools/pkg/context.h"

#define WORDS_MAX 1024

/* A command line that owns its words. */
struct words {
    char *v[WORDS_MAX + 1];
    size_t len;
    bool failed;
};

static void words_free(struct words *w) {
    for (size_t i = 0; i < w->len; i++)
        free(w->v[i]);
}

static void PRINTF_LIKE(2, 3) add(struct words *w, const char *fmt, ...) {
    va_list args;

    va_start(args, fmt);
    if (w->len == WORDS_MAX || vasprintf(&w->v[w->len], fmt, args) < 0)
        w->failed = true;
    else
        w->len++;
    va_end(args);
}

static void add_pairs(struct words *w, const char *option, json_t *pairs) {
    const char *name;
    json_t *value;

    json_object_foreach(pairs, name, value) {
        add(w, "%s", option);
        add(w, "%s=%s", name, json_string_value(value));
    }
}

/*
 * buildah's chroot isolation, for places where containers cannot be made, knows no network of its own: the whole
 * builder is put into an empty one then.
 */
static bool is_chroot(void) {
    const char *isolation = getenv("BUILDAH_ISOLATION");

    return isolation && !strcmp(isolation, "chroot");
}

static void add_common(struct words *w, const struct dockerfile_build *b, const char *dockerfile, json_t *args,
                       json_t *labels) {
    const struct package *p = b->package;

    add(w, "--platform");
    add(w, "linux/%s", b->arch);
    if (p->no_cache)
        add(w, "--no-cache");
    for (size_t i = 0; i < b->ssh_len; i++) {
        add(w, "--ssh");
        add(w, "%s", b->ssh[i]);
    }
    add(w, "--file");
    add(w, "%s", dockerfile);
    add_pairs(w, "--build-arg", args);
    add_pairs(w, "--label", labels);
    add(w, "--tag");
    add(w, "%s", b->name);
}

static void buildah_words(struct words *w, const struct dockerfile_build *b, const char *dockerfile, json_t *args,
                          json_t *labels) {
    bool alone = !b->package->network;

    if (alone && is_chroot()) {
        add(w, "unshare");
        add(w, "--net");
    }
    add(w, "buildah");
    add(w, "build");
    add(w, "--format");
    add(w, "oci");
    add(w, "--network");
    add(w, "%s", alone && !is_chroot() ? "none" : "host");
    if (b->pull_bases)
        add(w, "--pull-always");
    add_common(w, b, dockerfile, args, labels);
}

static void docker(struct words *w, const struct builder *builder) {
    add(w, "docker");
    if (builder->context) {
        add(w, "--context");
        add(w, "%s", builder->context);
    }
}

/* Docker's usual driver writes no archives itself: the image goes to docker's store, and is saved from there. */
static void docker_words(struct words *w, const struct dockerfile_build *b, const struct builder *builder,
                         const char *dockerfile, json_t *args, json_t *labels) {
    docker(w, builder);
    add(w, "buildx");
    add(w, "build");
    if (builder->node) {
        add(w, "--builder");
        add(w, "%s", builder->node);
    }
    add(w, "--load");
    add(w, "--provenance=false");
    if (b->progress) {
        add(w, "--progress");
        add(w, "%s", b->progress);
    }
    if (b->pull_bases)
        add(w, "--pull");
    add(w, "--network");
    add(w, "%s", b->package->network ? "default" : "none");
    add_common(w, b, dockerfile, args, labels);
}

static int run(const struct words *w, struct err *e) {
    char reason[96];
    struct spawn s = SPAWN_INIT;
    int status = 0;

    if (w->failed)
        return err_set(e, -E2BIG, "could not run the builder: its command line is too long");
    s.argv = (const char *const *)w->v;
    s.stdout_fd = STDERR_FILENO; /* ours is for names */
    int r = spawn_wait(&s, BUILD_MS, &status, e);
    if (!r && status)
        r = err_set(e, -EIO, "%s %s; its words are above", w->v[0], exit_reason(status, reason, sizeof(reason)));
    return r;
}

/* As a shell takes it. */
static int print_word(const char *word) {
    if (*word && !word[strcspn(word, " \t\n'\"\\$`;&|<>()*?[]#~!{}")])
        return fputs(word, stdout);
    int r = putchar('\'');
    for (const char *p = word; *p && r != EOF; p++)
        r = *p == '\'' ? fputs("'\\''", stdout) : putchar(*p);
    return r == EOF ? EOF : putchar('\'');
}

static int print(const struct words *w, struct err *e) {
    for (size_t i = 0; i < w->len; i++)
        if (print_word(w->v[i]) == EOF || putchar(i + 1 < w->len ? ' ' : '\n') == EOF)
            return err_errno(e, -EIO, "could not write to standard output");
    return 0;
}

static int save(const struct dockerfile_build *b, const struct builder *builder, const char *tar, struct err *e) {
    AUTO(words_free) struct words w = {0};

    if (builder->kind == BUILDER_BUILDAH) {
        add(&w, "buildah");
        add(&w, "push");
        add(&w, "--quiet");
        add(&w, "%s", b->name);
        add(&w, "oci-archive:%s", tar);
    } else {
        docker(&w, builder);
        add(&w, "image");
        add(&w, "save");
        add(&w, "--output");
        add(&w, "%s", tar);
        add(&w, "%s", b->name);
    }
    return run(&w, e);
}

static int build_in(const struct dockerfile_build *b, const struct builder *builder, const char *context,
                    const char *tar, struct err *e) {
    const struct args_context c = {.cache_dir = b->cache_dir, .arch = b->arch};
    AUTO(words_free) struct words w = {0};
    AUTO_JSON json_t *args = NULL, *labels = NULL;
    AUTO_FREE char *dockerfile = path_join(context, b->package->dockerfile + strlen(b->package->dir) + 1);
    int r = args_build(b->package, &c, b->arg_files, b->arg_files_len, &args, e);

    if (!r)
        r = args_labels(b->package, &labels, e);
    if (!r && !dockerfile)
        r = err_errno(e, -ENOMEM, "could not run the builder");
    if (r < 0)
        return r;
    if (builder->kind == BUILDER_BUILDAH)
        buildah_words(&w, b, dockerfile, args, labels);
    else
        docker_words(&w, b, builder, dockerfile, args, labels);
    add(&w, "%s", context);
    if (b->dry_run)
        return print(&w, e);
    r = run(&w, e);
    if (!r)
        r = save(b, builder, tar, e);
    return r ? r : cache_import(b->cache_dir, tar, b->name, NULL, e);
}

int dockerfile_build(const struct dockerfile_build *b, struct err *e) {
    AUTO_TEMP_DIR struct temp_dir temp = {0};
    AUTO_BUILDER struct builder builder = {0};
    AUTO_FREE char *context = NULL, *tar = NULL;
    int r = builder_find(b->builders, b->arch, &builder, e);

    if (!r)
        r = builder_start(&builder, &b->buildkit, b->dry_run, e);
    if (!r)
        r = temp_dir_make(&temp, NULL, "keelson-build-", e);
    if (!r)
        r = context_make(b->package, b->cache_dir, b->arch, b->registry, temp.path, &context, e);
    if (!r && !(tar = path_join(temp.path, "image.tar")))
        r = err_errno(e, -ENOMEM, "could not build");
    if (!r)
        r = build_in(b, &builder, context, tar, e);
    return r < 0 ? err_wrap(e, r, "could not build %s", b->package->name) : 0;
}
