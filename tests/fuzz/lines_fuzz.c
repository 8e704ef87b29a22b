/* SPDX-License-Identifier: Apache-2.0 */
/* The first bytes say how the rest is cut into chunks: the lines do not depend on it, and nothing is lost uncounted. */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/mman.h>

#include "memlogd/intake.h"

#define MAX_LINE 16
#define RING_BYTES (1 << 20)

struct sums {
    uint64_t lines, bytes, cut_lines, cut_bytes;
};

/* In the simplest way: line by line. */
static struct sums model(const char *text, size_t len, struct ring *r, uint64_t pos) {
    struct sums s = {0};
    struct ring_entry e;

    for (size_t done = 0; done < len; s.lines++) {
        const char *end = memchr(text + done, '\n', len - done);
        size_t line = (end ? (size_t)(end - text) : len) - done;
        size_t kept = line && line <= MAX_LINE + 1 && text[done + line - 1] == '\r' ? line - 1 : line;
        size_t shown = kept < MAX_LINE ? kept : MAX_LINE;
        FUZZ_CHECK(ring_read(r, &pos, &e) && e.msg_len == shown && !memcmp(e.msg, text + done, shown));
        s.bytes += shown;
        s.cut_lines += kept > MAX_LINE;
        done += line + (end ? 1 : 0);
    }
    FUZZ_CHECK(!ring_read(r, &pos, &e));
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static _Alignas(8) char ring_area[RING_BYTES];
    static char *area;
    struct intake in;
    struct ring r;
    struct intake_cuts cuts;

    if (size < 4 || size > 4096)
        return 0;
    if (!area)
        area = mmap(NULL, intake_size(MAX_LINE), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FUZZ_CHECK(area != MAP_FAILED);
    memset(ring_area, 0, sizeof(ring_area));
    (void)ring_init(&r, ring_area, sizeof(ring_area), 100000);
    intake_init(&in, area, MAX_LINE, &r);
    int slot = intake_prepare(&in, "s", 1);
    FUZZ_CHECK(slot >= 0);
    intake_take(&in, (unsigned)slot);
    const char *text = (const char *)data + 4;
    size_t len = size - 4;
    for (size_t done = 0, i = 0; done < len; i++) {
        size_t chunk = data[i % 4] % 40u;
        chunk = chunk < len - done ? chunk : len - done;
        if (chunk == 0 && data[i % 4] % 40u == 0)
            chunk = len - done;
        intake_feed(&in, (unsigned)slot, text + done, chunk, 1);
        done += chunk;
    }
    intake_flush(&in, (unsigned)slot, 1);
    struct sums s = model(text, len, &r, ring_tail(&r));
    bool cut = intake_take_cuts(&in, (unsigned)slot, &cuts);
    FUZZ_CHECK(cuts.lines == s.cut_lines && cut == (cuts.bytes > 0));
    FUZZ_CHECK(s.bytes + cuts.bytes <= len);
    intake_end(&in, (unsigned)slot);
    return 0;
}
