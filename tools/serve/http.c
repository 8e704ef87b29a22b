/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/serve/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "tools/serve/catalog.h"
#include "tools/serve/range.h"

struct http {
    struct MHD_Daemon *daemon;
    const char *dir, *made;
};

static enum MHD_Result answer_text(struct MHD_Connection *c, unsigned status, const char *type, const char *text,
                                   size_t len) {
    struct MHD_Response *r = MHD_create_response_from_buffer(len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);

    if (!r)
        return MHD_NO;
    enum MHD_Result done = MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (done == MHD_YES)
        done = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return done;
}

static enum MHD_Result answer_status(struct MHD_Connection *c, unsigned status, const char *why) {
    return answer_text(c, status, "text/plain", why, strlen(why));
}

static int open_served(const struct http *h, const char *name, struct stat *st) {
    const char *const dirs[] = {h->dir, h->made};

    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        AUTO_FREE char *path = *dirs[i] ? path_join(dirs[i], name) : NULL; /* "": none were made */
        AUTO_CLOSE int fd = path ? open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
        if (fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode))
            return steal_fd(&fd);
    }
    return -1;
}

static enum MHD_Result queue_file(struct MHD_Connection *c, struct MHD_Response *r, enum range_kind kind,
                                  uint64_t first, uint64_t len, uint64_t size) {
    char text[96];

    (void)snprintf(text, sizeof(text), "bytes %llu-%llu/%llu", (unsigned long long)first,
                   (unsigned long long)(first + len - 1), (unsigned long long)size);
    enum MHD_Result done = MHD_add_response_header(r, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
    if (done == MHD_YES && kind == RANGE_PART)
        done = MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_RANGE, text);
    if (done == MHD_YES)
        done = MHD_queue_response(c, kind == RANGE_PART ? MHD_HTTP_PARTIAL_CONTENT : MHD_HTTP_OK, r);
    return done;
}

static enum MHD_Result answer_file(const struct http *h, struct MHD_Connection *c, const char *name) {
    const char *range = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_RANGE);
    struct stat st;
    AUTO_CLOSE int fd = open_served(h, name, &st);

    if (fd < 0)
        return answer_status(c, MHD_HTTP_NOT_FOUND, "There is no such file\n");
    uint64_t size = (uint64_t)st.st_size, first = 0, len = size;
    enum range_kind kind = range_parse(range, size, &first, &len);
    if (kind == RANGE_NONE)
        return answer_status(c, MHD_HTTP_RANGE_NOT_SATISFIABLE, "The file is shorter\n");
    struct MHD_Response *r = MHD_create_response_from_fd_at_offset64(len, fd, first);
    if (!r)
        return MHD_NO;
    (void)steal_fd(&fd); /* the response's now */
    enum MHD_Result done = queue_file(c, r, kind, first, len, size);
    MHD_destroy_response(r);
    return done;
}

/* 0: text is in out; -ENOENT: it is none of our pages. */
static int make_page(const struct http *h, const char *name, struct buf *out) {
    AUTO_BUF struct buf cmdline = BUF_INIT;
    struct catalog c;
    size_t stem = strlen(name) > 5 ? strlen(name) - 5 : 0;

    if (*name && (!stem || strcmp(name + stem, ".ipxe") != 0))
        return -ENOENT;
    int r = catalog_read(h->dir, &c, NULL);
    if (r < 0)
        return r;
    if (*h->made)
        catalog_add_ukis(&c, h->made);
    if (!*name)
        return catalog_index(&c, out);
    if (!strcmp(name, "boot.ipxe"))
        return catalog_menu(&c, out);
    for (size_t i = 0; i < c.len; i++)
        if (strlen(c.v[i].name) == stem && !strncmp(c.v[i].name, name, stem)) {
            r = catalog_cmdline(h->dir, c.v[i].name, &cmdline);
            return r < 0 ? r : catalog_script(&c.v[i], cmdline.data, out);
        }
    return -ENOENT;
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_len, void **state) {
    const struct http *h = data;
    const char *name = url + (*url == '/');
    AUTO_BUF struct buf page = BUF_INIT;

    (void)version;
    (void)upload;
    (void)upload_len;
    if (!*state) { /* an answer before the headers are through closes the connection */
        *state = data;
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_status(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD only\n");
    if (*name && !catalog_name_ok(name))
        return answer_status(c, MHD_HTTP_NOT_FOUND, "There is no such file\n");
    log_info("%s %s", method, url);
    int r = make_page(h, name, &page);
    if (r == -ENOENT)
        return answer_file(h, c, name);
    if (r < 0)
        return answer_status(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "The folder cannot be read\n");
    return answer_text(c, MHD_HTTP_OK, *name ? "text/plain" : "text/html", page.data, page.len);
}

int http_start(const char *dir, const char *made, const char *address, uint16_t port, struct http **out,
               struct err *e) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct http *h = calloc(1, sizeof(*h));

    if (!h)
        return err_errno(e, -ENOMEM, "could not start the server");
    h->dir = dir;
    h->made = made;
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1) {
        free(h);
        return err_set(e, -EINVAL, "could not listen on %s: it is not an IPv4 address", address);
    }
    errno = 0;
    h->daemon =
        MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD, port, NULL, NULL, on_request, h, MHD_OPTION_SOCK_ADDR,
                         (const struct sockaddr *)&at, MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX,
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_IDLE_SECONDS, MHD_OPTION_END);
    if (!h->daemon) {
        int r = errno ? -errno : -EADDRINUSE;
        free(h);
        return err_errno(e, r, "could not listen on %s:%u", address, port);
    }
    *out = h;
    return 0;
}

uint16_t http_port(const struct http *h) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);

    return info ? info->port : 0;
}

void http_stop(struct http *h) {
    MHD_stop_daemon(h->daemon);
    free(h);
}
