/* links: nnc_lang golden */
/* The formatter: layouts against golden files; and of every program at hand that formatting keeps its tree and its
 * comments, and that formatting twice is formatting once. */
#include "lang/format.h"
#include "tests/golden/golden.h"

#include <criterion/criterion.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>

static void layout(Nnc *nnc, uint32_t file, FILE *out) {
    size_t len;
    const char *text = format_source(nnc, file, &len);
    if (text) fwrite(text, 1, len, out);
}

Test(golden, format) { golden_run("format", layout); }

/* ---- what never changes ---- */

/* The tree as --dump=ast shows it, then the comments in order. */
static char *content(Nnc *nnc, uint32_t file) {
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    const AstFile *f = parse_file(nnc, file);
    ast_dump(f, out);
    for (int i = 0; i < f->comments.len; i++) {
        Span at = f->comments.at[i];
        fprintf(out, "%.*s\n", (int)(at.end - at.begin), nnc->sources.files.at[file]->text + at.begin);
    }
    fclose(out);
    return text;
}

static uint32_t add(Nnc *nnc, const char *text, size_t len) {
    return source_add(&nnc->sources, nnc->arena, "t.nn", text, len);
}

/* Formats `file`, which has no errors, and checks all that holds of the result. */
static const char *check(Nnc *nnc, uint32_t file, const char *path) {
    size_t len = 0, len2 = 0;
    const char *text = format_source(nnc, file, &len), *text2;
    cr_assert(text, "%s is not formatted", path);
    uint32_t again = add(nnc, text, len);
    text2 = format_source(nnc, again, &len2);
    cr_assert(text2, "%s formatted cannot be read", path);
    cr_expect_str_eq(text2, text, "%s: formatting twice is not formatting once", path);
    cr_expect_eq(len2, strlen(text2));
    char *before = content(nnc, file), *after = content(nnc, again);
    cr_expect_str_eq(after, before, "%s says something else, formatted", path);
    cr_expect(len > 0 && text[len - 1] == '\n' && (len == 1 || text[len - 2] != '\n'), "%s: its end", path);
    cr_expect_null(strstr(text, " \n"), "%s: a space ends a line", path);
    cr_expect_null(strstr(text, "\n\n\n"), "%s: two empty lines", path);
    free(before);
    free(after);
    return text;
}

/* Checks every program below `folder` that can be parsed; `formatted`: it must already be laid out so. Returns how
 * many. */
static int check_folder(const char *folder, bool formatted) {
    char path[] = NNC_SOURCE_DIR "/................................";
    snprintf(path, sizeof path, "%s/%s", NNC_SOURCE_DIR, folder);
    char *roots[] = {path, NULL};
    FTS *files = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    int n = 0;
    for (FTSENT *e; files && (e = fts_read(files));) {
        if (e->fts_info != FTS_F || e->fts_namelen < 4 || strcmp(e->fts_name + e->fts_namelen - 3, ".nn") != 0)
            continue;
        Nnc *nnc = nnc_new();
        uint32_t file = source_read(nnc, e->fts_path, (Span){0});
        if (file) parse_file(nnc, file);
        if (file && !nnc->diags.errors) {
            const char *text = check(nnc, file, e->fts_path);
            if (formatted) cr_expect_str_eq(text, nnc->sources.files.at[file]->text, "nnc fmt changes %s", e->fts_path);
            n++;
        }
        nnc_free(nnc);
    }
    if (files) fts_close(files);
    return n;
}

Test(programs, of_the_library) { cr_expect(check_folder("stdlib", true) > 10); }
Test(programs, of_the_examples) { cr_expect(check_folder("examples", true) > 3); }
Test(programs, of_the_tests) { cr_expect(check_folder("tests/golden", false) > 10); }
Test(programs, of_the_comparison) { cr_expect(check_folder("bench", true) > 3); }

/* ---- hard cases ---- */

static void expect(const char *text, const char *want) {
    Nnc *nnc = nnc_new();
    cr_expect_str_eq(check(nnc, add(nnc, text, strlen(text)), text), want);
    nnc_free(nnc);
}

Test(format, small_files) {
    expect("\n  \n", "\n");
    expect("#", "#\n");
    expect("\xEF\xBB\xBFlet a=1\r\n\r\n\r\nlet b=2", "let a = 1\n\nlet b = 2\n");
    expect(";;; ## not of a\nlet a=1", ";  ## not of a\nlet a = 1\n");
    expect("## of ;\n;let a=1", "## of ;\n;\nlet a = 1\n");
    expect("fn f(x) {\n x;;\n ;\n}\n;;", "fn f(x) {\n    x\n}\n");
    expect("fn f(){;}", "fn f() { }\n");
}

/* A deep program keeps the stack and the time within bounds; its lines are as wide as they must be. */
static void expect_deep(const char *before, const char *part, int n, const char *middle, const char *after) {
    Str text = {0};
    str_add(&text, "%s", before);
    for (int i = 0; i < n; i++) str_add(&text, "%s", part);
    str_add(&text, "%s", middle);
    for (int i = 0; i < n; i++) str_add(&text, "%s", after);
    Nnc *nnc = nnc_new();
    check(nnc, add(nnc, text.at, text.len), part);
    nnc_free(nnc);
    vec_free(&text);
}

Test(format, deep_programs) {
    expect_deep("let a = ", "f(x, ", 600, "1", ")");
    expect_deep("let a = ", "(", 600, "1", ")");
    expect_deep("let a = 1", " + x", 1500, "", "");
    expect_deep("let a = 1", "\n|> f", 1500, "", "");
    expect_deep("let a = ", "if c then 1 else ", 1500, "1", "");
    expect_deep("let a = ", "fn(x) { return ", 300, "1", "}");
    expect_deep("fn f() {\n if c { }", " else if c { x }", 1500, "\n}", "");
    expect_deep("let a = ", "# c\n", 1, "[\n1,", "# d\n]");
}
