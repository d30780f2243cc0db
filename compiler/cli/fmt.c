/* nnc fmt: lays out files in place. A file that would not change is not touched; nor is one with syntax errors. */
#include "compiler/cli/cli.h"

#include "lang/format.h"
#include "runtime/files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Replaces the file that `path` leads to, whose permissions stay. */
static bool replace(const char *path, const char *text, size_t len) {
    RtError e = {0};
    RtReplace r;
    struct stat st;
    char *target = realpath(path, NULL);
    bool good = rt_replace_begin(&r, target ? target : path, &e);
    if (good) {
        if (stat(path, &st) == 0 && fchmod(fileno(r.file), st.st_mode & 07777) != 0) clearerr(r.file);
        fwrite(text, 1, len, r.file); /* commit sees the stream's error */
        good = rt_replace_commit(&r, &e);
    }
    if (!good) fprintf(stderr, "error: %s\n", e.text);
    free(target);
    return good;
}

/* Formats one file, or tells its name where it would change. */
static int format_file(const char *path, bool check) {
    Nnc *nnc = nnc_new();
    uint32_t file = source_read(nnc, path, (Span){0});
    size_t len = 0;
    const char *text = file ? format_source(nnc, file, &len) : NULL;
    int status = 1;
    if (text) {
        const Source *s = nnc->sources.files.at[file];
        bool changes = len != s->len || memcmp(text, s->text, len) != 0;
        if (changes && check) puts(path);
        status = changes && (check || !replace(path, text, len));
    }
    diag_print(nnc, stderr, isatty(2) && !getenv("NO_COLOR"));
    nnc_free(nnc);
    return status;
}

int run_fmt(CommandLine *l) {
    int status = 0;
    for (int i = 0; i < l->npositional; i++) status |= format_file(l->positional[i], l->check);
    return status;
}
