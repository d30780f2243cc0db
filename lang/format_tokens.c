/* The tokens and comments of a file, in order, on their way into a document. */
#include "lang/format_tree.h"
#include "lang/parse.h"
#include "parser.h"

static void add(Format *f, int kind, Span at) {
    FormatToken t = {kind, at.begin, at.end, f->tokens.len ? f->tokens.at[f->tokens.len - 1].line : 1};
    while ((size_t)t.line < f->source->nlines && f->source->lines[t.line] <= at.begin) t.line++;
    vec_push(&f->tokens, t);
}

void format_open(Format *f, Nnc *nnc, const AstFile *file) {
    AstFile same = {.file = file->file};
    Parser p = {.nnc = nnc, .file = &same, .source = nnc->sources.files.at[file->file]};
    int comment = 0;
    *f = (Format){.source = p.source};
    lexer_open(&p);
    for (Token t = {.kind = T_END}; t.kind != T_YYEOF;) {
        t = lexer_next(&p);
        for (; comment < file->comments.len && (t.kind == T_YYEOF || file->comments.at[comment].begin < t.at.begin);
             comment++)
            add(f, FORMAT_COMMENT, file->comments.at[comment]);
        add(f, t.kind, t.at);
    }
    lexer_close(&p);
}

void format_close(Format *f) {
    vec_free(&f->tokens);
    doc_free(&f->doc);
}

const FormatToken *format_peek(const Format *f) {
    const FormatToken *t = &f->tokens.at[f->next];
    while (t->kind == FORMAT_COMMENT) t++;
    return t;
}

bool format_breaks(const Format *f) { return f->tokens.at[f->next].line > f->line; }

bool format_is_apart(const Format *f) { return f->line && f->tokens.at[f->next].line > f->line + 1; }

bool format_is_spaced(const Format *f) {
    return f->next > 0 && f->tokens.at[f->next - 1].end != f->tokens.at[f->next].begin;
}

/* What comes next, the end of the file aside. */
static FormatToken take(Format *f) {
    FormatToken t = f->tokens.at[f->next];
    if (!t.kind) bug("the formatter reads beyond the end of '%s'", f->source->path);
    f->next++;
    f->line = t.line;
    return t;
}

void format_comments(Format *f) {
    while (f->tokens.at[f->next].kind == FORMAT_COMMENT) {
        FormatToken t = take(f);
        doc_comment(&f->doc, f->source->text + t.begin, t.end - t.begin);
    }
}

/* A comment behind the token just consumed. */
static void remark(Format *f) {
    if (f->tokens.at[f->next].kind != FORMAT_COMMENT || format_breaks(f)) return;
    FormatToken t = take(f);
    doc_remark(&f->doc, f->source->text + t.begin, t.end - t.begin);
}

void format_token(Format *f) {
    format_comments(f);
    FormatToken t = take(f);
    DocItem last = f->doc.items.len ? f->doc.items.at[f->doc.items.len - 1] : (DocItem){.kind = DOC_SPACE};
    bool behind = t.kind == T_COMMA && last.kind == DOC_REMARK; /* the comma stands before the comment */
    if (behind) f->doc.items.len--;
    doc_text(&f->doc, f->source->text + t.begin, t.end - t.begin);
    if (behind) doc_remark(&f->doc, last.text, last.bytes);
    remark(f);
}

void format_drop(Format *f) {
    format_comments(f);
    take(f);
    remark(f);
}

void format_word(Format *f) {
    doc_space(&f->doc);
    format_token(f);
}
