/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "memlogd/syslog.h"

static void check_inside(const uint8_t *data, size_t size, const char *part, size_t len) {
    const char *start = (const char *)data;

    FUZZ_CHECK(len == 0 || (part >= start && part + len <= start + size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct syslog_sources sources; /* as long as the program: names come and fill it */
    struct syslog_message m;

    syslog_parse((const char *)data, size, &m);
    check_inside(data, size, m.tag, m.tag_len);
    check_inside(data, size, m.text, m.text_len);
    check_inside(data, size, m.tagged, m.tagged_len);
    FUZZ_CHECK(m.text_len <= m.tagged_len && m.text + m.text_len == m.tagged + m.tagged_len);
    const struct syslog_source *s = syslog_source(&sources, &m);
    FUZZ_CHECK(sources.len <= SYSLOG_SOURCES);
    if (!s)
        return 0;
    FUZZ_CHECK(s->len > 0 && s->len <= RING_SOURCE_MAX && m.tag_len > 0);
    FUZZ_CHECK(s->len != 7 || memcmp(s->name, "memlogd", 7) != 0);
    for (size_t i = 0; i < s->len; i++)
        FUZZ_CHECK((unsigned char)s->name[i] >= 0x20 && s->name[i] != 0x7f);
    return 0;
}
