/* An entry is one file: a header, everything that the object depends on (the key), the object. Its name is a hash of
 * the key, and the whole key is compared, so that equal hashes do no harm. Entries are written under another name and
 * renamed: a reader sees all of one or nothing; a checksum finds what a full disk or a crash left. */
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
    uint64_t key_bytes, object_bytes;
    uint64_t checksum; /* of the object */
} Header;

static const char magic[8] = "nncobj2";

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

static uint64_t checksum(const char *bytes, size_t n) {
    return crc32_z(crc32_z(0, NULL, 0), (const unsigned char *)bytes, n);
}

/* The object inside a file's bytes; NULL where they are not a whole entry of this key. */
static const char *object_in(const char *bytes, size_t size, const Str *key, size_t *object_bytes) {
    Header h;
    if (size < sizeof h) return NULL;
    memcpy(&h, bytes, sizeof h);
    if (memcmp(h.magic, magic, sizeof magic) != 0 || h.key_bytes != key->len || size < sizeof h + key->len ||
        h.object_bytes != size - sizeof h - key->len || memcmp(bytes + sizeof h, key->at, key->len) != 0)
        return NULL;
    const char *object = bytes + sizeof h + key->len;
    *object_bytes = h.object_bytes;
    return checksum(object, h.object_bytes) == h.checksum ? object : NULL;
}

char *cache_find(const char *folder, const Str *key, size_t *size) {
    char *path = entry_path(folder, key), *found = NULL;
    RtError error;
    size_t all;
    char *bytes = rt_file_read(path, LARGEST, &all, &error);
    const char *object = bytes ? object_in(bytes, all, key, size) : NULL;
    if (object) {
        found = memcpy(xcalloc(*size, 1), object, *size);
        utimensat(AT_FDCWD, path, NULL, 0); /* used now: the last to be trimmed */
    }
    free(bytes);
    free(path);
    return found;
}

void cache_keep(const char *folder, const Str *key, const char *object, size_t size) {
    Str temp = {0};
    char *path = entry_path(folder, key);
    Header h = {.key_bytes = key->len, .object_bytes = size, .checksum = checksum(object, size)};
    memcpy(h.magic, magic, sizeof magic);
    str_add(&temp, "%s.XXXXXX", path);
    int fd = mkstemp(temp.at);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "wb");
    if (f) {
        bool ok =
            fwrite(&h, sizeof h, 1, f) == 1 && fwrite(key->at, key->len, 1, f) == 1 && fwrite(object, size, 1, f) == 1;
        ok = fclose(f) == 0 && ok;
        if (!ok || rename(temp.at, path) != 0) unlink(temp.at);
    }
    vec_free(&temp);
    free(path);
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

void cache_trim(const char *folder, int64_t limit) {
    DIR *dir = opendir(folder);
    if (!dir) return;
    VEC(Entry) list = {0};
    int64_t total = 0;
    for (struct dirent *d; (d = readdir(dir));) {
        Str path = {0};
        struct stat s;
        str_add(&path, "%s/%s", folder, d->d_name);
        if (!strstr(d->d_name, ".o") || stat(path.at, &s) != 0 || !S_ISREG(s.st_mode)) {
            vec_free(&path);
            continue;
        }
        vec_push(&list, (Entry){path.at, s.st_size, s.st_mtim.tv_sec * 1000000000LL + s.st_mtim.tv_nsec});
        total += s.st_size;
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
    int64_t age = stat(path.at, &s) == 0 ? (int64_t)time(NULL) - s.st_mtim.tv_sec : -1;
    bool due = age < 0 || age >= TRIM_SECONDS;
    int fd = due ? open(path.at, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (fd >= 0) {
        futimens(fd, NULL);
        close(fd);
    }
    vec_free(&path);
    return due;
}
