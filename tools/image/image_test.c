/* SPDX-License-Identifier: Apache-2.0 */
/* Images are written with our writer into a fresh cache, damaged where the test says so, and read back. */
#include "tools/image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/fdutil.h"
#include "lib/json.h"

static char cache[64];
static struct layer_desc layers[8];
static size_t layers_len;

static int setup(void **state) {
    (void)state;
    layers_len = 0;
    (void)snprintf(cache, sizeof(cache), "/tmp/image_test.XXXXXX");
    return mkdtemp(cache) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state) {
    (void)state;
    return nftw(cache, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct text {
    const char *at;
};

static ssize_t read_text(void *ctx, void *data, size_t len, struct err *e) {
    struct text *t = ctx;
    size_t n = strlen(t->at) < len ? strlen(t->at) : len;
    (void)e;
    memcpy(data, t->at, n);
    t->at += n;
    return (ssize_t)n;
}

/* "d PATH", "f PATH CONTENTS", "l PATH TARGET", "h PATH TARGET" */
static int try_add(struct layer_writer *w, const char *line, struct err *e) {
    char path[256] = "", rest[256] = "";
    struct entry entry = {.path = path, .mode = 0644, .mtime = 1};
    struct text text = {rest};
    const struct entry_content content = {read_text, &text};

    (void)sscanf(line + 2, "%255s %255s", path, rest);
    entry.type = *line == 'd' ? ENTRY_DIR : *line == 'f' ? ENTRY_FILE : *line == 'l' ? ENTRY_SYMLINK : ENTRY_HARDLINK;
    if (*line == 'd')
        entry.mode = 0750;
    if (entry.type == ENTRY_SYMLINK || entry.type == ENTRY_HARDLINK)
        entry.link = rest;
    if (entry.type == ENTRY_FILE)
        entry.size = strlen(rest);
    return layer_writer_add(w, &entry, entry.type == ENTRY_FILE ? &content : NULL, e);
}

static void layer(const char *const *lines) {
    struct layer_writer *w;
    struct err e = {0};
    assert_int_equal(layer_writer_new(cache, &w, &e), 0);
    for (; *lines; lines++)
        if (try_add(w, *lines, &e))
            fail_msg("%s", e.msg);
    if (layer_writer_finish(w, &layers[layers_len++], &e))
        fail_msg("%s", e.msg);
}
#define LAYER(...) layer((const char *const[]){__VA_ARGS__, NULL})

static void store(const char *ref, char *digest) {
    struct err e = {0};
    AUTO_JSON json_t *config = json_pack("{s:{s:[s]}}", "config", "Cmd", "/bin/sh");
    if (image_store(cache, "amd64", config, layers, layers_len, &ref, 1, digest, &e))
        fail_msg("%s", e.msg);
}

static int list_entry(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    struct buf *out = data;
    char text[256] = "";
    if (content) {
        ssize_t n = content->read(content->ctx, text, sizeof(text) - 1, e);
        if (n < 0)
            return (int)n;
    }
    return buf_printf(out, "%c%s%s%s;", "fdlhcbp"[entry->type], entry -> path, entry -> link || *text ? "=" : "",
                      entry->link ? entry->link : text);
}

static int walk(const char *ref, struct buf *out, struct err *e) {
    AUTO_IMAGE struct image *img = NULL;
    int r = image_open(cache, ref, "amd64", &img, e);
    return r ? r : image_walk(img, list_entry, out, e);
}

static void expect(const char *listing) {
    AUTO_BUF struct buf out = BUF_INIT;
    struct err e = {0};
    char digest[80];
    store("keelson/x", digest);
    if (walk("keelson/x", &out, &e))
        fail_msg("%s", e.msg);
    assert_string_equal(out.data ? out.data : "", listing);
}

static void expect_failure(int code, const char *part) {
    AUTO_BUF struct buf out = BUF_INIT;
    struct err e = {0};
    char digest[80];
    store("keelson/x", digest);
    assert_int_equal(walk("keelson/x", &out, &e), code);
    if (!strstr(e.msg, part))
        fail_msg("\"%s\" does not say \"%s\"", e.msg, part);
}

static void one_layer_comes_back(void **state) {
    (void)state;
    LAYER("d bin", "f bin/sh code", "l bin/ash sh", "h bin/bash bin/sh");
    expect("dbin;fbin/sh=code;lbin/ash=sh;hbin/bash=bin/sh;");
}

static void missing_parents_are_made_up(void **state) {
    (void)state;
    LAYER("f a/\xc3\xa9/c x");
    expect("da;da/\xc3\xa9;fa/\xc3\xa9/c=x;");
}

static void a_higher_layer_wins(void **state) {
    (void)state;
    LAYER("d etc", "f etc/a old", "f etc/b stays");
    LAYER("f etc/a new");
    expect("detc;fetc/b=stays;fetc/a=new;");
}

static void a_whiteout_removes_what_is_below(void **state) {
    (void)state;
    LAYER("d d", "f d/x 1", "d d/sub", "f d/sub/y 2", "f keep 3");
    LAYER("f d/.wh.sub", "f .wh.nothing");
    expect("dd;fd/x=1;fkeep=3;");
}

static void an_opaque_directory_hides_lower_layers_only(void **state) {
    (void)state;
    LAYER("d d", "f d/old 1", "d d/e", "f d/e/old 1");
    LAYER("d d", "f d/new 2", "f d/.wh..wh..opq");
    expect("dd;fd/new=2;");
}

static void a_layer_s_own_names_are_not_hidden_by_it(void **state) {
    (void)state;
    LAYER("d d", "f d/one 1", "f d/two 2", "f three 3");
    LAYER("h d/four three", "f d/.wh..wh..opq", "h d/five three", "f d/.wh.five", "f d/.wh..wh..opq");
    expect("dd;fthree=3;hd/four=three;hd/five=three;");
}

static void what_was_hidden_may_come_back(void **state) {
    (void)state;
    LAYER("d d", "d d/e", "f d/e/x 1", "f d/y 2");
    LAYER("f .wh.d", "d d", "f d/e/x 3");
    LAYER("f d 4", "d d", "f d/y 5", "f d 6");
    LAYER("d d", "f d/e/x 7", "f d/.wh..wh..opq", "f d/e/z 8", "f d/.wh..wh..opq");
    expect("dd;dd/e;fd/e/x=7;fd/e/z=8;");
}

static void a_file_replaces_a_directory_and_back(void **state) {
    (void)state;
    LAYER("d a", "f a/x 1", "f b 1");
    LAYER("f a 2", "d b", "f b/y 2");
    expect("fa=2;db;fb/y=2;");
}

static void a_hard_link_survives_its_target(void **state) {
    (void)state;
    LAYER("f one data", "h two one", "h three one");
    LAYER("f .wh.one");
    expect("ftwo=data;hthree=two;");
}

static void a_hard_link_to_nothing_is_an_error(void **state) {
    (void)state;
    LAYER("h two one");
    expect_failure(-EINVAL, "hard link two has no target one");
}

static void links_on_the_way_are_followed_inside_the_root(void **state) {
    (void)state;
    LAYER("d usr", "d usr/lib", "l lib /../usr/lib");
    LAYER("f lib/x 1");
    expect("dusr;dusr/lib;llib=/../usr/lib;fusr/lib/x=1;");
}

static void a_circle_of_links_ends(void **state) {
    (void)state;
    LAYER("l a b", "l b a", "f a/x 1");
    expect_failure(-ELOOP, "too many links");
}

static void a_path_that_leaves_the_root_is_refused(void **state) {
    (void)state;
    LAYER("f ../../etc/passwd x");
    expect_failure(-EINVAL, "leaves its root");
}

static void a_file_is_no_parent(void **state) {
    (void)state;
    LAYER("f a 1", "f a/b 2");
    expect_failure(-ENOTDIR, "not a directory");
}

static void damage(off_t at, bool cut) {
    char path[2048];
    (void)snprintf(path, sizeof(path), "%s/blobs/sha256/%s", cache, layers[0].digest + 7);
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    if (cut)
        assert_int_equal(ftruncate(fd, at), 0);
    else
        assert_int_equal(pwrite(fd, "X", 1, at), 1);
}

static void a_damaged_layer_is_noticed_before_anything_comes_out(void **state) {
    AUTO_BUF struct buf out = BUF_INIT;
    struct err e = {0};
    char digest[80];
    (void)state;
    LAYER("f one some-data-that-is-stored-as-it-is", "f two 2");
    store("keelson/x", digest);
    damage((off_t)layers[0].size - 1, false); /* behind the archive's end */
    assert_int_not_equal(walk("keelson/x", &out, &e), 0);
    assert_int_equal(out.len, 0);
    assert_non_null(strstr(e.msg, layers[0].digest));
}

static void a_cut_off_layer_is_noticed(void **state) {
    AUTO_BUF struct buf out = BUF_INIT;
    struct err e = {0};
    char digest[80];
    (void)state;
    LAYER("f one 1");
    store("keelson/x", digest);
    damage((off_t)layers[0].size / 2, true);
    assert_int_not_equal(walk("keelson/x", &out, &e), 0);
    assert_int_equal(out.len, 0);
}

static void the_same_entries_give_the_same_digest(void **state) {
    char first[80], second[80];
    (void)state;
    LAYER("d a", "f a/b c");
    store("keelson/x", first);
    layers_len = 0;
    LAYER("d a", "f a/b c");
    store("keelson/y", second);
    assert_string_equal(first, second);
}

static void names_move_and_unknown_ones_are_told(void **state) {
    AUTO_BUF struct buf out = BUF_INIT;
    struct err e = {0};
    char digest[80];
    (void)state;
    LAYER("f old 1");
    store("keelson/x", digest);
    layers_len = 0;
    LAYER("f new 1");
    store("keelson/x:latest", digest);
    assert_int_equal(walk("docker.io/keelson/x", &out, &e), 0);
    assert_string_equal(out.data, "fnew=1;");
    assert_int_equal(walk("keelson/none", &out, &e), -ENOENT);
    assert_non_null(strstr(e.msg, "docker.io/keelson/none:latest"));
    AUTO_IMAGE struct image *img = NULL;
    assert_int_equal(image_open(cache, "keelson/x", "arm64", &img, &e), -ENOENT);
    assert_non_null(strstr(e.msg, "linux/arm64"));
}

static void references_are_written_in_full(void **state) {
    const char *const cases[][2] = {
        {"alpine", "docker.io/library/alpine:latest"},
        {"linuxkit/init:abc", "docker.io/linuxkit/init:abc"},
        {"localhost/x", "localhost/x:latest"},
        {"r.example:5000/a/b", "r.example:5000/a/b:latest"},
        {"a@sha256:00", "docker.io/library/a@sha256:00"},
        {"docker.io/alpine", "docker.io/library/alpine:latest"},
        {"index.docker.io/alpine:3", "docker.io/library/alpine:3"},
        {"index.docker.io/linuxkit/init", "docker.io/linuxkit/init:latest"},
        {"my.docker.io/alpine", "my.docker.io/alpine:latest"},
        {"[::1]:5000/x", "[::1]:5000/x:latest"},
        {"[2001:DB8::a]/a/b:c", "[2001:DB8::a]/a/b:c"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_FREE char *full = NULL;
        assert_int_equal(image_ref_normalize(cases[i][0], &full, NULL), 0);
        assert_string_equal(full, cases[i][1]);
    }
    for (const char *const *bad = (const char *const[]){"",
                                                        "a b",
                                                        "/a",
                                                        "a/",
                                                        "a//b",
                                                        "a:",
                                                        "A",
                                                        "x/Y:z",
                                                        "localhost:5000/X",
                                                        "[::1]",
                                                        "[::1]:5000",
                                                        "[::1]:/x",
                                                        "[::1]5/x",
                                                        "[::1]:a/x",
                                                        "[::g]/x",
                                                        "[::1/x",
                                                        "[]/x",
                                                        "[1.2.3.4]/x",
                                                        "[::1%lo]/x",
                                                        "x/[::1]",
                                                        "[::1]/[::1]/x",
                                                        "[00000000000000000000000000000000000000000000::1]/x",
                                                        NULL};
         *bad; bad++) {
        AUTO_FREE char *full = NULL;
        assert_int_equal(image_ref_normalize(*bad, &full, NULL), -EINVAL);
    }
}

static void a_configuration_tells_its_platform(void **state) {
    static const struct {
        const char *config, *arch;
        int result;
    } cases[] = {
        {"{}", "arm64", 0},
        {"{\"os\":\"\",\"architecture\":\"\"}", "arm64", 0},
        {"{\"os\":\"linux\",\"architecture\":\"arm64\"}", "arm64", 0},
        {"{\"os\":\"linux\",\"architecture\":\"arm\"}", "arm/v7", 0},
        {"{\"architecture\":\"arm\"}", "arm64", -ENODATA},
        {"{\"os\":\"linux\",\"architecture\":\"amd64\"}", "arm64", -ENODATA},
        {"{\"os\":\"windows\",\"architecture\":\"amd64\"}", "amd64", -ENODATA},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_JSON json_t *config = json_loads(cases[i].config, 0, NULL);
        assert_non_null(config);
        assert_int_equal(image_platform_check(config, cases[i].arch, NULL), cases[i].result);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(one_layer_comes_back),
        T(missing_parents_are_made_up),
        T(a_higher_layer_wins),
        T(a_whiteout_removes_what_is_below),
        T(an_opaque_directory_hides_lower_layers_only),
        T(a_layer_s_own_names_are_not_hidden_by_it),
        T(what_was_hidden_may_come_back),
        T(a_file_replaces_a_directory_and_back),
        T(a_hard_link_survives_its_target),
        T(a_hard_link_to_nothing_is_an_error),
        T(links_on_the_way_are_followed_inside_the_root),
        T(a_circle_of_links_ends),
        T(a_path_that_leaves_the_root_is_refused),
        T(a_file_is_no_parent),
        T(a_damaged_layer_is_noticed_before_anything_comes_out),
        T(a_cut_off_layer_is_noticed),
        T(the_same_entries_give_the_same_digest),
        T(names_move_and_unknown_ones_are_told),
        T(references_are_written_in_full),
        T(a_configuration_tells_its_platform),
    };
    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* as main does: libarchive's names */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
