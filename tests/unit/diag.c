/* links: nnc_base */
/* The layout of diagnostics, and the search for a similar name. */
#include "compiler/nnc.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static uint32_t add(Nnc *nnc, const char *path, const char *text) {
    return source_add(&nnc->sources, nnc->arena, path, text, strlen(text));
}

/* The n-th (from 0) occurrence of `what` in a source. */
static Span find(Nnc *nnc, uint32_t file, const char *what, int n) {
    const char *text = nnc->sources.files.at[file]->text, *at = strstr(text, what);
    while (n-- > 0 && at) at = strstr(at + 1, what);
    cr_assert(at, "'%s' is not in the source", what);
    uint32_t begin = (uint32_t)(at - text);
    return (Span){file, begin, begin + (uint32_t)strlen(what)};
}

static void expect_print(Nnc *nnc, bool colour, const char *want) {
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    diag_print(nnc, out, colour);
    fclose(out);
    cr_expect_str_eq(text, want);
    free(text);
    nnc_free(nnc);
}

Test(diag, example_of_the_command_line) {
    Nnc *nnc = nnc_new();
    uint32_t f = add(nnc, "mnist.nn", "\n\n\n\n    param w2: [500, 10] ~ he_normal\n\n    return x @ w2\n");
    Diag *d =
        diag(nnc, find(nnc, f, "@", 0), DIAG_syntax, "matrix product of [N, 784] and [500, 10]: 784 and 500 differ");
    diag_label(nnc, d, find(nnc, f, "[500, 10]", 0), "w2 has this shape");
    diag_label(nnc, d, find(nnc, f, "x", 0), "[N, %d]", 784);
    diag_help(nnc, d, "`h` is [N, 500] and would fit");
    expect_print(nnc, false,
                 "error: matrix product of [N, 784] and [500, 10]: 784 and 500 differ\n"
                 "  --> mnist.nn:7:14\n"
                 "   |\n"
                 " 5 |     param w2: [500, 10] ~ he_normal\n"
                 "   |               --------- w2 has this shape\n"
                 " 7 |     return x @ w2\n"
                 "   |            - ^\n"
                 "   |            |\n"
                 "   |            [N, 784]\n"
                 "   = help: `h` is [N, 500] and would fit\n");
}

Test(diag, three_labels_on_a_line) {
    Nnc *nnc = nnc_new();
    uint32_t f = add(nnc, "a.nn", "let y = alpha + beta * gamma\n");
    Diag *d = diag(nnc, find(nnc, f, "beta", 0), DIAG_syntax, "no");
    diag_here(nnc, d, "this one");
    diag_label(nnc, d, find(nnc, f, "alpha", 0), "first");
    diag_label(nnc, d, find(nnc, f, "gamma", 0), "last");
    expect_print(nnc, false,
                 "error: no\n"
                 "  --> a.nn:1:17\n"
                 "   |\n"
                 " 1 | let y = alpha + beta * gamma\n"
                 "   |         -----   ^^^^   ----- last\n"
                 "   |         |       |\n"
                 "   |         |       this one\n"
                 "   |         first\n");
}

Test(diag, labels_at_one_place_and_around_another) {
    Nnc *nnc = nnc_new();
    uint32_t f = add(nnc, "a.nn", "f(a + b)\n");
    Diag *d = diag(nnc, find(nnc, f, "+", 0), DIAG_syntax, "no");
    diag_here(nnc, d, "here");
    diag_label(nnc, d, find(nnc, f, "a + b", 0), "one");
    diag_label(nnc, d, find(nnc, f, "a + b", 0), "two");
    expect_print(nnc, false,
                 "error: no\n"
                 "  --> a.nn:1:5\n"
                 "   |\n"
                 " 1 | f(a + b)\n"
                 "   |   --^--\n"
                 "   |   | |\n"
                 "   |   | here\n"
                 "   |   two\n"
                 "   |   one\n");
}

Test(diag, other_file_and_wide_line_numbers) {
    Nnc *nnc = nnc_new();
    uint32_t a = add(nnc, "a.nn", "\n\n\n\n\n\n\n\n\n\n\nuse(x)\n"), b = add(nnc, "b.nn", "fn use() = 1\n");
    Diag *d = diag(nnc, find(nnc, a, "use", 0), DIAG_syntax, "no");
    diag_label(nnc, d, find(nnc, b, "use", 0), "declared here");
    expect_print(nnc, false,
                 "error: no\n"
                 "   --> a.nn:12:1\n"
                 "    |\n"
                 " 12 | use(x)\n"
                 "    | ^^^\n"
                 "    |\n"
                 "   ::: b.nn:1:4\n"
                 "    |\n"
                 "  1 | fn use() = 1\n"
                 "    |    --- declared here\n");
}

Test(diag, columns_count_characters_and_tabs_are_expanded) {
    Nnc *nnc = nnc_new();
    uint32_t f = add(nnc, "a.nn", "\tf(\"größe\", x)\n");
    diag(nnc, find(nnc, f, "x", 0), DIAG_syntax, "no");
    expect_print(nnc, false,
                 "error: no\n"
                 "  --> a.nn:1:13\n"
                 "   |\n"
                 " 1 |     f(\"größe\", x)\n"
                 "   |                ^\n");
}

Test(diag, bytes_that_are_no_text_do_not_reach_the_terminal) {
    Nnc *nnc = nnc_new();
    uint32_t f = add(nnc, "a.nn", "a\033[31m\xff x\n");
    diag(nnc, find(nnc, f, "x", 0), DIAG_syntax, "no");
    expect_print(nnc, false,
                 "error: no\n"
                 "  --> a.nn:1:9\n"
                 "   |\n"
                 " 1 | a\xEF\xBF\xBD[31m\xEF\xBF\xBD x\n"
                 "   |         ^\n");
}

Test(diag, end_of_line_end_of_file_and_several_lines) {
    Nnc *nnc = nnc_new();
    uint32_t f = add(nnc, "a.nn", "f(\nx");
    diag(nnc, (Span){f, 2, 3}, DIAG_syntax, "at the end of a line");
    diag(nnc, (Span){f, 4, 4}, DIAG_syntax, "at the end of the file");
    diag(nnc, (Span){f, 0, 4}, DIAG_syntax, "over both");
    expect_print(nnc, false,
                 "error: at the end of a line\n"
                 "  --> a.nn:1:3\n"
                 "   |\n"
                 " 1 | f(\n"
                 "   |   ^\n"
                 "error: at the end of the file\n"
                 "  --> a.nn:2:2\n"
                 "   |\n"
                 " 2 | x\n"
                 "   |  ^\n"
                 "error: over both\n"
                 "  --> a.nn:1:1\n"
                 "   |\n"
                 " 1 | f(\n"
                 "   | ^^\n");
}

Test(diag, long_lines_are_cut) {
    Nnc *nnc = nnc_new();
    char text[1001];
    memset(text, 'a', 1000);
    text[500] = 'X';
    text[1000] = 0;
    uint32_t f = add(nnc, "a.nn", text);
    Diag *d = diag(nnc, find(nnc, f, "X", 0), DIAG_syntax, "no");
    diag_label(nnc, d, (Span){f, 0, 1}, "far away");
    char *out_text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&out_text, &len);
    diag_print(nnc, out, false);
    fclose(out);
    cr_expect(len < 500);
    char *x = strchr(out_text, 'X'), *caret = strchr(out_text, '^');
    cr_assert(x && caret);
    while (x[-1] != '\n') x--;
    char *begin = caret;
    while (begin[-1] != '\n') begin--;
    cr_expect_eq(strchr(out_text, 'X') - x, caret - begin);
    free(out_text);
    nnc_free(nnc);
}

Test(diag, without_a_place) {
    Nnc *nnc = nnc_new();
    Diag *d = diag(nnc, (Span){0}, DIAG_file_empty, "a.nn");
    diag_help(nnc, d, "write something");
    expect_print(nnc, false, "error: 'a.nn' is empty\n   = help: write something\n");
}

Test(diag, colour) {
    Nnc *nnc = nnc_new();
    uint32_t f = add(nnc, "a.nn", "ab\n");
    diag(nnc, find(nnc, f, "b", 0), DIAG_syntax, "no");
    expect_print(nnc, true,
                 "\033[1;31merror\033[0m\033[1m: \033[0m\033[1mno\033[0m\n"
                 "  \033[1;34m-->\033[0m a.nn:1:2\n"
                 "\033[1;34m   |\033[0m\n"
                 "\033[1;34m 1 |\033[0m ab\n"
                 "\033[1;34m   |\033[0m  \033[1;31m^\033[0m\n");
}

Test(diag, only_fifty_errors_are_shown) {
    Nnc *nnc = nnc_new();
    for (int i = 0; i < 60; i++) diag(nnc, (Span){0}, DIAG_syntax, "no");
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    diag_print(nnc, out, false);
    diag_print(nnc, out, false); /* nothing new */
    fclose(out);
    int lines = 0;
    for (char *c = text; *c; c++) lines += *c == '\n';
    cr_expect_eq(lines, 51);
    cr_expect(strstr(text, "and 10 more errors\n"));
    cr_expect_eq(nnc->diags.errors, 60);
    free(text);
    nnc_free(nnc);
}

Test(diag, muted_is_counted_not_kept) {
    Nnc *nnc = nnc_new();
    nnc->diags.muted++;
    Diag *d = diag(nnc, (Span){0}, DIAG_syntax, "no");
    diag_here(nnc, d, "x");
    diag_label(nnc, d, (Span){0}, "x");
    diag_help(nnc, d, "x");
    nnc->diags.muted--;
    cr_expect_eq(nnc->diags.errors, 1);
    expect_print(nnc, false, "");
}

Test(diag, name_is_that_of_the_row) { cr_expect_str_eq(diag_name(DIAG_nested_too_deep), "nested_too_deep"); }

Test(diag, nearest_name) {
    const char *const names[] = {"cross_entropy", "accuracy", "softmax", "Dense", "x"};
    cr_expect_str_eq(diag_nearest("cross_entropi", names, COUNT(names)), "cross_entropy");
    cr_expect_str_eq(diag_nearest("acuracy", names, COUNT(names)), "accuracy");
    cr_expect_str_eq(diag_nearest("sotfmax", names, COUNT(names)), "softmax");
    cr_expect_str_eq(diag_nearest("dense", names, COUNT(names)), "Dense");
    cr_expect_str_eq(diag_nearest("rellu", (const char *[]){"reglu", "relu", "gelu"}, 3), "relu", "it begins alike");
    cr_expect_null(diag_nearest("banana", names, COUNT(names)));
    cr_expect_null(diag_nearest("y", names, COUNT(names)), "one letter is not like another");
    cr_expect_null(diag_nearest("", names, COUNT(names)));
    cr_expect_null(diag_nearest("x", names, 0));
}

Test(diag, swapped_letters_are_one_edit) {
    const char *const names[] = {"abdc", "abxx"};
    cr_expect_str_eq(diag_nearest("abcd", names, 2), "abdc");
}
