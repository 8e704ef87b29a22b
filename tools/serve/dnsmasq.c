/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/serve/dnsmasq.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int dnsmasq_check_range(const char *range, struct err *e) {
    const char *comma = strchr(range, ',');
    char first[INET_ADDRSTRLEN];
    struct in_addr a;

    if (!comma || snprintf(first, sizeof(first), "%.*s", (int)(comma - range), range) >= (int)sizeof(first) ||
        inet_pton(AF_INET, first, &a) != 1 || inet_pton(AF_INET, comma + 1, &a) != 1)
        return err_set(e, -EINVAL, "could not understand --dhcp %s: want two IPv4 addresses, FIRST,LAST", range);
    return 0;
}

/* dnsmasq as a proxy answers nobody but PXE; and firmware looks at an answer only if it names HTTPClient in turn. */
static int put_http(const struct dnsmasq *d, const struct appliance *a, const char *arch, unsigned type,
                    struct buf *out) {
    return a ? buf_printf(out,
                          "dhcp-vendorclass=set:http-%s,HTTPClient:Arch:%05u\n"
                          "dhcp-option-force=tag:http-%s,60,HTTPClient\n"
                          "dhcp-boot=tag:http-%s,http://%s:%u/%s.efi\n",
                          arch, type, arch, arch, d->address, d->port, a->name)
             : 0;
}

/*
 * Which program makes a machine one with iPXE. As a proxy dnsmasq offers it as a boot service; UEFI does not take that
 * from who gave it its address, and is told of a file instead.
 */
static int put_ipxe(const struct dnsmasq *d, struct buf *out) {
    return buf_puts(out, d->range ? "dhcp-match=set:bios,option:client-arch,0\n"
                                    "dhcp-match=set:efi,option:client-arch,7\n"
                                    "dhcp-match=set:efi,option:client-arch,9\n"
                                    "dhcp-boot=tag:!ipxe,tag:bios,undionly.kpxe\n"
                                    "dhcp-boot=tag:!ipxe,tag:efi,ipxe.efi\n"
                                  : "pxe-service=tag:!ipxe,x86PC,\"keelson\",undionly.kpxe\n"
                                    "pxe-service=tag:!ipxe,X86-64_EFI,\"keelson\",ipxe.efi\n"
                                    "pxe-service=tag:!ipxe,BC_EFI,\"keelson\",ipxe.efi\n");
}

int dnsmasq_config(const struct dnsmasq *d, struct buf *out) {
    int r = buf_printf(out,
                       "#\n# For dnsmasq (Debian packages dnsmasq-base and ipxe), %s:\n"
                       "port=0\n"
                       "dhcp-range=%s,%s\n"
                       "enable-tftp\n"
                       "tftp-root=/usr/lib/ipxe\n"
                       "dhcp-userclass=set:ipxe,iPXE\n",
                       d->range ? "the network's only DHCP server" : "beside the DHCP server that the network has",
                       d->range ? d->range : d->address, d->range ? "1h" : "proxy");

    if (!r)
        r = put_ipxe(d, out);
    if (!r)
        r = buf_printf(out, "dhcp-boot=tag:ipxe,http://%s:%u/boot.ipxe\n", d->address, d->port);
    if (!r && d->range)
        r = put_http(d, d->amd64, "amd64", 16, out); /* RFC 5970's numbers for HTTP */
    return !r && d->range ? put_http(d, d->arm64, "arm64", 19, out) : r;
}
