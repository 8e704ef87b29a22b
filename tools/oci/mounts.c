/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts of config.json: defaults, then tmpfs, binds and mounts; a later one replaces what has its destination. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "tools/oci/oci_priv.h"

json_t *mount_new(const char *destination, const char *type, const char *source, json_t *options) {
    json_t *m = json_pack("{s:s}", "destination", destination);

    if (type && *type)
        (void)json_object_set_new(m, "type", json_string(type));
    if (source && *source)
        (void)json_object_set_new(m, "source", json_string(source));
    if (json_array_size(options))
        (void)json_object_set(m, "options", options);
    json_decref(options);
    return m;
}

static int put(json_t *mounts, const char *destination, const char *type, const char *source, json_t *options) {
    return json_object_set_new(mounts, destination, mount_new(destination, type, source, options)) < 0 ? -ENOMEM : 0;
}

static int put_defaults(json_t *mounts, bool readonly) {
    static const struct {
        const char *destination, *type, *options, *options_readonly;
    } defaults[] = {
        {"/proc", "proc", "nosuid,nodev,noexec,relatime", NULL},
        {"/dev", "tmpfs", "nosuid,strictatime,mode=755,size=65536k", "nosuid,strictatime,mode=755,size=65536k,ro"},
        {"/dev/pts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620", NULL},
        {"/sys", "sysfs", "nosuid,noexec,nodev", "nosuid,noexec,nodev,ro"},
        {"/sys/fs/cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro", NULL},
    };
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(defaults) && !r; i++)
        r = put(
            mounts, defaults[i].destination, defaults[i].type, defaults[i].type,
            split(readonly && defaults[i].options_readonly ? defaults[i].options_readonly : defaults[i].options, ','));
    return r;
}

/* As the configuration's schema has it where a path stands alone. */
static int check_path(const char *path, struct err *e) {
    return strlen(path) < PATH_MAX
               ? 0
               : err_set(e, -EINVAL, "the path \"%.50s...\" has %zu bytes; shorten it to at most %d", path,
                         strlen(path), PATH_MAX - 1);
}

static int put_tmpfs(json_t *mounts, const char *text, struct err *e) {
    AUTO_JSON json_t *parts = split(text, ':');
    const char *options = json_string_value(json_array_get(parts, 1));

    if (json_array_size(parts) > 2)
        return err_set(e, -EINVAL, "the tmpfs \"%s\" has too many colons; write it as PATH or PATH:OPTIONS", text);
    const char *destination = json_string_value(json_array_get(parts, 0));
    int r = check_path(destination, e);
    return r ? r : put(mounts, destination, "tmpfs", "tmpfs", options ? split(options, ',') : NULL);
}

/* "ro" counts unless "rw" comes before it. */
static bool is_read_only(const json_t *options) {
    const json_t *option;
    size_t i;

    json_array_foreach(options, i, option) {
        if (!strcmp(json_string_value(option), "ro"))
            return true;
        if (!strcmp(json_string_value(option), "rw"))
            return false;
    }
    return false;
}

/* A source that is no path names a volume; *path (malloc'd) is where its files are. */
static int find_source(const struct sources *s, const char *source, const json_t *options, char **path, struct err *e) {
    const struct config_volume *v = *source == '/' ? NULL : config_volume(s->config, source);

    if (*source != '/' && !v)
        return err_set(e, -EINVAL, "there is no volume \"%.100s\"; declare it in \"volumes\" or write a path", source);
    if (v && v->readonly && !is_read_only(options))
        return err_set(e, -EINVAL, "the volume \"%s\" is read-only, so it must be used with the option \"ro\"", source);
    if (asprintf(path, "%s%s%s", v ? "/containers/volumes/" : "", source, v ? "/merged" : "") < 0) {
        *path = NULL;
        return -ENOMEM;
    }
    return 0;
}

static int put_bind(const struct sources *s, json_t *mounts, const char *text, struct err *e) {
    AUTO_JSON json_t *parts = split(text, ':');
    const char *source = json_string_value(json_array_get(parts, 0));
    const char *destination = json_string_value(json_array_get(parts, 1));
    const char *options = json_string_value(json_array_get(parts, 2));

    if (json_array_size(parts) < 2 || json_array_size(parts) > 3)
        return err_set(e, -EINVAL, "the bind \"%s\" has too %s colons; write it as SOURCE:DESTINATION[:OPTIONS]", text,
                       destination ? "many" : "few");
    AUTO_JSON json_t *list = split(options ? options : "rw,rbind,rshared", ',');
    AUTO_FREE char *path = NULL;
    if (options)
        (void)json_array_append_new(list, json_string("rbind"));
    int r = check_path(source, e);
    if (!r)
        r = check_path(destination, e);
    if (!r)
        r = find_source(s, source, list, &path, e);
    if (r < 0)
        return err_wrap(e, r, "the bind \"%.200s\"", text);
    return put(mounts, destination, "bind", path, steal_ptr(&list));
}

static const char *implied_type(const char *source, const char *destination) {
    static const char *const types[] = {"mqueue", "devpts", "proc", "sysfs", "cgroup"};

    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (!strcmp(source, types[i]))
            return types[i];
    return strcmp(destination, "/dev") ? "" : "tmpfs";
}

static const char *implied_destination(const char *type) {
    static const struct {
        const char *type, *destination;
    } usual[] = {{"proc", "/proc"},
                 {"devpts", "/dev/pts"},
                 {"sysfs", "/sys"},
                 {"cgroup", "/sys/fs/cgroup"},
                 {"mqueue", "/dev/mqueue"}};

    for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
        if (!strcmp(type, usual[i].type))
            return usual[i].destination;
    return "";
}

static const char *word(const json_t *object, const char *key) {
    const char *s = json_string_value(json_object_get(object, key));

    return s ? s : "";
}

static void put_mappings(json_t *mount, const char *key, const json_t *from) {
    json_t *list = mappings_new(from);

    if (list)
        (void)json_object_set_new(mount, key, list);
}

static int put_mount(const struct sources *s, json_t *mounts, const json_t *m, struct err *e) {
    const char *type = word(m, "type"), *source = word(m, "source"), *destination = word(m, "destination");

    if (!*type)
        type = implied_type(source, destination);
    if (!*type)
        return err_set(e, -EINVAL, "the mount on \"%s\" has no \"type\"; add it", destination);
    AUTO_FREE char *path = NULL;
    if (!strcmp(type, "bind")) {
        int r = find_source(s, source, json_object_get(m, "options"), &path, e);
        if (r < 0)
            return err_wrap(e, r, "the mount on \"%s\"", destination);
        source = path;
    }
    if (!*source)
        source = type;
    if (!*destination)
        destination = implied_destination(type);
    if (!*destination)
        return err_set(e, -EINVAL, "the mount of type \"%s\" has no \"destination\"; add it", type);
    json_t *mount = mount_new(destination, type, source, json_deep_copy(json_object_get(m, "options")));
    put_mappings(mount, "uidMappings", json_object_get(m, "uidmappings"));
    put_mappings(mount, "gidMappings", json_object_get(m, "gidmappings"));
    return json_object_set_new(mounts, destination, mount) < 0 ? -ENOMEM : 0;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int sorted(json_t *mounts, json_t **out) {
    AUTO_FREE const char **names = calloc(json_object_size(mounts) + 1, sizeof(*names));
    const char *key;
    json_t *value;
    size_t n = 0;

    if (!names)
        return -ENOMEM;
    json_object_foreach(mounts, key, value) {
        names[n++] = key;
    }
    qsort(names, n, sizeof(*names), by_name);
    *out = json_array();
    for (size_t i = 0; i < n; i++)
        if (json_array_append(*out, json_object_get(mounts, names[i])) < 0)
            return -ENOMEM;
    return 0;
}

int make_mounts(const struct sources *s, json_t **out, struct err *e) {
    AUTO_JSON json_t *mounts = json_object();
    AUTO_JSON json_t *binds = pick_merged(s, "binds");
    const json_t *value;
    size_t i;

    int r = put_defaults(mounts, pick_bool(s, "readonly"));
    json_array_foreach(pick(s, "tmpfs"), i, value) {
        if (!r)
            r = note(s, "tmpfs", i, put_tmpfs(mounts, json_string_value(value), e), e);
    }
    json_array_foreach(binds, i, value) {
        if (!r)
            r = note(s, "binds", i, put_bind(s, mounts, json_string_value(value), e), e);
    }
    json_array_foreach(pick(s, "mounts"), i, value) {
        if (!r)
            r = note(s, "mounts", i, put_mount(s, mounts, value, e), e);
    }
    return r ? r : sorted(mounts, out);
}
