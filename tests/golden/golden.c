#include "tests/golden/golden.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The whole of a file; a file that does not exist is empty. */
static Str read_file(const char *path) {
    Str text = {0};
    char part[1 << 14];
    FILE *f = fopen(path, "rb");
    for (size_t n; f && (n = fread(part, 1, sizeof part, f)) > 0;) str_put(&text, part, n);
    if (f) fclose(f);
    str_put(&text, "", 0);
    return text;
}

static void write_file(const char *path, const char *text, size_t len) {
    if (len == 0) {
        cr_assert(unlink(path) == 0 || errno == ENOENT, "cannot remove %s", path);
        return;
    }
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(text, 1, len, f) == len && fclose(f) == 0, "cannot write %s", path);
}

static int first_difference(const char *a, const char *b) {
    int line = 1;
    for (; *a && *a == *b; a++, b++) line += *a == '\n';
    return line;
}

/* Compares `text` with the file STEM.SUFFIX, or writes it there. */
static void check(const char *stem, const char *suffix, const char *text, size_t len) {
    Str path = {0};
    str_add(&path, "%s.%s", stem, suffix);
    const char *regenerate = getenv("NNC_REGENERATE");
    if (regenerate && *regenerate) {
        write_file(path.at, text, len);
    } else {
        Str want = read_file(path.at);
        cr_expect(strcmp(want.at, text) == 0, "%s differs from line %d on; the result is\n%s", path.at,
                  first_difference(want.at, text), text);
        vec_free(&want);
    }
    vec_free(&path);
}

static void run_one(const char *folder, const char *name, GoldenStage *stage) {
    Str path = {0};
    str_add(&path, "%s/%s", folder, name);
    Str source = read_file(path.at);
    char *out = NULL, *err = NULL;
    size_t out_len = 0, err_len = 0;
    FILE *out_file = open_memstream(&out, &out_len), *err_file = open_memstream(&err, &err_len);

    Nnc *nnc = nnc_new();
    stage(nnc, source_add(&nnc->sources, nnc->arena, name, source.at, source.len), out_file);
    diag_print(nnc, err_file, false);
    nnc_free(nnc);
    fclose(out_file);
    fclose(err_file);

    path.at[path.len - strlen(".nn")] = 0;
    check(path.at, "expect", out, out_len);
    check(path.at, "err", err, err_len);
    free(out);
    free(err);
    vec_free(&source);
    vec_free(&path);
}

static int is_program(const struct dirent *entry) {
    size_t len = strlen(entry->d_name);
    return len > 3 && strcmp(entry->d_name + len - 3, ".nn") == 0;
}

void golden_run(const char *folder, GoldenStage *stage) {
    Str path = {0};
    struct dirent **entries = NULL;
    str_add(&path, "%s/tests/golden/%s", NNC_SOURCE_DIR, folder);
    int n = scandir(path.at, &entries, is_program, alphasort);
    cr_assert(n > 0, "no programs in %s", path.at);
    for (int i = 0; i < n; i++) {
        run_one(path.at, entries[i]->d_name, stage);
        free(entries[i]);
    }
    free(entries);
    vec_free(&path);
}
