/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An appliance, whatever is in it: an error that says why, or parts that add up to no more than the file, and documents
 * that others can read.
 */
#include <string.h>

#include "lib/json.h"
#include "tests/fuzz/fuzz.h"
#include "tools/inspect/inspect.h"

static void check_parts(const struct inspection *in) {
    double compressed = 0;

    FUZZ_CHECK(in->items_len <= ITEMS_MAX);
    for (size_t i = 0; i < in->items_len; i++) {
        const struct item *item = &in->items[i];
        FUZZ_CHECK(memchr(item->name, '\0', sizeof(item->name)) && memchr(item->kind, '\0', sizeof(item->kind)));
        FUZZ_CHECK(item->compressed >= 0 && item->pages >= item->size / 4096);
        compressed += item->compressed;
    }
    FUZZ_CHECK(!in->has_initrd || compressed <= (double)in->initrd_size + 1);
}

static void check_documents(const struct inspection *in) {
    AUTO_BUF struct buf text = BUF_INIT, json = BUF_INIT, svg = BUF_INIT;
    struct err e = {0};

    FUZZ_CHECK(inspect_text(in, &text, &e) == 0 && text.len);
    FUZZ_CHECK(inspect_json(in, &json, &e) == 0);
    AUTO_JSON json_t *doc = json_loadb(json.data, json.len, 0, NULL);
    FUZZ_CHECK(doc && json_array_size(json_object_get(doc, "parts")) == in->items_len);
    FUZZ_CHECK(inspect_svg(in, &svg, &e) == 0 || e.code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_INSPECTION struct inspection in = {0};
    struct err e = {0};
    char path[64];
    AUTO_CLOSE int fd = fuzz_file(data, size, path, sizeof(path));

    /* Other people's programs are not what is looked into here: disks are as if there were none of them. */
    FUZZ_CHECK(fd >= 0 && setenv("PATH", "/nowhere", 1) == 0);
    if (inspect_read(path, &in, &e) < 0) {
        FUZZ_CHECK(*e.msg);
        return 0;
    }
    check_parts(&in);
    check_documents(&in);
    return 0;
}
