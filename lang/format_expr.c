/* Expressions and types as documents. */
#include "lang/format_tree.h"
#include "parser.h"

static unsigned bracketed(const Format *f) { return f->brackets ? DOC_BRACKETED : 0; }

static unsigned authors(const Format *f) { return format_breaks(f) ? DOC_AUTHOR : 0; }

/* Comments before the group are not part of it. */
static void open_group(Format *f, GroupKind group) {
    format_comments(f);
    doc_open(&f->doc, group, bracketed(f));
}

/* ---- lists ---- */

static void open_list(Format *f, unsigned flags) {
    format_token(f);
    doc_open(&f->doc, GROUP_LIST, DOC_HANGS | flags | bracketed(f));
    f->brackets++;
}

static void comma(Format *f, unsigned kept) {
    format_token(f);
    unsigned author = authors(f);
    doc_break(&f->doc, DOC_SPACED | author | (author ? kept : 0));
}

static void close_list(Format *f) {
    if (format_peek(f)->kind == T_COMMA) format_drop(f);
    format_comments(f);
    doc_close(&f->doc);
    f->brackets--;
    format_token(f);
}

/* A table keeps its rows. */
static bool is_table(const AstList *items) {
    for (int i = 0; i < items->len; i++)
        if (items->at[i]->kind != AST_LIST) return false;
    return true;
}

void format_list(Format *f, const AstList *items, bool table) {
    open_list(f, 0);
    for (int i = 0; i < items->len; i++) {
        if (i) comma(f, table ? DOC_KEPT : 0);
        format_expr(f, items->at[i]);
    }
    close_list(f);
}

void format_pair(Format *f, AstName name, const Ast *type, const Ast *value) {
    if (name.name) format_token(f);
    if (type) {
        format_token(f);
        doc_space(&f->doc);
        format_expr(f, type);
    }
    if (value && name.name) {
        format_word(f);
        doc_space(&f->doc);
    }
    if (value) format_expr(f, value);
}

static void arguments(Format *f, const AstFields *args) {
    open_list(f, 0);
    for (int i = 0; i < args->len; i++) {
        if (i) comma(f, 0);
        format_pair(f, args->at[i].name, args->at[i].type, args->at[i].value);
    }
    close_list(f);
}

void format_params(Format *f, const AstParams *params, unsigned flags) {
    open_list(f, flags);
    for (int i = 0; i < params->len; i++) {
        if (i) comma(f, 0);
        format_pair(f, params->at[i].name, params->at[i].type, params->at[i].value);
    }
    close_list(f);
}

void format_pairs(Format *f, const AstFields *pairs) {
    doc_open(&f->doc, GROUP_LIST, bracketed(f));
    for (int i = 0; i < pairs->len; i++) {
        if (i) comma(f, 0);
        format_pair(f, pairs->at[i].name, pairs->at[i].type, pairs->at[i].value);
    }
    doc_close(&f->doc);
}

/* ---- operators ---- */

static int level(const Ast *n) {
    if (n->kind != AST_BINARY) return 0;
    switch (n->op.op) {
    case OP_AST_OR: return 1;
    case OP_AST_AND: return 2;
    case OP_AST_ADD:
    case OP_AST_SUB: return 4;
    case OP_AST_MUL:
    case OP_AST_DIV:
    case OP_AST_MATMUL: return 5;
    case OP_AST_POW: return 6;
    default: return 3;
    }
}

static bool in_parentheses(const Format *f, const Ast *n) { return format_peek(f)->begin < n->at.begin; }

/* a + b - c as one line of operands, whatever the shape of its tree. The author chooses between 2 * x and 2*x. */
static void operands(Format *f, const Ast *n, int of_level) {
    if (level(n) != of_level || in_parentheses(f, n)) {
        format_expr(f, n);
        return;
    }
    operands(f, n->op.a, of_level);
    bool spaced = n->op.op == OP_AST_MUL || n->op.op == OP_AST_DIV ? format_is_spaced(f) : true;
    if (spaced) doc_space(&f->doc);
    format_token(f);
    doc_break(&f->doc, (spaced ? DOC_SPACED : 0) | authors(f));
    format_expr(f, n->op.b);
}

static void binary(Format *f, const Ast *n) {
    if (n->op.op == OP_AST_POW) {
        format_expr(f, n->op.a);
        format_token(f);
        format_expr(f, n->op.b);
        return;
    }
    open_group(f, GROUP_CHAIN);
    operands(f, n, level(n));
    doc_close(&f->doc);
}

static void unary(Format *f, const Ast *n) {
    format_token(f);
    if (n->op.op == OP_AST_NOT || (n->op.a->kind == AST_UNARY && !in_parentheses(f, n->op.a))) doc_space(&f->doc);
    format_expr(f, n->op.a);
}

static void stages(Format *f, const Ast *n) {
    if (n->kind != AST_PIPE || in_parentheses(f, n)) {
        format_expr(f, n);
        return;
    }
    stages(f, n->pipe.value);
    doc_break(&f->doc, DOC_SPACED | (format_breaks(f) ? DOC_AUTHOR | DOC_KEPT : 0));
    format_token(f);
    doc_space(&f->doc);
    format_expr(f, n->pipe.into);
}

static void conditional(Format *f, const Ast *n) {
    open_group(f, GROUP_IF);
    for (;; n = n->when.els) {
        format_token(f);
        doc_space(&f->doc);
        format_expr(f, n->when.cond);
        format_word(f);
        doc_space(&f->doc);
        format_expr(f, n->when.then);
        doc_break(&f->doc, DOC_SPACED);
        format_token(f);
        doc_space(&f->doc);
        if (n->when.els->kind != AST_IF || in_parentheses(f, n->when.els)) break;
    }
    format_expr(f, n->when.els);
    doc_close(&f->doc);
}

/* ---- the rest ---- */

static void range(Format *f, const Ast *n) {
    if (n->range.lo) format_expr(f, n->range.lo);
    format_token(f);
    if (n->range.hi) format_expr(f, n->range.hi);
    if (!n->range.step) return;
    format_word(f);
    doc_space(&f->doc);
    format_expr(f, n->range.step);
}

static void binder(Format *f, const Ast *n) {
    format_token(f);
    format_word(f);
    doc_space(&f->doc);
    format_expr(f, n->binder.range);
}

/* A type does not break between its dims. */
static void type(Format *f, const Ast *n) {
    if (n->type.dtype) format_token(f);
    if (n->type.scalar) return;
    format_token(f);
    f->brackets++;
    for (int i = 0; i < n->type.dims.len; i++) {
        if (i) {
            format_token(f);
            doc_space(&f->doc);
        }
        format_expr(f, n->type.dims.at[i]);
    }
    if (format_peek(f)->kind == T_COMMA) format_drop(f);
    f->brackets--;
    format_token(f);
}

static void lambda(Format *f, const Ast *n) {
    open_group(f, GROUP_HOLD);
    format_token(f);
    format_params(f, &n->lambda.params, 0);
    if (n->lambda.body->kind == AST_BLOCK) {
        format_block(f, n->lambda.body, false);
    } else {
        format_word(f);
        doc_space(&f->doc);
        format_expr(f, n->lambda.body);
    }
    doc_close(&f->doc);
}

static void scan(Format *f, const Ast *n) {
    open_group(f, GROUP_HOLD);
    format_token(f);
    format_word(f);
    format_word(f);
    doc_space(&f->doc);
    format_expr(f, n->scan.range);
    format_word(f);
    doc_space(&f->doc);
    format_pairs(f, &n->scan.carries);
    format_block(f, n->scan.body, false);
    doc_close(&f->doc);
}

static void node(Format *f, const Ast *n) {
    switch (n->kind) {
    case AST_UNARY: unary(f, n); break;
    case AST_BINARY: binary(f, n); break;
    case AST_PIPE:
        open_group(f, GROUP_PIPE);
        stages(f, n);
        doc_close(&f->doc);
        break;
    case AST_IF: conditional(f, n); break;
    case AST_CALL:
        format_expr(f, n->call.callee);
        arguments(f, &n->call.args);
        break;
    case AST_INDEX:
        format_expr(f, n->index.of);
        format_list(f, &n->index.items, false);
        break;
    case AST_FIELD:
        format_expr(f, n->field.of);
        format_token(f);
        format_token(f);
        break;
    case AST_LIST:
    case AST_TUPLE: format_list(f, &n->list, n->kind == AST_LIST && is_table(&n->list)); break;
    case AST_LAMBDA: lambda(f, n); break;
    case AST_SCAN: scan(f, n); break;
    case AST_RANGE: range(f, n); break;
    case AST_BINDER: binder(f, n); break;
    case AST_TYPE: type(f, n); break;
    case AST_NUMBER:
    case AST_STRING:
    case AST_BOOL:
    case AST_NAME: format_token(f); break;
    case AST_REST:
        while (format_peek(f)->begin < n->at.end && format_peek(f)->kind) format_token(f);
        break;
    default: bug("a %s among expressions", ast_kind_name(n->kind));
    }
}

void format_expr(Format *f, const Ast *n) {
    int parentheses = 0;
    for (; in_parentheses(f, n); parentheses++) {
        format_token(f);
        f->brackets++;
    }
    node(f, n);
    for (; parentheses; parentheses--) {
        f->brackets--;
        format_token(f);
    }
}
