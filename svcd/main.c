/* SPDX-License-Identifier: Apache-2.0 */
/*
 * svcd, the supervisor, and `service`, its command.
 *
 * svcd. Signals: SIGTERM stops services, then containerd, then itself; SIGPIPE is ignored. Descriptors: an epoll, a
 * signalfd, the control socket, its lock, a spare one, and at most 64 clients, one connection to containerd, a pidfd, a
 * timer for each service that waits for something. Files:
 * /run/keelson/{svcd.sock,svcd.sock.lock,containerd.pid,system-init,boot.json,down/NAME,links/NAME}, /var/log/NAME.log
 * and NAME.out.log; read: /etc/containerd/runtime-config.toml, when containerd is started. Bounds: 1024 services, 16
 * MiB a message of containerd, 64 KiB a request. It never blocks on another process, save the modprobe that the kernel
 * may run for a service's interface; mounts and interfaces are made in the loop.
 */
#include <jansson.h>
#include <string.h>

#include "lib/loop.h"
#include "svcd/service_main.h"
#include "svcd/svcd.h"

int main(int argc, char **argv) {
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "svcd";

    /* Early in the boot the kernel would spend a second on gathering entropy for jansson's hash tables. */
    json_object_seed((size_t)clock_ns() | 1);
    return strcmp(name, "svcd") == 0 ? svcd_main() : service_main(name, argc, argv);
}
