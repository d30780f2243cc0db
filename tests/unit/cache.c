/* links: nnc_linked */
/* Objects kept on disk: found by their keys, whole or not at all, and trimmed. */
#include "compiler/jit/cache.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static Str key_of(const char *text) {
    Str key = {0};
    str_put(&key, text, strlen(text));
    return key;
}

static void keep_all(const char *folder, const char *const *keys, size_t n, const char *object) {
    Str k[CACHE_KEYS];
    const Str *each[CACHE_KEYS];
    for (size_t i = 0; i < n; i++) {
        k[i] = key_of(keys[i]);
        each[i] = &k[i];
    }
    cache_keep(folder, each, n, object, strlen(object));
    for (size_t i = 0; i < n; i++) vec_free(&k[i]);
}

static void keep(const char *folder, const char *key, const char *object) { keep_all(folder, &key, 1, object); }

static bool finds(const char *folder, const char *key, const char *object) {
    Str k = key_of(key);
    CacheEntry e = cache_find(folder, &k);
    bool same = e.bytes && e.size == strlen(object) && memcmp(e.object, object, e.size) == 0;
    cr_expect(!e.bytes || same, "another object is found under '%s'", key);
    free(e.bytes);
    vec_free(&k);
    return same;
}

static void path_of(const char *folder, const char *key, char *path, size_t n) {
    snprintf(path, n, "%s/%016llx.o", folder, (unsigned long long)hash_bytes(key, strlen(key)));
}

/* A folder of the test's own. */
typedef struct {
    char path[32];
} Folder;

static Folder new_folder(void) {
    Folder f = {"/tmp/nnc-cache-XXXXXX"};
    cr_assert_not_null(mkdtemp(f.path));
    return f;
}

static void remove_folder(const Folder *f) {
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", f->path);
    cr_assert(system(command) == 0);
}

Test(cache, an_object_is_found_by_its_key) {
    Folder f = new_folder();
    cr_expect(!finds(f.path, "a", "1234"));
    keep(f.path, "a", "1234");
    keep(f.path, "b", "5");
    cr_expect(finds(f.path, "a", "1234"));
    cr_expect(finds(f.path, "b", "5"));
    cr_expect(!finds(f.path, "c", "5"));
    keep(f.path, "a", "67");
    cr_expect(finds(f.path, "a", "67"), "replaced");
    remove_folder(&f);
}

Test(cache, an_object_is_found_by_each_of_its_keys) {
    Folder f = new_folder();
    static const char *const keys[] = {"first", "second, which is longer", "3", "4", "5", "6", "7", "8"};
    keep(f.path, keys[2], "old");
    keep_all(f.path, keys, CACHE_KEYS, "object");
    for (size_t i = 0; i < CACHE_KEYS; i++) {
        cr_expect(finds(f.path, keys[i], "object"), "%zu", i);
        Str k = key_of(keys[i]);
        CacheEntry e = cache_find(f.path, &k);
        cr_assert_eq(e.nkeys, CACHE_KEYS);
        cr_expect_eq((uintptr_t)(e.object - e.bytes) % 16, 0);
        for (size_t j = 0; j < e.nkeys; j++)
            cr_expect(e.keys[j].len == strlen(keys[j]) && memcmp(e.keys[j].at, keys[j], e.keys[j].len) == 0, "%zu", j);
        free(e.bytes);
        vec_free(&k);
    }
    keep(f.path, keys[1], "new"); /* one of its names now belongs to another */
    cr_expect(finds(f.path, keys[1], "new"));
    cr_expect(finds(f.path, keys[0], "object"));
    remove_folder(&f);
}

/* What a hash alone would mistake for it. */
Test(cache, a_file_without_the_key_is_not_its_entry) {
    Folder f = new_folder();
    char from[128], to[128];
    keep(f.path, "a", "1234");
    path_of(f.path, "a", from, sizeof from);
    path_of(f.path, "b", to, sizeof to);
    cr_assert(rename(from, to) == 0);
    cr_expect(!finds(f.path, "b", "1234"));
    remove_folder(&f);
}

Test(cache, damage_is_noticed_wherever_it_is) {
    Folder f = new_folder();
    char path[128];
    path_of(f.path, "key", path, sizeof path);
    keep(f.path, "key", "object");
    struct stat s;
    cr_assert(stat(path, &s) == 0);
    for (off_t at = 0; at <= s.st_size; at++) {
        keep(f.path, "key", "object");
        int fd = open(path, O_RDWR);
        char byte = 0;
        cr_assert(fd >= 0);
        if (at < s.st_size) {
            cr_assert(pread(fd, &byte, 1, at) == 1);
            byte ^= 4;
        }
        cr_assert(pwrite(fd, &byte, 1, at) == 1); /* at the end: one byte too many */
        cr_expect(!finds(f.path, "key", "object"), "byte %ld", (long)at);
        cr_assert(ftruncate(fd, at) == 0);
        cr_expect(finds(f.path, "key", "object") == (at == s.st_size), "%ld bytes of it", (long)at);
        close(fd);
    }
    remove_folder(&f);
}

static void set_used(const char *folder, const char *key, time_t when) {
    char path[128];
    path_of(folder, key, path, sizeof path);
    cr_assert(utimensat(AT_FDCWD, path, (struct timespec[]){{when, 0}, {when, 0}}, 0) == 0);
}

Test(cache, those_used_longest_ago_go_first) {
    Folder f = new_folder();
    static const char *const keys[] = {"a", "b", "c"};
    char object[1001] = "", path[128];
    memset(object, 'x', 1000);
    for (int i = 0; i < 3; i++) {
        keep(f.path, keys[i], object);
        set_used(f.path, keys[i], 1000 + i);
    }
    cr_expect(finds(f.path, "a", object)); /* used now */
    struct stat s;
    path_of(f.path, "a", path, sizeof path);
    cr_assert(stat(path, &s) == 0);
    cache_trim(f.path, 3 * s.st_size);
    set_used(f.path, "b", 1001);
    for (int i = 0; i < 3; i++) {
        path_of(f.path, keys[i], path, sizeof path);
        cr_expect(access(path, F_OK) == 0, "%s fits", keys[i]);
    }
    cache_trim(f.path, 3 * s.st_size - 1);
    cr_expect(!finds(f.path, "b", object));
    cr_expect(finds(f.path, "a", object));
    cr_expect(finds(f.path, "c", object));
    remove_folder(&f);
}

Test(cache, an_object_of_many_keys_takes_its_room_once) {
    Folder f = new_folder();
    static const char *const keys[] = {"a", "b", "c"};
    char object[1001] = "", path[128];
    memset(object, 'x', 1000);
    keep_all(f.path, keys, 3, object);
    path_of(f.path, "a", path, sizeof path);
    struct stat s;
    cr_assert(stat(path, &s) == 0);
    cache_trim(f.path, s.st_size);
    for (int i = 0; i < 3; i++) cr_expect(finds(f.path, keys[i], object), "%s fits", keys[i]);
    cache_trim(f.path, 0);
    for (int i = 0; i < 3; i++) cr_expect(!finds(f.path, keys[i], object), "%s is gone", keys[i]);
    remove_folder(&f);
}

/* The folder is one that the user names. */
Test(cache, what_is_no_entry_is_not_trimmed) {
    Folder f = new_folder();
    static const char *const names[] = {"main.o", "letter.odt", "0123456789abcde.o", "0123456789abcdef.c"};
    char path[128];
    keep(f.path, "key", "object");
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", f.path, names[i]);
        FILE *own = fopen(path, "w");
        cr_assert(own && fclose(own) == 0);
    }
    cache_trim(f.path, -1);
    cr_expect(!finds(f.path, "key", "object"));
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", f.path, names[i]);
        cr_expect(access(path, F_OK) == 0, "%s is gone", names[i]);
    }
    remove_folder(&f);
}

Test(cache, it_is_trimmed_now_and_then) {
    Folder f = new_folder();
    char path[128];
    cr_expect(cache_trim_due(f.path));
    cr_expect(!cache_trim_due(f.path));
    snprintf(path, sizeof path, "%s/trimmed", f.path);
    time_t now = time(NULL), times[] = {now - 300, now - 3000, now + 3000};
    for (int i = 0; i < 3; i++) {
        struct timespec when[] = {{times[i], 0}, {times[i], 0}};
        cr_assert(utimensat(AT_FDCWD, path, when, 0) == 0);
        cr_expect_eq(cache_trim_due(f.path), i > 0, "%d", i);
    }
    cr_expect(!cache_trim_due(f.path));
    remove_folder(&f);
}
