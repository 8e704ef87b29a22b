/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer, whatever is in it: every path that comes out lies inside the root, below a directory that came before, and
 * comes once; a hard link's target came before it; contents are as long as their entry says.
 */
#include <jansson.h>
#include <string.h>

#include "lib/json.h"
#include "tests/fuzz/layout.h"
#include "tools/image/image.h"
#include "tools/image/tar.h"

#define CONTENTS_MAX ((uint64_t)16 << 20) /* of a sparse file's holes, that are read */

static void check_place(const json_t *seen, const struct entry *entry) {
    char clean[ENTRY_PATH_MAX], parent[ENTRY_PATH_MAX];
    const char *slash = strrchr(entry->path, '/');

    FUZZ_CHECK(entry_path_clean(entry->path, clean, sizeof(clean), NULL) == 0 && *clean && !strcmp(clean, entry->path));
    FUZZ_CHECK(!json_object_get(seen, entry->path));
    if (slash) {
        (void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - entry->path), entry->path);
        FUZZ_CHECK(json_integer_value(json_object_get(seen, parent)) == ENTRY_DIR);
    }
}

static int on_entry(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    json_t *seen = data;
    char chunk[4096];
    uint64_t len = 0;
    ssize_t n = 0;

    if (json_object_size(seen) == 0)
        FUZZ_CHECK(json_object_set_new(seen, "", json_integer(ENTRY_DIR)) == 0);
    json_t *type = json_integer(entry->type);
    json_t *probe = json_string(entry->path); /* NULL: no UTF-8, which jansson's keys have to be */
    bool keyed = probe != NULL;
    json_decref(probe);
    if (!keyed) {
        json_decref(type);
        return 1;
    }
    check_place(seen, entry);
    if (entry->type == ENTRY_HARDLINK)
        FUZZ_CHECK(json_object_get(seen, entry->link) &&
                   json_integer_value(json_object_get(seen, entry->link)) != ENTRY_DIR);
    FUZZ_CHECK(json_object_set_new(seen, entry->path, type) == 0);
    FUZZ_CHECK((entry->type == ENTRY_FILE) == (content != NULL));
    while (content && len <= CONTENTS_MAX && (n = content->read(content->ctx, chunk, sizeof(chunk), e)) > 0)
        len += (uint64_t)n;
    FUZZ_CHECK(n < 0 || len > CONTENTS_MAX || len <= entry->size);
    return n < 0 ? (int)n : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const refs[] = {"t/x"};
    AUTO_TEMP_DIR struct temp_dir dir = {""};
    AUTO_IMAGE struct image *img = NULL;
    AUTO_JSON json_t *seen = json_object(), *config = json_object();
    struct layer_desc layer = {0};
    struct blob_desc blob = {0};
    char digest[80];
    struct err e = {0};

    FUZZ_CHECK(seen && config);
    fuzz_folder(&dir);
    fuzz_blob(dir.path, data, size, &blob);
    (void)snprintf(layer.digest, sizeof(layer.digest), "%s", blob.digest);
    (void)snprintf(layer.diff_id, sizeof(layer.diff_id), "%s", blob.digest);
    layer.size = blob.size;
    FUZZ_CHECK(image_store(dir.path, "amd64", config, &layer, 1, refs, 1, digest, &e) == 0);
    FUZZ_CHECK(image_open(dir.path, "t/x", "amd64", &img, &e) == 0);
    int r = image_walk(img, on_entry, seen, &e);
    if (r < 0)
        FUZZ_CHECK(strstr(e.msg, "docker.io/t/x:latest") && strstr(e.msg, blob.digest));
    return 0;
}
