/* SPDX-License-Identifier: Apache-2.0 */
/* The SPDX document, written element by element: only one of them is in memory. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "lib/json.h"
#include "tools/image/blob.h"
#include "tools/sbom/sbom_priv.h"

#define NAMESPACE "https://spdx.org/spdxdocs/keelson-"

struct writer {
    FILE *f;
    EVP_MD_CTX *hash; /* of all that was written: it makes the document's own name */
    bool first;       /* nothing is in the list yet */
    bool failed;      /* stays, so that it is enough to ask at the end */
};

static int on_json(const char *data, size_t len, void *ctx) {
    struct writer *w = ctx;

    if (fwrite(data, 1, len, w->f) != len || EVP_DigestUpdate(w->hash, data, len) != 1)
        w->failed = true;
    return w->failed ? -1 : 0;
}

static void put(struct writer *w, const char *text) {
    (void)on_json(text, strlen(text), w);
}

/* Takes the element over; NULL: no memory. */
static void element(struct writer *w, json_t *value) {
    if (!w->first)
        put(w, ",\n");
    w->first = false;
    if (!value || json_dump_callback(value, on_json, w, JSON_COMPACT | JSON_SORT_KEYS) < 0)
        w->failed = true;
    json_decref(value);
}

static void elements(struct writer *w, const json_t *list) {
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        element(w, json_incref(item));
    }
}

static void begin_list(struct writer *w, const char *key) {
    put(w, "\"");
    put(w, key);
    put(w, "\":[\n");
    w->first = true;
}

static void end_list(struct writer *w) {
    put(w, "],\n");
}

static json_t *package_new(json_t *id, const char *name, const char *version, const char *purpose) {
    return json_pack("{s:o, s:o, s:s*, s:s, s:b, s:s*}", "SPDXID", id, "name", json_text(name), "versionInfo", version,
                     "downloadLocation", "NOASSERTION", "filesAnalyzed", 0, "primaryPackagePurpose", purpose);
}

static json_t *with_url(json_t *package, const char *url) {
    if (package && url)
        (void)json_object_set_new(package, "externalRefs",
                                  json_pack("[{s:s, s:s, s:s}]", "referenceCategory", "PACKAGE-MANAGER",
                                            "referenceType", "purl", "referenceLocator", url));
    return package;
}

static void image_packages(struct writer *w, const struct sbom_image *image, size_t number) {
    json_t *package = package_new(json_sprintf("SPDXRef-I%zu", number), image->name, image->digest, "CONTAINER");

    if (package)
        (void)json_object_set_new(package, "comment", json_sprintf("its files are below /%s", image->prefix));
    element(w, package);
    for (size_t i = 0; i < image->layers_len; i++)
        element(w, package_new(json_sprintf("SPDXRef-I%zuL%zu", number, i), image->layers[i], NULL, "ARCHIVE"));
    elements(w, image->attested.packages);
    for (size_t i = 0; !image->attested.packages && i < image->packages.len; i++) {
        const struct package *p = &image->packages.v[i];
        AUTO_FREE char *url = p->kind ? package_url(&image->packages, p) : NULL;
        w->failed = w->failed || (p->kind && !url);
        element(w, with_url(package_new(json_sprintf("SPDXRef-I%zuP%zu", number, i), p->name, p->version, NULL), url));
    }
}

static void put_packages(struct writer *w, const struct sbom *s) {
    begin_list(w, "packages");
    element(w, package_new(json_string("SPDXRef-Appliance"), "appliance", NULL, "OPERATING_SYSTEM"));
    element(w, package_new(json_string("SPDXRef-Builder"), "files made by keelson", KEELSON_VERSION, "FILE"));
    element(w, package_new(json_string("SPDXRef-Files"), "files of the configuration", NULL, "FILE"));
    for (size_t i = 0; i < s->images_len; i++)
        image_packages(w, &s->images[i], i + 1);
    end_list(w);
}

/* The package that brought the file, as the image's databases or its builder say, or PACKAGE_UNKNOWN. */
static size_t owner_of(const struct sbom *s, const struct record *r) {
    if (!r->image || s->images[r->image - 1].attested.packages)
        return PACKAGE_UNKNOWN;
    const struct sbom_image *image = &s->images[r->image - 1];
    size_t prefix = strlen(image->prefix);
    size_t owner = packages_owner(&image->packages, prefix ? r->path + prefix + 1 : r->path);
    return owner == PACKAGE_UNKNOWN ? layer_owner(image, r->layer) : owner;
}

static void put_files(struct writer *w, const struct sbom *s) {
    static const char digits[] = "0123456789abcdef";
    char hex[2 * SHA_DIGEST_LENGTH + 1] = "";

    begin_list(w, "files");
    for (size_t i = 0; i < s->records_len; i++) {
        const struct record *r = &s->records[i];
        AUTO_FREE char *name = NULL;
        if (!r->regular)
            continue;
        for (size_t k = 0; k < SHA_DIGEST_LENGTH; k++) {
            hex[2 * k] = digits[r->sha1[k] >> 4];
            hex[2 * k + 1] = digits[r->sha1[k] & 15];
        }
        if (asprintf(&name, "./%s", r->path) < 0)
            name = NULL;
        json_t *file = json_pack("{s:o, s:o, s:[{s:s, s:s}]}", "SPDXID", json_sprintf("SPDXRef-F%zu", i), "fileName",
                                 name ? json_text(name) : NULL, "checksums", "algorithm", "SHA1", "checksumValue", hex);
        if (file && !r->image)
            (void)json_object_set_new(file, "comment", json_text(s->locations[r->location]));
        else if (file && !r->claimed && owner_of(s, r) == PACKAGE_UNKNOWN)
            (void)json_object_set_new(file, "comment", json_string("package: unknown"));
        element(w, file);
    }
    end_list(w);
}

static void relate(struct writer *w, json_t *from, const char *type, json_t *to) {
    element(w, json_pack("{s:o, s:s, s:o}", "spdxElementId", from, "relationshipType", type, "relatedSpdxElement", to));
}

static void image_relationships(struct writer *w, const struct sbom_image *image, size_t number) {
    relate(w, json_string("SPDXRef-Appliance"), "CONTAINS", json_sprintf("SPDXRef-I%zu", number));
    for (size_t i = 0; i < image->layers_len; i++)
        relate(w, json_sprintf("SPDXRef-I%zu", number), "CONTAINS", json_sprintf("SPDXRef-I%zuL%zu", number, i));
    elements(w, image->attested.relationships);
    for (size_t i = 0; !image->attested.packages && i < image->packages.len; i++)
        relate(w, json_sprintf("SPDXRef-I%zu", number), "CONTAINS", json_sprintf("SPDXRef-I%zuP%zu", number, i));
}

static void file_relationships(struct writer *w, const struct sbom *s, size_t i) {
    const struct record *r = &s->records[i];
    size_t owner = owner_of(s, r);
    json_t *from = r->image       ? json_sprintf("SPDXRef-I%uL%u", r->image, r->layer)
                   : r->from_yaml ? json_string("SPDXRef-Files")
                                  : json_string("SPDXRef-Builder");

    relate(w, from, "CONTAINS", json_sprintf("SPDXRef-F%zu", i));
    if (owner != PACKAGE_UNKNOWN)
        relate(w, json_sprintf("SPDXRef-I%uP%zu", r->image, owner), "CONTAINS", json_sprintf("SPDXRef-F%zu", i));
}

static void put_relationships(struct writer *w, const struct sbom *s) {
    static const char *const own[] = {"SPDXRef-Builder", "SPDXRef-Files"};

    begin_list(w, "relationships");
    relate(w, json_string("SPDXRef-DOCUMENT"), "DESCRIBES", json_string("SPDXRef-Appliance"));
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        relate(w, json_string("SPDXRef-Appliance"), "CONTAINS", json_string(own[i]));
    for (size_t i = 0; i < s->images_len; i++)
        image_relationships(w, &s->images[i], i + 1);
    for (size_t i = 0; i < s->records_len; i++)
        if (s->records[i].regular)
            file_relationships(w, s, i);
    end_list(w);
}

/* Lists that attested documents may have; without any of them the key is left out. */
static void put_attested(struct writer *w, const struct sbom *s) {
    static const struct {
        const char *key;
        size_t list;
    } lists[] = {
        {"hasExtractedLicensingInfos", offsetof(struct attested, licenses)},
        {"externalDocumentRefs", offsetof(struct attested, references)},
        {"annotations", offsetof(struct attested, annotations)},
    };

    for (size_t l = 0; l < ARRAY_SIZE(lists); l++) {
        bool any = false;
        for (size_t i = 0; i < s->images_len; i++) {
            const char *attested = (const char *)&s->images[i].attested;
            const json_t *list = *(json_t *const *)(const void *)(attested + lists[l].list);
            if (!json_array_size(list))
                continue;
            if (!any)
                begin_list(w, lists[l].key);
            any = true;
            elements(w, list);
        }
        if (any)
            end_list(w);
    }
}

static void put_creation(struct writer *w, int64_t created) {
    const time_t seconds = (time_t)created;
    struct tm tm;
    char stamp[32] = "";

    if (!gmtime_r(&seconds, &tm) || strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        w->failed = true;
    put(w, "\"creationInfo\":");
    w->first = true;
    element(w, json_pack("{s:s, s:[s]}", "created", stamp, "creators", "Tool: keelson-" KEELSON_VERSION));
    put(w, ",\n");
}

int document_write(const struct sbom *s, int64_t created, FILE *f, struct err *e) {
    struct writer w = {.f = f, .hash = digest_new()};
    char digest[DIGEST_MAX];

    if (!w.hash)
        return err_errno(e, -ENOMEM, "could not write the SBOM");
    put(&w, "{\"spdxVersion\":\"SPDX-2.3\",\"dataLicense\":\"CC0-1.0\",\"SPDXID\":\"SPDXRef-DOCUMENT\","
            "\"name\":\"sbom\",\n");
    put_creation(&w, created);
    put_packages(&w, s);
    put_files(&w, s);
    put_relationships(&w, s);
    put_attested(&w, s);
    int r = digest_final(w.hash, digest, e);
    if (!r) {
        put(&w, "\"documentNamespace\":\"" NAMESPACE);
        put(&w, digest + strlen("sha256:"));
        put(&w, "\"}\n");
    }
    EVP_MD_CTX_free(w.hash);
    return r || !w.failed ? r : err_set(e, -EIO, "could not write the SBOM: no memory, or no room in /tmp");
}
