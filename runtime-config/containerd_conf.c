/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime-config/containerd_conf.h"

#include <fcntl.h>
#include <string.h>

#include "lib/log.h"
#include "runtime-config/toml.h"

#define WHITE_SPACE " \t\n\v\f\r"

static int fail_at(const struct toml *t, const char *path, const char *key, const char *why, struct err *e) {
    struct toml_position at = toml_position(t, t->root, key);

    return err_set(e, -EINVAL, "%s:%u:%u: %s %s", path, at.line, at.column, key, why);
}

/* A copy of the string in *out; nothing if the key is not there. */
static int get_string(const struct toml *t, const char *path, const char *key, char **out, struct err *e) {
    const json_t *value = json_object_get(t->root, key);
    char why[80];

    if (!value)
        return 0;
    enum toml_type type = toml_type(t, value);
    if (type != TOML_STRING) {
        (void)snprintf(why, sizeof(why), "is not a string but %s", toml_type_name(type));
        return fail_at(t, path, key, why, e);
    }
    if (strlen(json_string_value(value)) != json_string_length(value))
        return fail_at(t, path, key, "has a NUL character in it", e);
    *out = strdup(json_string_value(value));
    return *out ? 0 : err_errno(e, -ENOMEM, "could not read %s", path);
}

static int get_output(const struct toml *t, const char *path, const char *key, char **out, struct err *e) {
    int r = get_string(t, path, key, out, e);

    if (r < 0 || !*out || **out == '/' || !strcmp(*out, "stdout") || !strcmp(*out, "stderr"))
        return r;
    return fail_at(t, path, key, "is neither \"stdout\" nor \"stderr\" nor an absolute path", e);
}

static int get_options(const struct toml *t, const char *path, struct containerd_conf *c, struct err *e) {
    int r = get_string(t, path, "cliopts", &c->cliopts, e);
    char *word = c->cliopts;

    if (r < 0 || !word)
        return r;
    for (size_t len = 1; *(word += strspn(word, WHITE_SPACE)); len++) {
        if (len > CONTAINERD_OPTIONS_MAX)
            return fail_at(t, path, "cliopts", "has more than 256 words", e);
        c->argv[len] = word;
        word += strcspn(word, WHITE_SPACE);
        if (*word)
            *word++ = '\0';
    }
    return 0;
}

static void warn_unknown(const struct toml *t, const char *path) {
    static const char *const known_keys[] = {"cliopts", "stdout", "stderr"};
    const char *key;
    json_t *value;

    json_object_foreach(t->root, key, value) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_SIZE(known_keys); i++)
            known |= !strcmp(key, known_keys[i]);
        struct toml_position at = toml_position(t, t->root, key);
        char shown[64];
        if (!known)
            log_warning("%s:%u:%u: unknown key \"%s\" is ignored", path, at.line, at.column,
                        toml_show_key(key, strlen(key), shown, sizeof(shown)));
    }
}

static int load(const char *path, struct containerd_conf *c, struct err *e) {
    AUTO(toml_free) struct toml t = {0};
    int r = toml_load(&t, path, CONTAINERD_CONF_MAX, e);

    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    warn_unknown(&t, path);
    r = get_options(&t, path, c, e);
    if (!r)
        r = get_output(&t, path, "stdout", &c->stdout_to, e);
    if (!r)
        r = get_output(&t, path, "stderr", &c->stderr_to, e);
    return r;
}

int containerd_conf_load(const char *path, const char *program, struct containerd_conf *c, struct err *e) {
    *c = (struct containerd_conf){.argv = {program}};
    int r = load(path, c, e);
    if (r < 0) {
        containerd_conf_free(c);
        c->argv[0] = program;
    }
    return r;
}

void containerd_conf_free(struct containerd_conf *c) {
    free(c->cliopts);
    free(c->stdout_to);
    free(c->stderr_to);
    *c = (struct containerd_conf){0};
}

static int open_file(const char *path, int *out) {
    AUTO_CLOSE int fd =
        open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, 0644);

    if (fd < 0)
        return -errno;
    int flags = fcntl(fd, F_GETFL); /* not to wait here was what O_NONBLOCK was for */
    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return -errno;
    *out = steal_fd(&fd);
    return 0;
}

int containerd_conf_open(const char *to, int *out, struct err *e) {
    *out = -1;
    if (!to)
        return 0;
    if (*to == '/') {
        int r = open_file(to, out);
        return r < 0 ? err_errno(e, r, "could not open %s for containerd's output", to) : 0;
    }
    *out = fcntl(!strcmp(to, "stdout") ? STDOUT_FILENO : STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    return *out < 0 ? err_errno(e, -errno, "could not use %s for containerd's output", to) : 0;
}
