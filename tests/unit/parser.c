/* links: nnc_lang golden */
/* The front of the front end: tokens, trees and syntax errors against golden files, and what no file shows well. */
#include "lang/ast.h"
#include "tests/golden/golden.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void tokens(Nnc *nnc, uint32_t file, FILE *out) { lex_dump(nnc, file, out); }

static void tree(Nnc *nnc, uint32_t file, FILE *out) { ast_dump(parse_file(nnc, file), out); }

static void errors(Nnc *nnc, uint32_t file, FILE *out) {
    (void)out;
    parse_file(nnc, file);
}

Test(golden, tokens) { golden_run("tokens", tokens); }
Test(golden, ast) { golden_run("ast", tree); }
Test(golden, syntax) { golden_run("syntax", errors); }

static AstFile *parse(Nnc *nnc, const char *text) {
    return parse_file(nnc, source_add(&nnc->sources, nnc->arena, "t.nn", text, strlen(text)));
}

/* ---- places ---- */

static void expect_text(const Nnc *nnc, Span at, const char *want) {
    cr_expect_eq(at.end - at.begin, strlen(want), "%u..%u is not '%s'", at.begin, at.end, want);
    cr_expect_eq(strncmp(nnc->sources.files.at[at.file]->text + at.begin, want, strlen(want)), 0, "not '%s'", want);
}

Test(places, of_expressions) {
    Nnc *nnc = nnc_new();
    AstFile *f = parse(nnc, "let y = (a + b) * f(c, k = -d^2)[1..2]  # c\n");
    const Ast *let = f->decls.at[0], *product = let->let.value;
    expect_text(nnc, let->at, "let y = (a + b) * f(c, k = -d^2)[1..2]");
    expect_text(nnc, product->at, "(a + b) * f(c, k = -d^2)[1..2]");
    expect_text(nnc, product->op.op_at, "*");
    expect_text(nnc, product->op.a->at, "a + b");
    expect_text(nnc, product->op.b->at, "f(c, k = -d^2)[1..2]");
    expect_text(nnc, product->op.b->index.of->call.args.at[1].name.at, "k");
    expect_text(nnc, product->op.b->index.of->call.args.at[1].value->at, "-d^2");
    expect_text(nnc, product->op.b->index.items.at[0]->at, "1..2");
    nnc_free(nnc);
}

Test(places, of_statements_with_nothing_at_their_end) {
    Nnc *nnc = nnc_new();
    AstFile *f = parse(nnc, "export fn f(x) {\n    minimize x using o   \n    return\n\n}  \n");
    const Ast *fn = f->decls.at[0];
    expect_text(nnc, fn->at, "export fn f(x) {\n    minimize x using o   \n    return\n\n}");
    expect_text(nnc, fn->fn.body->list.at[0]->at, "minimize x using o");
    expect_text(nnc, fn->fn.body->list.at[1]->at, "return");
    nnc_free(nnc);
}

Test(places, of_comments) {
    Nnc *nnc = nnc_new();
    AstFile *f = parse(nnc, "# one  \r\nlet a = \"# no\" ## two\n#");
    cr_assert_eq(f->comments.len, 3);
    expect_text(nnc, f->comments.at[0], "# one");
    expect_text(nnc, f->comments.at[1], "## two");
    expect_text(nnc, f->comments.at[2], "#");
    nnc_free(nnc);
}

/* ---- depth ---- */

static void measure(Ast *child, void *deepest) {
    int inner = 0;
    ast_each_child(child, measure, &inner);
    cr_assert_eq(child->height, inner + 1);
    if (*(int *)deepest < child->height) *(int *)deepest = child->height;
}

/* Parses before, n times part, middle, n times after and end. The one error there may be is of being too deep. Returns
 * how many errors. */
static int parse_nested(const char *before, const char *part, int n, const char *middle, const char *after,
                        const char *end) {
    Str text = {0};
    str_add(&text, "let ok = 1\n%s", before);
    for (int i = 0; i < n; i++) str_put(&text, part, strlen(part));
    str_add(&text, "%s", middle);
    for (int i = 0; i < n; i++) str_put(&text, after, strlen(after));
    str_add(&text, "%s\n", end);
    Nnc *nnc = nnc_new();
    AstFile *f = parse_file(nnc, source_add(&nnc->sources, nnc->arena, "t.nn", text.at, text.len));
    int deepest = 0, errors_found = nnc->diags.errors;
    for (int i = 0; i < f->decls.len; i++) measure(f->decls.at[i], &deepest);
    cr_expect(deepest <= AST_MAX_HEIGHT + 3, "%d levels of '%s' are kept", deepest, part);
    for (size_t i = 0; i < nnc->diags.list.len; i++)
        cr_expect_eq(nnc->diags.list.at[i]->id, DIAG_nested_too_deep, "'%s': %s", part, nnc->diags.list.at[i]->text);
    vec_free(&text);
    nnc_free(nnc);
    return errors_found;
}

Test(depth, is_bounded_with_one_message) {
    static const struct {
        const char *before, *part, *middle, *after, *end;
        int fine; /* levels that must be accepted */
    } rows[] = {
        {"let a = ", "(", "1", ")", "", 900},
        {"let a = ", "[", "", "]", "", 900},
        {"let a = ", "f(", "1", ")", "", 900},
        {"let a = ", "x[", "1", "]", "", 900},
        {"let a = ", "f(a, k = 1 + 2 * -3 ^ (", "1", "))", "", 350},
        {"let a = ", "fn() { return ", "1", "}", "", 450},
        {"let a = ", "-", "1", "", "", 1500},
        {"let a = ", "not ", "true", "", "", 1500},
        {"let a = 1", "^1", "", "", "", 1500},
        {"let a = 1", "^-1", "", "", "", 900},
        {"let a = 1", " + 1", "", "", "", 1500},
        {"let a = 1", " @ 1", "", "", "", 1500},
        {"let a = true", " and true", "", "", "", 1500},
        {"let a = 1", " |> f", "", "", "", 1500},
        {"let a = f", "(1)", "", "", "", 1500},
        {"let a = f", "[1]", "", "", "", 1500},
        {"let a = f", ".x", "", "", "", 1500},
        {"let a = ", "if c then 1 else ", "1", "", "", 1500},
        {"let a = ", "if c then ", "1", " else 1", "", 1500},
        {"let a = ", "fn(x) = ", "1", "", "", 1500},
        {"fn f() { ", "if c { ", "", "}", "}", 450},
        {"fn f() { ", "if c { } else ", "{ }", "", "}", 1500},
        {"fn f() { ", "for i in x { ", "", "}", "}", 450},
        {"fn f() { ", "scan t in 0..n with h = 1 { ", "", "}", "}", 300},
        {"fn f(x: [", "a[", "1", "]", "]) = x", 900},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int huge = parse_nested(rows[i].before, rows[i].part, 100000, rows[i].middle, rows[i].after, rows[i].end);
        cr_expect_eq(huge, 1, "100,000 of '%s': %d messages", rows[i].part, huge);
        int few = parse_nested(rows[i].before, rows[i].part, rows[i].fine, rows[i].middle, rows[i].after, rows[i].end);
        cr_expect_eq(few, 0, "%d of '%s': %d messages", rows[i].fine, rows[i].part, few);
    }
}

Test(depth, long_lists_are_not_deep) {
    Nnc *nnc = nnc_new();
    Str text = {0};
    str_add(&text, "let a = [");
    for (int i = 0; i < 20000; i++) str_add(&text, "%d,", i);
    str_add(&text, "]\nfn f() {\n");
    for (int i = 0; i < 20000; i++) str_add(&text, "x = %d\n", i);
    str_add(&text, "}\n");
    AstFile *f = parse(nnc, text.at);
    cr_expect_eq(nnc->diags.errors, 0);
    cr_expect_eq(f->decls.at[0]->let.value->list.len, 20000);
    cr_expect_eq(f->decls.at[1]->fn.body->list.len, 20000);
    vec_free(&text);
    nnc_free(nnc);
}

/* ---- the tree after errors ---- */

Test(errors, what_can_be_read_is_kept) {
    Nnc *nnc = nnc_new();
    AstFile *f = parse(
        nnc,
        "let a = 1\nlet b = = 2\nfn f(x) {\n    x = 1\n    x = 2 2\n    x = 3\n}\nlet c = 3\nfn g() {\n    y = 1\n");
    cr_expect_eq(nnc->diags.errors, 3);
    cr_assert_eq(f->decls.len, 4);
    cr_expect_str_eq(f->decls.at[0]->let.names.at[0].name, "a");
    cr_expect_eq(f->decls.at[1]->fn.body->list.len, 2);
    cr_expect_str_eq(f->decls.at[2]->let.names.at[0].name, "c");
    cr_expect_eq(f->decls.at[3]->fn.body->list.len, 1, "a block without an end is kept");
    nnc_free(nnc);
}

/* ---- reading files ---- */

/* What source_read makes of a file with these bytes: the message's name and the offset of its place, or "". */
static void expect_read(const char *bytes, size_t len, const char *message, uint32_t offset) {
    char path[] = "/tmp/nnc_test_XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    close(fd);
    Nnc *nnc = nnc_new();
    uint32_t file = source_read(nnc, path, (Span){0});
    unlink(path);
    cr_expect_eq(file != 0, *message == 0);
    if (*message) {
        cr_assert_eq(nnc->diags.list.len, 1);
        const Diag *d = nnc->diags.list.at[0];
        cr_expect_str_eq(diag_name(d->id), message);
        cr_expect_eq(d->labels.at[0].at.begin, offset);
        cr_expect_eq(d->labels.at[0].at.file != 0,
                     strcmp(message, "file_empty") != 0 && strcmp(message, "file_too_large") != 0);
    } else {
        cr_expect_eq(nnc->sources.files.at[file]->len, len);
    }
    nnc_free(nnc);
}

#define EXPECT_READ(text, message, offset) expect_read(text, sizeof(text) - 1, message, offset)

Test(source, bytes_are_checked) {
    EXPECT_READ("let a = 1\n", "", 0);
    EXPECT_READ("# \xC2\x80 \xDF\xBF \xE0\xA0\x80 \xED\x9F\xBF \xEF\xBF\xBF \xF0\x90\x80\x80 \xF4\x8F\xBF\xBF", "", 0);
    EXPECT_READ("", "file_empty", 0);
    EXPECT_READ("a\0b", "nul_byte", 1);
    EXPECT_READ("ab\xFF", "not_utf8", 2);
    EXPECT_READ("ab\x80", "not_utf8", 2);
    EXPECT_READ("\xC0\x80", "not_utf8", 0);         /* overlong NUL */
    EXPECT_READ("\xC1\xBF", "not_utf8", 0);         /* overlong */
    EXPECT_READ("\xE0\x9F\xBF", "not_utf8", 0);     /* overlong */
    EXPECT_READ("\xF0\x8F\xBF\xBF", "not_utf8", 0); /* overlong */
    EXPECT_READ("\xED\xA0\x80", "not_utf8", 0);     /* surrogate */
    EXPECT_READ("\xF4\x90\x80\x80", "not_utf8", 0); /* above U+10FFFF */
    EXPECT_READ("\xF8\x88\x80\x80\x80", "not_utf8", 0);
    EXPECT_READ("ab\xE2\x82", "not_utf8", 2); /* cut off */
    EXPECT_READ("\xE2(\x82", "not_utf8", 0);
}

Test(source, size_is_limited) {
    size_t limit = 16u << 20;
    char *text = malloc(limit + 1);
    memset(text, '\n', limit + 1);
    expect_read(text, limit, "", 0);
    expect_read(text, limit + 1, "file_too_large", 0);
    free(text);
}

static void expect_unreadable(const char *path, const char *message) {
    Nnc *nnc = nnc_new();
    uint32_t from = source_add(&nnc->sources, nnc->arena, "a.nn", "import \"x\"", 10);
    cr_expect_eq(source_read(nnc, path, (Span){from, 7, 10}), 0);
    cr_assert_eq(nnc->diags.list.len, 1);
    cr_expect_str_eq(diag_name(nnc->diags.list.at[0]->id), message);
    cr_expect_eq(nnc->diags.list.at[0]->labels.at[0].at.begin, 7, "the place is where the file was asked for");
    nnc_free(nnc);
}

Test(source, kind_of_file_is_checked) {
    expect_unreadable("/nonexistent/a.nn", "file_missing");
    expect_unreadable("/tmp", "file_directory");
    expect_unreadable("/dev/null", "file_irregular");
    char path[] = "/tmp/nnc_test_XXXXXX";
    cr_assert(mkdtemp(path));
    Str pipe = {0};
    str_add(&pipe, "%s/pipe", path);
    cr_assert_eq(mkfifo(pipe.at, 0600), 0);
    expect_unreadable(pipe.at, "file_irregular"); /* and does not wait for a writer */
    unlink(pipe.at);
    rmdir(path);
    vec_free(&pipe);
}
