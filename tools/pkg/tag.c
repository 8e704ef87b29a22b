/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/pkg/tag.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/json.h"
#include "tools/image/blob.h"
#include "tools/image/image.h"

static bool hash_text(EVP_MD_CTX *hash, const char *text) {
    return text && EVP_DigestUpdate(hash, text, strlen(text)) == 1;
}

int tag_make(const json_t *config, const json_t *diff_ids, char *tag, struct err *e) {
    char digest[DIGEST_MAX];
    AUTO_FREE char *text = json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS);
    EVP_MD_CTX *hash = digest_new();
    const json_t *id;
    size_t i;
    bool ok = hash && hash_text(hash, text);

    json_array_foreach(diff_ids, i, id) {
        ok = ok && hash_text(hash, json_string_value(id));
    }
    int r = ok ? digest_final(hash, digest, e) : err_errno(e, -ENOMEM, "could not name the image");
    EVP_MD_CTX_free(hash);
    if (!r)
        (void)snprintf(tag, TAG_LEN + 1, "%.*s", TAG_LEN, digest + strlen("sha256:"));
    return r;
}

static int open_tagged(const char *cache_dir, const char *org, const char *image, const char *tag, const char *arch,
                       struct image **out, struct err *e) {
    AUTO_FREE char *ref = NULL;

    if (asprintf(&ref, "%s/%s:%s", org, image, tag) < 0) {
        ref = NULL;
        return err_errno(e, -ENOMEM, "could not look for %s", image);
    }
    return image_open(cache_dir, ref, arch, out, e);
}

int tag_find(const char *cache_dir, const char *org, const char *image, const char *arch, char *tag, struct err *e) {
    AUTO_IMAGE struct image *latest = NULL, *tagged = NULL;

    int r = open_tagged(cache_dir, org, image, "latest", arch, &latest, e);
    if (r < 0)
        return r;
    const json_t *doc = image_config(latest);
    r = tag_make(json_object_get(doc, "config"), json_object_get(json_object_get(doc, "rootfs"), "diff_ids"), tag, e);
    return r < 0 ? r : open_tagged(cache_dir, org, image, tag, arch, &tagged, e);
}
