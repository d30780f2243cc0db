/* nnc doc: what files declare, as Markdown; without a file, the standard library, a table for each of its folders. */
#include "compiler/cli/cli.h"

#include "lang/doc.h"
#include "stdlib/stdlib.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int finish(Nnc *nnc) {
    int status = nnc->diags.errors > 0;
    diag_print(nnc, stderr, isatty(2) && !getenv("NO_COLOR"));
    nnc_free(nnc);
    return status;
}

static int print_file(const char *path) {
    Nnc *nnc = nnc_new();
    uint32_t file = source_read(nnc, path, (Span){0});
    AstFile *tree = file ? parse_file(nnc, file) : NULL;
    if (tree && !nnc->diags.errors) {
        printf("# %s\n\n", path);
        doc_head(stdout);
        doc_rows(nnc, tree, stdout);
    }
    return finish(nnc);
}

static int print_library(void) {
    Nnc *nnc = nnc_new();
    const char *folder = "";
    size_t n = 0;
    printf("# The standard library\n\n"
           "Every declaration, by folder and file; written by `nnc doc` from the files' `##` comments.\n");
    for (const StdlibFile *f = stdlib_files; f->path; f++) {
        uint32_t file = source_add(&nnc->sources, nnc->arena, f->path, f->text, f->len);
        if (strncmp(f->path, folder, n) != 0 || f->path[n] != '/') {
            n = strcspn(f->path, "/");
            printf("\n## %.*s\n\n", (int)n, folder = f->path);
            doc_head(stdout);
        }
        doc_rows(nnc, parse_file(nnc, file), stdout);
    }
    return finish(nnc);
}

int run_doc(CommandLine *l) {
    if (!l->npositional) return print_library();
    int status = 0;
    for (int i = 0; i < l->npositional; i++) {
        if (i) putchar('\n');
        status |= print_file(l->positional[i]);
    }
    return status;
}
