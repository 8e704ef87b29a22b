/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "tools/config/config.h"
#include "tools/config/yaml.h"

static const struct {
    const char *yaml, *message;
} refused[] = {
    {"services:\n  - name: s\n    image: a\n    comand: [x]\n",
     "t.yml:4:5: unknown key \"comand\"; did you mean \"command\"?"},
    {"kernle: {}\n", "t.yml:1:1: unknown key \"kernle\"; did you mean \"kernel\"?"},
    {"zzz: 1\n", "t.yml:1:1: unknown key \"zzz\"; check its name and its indentation"},
    {"init: one\n", "t.yml:1:7: \"init\" must be a list, not a string"},
    {"init:\n  - a\n  - 5\n", "t.yml:3:5: \"init\" must be a string, not a number; put it in quotes"},
    {"services:\n  - image: a\n", "t.yml:2:5: \"name\" is missing here; add it"},
    {"init: []\ninit: []\n", "t.yml:2:1: \"init\" is there twice; remove one"},
    {"kernel:\n  cmdline: true\n", "t.yml:2:12: \"cmdline\" must be a string, not true or false; put it in quotes"},
    {"services:\n", "t.yml:1:10: \"services\" must be a list, not nothing; give a value or leave the key out"},
    {"onboot:\n  - {name: a, image: b, readonly: \"true\"}\n",
     "t.yml:2:35: \"readonly\" must be true or false, not a string"},
    {"onboot:\n  - {name: a, image: b, oomScoreAdj: 1.5}\n",
     "t.yml:2:38: \"oomScoreAdj\" must be a whole number, not a number with a fraction"},
    {"init: [a]\n---\ninit: [b]\n", "t.yml:3:1: a second document begins here; put it into a file of its own"},
    {"# \xc3\xa9\ninit: [\"\xc3\xa9\", @pkg:./x]\n", "t.yml:2:13: not valid YAML: found character that cannot start "
                                                     "any token while scanning for the next token; put the "
                                                     "text into quotes"},
    {"init:\n\t- a\n", "t.yml:2:1: not valid YAML: found character that cannot start any token while scanning for the "
                       "next token; indent with blanks, not with tabs"},
    {"init:\n  - a\n  - \"\xc3\xa9\xff\"\n",
     "t.yml:3:7: not valid YAML: invalid leading UTF-8 octet: 0xFF; write the file in UTF-8"},
    {"\xef\xbb\xbfinit: [\xc3(]\n",
     "t.yml:1:9: not valid YAML: invalid trailing UTF-8 octet: 0x28; write the file in UTF-8"},
    {"init:\n  - a\xe2\x82", "t.yml:2:6: not valid YAML: incomplete UTF-8 octet sequence; write the file in UTF-8"},
    {"kernel:\n  cmdline: a\x01\n", "t.yml:2:13: not valid YAML: control characters are not allowed: U+0001; in double "
                                    "quotes it may stand as \"\\u0001\""},
    {"kernel: {cmdline: !secret x}\n", "t.yml:1:19: the tag \"!secret\" means nothing here; remove it"},
    {"init: !!set {a: }\n", "t.yml:1:7: the tag \"!!set\" means nothing here; remove it (and 1 more)"},
    {"onboot: [{name: a, image: b, oomScoreAdj: !!int 1.5}]\n",
     "t.yml:1:43: \"1.5\" is not what its tag \"!!int\" says; change one of them (and 1 more)"},
    {"kernel: {cmdline: !!int \"5\"}\n", "t.yml:1:19: \"cmdline\" must be a string, not a number"},
    {"services:\n  - {<<: word, name: a, image: b}\n", "t.yml:2:10: \"<<\" takes a map, as *NAME, or a list of them"},
};

static void test_errors_name_line_and_column(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        struct err e = {0};
        AUTO_JSON json_t *doc = NULL;
        assert_int_equal(
            yaml_read("t.yml", refused[i].yaml, strlen(refused[i].yaml), &schema_config, true, NULL, &doc, &e),
            -EINVAL);
        assert_string_equal(e.msg, refused[i].message);
    }
}

static void test_merge_keys_fill_what_is_missing(void **state) {
    const char *text = "services:\n  - &base {name: a, image: x, net: host, readonly: true}\n"
                       "  - {<<: *base, name: b, net: new}\n  - {name: c, <<: [{pid: host}, *base], image: y}\n";
    struct err e = {0};
    AUTO_JSON json_t *doc = NULL;

    (void)state;
    if (yaml_read("t.yml", text, strlen(text), &schema_config, false, NULL, &doc, &e))
        fail_msg("%s", e.msg);
    const json_t *services = json_object_get(doc, "services");
    AUTO_FREE char *b = json_dumps(json_array_get(services, 1), JSON_COMPACT | JSON_SORT_KEYS);
    AUTO_FREE char *c = json_dumps(json_array_get(services, 2), JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(b, "{\"image\":\"x\",\"name\":\"b\",\"net\":\"new\",\"readonly\":true}");
    assert_string_equal(c, "{\"image\":\"y\",\"name\":\"c\",\"net\":\"host\",\"pid\":\"host\",\"readonly\":true}");
}

static void test_broken_yaml_names_its_place(void **state) {
    const char *text = "init:\n\t- a\n";
    struct err e = {0};
    AUTO_JSON json_t *doc = NULL;

    (void)state;
    assert_int_equal(yaml_read("t.yml", text, strlen(text), &schema_config, true, NULL, &doc, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "t.yml:2:1: not valid YAML"));
}

static void test_aliases_do_not_explode(void **state) {
    char text[4096] = "init: &a [x]\nonboot:\n";
    struct err e = {0};
    AUTO_JSON json_t *doc = NULL;

    (void)state;
    /* a list that contains itself */
    (void)snprintf(text, sizeof(text), "init: &a [x, *a]\n");
    assert_int_equal(yaml_read("t.yml", text, strlen(text), &schema_config, true, NULL, &doc, &e), -EINVAL);
}

/* 200 kB of text, of which 9,000 aliases would make 90 MB; and a text that is as large without them. */
static void test_bytes_of_aliases_are_bounded(void **state) {
    AUTO_BUF struct buf text = BUF_INIT, large = BUF_INIT;
    struct err e = {0};
    json_t *doc = NULL;

    (void)state;
    assert_int_equal(buf_printf(&text, "services:\n  - name: a\n    image: i\n    env:\n      - &e x%09999d\n", 1), 0);
    for (int i = 0; i < 9000; i++)
        assert_int_equal(buf_puts(&text, "      - *e\n"), 0);
    assert_int_equal(yaml_read("t.yml", text.data, text.len, &schema_config, true, NULL, &doc, &e), -EINVAL);
    json_decref(doc);
    assert_string_equal(e.msg, "t.yml:5:9: too much: with what aliases repeat, these are more than 32 MiB");
    assert_int_equal(buf_puts(&large, "services:\n  - name: a\n    image: i\n    env:\n"), 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buf_printf(&large, "      - x%09999d\n", i), 0);
    if (yaml_read("t.yml", large.data, large.len, &schema_config, true, NULL, &doc, &e))
        fail_msg("%s", e.msg);
    json_decref(doc);
}

/* What libyaml would take minutes for. */
static void test_anchors_and_aliases_are_bounded(void **state) {
    static const struct {
        const char *head, *before, *after, *tail; /* a number stands between the two of a line */
        int fits;                                 /* so many lines */
        const char *says;
    } cases[] = {
        {"init:\n", "- &a", " x\n", "", 1000, "t.yml:1002:3: too much: more than 1000 anchors or 100000 aliases"},
        {"trust:\n  org:\n  - &a0 x\n", "  - *a0 #", "\n", "", 100000,
         "t.yml:100004:5: too much: more than 1000 anchors or 100000 aliases"},
        {"#\n", "%TAG !t", "! x\n", "---\ninit: []\n", 100, "t.yml:102:1: too much: more than 100 %TAG directives"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (int more = 0; more < 2; more++) {
            AUTO_BUF struct buf text = BUF_INIT;
            AUTO_JSON json_t *doc = NULL;
            struct err e = {0};
            assert_int_equal(buf_puts(&text, cases[i].head), 0);
            for (int n = 0; n < cases[i].fits + more; n++)
                assert_int_equal(buf_printf(&text, "%s%d%s", cases[i].before, n, cases[i].after), 0);
            assert_int_equal(buf_puts(&text, cases[i].tail), 0);
            int r = yaml_read("t.yml", text.data, text.len, &schema_config, false, NULL, &doc, &e);
            assert_string_equal(e.msg, more ? cases[i].says : "");
            assert_int_equal(r, more ? -EINVAL : 0);
        }
}

static void test_scalars(void **state) {
    const char *text = "services:\n  - {name: n, image: i, oomScoreAdj: 0x10, uid: \"5\", gid: 5, hostname: \"yes\", "
                       "env: [A=1, yes]}\n";
    struct err e = {0};
    json_t *doc = NULL;

    (void)state;
    assert_int_equal(yaml_read("t.yml", text, strlen(text), &schema_config, true, NULL, &doc, &e), 0);
    const json_t *s = json_array_get(json_object_get(doc, "services"), 0);
    assert_int_equal(json_integer_value(json_object_get(s, "oomScoreAdj")), 16);
    assert_string_equal(json_string_value(json_object_get(s, "uid")), "5");
    assert_int_equal(json_integer_value(json_object_get(s, "gid")), 5);
    assert_string_equal(json_string_value(json_array_get(json_object_get(s, "env"), 1)), "yes");
    assert_string_equal(yaml_place(s, "", 0), "t.yml:2:5");
    json_decref(doc);
}

static void test_tags_say_what_a_scalar_is(void **state) {
    const char *text =
        "services:\n  - !!map {!!str name: !!str 123, image: ! true, oomScoreAdj: !!int \"5\",\n"
        "     readonly: !!bool 'true', env: !!seq [!!str, !!str null, !!float 1], !!merge <<: {net: new}}\n";
    struct err e = {0};
    AUTO_JSON json_t *doc = NULL;

    (void)state;
    /* !!float 1 is no string */
    assert_int_equal(yaml_read("t.yml", text, strlen(text), &schema_config, false, NULL, &doc, &e), -EINVAL);
    assert_string_equal(e.msg, "t.yml:3:62: \"env\" must be a string, not a number with a fraction");
    AUTO_FREE char *got =
        json_dumps(json_array_get(json_object_get(doc, "services"), 0), JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(got, "{\"env\":[\"\",\"null\",null],\"image\":\"true\",\"name\":\"123\",\"net\":\"new\","
                             "\"oomScoreAdj\":5,\"readonly\":true}");
}

static int read_texts(const char *a, const char *b, struct config *c, struct err *e) {
    const char *paths[] = {"build/test/config_a.yml", "build/test/config_b.yml"};

    assert_int_equal(mkdir_p("build/test", 0755, e), 0);
    assert_int_equal(write_file_atomic(paths[0], a, strlen(a), 0644, false, e), 0);
    assert_int_equal(write_file_atomic(paths[1], b, strlen(b), 0644, false, e), 0);
    return config_read(paths, 2, NULL, c, NULL, e);
}

static void test_files_are_merged(void **state) {
    struct config c;
    struct err e = {0};
    AUTO_JSON json_t *name = json_string("two");
    uint32_t id = 0;

    (void)state;
    assert_int_equal(read_texts("kernel: {image: k1, cmdline: a}\ninit: [i1]\nonboot: [{name: one, image: x}]\n",
                                "kernel: {cmdline: b}\ninit: [i2]\nservices: [{name: two, image: y}]\n", &c, &e),
                     0);
    assert_string_equal(c.kernel.image, "k1");
    assert_string_equal(c.kernel.cmdline, "b");
    assert_int_equal(c.init_len, 2);
    assert_string_equal(c.init[1].image, "i2");
    assert_int_equal(c.containers_len[SECTION_SERVICES], 1);
    assert_int_equal(config_user_id(&c, name, &id, &e), 0);
    assert_int_equal(id, 101);
    config_free(&c);
}

static void test_duplicate_service_names_both_places(void **state) {
    struct config c;
    struct err e = {0};

    (void)state;
    assert_int_equal(read_texts("services:\n  - {name: w, image: x}\n", "services: [{name: w, image: y}]\n", &c, &e),
                     -EINVAL);
    assert_non_null(strstr(e.msg, "config_b.yml:1:12: there is another service named \"w\" at "));
    assert_non_null(strstr(e.msg, "config_a.yml:2:5"));
}

/* One file; what is wrong with it, a message for each, in the order of the file. */
static const struct {
    const char *yaml;
    const char *messages[4];
} wrong[] = {
    {"services:\n  - {name: a, image: x, runtime: {after: [b, zz]}}\n  - {name: b, image: x, runtime: {after: [a]}}\n",
     {":2:46: service \"a\" is to start after \"zz\", but there is no such service",
      ":3:43: services wait for each other in a circle, so none can start: b <- a <- b; remove one \"after\""}},
    {"services:\n  - {name: a, image: x, runtime: {after: [a]}}\n",
     {":2:43: services wait for each other in a circle"}},
    {"services:\n  - {name: a, image: x, runtime: {restart: {policy: sometimes, limit: -1}}}\n",
     {":2:53: \"policy\" must be always, on-failure or never, not \"sometimes\"",
      ":2:71: \"limit\" must be from 0 to 1000000, not -1"}},
    {"services:\n  - {name: a, image: x, runtime: {ready: {tcp: 1, file: /x}, health: {}}}\n",
     {":2:42: \"ready\" must have one of \"exec\", \"tcp\" and \"file\", and has more",
      ":2:70: \"health\" must have one of \"exec\", \"tcp\" and \"http\", and has none"}},
    {"services:\n  - {name: a, image: x, runtime: {stop: {signal: SIGFOO, timeout: 5}}}\n",
     {":2:50: \"signal\" must be the name of a signal such as SIGTERM, not \"SIGFOO\"",
      ":2:67: \"timeout\" must be a string, not a number; put it in quotes"}},
    {"services:\n  - {name: a, image: x, runtime: {health: {http: x}, ready: {tcp: 70000}}}\n",
     {":2:50: \"http\" must be a port and a path such as", ":2:67: \"tcp\" must be from 1 to 65535, not 70000"}},
    {"onboot:\n  - {name: a, image: x, runtime: {restart: {}}}\nservices:\n  - {name: b, image: x, runtime: {deadline: "
     "5m}}\n",
     {":2:34: \"restart\" is for services only", ":4:34: \"deadline\" is for onboot and onshutdown only"}},
    {"volumes:\n  - {name: Big}\n  - {name: v}\n  - {name: v}\n  - {name: o, format: oci}\n",
     {":2:5: \"Big\" cannot be the name of a volume", ":4:5: there is another volume named \"v\" at ",
      ":5:5: the volume \"o\" has \"format: oci\" but no \"image\""}},
    {"volumes: [{name: v, image: x, format: oci, platforms: [linux, a/b/c/d]}]\n",
     {":1:11: \"linux\" is not a platform", ":1:11: \"a/b/c/d\" is not a platform"}},
    {"files:\n  - {path: a, contents: x}\n  - {path: a/b, contents: y}\n",
     {":3:5: \"a/b\" would be below \"a\", which is a file (build/test/config_a.yml:2:5)"}},
    {"files:\n  - {path: l, symlink: /x}\n  - {path: l/b, contents: y}\n",
     {":3:5: \"l/b\" would be below \"l\", which is a symlink (build/test/config_a.yml:2:5)"}},
    {"files:\n  - {path: d/f, contents: x}\n  - {path: d, symlink: /x}\n",
     {":3:5: \"d\" is a symlink, but \"d/f\" (build/test/config_a.yml:2:5) is below it"}},
    {"files:\n  - {path: d, directory: true}\n  - {path: ./d/, contents: x}\n",
     {":3:5: \"d\" is a file here and a directory at build/test/config_a.yml:2:5"}},
    {"files:\n  - {path: a, contents: x}\n  - {path: a-b, contents: x}\n  - {path: a/c, contents: x}\n",
     {":4:5: \"a/c\" would be below \"a\", which is a file (build/test/config_a.yml:2:5)"}},
    {"files:\n  - {path: x/y/z, contents: x}\n  - {path: x, directory: true}\n  - {path: x/y, contents: x}\n"
     "  - {path: x.y, contents: x}\n",
     {":4:5: \"x/y\" is a file, but \"x/y/z\" (build/test/config_a.yml:2:5) is below it"}},
    {"files:\n  - {path: f, contents: x}\n  - {path: /f, symlink: y}\n  - {path: g, contents: x}\n"
     "  - {path: ./g, contents: x}\n  - {path: d, directory: true}\n  - {path: d, directory: true, mode: \"0700\"}\n",
     {":3:5: \"f\" is a symlink here and a file at build/test/config_a.yml:2:5; remove one"}},
    {"files:\n  - {path: a, contents: 5}\n  - {path: 5, contents: x}\n",
     {":2:25: \"contents\" must be a string, not a number", ":3:12: \"path\" must be a string, not a number"}},
    {"files:\n  - {path: ../x, contents: y}\n  - {path: a/../../x, contents: y}\n  - {contents: y}\n",
     {":2:5: the path \"../x\" leaves the root", ":3:5: the path \"a/../../x\" leaves the root",
      ":4:5: this file has no \"path\""}},
    {"files:\n  - 5\n  - {path: d, directory: 1}\n  - {path: f, contents: x, mode: \"10644\"}\n",
     {":2:5: \"files\" must be a map of fields, not a number", ":3:26: \"directory\" must be true or false",
      ":4:5: the mode \"10644\" is not an octal number"}},
    {"volumes:\n  - 5\n  - {name: 5}\n  - {image: x}\n",
     {":2:5: \"volumes\" must be a map of fields, not a number", ":3:12: \"name\" must be a string",
      ":4:5: \"\" cannot be the name of a volume"}},
    {"services:\n  - {name: a, image: x, oomScoreAdj: 99999999999999999999, uid: 1.5}\n",
     {":2:38: \"oomScoreAdj\" must be a whole number, not a number of more than 63 bits",
      ":2:65: \"uid\" must be a name or a number, not a number with a fraction"}},
    {"kernle: 1\ninit: x\nservices:\n  - {name: a, image: b, comand: []}\n",
     {":1:1: unknown key \"kernle\"", ":2:7: \"init\" must be a list", ":4:25: unknown key \"comand\""}},
};

/* As deep as libyaml needs half a minute for. */
static void test_levels_are_bounded_before_they_cost_time(void **state) {
    AUTO_BUF struct buf text = BUF_INIT;
    const char *path = "build/test/config_a.yml";
    struct config c;
    struct err e = {0};

    (void)state;
    for (int i = 0; i < 100000; i++)
        assert_int_equal(buf_puts(&text, "["), 0);
    assert_int_equal(mkdir_p("build/test", 0755, &e), 0);
    assert_int_equal(write_file_atomic(path, text.data, text.len, 0644, false, &e), 0);
    assert_int_equal(config_read(&path, 1, NULL, &c, NULL, &e), -EINVAL);
    assert_non_null(strstr(e.msg, ":1:33: too much: "));
}

static void test_all_that_is_wrong_is_told_in_one_go(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        AUTO_PROBLEMS struct problems p = {0};
        const char *path = "build/test/config_a.yml", *from = NULL;
        struct config c;
        struct err e = {0};
        unsigned expected = 0;

        assert_int_equal(mkdir_p("build/test", 0755, &e), 0);
        assert_int_equal(write_file_atomic(path, wrong[i].yaml, strlen(wrong[i].yaml), 0644, false, &e), 0);
        assert_int_equal(config_read(&path, 1, NULL, &c, &p, &e), -EINVAL);
        for (from = p.text.data; expected < 4 && wrong[i].messages[expected]; expected++) {
            from = from ? strstr(from, wrong[i].messages[expected]) : NULL;
            if (!from)
                fail_msg("%s is not told of:\n%s", wrong[i].messages[expected], p.text.data);
        }
        if (p.count != expected)
            fail_msg("%u problems instead of %u:\n%s", p.count, expected, p.text.data);
    }
}

static void test_the_line_is_shown_with_a_mark(void **state) {
    AUTO_PROBLEMS struct problems p = {0};
    struct err e = {0};
    AUTO_BUF struct buf text = BUF_INIT;

    (void)state;
    assert_int_equal(buf_puts(&text, "one\n\ttwo \x1b\nthree\n"), 0);
    assert_int_equal(problems_add_source(&p, "f.yml", &text), 0);
    (void)err_set(&e, -EINVAL, "f.yml:2:2: wrong");
    problems_add(&p, &e);
    problems_add(&p, &e);
    assert_string_equal(p.text.data, "keelson: f.yml:2:2: wrong\n     2 |  two  \n       |  ^\n");
    assert_int_equal(p.count, 1);
}

static void test_what_is_written_reads_back_the_same(void **state) {
    AUTO_JSON json_t *doc =
        json_pack("{s:[s,s,s,s,s,s,s,s], s:[], s:[{s:s, s:s, s:i, s:b, s:{s:s}}]}", "init", "yes", "5", "0x10", "null",
                  "- a: b", " #", "two\nlines\n", "na\xc3\xafve \xe6\x97\xa5", "files", "services", "name", "a",
                  "image", "", "oomScoreAdj", -5, "readonly", 1, "sysctl", "net.x", "1");
    AUTO_JSON json_t *again = NULL;
    AUTO_BUF struct buf text = BUF_INIT;
    struct err e = {0};

    (void)state;
    assert_non_null(doc);
    assert_int_equal(yaml_write(doc, &text, &e), 0);
    assert_int_equal(yaml_read("t.yml", text.data, text.len, &schema_config, false, NULL, &again, &e), 0);
    assert_true(json_equal(doc, again));
    assert_non_null(strstr(text.data, "- \"yes\"\n"));
}

static void test_dots_inside_the_root_are_resolved(void **state) {
    struct config c;
    struct err e = {0};

    (void)state;
    assert_int_equal(read_texts("files:\n  - {path: a//b/../c, contents: x}\n", "volumes: [{name: v}]\n", &c, &e), 0);
    assert_string_equal(c.files[0].path, "a/c");
    assert_non_null(config_volume(&c, "v"));
    assert_null(config_volume(&c, "w"));
    config_free(&c);
}

/* As long as 2.7 GB and a quarter of a minute were needed for. */
static void test_paths_are_bounded(void **state) {
    AUTO_BUF struct buf text = BUF_INIT;
    AUTO_PROBLEMS struct problems p = {0};
    const char *path = "build/test/config_a.yml";
    struct config c;
    struct err e = {0};

    (void)state;
    assert_int_equal(buf_puts(&text, "files:\n  - {contents: x, path: \""), 0);
    for (int i = 0; i < 50000; i++)
        assert_int_equal(buf_puts(&text, "a/"), 0);
    assert_int_equal(buf_printf(&text,
                                "\"}\n  - {path: x/%0256d/y, contents: x}\n  - {path: x/%0255d/y, contents: x}\n"
                                "  - {path: y, symlink: /%04095d}\n  - {path: z, symlink: /%04094d}\n",
                                1, 1, 1, 1),
                     0);
    assert_int_equal(mkdir_p("build/test", 0755, &e), 0);
    assert_int_equal(write_file_atomic(path, text.data, text.len, 0644, false, &e), 0);
    assert_int_equal(config_read(&path, 1, NULL, &c, &p, &e), -EINVAL);
    assert_int_equal(p.count, 3);
    assert_non_null(strstr(p.text.data, ":2:25: \"path\" must be a path of at most 4095 bytes, not \"a/a/"));
    assert_non_null(strstr(p.text.data, ":3:5: the path \"x/000"));
    assert_non_null(strstr(p.text.data, ":5:24: \"symlink\" must be a path of at most 4095 bytes, not \"/000"));
}

static void test_a_later_file_may_replace_an_entry(void **state) {
    struct config c;
    struct err e = {0};

    (void)state;
    if (read_texts("files: [{path: a, contents: x}, {path: o, source: /q, optional: true}, {path: o, symlink: x}]\n",
                   "files: [{path: ./a, symlink: y}]\n", &c, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(c.files_len, 4);
    config_free(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_name_line_and_column),
        cmocka_unit_test(test_merge_keys_fill_what_is_missing),
        cmocka_unit_test(test_broken_yaml_names_its_place),
        cmocka_unit_test(test_aliases_do_not_explode),
        cmocka_unit_test(test_bytes_of_aliases_are_bounded),
        cmocka_unit_test(test_anchors_and_aliases_are_bounded),
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_tags_say_what_a_scalar_is),
        cmocka_unit_test(test_files_are_merged),
        cmocka_unit_test(test_duplicate_service_names_both_places),
        cmocka_unit_test(test_levels_are_bounded_before_they_cost_time),
        cmocka_unit_test(test_all_that_is_wrong_is_told_in_one_go),
        cmocka_unit_test(test_the_line_is_shown_with_a_mark),
        cmocka_unit_test(test_what_is_written_reads_back_the_same),
        cmocka_unit_test(test_dots_inside_the_root_are_resolved),
        cmocka_unit_test(test_paths_are_bounded),
        cmocka_unit_test(test_a_later_file_may_replace_an_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
