/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/pkg/fixture_test.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/temp.h"

#define MEMBER_MAX 65536

static const char fake_apt[] =
    "#!/bin/sh\n"
    "print= arch= state=\n"
    "while :; do\n"
    "  case $1 in\n"
    "  -qq | download) shift ;;\n"
    "  -o)\n"
    "    case $2 in APT::Architecture=*) arch=${2#*=} ;; Dir::State=*) state=${2#*=} ;; esac\n"
    "    shift 2 ;;\n"
    "  update) [ -d \"$state/lists/partial\" ] && echo $arch >>\"$FIXTURE/log\"; exit ;;\n"
    "  --print-uris) print=1; shift ;;\n"
    "  *) break ;;\n"
    "  esac\n"
    "done\n"
    "for name; do\n"
    "  deb=$(echo \"$FIXTURE/archive/$name\"_*_${arch:-amd64}.deb)\n"
    "  [ -f \"$deb\" ] || exit 100\n"
    "  file=${deb##*/}\n"
    "  if [ \"$print\" ]; then\n"
    "    hash=$(sha256sum <\"$deb\")\n"
    "    echo \"'http://archive.example/$file' $file 1234 SHA256:${hash%% *}\"\n"
    "    continue\n"
    "  fi\n"
    "  echo \"$name\" >>\"$FIXTURE/log\"\n"
    "  [ ! -e \"$FIXTURE/slow\" ] || sleep 1\n"
    "  cp \"$deb\" .\n"
    "  [ ! -e \"$FIXTURE/cut\" ] || truncate -s 100 \"$file\"\n"
    "done\n";

static struct temp_dir dir;
static char *old_path;

const char *fixture_path(const char *name) {
    static char paths[8][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % ARRAY_SIZE(paths)];

    assert_true(snprintf(path, PATH_MAX, "%s/%s", dir.path, name) < PATH_MAX);
    return path;
}

void fixture_write(const char *name, const char *text) {
    assert_int_equal(write_file_atomic(fixture_path(name), text, strlen(text), 0644, false, NULL), 0);
}

bool fixture_has(const char *name) {
    struct stat st;

    return lstat(fixture_path(name), &st) == 0;
}

unsigned fixture_downloads(void) {
    AUTO_BUF struct buf log = BUF_INIT;
    unsigned lines = 0;

    if (read_file(fixture_path("log"), MEMBER_MAX, &log, NULL) < 0)
        return 0;
    for (size_t i = 0; i < log.len; i++)
        lines += log.data[i] == '\n';
    return lines;
}

int fixture_setup(void **state) {
    const char *now = getenv("PATH");
    AUTO_FREE char *path = NULL;

    (void)state;
    old_path = now ? strdup(now) : NULL;
    if (!old_path || temp_dir_make(&dir, NULL, "keelson-test.", NULL) < 0 || mkdir(fixture_path("bin"), 0755) < 0 ||
        mkdir(fixture_path("archive"), 0755) < 0 ||
        write_file_atomic(fixture_path("bin/apt-get"), fake_apt, strlen(fake_apt), 0755, false, NULL) < 0 ||
        asprintf(&path, "%s:%s", fixture_path("bin"), old_path) < 0)
        return -1;
    return setenv("PATH", path, 1) | setenv("FIXTURE", dir.path, 1);
}

int fixture_teardown(void **state) {
    (void)state;
    int r = setenv("PATH", old_path, 1) | unsetenv("FIXTURE");
    free(old_path);
    temp_dir_remove(&dir);
    return r;
}

/* --- making packages --- */

static void add_line(struct archive *tar, const char *line) {
    char path[256] = "./", rest[512] = "";
    struct archive_entry *ae = archive_entry_new();

    assert_true(sscanf(line + 2, "%250s %511[^\001]", path + 2, rest) >= 1);
    archive_entry_set_pathname(ae, path);
    archive_entry_set_mtime(ae, 1700000000, 0);
    archive_entry_set_mode(ae, *line == 'd' ? S_IFDIR | 0755 : *line == 'l' ? S_IFLNK | 0777 : S_IFREG | 0644);
    if (*line == 'f')
        archive_entry_set_size(ae, (la_int64_t)strlen(rest));
    if (*line == 'l')
        archive_entry_set_symlink(ae, rest);
    if (*line == 'h') {
        memmove(rest + 2, rest, strlen(rest) + 1);
        memcpy(rest, "./", 2); /* as dpkg-deb writes it */
        archive_entry_set_hardlink(ae, rest);
    }
    assert_int_equal(archive_write_header(tar, ae), ARCHIVE_OK);
    if (*line == 'f')
        assert_int_equal(archive_write_data(tar, rest, strlen(rest)), strlen(rest));
    archive_entry_free(ae);
}

static void add_member(struct archive *ar, const char *name, const void *data, size_t len) {
    struct archive_entry *ae = archive_entry_new();

    archive_entry_set_pathname(ae, name);
    archive_entry_set_mode(ae, S_IFREG | 0644);
    archive_entry_set_size(ae, (la_int64_t)len);
    assert_int_equal(archive_write_header(ar, ae), ARCHIVE_OK);
    assert_int_equal(archive_write_data(ar, data, len), len);
    archive_entry_free(ae);
}

static void add_tar(struct archive *ar, const char *name, const char *const *lines) {
    static char bytes[MEMBER_MAX];
    struct archive *tar = archive_write_new();
    size_t used = 0;

    assert_int_equal(archive_write_set_format_gnutar(tar), ARCHIVE_OK);
    assert_int_equal(archive_write_add_filter_xz(tar), ARCHIVE_OK);
    assert_int_equal(archive_write_open_memory(tar, bytes, sizeof(bytes), &used), ARCHIVE_OK);
    for (; *lines; lines++)
        add_line(tar, *lines);
    assert_int_equal(archive_write_free(tar), ARCHIVE_OK);
    add_member(ar, name, bytes, used);
}

void fixture_deb(const char *name, const char *version, const char *depends, const char *const *lines) {
    char file[256], control[512];
    struct archive *ar = archive_write_new();

    (void)snprintf(file, sizeof(file), "archive/%s_%s_amd64.deb", name, version);
    (void)snprintf(control, sizeof(control), "f control Package: %s\nVersion: %s\n%s%s%sArchitecture: amd64\n", name,
                   version, depends ? "Depends: " : "", depends ? depends : "", depends ? "\n" : "");
    assert_int_equal(archive_write_set_format_ar_svr4(ar), ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(ar, fixture_path(file)), ARCHIVE_OK);
    add_member(ar, "debian-binary", "2.0\n", 4);
    add_tar(ar, "control.tar.xz", LINES("d .", control));
    add_tar(ar, "data.tar.xz", lines);
    assert_int_equal(archive_write_free(ar), ARCHIVE_OK);
}

/* --- looking at what came out --- */

int fixture_describe(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    char text[4096] = "";
    size_t len = 0;
    ssize_t n;

    while (content && (n = content->read(content->ctx, text + len, sizeof(text) - 1 - len, e)) != 0) {
        assert_true(n > 0);
        len += (size_t)n;
    }
    assert_true(entry->type <= ENTRY_HARDLINK);
    return buf_printf(data, entry->type == ENTRY_DIR ? "%c %s%s\n" : "%c %s%s%s\n", "fdlh"[entry->type], entry -> path,
                      entry -> type == ENTRY_DIR           ? ""
                               : entry->type == ENTRY_FILE ? "="
                                                           : " -> ",
                      entry->type == ENTRY_FILE ? text : entry->link);
}
