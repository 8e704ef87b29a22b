/* SPDX-License-Identifier: Apache-2.0 */
/* A seccomp profile: what comes of it is accepted again, and comes out the same. */
#include <string.h>

#include "lib/json.h"
#include "tests/fuzz/fuzz.h"
#include "tools/oci/seccomp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_JSON json_t *profile = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL), *caps = json_array(),
                     *out = NULL, *again = NULL;
    struct err e = {0};

    FUZZ_CHECK(caps && json_array_append_new(caps, json_string("CAP_KILL")) == 0);
    if (!profile || seccomp_apply(profile, "f.json", caps, "amd64", &out, &e) < 0)
        return 0;
    FUZZ_CHECK(json_is_string(json_object_get(out, "defaultAction")));
    FUZZ_CHECK(seccomp_apply(out, "g.json", caps, "amd64", &again, &e) == 0);
    FUZZ_CHECK(json_equal(out, again));
    return 0;
}
