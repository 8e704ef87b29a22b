/* SPDX-License-Identifier: Apache-2.0 */
/* linuxkit.yml: what is accepted is written as YAML that is accepted again and means the same; labels likewise. */
#include <string.h>

#include "lib/json.h"
#include "tests/fuzz/fuzz.h"
#include "tools/config/yaml.h"

static void check(const char *data, size_t size, const struct schema *schema) {
    AUTO_PROBLEMS struct problems problems = {0};
    AUTO_BUF struct buf text = BUF_INIT;
    AUTO_JSON json_t *doc = NULL, *again = NULL;
    struct err e = {0};
    int r = yaml_read("f.yml", data, size, schema, false, &problems, &doc, &e);

    FUZZ_CHECK(r == 0 ? doc && !problems.count : problems.count > 0);
    if (r < 0)
        return;
    FUZZ_CHECK(yaml_write(doc, &text, &e) == 0);
    FUZZ_CHECK(yaml_read("g.yml", text.data ? text.data : "", text.len, schema, false, NULL, &again, &e) == 0);
    FUZZ_CHECK(json_equal(doc, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check((const char *)data, size, &schema_config);
    check((const char *)data, size, &schema_label);
    return 0;
}
