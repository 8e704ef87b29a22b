/* SPDX-License-Identifier: Apache-2.0 */
/* Names of images: a full name is its own full name, and both readers of names agree on which there are. */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tools/image/image.h"
#include "tools/registry/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_FREE char *text = strndup((const char *)data, size), *full = NULL, *again = NULL;
    AUTO_REFERENCE struct reference ref = {0};
    struct err e = {0};

    FUZZ_CHECK(text);
    int r = image_ref_normalize(text, &full, &e);
    int parsed = reference_parse(text, &ref, &e);
    FUZZ_CHECK(parsed != 0 || r == 0); /* what can be pulled has a name in the cache */
    if (r < 0)
        return 0;
    FUZZ_CHECK(strchr(full, '/') && strpbrk(strrchr(full, '/'), ":@"));
    FUZZ_CHECK(image_ref_normalize(full, &again, &e) == 0);
    FUZZ_CHECK(!strcmp(full, again));
    if (!parsed)
        FUZZ_CHECK(ref.registry && *ref.registry && !strcmp(ref.name, full));
    return 0;
}
