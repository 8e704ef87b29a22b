/* SPDX-License-Identifier: Apache-2.0 */
/* What a registry says of signing in, and of its refusals: a header's value, a token server's answer, an error's body.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tools/registry/http.h"
#include "tools/registry/sign_in.h"

static void check_challenge(const char *text) {
    AUTO_CHALLENGE struct challenge c = {0}, again = {0};
    AUTO_BUF struct buf written = BUF_INIT;

    FUZZ_CHECK(challenge_parse(text, &c) == 0 && c.way == challenge_way(text));
    FUZZ_CHECK(c.way == SIGN_IN_BEARER || (!c.realm && !c.service));
    if (!c.realm)
        return;
    FUZZ_CHECK(strlen(c.realm) < strlen(text));
    /* Written as it is meant, it means the same. */
    FUZZ_CHECK(buf_puts(&written, "Bearer realm=\"") == 0);
    for (const char *p = c.realm; *p; p++)
        FUZZ_CHECK(buf_printf(&written, "%s%c", strchr("\"\\", *p) ? "\\" : "", *p) == 0);
    FUZZ_CHECK(buf_puts(&written, "\"") == 0 && challenge_parse(written.data, &again) == 0);
    FUZZ_CHECK(again.realm && !strcmp(again.realm, c.realm));
}

static void check_token(const char *data, size_t size) {
    AUTO_FREE char *token = NULL;
    int r = token_parse(data, size, &token);

    FUZZ_CHECK(r == 0 ? token && *token : r == -EPROTO && !token);
    for (const char *p = token; p && *p; p++)
        FUZZ_CHECK(isgraph((unsigned char)*p));
}

static void check_reason(const char *data, size_t size) {
    AUTO_REPLY struct http_reply rp = {0};
    char why[64];

    FUZZ_CHECK(buf_append(&rp.error, data, size) == 0);
    http_reason(&rp, why, sizeof(why));
    FUZZ_CHECK(strlen(why) < sizeof(why));
    for (const char *p = why; *p; p++)
        FUZZ_CHECK(!iscntrl((unsigned char)*p));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_FREE char *text = strndup((const char *)data, size);

    FUZZ_CHECK(text);
    check_challenge(text);
    check_token((const char *)data, size);
    check_reason((const char *)data, size);
    return 0;
}
