/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/pkg/sbom.h"

#include <errno.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/json.h"
#include "tools/pkg/assemble.h"
#include "tools/sbom/packages.h"

#define PREDICATE "https://spdx.dev/Document"
#define MEDIA_STATEMENT "application/vnd.in-toto+json"
#define MEDIA_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_CONFIG "application/vnd.oci.image.config.v1+json"

static int on_entry(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    AUTO_BUF struct buf text = {.max = PACKAGE_DATABASE_MAX};
    ssize_t n;

    if (entry->type != ENTRY_FILE || !packages_want(entry->path))
        return 0;
    do {
        void *to = buf_reserve(&text, 65536);
        if (!to)
            return err_set(e, -EFBIG, "%s is larger than %zu bytes", entry->path, PACKAGE_DATABASE_MAX);
        n = content->read(content->ctx, to, 65536, e);
        if (n > 0)
            buf_commit(&text, (size_t)n);
    } while (n > 0);
    return n < 0 || !text.len ? (int)n : packages_take(data, entry->path, text.data, e);
}

/* Our own builder has written down what it put in: NAME -> VERSION. NULL: another one made the image. */
static json_t *labelled(const struct image *img) {
    const json_t *labels = json_object_get(json_object_get(image_config(img), "config"), "Labels");
    const char *text = json_string_value(json_object_get(labels, LABEL_DEBIAN));

    return text ? json_loads(text, 0, NULL) : NULL;
}

static int list_packages(const struct image *img, struct packages *p, struct err *e) {
    AUTO_JSON json_t *versions = labelled(img);
    const char *name;
    json_t *version;
    int r = versions ? 0 : image_walk(img, on_entry, p, e);

    json_object_foreach(versions, name, version) {
        if (!r && json_is_string(version))
            r = packages_add(p, name, json_string_value(version), "deb", e);
    }
    packages_end(p);
    return r;
}

static json_t *spdx_package(const struct packages *p, size_t number) {
    const struct package *package = &p->v[number];
    AUTO_FREE char *url = package_url(p, package);
    json_t *id = json_sprintf("SPDXRef-Package-%zu", number);

    if (!url || !id)
        return NULL;
    return json_pack("{s:o, s:s, s:s, s:s, s:b, s:[{s:s, s:s, s:s}]}", "SPDXID", id, "name", package->name,
                     "versionInfo", package->version, "downloadLocation", "NOASSERTION", "filesAnalyzed", 0,
                     "externalRefs", "referenceCategory", "PACKAGE-MANAGER", "referenceType", "purl",
                     "referenceLocator", url);
}

static json_t *spdx_relation(const char *from, const char *what, const char *to) {
    return json_pack("{s:s, s:s, s:s}", "spdxElementId", from, "relationshipType", what, "relatedSpdxElement", to);
}

/* The image itself, which contains the packages. */
static int fill_document(const struct image *img, const struct packages *list, json_t *packages, json_t *relations) {
    json_t *root = json_pack("{s:s, s:s, s:s, s:b, s:s}", "SPDXID", "SPDXRef-Image", "name", image_ref(img),
                             "downloadLocation", "NOASSERTION", "filesAnalyzed", 0, "versionInfo", image_digest(img));

    if (json_array_append_new(packages, root) < 0 ||
        json_array_append_new(relations, spdx_relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Image")) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < list->len; i++) {
        json_t *one = spdx_package(list, i);
        if (json_array_append_new(packages, one) < 0 ||
            json_array_append_new(relations, spdx_relation("SPDXRef-Image", "CONTAINS",
                                                           json_string_value(json_object_get(one, "SPDXID")))) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* An SPDX 2.3 document; equal images have equal documents. A new reference. */
static int make_document(const struct image *img, json_t **out, struct err *e) {
    AUTO_PACKAGES struct packages list = {0};
    AUTO_JSON json_t *packages = json_array(), *relations = json_array();
    AUTO_FREE char *space = NULL;
    int r = list_packages(img, &list, e);

    if (r < 0)
        return r;
    if (!packages || !relations || fill_document(img, &list, packages, relations) < 0 ||
        asprintf(&space, "https://spdx.org/spdxdocs/keelson-%s", image_digest(img) + strlen("sha256:")) < 0)
        return err_errno(e, -ENOMEM, "could not write the SBOM");
    *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:s, s:[s]}, s:O, s:O}", "spdxVersion", "SPDX-2.3", "dataLicense",
                     "CC0-1.0", "SPDXID", "SPDXRef-DOCUMENT", "name", image_ref(img), "documentNamespace", space,
                     "creationInfo", "created", "1970-01-01T00:00:00Z", "creators", "Tool: keelson-" KEELSON_VERSION,
                     "packages", packages, "relationships", relations);
    return *out ? 0 : err_errno(e, -ENOMEM, "could not write the SBOM");
}

static int store(const char *cache_dir, const char *media_type, json_t *doc, struct blob_desc *out, struct err *e) {
    (void)snprintf(out->media_type, sizeof(out->media_type), "%s", media_type);
    int r = doc ? blob_store_json(cache_dir, doc, out, e) : err_errno(e, -ENOMEM, "could not write the SBOM");
    json_decref(doc);
    return r;
}

int sbom_attest(const char *cache_dir, const struct image *img, struct blob_desc *out, struct err *e) {
    AUTO_JSON json_t *spdx = NULL;
    struct blob_desc statement = {0}, config = {0};
    int r = make_document(img, &spdx, e);

    if (!r)
        r = store(cache_dir, MEDIA_STATEMENT,
                  json_pack("{s:s, s:s, s:[{s:s, s:{s:s}}], s:O}", "_type", "https://in-toto.io/Statement/v0.1",
                            "predicateType", PREDICATE, "subject", "name", image_ref(img), "digest", "sha256",
                            image_digest(img) + strlen("sha256:"), "predicate", spdx),
                  &statement, e);
    if (!r)
        r = store(cache_dir, MEDIA_CONFIG,
                  json_pack("{s:s, s:s, s:{}, s:{s:s, s:[s]}}", "architecture", "unknown", "os", "unknown", "config",
                            "rootfs", "type", "layers", "diff_ids", statement.digest),
                  &config, e);
    if (r < 0)
        return r;
    return store(cache_dir, MEDIA_MANIFEST,
                 json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:[{s:s, s:s, s:I, s:{s:s}}]}", "schemaVersion", 2,
                           "mediaType", MEDIA_MANIFEST, "config", "mediaType", config.media_type, "digest",
                           config.digest, "size", (json_int_t)config.size, "layers", "mediaType", statement.media_type,
                           "digest", statement.digest, "size", (json_int_t)statement.size, "annotations",
                           "in-toto.io/predicate-type", PREDICATE),
                 out, e);
}
