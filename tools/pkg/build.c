/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/pkg/build.h"

#include <errno.h>
#include <string.h>

#include "lib/capture.h"
#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/temp.h"
#include "tools/cache/archive.h"
#include "tools/cache/merge.h"
#include "tools/image/image.h"
#include "tools/image/layout.h"
#include "tools/pkg/assemble.h"
#include "tools/pkg/dockerfile.h"
#include "tools/pkg/git.h"
#include "tools/pkg/sbom.h"
#include "tools/pkg/tag.h"

static const char *const known_arches[] = {"amd64", "arm64", "riscv64", "s390x", "arm", "386", "ppc64le", "mips64le"};

/* "linux/amd64" or "amd64" in a list with commas. */
static bool lists(const char *list, const char *arch) {
    for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',') {
        size_t len = strcspn(p, ",");
        const char *word = !strncmp(p, "linux/", 6) ? p + 6 : p;
        if (strlen(arch) == len - (size_t)(word - p) && !strncmp(word, arch, strlen(arch)))
            return true;
    }
    return false;
}

int build_arches_check(const char *list, struct err *e) {
    char all[128] = "";
    size_t used = 0;

    for (size_t i = 0; i < ARRAY_SIZE(known_arches); i++)
        used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "", known_arches[i]);
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',') {
        AUTO_FREE char *word = strndup(p, strcspn(p, ","));
        bool known = false;
        for (size_t i = 0; word && i < ARRAY_SIZE(known_arches); i++)
            known = known || lists(word, known_arches[i]);
        if (!known)
            return err_set(e, -EINVAL, "unknown architecture \"%s\"; use %s", word ? word : "", all);
    }
    return 0;
}

void build_arches(const struct package *p, const struct build_options *o, struct arches *out) {
    out->len = 0;
    for (size_t i = 0; i < ARRAY_SIZE(known_arches); i++) {
        const char *arch = known_arches[i];
        bool wanted = o->platforms ? lists(o->platforms, arch) : !strcmp(arch, image_host_arch());
        if (wanted && recipe_has_arch(&p->recipe, arch) && !lists(o->skip_platforms, arch))
            out->v[out->len++] = arch;
    }
}

static int full_name(const struct package *p, const char *tag, const char *suffix, char **out, struct err *e) {
    AUTO_FREE char *name = NULL;

    if (asprintf(&name, "%s:%s%s%s", p->name, tag, *suffix ? "-" : "", suffix) < 0) {
        name = NULL;
        return err_errno(e, -ENOMEM, "could not name %s", p->name);
    }
    return image_ref_normalize(name, out, e);
}

/* Puts the manifest behind `from` for the platform into the index `to`, with an SBOM. */
static int publish(const struct build_options *o, const char *from, const char *to, const char *arch, struct err *e) {
    AUTO_IMAGE struct image *img = NULL;
    struct blob_desc manifest, attestation = {0};
    int r = index_manifest(o->cache_dir, from, arch, &manifest, e);

    if (!r && !o->no_sbom)
        r = image_open(o->cache_dir, from, arch, &img, e);
    if (!r && img)
        r = sbom_attest(o->cache_dir, img, &attestation, e);
    return r < 0 ? r : index_put(o->cache_dir, to, &manifest, arch, img ? &attestation : NULL, e);
}

/* Our own builder: from Debian packages, for any architecture that Debian has. */
static int build_own(const struct package *p, const struct build_options *o, const char *arch, char **tag,
                     struct err *e) {
    AUTO_FREE char *by_contents = NULL, *latest = NULL, *given = NULL;
    char hash[TAG_LEN + 1];
    int r = assemble(&p->recipe, o->cache_dir, arch, hash, e);

    if (!r)
        r = full_name(p, hash, "", &by_contents, e);
    if (!r)
        r = full_name(p, "latest", "", &latest, e);
    if (!r)
        r = publish(o, by_contents, by_contents, arch, e);
    if (!r)
        r = publish(o, by_contents, latest, arch, e);
    if (!r && p->tag) {
        r = full_name(p, p->tag, "", &given, e);
        if (!r)
            r = publish(o, by_contents, given, arch, e);
    }
    if (!r && !(*tag = strdup(p->tag ? p->tag : hash)))
        r = err_errno(e, -ENOMEM, "could not name %s", p->name);
    return r;
}

static bool can_pull(const struct build_options *o, const char *name, const char *arch) {
    AUTO_REFERENCE struct reference ref = {0};
    struct err e = {0};

    if (!o->pull || reference_parse(name, &ref, NULL) < 0)
        return false;
    if (registry_pull(o->registry, o->cache_dir, &ref, arch, &e) == 0)
        return true;
    log_info("%s; building it", e.msg);
    return false;
}

static int build_arch(const struct package *p, const struct build_options *o, const char *name, const char *arch,
                      struct err *e) {
    AUTO_FREE char *single = NULL;
    struct blob_desc there;

    if (!o->force && !o->dry_run && index_manifest(o->cache_dir, name, arch, &there, NULL) == 0) {
        log_info("%s for linux/%s is in the cache", name, arch);
        return 0;
    }
    if (!o->force && !o->dry_run && can_pull(o, name, arch))
        return 0;
    int r = full_name(p, p->tag, arch, &single, e);
    if (r < 0)
        return r;
    const struct dockerfile_build b = {.package = p,
                                       .cache_dir = o->cache_dir,
                                       .arch = arch,
                                       .name = single,
                                       .arg_files = o->arg_files,
                                       .arg_files_len = o->arg_files_len,
                                       .ssh = o->ssh,
                                       .ssh_len = o->ssh_len,
                                       .builders = o->builders,
                                       .buildkit = o->buildkit,
                                       .progress = o->progress,
                                       .pull_bases = o->pull_bases,
                                       .registry = o->registry,
                                       .dry_run = o->dry_run};
    r = dockerfile_build(&b, e);
    if (!r && !o->dry_run)
        r = publish(o, single, name, arch, e);
    if (!r && !o->dry_run)
        r = layout_unname(o->cache_dir, (const char *const[]){single}, 1, e);
    return r;
}

static int push_platforms(const struct package *p, const struct build_options *o, const char *name, const char *tag,
                          const struct arches *arches, struct err *e) {
    int r = 0;

    for (size_t i = 0; i < arches->len && !r; i++) {
        AUTO_FREE char *single = NULL;
        AUTO_REFERENCE struct reference one = {0};
        r = full_name(p, tag, arches->v[i], &single, e);
        if (!r)
            r = reference_parse(single, &one, e);
        if (!r)
            r = registry_push(o->registry, o->cache_dir, name, &one, arches->v[i], e);
    }
    return r;
}

/* A release that is there stays what it is. */
static int release_as(const struct package *p, const struct build_options *o, const struct reference *from,
                      const char *tag, struct err *e) {
    AUTO_FREE char *release = NULL;
    AUTO_REFERENCE struct reference to = {0};
    bool exists = false;
    int r = full_name(p, tag, "", &release, e);

    if (!r)
        r = reference_parse(release, &to, e);
    if (!r)
        r = registry_has(o->registry, &to, NULL, &exists, e);
    if (!r && exists)
        log_notice("%s is there already and stays as it is", release);
    return r || exists ? r : registry_tag(o->registry, o->cache_dir, from, &to, e);
}

/* The tag that was asked for, else, as LinuxKit does it, those that the repository's commit has. */
static int release_all(const struct package *p, const struct build_options *o, const struct reference *from,
                       struct err *e) {
    AUTO_BUF struct buf tags = BUF_INIT;

    if (o->release)
        return release_as(p, o, from, o->release, e);
    int r = o->push && p->dockerfile && p->in_git ? git_tags_here(p->dir, &tags, e) : 0;
    char *pos = tags.data, *tag;
    while (!r && pos && (tag = next_line(&pos)))
        if (*tag)
            r = release_as(p, o, from, tag, e);
    return r;
}

static int check_clean(const struct package *p, struct err *e) {
    return p->dirty
               ? err_set(e, -EINVAL, "could not push %s: its folder differs from the commit; commit it first", p->name)
               : 0;
}

static int push(const struct package *p, const struct build_options *o, const char *tag, const struct arches *arches,
                struct err *e) {
    AUTO_FREE char *name = NULL;
    AUTO_REFERENCE struct reference to = {0};
    int r = full_name(p, tag, "", &name, e);

    if (!r)
        r = reference_parse(name, &to, e);
    if (!r)
        r = push_platforms(p, o, name, tag, arches, e);
    if (!r && o->manifest)
        r = registry_merge(o->registry, o->cache_dir, &to, known_arches, ARRAY_SIZE(known_arches), e);
    return r ? r : release_all(p, o, &to, e);
}

/* Into Docker's own store, for --docker. */
static int load_docker(const struct package *p, const struct build_options *o, const char *tag, struct err *e) {
    AUTO_TEMP_DIR struct temp_dir temp = {0};
    AUTO_FREE char *name = NULL, *tar = NULL;
    int r = full_name(p, tag, "", &name, e);

    if (!r)
        r = temp_dir_make(&temp, NULL, "keelson-docker-", e);
    if (!r && !(tar = path_join(temp.path, "image.tar")))
        r = err_errno(e, -ENOMEM, "could not export %s", name);
    if (!r)
        r = cache_export(o->cache_dir, name, image_host_arch(), EXPORT_DOCKER, NULL, tar, e);
    if (r < 0)
        return r;
    r = capture((const char *const[]){"docker", "load", "--quiet", "--input", tar, NULL}, false, NULL, e);
    return r > 0 ? err_set(e, -EIO, "could not give %s to Docker: see its words above", name) : r;
}

static int build_all(const struct package *p, const struct build_options *o, const struct arches *arches, char **tag,
                     struct err *e) {
    AUTO_FREE char *name = NULL;
    int r = 0;

    if (!p->dockerfile && !o->no_build)
        return o->dry_run ? err_set(e, -EINVAL, "%s has no Dockerfile: there is nothing to show for --dry-run", p->name)
                          : build_own(p, o, arches->v[0], tag, e);
    if (p->dockerfile)
        r = full_name(p, p->tag, "", &name, e);
    for (size_t i = 0; i < arches->len && !r && !o->no_build; i++)
        r = build_arch(p, o, name, arches->v[i], e);
    AUTO_FREE char *ref = NULL;
    if (!r)
        r = package_ref(p, o->cache_dir, arches->v[0], &ref, e);
    if (!r && !(*tag = strdup(strrchr(ref, ':') + 1)))
        r = err_errno(e, -ENOMEM, "could not name %s", p->name);
    return r;
}

static int build_for(const struct package *p, const struct build_options *o, const struct arches *arches,
                     struct err *e) {
    AUTO_FREE char *tag = NULL;
    int r = build_all(p, o, arches, &tag, e);

    if (!r && o->push)
        r = push(p, o, tag, arches, e);
    if (!r && o->docker)
        r = load_docker(p, o, tag, e);
    if (!r && !o->dry_run && printf("%s:%s\n", p->name, tag) < 0)
        r = err_errno(e, -EIO, "could not write to standard output");
    return r;
}

int build_package(const struct package *p, const struct build_options *o, struct err *e) {
    struct arches arches;
    int r = o->push ? check_clean(p, e) : 0; /* before anything is built for nothing */

    if (r < 0)
        return r;
    build_arches(p, o, &arches);
    if (!arches.len)
        log_notice("%s: not for %s: skipped", p->name, o->platforms ? o->platforms : image_host_arch());
    if (p->dockerfile)
        return arches.len ? build_for(p, o, &arches, e) : 0;
    /* The tag is that of the contents, which each architecture has its own of. */
    for (size_t i = 0; i < arches.len && !r; i++)
        r = build_for(p, o, &(const struct arches){{arches.v[i]}, 1}, e);
    return r;
}

int build_manifest(const struct package *p, const struct build_options *o, struct err *e) {
    const struct arches none = {0};
    AUTO_FREE char *ref = NULL;
    int r = check_clean(p, e);
    struct build_options merge = *o;

    if (!r)
        r = package_ref(p, o->cache_dir, image_host_arch(), &ref, e);
    merge.manifest = true;
    return r < 0 ? r : push(p, &merge, strrchr(ref, ':') + 1, &none, e);
}
