/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes on their way: in a list of entries, and in the table of an initrd. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/attributes.h"
#include "lib/fdutil.h"
#include "lib/log.h"
#include "tools/image/content.h"
#include "tools/output/attributes.h"
#include "tools/output/kernel_initrd.h"
#include "tools/output/listing.h"
#include "tools/output/segment.h"

#define CAP "security.capability"
#define ONE(name, value) .xattrs = (const struct entry_xattr[]){{name, value, sizeof(value) - 1}}, .xattrs_len = 1

static char said[4096];

static void hear(const char *line, size_t len) {
    (void)snprintf(said, sizeof(said), "%.*s", (int)len, line);
}

static void note(struct attributes *a, struct entry entry) {
    assert_int_equal(attributes_note(a, &entry, NULL), 0);
}

static void note_cap(struct attributes *a, const char *path, const char *value) {
    const struct entry_xattr cap = {CAP, value, strlen(value)};

    note(a, (struct entry){.path = path, .xattrs = &cap, .xattrs_len = 1});
}

static void check_table(const struct attributes *a, const char *expected, size_t len) {
    AUTO_BUF struct buf table = BUF_INIT;

    assert_int_equal(attributes_put_table(a, attributes_are_for_tmpfs, &table, NULL), 0);
    assert_int_equal(table.len, len);
    if (len)
        assert_memory_equal(table.data, expected, len);
}

static void test_a_table_is_of_what_stands_at_the_end(void **state) {
    static const char expected[] = "a\0" CAP "\0"
                                   "32\0"
                                   "b\0" CAP "\0"
                                   "33\0"
                                   "d\0" CAP "\0"
                                   "31\0"
                                   "e\xff\0" CAP "\0";
    AUTO(attributes_fini) struct attributes a = {.names = PATHMAP_INIT};

    (void)state;
    check_table(&a, "", 0);
    note(&a, (struct entry){.path = "e\xff", ONE(CAP, "")});
    note_cap(&a, "c", "9");
    note_cap(&a, "a", "1");
    note(&a, (struct entry){.type = ENTRY_HARDLINK, .path = "d", .link = "a"});
    note_cap(&a, "a", "2");
    note(&a, (struct entry){.path = "c"});
    note(&a, (struct entry){.path = "never"});
    note(&a, (struct entry){.type = ENTRY_HARDLINK, .path = "h", .link = "never"});
    note(&a, (struct entry){.path = "b", ONE("user.note", "x")});
    note_cap(&a, "b", "3");
    check_table(&a, expected, sizeof(expected));
}

static void test_a_hard_link_to_what_has_none_has_none(void **state) {
    AUTO(attributes_fini) struct attributes a = {.names = PATHMAP_INIT};

    (void)state;
    note_cap(&a, "a", "1");
    note(&a, (struct entry){.path = "b"});
    note(&a, (struct entry){.type = ENTRY_HARDLINK, .path = "a", .link = "b"});
    check_table(&a, "", 0);
}

static void test_a_table_has_a_bound(void **state) {
    AUTO(attributes_fini) struct attributes a = {.names = PATHMAP_INIT};
    AUTO_BUF struct buf table = {.max = ATTRIBUTES_TABLE_MAX};
    static char value[60000];
    struct err e = {0};

    (void)state;
    memset(value, 'x', sizeof(value) - 1);
    for (char path[2] = "a"; *path < 'a' + 9; (*path)++)
        note_cap(&a, path, value);
    assert_int_equal(attributes_put_table(&a, NULL, &table, &e), -E2BIG);
    assert_string_equal(e.msg, "could not store the extended attributes of the files: their table is larger than 1024 "
                               "KiB; a root of squashfs takes them (--root squashfs)");
}

static const char *warning(const struct attributes *a, attributes_are_fn *are) {
    said[0] = '\0';
    log_set_sink(hear);
    assert_int_equal(attributes_warn(a, are, "why", NULL), 0);
    log_set_sink(NULL);
    return said;
}

static void test_what_is_lost_is_said(void **state) {
    AUTO(attributes_fini) struct attributes a = {.names = PATHMAP_INIT};

    (void)state;
    assert_string_equal(warning(&a, NULL), "");
    note_cap(&a, "b", "1");
    assert_string_equal(warning(&a, attributes_are_not_for_tmpfs), "");
    assert_non_null(strstr(warning(&a, NULL), "1 file loses extended attributes, /b its " CAP ": why"));
    note(&a, (struct entry){.path = "c", ONE("user.note", "x")});
    assert_non_null(
        strstr(warning(&a, attributes_are_not_for_tmpfs), "1 file loses extended attributes, /c its user.note: "));
    assert_non_null(strstr(warning(&a, NULL), "2 files lose extended attributes, /b its " CAP ", for one: why"));
}

static int check_listed(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    unsigned *seen = data;
    char text[8] = "";

    (*seen)++;
    assert_int_equal(entry->xattrs_len, *entry->path == 'f' ? 2 : 0);
    if (!entry->xattrs_len)
        return 0;
    assert_string_equal(entry->xattrs[0].name, CAP);
    assert_int_equal(entry->xattrs[0].len, 3);
    assert_memory_equal(entry->xattrs[0].value, "\0\1\2", 3);
    assert_string_equal(entry->xattrs[1].name, "user.empty");
    assert_int_equal(entry->xattrs[1].len, 0);
    assert_int_equal(content->read(content->ctx, text, sizeof(text), e), 4);
    assert_string_equal(text, "kept");
    return 0;
}

static void test_a_list_has_them(void **state) {
    static const unsigned char sha1[LISTING_SHA1];
    const struct entry_xattr two[] = {{CAP, "\0\1\2", 3}, {"user.empty", "", 0}};
    const struct entry file = {.path = "f", .size = 4, .sha1 = sha1, .xattrs = two, .xattrs_len = 2};
    const struct entry dir = {.path = "d", .type = ENTRY_DIR};
    AUTO_BUF struct buf kept = BUF_INIT;
    AUTO_FCLOSE FILE *f = tmpfile();
    unsigned seen = 0;

    (void)state;
    assert_non_null(f);
    assert_int_equal(buf_puts(&kept, "kept"), 0);
    assert_int_equal(listing_write(f, &dir, NULL, NULL), 0);
    assert_int_equal(listing_write(f, &file, &kept, NULL), 0);
    assert_int_equal(listing_write(f, &dir, NULL, NULL), 0);
    long size = ftell(f);
    rewind(f);
    assert_int_equal(listing_read(f, (uint64_t)size, check_listed, &seen, NULL), 0);
    assert_int_equal(seen, 3);
}

static int take_any(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    (void)data;
    (void)entry;
    (void)content;
    (void)e;
    return 0;
}

/* Wherever a byte of the attributes is wrong, they are refused or are others, and nothing is read behind them. */
static void test_a_damaged_list_is_refused(void **state) {
    const struct entry dir = {.path = "d", .type = ENTRY_DIR, ONE(CAP, "value")};
    AUTO_FCLOSE FILE *f = tmpfile();

    (void)state;
    assert_non_null(f);
    assert_int_equal(listing_write(f, &dir, NULL, NULL), 0);
    long size = ftell(f), first = size - 8 - (long)sizeof(CAP) - 5;
    static const struct {
        long at;
        char byte;
        int expected;
    } damages[] = {
        {0, 4, -EBADMSG}, {0, 6, -EBADMSG}, {7, 1, -EBADMSG}, {8 + sizeof(CAP) - 1, 'x', -EBADMSG}, {9, 'x', 0}};
    for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
        assert_int_equal(fseek(f, first + damages[i].at, SEEK_SET), 0);
        int old = fgetc(f);
        assert_int_equal(fseek(f, first + damages[i].at, SEEK_SET), 0);
        assert_int_equal(fputc(damages[i].byte, f), damages[i].byte);
        rewind(f);
        assert_int_equal(listing_read(f, (uint64_t)size, take_any, NULL, NULL), damages[i].expected);
        assert_int_equal(fseek(f, first + damages[i].at, SEEK_SET), 0);
        assert_int_equal(fputc(old, f), old);
    }
}

static bool keeps_none(const void *data, const struct entry *entry) {
    (void)data;
    (void)entry;
    return false;
}

static int add_all(struct output *o, struct err *e) {
    static const struct origin origin = {.source = "s", .location = "l"};
    const struct entry all[] = {
        {.type = ENTRY_SYMLINK, .path = ATTRIBUTES_SETTER, .link = ATTRIBUTES_SERVICE},
        {.path = "a", .nlink = 2, ONE(CAP, "1")},
        {.path = "b", .type = ENTRY_HARDLINK, .link = "a"},
        {.path = "boot/x", ONE(CAP, "2")},
    };
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(all) && !r; i++) {
        struct content_source source = content_text(all[i].path, "", 0);
        const struct entry_content content = {.read = content_read, .ctx = &source};
        r = output_add(o, &all[i], all[i].type == ENTRY_FILE ? &content : NULL, &origin, e);
    }
    return r;
}

/* As a part that is made apart, into a file without a name. */
static void make_segment(FILE *f, struct segment *s) {
    AUTO_OUTPUT struct output *part = NULL;

    assert_non_null(f);
    assert_int_equal(segment_output_new(fileno(f), COMPRESS_NONE, keeps_none, NULL, &part, NULL), 0);
    assert_int_equal(add_all(part, NULL), 0);
    assert_int_equal(output_complete(part, NULL), 0);
    assert_int_equal(segment_open(fileno(f), s, NULL), 0);
}

static void test_an_initrd_has_the_table_of_entries_and_parts(void **state) {
    static const char table[] = "a\0" CAP "\0"
                                "31\0"
                                "b\0" CAP "\0"
                                "31\0";

    (void)state;
    assert_int_equal(mkdir_p("build/test", 0755, NULL), 0);
    for (int apart = 0; apart < 2; apart++) {
        AUTO_OUTPUT struct output *o = NULL;
        AUTO_FCLOSE FILE *f = tmpfile();
        AUTO_BUF struct buf initrd = BUF_INIT;
        struct segment s;
        make_segment(f, &s);
        assert_int_equal(output_kernel_initrd_new("build/test/attr", COMPRESS_NONE, false, &o, NULL), 0);
        assert_int_equal(apart ? output_add_segment(o, &s, NULL) : add_all(o, NULL), 0);
        assert_int_equal(output_complete(o, NULL), 0);
        assert_int_equal(read_file("build/test/attr-initrd.img", 1 << 20, &initrd, NULL), 0);
        const char *found = memmem(initrd.data, initrd.len, table, sizeof(table) - 1);
        assert_non_null(found);
        assert_int_equal(memcmp(found - 26, ATTRIBUTES_TABLE, strlen(ATTRIBUTES_TABLE)), 0);
        assert_memory_equal(found + 52, "070701", 6); /* nothing else is in it */
        assert_non_null(memmem(initrd.data, initrd.len, ATTRIBUTES_STEP, sizeof(ATTRIBUTES_STEP)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_table_is_of_what_stands_at_the_end),
        cmocka_unit_test(test_a_hard_link_to_what_has_none_has_none),
        cmocka_unit_test(test_a_table_has_a_bound),
        cmocka_unit_test(test_what_is_lost_is_said),
        cmocka_unit_test(test_a_list_has_them),
        cmocka_unit_test(test_a_damaged_list_is_refused),
        cmocka_unit_test(test_an_initrd_has_the_table_of_entries_and_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
