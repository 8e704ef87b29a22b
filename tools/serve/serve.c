/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `keelson serve`: images for machines that boot from the network. UKIs for images that have none are made at the
 * start, in a temporary folder. Signals: SIGINT and SIGTERM end it. TFTP and DHCP are dnsmasq's: its configuration is
 * printed.
 */
#include "tools/serve/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/temp.h"
#include "tools/output/uki.h"
#include "tools/serve/catalog.h"
#include "tools/serve/dnsmasq.h"
#include "tools/serve/http.h"

#define EXIT_USAGE 100
#define PORT_DEFAULT 8081

static const char usage[] =
    "usage: keelson serve [OPTION]... [DIR]\n"
    "Serves the images in DIR (default: .) over HTTP to machines that boot from the network: an\n"
    "iPXE script, and a UKI, for each; boot.ipxe is a menu of all.\n\n"
    "  --listen ADDRESS     IPv4 address to listen on (default: 0.0.0.0)\n"
    "  --port PORT          (8081; 0: any)\n"
    "  --no-uki             make no UKIs for images that have none\n"
    "  --dhcp FIRST,LAST    what is printed for dnsmasq makes it the network's DHCP server, with these\n"
    "                       addresses; UEFI's HTTP boot needs that\n"
    "  --help               this text\n";

struct options {
    const char *address, *dir, *dhcp;
    uint64_t port;
    bool no_uki;
};

/* 0: go on; 1: help was printed; negative: misuse, reported. */
static int parse_options(int argc, char **argv, struct options *o) {
    enum { OPT_LISTEN = 256, OPT_PORT, OPT_NO_UKI, OPT_DHCP };
    static const struct option longs[] = {{"listen", required_argument, NULL, OPT_LISTEN},
                                          {"port", required_argument, NULL, OPT_PORT},
                                          {"no-uki", no_argument, NULL, OPT_NO_UKI},
                                          {"dhcp", required_argument, NULL, OPT_DHCP},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int c;

    *o = (struct options){.address = "0.0.0.0", .dir = ".", .port = PORT_DEFAULT};
    while ((c = getopt_long_only(argc, argv, "h", longs, NULL)) != -1) {
        if (c == 'h')
            return fputs(usage, stdout) < 0 ? -EIO : 1;
        if (c == OPT_LISTEN) {
            o->address = optarg;
        } else if (c == OPT_NO_UKI) {
            o->no_uki = true;
        } else if (c == OPT_DHCP) {
            o->dhcp = optarg;
        } else if (c != OPT_PORT || parse_u64(optarg, UINT16_MAX, &o->port) < 0) {
            log_error("see keelson serve --help");
            return -EINVAL;
        }
    }
    struct err e = {0};
    if (o->dhcp && dnsmasq_check_range(o->dhcp, &e) < 0) {
        log_error("%s", e.msg);
        return -EINVAL;
    }
    if (optind + 1 < argc) {
        log_error("one DIR is wanted, found %s after %s", argv[optind + 1], argv[optind]);
        return -EINVAL;
    }
    if (optind < argc)
        o->dir = argv[optind];
    return 0;
}

static int make_uki_for(const char *dir, const struct appliance *a, const char *made, struct err *e) {
    AUTO_FREE struct parts *p = calloc(1, sizeof(*p));
    AUTO_FREE char *base = path_join(dir, a->name);
    AUTO_FREE char *out = NULL;

    if (!p || !base || asprintf(&out, "%s/%s.efi", made, a->name) < 0)
        return err_errno(e, -ENOMEM, "could not make a UKI");
    int r = parts_load(p, made, base, a->arch, e);
    return r ? r : make_uki(p, out, e);
}

/* An image without a UKI can still be booted by iPXE: what fails is a warning. */
static void make_ukis(const struct options *o, struct catalog *c, const char *made) {
    for (size_t i = 0; i < c->len; i++) {
        struct err e = {0};
        if (!c->v[i].kernel || c->v[i].uki)
            continue;
        c->v[i].uki = make_uki_for(o->dir, &c->v[i], made, &e) == 0;
        if (!c->v[i].uki)
            log_warning("no UKI for %s: %s", c->v[i].name, e.msg);
    }
}

/* Scripts of iPXE have no quotes. */
static void warn_of_unfit(const char *dir, const struct catalog *c) {
    for (size_t i = 0; i < c->len; i++) {
        AUTO_BUF struct buf cmdline = BUF_INIT;
        const char *name = c->v[i].name;
        size_t len;
        if (!c->v[i].kernel || catalog_cmdline(dir, name, &cmdline) < 0)
            continue;
        const char *word = catalog_unfit_word(cmdline.data, &len);
        if (word && c->v[i].uki)
            log_warning("iPXE gets %s.efi for %s: it would take %.*s in the command line for its own", name, name,
                        (int)len, word);
        else if (word)
            log_warning("iPXE cannot boot %s: it would take %.*s in the command line for its own, and there is no UKI",
                        name, (int)len, word);
    }
}

/* The address that other machines know us by: the one listened on, else the first that is not the loopback's. */
static void own_address(const char *listen, char *out, size_t len) {
    struct ifaddrs *all = NULL;

    (void)snprintf(out, len, "%s", listen);
    if (strcmp(listen, "0.0.0.0") != 0 || getifaddrs(&all) < 0)
        return;
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        struct sockaddr_in in;
        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || i->ifa_flags & IFF_LOOPBACK)
            continue;
        memcpy(&in, i->ifa_addr, sizeof(in));
        if (inet_ntop(AF_INET, &in.sin_addr, out, (socklen_t)len))
            break;
    }
    freeifaddrs(all);
}

static int print_start(const struct options *o, const struct catalog *c, uint16_t port) {
    AUTO_BUF struct buf config = BUF_INIT;
    char address[INET_ADDRSTRLEN + 1];

    own_address(o->address, address, sizeof(address));
    (void)printf("# %zu image%s at http://%s:%u/\n", c->len, c->len == 1 ? "" : "s", address, port);
    for (size_t i = 0; i < c->len; i++)
        (void)printf("#   %s\n", c->v[i].name);
    const struct dnsmasq d = {.address = address,
                              .port = port,
                              .range = o->dhcp,
                              .amd64 = catalog_uki(c, "amd64"),
                              .arm64 = catalog_uki(c, "arm64")};
    if (dnsmasq_config(&d, &config) < 0 || fputs(config.data, stdout) < 0)
        return -EIO;
    return fflush(stdout) == 0 ? 0 : -EIO;
}

static int serve(const struct options *o, const sigset_t *stop, struct err *e) {
    AUTO_TEMP_DIR struct temp_dir made = {""};
    struct catalog c;
    struct http *h = NULL;
    int r = catalog_read(o->dir, &c, e);

    if (!r && !o->no_uki)
        r = temp_dir_make(&made, NULL, "keelson-serve.", e);
    if (r < 0)
        return r;
    if (!o->no_uki)
        make_ukis(o, &c, made.path);
    warn_of_unfit(o->dir, &c);
    r = http_start(o->dir, made.path, o->address, (uint16_t)o->port, &h, e);
    if (r < 0)
        return r;
    if (print_start(o, &c, http_port(h)) < 0)
        log_warning("could not print the configuration");
    while (sigwaitinfo(stop, NULL) < 0 && errno == EINTR)
        ;
    http_stop(h);
    return 0;
}

int serve_main(int argc, char **argv) {
    struct options o;
    struct err e = {0};
    sigset_t stop;
    int r = parse_options(argc, argv, &o);

    if (r)
        return r > 0 ? 0 : EXIT_USAGE;
    (void)sigemptyset(&stop); /* blocked before there are threads, so that all of them have it so */
    (void)sigaddset(&stop, SIGINT);
    (void)sigaddset(&stop, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &stop, NULL);
    if (serve(&o, &stop, &e) < 0) {
        log_error("%s", e.msg);
        return 1;
    }
    return 0;
}
