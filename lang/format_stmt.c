/* Statements and declarations as documents: blank lines, comments and alignment between them. */
#include "lang/format_tree.h"
#include "parser.h"

#include <string.h>

enum { MAX_ANCHORS = 2 };

/* A statement, and the places in it that may stand below those of its neighbours. */
typedef struct {
    AstKind kind;
    uint32_t begin;     /* in the source */
    size_t first, last; /* items of the document */
    int anchors;
    size_t pads[MAX_ANCHORS];
    int offsets[MAX_ANCHORS]; /* how many characters behind its beginning the author put it; -1 on another line */
} Line;

typedef VEC(Line) Lines;

/* ---- alignment ---- */

/* The next token may be aligned. */
static void anchor(Format *f, Line *line) {
    const FormatToken *t = format_peek(f);
    int offset = 0;
    for (uint32_t i = line->begin; i < t->begin && offset >= 0; i++)
        offset = f->source->text[i] == '\n' ? -1 : offset + ((f->source->text[i] & 0xC0) != 0x80);
    line->offsets[line->anchors] = offset;
    line->pads[line->anchors++] = doc_pad(&f->doc);
}

static bool fits(const Format *f, const Line *l, int pad) {
    int width = doc_width(&f->doc, l->first, l->last);
    return width >= 0 && f->depth * DOC_INDENT + width + pad <= DOC_WIDTH;
}

/* Aligns one place of lines [from, to), where they fit with it. */
static void align(Format *f, Lines *lines, size_t from, size_t to, int k) {
    int column = 0;
    for (size_t i = from; i < to; i++) {
        const Line *l = &lines->at[i];
        column = MAX(column, doc_width(&f->doc, l->first, l->pads[k]));
    }
    for (size_t i = from; i < to; i++) {
        const Line *l = &lines->at[i];
        if (!fits(f, l, column - doc_width(&f->doc, l->first, l->pads[k]))) return;
    }
    for (size_t i = from; i < to; i++) {
        const Line *l = &lines->at[i];
        f->doc.items.at[l->pads[k]].width = column - doc_width(&f->doc, l->first, l->pads[k]);
    }
}

/* Lines of one kind that follow each other: what the author aligned stays so, and settings are aligned in any case. */
static void align_lines(Format *f, Lines *lines, bool is_train) {
    bool always = is_train && lines->len && lines->at[0].kind == AST_ASSIGN;
    for (int k = 0; lines->len && k < lines->at[0].anchors; k++)
        for (size_t from = 0, to; from < lines->len; from = to) {
            int offset = lines->at[from].offsets[k];
            for (to = from + 1; to < lines->len && (always || lines->at[to].offsets[k] == offset);) to++;
            if (to > from + 1 && (always || offset > 0)) align(f, lines, from, to, k);
        }
    lines->len = 0;
}

/* ---- statements ---- */

/* `= value` or `~ value` */
static void value(Format *f, const Ast *v) {
    bool inside = v->kind == AST_PIPE || v->kind == AST_LIST || v->kind == AST_SCAN || v->kind == AST_LAMBDA ||
                  (v->kind == AST_CALL && v->call.args.len > 1);
    format_token(f);
    doc_open(&f->doc, GROUP_VALUE, inside ? DOC_INSIDE : 0);
    doc_break(&f->doc, DOC_SPACED | (format_breaks(f) ? DOC_AUTHOR : 0));
    format_expr(f, v);
    doc_close(&f->doc);
}

static void aligned_value(Format *f, Line *line, const Ast *v) {
    doc_space(&f->doc);
    anchor(f, line);
    value(f, v);
}

/* A name, or a tuple of names, up to a token of kind `end`. */
static void pattern(Format *f, int end) {
    while (format_peek(f)->kind != end) {
        bool is_comma = format_peek(f)->kind == T_COMMA;
        if (is_comma && format_peek(f)[1].kind == T_RPAREN) {
            format_drop(f);
            continue;
        }
        format_token(f);
        if (is_comma) doc_space(&f->doc);
    }
}

static void keyword_and_expr(Format *f, const Ast *n) {
    format_token(f);
    if (!n) return;
    doc_space(&f->doc);
    format_expr(f, n);
}

static void spaced_expr(Format *f, const Ast *n) {
    doc_space(&f->doc);
    format_expr(f, n);
}

static void parameter(Format *f, const Ast *n, Line *line) {
    format_token(f);
    format_word(f);
    format_token(f);
    doc_space(&f->doc);
    anchor(f, line);
    format_expr(f, n->param.type);
    aligned_value(f, line, n->param.init);
}

static void states(Format *f, const Ast *n, Line *line) {
    format_token(f);
    if (n->states.len > 1) {
        doc_space(&f->doc);
        format_pairs(f, &n->states);
        return;
    }
    format_word(f);
    if (n->states.at[0].type) {
        format_token(f);
        doc_space(&f->doc);
        anchor(f, line);
        format_expr(f, n->states.at[0].type);
    }
    aligned_value(f, line, n->states.at[0].value);
}

static void paths(Format *f, const AstList *list) {
    for (int i = 0; i < list->len; i++) {
        if (i) format_token(f);
        spaced_expr(f, list->at[i]);
    }
}

static void minimize(Format *f, const Ast *n, Line *line) {
    keyword_and_expr(f, n->minimize.value);
    doc_space(&f->doc);
    anchor(f, line);
    if (n->minimize.over.len) {
        format_token(f);
        paths(f, &n->minimize.over);
        doc_space(&f->doc);
        anchor(f, line);
    }
    keyword_and_expr(f, n->minimize.optimizer);
    int options = !!n->minimize.clip_norm + !!n->minimize.clip_value + !!n->minimize.accumulate;
    for (int i = 0; i < options; i++) {
        int kind = format_peek(f)->kind;
        format_word(f);
        spaced_expr(f, kind == T_CLIP_NORM    ? n->minimize.clip_norm
                       : kind == T_CLIP_VALUE ? n->minimize.clip_value
                                              : n->minimize.accumulate);
    }
}

static bool on_one_line(const Format *f, const Ast *n) {
    return !memchr(f->source->text + n->at.begin, '\n', n->at.end - n->at.begin);
}

/* Whether the author wrote a block on one line and it may stay so: nothing in it, or one statement without blocks. */
static bool is_short(const Format *f, const Ast *block) {
    if (!on_one_line(f, block) || block->list.len > 1) return false;
    if (!block->list.len) return true;
    AstKind kind = block->list.at[0]->kind;
    return kind != AST_WHEN && kind != AST_FOR && kind != AST_WHILE;
}

static void inner_block(Format *f, const Ast *n, bool is_train, bool grouped);

static void when(Format *f, const Ast *n) {
    bool is_inline = true;
    for (const Ast *w = n; w && is_inline; w = w->kind == AST_WHEN ? w->when.els : NULL)
        is_inline = on_one_line(f, n) && is_short(f, w->kind == AST_WHEN ? w->when.then : w);
    if (is_inline) doc_open(&f->doc, GROUP_BLOCK, 0);
    for (;; n = n->when.els) {
        keyword_and_expr(f, n->when.cond);
        inner_block(f, n->when.then, false, is_inline);
        if (n->when.els) format_word(f);
        if (!n->when.els || n->when.els->kind == AST_BLOCK) break;
        doc_space(&f->doc);
    }
    if (n->when.els) inner_block(f, n->when.els, false, is_inline);
    if (is_inline) doc_close(&f->doc);
}

static void statement(Format *f, const Ast *n, Line *line) {
    switch (n->kind) {
    case AST_LET:
    case AST_DATA:
        format_token(f);
        doc_space(&f->doc);
        pattern(f, T_ASSIGN);
        aligned_value(f, line, n->let.value);
        break;
    case AST_DEFINE:
        format_token(f);
        format_word(f);
        format_list(f, &n->define.indices, false);
        aligned_value(f, line, n->define.value);
        break;
    case AST_ASSIGN:
        pattern(f, T_ASSIGN);
        aligned_value(f, line, n->let.value);
        break;
    case AST_REPORT:
        format_token(f);
        format_word(f);
        aligned_value(f, line, n->report.value);
        break;
    case AST_RETURN:
    case AST_YIELD:
    case AST_STOP_WHEN: keyword_and_expr(f, n->value); break;
    case AST_EXPR: format_expr(f, n->value); break;
    case AST_WHEN: when(f, n); break;
    case AST_FOR:
        format_token(f);
        doc_space(&f->doc);
        pattern(f, T_IN);
        format_word(f);
        spaced_expr(f, n->loop.over);
        format_block(f, n->loop.body, false);
        break;
    case AST_WHILE:
        keyword_and_expr(f, n->loop_while.cond);
        format_block(f, n->loop_while.body, false);
        break;
    case AST_PARAM: parameter(f, n, line); break;
    case AST_STATE: states(f, n, line); break;
    case AST_MINIMIZE: minimize(f, n, line); break;
    case AST_LOAD:
        keyword_and_expr(f, n->load.target);
        format_word(f);
        format_word(f);
        break;
    default: bug("a %s among statements", ast_kind_name(n->kind));
    }
}

/* ---- declarations ---- */

static void function(Format *f, const Ast *n) {
    if (n->fn.exported) {
        format_token(f);
        doc_space(&f->doc);
    }
    format_token(f);
    format_word(f);
    if (n->fn.kind == FN_LAYER || n->fn.kind == FN_OPTIMIZER) format_params(f, &n->fn.hyper, 0);
    format_params(f, &n->fn.params, DOC_WHOLE);
    if (n->fn.result) {
        format_word(f);
        spaced_expr(f, n->fn.result);
    }
    if (n->fn.body->kind == AST_BLOCK) {
        format_block(f, n->fn.body, false);
    } else {
        doc_space(&f->doc);
        value(f, n->fn.body);
    }
}

static void declaration(Format *f, const Ast *n, Line *line) {
    switch (n->kind) {
    case AST_IMPORT:
        format_token(f);
        format_word(f);
        break;
    case AST_FUNCTION: function(f, n); break;
    case AST_TRAIN:
        format_token(f);
        if (n->train.name.name) format_word(f);
        format_block(f, n->train.body, true);
        break;
    default: statement(f, n, line);
    }
}

/* ---- sequences ---- */

static bool is_comment(const Format *f, size_t i) { return f->tokens.at[i].kind == FORMAT_COMMENT; }

static bool on_line_of(const Format *f, size_t i, size_t other) {
    return f->tokens.at[i].line == f->tokens.at[other].line;
}

/* Whether the next `;` must stay, alone on its line: documentation before it belongs to it and to nothing else, and a
 * comment behind it is none. */
static bool keeps_comment(const Format *f) {
    size_t n = f->next, first = n;
    if (n > 0 && is_comment(f, n - 1) && !(n > 1 && on_line_of(f, n - 2, n - 1))) return true;
    if (!is_comment(f, n + 1) || !on_line_of(f, n + 1, n)) return false;
    while (first > 0 && on_line_of(f, first - 1, n) && f->tokens.at[first - 1].kind == T_SEMICOLON) first--;
    return first == 0 || !on_line_of(f, first - 1, n);
}

/* The comments before the next statement, or the end, each on its line; `;` is left out. `first`: behind `{`. Returns
 * whether there were any. */
static bool between(Format *f, bool first) {
    bool any = false;
    for (;; any = true) {
        const FormatToken *t = &f->tokens.at[f->next];
        while (t->kind == T_SEMICOLON && !keeps_comment(f)) {
            format_drop(f);
            t = &f->tokens.at[f->next];
        }
        if (t->kind != FORMAT_COMMENT && t->kind != T_SEMICOLON) return any;
        doc_newline(&f->doc, format_is_apart(f) && (any || !first) ? DOC_BLANK : 0);
        if (t->kind == T_SEMICOLON) {
            format_token(f);
        } else {
            doc_comment(&f->doc, f->source->text + t->begin, t->end - t->begin);
            f->line = t->line;
            f->next++;
        }
    }
}

/* What separates a statement from the one before it, or from `{`: false where that ends a run of lines. */
static bool begin_statement(Format *f, bool first, bool is_inline) {
    bool any = between(f, first), apart = format_is_apart(f) && (any || !first);
    if (is_inline)
        doc_break(&f->doc, DOC_SPACED);
    else
        doc_newline(&f->doc, apart ? DOC_BLANK : 0);
    return !any && !apart;
}

typedef void Put(Format *f, const Ast *n, Line *line);

static void sequence(Format *f, const AstList *list, Put *put, bool is_inline, bool is_train) {
    Lines lines = {0};
    for (int i = 0; i < list->len; i++) {
        const Ast *n = list->at[i];
        bool follows = begin_statement(f, i == 0, is_inline);
        Line line = {.kind = n->kind, .begin = n->at.begin, .first = f->doc.items.len};
        put(f, n, &line);
        for (line.last = f->doc.items.len; f->doc.items.at[line.last - 1].kind == DOC_REMARK;) line.last--;
        follows = follows && lines.len && lines.at[0].kind == line.kind && lines.at[0].anchors == line.anchors;
        if (!follows || !fits(f, &line, 0)) align_lines(f, &lines, is_train);
        if (fits(f, &line, 0)) vec_push(&lines, line);
    }
    align_lines(f, &lines, is_train);
    vec_free(&lines);
    between(f, list->len == 0);
}

/* Whether nothing stands before the block's end; leaves out the `;` before it. */
static bool is_empty(Format *f) {
    size_t end = f->next;
    while (f->tokens.at[end].kind == T_SEMICOLON) end++;
    if (f->tokens.at[end].kind != T_RBRACE) return false;
    while (f->next < end) format_drop(f);
    return true;
}

/* `grouped`: it is part of an `if` on one line, which is a group of its own. */
static void inner_block(Format *f, const Ast *n, bool is_train, bool grouped) {
    format_word(f);
    if (is_empty(f)) {
        format_word(f);
        return;
    }
    bool is_inline = grouped || is_short(f, n);
    int brackets = f->brackets;
    if (!grouped) doc_open(&f->doc, GROUP_BLOCK, 0);
    f->brackets = 0;
    f->depth++;
    sequence(f, &n->list, statement, is_inline, is_train);
    f->depth--;
    f->brackets = brackets;
    if (is_inline)
        doc_break(&f->doc, DOC_SPACED | DOC_OUTDENTED);
    else
        doc_newline(&f->doc, DOC_OUTDENTED);
    format_token(f);
    if (!grouped) doc_close(&f->doc);
}

void format_block(Format *f, const Ast *n, bool is_train) { inner_block(f, n, is_train, false); }

void format_file(Format *f, const AstFile *file) {
    doc_open(&f->doc, GROUP_HOLD, 0);
    sequence(f, &file->decls, declaration, false, false);
    doc_close(&f->doc);
}
