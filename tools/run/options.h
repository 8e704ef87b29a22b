/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `keelson run`. Strings are borrowed from argv; the arrays bound how often an option may be repeated.
 */
#ifndef TOOLS_RUN_OPTIONS_H
#define TOOLS_RUN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define RUN_PUBLISH_MAX 32
#define RUN_DISKS_MAX 16
#define RUN_CHANNELS_MAX 8
#define RUN_DEVICES_MAX 16
#define RUN_SHARES_MAX 8
#define RUN_ADDRESS_MAX 16 /* an IPv4 address in text */
#define RUN_PATH_MAX 4096

enum run_arch { RUN_X86_64, RUN_AARCH64 };

/* What --wait waits for: the machine's end, or that the guest says that it is up. */
enum run_wait { RUN_WAIT_NOT, RUN_WAIT_UP, RUN_WAIT_DOWN };

struct run_publish {
    char address[RUN_ADDRESS_MAX]; /* host address to listen on, "" = all */
    uint16_t host, guest;
    bool udp;
};

struct run_disk {
    char path[RUN_PATH_MAX]; /* "" until state_prepare(): one in the state folder */
    char format[16];         /* "" = what the file is; qcow2 for a new one */
    uint64_t size_mib;       /* 0 = the file must exist */
};

struct run_channel {
    char name[64];           /* of the virtio port: /sys/class/virtio-ports/?/name in the guest */
    char path[RUN_PATH_MAX]; /* of the Unix socket on the host */
};

struct run_share {
    const char *dir;
    char socket[RUN_PATH_MAX]; /* of its virtiofsd; "": none runs, as with --dry-run */
};

struct run_options {
    const char *name; /* an image, or NAME of NAME-kernel, NAME-initrd.img, NAME-cmdline */
    enum run_arch arch;
    bool arch_given;
    const char *firmware; /* NULL: what the image needs */
    bool uefi;
    bool iso;      /* it must be an ISO */
    bool squashfs; /* NAME-squashfs.img, even if there is an initrd */
    bool usb;      /* an ISO or a disk comes as a USB stick */
    bool gui;
    const char *state; /* NULL: NAME-state */
    const char *data;  /* user data, as text or in a file; NULL: none */
    const char *data_file;
    const char *netboot; /* a URL of an iPXE script, or a file to serve by TFTP; NULL: not from the network */
    enum run_wait wait;
    const char *boot_chart;        /* where a picture of the boot goes; NULL: nowhere */
    bool detach;                   /* QEMU runs on its own, */
    char detach_dir[RUN_PATH_MAX]; /* with its sockets here: state_prepare() settles it */
    bool json;                     /* what the guest has said, on standard output */
    int record_fd;                 /* QEMU's end of the port for the guest's record; -1: there is none */
    uint64_t timeout_s;            /* 0: none */
    const char *accel;             /* "auto", or accelerators to try in turn: "kvm:tcg" */
    const char *cmdline_add;
    uint64_t mem_mib;
    uint64_t cpus;
    bool network;
    bool no_reboot;
    bool dry_run;
    bool help;
    struct run_publish publish[RUN_PUBLISH_MAX];
    size_t publish_len;
    struct run_disk disks[RUN_DISKS_MAX];
    size_t disks_len;
    struct run_channel channels[RUN_CHANNELS_MAX];
    size_t channels_len;
    const char *devices[RUN_DEVICES_MAX];
    size_t devices_len;
    struct run_share shares[RUN_SHARES_MAX];
    size_t shares_len;
};

/*
 * argv[0] is "run"; options may stand before and after NAME and be written with one dash or two, the value as
 * --opt=VALUE or --opt VALUE. -EINVAL with a message for the user.
 */
int run_options_parse(struct run_options *o, int argc, char **argv, struct err *e);

const char *run_usage(void);

/* "1024", "512M", "2G" -> MiB. */
int run_parse_mib(const char *text, uint64_t *mib);

#endif
