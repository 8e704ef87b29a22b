/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "memlogd/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    struct kmsg_record r = {0};

    if (kmsg_parse(text, size, &r) < 0)
        return 0;
    FUZZ_CHECK(r.text >= text && r.text + r.text_len <= text + size);
    FUZZ_CHECK(!memchr(r.text, '\n', r.text_len) && r.text[-1] == ';');
    return 0;
}
