/* SPDX-License-Identifier: Apache-2.0 */
/* Whole images: a build.yml and packages of the test's own in, what the cache gives back out. */
#include "tools/pkg/assemble.h"

#include <errno.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "tools/image/tar.h"
#include "tools/pkg/fixture_test.h"
#include "tools/pkg/tag.h"

static int try_build_for(const char *arch, const char *text, char *tag, struct err *e) {
    AUTO_RECIPE struct recipe r;

    fixture_write("build.yml", text);
    int result = recipe_load(fixture_path("."), &r, e);
    return result < 0 ? result : assemble(&r, fixture_path("cache"), arch, tag, e);
}

static int try_build(const char *text, char *tag, struct err *e) {
    return try_build_for("amd64", text, tag, e);
}

static void build(const char *text, char *tag) {
    struct err e = {0};

    if (try_build(text, tag, &e) < 0)
        fail_msg("%s", e.msg);
}

static struct image *open_named(const char *name, const char *arch) {
    struct image *img = NULL;
    struct err e = {0};

    if (image_open(fixture_path("cache"), name, arch, &img, &e) < 0)
        fail_msg("%s", e.msg);
    return img;
}

static struct image *open_image(void) {
    return open_named("keelson/x", "amd64");
}

/* What the image named keelson/x has, one entry a line. */
static void assert_image(const char *expected) {
    AUTO_IMAGE struct image *img = open_image();
    AUTO_BUF struct buf out = BUF_INIT;
    struct err e = {0};

    if (image_walk(img, fixture_describe, &out, &e) < 0)
        fail_msg("%s", e.msg);
    assert_string_equal(out.data ? out.data : "", expected);
}

static void assert_config(const char *key, const char *expected) {
    AUTO_IMAGE struct image *img = open_image();
    const json_t *value = json_object_get(json_object_get(image_config(img), "config"), key);
    AUTO_FREE char *text = value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : strdup("none");

    assert_string_equal(text, expected);
}

static void own_files_become_a_layer(void **state) {
    char tag[TAG_LEN + 1];

    (void)state;
    fixture_write("tool", "#!/bin/sh\n");
    assert_int_equal(chmod(fixture_path("tool"), 0700), 0);
    build("image: x\n"
          "copy:\n"
          "  - {from: tool, to: /usr/bin/tool}\n"
          "files:\n"
          "  - {path: etc/conf, contents: \"a\\n\", mode: \"0600\"}\n"
          "  - {path: srv/, directory: true}\n"
          "  - {path: usr/lib64, symlink: lib}\n"
          "links:\n"
          "  - {target: /usr/bin/tool, paths: [bin/a, bin/b]}\n",
          tag);
    assert_image("d usr\nd usr/bin\nf usr/bin/tool=#!/bin/sh\n\nd etc\nf etc/conf=a\n\nd srv\nl usr/lib64 -> lib\n"
                 "d bin\nl bin/a -> /usr/bin/tool\nl bin/b -> /usr/bin/tool\n");
}

static void the_configuration_is_the_recipes(void **state) {
    char tag[TAG_LEN + 1];

    (void)state;
    fixture_deb("one", "1%3a2.0", NULL, LINES("f a x"));
    build("image: x\n"
          "entrypoint: [/bin/e]\n"
          "command: [c, d]\n"
          "env: [A=1]\n"
          "workdir: /w\n"
          "config:\n"
          "  capabilities: [all]\n"
          "  runtime: {mkdir: [/d]}\n"
          "debian: {packages: [one]}\n",
          tag);
    assert_config("Entrypoint", "[\"/bin/e\"]");
    assert_config("Cmd", "[\"c\",\"d\"]");
    assert_config("Env", "[\"A=1\"]");
    assert_config("WorkingDir", "\"/w\"");
    /* without the places that the YAML reader notes */
    assert_config("Labels", "{\"org.keelson.debian\":\"{\\\"one\\\":\\\"1:2.0\\\"}\","
                            "\"org.keelson.layers\":\"[\\\"one=1:2.0\\\"]\","
                            "\"org.mobyproject.config\":\"{\\\"capabilities\\\":[\\\"all\\\"],"
                            "\\\"runtime\\\":{\\\"mkdir\\\":[\\\"/d\\\"]}}\"}");
    build("image: x\n", tag);
    assert_config("Entrypoint", "none");
    assert_config("Labels", "{}");
}

static void each_architecture_has_its_own_files(void **state) {
    static const char *const arches[] = {"amd64", "arm64"};
    char tags[2][TAG_LEN + 1], name[64];
    struct err e = {0};

    (void)state;
    fixture_write("amd64.txt", "a PC");
    fixture_write("arm64.txt", "an arm");
    for (size_t i = 0; i < 2; i++)
        if (try_build_for(arches[i], "image: x\ncopy: [{from: ./@arch@.txt, to: machine}]\n", tags[i], &e) < 0)
            fail_msg("%s", e.msg);
    assert_string_not_equal(tags[0], tags[1]);
    for (size_t i = 0; i < 4; i++) { /* by its tag, and under the name that they share */
        AUTO_BUF struct buf out = BUF_INIT;
        (void)snprintf(name, sizeof(name), "keelson/x:%s", i < 2 ? tags[i] : "latest");
        AUTO_IMAGE struct image *img = open_named(name, arches[i % 2]);
        assert_int_equal(image_walk(img, fixture_describe, &out, &e), 0);
        assert_string_equal(out.data, i % 2 ? "f machine=an arm\n" : "f machine=a PC\n");
    }
}

#define RECORD(name, version)                                                                                          \
    "d var\nd var/lib\nd var/lib/dpkg\nd var/lib/dpkg/status.d\nf var/lib/dpkg/status.d/" name "=Package: " name       \
    "\nVersion: " version "\nArchitecture: amd64\n\n"

static void packages_are_unpacked_and_recorded(void **state) {
    char tag[TAG_LEN + 1];

    (void)state;
    fixture_deb("one", "1.0", NULL, LINES("d .", "d usr", "f usr/keep 1", "f usr/keep.gz 2", "f etc/x 3"));
    build("image: x\ndebian:\n  packages: [one]\n  keep: [usr/*]\n  exclude: [\"*.gz\"]\n", tag);
    assert_image("d usr\nf usr/keep=1\n" RECORD("one", "1.0"));
}

static void hard_links_whose_target_is_dropped_become_files(void **state) {
    char tag[TAG_LEN + 1];

    (void)state;
    fixture_deb("one", "1.0", NULL,
                LINES("d bin", "f bin/perl5.36 the program", "h bin/perl bin/perl5.36", "h bin/p bin/perl5.36",
                      "f bin/kept 1", "h bin/kept2 bin/kept"));
    build("image: x\ndebian:\n  packages: [one]\n  exclude: [bin/perl5*]\n", tag);
    assert_image("d bin\nf bin/kept=1\nh bin/kept2 -> bin/kept\nf bin/perl=the program\nh bin/p -> bin/perl\n" RECORD(
        "one", "1.0"));
    build("image: x\ndebian:\n  packages: [one]\n  exclude: [bin/perl*]\n", tag);
    assert_image("d bin\nf bin/kept=1\nh bin/kept2 -> bin/kept\nf bin/p=the program\n" RECORD("one", "1.0"));
    build("image: x\ndebian:\n  packages: [one]\n  exclude: [bin/p*, bin/kept2]\n", tag);
    assert_image("d bin\nf bin/kept=1\n" RECORD("one", "1.0"));
}

static void a_hard_link_to_nothing_is_refused(void **state) {
    char tag[TAG_LEN + 1];
    struct err e = {0};

    (void)state;
    fixture_deb("one", "1.0", NULL, LINES("h bin/a bin/none"));
    assert_int_equal(try_build("image: x\ndebian:\n  packages: [one]\n  keep: [bin/a]\n", tag, &e), -EBADMSG);
    assert_non_null(strstr(e.msg, "build.yml:3:3: "));
    assert_non_null(strstr(e.msg, "it has hard links to bin/none, which is no file of it"));
}

static void the_same_inputs_have_the_same_tag(void **state) {
    static const char recipe[] = "image: x\ndebian: {packages: [one]}\nfiles: [{path: a, contents: b}]\n";
    char first[TAG_LEN + 1], again[TAG_LEN + 1], other[TAG_LEN + 1];

    (void)state;
    fixture_deb("one", "1.0", NULL, LINES("f usr/one 1"));
    build(recipe, first);
    assert_int_equal(strspn(first, "0123456789abcdef"), TAG_LEN);
    AUTO_IMAGE struct image *img = open_image();
    AUTO_FREE char *digest = strdup(image_digest(img));
    assert_int_equal(rename(fixture_path("cache"), fixture_path("old-cache")), 0);
    build(recipe, again);
    assert_string_equal(again, first);
    AUTO_IMAGE struct image *img2 = open_image();
    assert_string_equal(image_digest(img2), digest);
    /* contents, configuration and packages all count */
    build("image: x\ndebian: {packages: [one]}\nfiles: [{path: a, contents: c}]\n", other);
    assert_string_not_equal(other, first);
    build("image: x\ndebian: {packages: [one]}\nfiles: [{path: a, contents: b}]\nenv: [A=1]\n", other);
    assert_string_not_equal(other, first);
    fixture_deb("one", "1.0", NULL, LINES("f usr/one 2"));
    build(recipe, other);
    assert_string_not_equal(other, first);
}

static void the_tag_of_the_last_build_is_found(void **state) {
    char tag[TAG_LEN + 1], found[TAG_LEN + 1];

    (void)state;
    assert_int_equal(tag_find(fixture_path("cache"), "keelson", "x", "amd64", found, NULL), -ENOENT);
    build("image: x\nfiles: [{path: a, contents: b}]\n", tag);
    assert_int_equal(tag_find(fixture_path("cache"), "keelson", "x", "amd64", found, NULL), 0);
    assert_string_equal(found, tag);
    build("image: x\nfiles: [{path: a, contents: c}]\nconfig: {net: host}\n", tag);
    assert_int_equal(tag_find(fixture_path("cache"), "keelson", "x", "amd64", found, NULL), 0);
    assert_string_equal(found, tag);
    assert_int_equal(tag_find(fixture_path("cache"), "other", "x", "amd64", found, NULL), -ENOENT);
}

static void what_cannot_be_found_names_its_place(void **state) {
    char tag[TAG_LEN + 1];
    struct err e = {0};

    (void)state;
    assert_int_equal(try_build("image: x\ncopy:\n  - from: none\n    to: a\n", tag, &e), -ENOENT);
    assert_non_null(strstr(e.msg, "build.yml:3:5: could not open "));
    assert_int_equal(try_build("image: x\ncopy:\n  - {from: bin, to: a}\n", tag, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "it is not a regular file"));
    assert_int_equal(try_build("image: x\ndebian: {packages: [none]}\n", tag, &e), -EIO);
    assert_non_null(strstr(e.msg, "build.yml:2:9: could not ask apt for packages"));
    assert_int_equal(try_build("image: x\nkernel:\n  package: none\n", tag, &e), -EIO);
    assert_non_null(strstr(e.msg, "build.yml:3:3: could not ask apt for packages"));
}

static int name_it(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    (void)content;
    (void)e;
    return buf_printf(data, " %s", entry->path);
}

/* kernel.tar is described by the names in it: what depmod writes into them is its own affair. */
static int describe_kernel(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    static char bytes[1 << 20];
    ssize_t len;

    if (strcmp(entry->path, "kernel.tar") != 0)
        return fixture_describe(data, entry, content, e);
    assert_in_range(entry->size, 1, sizeof(bytes));
    for (size_t have = 0; have < entry->size; have += (size_t)len) {
        len = content->read(content->ctx, bytes + have, entry->size - have, e);
        assert_true(len > 0);
    }
    struct archive *tar = archive_read_new();
    assert_int_equal(archive_read_support_format_tar(tar), ARCHIVE_OK);
    assert_int_equal(archive_read_open_memory(tar, bytes, entry->size), ARCHIVE_OK);
    int r = buf_puts(data, "kernel.tar:");
    r = r < 0 ? r : tar_read(tar, "kernel.tar", name_it, data, e);
    assert_int_equal(archive_read_free(tar), ARCHIVE_OK);
    return r < 0 ? r : buf_puts(data, "\n");
}

static void a_kernel_package_becomes_kernel_and_tar(void **state) {
    AUTO_BUF struct buf out = BUF_INIT;
    char tag[TAG_LEN + 1];

    (void)state;
    /* the name asked for stands for another package */
    fixture_deb("linux-image-cloud", "6.1", "linux-image-6.1-cloud (= 6.1)", LINES("d usr"));
    fixture_deb("linux-image-6.1-cloud", "6.1", NULL,
                LINES("d boot", "f boot/vmlinuz-6.1 the kernel", "f boot/config-6.1 x",
                      "f lib/modules/6.1/modules.order none\n", "f lib/modules/6.1/modules.builtin none",
                      "f lib/modules/6.1/kernel/drop/modules.drop x", "f usr/share/doc/k/copyright y",
                      "f usr/share/doc/k/NEWS z"));
    build("image: x\nkernel:\n  package: linux-image-cloud\n  exclude: [\"*/kernel/drop/*\"]\n", tag);
    assert_config("Labels", "{\"org.keelson.debian\":\"{\\\"linux-image-6.1-cloud\\\":\\\"6.1\\\"}\","
                            "\"org.keelson.layers\":\"[\\\"linux-image-6.1-cloud=6.1\\\"]\"}");
    AUTO_IMAGE struct image *img = open_image();
    assert_int_equal(image_walk(img, describe_kernel, &out, NULL), 0);
    const char *start = "f kernel=the kernel\nd usr\nd usr/share\nd usr/share/doc\nd usr/share/doc/k\n"
                        "f usr/share/doc/k/copyright=y\nkernel.tar: lib lib/modules lib/modules/6.1 ";
    assert_memory_equal(out.data, start, strlen(start));
    assert_non_null(strstr(out.data, " lib/modules/6.1/modules.order"));
    assert_non_null(strstr(out.data, " lib/modules/6.1/modules.dep.bin"));
    assert_null(strstr(out.data, "drop"));
    assert_null(strstr(out.data, "NEWS"));
    assert_non_null(strstr(out.data, "\n" RECORD("linux-image-6.1-cloud", "6.1")));
}

static void a_kernel_package_without_modules_is_refused(void **state) {
    char tag[TAG_LEN + 1];
    struct err e = {0};

    (void)state;
    fixture_deb("k", "6.1", NULL, LINES("f boot/vmlinuz-6.1 the kernel"));
    assert_int_equal(try_build("image: x\nkernel: {package: k}\n", tag, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "build.yml:2:9: package k has no kernel with modules in it"));
}

static void device_trees_are_where_linuxkits_kernels_have_them(void **state) {
    AUTO_BUF struct buf out = BUF_INIT;
    char tag[TAG_LEN + 1];
    struct err e = {0};

    (void)state;
    fixture_deb("k", "6.1", NULL,
                LINES("f boot/vmlinuz-6.1 the kernel", "f lib/modules/6.1/modules.order none\n",
                      "f lib/modules/6.1/modules.builtin none", "d usr/lib/linux-image-6.1/board",
                      "f usr/lib/linux-image-6.1/board/one-a.dtb a", "f usr/lib/linux-image-6.1/board/two.dtb b"));
    build("image: x\nkernel: {package: k, devicetrees: [board/one-*.dtb]}\n", tag);
    AUTO_IMAGE struct image *img = open_image();
    assert_int_equal(image_walk(img, describe_kernel, &out, NULL), 0);
    assert_non_null(strstr(out.data, "kernel.tar: boot boot/dtb boot/dtb/board boot/dtb/board/one-a.dtb lib lib/"));
    assert_null(strstr(out.data, "two.dtb"));
    assert_int_equal(try_build("image: x\nkernel: {package: k, devicetrees: [none/*]}\n", tag, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "build.yml:2:9: package k has none of the device trees"));
}

#define T(name) FIXTURE_TEST(name)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(own_files_become_a_layer),
        T(each_architecture_has_its_own_files),
        T(the_configuration_is_the_recipes),
        T(packages_are_unpacked_and_recorded),
        T(hard_links_whose_target_is_dropped_become_files),
        T(a_hard_link_to_nothing_is_refused),
        T(the_same_inputs_have_the_same_tag),
        T(the_tag_of_the_last_build_is_found),
        T(what_cannot_be_found_names_its_place),
        T(a_kernel_package_becomes_kernel_and_tar),
        T(a_kernel_package_without_modules_is_refused),
        T(device_trees_are_where_linuxkits_kernels_have_them),
    };

    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* libarchive's names */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
