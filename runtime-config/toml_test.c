/* SPDX-License-Identifier: Apache-2.0 */
/* By the chapters of TOML 1.0.0: lines, keys, arrays and tables; toml_value_test.c has the rest. */
#include "runtime-config/toml_test.h"

#include "lib/fdutil.h"

static void lines_and_comments(void **state) {
    static const struct valid good[] = {
        {"", "{}"},
        {"# only a comment", "{}"},
        {"\n \t\r\n# a\n\n", "{}"},
        {"\xef\xbb\xbf"
         "a = 1",
         "{\"a\":1}"},
        {"a = 1 # b = 2\r\n c = 3\n", "{\"a\":1,\"c\":3}"},
        {"a = \"# not a comment\"#but this\t\xc3\xa9", "{\"a\":\"# not a comment\"}"},
        {"  a=1\n\t[ t ] # c\nb=2", "{\"a\":1,\"t\":{\"b\":2}}"},
    };
    static const struct invalid bad[] = {
        {"a = 1 b = 2", "1:7: nothing but a comment may follow a value"},
        {"a = 1\n\n  [t] x = 1", "3:7: nothing but a comment may follow a header"},
        {"a = 1\rb = 2", "1:6: a carriage return without a newline"},
        {"# a\x01", "1:4: control character 0x01 in a comment"},
        {"# a\r", "1:4: control character 0x0d in a comment"},
        {"# \x7f", "1:3: control character 0x7f in a comment"},
        {"\n\v", "2:1: a key is missing"},
    };
    (void)state;
    CHECK_VALID(good);
    CHECK_INVALID(bad);
}

static void utf8_is_checked(void **state) {
    static const struct valid good[] = {
        {"a = \"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf\"",
         "{\"a\":\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf\"}"},
    };
    static const struct invalid bad[] = {
        {"# \xc3\xa9 \xff", "1:5: byte 0xff is not UTF-8"},     /* columns are characters */
        {"a = 1\nb = \"\x80\"", "2:6: byte 0x80 is not UTF-8"}, /* a rest without a beginning */
        {"# \xc0\xaf", "1:3: byte 0xc0"},                       /* longer than need be */
        {"# \xe0\x9f\xbf", "1:3: byte 0xe0"},
        {"# \xf0\x8f\xbf\xbf", "1:3: byte 0xf0"},
        {"# \xed\xa0\x80", "1:3: byte 0xed"}, /* a surrogate */
        {"# \xf4\x90\x80\x80", "1:3: byte 0xf4"},
        {"# \xe2\x82", "1:3: byte 0xe2"}, /* cut off */
    };
    (void)state;
    CHECK_VALID(good);
    CHECK_INVALID(bad);
}

static void keys(void **state) {
    static const struct valid good[] = {
        {"key = 1\nbare_key = 2\nbare-key = 3\n1234 = 4", "{\"key\":1,\"bare_key\":2,\"bare-key\":3,\"1234\":4}"},
        {"\"127.0.0.1\" = 1\n\"\xca\x8e\" = 2\n'quoted \"v\"' = 3",
         "{\"127.0.0.1\":1,\"\xca\x8e\":2,\"quoted \\\"v\\\"\":3}"},
        {"\"\" = 1", "{\"\":1}"},
        {"'' = 1", "{\"\":1}"},
        {"\"\\u0061\\t\" = 1", "{\"a\\t\":1}"},
        {"\"a\\u0000b\" = 1\na = 2\n\"a\\u0000\" = 3", "{\"a\\u0000b\":1,\"a\":2,\"a\\u0000\":3}"},
        {"a.b = 1\na . c = 2\n a.\t\"d.e\" = 3", "{\"a\":{\"b\":1,\"c\":2,\"d.e\":3}}"},
        {"3.14159 = \"pi\"", "{\"3\":{\"14159\":\"pi\"}}"},
        {"a.x = 1\nb.x = 2\na.y = 3", "{\"a\":{\"x\":1,\"y\":3},\"b\":{\"x\":2}}"},
        {"true = 1\ninf = 2\n-=3", "{\"true\":1,\"inf\":2,\"-\":3}"},
    };
    static const struct invalid bad[] = {
        {"= 1", "1:1: a key is missing"},
        {"a. = 1", "1:4: a key is missing"},
        {".a = 1", "1:1: a key is missing"},
        {"a..b = 1", "1:3: a key is missing"},
        {"\xc3\xa9 = 1", "1:1: a key is missing, or has to be quoted"},
        {"a b = 1", "1:3: a key must be followed by ="},
        {"a\n= 1", "1:2: a key must be followed by ="},
        {"a", "1:2: a key must be followed by ="},
        {"\"a\nb\" = 1", "1:1: the string is not closed on its line"},
        {"\"\"\"a\"\"\" = 1", "1:1: a key cannot be a multi-line string"},
        {"'''a''' = 1", "1:1: a key cannot be a multi-line string"},
        {"a = 1\n\"a\" = 2", "2:1: \"a\" is defined already (line 1, column 1)"},
        {"\n  'a' = 1\nb = 1\n a = 2", "4:2: \"a\" is defined already (line 2, column 3)"},
        {"a.b = 1\na.b = 2", "2:3: \"b\" is defined already (line 1, column 3)"},
        {"a = 1\na.b = 2", "2:1: \"a\" cannot be added to by a dotted key"},
        {"a.b.c = 1\na.b = 2", "2:3: \"b\" is defined already"},
        {"\"a\\u0000b\" = 1\n\"a\\u0000b\" = 2", "2:1: \"a?b\" is defined already"},
        {"\"\\u001b[2J\" = 1\n\"\\u001b[2J\" = 2", "2:1: \"?[2J\" is defined already"},
    };
    (void)state;
    CHECK_VALID(good);
    CHECK_INVALID(bad);
}

static void arrays(void **state) {
    static const struct valid good[] = {
        {"a = []", "{\"a\":[]}"},
        {"a = [ 1, 2.5, \"c\", true, [], {} ]", "{\"a\":[1,2.5,\"c\",true,[],{}]}"},
        {"a = [\n# c\n 1,\n\n 2 # two\r\n , # three\n ]", "{\"a\":[1,2]}"},
        {"a = [ [ 1, 2 ], [\"a\", 'b', \"\"\"c\"\"\"] ]", "{\"a\":[[1,2],[\"a\",\"b\",\"c\"]]}"},
        {"a = [{x=1},\n{y.z=2}]", "{\"a\":[{\"x\":1},{\"y\":{\"z\":2}}]}"},
        {"a = [1979-05-27, 07:32:00]", "{\"a\":[\"1979-05-27\",\"07:32:00\"]}"},
    };
    static const struct invalid bad[] = {
        {"a = [", "1:6: a value is missing"},
        {"a = [1", "1:7: the array of line 1 must go on with , or ]"},
        {"\na = [1,\n2 3]", "3:3: the array of line 2 must go on with , or ]"},
        {"a = [,1]", "1:6: a value cannot begin with ','"},
        {"a = [1,,2]", "1:8: a value cannot begin with ','"},
        {"a = [1}", "1:7: the array of line 1 must go on"},
        {"a = [1] 2", "1:9: nothing but a comment may follow"},
        {"a = ]", "1:5: a value cannot begin with ']'"},
        {"a = [b = 1]", "1:6: \"b\" is not a value"},
    };
    (void)state;
    CHECK_VALID(good);
    CHECK_INVALID(bad);
}

static void inline_tables(void **state) {
    static const struct valid good[] = {
        {"a = {}", "{\"a\":{}}"},
        {"a = { x = 1, 'y z' = {}, p.q = [\n1,\n2] }", "{\"a\":{\"x\":1,\"y z\":{},\"p\":{\"q\":[1,2]}}}"},
        {"a = {b.c = 1, b.d = 2}", "{\"a\":{\"b\":{\"c\":1,\"d\":2}}}"},
        {"a.b = {x = 1}\na.c = 2", "{\"a\":{\"b\":{\"x\":1},\"c\":2}}"},
    };
    static const struct invalid bad[] = {
        {"a = {x = 1,}", "1:12: a key is missing"},
        {"a = {,}", "1:6: a key is missing"},
        {"a = {x = 1 y = 2}", "1:12: the inline table of column 5 must go on with , or }"},
        {"a = {x = 1\n}", "1:11: the inline table of column 5 must go on"},
        {"a = {\nx = 1}", "1:6: a key is missing"},
        {"a = {x = 1 # c\n}", "1:12: the inline table of column 5"},
        {"a = {x = 1, x = 2}", "1:13: \"x\" is defined already (line 1, column 6)"},
        {"a = {x = 1, x.y = 2}", "1:13: \"x\" cannot be added to"},
        {"a = {x = {}, x.y = 2}", "1:14: \"x\" cannot be added to"},
        {"a = {x.y = 1, x = 2}", "1:15: \"x\" is defined already"},
        {"a = {}\na.b = 1", "2:1: \"a\" cannot be added to by a dotted key"},
        {"a = {}\n[a.b]", "2:2: \"a\" is not a table that headers can add to (line 1, column 1)"},
        {"a = {b.c = 1}\n[a]", "2:2: \"a\" is defined already"},
        {"a.b = {}\na.b.c = 1", "2:3: \"b\" cannot be added to"},
        {"a = {", "1:6: a key is missing"},
    };
    (void)state;
    CHECK_VALID(good);
    CHECK_INVALID(bad);
}

static void tables(void **state) {
    static const struct valid good[] = {
        {"[a]", "{\"a\":{}}"},
        {"[a]\nx = 1\n[b]\nx = 2", "{\"a\":{\"x\":1},\"b\":{\"x\":2}}"},
        {"[dog.\"tater.man\"]\ntype.name = \"pug\"", "{\"dog\":{\"tater.man\":{\"type\":{\"name\":\"pug\"}}}}"},
        {"[ g .  h  . 'l' ]", "{\"g\":{\"h\":{\"l\":{}}}}"},
        {"[x.y.z.w]\n[x]\nv = 1", "{\"x\":{\"y\":{\"z\":{\"w\":{}}},\"v\":1}}"},
        {"[a.b]\nx = 1\n[a.c]\n[a]", "{\"a\":{\"b\":{\"x\":1},\"c\":{}}}"},
        {"[fruit]\napple.color = \"red\"\napple.taste.sweet = true\n[fruit.apple.texture]\nsmooth = true",
         "{\"fruit\":{\"apple\":{\"color\":\"red\",\"taste\":{\"sweet\":true},\"texture\":{\"smooth\":true}}}}"},
        {"[\"\"]\nx = 1", "{\"\":{\"x\":1}}"},
    };
    static const struct invalid bad[] = {
        {"[]", "1:2: a key is missing"},
        {"[a", "1:3: the header must end with ]"},
        {"[a.]", "1:4: a key is missing"},
        {"[.a]", "1:2: a key is missing"},
        {"[a b]", "1:4: the header must end with ]"},
        {"[a]]", "1:4: nothing but a comment may follow a header"},
        {"[a]\n[a]", "2:2: \"a\" is defined already (line 1, column 2)"},
        {"[a.b]\n[a]\n[a]", "3:2: \"a\" is defined already"},
        {"[a]\nb = 1\n[a.b]", "3:4: \"b\" is defined already (line 2, column 1)"},
        {"[a]\nb = 1\n[a.b.c]", "3:4: \"b\" is not a table that headers can add to"},
        {"[fruit]\napple.x = 1\n[fruit.apple]", "3:8: \"apple\" is defined already"},
        {"[fruit]\napple.x.y = 1\n[fruit.apple.x]", "3:14: \"x\" is defined already"},
        {"[a.b.c]\nz = 9\n[a]\nb.c.t = 1", "4:3: \"c\" cannot be added to by a dotted key"},
        {"[a.b]\n[a]\nb = 1", "3:1: \"b\" is defined already"},
        {"a.b = 1\n[a]", "2:2: \"a\" is defined already"},
        {"[a\nb]", "1:3: the header must end with ]"},
    };
    (void)state;
    CHECK_VALID(good);
    CHECK_INVALID(bad);
}

static void arrays_of_tables(void **state) {
    static const struct valid good[] = {
        {"[[p]]\nx = 1\n[[p]]\n\n[[ p ]] # c\nx = 3", "{\"p\":[{\"x\":1},{},{\"x\":3}]}"},
        {"[[f]]\n[f.physical]\nc = 1\n[[f.v]]\nn = 1\n[[f.v]]\nn = 2\n[[f]]\n[[f.v]]\nn = 3",
         "{\"f\":[{\"physical\":{\"c\":1},\"v\":[{\"n\":1},{\"n\":2}]},{\"v\":[{\"n\":3}]}]}"},
        {"[[a.b]]\nx = 1\n[a]\ny = 2", "{\"a\":{\"b\":[{\"x\":1}],\"y\":2}}"},
        {"[[a]]\nb.c = 1\n[[a]]\nb.c = 2", "{\"a\":[{\"b\":{\"c\":1}},{\"b\":{\"c\":2}}]}"},
    };
    static const struct invalid bad[] = {
        {"[[a]", "1:4: the header must end with ]]"},
        {"[[a] ]", "1:4: the header must end with ]]"},
        {"[ [a]]", "1:3: a key is missing"},
        {"[[]]", "1:3: a key is missing"},
        {"[f.p]\n[[f]]", "2:3: \"f\" is not an array of tables (line 1, column 2)"},
        {"f = []\n[[f]]", "2:3: \"f\" is not an array of tables"},
        {"f = [{}]\n[f.x]", "2:2: \"f\" is not a table that headers can add to"},
        {"[[f]]\n[f]", "2:2: \"f\" is defined already"},
        {"[[f]]\n[[f.v]]\n[f.v]", "3:4: \"v\" is defined already"},
        {"[[f]]\n[f.v]\n[[f.v]]", "3:5: \"v\" is not an array of tables"},
        {"[[a.b]]\n[a]\nb.y = 2", "3:1: \"b\" cannot be added to by a dotted key"},
        {"a.b = 1\n[[a]]", "2:3: \"a\" is not an array of tables"},
    };
    (void)state;
    CHECK_VALID(good);
    CHECK_INVALID(bad);
}

/* Fills text with n times `piece` between begin and end, and parses that. */
static int parse_repeated(const char *begin, const char *piece, size_t n, const char *end, struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT;
    struct toml t;

    assert_int_equal(buf_puts(&text, begin), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(buf_puts(&text, piece), 0);
    assert_int_equal(buf_puts(&text, end), 0);
    int r = toml_parse(&t, "x", text.data, text.len, e);
    toml_free(&t);
    return r;
}

static void what_is_too_much_is_refused(void **state) {
    struct err e = {0};
    (void)state;
    assert_int_equal(parse_repeated("a = ", "[", 500000, "", &e), -EINVAL);
    assert_string_equal(e.msg, "x:1:69: nested deeper than 64");
    assert_int_equal(parse_repeated("[", "a.", 500000, "a]", &e), -EINVAL);
    assert_non_null(strstr(e.msg, "nested deeper than 64"));
    assert_int_equal(parse_repeated("", "a.", 500000, "a = 1", &e), -EINVAL);
    assert_non_null(strstr(e.msg, "nested deeper than 64"));
    assert_int_equal(parse_repeated("a = ", "{a.a = ", 500000, "", &e), -EINVAL);
    assert_non_null(strstr(e.msg, "nested deeper than 64"));
    assert_int_equal(parse_repeated("a = [", "[],", TOML_VALUES_MAX - 1, "]", &e), 0);
    assert_int_equal(parse_repeated("a = [", "[],", TOML_VALUES_MAX + 1, "]", &e), -EINVAL);
    assert_non_null(strstr(e.msg, "more than 65536 values"));
    assert_int_equal(parse_repeated("", "[[a]]\n", TOML_VALUES_MAX + 1, "", &e), -EINVAL);
    assert_string_equal(e.msg, "x:65536:3: more than 65536 values");
    /* Up to the bound it is fine. */
    assert_int_equal(parse_repeated("", "a.", TOML_DEPTH_MAX, "a = 1", &e), 0);
    assert_int_equal(parse_repeated("a = [", "[", TOML_DEPTH_MAX - 1, "", &e), -EINVAL);
    assert_null(strstr(e.msg, "deeper"));
}

static void keys_have_their_position(void **state) {
    static const char text[] = "# \xc3\xa9\n  a = true\n[t]\n'\xc3\xa9' = 1 \nc.d = {\"e\" = 1}\n";
    struct toml_position at;
    struct toml t;
    (void)state;
    assert_int_equal(toml_parse(&t, "x", text, sizeof(text) - 1, NULL), 0);
    at = toml_position(&t, t.root, "a");
    assert_true(at.line == 2 && at.column == 3);
    const json_t *table = json_object_get(t.root, "t");
    at = toml_position(&t, table, "\xc3\xa9");
    assert_true(at.line == 4 && at.column == 1);
    at = toml_position(&t, json_object_get(json_object_get(table, "c"), "d"), "e");
    assert_true(at.line == 5 && at.column == 8);
    at = toml_position(&t, t.root, "nosuch");
    assert_true(at.line == 0 && at.column == 0);
    toml_free(&t);
}

/* The text has no end but its length: the reader must not look behind it. */
static void nothing_is_read_behind_the_end(void **state) {
    static const char whole[] =
        "a = \"\"\"b\\\n\"\"\"\nc.d = [1, 0x2, {e = 'f'}]\n[t.\"u\"]\nv = 1979-05-27 07:32:00Z\n"
        "[[w]]\nx = -1_0.5e+3\r\n# \xe2\x82\xac";
    (void)state;
    for (size_t len = 0; len < sizeof(whole); len++) {
        AUTO_FREE char *part = malloc(len + !len); /* the sanitizer watches its end */
        struct toml t;
        assert_non_null(part);
        memcpy(part, whole, len);
        int r = toml_parse(&t, "x", part, len, NULL);
        assert_true(r == 0 || r == -EINVAL);
        toml_free(&t);
    }
}

/* The linker gives these instead of the C library's (runtime-config.mk), and jansson is told of the first. */
static long allocations_left = -1; /* negative: no end of them */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static bool may_allocate(void) {
    if (allocations_left > 0)
        allocations_left--;
    return allocations_left != 0;
}

void *__wrap_malloc(size_t size) {
    return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t n, size_t size) {
    return may_allocate() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *p, size_t size) {
    return may_allocate() ? __real_realloc(p, size) : NULL;
}

/* Wherever it happens, it is reported, and nothing is leaked (LeakSanitizer looks). */
static void memory_may_end_at_any_point(void **state) {
    static const char text[] =
        "a.b = [1, 'two', {c = inf}, [[], 0x4, 1e2]]\n[d.e]\nf = 1979-05-27\n[[g]]\nh = 1\n[[g]]\n"
        "k0=0\nk1=0\nk2=0\nk3=0\nk4=0\nk5=0\nk6=0\nk7=0\nk8=0\nk9=0\n";
    int r = -ENOMEM;
    long n = 1;
    (void)state;
    json_set_alloc_funcs(__wrap_malloc, free);
    for (; r == -ENOMEM; n++) {
        struct err e = {0};
        struct toml t;
        allocations_left = n;
        r = toml_parse(&t, "x", text, sizeof(text) - 1, &e);
        allocations_left = -1;
        if (r == -ENOMEM)
            assert_string_equal(e.msg, "could not read x: Cannot allocate memory");
        toml_free(&t);
    }
    assert_int_equal(r, 0);
    assert_true(n > 40);
    json_set_alloc_funcs(malloc, free);
}

static void files_are_read(void **state) {
    static char path[] = "/tmp/toml_test.XXXXXX";
    struct err e = {0};
    struct toml t;
    (void)state;
    AUTO_CLOSE int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write_full(fd, "a = 1\nb = ", 10), 0);
    assert_int_equal(toml_load(&t, path, 64, &e), -EINVAL);
    assert_non_null(strstr(e.msg, path));
    assert_non_null(strstr(e.msg, ":2:5: a value is missing"));
    assert_int_equal(toml_load(&t, path, 9, &e), -EFBIG);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(toml_load(&t, path, 64, &e), -ENOENT);
    toml_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_and_comments),
        cmocka_unit_test(utf8_is_checked),
        cmocka_unit_test(keys),
        cmocka_unit_test(arrays),
        cmocka_unit_test(inline_tables),
        cmocka_unit_test(tables),
        cmocka_unit_test(arrays_of_tables),
        cmocka_unit_test(what_is_too_much_is_refused),
        cmocka_unit_test(keys_have_their_position),
        cmocka_unit_test(nothing_is_read_behind_the_end),
        cmocka_unit_test(memory_may_end_at_any_point),
        cmocka_unit_test(files_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
