/* --dump=tokens and --dump=ast. */
#include "lang/parse.h"
#include "lang/parts.h"
#include "parser.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- tokens ---- */

static const char *token_kind(int kind) {
    switch (kind) {
    case T_NAME: return "name";
    case T_NUMBER: return "number";
    case T_STRING: return "string";
    case T_BOOL: return "bool";
    case T_END: return "end";
    case T_LANG_error: return "error";
    default: return isalpha((unsigned char)token_text(kind)[0]) ? "keyword" : "symbol";
    }
}

void lex_dump(Nnc *nnc, uint32_t file, FILE *out) {
    AstFile f = {.file = file};
    Parser p = {.nnc = nnc, .file = &f, .source = nnc->sources.files.at[file]};
    layout_open(&p);
    for (Token t = layout_next(&p); t.kind != T_YYEOF; t = layout_next(&p)) {
        int line, column;
        source_place(p.source, t.at.begin, &line, &column);
        fprintf(out, "%d:%d %s", line, column, token_kind(t.kind));
        if (t.kind != T_END && t.at.end > t.at.begin)
            fprintf(out, " %.*s", (int)(t.at.end - t.at.begin), p.source->text + t.at.begin);
        fputc('\n', out);
        p.skipping = false; /* show what follows an error, too */
    }
    layout_close(&p);
}

/* ---- the tree ---- */

/* Prints a node on lines of its own, `label` before it; the line is left open for the closing parentheses. */
static void print_node(FILE *out, const Ast *n, int depth, const char *label);

static void new_line(FILE *out, int depth, const char *label) {
    fprintf(out, "\n%*s", 2 * depth, "");
    if (label) fprintf(out, "%s: ", label);
}

static void print_text(FILE *out, const char *s, size_t len) {
    fputc('"', out);
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '"' || s[i] == '\\')
            fprintf(out, "\\%c", s[i]);
        else if (s[i] == '\n' || s[i] == '\t')
            fputs(s[i] == '\n' ? "\\n" : "\\t", out);
        else if ((unsigned char)s[i] < ' ')
            fprintf(out, "\\u{%x}", (unsigned)s[i]);
        else
            fputc(s[i], out);
    }
    fputc('"', out);
}

/* With as few digits as give the same value back. */
static void print_number(FILE *out, const Ast *n) {
    if (n->number.is_int) {
        fprintf(out, " %lld", (long long)n->number.integer);
        return;
    }
    char text[40];
    int digits = 15;
    do snprintf(text, sizeof text, "%.*g", digits, n->number.value);
    while (digits++ < 17 && strtod(text, NULL) != n->number.value);
    fprintf(out, " %s%s", text, strpbrk(text, ".einf") ? "" : ".0");
}

static void print_names(FILE *out, const AstNames *names) {
    if (names->len > 1) fputs(" (", out);
    for (int i = 0; i < names->len; i++) fprintf(out, "%s%s", i || names->len == 1 ? " " : "", names->at[i].name);
    if (names->len > 1) fputc(')', out);
}

/* `x: type = value`, each part optional: the node alone where it has no name. */
static void print_pair(FILE *out, int depth, const char *label, AstName name, const Ast *type, const Ast *value) {
    if (!name.name) return print_node(out, value, depth, label);
    new_line(out, depth, label);
    fputs(name.name, out);
    if (type) print_node(out, type, depth + 1, "is");
    if (value) print_node(out, value, depth + 1, NULL);
}

static void print_part(FILE *out, const Part *part, const void *at, int depth) {
    static const char *const functions[] = {"fn", "loss", "layer", "model", "optimizer"};
    switch (part->kind) {
    case PART_NODE:
        if (*(Ast *const *)at) print_node(out, *(Ast *const *)at, depth, part->label);
        break;
    case PART_LIST:
        for (int i = 0; i < ((const AstList *)at)->len; i++)
            print_node(out, ((const AstList *)at)->at[i], depth, part->label);
        break;
    case PART_FIELDS:
        for (int i = 0; i < ((const AstFields *)at)->len; i++) {
            const AstField *f = &((const AstFields *)at)->at[i];
            print_pair(out, depth, part->label, f->name, f->type, f->value);
        }
        break;
    case PART_PARAMS:
        for (int i = 0; i < ((const AstParams *)at)->len; i++) {
            const AstParam *f = &((const AstParams *)at)->at[i];
            print_pair(out, depth, part->label, f->name, f->type, f->value);
        }
        break;
    case PART_NAMED:
        if (((const AstName *)at)->name) fprintf(out, " %s", ((const AstName *)at)->name);
        break;
    case PART_NAMES: print_names(out, at); break;
    case PART_NAME:
        if (*(const Name *)at) fprintf(out, " %s", *(const Name *)at);
        break;
    case PART_TEXT:
        if (!*(const char *const *)at) break;
        fprintf(out, " %s%s", part->label ? part->label : "", part->label ? "=" : "");
        print_text(out, *(const char *const *)at, strlen(*(const char *const *)at));
        break;
    case PART_FLAG:
        if (*(const bool *)at) fprintf(out, " %s", part->label);
        break;
    case PART_BOOL: fputs(*(const bool *)at ? " true" : " false", out); break;
    case PART_OPERATOR: fprintf(out, " %s", ast_operator_text(*(const AstOperator *)at)); break;
    case PART_FUNCTION: fprintf(out, " %s", functions[*(const FunctionKind *)at]); break;
    default: break; /* PART_STRING and PART_NUMBER: by their node */
    }
}

static void print_node(FILE *out, const Ast *n, int depth, const char *label) {
    const NodeKind *kind = node_kind(n->kind);
    new_line(out, depth, label);
    fprintf(out, "(%s", kind->name);
    if (n->kind == AST_NUMBER) print_number(out, n);
    if (n->kind == AST_STRING) {
        fputc(' ', out);
        print_text(out, n->string.text, n->string.len);
    }
    for (const Part *part = kind->parts; part->kind != PART_END; part++)
        print_part(out, part, (const char *)n + part->offset, depth + 1);
    fputc(')', out);
}

void ast_dump(const AstFile *f, FILE *out) {
    fputs("(file", out);
    for (int i = 0; i < f->decls.len; i++) print_node(out, f->decls.at[i], 1, NULL);
    fputs(")\n", out);
}
