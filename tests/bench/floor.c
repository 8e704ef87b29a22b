/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of the boot: PID 1 (rdinit=) that brings the same containers up with the same calls to the kernel, to runc
 * and to containerd, one after another, and nothing besides: no devices, no supervision, no deadlines, nothing is
 * checked. Then it runs the report that the bench has put into the image.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/auto.h"
#include "lib/fdutil.h"
#include "lib/timeline.h"
#include "svcd/ctrd.h"
#include "svcd/spec.h"

#define ONBOOT "/containers/onboot"
#define SERVICES "/containers/services"
#define CONTAINERD_SOCKET "/run/containerd/containerd.sock"
#define NAMESPACE "services.linuxkit"
#define REPORT "/etc/init.d/099-report"

#define MOUNT_FLAGS (MS_NODEV | MS_NOSUID | MS_NOEXEC)

/* Nothing is checked here, not even what the C library would have checked. */
static void never_mind(long result) {
    (void)result;
}

static void make_mounts(void) {
    static const struct {
        const char *type, *where, *data;
        unsigned long flags;
    } mounts[] = {
        {"proc", "/proc", NULL, MOUNT_FLAGS},
        {"tmpfs", "/run", "size=10%,mode=755", MOUNT_FLAGS},
        {"tmpfs", "/tmp", "size=10%,mode=1777", MOUNT_FLAGS},
        {"tmpfs", "/var", "size=50%,mode=755", MOUNT_FLAGS},
        {"devtmpfs", "/dev", "mode=755", MS_NOSUID | MS_NOEXEC},
        {"mqueue", "/dev/mqueue", NULL, MOUNT_FLAGS},
        {"tmpfs", "/dev/shm", "mode=1777", MOUNT_FLAGS},
        {"devpts", "/dev/pts", "gid=5,mode=0620", MS_NOSUID | MS_NOEXEC},
        {"sysfs", "/sys", NULL, MOUNT_FLAGS},
        {"cgroup2", "/sys/fs/cgroup", NULL, MOUNT_FLAGS},
    };

    /* runc's pivot_root wants a root that is a mount on the first one. */
    (void)mount("/", "/dev", NULL, MS_BIND, NULL);
    never_mind(chdir("/dev"));
    (void)mount(".", "/", NULL, MS_MOVE, NULL);
    never_mind(chroot("."));
    never_mind(chdir("/"));
    for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
        (void)mkdir(mounts[i].where, 0755);
        (void)mount(mounts[i].type, mounts[i].where, mounts[i].type, mounts[i].flags, mounts[i].data);
    }
    (void)mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL);
    never_mind(symlink("/run", "/var/run"));
    (void)mkdir("/var/log", 0755);
    (void)mkdir("/run/keelson", 0755);
    (void)mkdir("/run/containerd", 0755);
}

/* Its output goes to a file; -1: the console's. */
static pid_t start(const char *const *argv, int out) {
    pid_t pid = fork();

    if (pid == 0) {
        if (out >= 0) {
            (void)dup2(out, 1);
            (void)dup2(out, 2);
        }
        (void)execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid;
}

static void run(const char *const *argv, int out) {
    (void)waitpid(start(argv, out), NULL, 0);
}

/* The writable root of a container: a tmpfs, and an overlay whose upper directories are in it. */
static void make_mount(json_t *m) {
    const char *type = NULL, *source = NULL, *where = NULL, *option;
    json_t *options = NULL, *one;
    char data[2048] = "";
    size_t i, len = 0;

    if (json_unpack(m, "{s:s, s:s, s:s, s?o}", "type", &type, "source", &source, "destination", &where, "options",
                    &options) < 0)
        return; /* changes of a mount: nothing that these containers would miss */
    json_array_foreach(options, i, one) {
        option = json_string_value(one);
        len += (size_t)snprintf(data + len, sizeof(data) - len, "%s%s", len ? "," : "", option);
        if ((option = strstr(option, "dir=/")) && !strstr(option, "/lower"))
            (void)mkdir(option + strlen("dir="), 0755);
    }
    (void)mkdir(where, 0755);
    (void)mount(source, where, type, 0, data);
}

static void prepare(const char *bundle) {
    AUTO_FREE char *path = path_join(bundle, "runtime.json");
    json_t *runtime = json_load_file(path, 0, NULL), *m;
    size_t i;

    json_array_foreach(json_object_get(runtime, "mounts"), i, m) {
        make_mount(m);
    }
    json_decref(runtime);
}

static void write_down(const char *stage, const char *parent, uint64_t begin) {
    const struct timeline_stage t = {stage, parent, begin, clock_ns(), true, "", NULL};

    (void)timeline_append(TIMELINE_PATH, &t);
}

static int open_log(const char *name, char *path, size_t len) {
    (void)snprintf(path, len, "/var/log/%s.log", name);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void run_onboot(void) {
    AUTO_NAMES struct names bundles = {0};
    char log[300], stage[300];
    uint64_t begin = clock_ns();

    (void)list_dir(ONBOOT, &bundles, NULL);
    for (size_t i = 0; i < bundles.len; i++) {
        AUTO_FREE char *bundle = path_join(ONBOOT, bundles.v[i]);
        AUTO_CLOSE int out = open_log(bundles.v[i], log, sizeof(log));
        uint64_t one = clock_ns();
        prepare(bundle);
        run((const char *const[]){"/usr/bin/runc", "run", "--bundle", bundle, bundles.v[i], NULL}, out);
        (void)snprintf(stage, sizeof(stage), "onboot/%s", bundles.v[i]);
        write_down(stage, "010-onboot", one);
    }
    write_down("010-onboot", "init.d", begin);
}

static struct grpc *start_containerd(struct loop *l) {
    char event[4096];
    struct grpc *g = NULL;
    AUTO_CLOSE int seen = inotify_init1(IN_CLOEXEC);
    AUTO_CLOSE int out = open_log("containerd", event, sizeof(event));

    (void)inotify_add_watch(seen, "/run/containerd", IN_CREATE);
    (void)start((const char *const[]){"/usr/bin/containerd", NULL}, out);
    while (access(CONTAINERD_SOCKET, F_OK) < 0)
        never_mind(read(seen, event, sizeof(event)));
    while (grpc_connect(&g, l, CONTAINERD_SOCKET, NAMESPACE, NULL, NULL) < 0)
        (void)usleep(1000); /* it is there a moment before somebody listens */
    return g;
}

static void answered(void *data, const struct grpc_result *result) {
    (void)result;
    loop_stop(data);
}

static void start_service(struct loop *l, struct grpc *g, const char *name) {
    AUTO_FREE char *bundle = path_join(SERVICES, name), *spec = NULL;
    char log[300];
    AUTO_CLOSE int out = open_log(name, log, sizeof(log));

    prepare(bundle);
    (void)spec_load(bundle, &spec, NULL);
    (void)ctrd_container_create(g, name, spec, answered, l);
    (void)loop_run(l);
    (void)ctrd_task_create(g, name, log, log, answered, l);
    (void)loop_run(l);
    (void)ctrd_task_start(g, name, answered, l);
    (void)loop_run(l);
}

static void start_services(void) {
    AUTO_NAMES struct names bundles = {0};
    struct loop l;
    uint64_t all = clock_ns();

    (void)loop_init(&l);
    struct grpc *g = start_containerd(&l);
    write_down("containerd", "020-containerd", all);
    (void)list_dir(SERVICES, &bundles, NULL);
    for (size_t i = 0; i < bundles.len; i++) {
        char stage[300];
        uint64_t begin = clock_ns();
        start_service(&l, g, bundles.v[i]);
        (void)snprintf(stage, sizeof(stage), "services/%s", bundles.v[i]);
        write_down(stage, "020-containerd", begin);
    }
    write_down("020-containerd", "init.d", all);
}

int main(void) {
    uint64_t begin = clock_ns();

    json_object_seed(1); /* or it would wait for the kernel's first random numbers */
    (void)setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    make_mounts();
    write_down("mounts", "init", begin);
    write_down("init", "", begin);
    begin = clock_ns();
    run((const char *const[]){"/usr/bin/memlogd", "-daemonize", NULL}, -1);
    write_down("002-logging", "init.d", begin);
    run_onboot();
    start_services();
    run((const char *const[]){REPORT, NULL}, -1);
    (void)reboot(RB_POWER_OFF);
    return 1;
}
