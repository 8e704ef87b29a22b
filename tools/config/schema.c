/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "tools/config/schema.h"

#define OBJECT(name)                                                                                                   \
    static const struct schema name = {.kind = VALUE_OBJECT, .fields = name##_fields};                                 \
    static const struct schema name##_list __attribute__((unused)) = {.kind = VALUE_LIST, .item = &(name)}

static const struct schema string = {.kind = VALUE_STRING};
static const struct schema boolean = {.kind = VALUE_BOOL};
static const struct schema integer = {.kind = VALUE_INT};
static const struct schema id = {.kind = VALUE_ID};
static const struct schema strings = {.kind = VALUE_LIST, .item = &string};
static const struct schema ids = {.kind = VALUE_LIST, .item = &id};
static const struct schema string_map = {.kind = VALUE_STRING_MAP};

static const struct schema_field kernel_fields[] = {
    {.key = "image", .value = &string}, {.key = "cmdline", .value = &string}, {.key = "binary", .value = &string},
    {.key = "tar", .value = &string},   {.key = "ucode", .value = &string},   {.key = NULL},
};
OBJECT(kernel);

static const struct schema_field file_fields[] = {
    {.key = "path", .value = &string},
    {.key = "directory", .value = &boolean},
    {.key = "symlink", .value = &string},
    {.key = "contents", .value = &string},
    {.key = "source", .value = &string},
    {.key = "metadata", .value = &string},
    {.key = "optional", .value = &boolean},
    {.key = "mode", .value = &string},
    {.key = "uid", .value = &id},
    {.key = "gid", .value = &id},
    {.key = NULL},
};
OBJECT(file);

static const struct schema_field volume_fields[] = {
    {.key = "name", .value = &string},       {.key = "image", .value = &string},
    {.key = "readonly", .value = &boolean},  {.key = "format", .value = &string},
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
    {.key = "hostID", .value = &integer},
    {.key = "containerID", .value = &integer},
    {.key = "size", .value = &integer},
    {.key = NULL},
};
OBJECT(id_mapping);

static const struct schema_field mount_fields[] = {
    {.key = "destination", .value = &string},
    {.key = "type", .value = &string},
    {.key = "source", .value = &string},
    {.key = "options", .value = &strings},
    {.key = "uidmappings", .value = &id_mapping_list},
    {.key = "gidmappings", .value = &id_mapping_list},
    {.key = NULL},
};
OBJECT(mount);

static const struct schema_field device_fields[] = {
    {.key = "path", .value = &string},   {.key = "type", .value = &string}, {.key = "major", .value = &integer},
    {.key = "minor", .value = &integer}, {.key = "mode", .value = &string}, {.key = NULL},
};
OBJECT(device);

static const struct schema_field device_cgroup_fields[] = {
    {.key = "allow", .value = &boolean}, {.key = "type", .value = &string},   {.key = "major", .value = &integer},
    {.key = "minor", .value = &integer}, {.key = "access", .value = &string}, {.key = NULL},
};
OBJECT(device_cgroup);

static const struct schema_field memory_fields[] = {
    {.key = "limit", .value = &integer},
    {.key = "reservation", .value = &integer},
    {.key = "swap", .value = &integer},
    {.key = "kernel", .value = &integer},
    {.key = "kernelTCP", .value = &integer},
    {.key = "swappiness", .value = &integer},
    {.key = "disableOOMKiller", .value = &boolean},
    {.key = NULL},
};
OBJECT(memory);

static const struct schema_field cpu_fields[] = {
    {.key = "shares", .value = &integer},
    {.key = "quota", .value = &integer},
    {.key = "period", .value = &integer},
    {.key = "realtimeRuntime", .value = &integer},
    {.key = "realtimePeriod", .value = &integer},
    {.key = "cpus", .value = &string},
    {.key = "mems", .value = &string},
    {.key = NULL},
};
OBJECT(cpu);

static const struct schema_field pids_fields[] = {{.key = "limit", .value = &integer}, {.key = NULL}};
OBJECT(pids);

static const struct schema_field weight_device_fields[] = {
    {.key = "major", .value = &integer},
    {.key = "minor", .value = &integer},
    {.key = "weight", .value = &integer},
    {.key = "leafWeight", .value = &integer},
    {.key = NULL},
};
OBJECT(weight_device);

static const struct schema_field throttle_device_fields[] = {
    {.key = "major", .value = &integer},
    {.key = "minor", .value = &integer},
    {.key = "rate", .value = &integer},
    {.key = NULL},
};
OBJECT(throttle_device);

static const struct schema_field blockio_fields[] = {
    {.key = "weight", .value = &integer},
    {.key = "leafWeight", .value = &integer},
    {.key = "weightDevice", .value = &weight_device_list},
    {.key = "throttleReadBpsDevice", .value = &throttle_device_list},
    {.key = "throttleWriteBpsDevice", .value = &throttle_device_list},
    {.key = "throttleReadIOPSDevice", .value = &throttle_device_list},
    {.key = "throttleWriteIOPSDevice", .value = &throttle_device_list},
    {.key = NULL},
};
OBJECT(blockio);

static const struct schema_field hugepage_fields[] = {
    {.key = "pageSize", .value = &integer},
    {.key = "limit", .value = &integer},
    {.key = NULL},
};
OBJECT(hugepage);

static const struct schema_field priority_fields[] = {
    {.key = "name", .value = &string},
    {.key = "priority", .value = &integer},
    {.key = NULL},
};
OBJECT(priority);

static const struct schema_field network_fields[] = {
    {.key = "classID", .value = &integer},
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
    {.key = "name", .value = &string},
    {.key = "add", .value = &string},
    {.key = "peer", .value = &string},
    {.key = "createInRoot", .value = &boolean},
    {.key = NULL},
};
OBJECT(interface);

static const struct schema_field bind_ns_fields[] = {
    {.key = "cgroup", .value = &string}, {.key = "ipc", .value = &string},
    {.key = "mnt", .value = &string},    {.key = "net", .value = &string},
    {.key = "pid", .value = &string},    {.key = "user", .value = &string},
    {.key = "uts", .value = &string},    {.key = NULL},
};
OBJECT(bind_ns);

static const struct schema_field runtime_fields[] = {
    {.key = "deadline", .value = &string},
    {.key = "onfail", .value = &string},
    {.key = "cgroups", .value = &strings},
    {.key = "mounts", .value = &mount_list},
    {.key = "mkdir", .value = &strings},
    {.key = "interfaces", .value = &interface_list},
    {.key = "bindNS", .value = &bind_ns},
    {.key = "namespace", .value = &string},
    {.key = NULL},
};
OBJECT(runtime);

/* What an image's label and the YAML both may say. */
#define IMAGE_FIELDS                                                                                                   \
    {.key = "capabilities", .value = &strings}, {.key = "capabilities.add", .value = &strings},                        \
        {.key = "ambient", .value = &strings}, {.key = "mounts", .value = &mount_list},                                \
        {.key = "binds", .value = &strings}, {.key = "binds.add", .value = &strings},                                  \
        {.key = "devices", .value = &device_list}, {.key = "tmpfs", .value = &strings},                                \
        {.key = "command", .value = &strings}, {.key = "env", .value = &strings}, {.key = "cwd", .value = &string},    \
        {.key = "net", .value = &string}, {.key = "pid", .value = &string}, {.key = "ipc", .value = &string},          \
        {.key = "uts", .value = &string}, {.key = "userns", .value = &string}, {.key = "readonly", .value = &boolean}, \
        {.key = "maskedPaths", .value = &strings}, {.key = "readonlyPaths", .value = &strings},                        \
        {.key = "uid", .value = &id}, {.key = "gid", .value = &id}, {.key = "additionalGids", .value = &ids},          \
        {.key = "noNewPrivileges", .value = &boolean}, {.key = "hostname", .value = &string},                          \
        {.key = "oomScoreAdj", .value = &integer}, {.key = "rootfsPropagation", .value = &string},                     \
        {.key = "cgroupsPath", .value = &string}, {.key = "resources", .value = &resources},                           \
        {.key = "sysctl", .value = &string_map}, {.key = "rlimits", .value = &strings},                                \
        {.key = "uidMappings", .value = &id_mapping_list}, {.key = "gidMappings", .value = &id_mapping_list},          \
        {.key = "annotations", .value = &string_map}, {.key = "runtime", .value = &runtime}, {                         \
        .key = NULL                                                                                                    \
    }

static const struct schema_field image_fields[] = {
    {.key = "name", .value = &string, .required = true},
    {.key = "image", .value = &string, .required = true},
    IMAGE_FIELDS,
};
OBJECT(image);

static const struct schema_field label_fields[] = {IMAGE_FIELDS};
const struct schema schema_label = {.kind = VALUE_OBJECT, .fields = label_fields};

static const struct schema_field config_fields[] = {
    {.key = "kernel", .value = &kernel},
    {.key = "init", .value = &strings},
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
