/* SPDX-License-Identifier: Apache-2.0 */
/* The text of an input: a file, standard input, or what a web server answers. */
#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include "lib/fdutil.h"
#include "tools/config/config_priv.h"

#define CONNECT_SECONDS 30L
#define REDIRECTS_MAX 10L

static size_t on_data(char *data, size_t size, size_t count, void *text) {
    return buf_append(text, data, size * count) == 0 ? size * count : 0;
}

static int fetch(CURL *curl, const char *url, struct buf *text, struct err *e) {
    char why[CURL_ERROR_SIZE] = "";

    if (curl_easy_setopt(curl, CURLOPT_URL, url) || curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data) ||
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, text) || curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why) ||
        curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L) || curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L) ||
        curl_easy_setopt(curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX) ||
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") ||
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS) ||
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L) ||
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, CONNECT_SECONDS))
        return err_set(e, -EIO, "could not fetch %s: libcurl refuses an option", url);
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_WRITE_ERROR)
        return err_set(e, -EFBIG, "could not fetch %s: it is larger than %zu bytes", url, text->max);
    return code ? err_set(e, -EIO, "could not fetch %s: %s", url, *why ? why : curl_easy_strerror(code)) : 0;
}

static int load_url(const char *url, struct buf *text, struct err *e) {
    CURL *curl = curl_easy_init();

    if (!curl)
        return err_errno(e, -ENOMEM, "could not fetch %s", url);
    int r = fetch(curl, url, text, e);
    curl_easy_cleanup(curl);
    return r;
}

bool source_is_url(const char *path) {
    return !strncmp(path, "http://", 7) || !strncmp(path, "https://", 8);
}

int source_load(const char *path, size_t max, struct buf *text, struct err *e) {
    if (source_is_url(path))
        return load_url(path, text, e);
    return read_file(strcmp(path, "-") ? path : "/dev/stdin", max, text, e);
}
