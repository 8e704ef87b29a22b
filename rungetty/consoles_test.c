/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which consoles get which getty, for whole command lines, against a /dev of our own: links to pseudo terminals stand
 * for terminals, ioctl(2) is in the test's hands where it asks for a serial port's kind.
 */
#include "rungetty/consoles.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "rungetty/getty.h"

static char dev[] = "/tmp/consoles_test.XXXXXX";
static int masters[8];
static char slaves[8][64];
static unsigned long dead_terminal; /* TIOCGDEV's number of the pseudo terminal that plays a port without a UART */

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg) {
    unsigned terminal = 0;

    if (request != TIOCGSERIAL)
        return __real_ioctl(fd, request, arg);
    (void)__real_ioctl(fd, TIOCGDEV, &terminal);
    ((struct serial_struct *)arg)->type = terminal == dead_terminal ? PORT_UNKNOWN : PORT_16550A;
    return 0;
}

static void add_link(const char *name, const char *target) {
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", dev, name);
    (void)unlink(path);
    assert_int_equal(symlink(target, path), 0);
}

static int make_dev(void **state) {
    static const char *const terminals[] = {"ttyS0", "ttyS1", "ttyS3", "tty1", "hvc0", "ttyAMA0", "ttyUSB0", "xvc0"};
    char path[128];

    (void)state;
    if (!mkdtemp(dev))
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(terminals); i++) {
        masters[i] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (masters[i] < 0 || grantpt(masters[i]) < 0 || unlockpt(masters[i]) < 0 ||
            ptsname_r(masters[i], slaves[i], sizeof(slaves[i])) != 0)
            return -1;
        add_link(terminals[i], slaves[i]);
    }
    add_link("tty0", slaves[3]); /* the virtual terminal in front */
    add_link("console", slaves[0]);
    add_link("ttysclp0", slaves[7]);
    add_link("ttyMFD0", slaves[6]);
    add_link("ttyS2", "/dev/null"); /* a character device, but no terminal */
    add_link("ttyS7", "nowhere");
    (void)snprintf(path, sizeof(path), "%s/hvc1", dev);
    if (mkfifo(path, 0600) < 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/hvc2", dev);
    if (mkdir(path, 0700) < 0)
        return -1;
    int fd = open(slaves[2], O_RDWR | O_NOCTTY | O_CLOEXEC);
    unsigned terminal = 0;
    int r = __real_ioctl(fd, TIOCGDEV, &terminal);
    dead_terminal = terminal;
    (void)close(fd);
    return r;
}

static int remove_dev(void **state) {
    static const char *const names[] = {"ttyS0",   "ttyS1", "ttyS3", "tty1",    "hvc0",     "ttyAMA0",
                                        "ttyUSB0", "xvc0",  "tty0",  "console", "ttysclp0", "ttyMFD0",
                                        "ttyS2",   "ttyS7", "hvc1",  "late0"};
    char path[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dev, names[i]);
        (void)unlink(path);
    }
    (void)snprintf(path, sizeof(path), "%s/hvc2", dev);
    (void)rmdir(path);
    for (size_t i = 0; i < ARRAY_SIZE(masters); i++)
        (void)close(masters[i]);
    return rmdir(dev);
}

/* "ttyS0: -L 115200 vt100; tty9: there is no such device (yet)" */
static void describe(const struct console *console, bool insecure, struct buf *out) {
    char reason[128];
    struct getty g;

    assert_int_equal(buf_printf(out, "%s%s:", out->len ? "; " : "", console->tty), 0);
    if (console->state != CONSOLE_THERE) {
        assert_int_equal(buf_printf(out, " %s", console_reason(console, reason, sizeof(reason))), 0);
        return;
    }
    getty_plan(&g, console->tty, console->options, insecure, "");
    assert_string_equal(g.argv[0], "/sbin/agetty");
    for (const char **arg = g.argv + 1; *arg; arg++)
        if (*arg != console->tty)
            assert_int_equal(buf_printf(out, " %s", *arg), 0);
}

static const struct {
    const char *cmdline, *expected;
} table[] = {
    /* what people have */
    {"console=ttyS0", "ttyS0: -L 115200 vt100"},
    {"quiet console=tty0 console=ttyS0,115200n8 root=/dev/ram", "tty0: 38400 linux; ttyS0: -L 115200 vt100"},
    {"console=ttyS0,115200 console=ttyS1,9600", "ttyS0: -L 115200 vt100; ttyS1: -L 9600 vt100"},
    {"console=hvc0", "hvc0: 115200 linux"},
    {"console=ttyAMA0", "ttyAMA0: -L 115200 vt100"},
    {"console=ttyUSB0,57600", "ttyUSB0: -L 57600 vt100"},
    {"console=ttyMFD0", "ttyMFD0: -L 115200 vt100"},
    {"console=xvc0", "xvc0: 115200 linux"},
    {"console=ttysclp0", "ttysclp0: 115200 linux"},
    {"console=tty1", "tty1: 38400 linux"},
    /* none */
    {"", ""},
    {"quiet root=/dev/ram", ""},
    {"console=", ""},
    {"quiet -- console=ttyS0", ""},
    {"xconsole=ttyS0 console.x=ttyS0", ""},
    /* repeated: one getty, the last options */
    {"console=ttyS0,9600 console=tty1 console=ttyS0,115200n8", "ttyS0: -L 115200 vt100; tty1: 38400 linux"},
    {"console=ttyS0 console=ttyS0 console=ttyS0", "ttyS0: -L 115200 vt100"},
    {"console=ttyS0,19200 console=ttyS0", "ttyS0: -L 115200 vt100"},
    /* speed, parity, bits, flow control */
    {"console=ttyS0,115200n8r", "ttyS0: -L -h 115200 vt100"},
    {"console=ttyS0,9600e7", "ttyS0: -L -c 9600 vt100"},
    {"console=ttyS0,9600o8r", "ttyS0: -L -c -h 9600 vt100"},
    {"console=ttyS0,9600n7", "ttyS0: -L -c 9600 vt100"},
    {"console=ttyS0,n8", "ttyS0: -L 115200 vt100"},
    {"console=ttyS0,12345n8", "ttyS0: -L 115200 vt100"},
    {"console=ttyS0,0", "ttyS0: -L 115200 vt100"},
    {"console=ttyS0,1152000000000000000000000", "ttyS0: -L 115200 vt100"},
    {"console=ttyS0,4000000", "ttyS0: -L 4000000 vt100"},
    {"console=tty1,9600", "tty1: 38400 linux"},
    {"console=hvc0,9600", "hvc0: 9600 linux"},
    /* the kernel's short names */
    {"console=ttyS,9600", "ttyS0: -L 9600 vt100"},
    {"console=0,9600", "ttyS0: -L 9600 vt100"},
    {"console=tty", "tty0: 38400 linux"},
    {"console=\"hvc0\"", "hvc0: 115200 linux"},
    /* two names of one terminal */
    {"console=tty0 console=tty1", "tty0: 38400 linux; tty1: it is the same terminal as tty0"},
    {"console=console console=ttyS0", "console: 115200 linux; ttyS0: it is the same terminal as console"},
    {"console=ttyS0 console=console", "ttyS0: -L 115200 vt100; console: it is the same terminal as ttyS0"},
    {"console=ttyS console=ttyS0,9600", "ttyS0: -L 115200 vt100; ttyS0: it is the same terminal as ttyS0"},
    /* not to be sat at: left alone and named, and the others get theirs */
    {"console=ttyS9 console=ttyS0", "ttyS9: there is no such device (yet); ttyS0: -L 115200 vt100"},
    {"console=ttyS7", "ttyS7: there is no such device (yet)"},
    {"console=ttyS3 console=tty1", "ttyS3: it is a serial port without hardware; tty1: 38400 linux"},
    {"console=ttyS2", "ttyS2: it is not a terminal"},
    {"console=hvc1", "hvc1: it is not a character device"},
    {"console=hvc2", "hvc2: it is not a character device"},
    {"console=uart8250,io,0x3f8", "uart8250: there is no such device (yet)"},
    {"console=../etc/passwd0", "../etc/passwd0: that is not a name in /dev"},
    {"console=-f0", "-f0: that is not a name in /dev"},
    {"console=../../etc console=/etc/passwd0 console=. console=ttyS0",
     "../../etc0: that is not a name in /dev; /etc/passwd0: that is not a name in /dev; .0: that is not a name in "
     "/dev; "
     "ttyS0: -L 115200 vt100"},
    {"console=ttyS0,9600,n8 console=ttyS1,,", "ttyS0: -L 9600 vt100; ttyS1: -L 115200 vt100"},
    {"console=ttyS0,-9600 console=ttyS1,9600\x1b[2J", "ttyS0: -L 115200 vt100; ttyS1: -L 9600 vt100"},
    {"console=a_name_that_is_too_long_for_any_console_device0", ""},
};

static void every_command_line_leads_to_its_gettys(void **state) {
    struct consoles c;
    struct cmdline cmdline;

    (void)state;
    assert_true(ARRAY_SIZE(table) >= 25);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        AUTO_BUF struct buf said = BUF_INIT;
        cmdline_parse(&cmdline, table[i].cmdline, strlen(table[i].cmdline));
        consoles_init(&c, dev, &cmdline);
        for (size_t k = 0; k < c.len; k++) {
            assert_true(console_look(&c, &c.v[k]));
            describe(&c.v[k], false, &said);
        }
        assert_string_equal(said.data ? said.data : "", table[i].expected);
    }
}

/* Two more than there is room for, a name of 1000 letters, and one of 8000: the others get theirs. */
static void what_is_too_much_leaves_the_others(void **state) {
    static char words[16384];
    struct consoles c;
    struct cmdline cmdline;
    size_t used = (size_t)snprintf(words, sizeof(words), "console=tty1 console=");

    (void)state;
    memset(words + used, 'x', 1000);
    used += 1000;
    for (int i = 0; i <= CMDLINE_CONSOLES_MAX; i++)
        used += (size_t)snprintf(words + used, sizeof(words) - used, " console=late%d", i);
    cmdline_parse(&cmdline, words, used);
    consoles_init(&c, dev, &cmdline);
    assert_int_equal(c.len, CMDLINE_CONSOLES_MAX);
    assert_int_equal(cmdline.dropped, 3);
    assert_string_equal(c.v[0].tty, "tty1");

    used = (size_t)snprintf(words, sizeof(words), "console=hvc0 console=");
    memset(words + used, 'x', 8000);
    used += 8000;
    cmdline_parse(&cmdline, words, used);
    consoles_init(&c, dev, &cmdline);
    assert_int_equal(c.len, 1);
    assert_string_equal(c.v[0].tty, "hvc0");
    assert_true(cmdline.dropped > 0);
}

static void one_that_comes_is_seen_and_one_that_goes_too(void **state) {
    struct consoles c;
    struct cmdline cmdline;
    char path[128];

    (void)state;
    cmdline_parse(&cmdline, "console=late0", 13);
    consoles_init(&c, dev, &cmdline);
    assert_true(console_look(&c, &c.v[0]));
    assert_false(console_look(&c, &c.v[0]));
    assert_int_equal(c.v[0].state, CONSOLE_ABSENT);
    assert_true(console_may_come(&c.v[0]));
    add_link("late0", slaves[4]);
    assert_true(console_look(&c, &c.v[0]));
    assert_int_equal(c.v[0].state, CONSOLE_THERE);
    assert_false(console_may_come(&c.v[0]));
    (void)snprintf(path, sizeof(path), "%s/late0", dev);
    assert_int_equal(unlink(path), 0);
    assert_true(console_look(&c, &c.v[0]));
    assert_int_equal(c.v[0].state, CONSOLE_ABSENT);
}

static void a_twin_takes_over_when_the_first_has_gone(void **state) {
    static const char words[] = "console=late0 console=hvc0";
    struct consoles c;
    struct cmdline cmdline;
    char path[128];

    (void)state;
    add_link("late0", slaves[4]);
    cmdline_parse(&cmdline, words, sizeof(words) - 1);
    consoles_init(&c, dev, &cmdline);
    (void)console_look(&c, &c.v[0]);
    (void)console_look(&c, &c.v[1]);
    assert_int_equal(c.v[1].state, CONSOLE_TWIN);
    assert_true(console_may_come(&c.v[1]));
    (void)snprintf(path, sizeof(path), "%s/late0", dev);
    assert_int_equal(unlink(path), 0);
    assert_false(console_look(&c, &c.v[1]));
    (void)console_look(&c, &c.v[0]);
    assert_true(console_look(&c, &c.v[1]));
    assert_int_equal(c.v[1].state, CONSOLE_THERE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_line_leads_to_its_gettys),
        cmocka_unit_test(what_is_too_much_leaves_the_others),
        cmocka_unit_test(one_that_comes_is_seen_and_one_that_goes_too),
        cmocka_unit_test(a_twin_takes_over_when_the_first_has_gone),
    };
    return cmocka_run_group_tests(tests, make_dev, remove_dev);
}
