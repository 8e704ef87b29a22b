/* SPDX-License-Identifier: Apache-2.0 */
#include "cmdline/cmdline.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/auto.h"

static struct cmdline c;

static void parse(const char *text) {
    cmdline_parse(&c, text, strlen(text));
}

static void consoles_are_kept_in_order(void **state) {
    (void)state;
    parse("quiet console=tty0 console=ttyS0,115200n8 root=/dev/ram\n");
    assert_int_equal(c.consoles_len, 2);
    assert_string_equal(c.consoles[0].name, "tty0");
    assert_string_equal(c.consoles[0].options, "");
    assert_string_equal(c.consoles[1].name, "ttyS0");
    assert_string_equal(c.consoles[1].options, "115200n8");
    assert_int_equal(c.last_console, 1);
    assert_int_equal(c.dropped, 0);
}

static void a_repeated_console_is_one_with_its_last_options(void **state) {
    (void)state;
    parse("console=ttyS0,9600 console=tty0 console=ttyS0,115200");
    assert_int_equal(c.consoles_len, 2);
    assert_string_equal(c.consoles[0].options, "115200");
    assert_int_equal(c.last_console, 0);
}

static void switches_are_off_by_default_and_the_last_word_counts(void **state) {
    (void)state;
    parse("");
    assert_false(c.runc_debug || c.runc_console || c.cgroup_v1);
    parse("linuxkit.runc_debug=1 linuxkit.runc_console=1 linuxkit.unified_cgroup_hierarchy=0");
    assert_true(c.runc_debug && c.runc_console && c.cgroup_v1);
    parse("linuxkit.runc_debug=1 linuxkit.unified_cgroup_hierarchy=0 linuxkit.runc_debug=0 "
          "linuxkit.unified_cgroup_hierarchy=1");
    assert_false(c.runc_debug || c.cgroup_v1);
    parse("linuxkit.runc_debug xlinuxkit.runc_console=1");
    assert_false(c.runc_debug || c.runc_console);
}

static void quotes_protect_white_space(void **state) {
    (void)state;
    parse("dyndbg=\"a console=bad b\" \"console=tty1\" console=\"tty2\"");
    assert_int_equal(c.consoles_len, 2);
    assert_string_equal(c.consoles[0].name, "tty1");
    assert_string_equal(c.consoles[1].name, "tty2");
}

static void what_follows_two_dashes_is_inits(void **state) {
    (void)state;
    parse("console=tty0 -- console=ttyS0 linuxkit.runc_debug=1");
    assert_int_equal(c.consoles_len, 1);
    assert_false(c.runc_debug);
}

static void too_much_is_counted(void **state) {
    char text[8192] = "";
    (void)state;
    for (int i = 0; i < CMDLINE_CONSOLES_MAX + 2; i++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "console=hvc%d ", i);
    parse(text);
    assert_int_equal(c.consoles_len, CMDLINE_CONSOLES_MAX);
    assert_int_equal(c.dropped, 2);
    memset(text, 'x', sizeof(text));
    cmdline_parse(&c, text, sizeof(text));
    assert_int_equal(c.dropped, 1);
    parse("console=a_name_that_is_too_long_for_any_console_device");
    assert_int_equal(c.consoles_len, 0);
    assert_int_equal(c.dropped, 1);
    parse("console= console=,115200");
    assert_int_equal(c.consoles_len, 0);
}

static void keelsons_own_words_are_read(void **state) {
    (void)state;
    parse("keelson.rescue=1 keelson.watchdog=30 quiet");
    assert_true(c.rescue);
    assert_int_equal(c.watchdog_s, 30);
    parse("keelson.watchdog=soon keelson.rescue=yes");
    assert_false(c.rescue);
    assert_int_equal(c.watchdog_s, 0);
    assert_int_equal(c.dropped, 1);
    parse("keelson.watchdog=4000");
    assert_int_equal(c.watchdog_s, 0);
}

static void collect(const char *key, const char *value, void *data) {
    char *out = data;
    size_t used = strlen(out);

    (void)snprintf(out + used, 256 - used, "[%s|%s]", key, value ? value : "-");
}

static void every_word_is_told_once(void **state) {
    static const char text[] = "quiet a.b=1  \"c=d e\" f=\"g h\" i.j -- k=l";
    char out[256] = "";
    (void)state;
    assert_int_equal(cmdline_each(text, sizeof(text) - 1, collect, out), 0);
    assert_string_equal(out, "[quiet|-][a.b|1][c|d e][f|g h][i.j|-]");
}

/* Keys that others read, straight from the words. */
static const char *const read_elsewhere[] = {"modprobe.blacklist", "MODULE.PARAMETER"};

/* The text of the page from `from` on, without its markup. */
static void read_page(char *out, size_t size) {
    FILE *f = fopen("cmdline/keelson.cmdline.7", "re");
    size_t n = 0;
    int c1;

    assert_non_null(f);
    while ((c1 = fgetc(f)) != EOF && n + 1 < size)
        if (c1 != '\\')
            out[n++] = (char)c1;
    out[n] = '\0';
    assert_int_equal(fclose(f), 0);
}

static void expect_entry(const char *page, const char *key) {
    char entry[64];

    (void)snprintf(entry, sizeof(entry), " %s=", key);
    if (!strstr(page, entry))
        fail_msg("keelson.cmdline(7) does not tell of %s", key);
}

/* The page has a .TP entry for every key that is read, and for no other. */
static void the_page_tells_of_every_key(void **state) {
    static char page[65536];
    size_t keys = 0, entries = 0;
    (void)state;
    read_page(page, sizeof(page));
    for (; cmdline_key(keys); keys++)
        expect_entry(page, cmdline_key(keys));
    assert_true(keys > 0);
    for (size_t i = 0; i < ARRAY_SIZE(read_elsewhere); i++, keys++)
        expect_entry(page, read_elsewhere[i]);
    for (const char *p = page; (p = strstr(p, "\n.TP\n")); p++)
        entries++;
    assert_int_equal(entries, keys);
}

static void odd_bytes_are_survived(void **state) {
    (void)state;
    parse("\"\" = \"=\" \"console= console=\"tty3");
    cmdline_parse(&c, "a\0console=tty0", 14);
    assert_int_equal(c.consoles_len, 0);
    char text[8];
    assert_int_equal(cmdline_read_text("/nonexistent", text, sizeof(text)), -ENOENT);
    assert_int_equal(cmdline_read_text("/proc/self/comm", text, sizeof(text)), 8); /* as much as fits */
    assert_memory_equal(text, "cmdline_", 8);
    assert_int_equal(cmdline_read(&c, "/nonexistent"), -ENOENT);
    assert_int_equal(c.consoles_len, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(consoles_are_kept_in_order),
        cmocka_unit_test(a_repeated_console_is_one_with_its_last_options),
        cmocka_unit_test(switches_are_off_by_default_and_the_last_word_counts),
        cmocka_unit_test(quotes_protect_white_space),
        cmocka_unit_test(what_follows_two_dashes_is_inits),
        cmocka_unit_test(too_much_is_counted),
        cmocka_unit_test(keelsons_own_words_are_read),
        cmocka_unit_test(every_word_is_told_once),
        cmocka_unit_test(the_page_tells_of_every_key),
        cmocka_unit_test(odd_bytes_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
