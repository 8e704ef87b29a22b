/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes as a source's name and its line: what is written is JSON, and is read again; and as an answer of memlogd.
 */
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <string.h>

#include "memlogd/entry.h"

static void there_and_back(const uint8_t *data, size_t size) {
    static char text[ENTRY_JSON_MAX(RING_MSG_MAX)];
    size_t source_len = size && data[0] < size ? data[0] : 0;
    size_t msg_len = size - source_len < RING_MSG_MAX ? size - source_len : RING_MSG_MAX;
    struct ring_entry again;
    const struct ring_entry e = {.time_ns = (int64_t)size * 1234567891011,
                                 .source_len = (uint16_t)source_len,
                                 .msg_len = (uint32_t)msg_len,
                                 .source = (const char *)data,
                                 .msg = (const char *)data + source_len};

    size_t len = entry_format(&e, text);
    FUZZ_CHECK(len <= ENTRY_JSON_MAX(msg_len) && text[len - 1] == '\n' && !memchr(text, '\n', len - 1));
    for (size_t i = 0; i < len - 1; i++)
        FUZZ_CHECK((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
    json_t *json = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
    FUZZ_CHECK(json && json_is_string(json_object_get(json, "time")));
    const json_t *source = json_object_get(json, "source"), *msg = json_object_get(json, "msg");
    FUZZ_CHECK(entry_parse(text, len - 1, &again) == 0 && again.time_ns == e.time_ns);
    FUZZ_CHECK(again.source_len == json_string_length(source) && again.msg_len == json_string_length(msg));
    FUZZ_CHECK(!memcmp(again.source, json_string_value(source), again.source_len));
    FUZZ_CHECK(!memcmp(again.msg, json_string_value(msg), again.msg_len));
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct ring_entry e;
    char *line = malloc(size + 1);

    FUZZ_CHECK(line);
    memcpy(line, data, size);
    line[size] = '\0'; /* as client_next() does */
    if (entry_parse(line, size, &e) == 0)
        FUZZ_CHECK(e.source >= line && e.msg >= line && e.msg + e.msg_len <= line + size);
    free(line);
    there_and_back(data, size);
    return 0;
}
