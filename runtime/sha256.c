#include "runtime/sha256.h"
#include "runtime/signals.h"
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void rt_sha256_begin(RtSha256 *h) { sha256_init(h); }
void rt_sha256_add(RtSha256 *h, const void *data, size_t size) { sha256_update(h, size, data); }
void rt_sha256_add_text(RtSha256 *h, const char *text) { rt_sha256_add(h, text, strlen(text) + 1); }

void rt_sha256_end(RtSha256 *h, char text[RT_SHA256_TEXT]) {
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(h, sizeof digest, digest);
    for (int i = 0; i < SHA256_DIGEST_SIZE; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

/* A regular file is mapped: it has been read just before, so that its pages are at hand. */
static bool add_file(RtSha256 *h, const char *path, RtError *e) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && fstat(fd, &st) == 0;
    if (good && st.st_size > 0) {
        size_t size = (size_t)st.st_size;
        void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        good = bytes != MAP_FAILED;
        if (good) rt_sha256_add(h, bytes, size);
        if (good) munmap(bytes, size);
    }
    if (!good) rt_fail_system(e, "%s: cannot be read", path);
    if (fd >= 0) close(fd);
    return good;
}

static int by_name(const FTSENT **a, const FTSENT **b) { return strcmp((*a)->fts_name, (*b)->fts_name); }

static bool add_folder(RtSha256 *h, const char *path, RtError *e) {
    char *const roots[] = {(char *)path, NULL};
    FTS *walk = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    bool good = walk != NULL || rt_fail_system(e, "%s: cannot be read", path);
    for (FTSENT *f; good && (f = fts_read(walk)) != NULL;) {
        bool hidden = f->fts_level > 0 && f->fts_name[0] == '.';
        if (hidden) fts_set(walk, f, FTS_SKIP);
        if (hidden || f->fts_info != FTS_F) continue;
        rt_sha256_add_text(h, f->fts_path + strlen(path));
        good = add_file(h, f->fts_accpath, e);
    }
    if (walk != NULL) fts_close(walk);
    return good;
}

bool rt_sha256_path(const char *path, char text[RT_SHA256_TEXT], RtError *e) {
    RtSha256 h;
    struct stat st;
    rt_sha256_begin(&h);
    bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    if (!(folder ? add_folder(&h, path, e) : add_file(&h, path, e))) return false;
    rt_sha256_end(&h, text);
    return true;
}

/* ---- on a thread of its own ---- */

struct RtHashing {
    pthread_t thread;
    size_t n;
    const char **paths;
    char (*texts)[RT_SHA256_TEXT];
};

static void *hash_all(void *hashing) {
    RtHashing *h = hashing;
    RtError ignored;
    for (size_t i = 0; i < h->n; i++)
        if (!rt_sha256_path(h->paths[i], h->texts[i], &ignored)) h->texts[i][0] = '\0';
    return NULL;
}

static void free_hashing(RtHashing *h) {
    free(h->paths);
    free(h->texts);
    free(h);
}

RtHashing *rt_hashing_start(const char *const *paths, size_t n) {
    RtHashing *h = calloc(1, sizeof *h);
    if (!h) return NULL;
    *h = (RtHashing){.n = n, .paths = calloc(n + 1, sizeof *h->paths), .texts = calloc(n + 1, sizeof *h->texts)};
    for (size_t i = 0; i < n && h->paths; i++) h->paths[i] = paths[i];
    if (h->paths && h->texts && rt_thread_start(&h->thread, hash_all, h)) return h;
    free_hashing(h);
    return NULL;
}

void rt_hashing_end(RtHashing *h, char (*texts)[RT_SHA256_TEXT]) {
    if (!h) return;
    pthread_join(h->thread, NULL);
    if (texts) memcpy(texts, h->texts, h->n * sizeof *texts);
    free_hashing(h);
}
