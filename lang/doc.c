/* Documentation from a tree: a row of a Markdown table for each `##` comment. */
#include "lang/doc.h"

#include <ctype.h>
#include <string.h>

/* ---- signatures ---- */

static const char *words_of(Nnc *nnc, uint32_t file, uint32_t begin, uint32_t end) {
    return source_words(nnc->sources.files.at[file], nnc->arena, (Span){file, begin, end});
}

const char *doc_signature(Nnc *nnc, const Ast *fn) {
    static const char *const kinds[] = {"fn ", "loss ", "layer ", "model ", "optimizer "};
    bool lambda = fn->kind == AST_LAMBDA;
    const Ast *body = lambda ? fn->lambda.body : fn->fn.body;
    const char *text = words_of(nnc, fn->at.file, lambda ? fn->at.begin : fn->fn.name.at.begin, body->at.begin);
    size_t n = strlen(text);
    while (n && strchr("{= ", text[n - 1])) n--;
    return arena_printf(nnc->arena, "%s%.*s", lambda ? "" : kinds[fn->fn.kind], (int)n, text);
}

static const char *declared(Nnc *nnc, const Ast *a) {
    if (a->kind == AST_FUNCTION)
        return arena_printf(nnc->arena, "%s%s", a->fn.exported ? "export " : "", doc_signature(nnc, a));
    if (a->kind == AST_TRAIN)
        return arena_printf(nnc->arena, "train%s%s", a->train.name.name ? " " : "",
                            a->train.name.name ? a->train.name.name : "");
    return words_of(nnc, a->at.file, a->at.begin, a->at.end);
}

static Name doc_of(const Ast *a) {
    switch (a->kind) {
    case AST_FUNCTION: return a->fn.doc;
    case AST_TRAIN: return a->train.doc;
    case AST_LET:
    case AST_DATA: return a->let.doc;
    default: return NULL;
    }
}

/* ---- Markdown ---- */

static void print_code(const char *text, FILE *out) {
    fputc('`', out);
    for (const char *p = text; *p; p++) fprintf(out, *p == '|' ? "\\%c" : "%c", *p); /* a bar would end the cell */
    fputc('`', out);
}

/* Formulas are plain text: what Markdown would take for its own is escaped, but not between backquotes. */
static void print_text(const char *text, FILE *out) {
    bool code = false;
    char before = ' ';
    for (const char *p = text; *p; before = *p++) {
        if (*p == '`') code = !code;
        bool emphasis = *p == '*' && !(before == ' ' && p[1] == ' ');
        bool escaped =
            *p == '|' ||
            (!code && (emphasis || (*p == '<' && isalpha((unsigned char)p[1])) || (*p == ']' && p[1] == '(')));
        if (*p == '\n')
            fputc(' ', out);
        else
            fprintf(out, escaped ? "\\%c" : "%c", *p);
    }
}

/* ---- tables ---- */

void doc_head(FILE *out) { fprintf(out, "| declaration | |\n|---|---|\n"); }

static int line_at(Nnc *nnc, const Ast *a, uint32_t offset) {
    int line, column;
    source_place(nnc->sources.files.at[a->at.file], offset, &line, &column);
    return line;
}

/* Whether `a` is one line and `next` stands on the line below it. */
static bool directly_below(Nnc *nnc, const Ast *a, const Ast *next) {
    int line = line_at(nnc, a, a->at.begin);
    return line_at(nnc, a, a->at.end) == line && line_at(nnc, next, next->at.begin) == line + 1;
}

int doc_rows(Nnc *nnc, const AstFile *f, FILE *out) {
    int undocumented = 0;
    for (int i = 0, next; i < f->decls.len; i = next) {
        const AstList *decls = &f->decls;
        Name doc = doc_of(decls->at[i]);
        next = i + 1;
        undocumented += !doc && decls->at[i]->kind != AST_IMPORT;
        if (!doc) continue;
        fprintf(out, "| ");
        print_code(declared(nnc, decls->at[i]), out);
        for (; next < decls->len && !doc_of(decls->at[next]); next++) {
            if (!directly_below(nnc, decls->at[next - 1], decls->at[next])) break;
            fprintf(out, "<br>");
            print_code(declared(nnc, decls->at[next]), out);
        }
        fprintf(out, " | ");
        print_text(doc, out);
        fprintf(out, " |\n");
    }
    return undocumented;
}
