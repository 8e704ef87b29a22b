/* SPDX-License-Identifier: Apache-2.0 */
#include "bootrecord/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "init/console.h"
#include "init/lastend.h"
#include "init/meminfo.h"
#include "lib/bootrecord.h"
#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/timeline.h"
#include "memlogd/client.h"
#include "memlogd/entry.h"
#include "memlogd/wire.h"

#define KERNEL_MAX 600       /* bytes of the kernel's errors that are kept */
#define KERNEL_ERROR 3       /* and what is worse */
#define KMSG_RECORD_MAX 8192 /* as the kernel hands them out */
#define MEMLOGD_PATIENCE_S 2 /* for one answer */
#define PROC_TEXT_MAX ((size_t)64 << 10)
#define LOG_SOURCES 2

/* --- what the kernel says --- */

static uint64_t oom_kills(void) {
    AUTO_BUF struct buf text = BUF_INIT;

    return read_file("/proc/vmstat", PROC_TEXT_MAX, &text, NULL) < 0 || !text.data
               ? 0
               : meminfo_number(text.data, "oom_kill ");
}

/* "3,1234,5678,-;message": the message, if it tells of an error. */
static char *error_message(char *record) {
    char *message = strchr(record, ';');

    if (!message || (strtoul(record, NULL, 10) & 7) > KERNEL_ERROR)
        return NULL;
    message[1 + strcspn(message + 1, "\n")] = '\0';
    return message + 1;
}

static void add_line(char *out, size_t len, const char *line) {
    size_t used = strlen(out), more = strlen(line) + 1;

    if (more + 1 >= len)
        return;
    while (used + more + 1 > len) { /* the oldest go */
        const char *next = strchr(out, '\n');
        used = next ? strlen(next + 1) : 0;
        memmove(out, next ? next + 1 : out, used);
        out[used] = '\0';
    }
    (void)snprintf(out + used, len - used, "%s\n", line);
}

/* The kernel says one line and boots with what it has: half an appliance, in which nothing else need fail. */
static void note_torn_initrd(const char *message) {
    const uint64_t now_ns = clock_ns();
    const struct timeline_stage s = {"initrd", "", now_ns, now_ns, false, message, NULL};

    if (strstr(message, "nitramfs unpacking failed"))
        (void)timeline_append(TIMELINE_PATH, &s); /* a full /run must not stop the record */
}

static void read_kernel_errors(char *out, size_t len) {
    char record[KMSG_RECORD_MAX + 1];

    out[0] = '\0';
    AUTO_CLOSE int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    for (ssize_t n; fd >= 0 && ((n = read(fd, record, KMSG_RECORD_MAX)) > 0 || (n < 0 && errno == EPIPE));) {
        record[n < 0 ? 0 : n] = '\0';
        const char *message = error_message(record);
        if (message) {
            note_torn_initrd(message);
            add_line(out, len, message);
        }
    }
}

/* --- what steps have printed --- */

/* "onboot/000-x" has the logs onboot.000-x, services/www those of www; each has a second one, NAME.out. */
static bool log_of(const char *step, char *dir, char *name, size_t len) {
    static const struct {
        const char *stage, *dir, *prefix;
    } kinds[] = {{"onboot/", "/run/log/onboot", "onboot."},
                 {"shutdown/", "/run/log/shutdown", "shutdown."},
                 {"services/", "/var/log", ""}};

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        size_t n = strlen(kinds[i].stage);
        if (strncmp(step, kinds[i].stage, n) != 0 || strchr(step + n, '/'))
            continue;
        (void)snprintf(dir, len, "%s", kinds[i].dir);
        (void)snprintf(name, len, "%s%s", kinds[i].prefix, step + n);
        return true;
    }
    (void)snprintf(dir, len, "/var/log");
    (void)snprintf(name, len, "containerd");
    return !strcmp(step, "containerd");
}

/* A container may have put anything there: no link is followed, and nothing is waited for. */
static void tail_of_file(const char *path, char *out, size_t len) {
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);

    out[0] = '\0';
    if (size <= 0)
        return;
    off_t from = size > (off_t)len - 1 ? size - ((off_t)len - 1) : 0;
    ssize_t n = pread(fd, out, len - 1, from);
    out[n < 0 ? 0 : n] = '\0';
}

static void trim(char *text) {
    size_t len = strlen(text);

    while (len > 0 && strchr(" \r\n", text[len - 1]))
        text[--len] = '\0';
}

void record_log_tail(const char *root, const char *step, char *out, size_t len) {
    static const char *const suffixes[LOG_SOURCES] = {".log", ".out.log"};
    char dir[128], name[256], path[512];

    out[0] = '\0';
    if (!log_of(step, dir, name, sizeof(dir)))
        return;
    for (size_t i = 0; i < LOG_SOURCES && !*out; i++) { /* errors first; other output only if there are none */
        (void)snprintf(path, sizeof(path), "%s%s/%s%s", root, dir, name, suffixes[i]);
        tail_of_file(path, out, len);
        trim(out);
    }
}

static int ask_memlogd(void) {
    const struct timeval patience = {.tv_sec = MEMLOGD_PATIENCE_S};
    AUTO_CLOSE int fd = access(WIRE_QUERY_SOCKET, F_OK) == 0 ? wire_query(WIRE_QUERY_SOCKET, WIRE_DUMP, NULL) : -1;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
        return -1;
    return steal_fd(&fd);
}

/* The last lines of the source in memlogd's ring. */
static void tail_from_memlogd(const char *source, char *out, size_t len) {
    AUTO_CLOSE int fd = ask_memlogd();
    struct client c = CLIENT_INIT(fd);
    struct ring_entry entry;
    char *line;
    size_t n;

    out[0] = '\0';
    while (fd >= 0 && client_next(&c, &line, &n) > 0)
        if (entry_parse(line, n, &entry) == 0 && !strcmp(entry.source, source))
            add_line(out, len, entry.msg);
    client_fini(&c);
    trim(out);
}

static void tell_output(const char *step, char *out, size_t len, void *data) {
    char dir[128], name[256], source[272];

    (void)data;
    record_log_tail("", step, out, len);
    if (*out || !log_of(step, dir, name, sizeof(dir)))
        return;
    tail_from_memlogd(name, out, len);
    (void)snprintf(source, sizeof(source), "%s.out", name);
    if (!*out)
        tail_from_memlogd(source, out, len);
}

/* --- what runs --- */

void record_running(const char *root, const char *step, char *out, size_t len) {
    static const char *const kinds[] = {"onboot", "shutdown"};
    char path[256];

    (void)snprintf(out, len, "%s", step);
    for (size_t i = 0; *step && i < ARRAY_SIZE(kinds); i++) {
        AUTO_BUF struct buf name = BUF_INIT;
        (void)snprintf(path, sizeof(path), "%s/run/keelson/%s.running", root, kinds[i]); /* service's */
        if (read_file(path, 256, &name, NULL) == 0 && name.data)
            (void)snprintf(out, len, "%s: %s", step, name.data);
    }
}

/* --- where it goes --- */

static void write_once(const char *path, const char *text, size_t len) {
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    ssize_t n;

    do
        n = fd < 0 ? 0 : write(fd, text, len);
    while (n < 0 && errno == EINTR);
}

/* A port that nobody has opened on the other side takes nothing: that is no error. */
static void write_port(const char *text, size_t len) {
    AUTO_NAMES struct names ports = {0};
    char path[512];

    if (list_dir("/sys/class/virtio-ports", &ports, NULL) < 0)
        return;
    for (size_t i = 0; i < ports.len; i++) {
        AUTO_BUF struct buf name = BUF_INIT;
        (void)snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", ports.v[i]);
        if (read_file(path, 256, &name, NULL) < 0 || !name.data)
            continue;
        name.data[strcspn(name.data, "\n")] = '\0';
        (void)snprintf(path, sizeof(path), "/dev/%s", ports.v[i]);
        if (!strcmp(name.data, BOOTRECORD_PORT))
            write_once(path, text, len);
    }
}

/* pstore takes a record of ours at /dev/pmsg0, and else keeps the end of the kernel's log if the kernel dies. */
static void write_kernel(const char *record, size_t len, const char *summary) {
    char line[BOOTRECORD_SUMMARY_MAX + 32];

    write_once("/dev/pmsg0", record, len);
    int n = snprintf(line, sizeof(line), "<6>" LASTEND_MARK "%s\n", summary);
    write_once("/dev/kmsg", line, (size_t)n);
}

static void deliver(const struct bootrecord *r) {
    char text[BOOTRECORD_MAX + 1], summary[BOOTRECORD_SUMMARY_MAX];
    struct err e = {0};
    bool ok;

    size_t len = bootrecord_make(r, text, &ok);
    bootrecord_summary(r, summary);
    if (write_file_atomic(BOOTRECORD_PATH, text, len, 0644, false, &e) < 0)
        log_warning("%s", e.msg);
    write_kernel(text, len, summary);
    log_notice("%s", summary);
    write_port(text, len); /* last: who reads there may end the machine */
}

/* --- the worker --- */

static enum bootrecord_state state_of(const char *word) {
    for (enum bootrecord_state s = 0; s < BOOTRECORD_STATES; s++)
        if (!strcmp(word, bootrecord_state_name(s)))
            return s;
    return BOOTRECORD_BOOTING;
}

static uint64_t number(const char *word) {
    uint64_t n = 0;

    return parse_u64(word, UINT64_MAX, &n) < 0 ? 0 : n;
}

int record_main(int argc, char **words) {
    AUTO_BUF struct buf timeline = BUF_INIT;
    char kernel[KERNEL_MAX], running[256], last_end[256];
    struct meminfo memory;
    struct cmdline cmdline;

    log_init("init", LOG_LEVEL_NOTICE);
    if (argc != RECORD_WORDS)
        return 1;
    (void)cmdline_read(&cmdline, NULL);
    console_open(&cmdline);
    read_kernel_errors(kernel, sizeof(kernel));
    record_running("", words[RECORD_RUNNING], running, sizeof(running));
    lastend_describe("", last_end, sizeof(last_end));
    if (meminfo_read(&memory) < 0)
        log_warning("could not read /proc/meminfo: %s", strerror(errno));
    (void)read_file(TIMELINE_PATH, TIMELINE_MAX_BYTES, &timeline,
                    NULL); /* without it there is still something to say */
    uint64_t least = number(words[RECORD_LEAST_KIB]);
    const struct bootrecord r = {
        .state = state_of(words[RECORD_STATE]),
        .end = words[RECORD_END],
        .efi = access("/sys/firmware/efi", F_OK) == 0,
        .running = running,
        .at_ns = clock_ns(),
        .memory_kib = memory.total_kib,
        .memory_least_kib = least && least < memory.available_kib ? least : memory.available_kib,
        .oom_kills = oom_kills(),
        .lost_lines = number(words[RECORD_LINES]),
        .lost_bytes = number(words[RECORD_BYTES]),
        .last_end = last_end,
        .kernel = kernel,
        .timeline = timeline.data ? timeline.data : "",
        .timeline_len = timeline.len,
        .output = tell_output,
    };
    deliver(&r);
    return 0;
}
