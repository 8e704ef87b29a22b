/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/pkg/git.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/capture.h"
#include "lib/fdutil.h"
#include "tools/image/blob.h"

#define ARGV_MAX 16

/* git -C DIR WORD...; as capture(). words end with NULL. */
static int git(const char *dir, const char *const *words, struct buf *out, struct err *e) {
    const char *argv[ARGV_MAX] = {"git", "-C", dir};

    for (size_t i = 0; words[i] && i + 4 < ARGV_MAX; i++)
        argv[i + 3] = words[i];
    return capture(argv, true, out, e);
}
#define WORDS(...)                                                                                                     \
    (const char *const[]) {                                                                                            \
        __VA_ARGS__, NULL                                                                                              \
    }

bool git_has(const char *dir) {
    return git(dir, WORDS("rev-parse", "--is-inside-work-tree"), NULL, NULL) == 0;
}

/* The output of a command that must succeed. */
static int ask(const char *dir, const char *const *words, char **out, const char *what, struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT;
    int r = git(dir, words, &text, e);

    if (r < 0)
        return r;
    if (r > 0 || !text.data)
        return err_set(e, -ENOENT, "could not find %s of %s: git %s fails", what, dir, words[0]);
    *out = steal_ptr(&text.data);
    text.len = text.cap = 0;
    return 0;
}

int git_tree_hash(const char *dir, const char *commit, char **out, struct err *e) {
    AUTO_FREE char *spec = NULL;

    if (asprintf(&spec, "%s:./", commit) < 0) {
        spec = NULL;
        return err_errno(e, -ENOMEM, "could not ask git");
    }
    return ask(dir, WORDS("rev-parse", "--verify", "--quiet", spec), out, "the committed tree", e);
}

int git_is_dirty(const char *dir, const char *commit, bool *dirty, struct err *e) {
    AUTO_BUF struct buf others = BUF_INIT;

    *dirty = false;
    if (strcmp(commit, "HEAD") != 0)
        return 0;
    int r = git(dir, WORDS("diff", "--no-ext-diff", "--exit-code", "--quiet", commit, "--", "."), NULL, e);
    if (r < 0)
        return r;
    *dirty = r != 0;
    r = git(dir, WORDS("ls-files", "--exclude-standard", "--others", "--", "."), &others, e);
    *dirty = *dirty || others.len > 0;
    return r < 0 ? r : 0;
}

/* Links, folders and what is not there are left out. */
static int hash_file(EVP_MD_CTX *hash, const char *dir, const char *name, struct err *e) {
    AUTO_FREE char *path = path_join(dir, name);
    char chunk[65536];
    struct stat st;
    ssize_t n;

    if (!path)
        return err_errno(e, -ENOMEM, "could not hash %s", name);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    while ((n = read_full(fd, chunk, sizeof(chunk))) > 0)
        if (EVP_DigestUpdate(hash, chunk, (size_t)n) != 1)
            return err_set(e, -EIO, "could not hash %s", path);
    return n < 0 ? err_errno(e, (int)n, "could not read %s", path) : 0;
}

static int hash_listed(EVP_MD_CTX *hash, const char *dir, const char *const *words, struct err *e) {
    AUTO_BUF struct buf list = BUF_INIT;
    int r = git(dir, words, &list, e);
    char *pos = list.data, *line;

    if (r > 0)
        r = err_set(e, -EIO, "could not list the files of %s: git ls-files fails", dir);
    while (!r && pos && (line = next_line(&pos)))
        r = hash_file(hash, dir, line, e);
    return r;
}

int git_content_hash(const char *dir, char *out, struct err *e) {
    char digest[DIGEST_MAX];
    EVP_MD_CTX *hash = digest_new();
    int r = hash ? hash_listed(hash, dir, WORDS("ls-files"), e) : err_errno(e, -ENOMEM, "could not hash %s", dir);

    if (!r)
        r = hash_listed(hash, dir, WORDS("ls-files", "--exclude-standard", "--others"), e);
    if (!r)
        r = digest_final(hash, digest, e);
    EVP_MD_CTX_free(hash);
    if (!r)
        memcpy(out, digest + strlen("sha256:"), 65);
    return r;
}

int git_commit(const char *dir, char **out, struct err *e) {
    return ask(dir, WORDS("rev-parse", "--verify", "HEAD"), out, "the commit", e);
}

int git_tags_here(const char *dir, struct buf *out, struct err *e) {
    int r = git(dir, WORDS("tag", "--list", "--points-at", "HEAD"), out, e);

    return r > 0 ? err_set(e, -EIO, "could not find the tags of %s: git tag fails", dir) : r;
}

int git_go_version(const char *dir, char **out, struct err *e) {
    AUTO_FREE char *tag = NULL, *stamp = NULL, *here = NULL;

    (void)ask(dir, WORDS("describe", "--match", "v[0-9]*.[0-9]*.[0-9]*", "--abbrev=0", "--tags"), &tag, "a tag", NULL);
    (void)ask(dir, WORDS("tag", "--list", tag ? tag : "v", "--points-at", "HEAD"), &here, "a tag", NULL);
    if (tag && here && *here) {
        *out = steal_ptr(&tag);
        return 0;
    }
    int r = ask(dir, WORDS("show", "--no-patch", "--abbrev=12", "--date=format-local:%Y%m%d%H%M%S", "--format=%cd-%h"),
                &stamp, "the commit", e);
    if (!r && asprintf(out, "%s-%s", tag ? tag : "v0.0.0", stamp) < 0) {
        *out = NULL;
        r = err_errno(e, -ENOMEM, "could not name the version of %s", dir);
    }
    return r;
}
