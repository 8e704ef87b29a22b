/* SPDX-License-Identifier: Apache-2.0 */
/* A package's build.yml: what is accepted has a name that can stand in a reference, and paths that stay in the image.
 */
#include <string.h>

#include "lib/json.h"
#include "tests/fuzz/fuzz.h"
#include "tools/image/tar.h"
#include "tools/pkg/package.h"
#include "tools/registry/reference.h"

static void check_names(const struct recipe *r) {
    AUTO_REFERENCE struct reference ref = {0};
    AUTO_FREE char *name = NULL;

    FUZZ_CHECK(r->image && *r->image && !strpbrk(r->image, " \t\n@"));
    FUZZ_CHECK(asprintf(&name, "%s/%s:x", r->org, r->image) > 0);
    if (reference_parse(name, &ref, NULL) == 0)
        FUZZ_CHECK(!strcmp(ref.tag, "x"));
}

static void check_files(const struct recipe *r) {
    const json_t *item;
    char path[ENTRY_PATH_MAX];
    mode_t mode;
    size_t i;

    json_array_foreach(json_object_get(r->doc, "files"), i, item) {
        const char *raw = json_string_value(json_object_get(item, "path"));
        FUZZ_CHECK(entry_path_clean(raw, path, sizeof(path), NULL) == 0 && *path);
        FUZZ_CHECK(recipe_mode(item, 0644, &mode, NULL) == 0 && mode <= 07777);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_RECIPE struct recipe r;
    AUTO_FREE char *tag = NULL;
    struct err e = {0};
    char path[64];
    AUTO_CLOSE int fd = fuzz_file(data, size, path, sizeof(path));

    FUZZ_CHECK(fd >= 0);
    if (recipe_load_file("/proc/self/fd", strrchr(path, '/') + 1, &r, &e) < 0) {
        FUZZ_CHECK(*e.msg && !r.doc);
        return 0;
    }
    check_names(&r);
    check_files(&r);
    (void)recipe_takes(&r, "debian", "usr/bin/x");
    const char *template = json_string_value(json_object_get(r.doc, "tag"));
    if (template && package_expand_tag(template, "0123", &tag, &e) == 0)
        FUZZ_CHECK(!strstr(template, "{{") || strstr(tag, "0123"));
    return 0;
}
