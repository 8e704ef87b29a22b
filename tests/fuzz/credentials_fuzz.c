/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's config.json, and --registry-creds: whatever is in them, a password is that of the host it is asked for. */
#include <errno.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tools/registry/creds.h"

static void check_found(int r, const struct creds *c) {
    AUTO_FREE char *basic = c->user ? creds_basic(c) : NULL;

    FUZZ_CHECK(r == 0 || r == -EINVAL);
    FUZZ_CHECK(!c->user || (basic && !strpbrk(basic, "\r\n")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const hosts[] = {"docker.io", "x.io", "localhost:5000"};
    AUTO_FREE char *text = strndup((const char *)data, size);
    json_t *config = json_loadb((const char *)data, size, 0, NULL);

    FUZZ_CHECK(text);
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        AUTO_CREDS struct creds listed = {0}, stored = {0};
        struct err e = {0};
        int r = creds_listed(text, hosts[i], &listed, &e);
        check_found(r, &listed);
        FUZZ_CHECK(!listed.user || strstr(text, listed.user));
        check_found(creds_in_auths(config, hosts[i], &stored, &e), &stored);
    }
    json_decref(config);
    return 0;
}
