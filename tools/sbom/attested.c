/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attested SPDX documents of images, made part of ours. Their ids get the image's number, so that those of two images
 * cannot meet. Their files are replaced by those that are in the tree: what is not there is left out, with what is said
 * of it.
 */
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "lib/log.h"
#include "tools/image/blob.h"
#include "tools/image/tar.h"
#include "tools/sbom/sbom_priv.h"

/* The ids of one document: theirs -> ours. */
struct merge {
    struct sbom *sbom;
    struct sbom_image *image;
    size_t image_number, statement;
    json_t *elements; /* packages and files */
};

static const char *word(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/* "SPDXRef-x" -> "SPDXRef-I3A0-x"; the same for DocumentRef- and LicenseRef-. */
static json_t *own_id(const struct merge *m, const char *id) {
    size_t len = strcspn(id, "-");

    return id[len] ? json_sprintf("%.*s-I%zuA%zu-%s", (int)len, id, m->image_number, m->statement, id + len + 1)
                   : json_string(id);
}

/* Every LicenseRef- of an expression that is not another document's. */
static json_t *own_licenses(const struct merge *m, const char *expression) {
    static const char *const prefixes[] = {"LicenseRef-", "DocumentRef-"};
    AUTO_BUF struct buf out = BUF_INIT;
    bool foreign = false;
    int r = 0;

    for (const char *p = expression; !r && *p;) {
        size_t known = 0;
        for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
            if (!strncmp(p, prefixes[i], strlen(prefixes[i])) && !(i == 0 && foreign))
                known = strlen(prefixes[i]);
        foreign = *p == ':';
        r = buf_append(&out, p, known ? known : 1);
        if (!r && known)
            r = buf_printf(&out, "I%zuA%zu-", m->image_number, m->statement);
        p += known ? known : 1;
    }
    return r ? NULL : json_string(out.data ? out.data : "");
}

static int own_field(const struct merge *m, json_t *object, const char *key) {
    const char *text = word(object, key);

    return text ? json_object_set_new(object, key, own_licenses(m, text)) : 0;
}

/* -EINVAL: it is none that a document can hold. */
static int add_package(const struct merge *m, const json_t *from) {
    static const char *const licenses[] = {"licenseConcluded", "licenseDeclared"};
    const char *id = word(from, "SPDXID");
    AUTO_JSON json_t *package = json_deep_copy(from), *own = NULL;
    json_t *list = json_object_get(package, "licenseInfoFromFiles"), *item;
    size_t i;
    int r = 0;

    if (!id || strncmp(id, "SPDXRef-", 8) != 0 || !word(from, "name"))
        return -EINVAL;
    own = own_id(m, id);
    if (!package || !own || json_object_set(package, "SPDXID", own) < 0 || json_object_set(m->elements, id, own) < 0 ||
        (!word(from, "downloadLocation") &&
         json_object_set_new(package, "downloadLocation", json_string("NOASSERTION")) < 0))
        return -ENOMEM;
    for (i = 0; i < ARRAY_SIZE(licenses) && !r; i++)
        r = own_field(m, package, licenses[i]);
    json_array_foreach(list, i, item) {
        if (!r && json_is_string(item))
            r = json_array_set_new(list, i, own_licenses(m, json_string_value(item)));
    }
    (void)json_object_del(package, "hasFiles"); /* said again by the relationships */
    return r < 0 || json_array_append(m->image->attested.packages, package) < 0 ? -ENOMEM : 0;
}

/* An attested file is the tree's of that path, if it is there. */
static int map_file(const struct merge *m, const json_t *file) {
    const char *id = word(file, "SPDXID"), *name = word(file, "fileName");
    char inside[ENTRY_PATH_MAX], path[2 * ENTRY_PATH_MAX];

    if (!id || !name)
        return -EINVAL;
    if (entry_path_clean(name, inside, sizeof(inside), NULL) < 0 || !*inside)
        return 0;
    (void)snprintf(path, sizeof(path), "%s%s%s", m->image->prefix, *m->image->prefix ? "/" : "", inside);
    const struct record *r = sbom_find(m->sbom, path);
    if (!r || r->image != m->image_number)
        return 0;
    return json_object_set_new(m->elements, id, json_sprintf("SPDXRef-F%zu", (size_t)(r - m->sbom->records))) < 0
               ? -ENOMEM
               : 0;
}

static void claim(const struct merge *m, const char *file) {
    char *end;
    size_t index = strncmp(file, "SPDXRef-F", 9) ? SIZE_MAX : strtoul(file + 9, &end, 10);

    if (index < m->sbom->records_len)
        m->sbom->records[index].claimed = true;
}

static int relate(const struct merge *m, const char *from, const char *type, const char *to) {
    if (!strcmp(type, "CONTAINS"))
        claim(m, to);
    if (!strcmp(type, "CONTAINED_BY"))
        claim(m, from);
    return json_array_append_new(
        m->image->attested.relationships,
        json_pack("{s:s, s:s, s:s}", "spdxElementId", from, "relationshipType", type, "relatedSpdxElement", to));
}

/* What an id of theirs is in our document; NULL: not in it. What the document describes, the image contains. */
static const char *element(const struct merge *m, const char *id, const char *image) {
    if (!strcmp(id, "SPDXRef-DOCUMENT"))
        return image;
    if (!strcmp(id, "NONE") || !strcmp(id, "NOASSERTION"))
        return id;
    return json_string_value(json_object_get(m->elements, id));
}

static int add_relationship(const struct merge *m, const json_t *r) {
    const char *from = word(r, "spdxElementId"), *type = word(r, "relationshipType"),
               *to = word(r, "relatedSpdxElement");
    char image[32];

    if (!from || !type || !to)
        return -EINVAL;
    (void)snprintf(image, sizeof(image), "SPDXRef-I%zu", m->image_number);
    bool document = !strcmp(from, "SPDXRef-DOCUMENT") || !strcmp(to, "SPDXRef-DOCUMENT");
    if (document && strcmp(type, "DESCRIBES") != 0 && strcmp(type, "DESCRIBED_BY") != 0)
        return 0;
    from = element(m, from, image);
    to = element(m, to, image);
    if (!from || !to || !strncmp(from, "NO", 2))
        return 0;
    return relate(m, from, !document ? type : type[8] == 'S' ? "CONTAINS" : "CONTAINED_BY", to);
}

/* `hasFiles` and `documentDescribes`, the short forms of relationships. */
static int add_short(const struct merge *m, const char *from, const json_t *ids) {
    const json_t *id;
    size_t i;
    int r = 0;

    json_array_foreach(ids, i, id) {
        const char *to = json_is_string(id) ? element(m, json_string_value(id), NULL) : NULL;
        if (!r && to)
            r = relate(m, from, "CONTAINS", to);
    }
    return r < 0 ? -ENOMEM : 0;
}

static int add_relationships(const struct merge *m, const json_t *doc) {
    const json_t *item;
    char image[32];
    size_t i;

    (void)snprintf(image, sizeof(image), "SPDXRef-I%zu", m->image_number);
    int r = add_short(m, image, json_object_get(doc, "documentDescribes"));
    json_array_foreach(json_object_get(doc, "packages"), i, item) {
        const char *from = element(m, word(item, "SPDXID"), NULL);
        if (!r && from)
            r = add_short(m, from, json_object_get(item, "hasFiles"));
    }
    json_array_foreach(json_object_get(doc, "relationships"), i, item) {
        if (!r)
            r = add_relationship(m, item);
    }
    return r;
}

/* Elements of a list as they are, but for the id under `key`. */
static int copy_list(const struct merge *m, const json_t *from, const char *key, json_t *to) {
    const json_t *item;
    size_t i;

    json_array_foreach(from, i, item) {
        json_t *copy = json_deep_copy(item);
        const char *id = key ? word(item, key) : NULL;
        if (!copy || (id && json_object_set_new(copy, key, own_id(m, id)) < 0)) {
            json_decref(copy);
            return -ENOMEM;
        }
        if (json_array_append_new(to, copy) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int merge_document(const struct merge *m, const json_t *doc) {
    const struct attested *a = &m->image->attested;
    const json_t *item;
    size_t i;
    int r = 0;

    json_array_foreach(json_object_get(doc, "packages"), i, item) {
        if (!r)
            r = add_package(m, item);
    }
    json_array_foreach(json_object_get(doc, "files"), i, item) {
        if (!r)
            r = map_file(m, item);
    }
    if (!r)
        r = add_relationships(m, doc);
    if (!r)
        r = copy_list(m, json_object_get(doc, "hasExtractedLicensingInfos"), "licenseId", a->licenses);
    if (!r)
        r = copy_list(m, json_object_get(doc, "externalDocumentRefs"), "externalDocumentId", a->references);
    return r ? r : copy_list(m, json_object_get(doc, "annotations"), NULL, a->annotations);
}

static int start(struct attested *a) {
    json_t **const lists[] = {&a->packages, &a->relationships, &a->licenses, &a->references, &a->annotations};

    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        if (!(*lists[i] = json_array()))
            return -ENOMEM;
    return 0;
}

/* Ours lists packages only; of an image whose builder said what its layers are of, those and the databases say more. */
static bool is_known_better(const struct merge *m, const json_t *doc) {
    const json_t *creator = json_array_get(json_object_get(json_object_get(doc, "creationInfo"), "creators"), 0);

    return m->image->made_of && json_is_string(creator) && !strncmp(json_string_value(creator), "Tool: keelson-", 14);
}

/* 1: merged. 0: it is not used; if it cannot be, that was told. */
static int read_statement(struct merge *m, const json_t *descriptor, struct err *e) {
    AUTO_JSON json_t *statement = NULL;
    struct blob_desc desc;
    struct err why = {0};
    int r = blob_desc_parse(descriptor, "$.layers[]", &desc, &why);

    if (!r)
        r = blob_load_json(m->sbom->cache_dir, &desc, &statement, &why);
    const json_t *doc = json_object_get(statement, "predicate");
    const char *version = word(doc, "spdxVersion");
    if (!r && (!version || strncmp(version, "SPDX-2.", 7) != 0))
        r = err_set(&why, -EINVAL, "it is SPDX of version %s, not 2", version ? version : "unknown");
    if (!r && is_known_better(m, doc))
        return 0;
    if (!r && (m->elements = json_object()) == NULL)
        r = -ENOMEM;
    if (!r)
        r = merge_document(m, doc);
    json_decref(m->elements);
    if (r == -ENOMEM)
        return err_errno(e, r, "could not read what is attested of image %s", m->image->name);
    if (r < 0)
        log_notice("the SBOM attested of image %s cannot be used: %s; its package databases are", m->image->name,
                   why.code ? why.msg : "a package, file or relationship in it has no name");
    return r == 0;
}

int attested_read(struct sbom *s, size_t i, struct err *e) {
    struct merge m = {.sbom = s, .image = &s->images[i], .image_number = i + 1};
    const json_t *descriptor;
    bool all = true;
    int r = json_array_size(m.image->statements) ? start(&m.image->attested) : 0;

    if (r < 0)
        return err_errno(e, r, "could not read what is attested of image %s", m.image->name);
    json_array_foreach(m.image->statements, m.statement, descriptor) {
        r = all ? read_statement(&m, descriptor, e) : 0;
        if (r < 0)
            return r;
        all = all && r > 0;
    }
    if (!all)
        attested_free(&m.image->attested);
    for (size_t k = 0; !all && k < s->records_len; k++)
        s->records[k].claimed = s->records[k].claimed && s->records[k].image != i + 1;
    return 0;
}

void attested_free(struct attested *a) {
    json_decref(a->packages);
    json_decref(a->relationships);
    json_decref(a->licenses);
    json_decref(a->references);
    json_decref(a->annotations);
    *a = (struct attested){0};
}
