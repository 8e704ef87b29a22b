/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP side: GET and HEAD of files and scripts. Threads are libmicrohttpd's. */
#ifndef TOOLS_SERVE_HTTP_H
#define TOOLS_SERVE_HTTP_H

#include <stdint.h>

#include "lib/err.h"

#define HTTP_CONNECTIONS_MAX 256 /* more wait */
#define HTTP_IDLE_SECONDS 60

struct http;

/* dir: the images; made: a folder with UKIs that were made for those that have none. Both must outlive it. */
int http_start(const char *dir, const char *made, const char *address, uint16_t port, struct http **out, struct err *e);
uint16_t http_port(const struct http *h);
void http_stop(struct http *h);

#endif
