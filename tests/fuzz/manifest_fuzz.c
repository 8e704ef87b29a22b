/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Index, manifest and configuration of an image: documents separated by NULs, the first of which has the name. In each
 * "@N" stands for a descriptor of the N-th of those after it. An image that can be opened has all that is asked of it.
 */
#include <string.h>

#include "lib/json.h"
#include "tests/fuzz/layout.h"
#include "tools/image/image.h"
#include "tools/image/layout.h"

#define DOCUMENTS_MAX 9

static void put_document(const char *cache_dir, const char *text, size_t len, const struct blob_desc *after,
                         size_t after_len, struct blob_desc *out) {
    AUTO_BUF struct buf doc = BUF_INIT;
    int r = 0;

    for (size_t i = 0; i < len && !r; i++) {
        size_t n = i + 3 < len && text[i] == '"' && text[i + 1] == '@' && text[i + 3] == '"'
                       ? (size_t)(text[i + 2] - '1')
                       : SIZE_MAX;
        if (n < after_len) {
            r = buf_printf(&doc,
                           "{\"mediaType\":\"x\",\"digest\":\"%s\",\"size\":%llu,\"platform\":{\"os\":\"linux\","
                           "\"architecture\":\"amd64\"}}",
                           after[n].digest, (unsigned long long)after[n].size);
            i += 3;
        } else {
            r = buf_append(&doc, text + i, 1);
        }
    }
    FUZZ_CHECK(r == 0);
    fuzz_blob(cache_dir, doc.data ? doc.data : "", doc.len, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const refs[] = {"docker.io/t/x:latest"};
    AUTO_TEMP_DIR struct temp_dir dir = {""};
    AUTO_IMAGE struct image *img = NULL;
    struct blob_desc docs[DOCUMENTS_MAX] = {{.digest = ""}}; /* the last first */
    size_t used = 0, end = size;
    struct err e = {0};

    fuzz_folder(&dir);
    while (used < DOCUMENTS_MAX) {
        size_t start = end;
        while (start > 0 && data[start - 1])
            start--;
        struct blob_desc *out = &docs[DOCUMENTS_MAX - 1 - used];
        put_document(dir.path, (const char *)data + start, end - start, out + 1, used, out);
        used++;
        if (!start)
            break;
        end = start - 1;
    }
    struct blob_desc *first = &docs[DOCUMENTS_MAX - used];
    (void)snprintf(first->media_type, sizeof(first->media_type), "application/vnd.oci.image.index.v1+json");
    FUZZ_CHECK(layout_name(dir.path, first, refs, 1, &e) == 0);
    if (image_open(dir.path, "t/x", "amd64", &img, &e) < 0) {
        FUZZ_CHECK(*e.msg);
        return 0;
    }
    AUTO_JSON json_t *statements = NULL;
    FUZZ_CHECK(image_config(img) && digest_valid(image_digest(img)) && !strcmp(image_ref(img), refs[0]));
    FUZZ_CHECK(image_attestations(img, "https://spdx.dev/Document", &statements, &e) < 0 || json_is_array(statements));
    return 0;
}
