/* SPDX-License-Identifier: Apache-2.0 */
/* `keelson inspect`. */
#include <string.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "tools/cli/options.h"
#include "tools/inspect/inspect.h"

static const char usage[] =
    "usage: keelson inspect [OPTION]... NAME\n"
    "Says what is in an appliance: NAME of a kernel with its initrd or root, or the file of any other\n"
    "format, as `keelson build` has made it.\n\n";

static int print(const struct inspection *in, bool json, bool svg, struct err *e) {
    AUTO_BUF struct buf out = BUF_INIT;
    int r = json ? inspect_json(in, &out, e) : svg ? inspect_svg(in, &out, e) : inspect_text(in, &out, e);

    if (!r && (r = write_full(STDOUT_FILENO, out.data, out.len)) < 0)
        return err_errno(e, r, "could not write to standard output");
    return r;
}

int inspect_main(int argc, char **argv) {
    AUTO_INSPECTION struct inspection in = {0};
    struct err e = {0};
    bool json = false, svg = false;
    const struct option_row rows[] = {
        {.name = "json", .flag = &json, .help = "as JSON"},
        {.name = "svg", .flag = &svg, .help = "as a picture: a treemap of what is in it by its size"},
    };
    const struct option_table table = {.head = usage, .rows = rows, .len = ARRAY_SIZE(rows)};
    int first, r = options_read(&table, argc, argv, &first);

    if (r)
        return r > 0 ? 0 : EXIT_USAGE;
    if (argc - first != 1 || (json && svg)) {
        log_error("%s", json && svg ? "--json or --svg, not both" : "which appliance? Give one name");
        return EXIT_USAGE;
    }
    r = inspect_read(argv[first], &in, &e);
    if (!r)
        r = print(&in, json, svg, &e);
    if (r < 0)
        log_error("%s", e.msg);
    return r < 0;
}
