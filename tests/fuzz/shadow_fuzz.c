/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "rungetty/shadow.h"

/* What is installed needs no second repair. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_BUF struct buf once = {.max = 1 << 20}, twice = {.max = 1 << 20};
    AUTO_BUF struct buf notices = {.max = 512}, again = {.max = 1 << 20};
    AUTO_FREE char *text = strndup((const char *)data, size);

    if (!text || size > 65536)
        return 0;
    FUZZ_CHECK(shadow_check(text, "f", &once, &notices) == 0);
    FUZZ_CHECK(notices.len <= 512);
    if (once.len == 0)
        return 0;
    FUZZ_CHECK(once.data[once.len - 1] == '\n');
    AUTO_FREE char *copy = strdup(once.data);
    FUZZ_CHECK(copy && shadow_check(copy, "f", &twice, &again) == 0);
    FUZZ_CHECK(twice.len == once.len && memcmp(once.data, twice.data, once.len) == 0);
    FUZZ_CHECK(!again.data || (!strstr(again.data, "left out") && !strstr(again.data, "taken as empty")));
    return 0;
}
