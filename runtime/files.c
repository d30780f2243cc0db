/* Whole reads, atomic replacement, folders. */
#include "runtime/files.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail_errno(RtError *e, const char *path, const char *what) {
    return rt_fail_system(e, "%s: %s", path, what);
}

/* Reads until the end into a buffer that grows: the size that stat() tells may be 0 (a pipe) or change meanwhile. */
static char *read_all(FILE *f, size_t room, size_t limit, size_t *size, const char *path, RtError *e) {
    char *text = malloc(room + 1);
    size_t used = 0;
    while (text != NULL) {
        used += fread(text + used, 1, room - used, f);
        if (used < room || used > limit) break;
        room *= 2;
        char *grown = realloc(text, room + 1);
        if (grown == NULL) free(text);
        text = grown;
    }
    if (text == NULL) {
        rt_fail(e, "%s: no memory for %zu bytes", path, room);
        return NULL;
    }
    if (ferror(f)) {
        fail_errno(e, path, "cannot be read");
    } else if (used > limit) {
        rt_fail(e, "%s: more than %zu bytes", path, limit);
    } else {
        text[used] = '\0';
        *size = used;
        return text;
    }
    free(text);
    return NULL;
}

char *rt_file_read(const char *path, size_t limit, size_t *size, RtError *e) {
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        fail_errno(e, path, "cannot be opened");
        return NULL;
    }
    struct stat st;
    char *text = NULL;
    if (fstat(fileno(f), &st) != 0 || S_ISDIR(st.st_mode)) {
        rt_fail(e, "%s: is a folder, not a file", path);
    } else if (st.st_size > 0 && (uintmax_t)st.st_size > limit) {
        rt_fail(e, "%s: more than %zu bytes", path, limit);
    } else {
        /* One byte more than expected, so that a file of the expected size is at its end after one read. */
        text = read_all(f, (st.st_size > 0 ? (size_t)st.st_size : 4096) + 1, limit, size, path, e);
    }
    fclose(f);
    return text;
}

bool rt_replace_begin(RtReplace *r, const char *path, RtError *e) {
    size_t room = strlen(path) + 32;
    *r = (RtReplace){.path = strdup(path), .temp = malloc(room)};
    if (r->path == NULL || r->temp == NULL) {
        rt_replace_abort(r);
        return rt_fail(e, "%s: no memory", path);
    }
    int fd = -1;
    for (unsigned attempt = 0; fd < 0 && attempt < 100; attempt++) { /* a crashed process may have left some behind */
        snprintf(r->temp, room, "%s.%ld-%u.tmp", path, (long)getpid(), attempt);
        fd = open(r->temp, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST) break;
    }
    if (fd >= 0) r->file = fdopen(fd, "wb");
    if (r->file != NULL) return true;
    fail_errno(e, path, "cannot be written");
    if (fd >= 0) {
        close(fd);
        unlink(r->temp);
    }
    rt_replace_abort(r);
    return false;
}

/* Makes the rename itself last. Some file systems cannot sync a folder; there is nothing more to do then. */
static void sync_folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    char *folder = slash == NULL ? strdup(".") : strndup(path, length);
    int fd = folder == NULL ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(folder);
}

static bool replace(RtReplace *r, bool wait, RtError *e) {
    bool written = fflush(r->file) == 0 && !ferror(r->file) && (!wait || fsync(fileno(r->file)) == 0);
    int reason = errno;
    if (fclose(r->file) != 0 && written) {
        written = false;
        reason = errno;
    }
    r->file = NULL;
    if (written && rename(r->temp, r->path) != 0) {
        written = false;
        reason = errno;
    }
    if (written) {
        if (wait) sync_folder_of(r->path);
        free(r->temp);
        r->temp = NULL; /* nothing left to remove */
    } else {
        errno = reason;
        fail_errno(e, r->path, "cannot be written");
    }
    rt_replace_abort(r);
    return written;
}

bool rt_replace_commit(RtReplace *r, RtError *e) { return replace(r, true, e); }
bool rt_replace_swap(RtReplace *r, RtError *e) { return replace(r, false, e); }

void rt_replace_abort(RtReplace *r) {
    if (r->file != NULL) fclose(r->file);
    if (r->temp != NULL) unlink(r->temp);
    free(r->temp);
    free(r->path);
    *r = (RtReplace){0};
}

bool rt_file_replace(const char *path, const void *data, size_t size, RtError *e) {
    RtReplace r;
    if (!rt_replace_begin(&r, path, e)) return false;
    fwrite(data, 1, size, r.file); /* commit sees the stream's error */
    return rt_replace_commit(&r, e);
}

bool rt_mkdirs(const char *path, RtError *e) {
    char *prefix = strdup(path);
    if (prefix == NULL) return rt_fail(e, "%s: no memory", path);
    bool good = true;
    for (char *p = prefix; good && *p != '\0'; p++) {
        if (p[1] != '/' && p[1] != '\0') continue;
        if (*p == '/') continue;
        char after = p[1];
        p[1] = '\0';
        struct stat st;
        good = mkdir(prefix, 0777) == 0 || (errno == EEXIST && stat(prefix, &st) == 0 && S_ISDIR(st.st_mode));
        if (!good && errno == EEXIST)
            rt_fail(e, "%s: a folder is to be made here, and there is a file of that name", prefix);
        else if (!good)
            rt_fail_system(e, "%s: cannot make this folder", prefix);
        p[1] = after;
    }
    free(prefix);
    return good;
}

/* ---- a folder for one process ---- */

/* Whether rt_replace_begin() has made that name: FILE.PID-ATTEMPT.tmp. */
static bool is_temporary(const char *name) {
    size_t length = strlen(name), k = length < 4 ? 0 : length - 4, digits = 0;
    if (k == 0 || strcmp(name + k, ".tmp") != 0) return false;
    while (k > 0 && name[k - 1] != '.') digits += strchr("0123456789-", name[--k]) != NULL;
    return k > 1 && digits >= 3 && k + digits + 4 == length;
}

static void remove_temporaries(const char *path) {
    DIR *folder = opendir(path);
    if (folder == NULL) return;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (is_temporary(entry->d_name)) unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
}

static bool lock_file(int fd, const char *path, RtError *e) {
    char text[32] = "";
    if (fd < 0) return rt_fail_system(e, "%s: nothing can be written there", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
        bool told = ftruncate(fd, 0) == 0 && write(fd, text, (size_t)n) == n;
        (void)told; /* the number is for messages only */
        return true;
    }
    if (errno != EWOULDBLOCK) return rt_fail_system(e, "%s: cannot be locked", path);
    ssize_t n = read(fd, text, sizeof text - 1);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    if (pid > 0) return rt_fail(e, "%s: another run, process %ld, is at work in this folder", path, pid);
    return rt_fail(e, "%s: another run is at work in this folder", path);
}

int rt_lock_folder(const char *path, RtError *e) {
    size_t room = strlen(path) + 8;
    char *name = malloc(room);
    if (name == NULL) return rt_fail(e, "%s: no memory", path), -1;
    snprintf(name, room, "%s/.lock", path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    free(name);
    if (lock_file(fd, path, e)) {
        remove_temporaries(path);
        return fd;
    }
    if (fd >= 0) close(fd);
    return -1;
}

void rt_unlock_folder(int lock) {
    if (lock >= 0) close(lock);
}
