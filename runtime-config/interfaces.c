/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing here changes the namespace of this process: the kernel is asked to put a link where a pid is. It is the link
 * that is made in place, not moved there, unless createInRoot says so: some kinds remember where they were made.
 */
#include "runtime-config/interfaces.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/log.h"
#include "runtime-config/link_kind.h"
#include "runtime-config/unknown.h"

#define NOTES_MAX ((size_t)INTERFACES_MAX * 12)

static const char *const known_keys[] = {"name", "add", "peer", "createInRoot", "parent", "id", "mode", NULL};

/* What the kernel would refuse as well, but without the place. */
static int check_name(const char *where, const char *key, const char *name, struct err *e) {
    if (strlen(name) > LINK_NAME_MAX)
        return err_set(e, -EINVAL, "%s.%s is longer than %d bytes: \"%s\"", where, key, LINK_NAME_MAX, name);
    if (!strcmp(name, ".") || !strcmp(name, "..") || strpbrk(name, "/: \t\n\v\f\r"))
        return err_set(e, -EINVAL, "%s.%s is no name of an interface: \"%s\"", where, key, name);
    return 0;
}

static int read_keys(const json_t *obj, const char *where, struct interface *i, struct link_words *words,
                     struct err *e) {
    int r = json_get_string(obj, where, "name", true, &i->name, e);

    if (!r)
        r = json_get_string(obj, where, "add", false, &i->add, e);
    if (!r)
        r = json_get_string(obj, where, "peer", false, &i->peer, e);
    if (!r)
        r = json_get_bool(obj, where, "createInRoot", false, &i->create_in_root, e);
    if (!r)
        r = json_get_string(obj, where, "parent", false, &i->parent, e);
    if (!r)
        r = json_get_string(obj, where, "mode", false, &words->mode, e);
    if (!r)
        r = json_get_int(obj, where, "id", false, &words->id, e);
    words->has_parent = i->parent != NULL;
    return r;
}

static int check_texts(const char *where, const struct interface *i, struct err *e) {
    int r = *i->name ? 0 : err_set(e, -EINVAL, "%s.name is empty", where);

    if (!r)
        r = check_name(where, "name", i->name, e);
    if (!r)
        r = check_name(where, "peer", i->peer, e);
    if (!r && i->parent)
        r = *i->parent ? check_name(where, "parent", i->parent, e) : err_set(e, -EINVAL, "%s.parent is empty", where);
    if (!r && strlen(i->add) > LINK_KIND_MAX)
        r = err_set(e, -EINVAL, "%s.add is longer than %d bytes", where, LINK_KIND_MAX);
    return r;
}

/* A veth has two ends, and nothing else has. */
static int check_peer(const char *path, const char *where, struct interface *i, struct err *e) {
    if (*i->peer && !*i->add)
        i->add = "veth";
    bool is_veth = !strcmp(i->add, "veth");
    if (is_veth && !*i->peer)
        return err_set(e, -EINVAL, "%s.peer is missing: a veth has two ends", where);
    if (is_veth || !*i->peer)
        return 0;
    log_warning("%s: %s.peer is ignored: a link of kind %s has none", path, where, i->add);
    i->peer = "";
    return 0;
}

static int check_words(const char *where, struct interface *i, const struct link_words *words, struct err *e) {
    if (!*i->add && (words->has_parent || words->id != LINK_NO_ID || words->mode))
        return err_set(e, -EINVAL, "%s.add is missing: what is there and moves in has its parent, id and mode", where);
    if (words->has_parent && !strcmp(i->add, "veth"))
        return err_set(e, -EINVAL, "%s.parent: a veth lies on no other link", where);
    return link_kind_take(i->add, words, where, &i->data, e);
}

static int interface_load(const json_t *obj, const char *path, size_t n, struct interface *i, struct err *e) {
    struct link_words words = {.id = LINK_NO_ID};
    char where[64];

    (void)snprintf(where, sizeof(where), "$.interfaces[%zu]", n);
    if (!json_is_object(obj))
        return err_set(e, -EINVAL, "%s is not an object", where);
    unknown_keys_warn(path, where, obj, known_keys);
    *i = (struct interface){.name = "", .add = "", .peer = ""};
    int r = read_keys(obj, where, i, &words, e);
    if (!r)
        r = check_texts(where, i, e);
    if (!r)
        r = check_peer(path, where, i, e);
    return r < 0 ? r : check_words(where, i, &words, e);
}

int interfaces_load(const json_t *doc, const char *path, struct interfaces *out, struct err *e) {
    json_t *list = NULL;
    int r = json_get_array(doc, "$", "interfaces", false, &list, e);
    size_t len = json_array_size(list);

    if (r < 0 || len == 0)
        return r;
    if (len > INTERFACES_MAX)
        return err_set(e, -E2BIG, "$.interfaces has more than %d entries", INTERFACES_MAX);
    out->v = calloc(len, sizeof(*out->v));
    if (!out->v)
        return err_errno(e, -ENOMEM, "could not read $.interfaces");
    out->len = len;
    for (size_t i = 0; i < len && !r; i++)
        r = interface_load(json_array_get(list, i), path, i, &out->v[i], e);
    return r;
}

void interfaces_free(struct interfaces *list) {
    free(list->v);
    *list = (struct interfaces){0};
}

/* --- acting --- */

static bool is_our_namespace(int pid) {
    char path[64];
    struct stat theirs, ours;

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
    return stat(path, &theirs) == 0 && stat("/proc/self/ns/net", &ours) == 0 && theirs.st_ino == ours.st_ino &&
           theirs.st_dev == ours.st_dev;
}

static int move(int fd, const struct interface *i, int pid, struct err *e) {
    union link_msg m;
    int r = link_msg_move(&m, i->name, (uint32_t)pid);

    if (r < 0)
        return err_errno(e, r, "could not move interface %s", i->name);
    r = link_talk(fd, &m, LINK_DEADLINE_MS, e);
    if (r == -ENODEV)
        return err_set(e, r, "could not move interface %s: there is none of this name", i->name);
    if (r == -EEXIST)
        return err_set(e, r, "could not move interface %s: the container has one of this name already", i->name);
    return r < 0 ? err_wrap(e, r, "could not move interface %s", i->name) : 0;
}

static void delete_link(int fd, unsigned index) {
    union link_msg m;
    struct err e = {0};
    int r = link_msg_delete(&m, index);

    if (!r)
        r = link_talk(fd, &m, LINK_DEADLINE_MS, &e);
    if (r < 0 && r != -ENODEV)
        log_warning("could not delete interface %u: %s", index, e.msg);
}

static int create_failed(const struct interface *i, int r, struct err *e) {
    if (r != -EEXIST)
        return err_wrap(e, r, "could not create interface %s (%s)", i->name, i->add);
    if (*i->peer && if_nametoindex(i->peer))
        return err_set(e, r, "could not create interface %s (%s): its peer %s is there already", i->name, i->add,
                       i->peer);
    return err_set(e, r, "could not create interface %s (%s): it is there already", i->name, i->add);
}

/* Without the note the next life finds it in its way, and says so. */
static void note(const char *notes, unsigned index) {
    AUTO_CLOSE int fd = open(notes, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 || dprintf(fd, "%u\n", index) < 0)
        log_warning("could not write %s: %s", notes, strerror(errno));
}

static int ask_for(int fd, const struct interface *i, const char *name, int pid, struct err *e) {
    struct link_plan plan = {.name = name, .kind = i->add, .pid = (uint32_t)pid, .data = i->data};
    union link_msg m;

    if (i->parent && (plan.parent = if_nametoindex(i->parent)) == 0)
        return err_set(e, -ENODEV, "could not create interface %s (%s): its parent %s is not there", i->name, i->add,
                       i->parent);
    int r = *i->peer ? link_msg_veth(&m, name, i->peer, plan.pid) : link_msg_create(&m, &plan);
    if (r < 0)
        return err_errno(e, r, "could not create interface %s (%s)", i->name, i->add);
    r = link_talk(fd, &m, LINK_DEADLINE_MS, e);
    return r < 0 ? create_failed(i, r, e) : 0;
}

static int create_and_move(int fd, const struct interface *i, int pid, struct err *e) {
    int r = ask_for(fd, i, i->name, 0, e);

    if (r < 0)
        return r;
    unsigned index = if_nametoindex(i->name);
    r = move(fd, i, pid, e);
    if (r < 0 && index)
        delete_link(fd, index);
    return r;
}

/*
 * Older kernels, 6.1 among them, look in our namespace whether the name of a new link is taken, also if it is to be
 * made in another one: there may be an eth0 in both. It is made under another name, and gets its own on the way.
 */
static int create_aside(int fd, const struct interface *i, int pid, struct err *e) {
    char aside[LINK_NAME_MAX + 1];
    union link_msg m;

    (void)snprintf(aside, sizeof(aside), "keelson%d", getpid() % 1000000);
    int r = ask_for(fd, i, aside, 0, e);
    if (r < 0)
        return r;
    unsigned index = if_nametoindex(aside);
    r = link_msg_move_as(&m, index, i->name, (uint32_t)pid);
    if (!r)
        r = link_talk(fd, &m, LINK_DEADLINE_MS, e);
    if (r == -EEXIST)
        return create_failed(i, r, e); /* it has moved by then, and goes with the container's namespace */
    if (r < 0) {
        delete_link(fd, index);
        return err_wrap(e, r, "could not create interface %s (%s)", i->name, i->add);
    }
    return 0;
}

static int create(int fd, const struct interface *i, int pid, const char *notes, struct err *e) {
    bool shared = is_our_namespace(pid);

    if (!shared && !*i->peer && i->create_in_root)
        return create_and_move(fd, i, pid, e);
    if (!shared && !*i->peer && if_nametoindex(i->name))
        return create_aside(fd, i, pid, e);
    int r = ask_for(fd, i, i->name, pid, e);
    if (r < 0)
        return r;
    unsigned index = *i->peer || shared ? if_nametoindex(*i->peer ? i->peer : i->name) : 0;
    if (index && notes)
        note(notes, index);
    return 0;
}

int interfaces_give(const struct interfaces *list, int pid, const char *notes, struct err *e) {
    if (list->len == 0)
        return 0;
    AUTO_CLOSE int fd = link_open(e);
    if (fd < 0)
        return fd;
    for (size_t i = 0; i < list->len; i++) {
        const struct interface *one = &list->v[i];
        int r = *one->add ? create(fd, one, pid, notes, e) : move(fd, one, pid, e);
        if (r < 0)
            return err_wrap(e, r, "$.interfaces[%zu]", i);
        log_info("%s interface %s for process %d", *one->add ? "created" : "moved", one->name, pid);
    }
    return 0;
}

static void each_noted(const char *notes, void (*fn)(unsigned index, void *data), void *data) {
    AUTO_BUF struct buf text = BUF_INIT;
    uint64_t index;
    char *line;

    if (read_file(notes, NOTES_MAX, &text, NULL) < 0)
        return; /* most have none */
    for (char *pos = text.data; (line = next_line(&pos));)
        if (parse_u64(line, INT32_MAX, &index) == 0 && index > 0)
            fn((unsigned)index, data);
}

static void add_name(unsigned index, void *data) {
    char name[IF_NAMESIZE];

    if (if_indextoname(index, name))
        (void)json_array_append_new(data, json_string(name));
}

void interfaces_noted(const char *notes, json_t *names) {
    each_noted(notes, add_name, names);
}

static void delete_noted(unsigned index, void *data) {
    delete_link(*(const int *)data, index);
}

void interfaces_take_back(const char *notes) {
    AUTO_CLOSE int fd = access(notes, F_OK) == 0 ? link_open(NULL) : -1;

    if (fd < 0)
        return;
    each_noted(notes, delete_noted, &fd);
    (void)unlink(notes);
}
