/* SPDX-License-Identifier: Apache-2.0 */
/* What dnsmasq is told, so that machines boot from what is served. */
#ifndef TOOLS_SERVE_DNSMASQ_H
#define TOOLS_SERVE_DNSMASQ_H

#include "tools/serve/catalog.h"

struct dnsmasq {
    const char *address; /* what is served is here, for other machines */
    uint16_t port;
    /* The addresses that dnsmasq gives to machines, "FIRST,LAST"; NULL: somebody else gives them. */
    const char *range;
    /* The images that UEFI's HTTP boot is told of, which takes one for each architecture; NULL: none. */
    const struct appliance *amd64, *arm64;
};

/* -EINVAL: it is not two IPv4 addresses. */
int dnsmasq_check_range(const char *range, struct err *e);
int dnsmasq_config(const struct dnsmasq *d, struct buf *out);

#endif
