/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/compress.h"

bool compress_available(void) {
    return false;
}

int compress_file(const char *from, const char *to, bool sync, struct err *e) {
    (void)to;
    (void)sync;
    return err_set(e, -ENOTSUP, "could not compress %s: this program is built without zstd", from);
}
