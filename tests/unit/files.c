/* links: nnc_rt */
/* A folder for one process, and what is cleared away in it. */
#include "runtime/files.h"
#include "runtime/sha256.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void touch(const char *folder, const char *name) {
    char path[512];
    RtError e;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    cr_assert(rt_file_replace(path, "x", 1, &e), "%s", e.text);
}

static bool exists(const char *folder, const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

Test(files, a_folder_is_locked_once) {
    char folder[] = "/tmp/rt-files-XXXXXX", command[64];
    RtError e = {.number = 0};
    cr_assert_not_null(mkdtemp(folder));
    int lock = rt_lock_folder(folder, &e);
    cr_assert(lock >= 0, "%s", e.text);
    cr_expect(rt_lock_folder(folder, &e) < 0);
    char number[32];
    snprintf(number, sizeof number, "process %ld", (long)getpid());
    cr_expect_not_null(strstr(e.text, number), "%s", e.text);
    rt_unlock_folder(lock);
    lock = rt_lock_folder(folder, &e);
    cr_expect(lock >= 0, "free again: %s", e.text);
    rt_unlock_folder(lock);
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_assert(system(command) == 0);
    cr_expect(rt_lock_folder(folder, &e) < 0);
    cr_expect_not_null(strstr(e.text, folder), "%s", e.text);
}

Test(files, remains_of_killed_processes_are_removed) {
    static const char *const remains[] = {"w.safetensors.123-0.tmp", "log.jsonl.4-15.tmp"};
    static const char *const others[] = {"w.safetensors", "a.tmp", "123-0.tmp", "w.12a-0.tmp", ".tmp", "w.123-0.tmpx"};
    char folder[] = "/tmp/rt-files-XXXXXX", command[64];
    RtError e = {.number = 0};
    cr_assert_not_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof remains / sizeof *remains; i++) touch(folder, remains[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) touch(folder, others[i]);
    int lock = rt_lock_folder(folder, &e);
    cr_assert(lock >= 0, "%s", e.text);
    for (size_t i = 0; i < sizeof remains / sizeof *remains; i++)
        cr_expect(!exists(folder, remains[i]), "%s", remains[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) cr_expect(exists(folder, others[i]), "%s", others[i]);
    rt_unlock_folder(lock);
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_assert(system(command) == 0);
}

Test(files, hashes_on_a_thread_are_those_of_the_files) {
    char folder[] = "/tmp/rt-files-XXXXXX", path[64], missing[64], command[64];
    char texts[3][RT_SHA256_TEXT], text[RT_SHA256_TEXT];
    RtError e = {.number = 0};
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/abc", folder);
    snprintf(missing, sizeof missing, "%s/missing", folder);
    cr_assert(rt_file_replace(path, "abc", 3, &e), "%s", e.text);
    RtHashing *h = rt_hashing_start((const char *const[]){path, missing, folder}, 3);
    cr_assert_not_null(h);
    rt_hashing_end(h, texts);
    cr_expect_str_eq(texts[0], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); /* FIPS 180-2 */
    cr_expect_str_eq(texts[1], "");
    cr_assert(rt_sha256_path(folder, text, &e), "%s", e.text);
    cr_expect_str_eq(texts[2], text);
    rt_hashing_end(rt_hashing_start((const char *const[]){path}, 1), NULL);
    rt_hashing_end(NULL, texts);
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_assert(system(command) == 0);
}
