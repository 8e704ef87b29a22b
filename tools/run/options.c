/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "lib/fdutil.h"

#define MEM_MIB_MAX ((uint64_t)64 << 20)
#define CPUS_MAX 1024
#define TIMEOUT_MAX 86400

const char *run_usage(void) {
    return "usage: keelson run [qemu] [options] NAME\n"
           "Boots NAME, an ISO, a disk (raw, qcow2, vmdk, vhd) or a UKI; or else NAME-kernel with NAME-initrd.img and "
           "the\n"
           "command line in NAME-cmdline. What it is and which firmware it needs is seen from the file. The console "
           "is\n"
           "this terminal (Ctrl-A x ends the machine, Ctrl-A h lists the other keys).\n"
           "  --mem SIZE             memory in MiB, or with M or G (1024)\n"
           "  --cpus N               virtual CPUs (1)\n"
           "  --publish SPEC         [ADDRESS:]HOST:GUEST[/tcp|/udp], may be repeated\n"
           "  --disk SPEC            [file=]PATH[,size=SIZE][,format=raw|qcow2], may be repeated;\n"
           "                         without PATH a file in the state folder\n"
           "  --cmdline-add TEXT     added to the kernel command line\n"
           "  --accel NAME[:NAME]    accelerators to try in turn: kvm, tcg (auto: kvm if it works, else tcg)\n"
           "  --arch ARCH            x86_64 or aarch64 (the host's)\n"
           "  --networking user|none (user)\n"
           "  --device SPEC          a QEMU -device, may be repeated\n"
           "  --virtiofs DIR         a folder of the host, may be repeated; in the guest: mount -t virtiofs virtiofs0 "
           "/mnt\n"
           "  --channel NAME=PATH    a virtio port NAME in the guest, a Unix socket PATH on the host\n"
           "  --uefi                 UEFI firmware, also for an image that boots without\n"
           "  --fw FILE              this UEFI firmware\n"
           "  --iso                  NAME must be an ISO\n"
           "  --squashfs             NAME-squashfs.img is the root, although there is an initrd\n"
           "  --usb                  the image is a USB stick, not a CD or disk\n"
           "  --netboot WHAT         instead of NAME: boot the URL of an iPXE script, or a file by TFTP; the host is "
           "10.0.2.2\n"
           "  --data TEXT            user data on a CD, as metadata containers read it; --data-file FILE: from a file\n"
           "  --state DIR            the machine's disks and user data (NAME-state)\n"
           "  --gui                  a window for the machine's screen\n"
           "  --wait[=up|down]       until the guest is up (or down), and exit with its verdict: 0 ok, 2 failed, 3 "
           "none\n"
           "  --detach               in the background; see `keelson stop` and `keelson console`\n"
           "  --json                 with --wait: the guest's boot record on standard output, the console on stderr\n"
           "  --boot-chart FILE      with --wait: the boot as a picture (SVG)\n"
           "  --timeout SECONDS      end the machine then, and exit with 124\n"
           "  --no-reboot            a reboot of the guest ends the machine\n"
           "  --dry-run              print the QEMU command line and do nothing\n";
}

int run_parse_mib(const char *text, uint64_t *mib) {
    char digits[24];
    size_t len = strlen(text);
    uint64_t unit = 1;
    if (len > 0 && strchr("MmGg", text[len - 1]))
        unit = strchr("Gg", text[--len]) ? 1024 : 1;
    if (len == 0 || len >= sizeof(digits))
        return -EINVAL;
    memcpy(digits, text, len);
    digits[len] = '\0';
    uint64_t n;
    int r = parse_u64(digits, MEM_MIB_MAX / unit, &n);
    if (r < 0)
        return r;
    *mib = n * unit;
    return n == 0 ? -EINVAL : 0;
}

/* Copies text up to `end` (NULL: all of it) into out; false if it does not fit. */
static bool copy_part(char *out, size_t size, const char *text, const char *end) {
    size_t len = end ? (size_t)(end - text) : strlen(text);
    if (len >= size)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

static int parse_port(const char *text, uint16_t *port) {
    uint64_t n;
    int r = parse_u64(text, UINT16_MAX, &n);
    if (r < 0 || n == 0)
        return -EINVAL;
    *port = (uint16_t)n;
    return 0;
}

/* QEMU's user network forwards from these only. */
static bool is_ipv4(const char *text) {
    struct in_addr unused;
    return inet_pton(AF_INET, text, &unused) == 1;
}

static bool split_publish(char *spec, struct run_publish *p) {
    char *slash = strchr(spec, '/');
    if (slash) {
        *slash = '\0';
        p->udp = strcmp(slash + 1, "udp") == 0;
        if (!p->udp && strcmp(slash + 1, "tcp") != 0)
            return false;
    }
    char *guest = strrchr(spec, ':');
    if (!guest)
        return false;
    *guest++ = '\0';
    char *host = strrchr(spec, ':');
    if (host) {
        *host++ = '\0';
        if (!copy_part(p->address, sizeof(p->address), spec, NULL) || !is_ipv4(p->address))
            return false;
    }
    return parse_port(host ? host : spec, &p->host) == 0 && parse_port(guest, &p->guest) == 0;
}

static bool same_port(const struct run_publish *a, const struct run_publish *b) {
    static const char any[] = "0.0.0.0";
    const char *x = *a->address ? a->address : any, *y = *b->address ? b->address : any;
    return a->host == b->host && a->udp == b->udp && (!strcmp(x, y) || !strcmp(x, any) || !strcmp(y, any));
}

static int set_publish(struct run_options *o, const char *value, struct err *e) {
    if (o->publish_len == RUN_PUBLISH_MAX)
        return err_set(e, -EINVAL, "more than %d --publish options", RUN_PUBLISH_MAX);
    struct run_publish p = {0};
    char spec[128];
    if (!copy_part(spec, sizeof(spec), value, NULL) || !split_publish(spec, &p))
        return err_set(
            e, -EINVAL,
            "could not understand --publish %s: want [ADDRESS:]HOST:GUEST[/tcp|/udp], an IPv4 address and ports "
            "1 to 65535",
            value);
    for (size_t i = 0; i < o->publish_len; i++)
        if (same_port(&p, &o->publish[i]))
            return err_set(e, -EINVAL, "could not use --publish %s: port %u of this host is published already", value,
                           p.host);
    o->publish[o->publish_len++] = p;
    return 0;
}

static bool set_disk_word(struct run_disk *d, const char *word, const char *end, bool first) {
    char text[RUN_PATH_MAX];
    if (!copy_part(text, sizeof(text), word, end))
        return false;
    if (strncmp(text, "size=", 5) == 0)
        return run_parse_mib(text + 5, &d->size_mib) == 0;
    if (strncmp(text, "format=", 7) == 0)
        return (strcmp(text + 7, "raw") == 0 || strcmp(text + 7, "qcow2") == 0) &&
               copy_part(d->format, sizeof(d->format), text + 7, NULL);
    if (strncmp(text, "file=", 5) == 0)
        return copy_part(d->path, sizeof(d->path), text + 5, NULL);
    return first && copy_part(d->path, sizeof(d->path), text, NULL);
}

static int set_disk(struct run_options *o, const char *value, struct err *e) {
    if (o->disks_len == RUN_DISKS_MAX)
        return err_set(e, -EINVAL, "more than %d --disk options", RUN_DISKS_MAX);
    struct run_disk *d = &o->disks[o->disks_len];
    bool first = true;
    for (const char *word = value; word; first = false) {
        const char *comma = strchr(word, ',');
        if (!set_disk_word(d, word, comma, first))
            return err_set(e, -EINVAL,
                           "could not understand --disk %s: want [file=]PATH[,size=SIZE][,format=raw|qcow2]", value);
        word = comma ? comma + 1 : NULL;
    }
    if (!d->path[0] && d->size_mib == 0)
        return err_set(e, -EINVAL, "could not understand --disk %s: neither a file nor a size is named", value);
    o->disks_len++;
    return 0;
}

static int set_channel(struct run_options *o, const char *value, struct err *e) {
    if (o->channels_len == RUN_CHANNELS_MAX)
        return err_set(e, -EINVAL, "more than %d --channel options", RUN_CHANNELS_MAX);
    struct run_channel *c = &o->channels[o->channels_len];
    const char *eq = strchr(value, '=');
    if (!eq || eq == value || !eq[1] || !copy_part(c->name, sizeof(c->name), value, eq) || strchr(c->name, ',') ||
        !copy_part(c->path, sizeof(c->path), eq + 1, NULL))
        return err_set(e, -EINVAL, "could not understand --channel %s: want NAME=PATH", value);
    o->channels_len++;
    return 0;
}

static int set_device(struct run_options *o, const char *value, struct err *e) {
    if (o->devices_len == RUN_DEVICES_MAX)
        return err_set(e, -EINVAL, "more than %d --device options", RUN_DEVICES_MAX);
    o->devices[o->devices_len++] = value;
    return 0;
}

static int set_share(struct run_options *o, const char *value, struct err *e) {
    if (o->shares_len == RUN_SHARES_MAX)
        return err_set(e, -EINVAL, "more than %d --virtiofs options", RUN_SHARES_MAX);
    if (!*value)
        return err_set(e, -EINVAL, "could not understand --virtiofs: want a folder");
    o->shares[o->shares_len++].dir = value;
    return 0;
}

static int set_mem(struct run_options *o, const char *value, struct err *e) {
    if (run_parse_mib(value, &o->mem_mib) < 0)
        return err_set(e, -EINVAL, "could not understand --mem %s: want a number of MiB, or one with M or G", value);
    return 0;
}

static int set_cpus(struct run_options *o, const char *value, struct err *e) {
    if (parse_u64(value, CPUS_MAX, &o->cpus) < 0 || o->cpus == 0)
        return err_set(e, -EINVAL, "could not understand --cpus %s: want a number from 1 to %d", value, CPUS_MAX);
    return 0;
}

static int set_arch(struct run_options *o, const char *value, struct err *e) {
    if (strcmp(value, "x86_64") == 0 || strcmp(value, "amd64") == 0)
        o->arch = RUN_X86_64;
    else if (strcmp(value, "aarch64") == 0 || strcmp(value, "arm64") == 0)
        o->arch = RUN_AARCH64;
    else
        return err_set(e, -EINVAL, "could not understand --arch %s: want x86_64 or aarch64", value);
    o->arch_given = true;
    return 0;
}

static int set_networking(struct run_options *o, const char *value, struct err *e) {
    o->network = strcmp(value, "user") == 0;
    if (!o->network && strcmp(value, "none") != 0)
        return err_set(e, -EINVAL, "could not understand --networking %s: want user or none", value);
    return 0;
}

static bool is_accel_list(const char *value) {
    for (const char *word = value; word;) {
        size_t len = strcspn(word, ":");
        if (len != 3 || (strncmp(word, "kvm", 3) != 0 && strncmp(word, "tcg", 3) != 0))
            return false;
        word = word[len] ? word + len + 1 : NULL;
    }
    return true;
}

static int set_accel(struct run_options *o, const char *value, struct err *e) {
    if (strcmp(value, "auto") != 0 && !is_accel_list(value))
        return err_set(e, -EINVAL, "could not understand --accel %s: want auto, kvm, tcg or kvm:tcg", value);
    o->accel = value;
    return 0;
}

static int set_cmdline_add(struct run_options *o, const char *value, struct err *e) {
    (void)e;
    o->cmdline_add = value;
    return 0;
}

static int set_firmware(struct run_options *o, const char *value, struct err *e) {
    (void)e;
    o->firmware = value;
    return 0;
}

static int set_netboot(struct run_options *o, const char *value, struct err *e) {
    if (strchr(value, ','))
        return err_set(e, -EINVAL, "could not understand --netboot %s: it has a comma", value);
    o->netboot = value;
    return 0;
}

static int set_state(struct run_options *o, const char *value, struct err *e) {
    (void)e;
    o->state = *value ? value : NULL;
    return 0;
}

static int set_data(struct run_options *o, const char *value, struct err *e) {
    (void)e;
    o->data = value;
    return 0;
}

static int set_data_file(struct run_options *o, const char *value, struct err *e) {
    (void)e;
    o->data_file = value;
    return 0;
}

static int set_timeout(struct run_options *o, const char *value, struct err *e) {
    if (parse_u64(value, TIMEOUT_MAX, &o->timeout_s) < 0 || o->timeout_s == 0)
        return err_set(e, -EINVAL, "could not understand --timeout %s: want seconds, 1 to %d", value, TIMEOUT_MAX);
    return 0;
}

static int set_boot_chart(struct run_options *o, const char *value, struct err *e) {
    if (!*value || !strcmp(value, "-"))
        return err_set(e, -EINVAL,
                       "could not understand --boot-chart \"%s\": want a file; standard output is the console's",
                       value);
    o->boot_chart = value;
    return 0;
}

static int set_wait(struct run_options *o, const char *value, struct err *e) {
    o->wait = strcmp(value, "up") == 0 ? RUN_WAIT_UP : RUN_WAIT_DOWN;
    if (o->wait == RUN_WAIT_DOWN && strcmp(value, "down") != 0)
        return err_set(e, -EINVAL, "could not understand --wait=%s: want up or down", value);
    return 0;
}

static int set_flag(struct run_options *o, const char *name, struct err *e) {
    if (strcmp(name, "dry-run") == 0)
        o->dry_run = true;
    else if (strcmp(name, "no-reboot") == 0)
        o->no_reboot = true;
    else if (strcmp(name, "uefi") == 0)
        o->uefi = true;
    else if (strcmp(name, "iso") == 0)
        o->iso = true;
    else if (strcmp(name, "squashfs") == 0)
        o->squashfs = true;
    else if (strcmp(name, "usb") == 0)
        o->usb = true;
    else if (strcmp(name, "gui") == 0)
        o->gui = true;
    else if (strcmp(name, "wait") == 0)
        o->wait = RUN_WAIT_UP;
    else if (strcmp(name, "json") == 0)
        o->json = true;
    else if (strcmp(name, "detach") == 0)
        o->detach = true;
    else if (strcmp(name, "help") == 0 || strcmp(name, "h") == 0)
        o->help = true;
    else if (strcmp(name, "kernel") != 0) /* LinuxKit's word for what is our default: kernel and initrd */
        return err_set(e, -EINVAL, "unknown option --%s", name);
    return 0;
}

static const struct {
    const char *name;
    int (*set)(struct run_options *o, const char *value, struct err *e);
} VALUE_OPTIONS[] = {
    {"mem", set_mem},
    {"cpus", set_cpus},
    {"publish", set_publish},
    {"disk", set_disk},
    {"channel", set_channel},
    {"device", set_device},
    {"virtiofs", set_share},
    {"accel", set_accel},
    {"fw", set_firmware},
    {"netboot", set_netboot},
    {"timeout", set_timeout},
    {"boot-chart", set_boot_chart},
    {"state", set_state},
    {"data", set_data},
    {"data-file", set_data_file},
    {"arch", set_arch},
    {"networking", set_networking},
    {"cmdline-add", set_cmdline_add},
};

/* Handles the option at argv[*i]; moves *i on if it takes the next word as its value. */
static int parse_option(struct run_options *o, int argc, char **argv, int *i, struct err *e) {
    const char *text = argv[*i] + (argv[*i][1] == '-' ? 2 : 1);
    const char *eq = strchr(text, '=');
    char name[32];
    if (!copy_part(name, sizeof(name), text, eq) || !name[0])
        return err_set(e, -EINVAL, "unknown option %s", argv[*i]);
    for (size_t n = 0; n < ARRAY_SIZE(VALUE_OPTIONS); n++) {
        if (strcmp(name, VALUE_OPTIONS[n].name) != 0)
            continue;
        if (!eq && *i + 1 >= argc)
            return err_set(e, -EINVAL, "option --%s needs a value", name);
        return VALUE_OPTIONS[n].set(o, eq ? eq + 1 : argv[++*i], e);
    }
    if (strcmp(name, "wait") == 0 && eq)
        return set_wait(o, eq + 1, e);
    int r = set_flag(o, name, e);
    if (r == 0 && eq)
        return err_set(e, -EINVAL, "option --%s takes no value", name);
    return r;
}

int run_options_parse(struct run_options *o, int argc, char **argv, struct err *e) {
    *o = (struct run_options){.accel = "auto", .mem_mib = 1024, .cpus = 1, .network = true, .record_fd = -1};
#ifdef __aarch64__
    o->arch = RUN_AARCH64;
#endif
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1]) {
            int r = parse_option(o, argc, argv, &i, e);
            if (r < 0)
                return r;
        } else if (i == 1 && strcmp(argv[i], "qemu") == 0) {
            continue;
        } else if (o->name) {
            return err_set(e, -EINVAL, "one NAME is wanted, found %s after %s", argv[i], o->name);
        } else {
            o->name = argv[i];
        }
    }
    if (!o->name && !o->netboot && !o->help)
        return err_set(e, -EINVAL, "no NAME is given");
    if (o->name && o->netboot)
        return err_set(e, -EINVAL, "either %s or --netboot, not both", o->name);
    if (o->json && o->wait == RUN_WAIT_NOT)
        return err_set(e, -EINVAL, "--json needs --wait: it prints what the guest has said");
    if (o->boot_chart && o->wait == RUN_WAIT_NOT)
        return err_set(e, -EINVAL, "--boot-chart needs --wait: it draws what the guest has said");
    if (o->detach && (o->wait != RUN_WAIT_NOT || o->timeout_s || o->gui))
        return err_set(e, -EINVAL,
                       "--detach goes with none of --wait, --timeout and --gui: nobody is there to wait or look");
    if (o->detach && o->shares_len > 0)
        return err_set(e, -EINVAL, "--virtiofs does not go with --detach: nobody is there to serve the folder");
    if (o->data && o->data_file)
        return err_set(e, -EINVAL, "either --data or --data-file, not both");
    if (o->netboot && !o->network)
        return err_set(e, -EINVAL, "--netboot needs --networking user");
    if (o->publish_len > 0 && !o->network)
        return err_set(e, -EINVAL, "--publish needs --networking user");
    return 0;
}
