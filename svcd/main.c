/* SPDX-License-Identifier: Apache-2.0 */
/*
 * svcd, the supervisor, and `service`, its command.
 *
 * svcd. Signals: SIGTERM stops services, then containerd, then itself; SIGPIPE is ignored. Descriptors: an epoll, a
 * signalfd, an inotify for containerd's socket and one for logs in files, the control socket, its lock, a spare one,
 * and at most 64 clients, one connection to containerd, containerd's pidfd, a way of its own to the console that does
 * not block; for each service a pidfd while it runs, a timer for what it waits for, a socket while its port is looked
 * at, a pidfd of the child that looks for its file. Files:
 * /run/keelson/{svcd.sock,svcd.sock.lock,containerd.pid,system-init,stopping,stop-seconds,boot.json,up,onboot.running},
 * /run/keelson/{services,links,mounts}/NAME,
 * /var/log/NAME.log and NAME.out.log; read: /etc/containerd/runtime-config.toml, when containerd is started, and
 * /sys/fs/cgroup. Bounds: 1024 services, 16 MiB a message of containerd, 64 KiB a request. It never blocks on another
 * process: mounts of devices and interfaces are made by a child, and a child looks for a service's file: one of each
 * for a service at most. One that hangs is killed, and nobody waits for its end but the next of its kind.
 */
#include <jansson.h>
#include <string.h>

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/printable.h"
#include "svcd/look.h"
#include "svcd/onboot_prepare.h"
#include "svcd/service_main.h"
#include "svcd/svcd.h"
#include "svcd/worker.h"

int main(int argc, char **argv) {
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "svcd";

    log_set_printable(make_text_printable);
    /* Early in the boot the kernel would spend a second on gathering entropy for jansson's hash tables. */
    json_object_seed((size_t)clock_ns() | 1);
    if (!strcmp(name, WORKER_NAME))
        return worker_main(argc, argv);
    if (!strcmp(name, LOOK_NAME))
        return look_main(argc, argv);
    if (!strcmp(name, ONBOOT_PREPARER))
        return onboot_preparer_main(argc, argv);
    return strcmp(name, "svcd") == 0 ? svcd_main() : service_main(name, argc, argv);
}
