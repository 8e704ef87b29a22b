/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "cmdline/cmdline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cmdline c;

    memset(&c, 0x5a, sizeof(c)); /* nothing may stay of what was there */
    cmdline_parse(&c, (const char *)data, size);
    FUZZ_CHECK(c.consoles_len <= CMDLINE_CONSOLES_MAX);
    FUZZ_CHECK(c.consoles_len == 0 || c.last_console < c.consoles_len);
    for (size_t i = 0; i < c.consoles_len; i++) {
        const struct cmdline_console *console = &c.consoles[i];
        FUZZ_CHECK(memchr(console->name, '\0', sizeof(console->name)) && console->name[0]);
        FUZZ_CHECK(memchr(console->options, '\0', sizeof(console->options)));
        for (size_t k = 0; k < i; k++)
            FUZZ_CHECK(strcmp(console->name, c.consoles[k].name) != 0);
    }
    FUZZ_CHECK(c.watchdog_s <= CMDLINE_WATCHDOG_MAX);
    return 0;
}
