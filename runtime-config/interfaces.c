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
#include "runtime-config/link.h"

#define NOTES_MAX ((size_t)INTERFACES_MAX * 12)

static const char *const known_keys[] = {"name", "add", "peer", "createInRoot"};

static void warn_unknown(const char *path, const char *where, const json_t *obj) {
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)obj, key, value) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_SIZE(known_keys); i++)
            known |= !strcmp(key, known_keys[i]);
        if (!known)
            log_warning("%s: unknown key \"%s\" in %s is ignored", path, key, where);
    }
}

/* What the kernel would refuse as well, but without the place. */
static int check_name(const char *where, const char *key, const char *name, struct err *e) {
    if (strlen(name) > LINK_NAME_MAX)
        return err_set(e, -EINVAL, "%s.%s is longer than %d bytes: \"%s\"", where, key, LINK_NAME_MAX, name);
    if (!strcmp(name, ".") || !strcmp(name, "..") || strpbrk(name, "/: \t\n\v\f\r"))
        return err_set(e, -EINVAL, "%s.%s is no name of an interface: \"%s\"", where, key, name);
    return 0;
}

static int read_keys(const json_t *obj, const char *where, struct interface *i, struct err *e) {
    int r = json_get_string(obj, where, "name", true, &i->name, e);

    if (!r)
        r = json_get_string(obj, where, "add", false, &i->add, e);
    if (!r)
        r = json_get_string(obj, where, "peer", false, &i->peer, e);
    if (!r)
        r = json_get_bool(obj, where, "createInRoot", false, &i->create_in_root, e);
    return r;
}

static int interface_load(const json_t *obj, const char *path, size_t n, struct interface *i, struct err *e) {
    char where[64];

    (void)snprintf(where, sizeof(where), "$.interfaces[%zu]", n);
    if (!json_is_object(obj))
        return err_set(e, -EINVAL, "%s is not an object", where);
    warn_unknown(path, where, obj);
    *i = (struct interface){.name = "", .add = "", .peer = ""};
    int r = read_keys(obj, where, i, e);
    if (!r && !*i->name)
        r = err_set(e, -EINVAL, "%s.name is empty", where);
    if (!r)
        r = check_name(where, "name", i->name, e);
    if (!r)
        r = check_name(where, "peer", i->peer, e);
    if (!r && strlen(i->add) > LINK_KIND_MAX)
        r = err_set(e, -EINVAL, "%s.add is longer than %d bytes", where, LINK_KIND_MAX);
    if (r < 0)
        return r;
    if (*i->peer && !*i->add)
        i->add = "veth";
    if (!strcmp(i->add, "veth")) {
        if (!*i->peer)
            return err_set(e, -EINVAL, "%s.peer is missing: a veth has two ends", where);
    } else if (*i->peer) {
        log_warning("%s: %s.peer is ignored: a link of kind %s has none", path, where, i->add);
        i->peer = "";
    }
    return 0;
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

static int create(int fd, const struct interface *i, int pid, const char *notes, struct err *e) {
    bool move_later = i->create_in_root && !*i->peer && !is_our_namespace(pid);
    uint32_t where = move_later ? 0 : (uint32_t)pid;
    union link_msg m;
    int r = *i->peer ? link_msg_veth(&m, i->name, i->peer, where) : link_msg_create(&m, i->name, i->add, where);

    if (r < 0)
        return err_errno(e, r, "could not create interface %s (%s)", i->name, i->add);
    r = link_talk(fd, &m, LINK_DEADLINE_MS, e);
    if (r < 0)
        return create_failed(i, r, e);
    bool here = *i->peer || move_later || is_our_namespace(pid);
    unsigned index = here ? if_nametoindex(*i->peer ? i->peer : i->name) : 0;
    if (!move_later) {
        if (index && notes)
            note(notes, index);
        return 0;
    }
    r = move(fd, i, pid, e);
    if (r < 0 && index)
        delete_link(fd, index);
    return r;
}

int interfaces_give(const struct interfaces *list, int pid, const char *notes, struct err *e) {
    if (list->len == 0)
        return 0;
    AUTO_CLOSE int fd = link_open(e);
    int r = fd < 0 ? fd : 0;
    for (size_t i = 0; i < list->len && !r; i++) {
        r = *list->v[i].add ? create(fd, &list->v[i], pid, notes, e) : move(fd, &list->v[i], pid, e);
        if (!r)
            log_info("%s interface %s for process %d", *list->v[i].add ? "created" : "moved", list->v[i].name, pid);
    }
    return r;
}

void interfaces_take_back(const char *notes) {
    AUTO_BUF struct buf text = BUF_INIT;
    uint64_t index;
    char *line;

    if (read_file(notes, NOTES_MAX, &text, NULL) < 0)
        return; /* most have none */
    AUTO_CLOSE int fd = link_open(NULL);
    for (char *pos = text.data; fd >= 0 && (line = next_line(&pos));)
        if (parse_u64(line, INT32_MAX, &index) == 0 && index > 0)
            delete_link(fd, (unsigned)index);
    (void)unlink(notes);
}
