/* links: nnc_lang nnc_stdlib */
/* Every code block of every Markdown file says what it is, and those of the language are compiled:
 *   nn              a whole file: no errors, no warnings
 *   nn body(PARAMS) statements: the body of a model with these inputs; no errors
 *   nn error        a whole file, named example.nn; the `text` block after it is what it is told
 *   c ebnf sh text  is left alone */
#include "lang/typed.h"
#include "stdlib/stdlib.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    const char *path; /* of the Markdown file */
    int line;
    char *info, *text; /* what stands behind the fence; the lines between */
} Block;

typedef VEC(Block) Blocks;

static Str read_file(const char *path) {
    Str text = {0};
    char part[1 << 14];
    FILE *f = fopen(path, "rb");
    cr_assert(f, "cannot open %s", path);
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;) str_put(&text, part, n);
    fclose(f);
    str_put(&text, "", 0);
    return text;
}

static void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "wb");
    cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0, "cannot write %s", path);
}

/* ---- blocks ---- */

static void add_block(Blocks *blocks, const char *path, int line, const char *info, const Str *text) {
    vec_push(blocks, (Block){path, line, strdup(info), strdup(text->len ? text->at : "")});
}

/* A fence begins and ends with ``` at the beginning of a line. */
static void find_blocks(Blocks *blocks, const char *path) {
    Str file = read_file(path), text = {0};
    char *info = NULL, *rest = file.at;
    int number = 0, begin = 0;
    for (char *line; (line = strsep(&rest, "\n"));) {
        number++;
        bool fence = strncmp(line, "```", 3) == 0;
        if (!fence && info) {
            str_add(&text, "%s\n", line);
        } else if (fence && !info) {
            info = line + 3;
            begin = number;
            text.len = 0;
        } else if (fence) {
            add_block(blocks, path, begin, info, &text);
            info = NULL;
        }
    }
    cr_expect_not(info, "%s:%d: this block has no end", path, begin);
    vec_free(&file);
    vec_free(&text);
}

/* ---- programs ---- */

static const DataInfo *no_data(void *self, Nnc *nnc, const DataExpr *e) { return (void)self, (void)nnc, (void)e, NULL; }

/* Checks example.nn; what it is told goes to *told, which the caller frees. */
static bool check(bool warnings, char **told) {
    const char *pairs[1024][2] = {0};
    int n = 0;
    size_t len;
    for (; stdlib_files[n].path && n < 1023; n++)
        pairs[n][0] = stdlib_files[n].path, pairs[n][1] = stdlib_files[n].text;
    Nnc *nnc = nnc_new();
    Program *p = program_load(nnc, "example.nn", (const char *const(*)[2])pairs, NULL, 0, (DataOpener){no_data, NULL});
    bool good = p && program_check(p) && !(warnings && nnc->diags.warnings);
    FILE *out = open_memstream(told, &len);
    diag_print(nnc, out, false);
    fclose(out);
    nnc_free(nnc);
    return good;
}

static void check_file(const Block *b, const char *text, bool warnings) {
    char *told;
    write_file("example.nn", text);
    cr_expect(check(warnings, &told), "%s:%d:\n%s", b->path, b->line, told);
    free(told);
}

static void check_body(const Block *b) {
    Str text = {0};
    bool returns = strncmp(b->text, "return", 6) == 0 || strstr(b->text, "\nreturn");
    str_add(&text, "model example%s {\n%s%s}\n", b->info + strlen("nn body"), b->text, returns ? "" : "return 0\n");
    check_file(b, text.at, false);
    vec_free(&text);
}

static void check_error(const Block *b, const Block *message) {
    char *told;
    write_file("example.nn", b->text);
    cr_expect_not(check(false, &told), "%s:%d: this is no error", b->path, b->line);
    cr_assert(message && strcmp(message->info, "text") == 0, "%s:%d: the message belongs behind it", b->path, b->line);
    cr_expect_str_eq(message->text, told, "%s:%d: this is told:\n%s", b->path, b->line, told);
    free(told);
}

static void check_block(const Block *b, const Block *next) {
    static const char *const others[] = {"c", "ebnf", "sh", "text"};
    for (size_t i = 0; i < COUNT(others); i++)
        if (strcmp(b->info, others[i]) == 0) return;
    if (strcmp(b->info, "nn") == 0)
        check_file(b, b->text, true);
    else if (strncmp(b->info, "nn body(", 8) == 0)
        check_body(b);
    else if (strcmp(b->info, "nn error") == 0)
        check_error(b, next);
    else
        cr_expect(false, "%s:%d: '%s' is not the kind of a block: nn, nn body(…), nn error, c, ebnf, sh or text",
                  b->path, b->line, b->info);
}

/* ---- the table of builtins ---- */

static const struct {
    const char *name, *params;
    int required;
} builtins[] = {
#define BUILTIN(name, params, required, function) {#name, params, required},
#include "lang/builtin.def"
#undef BUILTIN
};

/* "sum(x[, axis, axes, keep])": what may be left out stands in brackets. */
static void put_signature(Str *out, const char *name, const char *params, int required) {
    int commas = 0;
    str_add(out, "| `%s(", name);
    for (; *params; params++) {
        if (*params == ',' && ++commas == required) str_add(out, "[");
        str_put(out, params, 1);
    }
    str_add(out, "%s)` |", commas >= required ? "]" : "");
}

Test(markdown, builtins) {
    Str reference = read_file(NNC_SOURCE_DIR "/lang/REFERENCE.md");
    for (size_t i = 0; i < COUNT(builtins); i++) {
        Str row = {0};
        put_signature(&row, builtins[i].name, builtins[i].params, builtins[i].required);
        cr_expect(strstr(reference.at, row.at), "lang/REFERENCE.md has no row that begins with %s", row.at);
        vec_free(&row);
    }
    vec_free(&reference);
}

/* ---- */

Test(markdown, code_blocks) {
    static const char *const patterns[] = {"*.md", "*/*.md", "*/*/*.md"};
    char folder[] = "/tmp/nnc_markdown_XXXXXX";
    glob_t found = {0};
    Blocks blocks = {0};
    cr_assert(chdir(NNC_SOURCE_DIR) == 0);
    for (size_t i = 0; i < COUNT(patterns); i++) glob(patterns[i], i ? GLOB_APPEND : 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) find_blocks(&blocks, found.gl_pathv[i]);
    cr_assert(blocks.len > 0 && mkdtemp(folder) && chdir(folder) == 0);
    for (size_t i = 0; i < blocks.len; i++) check_block(&blocks.at[i], i + 1 < blocks.len ? &blocks.at[i + 1] : NULL);
    cr_assert((unlink("example.nn") == 0) & (rmdir(folder) == 0));
    for (size_t i = 0; i < blocks.len; i++) {
        free(blocks.at[i].info);
        free(blocks.at[i].text);
    }
    vec_free(&blocks);
    globfree(&found);
}
