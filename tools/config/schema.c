/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "runtime-config/words.h"
#include "tools/config/scalar.h"
#include "tools/config/schema.h"

#define COUNT_MAX 1000000 /* restarts, failures: what the supervisor takes */

#define OBJECT(name)                                                                                                   \
    static const struct schema name = {.kind = VALUE_OBJECT, .fields = name##_fields};                                 \
    static const struct schema name##_list __attribute__((unused)) = {.kind = VALUE_LIST, .item = &(name)}

static const struct schema string = {.kind = VALUE_STRING};
/* What is missing or impossible is known only later: an image, a volume, a service to start after. */
static const struct schema placed_string = {.kind = VALUE_STRING, .place = true};
static const struct schema placed_strings = {.kind = VALUE_LIST, .item = &string, .place = true};
static const struct schema boolean = {.kind = VALUE_BOOL};
/* As wide as in the OCI runtime specification: what is outside runc cannot read. The largest are jansson's. */
static const struct schema i64 = {.kind = VALUE_INT};
static const struct schema u64 = {.kind = VALUE_INT, .min = 0, .max = INT64_MAX};
static const struct schema u32 = {.kind = VALUE_INT, .min = 0, .max = UINT32_MAX};
static const struct schema u16 = {.kind = VALUE_INT, .min = 0, .max = UINT16_MAX};
static const struct schema oom_score_adj = {.kind = VALUE_INT, .min = -1000, .max = 1000}; /* proc(5) */
static const struct schema id = {.kind = VALUE_ID};
static const struct schema strings = {.kind = VALUE_LIST, .item = &string};
static const struct schema placed_id = {.kind = VALUE_ID, .place = true};
static const struct schema placed_ids = {.kind = VALUE_LIST, .item = &id, .place = true};
static const struct schema string_map = {.kind = VALUE_STRING_MAP};

/* What is longer neither a file system nor mount(2) takes. */
static bool is_path(const char *text) {
    return strlen(text) < PATH_MAX;
}
static const struct schema path = {
    .kind = VALUE_STRING, .is_valid = is_path, .expected = "a path of at most 4095 bytes"};
static const struct schema paths = {.kind = VALUE_LIST, .item = &path};
static_assert(PATH_MAX == 4096, "as the message says");

static bool is_hostname(const char *text) {
    return strlen(text) <= HOST_NAME_MAX;
}
static const struct schema hostname = {
    .kind = VALUE_STRING, .is_valid = is_hostname, .expected = "a name of at most 64 bytes"};
static_assert(HOST_NAME_MAX == 64, "as the message says");

static bool is_time(const char *text) {
    uint64_t ms;

    return duration_parse(text, &ms) == 0;
}
static const struct schema duration = {
    .kind = VALUE_STRING, .is_valid = is_time, .expected = "a time such as \"250ms\", \"90s\" or \"5m\""};

static bool is_onfail(const char *text) {
    enum onfail action;

    return onfail_parse(text, &action) == 0;
}
static const struct schema onfail = {
    .kind = VALUE_STRING, .is_valid = is_onfail, .expected = "continue, reboot, poweroff or halt"};

static bool is_policy(const char *text) {
    return !strcmp(text, "always") || !strcmp(text, "on-failure") || !strcmp(text, "never");
}
static const struct schema policy = {
    .kind = VALUE_STRING, .is_valid = is_policy, .expected = "always, on-failure or never"};

static bool is_volume_format(const char *text) {
    return !strcmp(text, "oci") || !strcmp(text, "filesystem");
}
static const struct schema volume_format = {
    .kind = VALUE_STRING, .is_valid = is_volume_format, .expected = "\"oci\" or \"filesystem\""};

static bool is_metadata(const char *text) {
    return !*text || !strcmp(text, "json") || !strcmp(text, "yaml");
}
static const struct schema metadata = {
    .kind = VALUE_STRING, .is_valid = is_metadata, .expected = "\"json\" or \"yaml\""};

static bool is_http(const char *text) {
    char *slash;
    unsigned long port = strtoul(text, &slash, 10);

    return *text >= '0' && *text <= '9' && port >= 1 && port <= 65535 && *slash == '/';
}
static const struct schema http = {
    .kind = VALUE_STRING, .is_valid = is_http, .expected = "a port and a path such as \"8080/healthy\""};

static bool is_absolute(const char *text) {
    return *text == '/' && is_path(text);
}
static const struct schema absolute = {.kind = VALUE_STRING, .is_valid = is_absolute, .expected = "an absolute path"};

/* What runc would refuse at boot; what is empty is as good as not said. */
static bool is_cwd(const char *text) {
    return !*text || is_absolute(text);
}
static const struct schema cwd = {
    .kind = VALUE_STRING, .is_valid = is_cwd, .expected = "an absolute path of at most 4095 bytes"};

static bool is_namespace(const char *text) {
    static const char *const words[] = {"host", "root", "new", NULL};

    return is_cwd(text) || scalar_is_one_of(text, words);
}
static const struct schema namespace = {
    .kind = VALUE_STRING, .is_valid = is_namespace, .expected = "host, new or an absolute path of at most 4095 bytes"};

static bool is_net(const char *text) {
    return is_namespace(text) || !strcmp(text, "none");
}
static const struct schema net = {
    .kind = VALUE_STRING, .is_valid = is_net, .expected = "host, new, none or an absolute path of at most 4095 bytes"};

static bool is_propagation(const char *text) {
    static const char *const words[] = {"private", "shared", "slave", "unbindable", NULL};

    return !*text || scalar_is_one_of(text + (*text == 'r'), words);
}
static const struct schema propagation = {.kind = VALUE_STRING,
                                          .is_valid = is_propagation,
                                          .expected =
                                              "private, shared, slave or unbindable, or one of them after an r"};

static bool is_device_type(const char *text) {
    static const char *const words[] = {"", "a", "b", "c", NULL};

    return scalar_is_one_of(text, words);
}
static const struct schema device_type = {.kind = VALUE_STRING,
                                          .is_valid = is_device_type,
                                          .expected = "b (a block device), c (a character device) or a (all)"};

static bool is_device_access(const char *text) {
    return strspn(text, "rwm") == strlen(text);
}
static const struct schema device_access = {
    .kind = VALUE_STRING, .is_valid = is_device_access, .expected = "some of the letters r, w and m"};

static bool is_signal(const char *text) {
    int sig;

    return signal_parse(text, &sig) == 0;
}
static const struct schema signal_word = {
    .kind = VALUE_STRING, .is_valid = is_signal, .expected = "the name of a signal such as SIGTERM"};

static const struct schema port = {.kind = VALUE_INT, .min = 1, .max = 65535};
static const struct schema count = {.kind = VALUE_INT, .min = 0, .max = COUNT_MAX};
static const struct schema positive = {.kind = VALUE_INT, .min = 1, .max = COUNT_MAX};

static const struct schema_field kernel_fields[] = {
    {.key = "image", .value = &placed_string},  {.key = "cmdline", .value = &string},
    {.key = "binary", .value = &placed_string}, {.key = "tar", .value = &placed_string},
    {.key = "ucode", .value = &string},         {.key = NULL},
};
OBJECT(kernel);

static const struct schema_field file_fields[] = {
    {.key = "path", .value = &path},
    {.key = "directory", .value = &boolean},
    {.key = "symlink", .value = &path},
    {.key = "contents", .value = &string},
    {.key = "source", .value = &string},
    {.key = "metadata", .value = &metadata},
    {.key = "optional", .value = &boolean},
    {.key = "mode", .value = &string},
    {.key = "uid", .value = &id},
    {.key = "gid", .value = &id},
    {.key = NULL},
};
OBJECT(file);

static const struct schema_field volume_fields[] = {
    {.key = "name", .value = &string},       {.key = "image", .value = &placed_string},
    {.key = "readonly", .value = &boolean},  {.key = "format", .value = &volume_format},
    {.key = "platforms", .value = &strings}, {.key = NULL},
};
OBJECT(volume);

static const struct schema_field trust_fields[] = {
    {.key = "image", .value = &strings},
    {.key = "org", .value = &strings},
    {.key = NULL},
};
OBJECT(trust);

static const struct schema_field id_mapping_fields[] = {
    {.key = "hostID", .value = &u32},
    {.key = "containerID", .value = &u32},
    {.key = "size", .value = &u32},
    {.key = NULL},
};
OBJECT(id_mapping);

#define MOUNT_FIELDS                                                                                                   \
    {.key = "destination", .value = &path}, {.key = "type", .value = &string}, {.key = "source", .value = &path}, {    \
        .key = "options", .value = &strings                                                                            \
    }

static const struct schema_field mount_fields[] = {
    MOUNT_FIELDS,
    {.key = "uidmappings", .value = &id_mapping_list},
    {.key = "gidmappings", .value = &id_mapping_list},
    {.key = NULL},
};
OBJECT(mount);

/* mount(2) alone has no mappings. */
static const struct schema_field runtime_mount_fields[] = {MOUNT_FIELDS, {.key = NULL}};
OBJECT(runtime_mount);

static const struct schema_field device_fields[] = {
    {.key = "path", .value = &path}, {.key = "type", .value = &device_type}, {.key = "major", .value = &i64},
    {.key = "minor", .value = &i64}, {.key = "mode", .value = &string},      {.key = NULL},
};
OBJECT(device);

static const struct schema_field device_cgroup_fields[] = {
    {.key = "allow", .value = &boolean}, {.key = "type", .value = &device_type},     {.key = "major", .value = &i64},
    {.key = "minor", .value = &i64},     {.key = "access", .value = &device_access}, {.key = NULL},
};
OBJECT(device_cgroup);

static const struct schema_field memory_fields[] = {
    {.key = "limit", .value = &i64},
    {.key = "reservation", .value = &i64},
    {.key = "swap", .value = &i64},
    {.key = "kernel", .value = &i64},
    {.key = "kernelTCP", .value = &i64},
    {.key = "swappiness", .value = &u64},
    {.key = "disableOOMKiller", .value = &boolean},
    {.key = NULL},
};
OBJECT(memory);

static const struct schema_field cpu_fields[] = {
    {.key = "shares", .value = &u64},         {.key = "quota", .value = &i64},
    {.key = "period", .value = &u64},         {.key = "realtimeRuntime", .value = &i64},
    {.key = "realtimePeriod", .value = &u64}, {.key = "cpus", .value = &string},
    {.key = "mems", .value = &string},        {.key = NULL},
};
OBJECT(cpu);

static const struct schema_field pids_fields[] = {{.key = "limit", .value = &i64}, {.key = NULL}};
OBJECT(pids);

static const struct schema_field weight_device_fields[] = {
    {.key = "major", .value = &i64},
    {.key = "minor", .value = &i64},
    {.key = "weight", .value = &u16},
    {.key = "leafWeight", .value = &u16},
    {.key = NULL},
};
OBJECT(weight_device);

static const struct schema_field throttle_device_fields[] = {
    {.key = "major", .value = &i64},
    {.key = "minor", .value = &i64},
    {.key = "rate", .value = &u64},
    {.key = NULL},
};
OBJECT(throttle_device);

static const struct schema_field blockio_fields[] = {
    {.key = "weight", .value = &u16},
    {.key = "leafWeight", .value = &u16},
    {.key = "weightDevice", .value = &weight_device_list},
    {.key = "throttleReadBpsDevice", .value = &throttle_device_list},
    {.key = "throttleWriteBpsDevice", .value = &throttle_device_list},
    {.key = "throttleReadIOPSDevice", .value = &throttle_device_list},
    {.key = "throttleWriteIOPSDevice", .value = &throttle_device_list},
    {.key = NULL},
};
OBJECT(blockio);

/* As the kernel writes it in the names of its files, hugetlb.2MB.max. */
static bool is_page_size(const char *text) {
    size_t digits = strspn(text, "0123456789");

    return *text >= '1' && *text <= '9' && text[digits] && strchr("KMG", text[digits]) &&
           !strcmp(text + digits + 1, "B");
}
static const struct schema page_size = {
    .kind = VALUE_STRING, .is_valid = is_page_size, .expected = "a size such as \"2MB\" or \"1GB\""};

static const struct schema_field hugepage_fields[] = {
    {.key = "pageSize", .value = &page_size},
    {.key = "limit", .value = &u64},
    {.key = NULL},
};
OBJECT(hugepage);

static const struct schema_field priority_fields[] = {
    {.key = "name", .value = &string},
    {.key = "priority", .value = &u32},
    {.key = NULL},
};
OBJECT(priority);

static const struct schema_field network_fields[] = {
    {.key = "classID", .value = &u32},
    {.key = "priorities", .value = &priority_list},
    {.key = NULL},
};
OBJECT(network);

static const struct schema_field resources_fields[] = {
    {.key = "devices", .value = &device_cgroup_list},
    {.key = "memory", .value = &memory},
    {.key = "cpu", .value = &cpu},
    {.key = "pids", .value = &pids},
    {.key = "blockio", .value = &blockio},
    {.key = "hugepageLimits", .value = &hugepage_list},
    {.key = "network", .value = &network},
    {.key = NULL},
};
OBJECT(resources);

static const struct schema_field interface_fields[] = {
    {.key = "name", .value = &string},   {.key = "add", .value = &string},
    {.key = "peer", .value = &string},   {.key = "createInRoot", .value = &boolean},
    {.key = "parent", .value = &string}, {.key = "mode", .value = &string},
    {.key = "id", .value = &u32},        {.key = NULL},
};
OBJECT(interface);

static const struct schema_field bind_ns_fields[] = {
    {.key = "cgroup", .value = &path}, {.key = "ipc", .value = &path},
    {.key = "mnt", .value = &path},    {.key = "net", .value = &path},
    {.key = "pid", .value = &path},    {.key = "user", .value = &path},
    {.key = "uts", .value = &path},    {.key = NULL},
};
OBJECT(bind_ns);

/* Words that LinuxKit does not have. */
static const struct schema_field restart_fields[] = {
    {.key = "policy", .value = &policy},  {.key = "delay", .value = &duration}, {.key = "maxDelay", .value = &duration},
    {.key = "reset", .value = &duration}, {.key = "limit", .value = &count},    {.key = NULL},
};
OBJECT(restart);

static const struct schema_field ready_fields[] = {
    {.key = "exec", .value = &strings},     {.key = "tcp", .value = &port},
    {.key = "file", .value = &absolute},    {.key = "interval", .value = &duration},
    {.key = "timeout", .value = &duration}, {.key = NULL},
};
OBJECT(ready);

static const struct schema_field health_fields[] = {
    {.key = "exec", .value = &strings},
    {.key = "tcp", .value = &port},
    {.key = "http", .value = &http},
    {.key = "interval", .value = &duration},
    {.key = "timeout", .value = &duration},
    {.key = "failures", .value = &positive},
    {.key = NULL},
};
OBJECT(health);

static const struct schema_field stop_fields[] = {
    {.key = "signal", .value = &signal_word},
    {.key = "timeout", .value = &duration},
    {.key = NULL},
};
OBJECT(stop);

static const struct schema_field runtime_fields[] = {
    {.key = "restart", .value = &restart},
    {.key = "after", .value = &placed_strings},
    {.key = "ready", .value = &ready},
    {.key = "health", .value = &health},
    {.key = "stop", .value = &stop},
    {.key = "deadline", .value = &duration},
    {.key = "onfail", .value = &onfail},
    {.key = "cgroups", .value = &paths},
    {.key = "mounts", .value = &runtime_mount_list},
    {.key = "mkdir", .value = &paths},
    {.key = "interfaces", .value = &interface_list},
    {.key = "bindNS", .value = &bind_ns},
    {.key = "namespace", .value = &string},
    {.key = NULL},
};
OBJECT(runtime);

/* What an image's label and the YAML both may say. */
#define IMAGE_FIELDS                                                                                                   \
    {.key = "capabilities", .value = &placed_strings}, {.key = "capabilities.add", .value = &placed_strings},          \
        {.key = "ambient", .value = &placed_strings}, {.key = "mounts", .value = &mount_list},                         \
        {.key = "binds", .value = &placed_strings}, {.key = "binds.add", .value = &placed_strings},                    \
        {.key = "devices", .value = &device_list}, {.key = "tmpfs", .value = &placed_strings},                         \
        {.key = "command", .value = &strings}, {.key = "env", .value = &strings}, {.key = "cwd", .value = &cwd},       \
        {.key = "net", .value = &net}, {.key = "pid", .value = &namespace}, {.key = "ipc", .value = &namespace},       \
        {.key = "uts", .value = &namespace}, {.key = "userns", .value = &namespace},                                   \
        {.key = "readonly", .value = &boolean}, {.key = "maskedPaths", .value = &paths},                               \
        {.key = "readonlyPaths", .value = &paths}, {.key = "uid", .value = &placed_id},                                \
        {.key = "gid", .value = &placed_id}, {.key = "additionalGids", .value = &placed_ids},                          \
        {.key = "noNewPrivileges", .value = &boolean}, {.key = "hostname", .value = &hostname},                        \
        {.key = "oomScoreAdj", .value = &oom_score_adj}, {.key = "rootfsPropagation", .value = &propagation},          \
        {.key = "cgroupsPath", .value = &path}, {.key = "resources", .value = &resources},                             \
        {.key = "sysctl", .value = &string_map}, {.key = "rlimits", .value = &placed_strings},                         \
        {.key = "uidMappings", .value = &id_mapping_list}, {.key = "gidMappings", .value = &id_mapping_list},          \
        {.key = "annotations", .value = &string_map}, {.key = "runtime", .value = &runtime}, {                         \
        .key = NULL                                                                                                    \
    }

static const struct schema_field image_fields[] = {
    {.key = "name", .value = &string, .required = true},
    {.key = "seccomp", .value = &placed_string},
    {.key = "image", .value = &placed_string, .required = true},
    IMAGE_FIELDS,
};
OBJECT(image);

/* A label comes with an image, and does not get to name files of whoever builds with it. */
static bool is_label_seccomp(const char *text) {
    return !strcmp(text, "default") || !strcmp(text, "unconfined");
}
static const struct schema label_seccomp = {
    .kind = VALUE_STRING, .is_valid = is_label_seccomp, .expected = "default or unconfined"};

static const struct schema_field label_fields[] = {{.key = "seccomp", .value = &label_seccomp}, IMAGE_FIELDS};
const struct schema schema_label = {.kind = VALUE_OBJECT, .fields = label_fields};

static const struct schema_field config_fields[] = {
    {.key = "kernel", .value = &kernel},
    {.key = "init", .value = &placed_strings},
    {.key = "onboot", .value = &image_list},
    {.key = "onshutdown", .value = &image_list},
    {.key = "services", .value = &image_list},
    {.key = "trust", .value = &trust},
    {.key = "files", .value = &file_list},
    {.key = "volumes", .value = &volume_list},
    {.key = NULL},
};
const struct schema schema_config = {.kind = VALUE_OBJECT, .fields = config_fields};

const char *schema_kind_name(enum value_kind kind) {
    static const char *const names[] = {
        [VALUE_STRING] = "a string",
        [VALUE_BOOL] = "true or false",
        [VALUE_INT] = "a whole number",
        [VALUE_ID] = "a name or a number",
        [VALUE_LIST] = "a list",
        [VALUE_OBJECT] = "a map of fields",
        [VALUE_STRING_MAP] = "a map of strings",
    };

    return names[kind];
}
