/* SPDX-License-Identifier: Apache-2.0 */
#include "init/powerbutton.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "init/report.h"
#include "lib/auto.h"
#include "lib/log.h"
#include "lib/request.h"

#define INPUT_DIR "/dev/input"
#define BITS_PER_LONG (8 * sizeof(unsigned long))

void powerbuttons_init(struct powerbuttons *p, struct loop *l, powerbutton_fn *fn, void *data) {
    *p = (struct powerbuttons){.loop = l, .fn = fn, .data = data};
}

static void forget(struct powerbuttons *p, const struct loop_source *s) {
    for (size_t i = 0; i < POWERBUTTONS_MAX; i++)
        if (&p->v[i].source == s) {
            loop_remove(p->loop, &p->v[i].source);
            (void)close(p->v[i].fd);
            p->v[i].fd = 0;
            return;
        }
}

static void on_input(struct loop_source *s, uint32_t events, void *data) {
    struct powerbuttons *p = data;
    struct input_event ev;
    ssize_t n;

    (void)events;
    while ((n = read(s->fd, &ev, sizeof(ev))) == (ssize_t)sizeof(ev))
        if (ev.type == EV_KEY && ev.code == KEY_POWER && ev.value == 1)
            p->fn(p->data);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        forget(p, s); /* unplugged */
}

static bool has_power_key(int fd) {
    unsigned long keys[KEY_MAX / BITS_PER_LONG + 1] = {0};

    if (ioctl(fd, IOCTL_REQUEST(EVIOCGBIT(EV_KEY, sizeof(keys))), keys) < 0) {
        report_failed("ask for the keys of", "an input device");
        return false;
    }
    return keys[KEY_POWER / BITS_PER_LONG] >> (KEY_POWER % BITS_PER_LONG) & 1;
}

static void watch(struct powerbuttons *p, int fd, unsigned long device) {
    for (size_t i = 0; i < POWERBUTTONS_MAX; i++) {
        if (p->v[i].fd)
            continue;
        int r = loop_add_fd(p->loop, &p->v[i].source, fd, EPOLLIN, on_input, p);
        if (r < 0) {
            log_error("could not watch a power button: %s", strerror(-r));
            break;
        }
        p->v[i].fd = fd;
        p->v[i].device = device;
        return;
    }
    (void)close(fd);
}

static bool is_watched(const struct powerbuttons *p, unsigned long device) {
    for (size_t i = 0; i < POWERBUTTONS_MAX; i++)
        if (p->v[i].fd && p->v[i].device == device)
            return true;
    return false;
}

static void look_at(struct powerbuttons *p, int dirfd, const char *name) {
    struct stat st;
    int fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0) {
        report_unless_absent("look at input device", name); /* it may have gone */
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    if (is_watched(p, (unsigned long)st.st_rdev) || !has_power_key(fd))
        (void)close(fd);
    else
        watch(p, fd, (unsigned long)st.st_rdev);
}

void powerbuttons_scan(struct powerbuttons *p) {
    AUTO_CLOSEDIR DIR *dir = opendir(INPUT_DIR);

    if (!dir) {
        report_unless_absent("list", INPUT_DIR);
        return;
    }
    errno = 0;
    for (const struct dirent *entry; (entry = readdir(dir)); errno = 0)
        if (!strncmp(entry->d_name, "event", 5))
            look_at(p, dirfd(dir), entry->d_name);
    if (errno)
        report_failed("list", INPUT_DIR);
}
