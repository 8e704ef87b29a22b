/* SPDX-License-Identifier: Apache-2.0 */
#include "init/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <string.h>
#include <sys/ioctl.h>

#include "init/report.h"
#include "lib/log.h"
#include "lib/request.h"

#define DEVICE "/dev/watchdog"

static void on_timer(struct loop_source *s, void *data) {
    struct watchdog *w = data;

    (void)s;
    if (write(w->fd, "k", 1) < 0)
        report_failed("feed", DEVICE);
    int r = loop_set_timer(w->loop, &w->timer, w->feed_ms, on_timer, w);
    if (r < 0)
        log_error("could not set a timer for %s: %s", DEVICE, strerror(-r));
}

void watchdog_start(struct watchdog *w, struct loop *l, unsigned seconds) {
    int timeout = (int)seconds;

    *w = (struct watchdog){.loop = l};
    w->fd = open(DEVICE, O_WRONLY | O_CLOEXEC);
    if (w->fd < 0) {
        log_error("could not open %s, which keelson.watchdog=%u asks for: %s", DEVICE, seconds, strerror(errno));
        return;
    }
    if (ioctl(w->fd, IOCTL_REQUEST(WDIOC_SETTIMEOUT), &timeout) < 0 &&
        ioctl(w->fd, IOCTL_REQUEST(WDIOC_GETTIMEOUT), &timeout) < 0) {
        report_failed("set the time of", DEVICE);
        timeout = (int)seconds;
    }
    if (timeout != (int)seconds)
        log_warning("%s has a time of %d s instead of %u s", DEVICE, timeout, seconds);
    w->feed_ms = timeout > 1 ? (unsigned)timeout * 500 : 500;
    on_timer(&w->timer, w);
}

void watchdog_disarm(struct watchdog *w) {
    if (w->fd > 0 && w->loop) {
        loop_remove(w->loop, &w->timer);
        if (write(w->fd, "V", 1) < 0) /* the magic close */
            report_failed("disarm", DEVICE);
        (void)close(w->fd);
        w->fd = -1;
    }
}
