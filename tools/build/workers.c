/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/build/workers.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <string.h>

#include "lib/log.h"
#include "tools/sbom/packages.h"

#define BUILD_ID_MAX 64

struct job {
    bool done;
    int status;
    struct segment segment;
    struct err err;
};

struct workers {
    const struct build *build;
    struct plan *plan;
    const struct store *store;
    char program[2 * BUILD_ID_MAX + 1];
    pthread_t threads[WORKERS];
    size_t threads_len;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock */
    struct job *jobs; /* one for each part of the plan */
    size_t next;      /* the part that is looked at next */
    size_t taken;     /* parts before this one have been taken, or have no key */
    bool stop;
    bool full; /* the store is: nothing more is kept */
};

/* The linker's digest of this very program: another one may make other bytes. */
static int find_build_id(struct dl_phdr_info *info, size_t size, void *data) {
    char *out = data;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        if (h->p_type != PT_NOTE)
            continue;
        const char *p = (const char *)(info->dlpi_addr + h->p_vaddr), *end = p + h->p_memsz; // NOLINT
        while ((size_t)(end - p) >= sizeof(ElfW(Nhdr))) {
            ElfW(Nhdr) note;
            memcpy(&note, p, sizeof(note));
            const char *name = p + sizeof(note), *desc = name + ((note.n_namesz + 3) & ~3U);
            for (size_t k = 0; note.n_type == NT_GNU_BUILD_ID && k < note.n_descsz && k < BUILD_ID_MAX; k++)
                (void)snprintf(out + 2 * k, 3, "%02x", (unsigned char)desc[k]);
            p = desc + ((note.n_descsz + 3) & ~3U);
        }
    }
    return 1; /* the first object is the program itself */
}

/* What the part's bytes come from, as text, and its name in the store. */
static int name_part(const struct workers *w, const struct part *p, char *name, struct err *e) {
    AUTO_FREE char *text = NULL;
    enum compression how = w->build->compression;

    if (asprintf(&text, "keelson %s %s\n%s %s\n%s\n", KEELSON_VERSION, w->program, compression_name(how),
                 compression_version(how), p->key) < 0) {
        text = NULL;
        return err_errno(e, -ENOMEM, "could not name a part");
    }
    return store_name(text, name, e);
}

/* Package databases: the SBOM is made of them. */
static bool is_wanted(const void *data, const struct entry *entry) {
    const struct part *p = data;
    size_t len = p->path ? strlen(p->path) : 0;

    if (!entry->layer || (len && (strncmp(entry->path, p->path, len) != 0 || entry->path[len] != '/')))
        return false;
    return packages_want(len ? entry->path + len + 1 : entry->path);
}

static int write_part(const struct workers *w, struct part *p, int fd, struct err *e) {
    AUTO_OUTPUT struct output *output = NULL;
    struct build one = *w->build;
    int r = segment_output_new(fd, one.compression, is_wanted, p, &output, e);

    if (r < 0)
        return r;
    one.output = output;
    one.sbom = NULL;
    r = p->emit(&one, w->plan, p, e);
    if (!r && p->note.len)
        r = segment_output_note(output, p->note.data, p->note.len, e);
    return r ? r : output_finish(output, e);
}

static int write_and_open(const struct workers *w, struct part *p, int fd, struct segment *s, struct err *e) {
    int r = write_part(w, p, fd, e);

    return r ? r : segment_open(fd, s, e);
}

/* What cannot be given its name will do all the same. */
static int make_kept(const struct workers *w, struct part *p, const char *name, struct segment *s, struct err *e) {
    AUTO_FREE char *path = NULL;
    AUTO_CLOSE int fd = store_begin(w->store, &path, e);
    struct err why = {0};

    if (fd < 0)
        return -ENOSPC;
    int r = write_and_open(w, p, fd, s, e);
    bool kept = !r && store_keep(w->store, path, name, &why) == 0;
    if (!kept)
        temp_file_remove(path);
    if (!r && !kept)
        log_warning("%s", why.msg);
    if (!r)
        (void)steal_fd(&fd);
    return r;
}

static int make_unkept(const struct workers *w, struct part *p, struct segment *s, struct err *e) {
    AUTO_CLOSE int fd = temp_unnamed(e);
    int r = fd < 0 ? fd : write_and_open(w, p, fd, s, e);

    if (!r)
        (void)steal_fd(&fd);
    return r;
}

/* True if nobody knew. */
static bool note_full(struct workers *w) {
    (void)pthread_mutex_lock(&w->lock);
    bool is_new = !w->full;
    w->full = true;
    (void)pthread_mutex_unlock(&w->lock);
    return is_new;
}

static bool is_full(struct workers *w) {
    (void)pthread_mutex_lock(&w->lock);
    bool full = w->full;
    (void)pthread_mutex_unlock(&w->lock);
    return full;
}

static int make_part(struct workers *w, struct part *p, const char *name, struct segment *s, struct err *e) {
    int r = is_full(w) ? -ENOSPC : make_kept(w, p, name, s, e);

    if (r == -ENOSPC || r == -EDQUOT) {
        if (note_full(w))
            log_warning("could not keep parts of initrds in %s: %s", w->store->dir, e->msg);
        buf_reset(&p->note);
        r = make_unkept(w, p, s, e);
    }
    if (r < 0)
        s->fd = -1;
    return r;
}

/* -ENOENT: it has to be made. */
static int find_part(const struct workers *w, struct part *p, const char *name, struct segment *s) {
    AUTO_CLOSE int fd = store_find(w->store, name);
    struct err e = {0};
    int r = fd < 0 ? fd : segment_open(fd, s, &e);

    if (!r)
        r = segment_read_note(s, &p->note, &e);
    if (r == -EBADMSG)
        log_warning("%s/%s is damaged (%s): it is made anew", w->store->dir, name, e.msg);
    if (r < 0) {
        s->fd = -1;
        return -ENOENT;
    }
    (void)steal_fd(&fd);
    return 0;
}

static int do_job(struct workers *w, struct part *p, struct segment *s, struct err *e) {
    char name[STORE_NAME_LEN + 1];
    int r = name_part(w, p, name, e);

    s->fd = -1;
    if (r < 0)
        return r;
    if (find_part(w, p, name, s) == 0) {
        log_debug("%s: %s has not changed: its part %.12s was made before", p->location, p->source, name);
        return 0;
    }
    log_debug("%s: %s is unpacked and compressed: there is no part %.12s yet, of %s", p->location, p->source, name,
              p->key);
    buf_reset(&p->note);
    return make_part(w, p, name, s, e);
}

/* The next part with a key, or the plan's length: nothing is left to do. Waits for the one who takes them. */
static size_t next_job(struct workers *w) {
    while (!w->stop && w->next < w->plan->len) {
        if (w->next >= w->taken + WORKERS_AHEAD) {
            (void)pthread_cond_wait(&w->changed, &w->lock);
            continue;
        }
        size_t i = w->next++;
        if (w->plan->v[i].key)
            return i;
    }
    return w->plan->len;
}

static void *work(void *data) {
    struct workers *w = data;
    size_t i;

    (void)pthread_mutex_lock(&w->lock);
    while ((i = next_job(w)) < w->plan->len) {
        struct job *job = &w->jobs[i];
        (void)pthread_mutex_unlock(&w->lock);
        int status = do_job(w, &w->plan->v[i], &job->segment, &job->err);
        (void)pthread_mutex_lock(&w->lock);
        job->status = status;
        job->done = true;
        w->stop = w->stop || status < 0;
        (void)pthread_cond_broadcast(&w->changed);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

int workers_start(const struct build *b, struct plan *plan, const struct store *store, struct workers **out,
                  struct err *e) {
    AUTO_WORKERS struct workers *w = calloc(1, sizeof(*w));

    if (!w || !(w->jobs = calloc(plan->len + 1, sizeof(*w->jobs))))
        return err_errno(e, -ENOMEM, "could not start the build");
    w->build = b;
    w->plan = plan;
    w->store = store;
    for (size_t i = 0; i < plan->len; i++)
        w->jobs[i].segment.fd = -1;
    (void)dl_iterate_phdr(find_build_id, w->program);
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->changed, NULL);
    for (; w->threads_len < WORKERS; w->threads_len++) {
        int r = pthread_create(&w->threads[w->threads_len], NULL, work, w);
        if (r)
            return err_errno(e, -r, "could not start a thread");
    }
    *out = steal_ptr(&w);
    return 0;
}

/* After a failure parts may never come: the first that failed is the answer. */
static struct job *failed_job(struct workers *w) {
    for (size_t i = 0; i < w->plan->len; i++)
        if (w->jobs[i].done && w->jobs[i].status < 0)
            return &w->jobs[i];
    return NULL;
}

int workers_take(struct workers *w, size_t i, struct segment *s, struct err *e) {
    struct job *job = &w->jobs[i], *failed;

    *s = (struct segment){.fd = -1};
    (void)pthread_mutex_lock(&w->lock);
    w->taken = i;
    (void)pthread_cond_broadcast(&w->changed);
    while (!job->done && !(failed = failed_job(w)))
        (void)pthread_cond_wait(&w->changed, &w->lock);
    if (!job->done)
        job = failed;
    int r = job->status;
    (void)pthread_mutex_unlock(&w->lock);
    if (r < 0)
        return err_set(e, r, "%s", job->err.msg);
    *s = job->segment;
    job->segment.fd = -1;
    return 0;
}

void workers_stop(struct workers *w) {
    (void)pthread_mutex_lock(&w->lock);
    w->stop = true;
    (void)pthread_cond_broadcast(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->threads_len; i++)
        (void)pthread_join(w->threads[i], NULL);
    for (size_t i = 0; w->jobs && i < w->plan->len; i++)
        if (w->jobs[i].segment.fd >= 0)
            (void)close(w->jobs[i].segment.fd);
    (void)pthread_mutex_destroy(&w->lock);
    (void)pthread_cond_destroy(&w->changed);
    free(w->jobs);
    free(w);
}
