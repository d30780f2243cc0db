/* An entry is one file: a header, everything that the object depends on (a key for each of its functions), the object.
 * It has a name by each key, a hash of it, and the whole key is compared, so that equal hashes do no harm. Entries are
 * written under another name and renamed: a reader sees all of one or nothing; a checksum finds what a full disk or a
 * crash left. */
#include "compiler/jit/cache.h"

#include "runtime/files.h"

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum { LARGEST = 256 << 20, TRIM_SECONDS = 600 };

typedef struct {
    char magic[8];
    uint64_t nkeys, key_bytes, object_bytes; /* keys: the length of each in front of it, zeros up to a multiple of 16 */
    uint64_t checksum;                       /* of all the others and what is behind them */
    uint64_t zero;
} Header;

static const char magic[8] = "nncobj3";

char *cache_folder(void) {
    const char *own = getenv("NNC_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    Str path = {0};
    RtError error;
    if (own && *own)
        str_add(&path, "%s", own);
    else if (xdg && *xdg == '/')
        str_add(&path, "%s/nnc", xdg);
    else if (home && *home == '/')
        str_add(&path, "%s/.cache/nnc", home);
    else
        return NULL;
    if (rt_mkdirs(path.at, &error)) return path.at;
    vec_free(&path);
    return NULL;
}

/* The linker's hash of all of a file stands among the notes, near its beginning. */
bool cache_file_identity(const char *path, Str *key) {
    _Alignas(8) char bytes[8192];
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;
    if (f) fclose(f);
    const ElfW(Ehdr) *head = (const ElfW(Ehdr) *)bytes;
    if (n < sizeof *head || head->e_phoff + head->e_phnum * sizeof(ElfW(Phdr)) > n) return false;
    const ElfW(Phdr) *p = (const ElfW(Phdr) *)(bytes + head->e_phoff);
    for (int i = 0; i < head->e_phnum; i++) {
        size_t at = p[i].p_offset, end = MIN(at + p[i].p_filesz, n);
        while (p[i].p_type == PT_NOTE && at + sizeof(ElfW(Nhdr)) <= end) {
            const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)(bytes + at);
            size_t id = at + sizeof *note + ((note->n_namesz + 3) & ~3u);
            at = id + ((note->n_descsz + 3) & ~3u);
            if (note->n_type != NT_GNU_BUILD_ID || at > end) continue;
            str_put(key, bytes + id, note->n_descsz);
            return true;
        }
    }
    return false;
}

static char *entry_path(const char *folder, const Str *key) {
    Str path = {0};
    str_add(&path, "%s/%016llx.o", folder, (unsigned long long)hash_bytes(key->at, key->len));
    return path.at;
}

static uint64_t checksum(const Header *h, const char *keys, const char *object) {
    const Header all = {.nkeys = h->nkeys, .key_bytes = h->key_bytes, .object_bytes = h->object_bytes};
    uint64_t sum = crc32_z(crc32_z(0, NULL, 0), (const unsigned char *)&all, sizeof all);
    sum = crc32_z(sum, (const unsigned char *)keys, h->key_bytes);
    return crc32_z(sum, (const unsigned char *)object, h->object_bytes);
}

/* ---- finding ---- */

/* What stands in `bytes`: whether that is a whole entry. */
static bool read_entry(const char *bytes, size_t size, CacheEntry *e) {
    Header h;
    if (size < sizeof h) return false;
    memcpy(&h, bytes, sizeof h);
    size_t rest = size - sizeof h;
    if (memcmp(h.magic, magic, sizeof magic) != 0 || h.zero || h.nkeys > CACHE_KEYS || h.key_bytes > rest ||
        h.object_bytes != rest - h.key_bytes)
        return false;
    const char *at = bytes + sizeof h;
    e->object = at + h.key_bytes;
    e->size = h.object_bytes;
    if (checksum(&h, at, e->object) != h.checksum) return false;
    for (e->nkeys = 0; e->nkeys < h.nkeys; e->nkeys++) {
        uint64_t length;
        if ((size_t)(e->object - at) < sizeof length) return false;
        memcpy(&length, at, sizeof length);
        at += sizeof length;
        if (length > (size_t)(e->object - at)) return false;
        e->keys[e->nkeys].at = (char *)(uintptr_t)at;
        e->keys[e->nkeys].len = length;
        at += length;
    }
    return true;
}

static bool has_key(const CacheEntry *e, const Str *key) {
    for (size_t i = 0; i < e->nkeys; i++)
        if (e->keys[i].len == key->len && memcmp(e->keys[i].at, key->at, key->len) == 0) return true;
    return false;
}

CacheEntry cache_find(const char *folder, const Str *key) {
    char *path = entry_path(folder, key);
    RtError error;
    size_t size;
    CacheEntry e = {.bytes = rt_file_read(path, LARGEST, &size, &error)};
    if (e.bytes && read_entry(e.bytes, size, &e) && has_key(&e, key)) {
        utimensat(AT_FDCWD, path, NULL, 0); /* used now: the last to be trimmed */
    } else {
        free(e.bytes);
        e = (CacheEntry){0};
    }
    free(path);
    return e;
}

/* ---- keeping ---- */

static void write_entry(const char *path, const Header *h, const char *keys, const char *object) {
    Str temp = {0};
    str_add(&temp, "%s.XXXXXX", path);
    int fd = mkstemp(temp.at);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "wb");
    if (f) {
        bool ok = fwrite(h, sizeof *h, 1, f) == 1 && fwrite(keys, h->key_bytes, 1, f) == 1 &&
                  fwrite(object, h->object_bytes, 1, f) == 1;
        ok = fclose(f) == 0 && ok;
        if (!ok || rename(temp.at, path) != 0) unlink(temp.at);
    }
    vec_free(&temp);
}

/* One more name for an entry. Not every file system has that. */
static bool link_entry(const char *entry, const char *path) {
    Str temp = {0};
    str_add(&temp, "%s.%d", path, (int)getpid());
    bool ok = link(entry, temp.at) == 0 && rename(temp.at, path) == 0;
    unlink(temp.at); /* still there where both are the same entry already */
    vec_free(&temp);
    return ok;
}

void cache_keep(const char *folder, const Str *const *keys, size_t n, const char *object, size_t size) {
    Str all = {0};
    for (size_t i = 0; i < n; i++) {
        str_put(&all, (const char *)&(uint64_t){keys[i]->len}, sizeof(uint64_t));
        str_put(&all, keys[i]->at, keys[i]->len);
    }
    while (all.len % 16) str_put(&all, "", 1);
    Header h = {.nkeys = n, .key_bytes = all.len, .object_bytes = size};
    memcpy(h.magic, magic, sizeof magic);
    h.checksum = checksum(&h, all.at, object);
    char *first = entry_path(folder, keys[0]);
    for (size_t i = 0; i < n; i++) {
        char *path = entry_path(folder, keys[i]);
        if (i == 0 || !link_entry(first, path)) write_entry(path, &h, all.at, object);
        free(path);
    }
    free(first);
    vec_free(&all);
}

/* ---- trimming ---- */

typedef struct {
    char *path;
    int64_t bytes, used; /* when, in nanoseconds */
} Entry;

static int older_first(const void *a, const void *b) {
    const Entry *x = a, *y = b;
    return (x->used > y->used) - (x->used < y->used);
}

/* The names of entries, whole or not, and no others: the folder is the user's choice. */
static bool is_entry(const char *name) {
    return strspn(name, "0123456789abcdef") == 16 && strncmp(name + 16, ".o", 2) == 0;
}

void cache_trim(const char *folder, int64_t limit) {
    DIR *dir = opendir(folder);
    if (!dir) return;
    VEC(Entry) list = {0};
    int64_t total = 0;
    for (struct dirent *d; (d = readdir(dir));) {
        Str path = {0};
        struct stat s;
        str_add(&path, "%s/%s", folder, d->d_name);
        if (!is_entry(d->d_name) || stat(path.at, &s) != 0 || !S_ISREG(s.st_mode)) {
            vec_free(&path);
            continue;
        }
        int64_t bytes = s.st_size / (int64_t)s.st_nlink; /* each of its names is listed */
        vec_push(&list, (Entry){path.at, bytes, s.st_mtim.tv_sec * 1000000000LL + s.st_mtim.tv_nsec});
        total += bytes;
    }
    closedir(dir);
    if (total > limit) qsort(list.at, list.len, sizeof *list.at, older_first);
    for (size_t i = 0; i < list.len; i++) {
        if (total > limit && unlink(list.at[i].path) == 0) total -= list.at[i].bytes;
        free(list.at[i].path);
    }
    vec_free(&list);
}

bool cache_trim_due(const char *folder) {
    Str path = {0};
    struct stat s;
    str_add(&path, "%s/trimmed", folder);
    int64_t age = stat(path.at, &s) == 0 ? (int64_t)time(NULL) - s.st_mtim.tv_sec : TRIM_SECONDS;
    bool due = age < -1 || age >= TRIM_SECONDS; /* a file system's clock may be in the next second already */
    int fd = due ? open(path.at, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (fd >= 0) {
        futimens(fd, NULL);
        close(fd);
    }
    vec_free(&path);
    return due;
}
