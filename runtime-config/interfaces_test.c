/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser, and real links: this process moves into network namespaces of its own, and a child with another one
 * stands in for the container. Where the machine allows no namespaces those tests are skipped, and that is said.
 */
#include "runtime-config/interfaces.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/log.h"
#include "runtime-config/link.h"

static bool have_namespaces;
static pid_t container;
static int hold_fd = -1; /* the container ends when it is closed */
static char notes[] = "/tmp/interfaces_test.XXXXXX";
static const char *kind; /* one without parameters that this kernel makes */

static char last_line[512];

static void keep_line(const char *line, size_t len) {
    (void)snprintf(last_line, sizeof(last_line), "%.*s", (int)len, line);
}

static json_t *load(const char *text, struct interfaces *list, int *r, struct err *e) {
    json_t *doc = json_loads(text, 0, NULL);

    assert_non_null(doc);
    *list = (struct interfaces){0};
    last_line[0] = '\0';
    log_set_sink(keep_line);
    *r = interfaces_load(doc, "runtime.json", list, e);
    log_set_sink(NULL);
    return doc;
}

static void what_linuxkit_writes_is_read(void **state) {
    struct interfaces list;
    struct err e = {0};
    int r;
    (void)state;
    json_t *doc = load("{\"interfaces\":[{\"name\":\"eth1\"},"
                       "{\"name\":\"wg0\",\"add\":\"wireguard\",\"createInRoot\":true},"
                       "{\"name\":\"eth0\",\"peer\":\"veth0\"}]}",
                       &list, &r, &e);
    assert_int_equal(r, 0);
    assert_int_equal(list.len, 3);
    assert_string_equal(list.v[0].name, "eth1");
    assert_string_equal(list.v[0].add, "");
    assert_string_equal(list.v[1].add, "wireguard");
    assert_true(list.v[1].create_in_root);
    assert_string_equal(list.v[2].add, "veth"); /* implied */
    assert_string_equal(list.v[2].peer, "veth0");
    assert_false(list.v[2].create_in_root);
    assert_string_equal(last_line, "");
    interfaces_free(&list);
    json_decref(doc);
}

static void what_kinds_have_to_be_told_is_read(void **state) {
    struct interfaces list;
    struct err e = {0};
    int r;
    (void)state;
    json_t *doc =
        load("{\"interfaces\":[{\"name\":\"a\",\"add\":\"macvlan\",\"parent\":\"eth0\",\"mode\":\"bridge\"},"
             "{\"name\":\"b\",\"add\":\"vlan\",\"parent\":\"eth1\",\"id\":5},{\"name\":\"c\",\"add\":\"dummy\"}]}",
             &list, &r, &e);
    assert_int_equal(r, 0);
    assert_string_equal(last_line, "");
    assert_string_equal(list.v[0].parent, "eth0");
    assert_int_equal(list.v[0].data.len, 1);
    assert_int_equal(list.v[0].data.v[0].value, 4);
    assert_string_equal(list.v[1].parent, "eth1");
    assert_int_equal(list.v[1].data.v[0].value, 5);
    assert_null(list.v[2].parent);
    assert_int_equal(list.v[2].data.len, 0);
    interfaces_free(&list);
    json_decref(doc);
}

static void what_is_wrong_is_named(void **state) {
    static const char *const cases[][2] = {
        {"{\"interfaces\":5}", "$.interfaces is not an array"},
        {"{\"interfaces\":[5]}", "$.interfaces[0] is not an object"},
        {"{\"interfaces\":[{\"add\":\"dummy\"}]}", "$.interfaces[0].name is missing"},
        {"{\"interfaces\":[{\"name\":\"\"}]}", "$.interfaces[0].name is empty"},
        {"{\"interfaces\":[{\"name\":\"a\"},{\"name\":7}]}", "$.interfaces[1].name is not a string"},
        {"{\"interfaces\":[{\"name\":\"a\",\"add\":[]}]}", "$.interfaces[0].add is not a string"},
        {"{\"interfaces\":[{\"name\":\"a\",\"createInRoot\":\"yes\"}]}", "$.interfaces[0].createInRoot is not"},
        {"{\"interfaces\":[{\"name\":\"sixteen-bytes-xx\"}]}", "$.interfaces[0].name is longer than 15 bytes"},
        {"{\"interfaces\":[{\"name\":\"a/b\"}]}", "$.interfaces[0].name is no name of an interface"},
        {"{\"interfaces\":[{\"name\":\"..\"}]}", "$.interfaces[0].name is no name of an interface"},
        {"{\"interfaces\":[{\"name\":\"a\",\"peer\":\"b c\"}]}", "$.interfaces[0].peer is no name of an interface"},
        {"{\"interfaces\":[{\"name\":\"a\",\"add\":\"veth\"}]}", "$.interfaces[0].peer is missing"},
        {"{\"interfaces\":[{\"name\":\"a\",\"add\":\"a-kind-that-no-kernel-has-a-name-for\"}]}",
         "$.interfaces[0].add is longer than 32 bytes"},
        {"{\"interfaces\":[{\"name\":\"a\",\"parent\":\"eth0\"}]}", "$.interfaces[0].add is missing"},
        {"{\"interfaces\":[{\"name\":\"a\",\"id\":5}]}", "$.interfaces[0].add is missing"},
        {"{\"interfaces\":[{\"name\":\"a\",\"peer\":\"b\",\"parent\":\"c\"}]}",
         "$.interfaces[0].parent: a veth lies on"},
        {"{\"interfaces\":[{\"name\":\"a\",\"add\":\"macvlan\"}]}", "$.interfaces[0].parent is missing"},
        {"{\"interfaces\":[{\"name\":\"a\",\"add\":\"macvlan\",\"parent\":\"\"}]}", "$.interfaces[0].parent is empty"},
        {"{\"interfaces\":[{\"name\":\"a\",\"add\":\"macvlan\",\"parent\":\"b/c\"}]}",
         "$.interfaces[0].parent is no name of an interface"},
        {"{\"interfaces\":[{\"name\":\"a\",\"add\":\"vlan\",\"parent\":\"b\",\"id\":\"5\"}]}",
         "$.interfaces[0].id is not an integer"},
        {"{\"interfaces\":[{\"name\":\"a\",\"add\":\"macvlan\",\"parent\":\"b\",\"mode\":\"l2\"}]}",
         "$.interfaces[0].mode is not private, vepa, bridge or passthru: \"l2\""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct interfaces list;
        struct err e = {0};
        int r;
        json_t *doc = load(cases[i][0], &list, &r, &e);
        assert_int_equal(r, -EINVAL);
        if (!strstr(e.msg, cases[i][1]))
            fail_msg("\"%s\" does not say \"%s\"", e.msg, cases[i][1]);
        interfaces_free(&list);
        json_decref(doc);
    }
}

static void what_is_ignored_is_said(void **state) {
    struct interfaces list;
    struct err e = {0};
    int r;
    (void)state;
    json_t *doc = load("{\"interfaces\":[{\"name\":\"a\",\"mtu\":9000}]}", &list, &r, &e);
    assert_int_equal(r, 0);
    assert_non_null(strstr(last_line, "unknown key \"mtu\" in $.interfaces[0] is ignored"));
    interfaces_free(&list);
    json_decref(doc);
    doc = load("{\"interfaces\":[{\"name\":\"a\",\"add\":\"dummy\",\"peer\":\"b\"}]}", &list, &r, &e);
    assert_int_equal(r, 0);
    assert_string_equal(list.v[0].peer, "");
    assert_non_null(strstr(last_line, "$.interfaces[0].peer is ignored"));
    interfaces_free(&list);
    json_decref(doc);
}

static void there_is_an_end_to_the_list(void **state) {
    AUTO_JSON json_t *doc = json_object();
    struct interfaces list = {0};
    struct err e = {0};
    json_t *array = json_array();
    (void)state;
    for (int i = 0; i <= INTERFACES_MAX; i++)
        assert_int_equal(json_array_append_new(array, json_pack("{s:s}", "name", "a")), 0);
    assert_int_equal(json_object_set_new(doc, "interfaces", array), 0);
    assert_int_equal(interfaces_load(doc, "runtime.json", &list, &e), -E2BIG);
    assert_int_equal(json_array_remove(array, 0), 0);
    assert_int_equal(interfaces_load(doc, "runtime.json", &list, &e), 0);
    assert_int_equal(list.len, INTERFACES_MAX);
    interfaces_free(&list);
}

/* --- real links --- */

/* As the container sees it: index of the interface there, 0 if there is none. */
static unsigned index_in_container(const char *name) {
    AUTO_FREE char *path = NULL;
    AUTO_BUF struct buf text = BUF_INIT;
    unsigned found = 0;
    char *pos, *line;

    assert_true(asprintf(&path, "/proc/%d/net/dev", container) > 0);
    assert_int_equal(read_file(path, 1 << 16, &text, NULL), 0);
    pos = text.data;
    for (unsigned n = 1; (line = next_line(&pos)); n++) {
        char *colon = strchr(line, ':');
        if (!colon)
            continue;
        *colon = '\0';
        if (!strcmp(line + strspn(line, " "), name))
            found = n;
    }
    return found;
}

/* What is in the file; it is emptied. */
static const char *noted(void) {
    static char text[256];
    AUTO_FCLOSE FILE *f = fopen(notes, "re");

    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    assert_int_equal(truncate(notes, 0), 0);
    return text;
}

static int give(struct interface *i, size_t len, struct err *e) {
    struct interfaces list = {i, len};

    return interfaces_give(&list, container, notes, e);
}

#define NEEDS_NAMESPACES                                                                                               \
    do {                                                                                                               \
        if (!have_namespaces)                                                                                          \
            skip();                                                                                                    \
    } while (0)

static void a_link_is_made_in_the_container(void **state) {
    struct interface i = {.name = "made0", .add = kind, .peer = ""};
    struct err e = {0};
    (void)state;
    NEEDS_NAMESPACES;
    if (give(&i, 1, &e) < 0)
        fail_msg("%s", e.msg);
    assert_true(index_in_container("made0"));
    assert_int_equal(if_nametoindex("made0"), 0);
    assert_string_equal(noted(), "");
}

static void a_link_is_made_in_the_root_and_moved(void **state) {
    struct interface i = {.name = "root0", .add = kind, .peer = "", .create_in_root = true};
    struct err e = {0};
    (void)state;
    NEEDS_NAMESPACES;
    if (give(&i, 1, &e) < 0)
        fail_msg("%s", e.msg);
    assert_true(index_in_container("root0"));
    assert_int_equal(if_nametoindex("root0"), 0);
    assert_string_equal(noted(), ""); /* it is not here any more */
}

/* Its name may be one that the root has too: the pair is not made there. */
static void a_veth_has_one_end_here_and_one_there(void **state) {
    struct interface i = {.name = "lo2", .add = "veth", .peer = "here0"};
    struct interface same = {.name = "here1", .add = "veth", .peer = "here2"};
    char want[64];
    struct interface taken = {.name = "here0", .add = "veth", .peer = "here1"};
    struct err e = {0};
    (void)state;
    NEEDS_NAMESPACES;
    if (give(&i, 1, &e) < 0 || give(&taken, 1, &e) < 0 || give(&same, 1, &e) < 0)
        fail_msg("%s", e.msg);
    assert_true(index_in_container("lo2") && index_in_container("here0") && index_in_container("here1"));
    assert_true(if_nametoindex("here0") && if_nametoindex("here1") && if_nametoindex("here2"));
    assert_int_equal(if_nametoindex("lo2"), 0);
    (void)snprintf(want, sizeof(want), "%u\n%u\n%u\n", if_nametoindex("here0"), if_nametoindex("here1"),
                   if_nametoindex("here2"));
    assert_string_equal(noted(), want);
}

/* As with veth: a name is taken where it is taken, and not where somebody else has one. */
static void a_name_may_be_the_roots_too(void **state) {
    struct interface here = {.name = "both0", .add = kind, .peer = ""};
    struct interfaces in_ours = {&here, 1};
    struct err e = {0};
    (void)state;
    NEEDS_NAMESPACES;
    if (interfaces_give(&in_ours, getpid(), notes, &e) < 0)
        fail_msg("%s", e.msg);
    unsigned ours = if_nametoindex("both0");
    if (give(&here, 1, &e) < 0)
        fail_msg("%s", e.msg);
    assert_true(index_in_container("both0"));
    assert_int_equal(if_nametoindex("both0"), ours);
    (void)noted();
    assert_int_equal(give(&here, 1, &e), -EEXIST);
    (void)snprintf(last_line, sizeof(last_line), "could not create interface both0 (%s): it is there already", kind);
    assert_non_null(strstr(e.msg, last_line));
    struct if_nameindex *all = if_nameindex();
    for (const struct if_nameindex *n = all; n && n->if_index; n++)
        assert_null(strstr(n->if_name, "keelson")); /* nothing of it stays here */
    if_freenameindex(all);
}

static void what_was_left_here_is_taken_back(void **state) {
    struct interface i = {.name = "again0", .add = "veth", .peer = "back0"};
    struct interfaces list = {&i, 1};
    struct err e = {0};
    (void)state;
    NEEDS_NAMESPACES;
    for (int n = 0; n < 3; n++) {
        if (interfaces_give(&list, container, notes, &e) < 0)
            fail_msg("%s", e.msg);
        assert_true(if_nametoindex("back0"));
        interfaces_take_back(notes);
        assert_int_equal(if_nametoindex("back0"), 0);
        assert_int_equal(index_in_container("again0"), 0);
    }
    interfaces_take_back(notes); /* nothing left */
    assert_true(access(notes, F_OK) < 0 && errno == ENOENT);
}

/* A container without a namespace of its own: what it gets would be in its own way the next time. */
static void a_container_that_shares_ours_leaves_it_as_it_was(void **state) {
    struct interface both[] = {
        {.name = "share0", .add = kind, .peer = ""},
        {.name = "share1", .add = kind, .peer = "", .create_in_root = true},
    };
    struct interfaces list = {both, ARRAY_SIZE(both)};
    struct err e = {0};
    (void)state;
    NEEDS_NAMESPACES;
    for (int n = 0; n < 2; n++) {
        if (interfaces_give(&list, getpid(), notes, &e) < 0)
            fail_msg("%s", e.msg);
        assert_true(if_nametoindex("share0") && if_nametoindex("share1"));
        interfaces_take_back(notes);
        assert_int_equal(if_nametoindex("share0"), 0);
        assert_int_equal(if_nametoindex("share1"), 0);
    }
}

static void a_link_that_is_there_moves_in(void **state) {
    struct interface here = {.name = "move0", .add = kind, .peer = ""};
    struct interface i = {.name = "move0", .add = "", .peer = ""};
    struct interfaces in_ours = {&here, 1};
    struct err e = {0};
    (void)state;
    NEEDS_NAMESPACES;
    if (interfaces_give(&in_ours, getpid(), notes, &e) < 0)
        fail_msg("%s", e.msg);
    assert_true(if_nametoindex("move0"));
    if (give(&i, 1, &e) < 0)
        fail_msg("%s", e.msg);
    assert_int_equal(if_nametoindex("move0"), 0);
    assert_true(index_in_container("move0"));
}

static void says(struct interface *i, int code, const char *words) {
    struct err e = {0};

    assert_int_equal(give(i, 1, &e), code);
    if (!strstr(e.msg, words))
        fail_msg("\"%s\" does not say \"%s\"", e.msg, words);
}

static void what_cannot_be_done_is_said(void **state) {
    struct interface there = {.name = "twice0", .add = "veth", .peer = "twice1"};
    struct interface again = there, peer = {.name = "new0", .add = "veth", .peer = "twice1"};
    struct interface moved = {.name = "twice1", .add = kind, .peer = "", .create_in_root = true};
    struct interface clash = {.name = "twice0", .add = kind, .peer = "", .create_in_root = true};
    struct interface none = {.name = "none0", .add = "", .peer = ""};
    struct interface unknown = {.name = "x0", .add = "nosuchkind", .peer = ""};
    struct interface orphan = {.name = "x0", .add = "macvlan", .peer = "", .parent = "none0"};
    struct err e = {0};
    (void)state;
    NEEDS_NAMESPACES;
    if (give(&there, 1, &e) < 0)
        fail_msg("%s", e.msg);
    again.peer = "twice2";
    says(&again, -EEXIST, "could not create interface twice0 (veth): it is there already");
    says(&peer, -EEXIST, "could not create interface new0 (veth): its peer twice1 is there already");
    says(&moved, -EEXIST, "could not create interface twice1 (");
    says(&clash, -EEXIST, "could not move interface twice0: the container has one of this name already");
    assert_int_equal(if_nametoindex("twice0"), 0); /* what was made on the way is not left behind */
    says(&none, -ENODEV, "could not move interface none0: there is none of this name");
    says(&orphan, -ENODEV, "could not create interface x0 (macvlan): its parent none0 is not there");
    says(&unknown, -EOPNOTSUPP, "could not create interface x0 (nosuchkind): Unknown device type");
}

static void the_first_failure_ends_it(void **state) {
    struct interface list[] = {
        {.name = "first0", .add = "veth", .peer = "first1"},
        {.name = "gone0", .add = "", .peer = ""},
        {.name = "third0", .add = "veth", .peer = "third1"},
    };
    struct err e = {0};
    (void)state;
    NEEDS_NAMESPACES;
    assert_int_equal(give(list, ARRAY_SIZE(list), &e), -ENODEV);
    assert_true(if_nametoindex("first1"));
    assert_int_equal(if_nametoindex("third1"), 0);
}

static void a_process_that_is_gone_gets_nothing(void **state) {
    struct interface i = {.name = "late0", .add = "veth", .peer = "late1"};
    struct interfaces list = {&i, 1};
    struct err e = {0};
    (void)state;
    NEEDS_NAMESPACES;
    assert_true(interfaces_give(&list, INT32_MAX, NULL, &e) < 0);
    assert_non_null(strstr(e.msg, "could not create interface late0 (veth): "));
    assert_int_equal(if_nametoindex("late1"), 0);
}

/* As root of a new user namespace, or as root. */
static bool enter_namespace(void) {
    AUTO_FREE char *users = NULL, *groups = NULL;

    if (asprintf(&users, "0 %u 1", geteuid()) < 0 || asprintf(&groups, "0 %u 1", getegid()) < 0)
        return false;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return unshare(CLONE_NEWNET) == 0;
    return write_sysfile("/proc/self/setgroups", "deny", NULL) == 0 &&
           write_sysfile("/proc/self/uid_map", users, NULL) == 0 &&
           write_sysfile("/proc/self/gid_map", groups, NULL) == 0;
}

static int start_container(void) {
    int hold[2], ready[2];
    char byte;

    if (pipe(hold) < 0 || pipe(ready) < 0 || (container = fork()) < 0)
        return -1;
    if (container == 0) {
        (void)close(hold[1]);
        bool ok = unshare(CLONE_NEWNET) == 0 && write_full(ready[1], "x", 1) == 0;
        _exit(ok && read_full(hold[0], &byte, 1) == 0 ? 0 : 1);
    }
    (void)close(hold[0]);
    (void)close(ready[1]);
    hold_fd = hold[1];
    bool ok = read_full(ready[0], &byte, 1) == 1;
    (void)close(ready[0]);
    return ok ? 0 : -1;
}

/* Not every kernel has every kind: dummy is a module that this machine may lack, and any will do here. */
static const char *find_kind(void) {
    static const char *const kinds[] = {"dummy", "ifb"};

    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        struct interface i = {.name = "probe0", .add = kinds[k], .peer = ""};
        if (give(&i, 1, NULL) == 0)
            return kinds[k];
    }
    return NULL;
}

static int setup(void **state) {
    (void)state;
    int fd = mkstemp(notes);
    if (fd < 0 || close(fd) < 0)
        return -1;
    have_namespaces = enter_namespace() && start_container() == 0 && (kind = find_kind());
    if (!have_namespaces)
        print_message("no network namespaces, or no kind of link, to be had: tests of real links are skipped\n");
    else
        print_message("links are of kind veth and %s\n", kind);
    return 0;
}

static int teardown(void **state) {
    int status = 0;
    (void)state;
    (void)unlink(notes);
    if (hold_fd < 0)
        return 0;
    (void)close(hold_fd);
    return waitpid(container, &status, 0) == container && status == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_linuxkit_writes_is_read),
        cmocka_unit_test(what_kinds_have_to_be_told_is_read),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(what_is_ignored_is_said),
        cmocka_unit_test(there_is_an_end_to_the_list),
        cmocka_unit_test(a_link_is_made_in_the_container),
        cmocka_unit_test(a_link_is_made_in_the_root_and_moved),
        cmocka_unit_test(a_veth_has_one_end_here_and_one_there),
        cmocka_unit_test(a_name_may_be_the_roots_too),
        cmocka_unit_test(what_was_left_here_is_taken_back),
        cmocka_unit_test(a_container_that_shares_ours_leaves_it_as_it_was),
        cmocka_unit_test(a_link_that_is_there_moves_in),
        cmocka_unit_test(what_cannot_be_done_is_said),
        cmocka_unit_test(the_first_failure_ends_it),
        cmocka_unit_test(a_process_that_is_gone_gets_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
