/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/pkg/builders.h"

#include <errno.h>
#include <string.h>

#include "lib/capture.h"

#define PLATFORM "linux/"
#define NODE_DEFAULT "linuxkit-builder"

static bool runs(const char *const *argv) {
    return capture(argv, true, NULL, NULL) == 0;
}
#define RUNS(...) runs((const char *const[]){__VA_ARGS__, NULL})

int builders_context(const char *list, const char *arch, char **out, struct err *e) {
    *out = NULL;
    for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',') {
        size_t len = strcspn(p, ",");
        const char *equals = memchr(p, '=', len), *name = p + strlen(PLATFORM);
        if (strncmp(p, PLATFORM, strlen(PLATFORM)) != 0 || !equals || equals <= name || equals + 1 == p + len ||
            equals[1] == '-')
            return err_set(e, -EINVAL, "could not use the builder \"%.*s\": it must be linux/ARCH=CONTEXT", (int)len,
                           p);
        size_t name_len = (size_t)(equals - name);
        if (strlen(arch) != name_len || memcmp(arch, name, name_len) != 0)
            continue;
        free(*out); /* the last word counts */
        *out = strndup(equals + 1, len - (size_t)(equals + 1 - p));
        if (!*out)
            return err_errno(e, -ENOMEM, "could not use the builders");
    }
    return 0;
}

/* What the option or the environment says; *out stays NULL if they say nothing. */
static int listed_context(const char *list, const char *arch, char **out, struct err *e) {
    const char *lists[] = {list, getenv("KEELSON_BUILDERS"), getenv("LINUXKIT_BUILDERS")};
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(lists) && !r && !*out; i++)
        r = builders_context(lists[i], arch, out, e);
    return r;
}

static int find_kind(bool has_context, enum builder_kind *kind, struct err *e) {
    const char *wanted = getenv("KEELSON_BUILDER");
    bool buildah = !wanted || !*wanted || !strcmp(wanted, "buildah");
    bool docker = !wanted || !*wanted || !strcmp(wanted, "docker");

    if (!buildah && !docker)
        return err_set(e, -EINVAL, "KEELSON_BUILDER is \"%s\"; it can be buildah or docker", wanted);
    if (has_context && !docker)
        return err_set(e, -EINVAL, "a context of docker is to build it, and KEELSON_BUILDER is buildah");
    if (buildah && !has_context && RUNS("buildah", "--version"))
        *kind = BUILDER_BUILDAH;
    else if (docker && RUNS("docker", "buildx", "version"))
        *kind = BUILDER_DOCKER;
    else
        return err_set(e, -ENOENT, "it has a Dockerfile, and there is %s",
                       docker && buildah && !has_context ? "neither buildah nor docker buildx"
                       : docker                          ? "no docker buildx"
                                                         : "no buildah");
    return 0;
}

int builder_find(const char *list, const char *arch, struct builder *out, struct err *e) {
    AUTO_FREE char *named = NULL;

    *out = (struct builder){.kind = BUILDER_DOCKER};
    int r = listed_context(list, arch, &out->context, e);
    if (!r)
        r = find_kind(out->context != NULL, &out->kind, e);
    if (r < 0 || out->kind != BUILDER_DOCKER)
        return r;
    if (out->context)
        return RUNS("docker", "context", "inspect", out->context)
                   ? 0
                   : err_set(e, -ENOENT, "docker has no context \"%s\", which is to build for linux/%s", out->context,
                             arch);
    if (asprintf(&named, "linuxkit-linux-%s", arch) < 0) {
        named = NULL;
        return err_errno(e, -ENOMEM, "could not find a builder");
    }
    if (RUNS("docker", "context", "inspect", named))
        out->context = steal_ptr(&named);
    return 0;
}

/* The option, or LinuxKit's variable. */
static const char *wish(const char *option, const char *variable) {
    const char *value = option ? option : getenv(variable);

    return value && *value ? value : NULL;
}

static int make_node(const struct builder *b, const char *image, const char *config, struct err *e) {
    AUTO_FREE char *option = NULL;
    const char *argv[14] = {"docker", "buildx", "create", "--name", b->node, "--driver", "docker-container"};
    size_t n = 7;

    if (image && asprintf(&option, "image=%s", image) < 0) {
        option = NULL;
        return err_errno(e, -ENOMEM, "could not make the builder %s", b->node);
    }
    if (option) {
        argv[n++] = "--driver-opt";
        argv[n++] = option;
    }
    if (config) {
        argv[n++] = "--config";
        argv[n++] = config;
    }
    if (b->context)
        argv[n++] = b->context;
    return runs(argv) ? 0
                      : err_set(e, -EIO, "docker buildx could not make the builder %s: docker buildx create --name %s",
                                b->node, b->node);
}

int builder_start(struct builder *b, const struct buildkit *want, bool dry_run, struct err *e) {
    const char *image = wish(want->image, "LINUXKIT_BUILDER_IMAGE");
    const char *config = wish(want->config, "LINUXKIT_BUILDER_CONFIG");
    const char *name = wish(want->name, "LINUXKIT_BUILDER_NAME");

    if (!name && !image && !config && !want->restart)
        return 0;
    if (b->kind != BUILDER_DOCKER)
        return err_set(e, -EINVAL,
                       "--builder-* are of docker buildx, and buildah builds it: set KEELSON_BUILDER=docker");
    if (name && *name == '-')
        return err_set(e, -EINVAL, "\"%s\" is no name of a builder", name);
    b->node = strdup(name ? name : NODE_DEFAULT);
    if (!b->node)
        return err_errno(e, -ENOMEM, "could not find a builder");
    bool there = RUNS("docker", "buildx", "inspect", b->node);
    if (dry_run || (there && !want->restart))
        return 0;
    if (there && !RUNS("docker", "buildx", "rm", b->node))
        return err_set(e, -EIO, "docker buildx could not remove the builder %s", b->node);
    return make_node(b, image, config, e);
}

void builder_free(struct builder *b) {
    free(b->context);
    free(b->node);
    *b = (struct builder){0};
}
