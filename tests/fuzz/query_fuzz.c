/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes as what a reader asks, over a real socket. It gets whole lines, or is sent away; nobody else notices. */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/socket.h>

#include "memlogd/entry.h"
#include "memlogd/readers.h"
#include "memlogd/wire.h"

#define LINES 5

static struct loop loop;
static struct ring ring;
static struct readers readers;

static void on_stop(struct loop_source *s, void *data) {
    (void)s;
    (void)data;
    loop_stop(&loop);
}

static void turn(void) {
    static struct loop_source timer;

    FUZZ_CHECK(loop_set_timer(&loop, &timer, 0, on_stop, NULL) == 0);
    FUZZ_CHECK(loop_run(&loop) == 0);
}

static void start(void) {
    static _Alignas(8) char area[RING_BYTES_MIN];
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    FUZZ_CHECK(listener >= 0 && listen(listener, 1) < 0); /* nobody can connect */
    FUZZ_CHECK(loop_init(&loop) == 0);
    (void)ring_init(&ring, area, sizeof(area), 100);
    FUZZ_CHECK(readers_init(&readers, &loop, &ring, listener) == 0);
    for (int i = 0; i < LINES; i++)
        ring_append(&ring, &(struct ring_entry){.source = "s", .source_len = 1, .msg = "text", .msg_len = 4});
}

/* What came is nothing, or whole lines that can be understood. */
static unsigned count_lines(int fd) {
    static char text[16384];
    struct ring_entry e;
    unsigned lines = 0;
    char *pos = text;

    ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
    FUZZ_CHECK(n <= 0 || text[n - 1] == '\n');
    for (char *line; (line = next_line(&pos));)
        if (*line) {
            FUZZ_CHECK(entry_parse(line, strlen(line), &e) == 0);
            lines++;
        }
    return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int p[2];

    if (!ring.size)
        start();
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, p) == 0);
    readers_add(&readers, p[0]);
    FUZZ_CHECK(size == 0 || size > 65536 || send(p[1], data, size, MSG_NOSIGNAL) == (ssize_t)size);
    turn();
    unsigned lines = count_lines(p[1]);
    unsigned char mode = size ? data[0] : 0xff;
    if (size > 0 && size <= 65536 && (mode == WIRE_DUMP || mode == WIRE_DUMP_FOLLOW))
        FUZZ_CHECK(lines == LINES);
    else
        FUZZ_CHECK(lines <= LINES);
    FUZZ_CHECK(readers.len <= 1);
    FUZZ_CHECK(close(p[1]) == 0);
    turn();
    FUZZ_CHECK(readers.len == 0);
    return 0;
}
