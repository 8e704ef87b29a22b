/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PID 1, and by other names what belongs to it: poweroff, reboot, halt, rc.shutdown, modprobe, and its workers.
 *
 * Signals: SIGUSR1 halt, SIGUSR2 power off, SIGTERM and SIGINT (ctrl-alt-del) reboot, SIGCHLD, and the kernel's
 * SIGALRM for deadlines when there are no timers; all others stay blocked. Descriptors: 0 and another /dev/console, 1
 * and 2 the pipe that children print to and its other end, every console=, an epoll, a signalfd, a netlink socket for
 * uevents, at most 8 power buttons, /dev/watchdog if it is asked for, an inotify until the machine is up, at most seven
 * timers, memlogd's (lib/fdstore.h). Files: /run/keelson (made here), /run/keelson/boot.json and record.json; svcd's
 * /run/keelson/stop-seconds is read, and up is watched for. Nothing is allocated after the start but the list of a step
 * directory; if that fails the steps are reported as lost and the machine goes on. It never exits, save in a container.
 */
#include <string.h>
#include <unistd.h>

#include "init/coldplug.h"
#include "init/init.h"
#include "init/modules.h"
#include "init/power.h"
#include "init/recorder.h"
#include "init/small_root.h"
#include "init/unmount.h"
#include "lib/log.h"

int main(int argc, char **argv) {
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "init";

    if (power_signal(name) || !strcmp(name, "rc.shutdown") || !strcmp(name, "shutdown"))
        return power_main(name, argc, argv);
    if (!strcmp(name, "modprobe"))
        return modprobe_main(argc, argv);
    if (!strcmp(name, WORKER_COLDPLUG))
        return coldplug_main(true);
    if (!strcmp(name, WORKER_HOTPLUG))
        return coldplug_main(false);
    if (!strcmp(name, WORKER_UNMOUNT)) {
        recorder_last(argv);
        return unmount_main();
    }
    if (power_is_worker(name))
        return power_worker_main(name);
    if (getpid() != 1) {
        log_init("init", LOG_LEVEL_NOTICE);
        log_error("could not start: this is not PID 1; to shut down, use poweroff, reboot or halt");
        return 1;
    }
    small_root_enter();
    return init_main();
}
