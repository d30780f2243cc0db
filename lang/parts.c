/* The table of parts.h, and the walk over a node's children. */
#include "lang/parts.h"

#include <stddef.h>

#define PART(kind, member, label) {PART_##kind, offsetof(Ast, member), label}

static const NodeKind kinds[AST_KINDS] = {
    [AST_NUMBER] = {"number", {PART(NUMBER, number, NULL)}},
    [AST_STRING] = {"string", {PART(STRING, string, NULL)}},
    [AST_BOOL] = {"bool", {PART(BOOL, boolean, NULL)}},
    [AST_NAME] = {"name", {PART(NAME, name, NULL)}},
    [AST_UNARY] = {"unary", {PART(OPERATOR, op.op, NULL), PART(NODE, op.a, NULL)}},
    [AST_BINARY] = {"binary", {PART(OPERATOR, op.op, NULL), PART(NODE, op.a, NULL), PART(NODE, op.b, NULL)}},
    [AST_PIPE] = {"pipe", {PART(NODE, pipe.value, NULL), PART(NODE, pipe.into, NULL)}},
    [AST_IF] = {"if", {PART(NODE, when.cond, NULL), PART(NODE, when.then, "then"), PART(NODE, when.els, "else")}},
    [AST_CALL] = {"call", {PART(NODE, call.callee, NULL), PART(FIELDS, call.args, NULL)}},
    [AST_INDEX] = {"index", {PART(NODE, index.of, NULL), PART(LIST, index.items, NULL)}},
    [AST_FIELD] = {"field", {PART(NAMED, field.field, NULL), PART(NODE, field.of, NULL)}},
    [AST_LIST] = {"list", {PART(LIST, list, NULL)}},
    [AST_TUPLE] = {"tuple", {PART(LIST, list, NULL)}},
    [AST_LAMBDA] = {"lambda", {PART(PARAMS, lambda.params, "param"), PART(NODE, lambda.body, NULL)}},
    [AST_SCAN] = {"scan",
                  {PART(NAMED, scan.var, NULL), PART(NODE, scan.range, "in"), PART(FIELDS, scan.carries, NULL),
                   PART(NODE, scan.body, NULL)}},
    [AST_RANGE] = {"range", {PART(NODE, range.lo, "from"), PART(NODE, range.hi, "to"), PART(NODE, range.step, "by")}},
    [AST_REST] = {"rest", {PART(NAME, name, NULL)}},
    [AST_BINDER] = {"binder", {PART(NAMED, binder.var, NULL), PART(NODE, binder.range, "in")}},
    [AST_TYPE] = {"type",
                  {PART(NAME, type.dtype, NULL), PART(FLAG, type.scalar, "scalar"), PART(LIST, type.dims, NULL)}},
    [AST_BLOCK] = {"block", {PART(LIST, list, NULL)}},
    [AST_LET] = {"let", {PART(NAMES, let.names, NULL), PART(TEXT, let.doc, "doc"), PART(NODE, let.value, NULL)}},
    [AST_DEFINE] = {"define",
                    {PART(NAMED, define.name, NULL), PART(LIST, define.indices, "index"),
                     PART(NODE, define.value, NULL)}},
    [AST_ASSIGN] = {"assign", {PART(NAMES, let.names, NULL), PART(NODE, let.value, NULL)}},
    [AST_RETURN] = {"return", {PART(NODE, value, NULL)}},
    [AST_YIELD] = {"yield", {PART(NODE, value, NULL)}},
    [AST_WHEN] = {"when", {PART(NODE, when.cond, NULL), PART(NODE, when.then, "then"), PART(NODE, when.els, "else")}},
    [AST_FOR] = {"for", {PART(NAMES, loop.names, NULL), PART(NODE, loop.over, "in"), PART(NODE, loop.body, NULL)}},
    [AST_WHILE] = {"while", {PART(NODE, loop_while.cond, NULL), PART(NODE, loop_while.body, NULL)}},
    [AST_PARAM] = {"param",
                   {PART(NAMED, param.name, NULL), PART(FLAG, param.drawn, "drawn"), PART(NODE, param.type, NULL),
                    PART(NODE, param.init, NULL)}},
    [AST_STATE] = {"state", {PART(FIELDS, states, NULL)}},
    [AST_EXPR] = {"expr", {PART(NODE, value, NULL)}},
    [AST_MINIMIZE] = {"minimize",
                      {PART(NODE, minimize.value, NULL), PART(LIST, minimize.over, "over"),
                       PART(NODE, minimize.optimizer, "using"), PART(NODE, minimize.clip_norm, "clip_norm"),
                       PART(NODE, minimize.clip_value, "clip_value"), PART(NODE, minimize.accumulate, "accumulate")}},
    [AST_REPORT] = {"report", {PART(NAMED, report.name, NULL), PART(NODE, report.value, NULL)}},
    [AST_STOP_WHEN] = {"stop_when", {PART(NODE, value, NULL)}},
    [AST_LOAD] = {"load", {PART(NODE, load.target, NULL), PART(NODE, load.path, "from")}},
    [AST_IMPORT] = {"import", {PART(TEXT, import.path, NULL)}},
    [AST_FUNCTION] = {"function",
                      {PART(FUNCTION, fn.kind, NULL), PART(NAMED, fn.name, NULL), PART(FLAG, fn.exported, "exported"),
                       PART(TEXT, fn.doc, "doc"), PART(PARAMS, fn.hyper, "hyper"), PART(PARAMS, fn.params, "param"),
                       PART(NODE, fn.result, "result"), PART(NODE, fn.body, NULL)}},
    [AST_DATA] = {"data", {PART(NAMES, let.names, NULL), PART(TEXT, let.doc, "doc"), PART(NODE, let.value, NULL)}},
    [AST_TRAIN] = {"train",
                   {PART(NAMED, train.name, NULL), PART(TEXT, train.doc, "doc"), PART(NODE, train.body, NULL)}},
};

const NodeKind *node_kind(AstKind kind) { return &kinds[kind]; }

const char *ast_kind_name(AstKind kind) { return kinds[kind].name; }

static void visit_pair(Ast *type, Ast *value, void (*visit)(Ast *, void *), void *arg) {
    if (type) visit(type, arg);
    if (value) visit(value, arg);
}

static void visit_part(const Part *part, const void *at, void (*visit)(Ast *, void *), void *arg) {
    if (part->kind == PART_NODE) {
        visit_pair(NULL, *(Ast *const *)at, visit, arg);
    } else if (part->kind == PART_LIST) {
        const AstList *list = at;
        for (int i = 0; i < list->len; i++) visit(list->at[i], arg);
    } else if (part->kind == PART_FIELDS) {
        const AstFields *fields = at;
        for (int i = 0; i < fields->len; i++) visit_pair(fields->at[i].type, fields->at[i].value, visit, arg);
    } else if (part->kind == PART_PARAMS) {
        const AstParams *params = at;
        for (int i = 0; i < params->len; i++) visit_pair(params->at[i].type, params->at[i].value, visit, arg);
    }
}

void ast_each_child(const Ast *n, void (*visit)(Ast *child, void *arg), void *arg) {
    for (const Part *part = kinds[n->kind].parts; part->kind != PART_END; part++)
        visit_part(part, (const char *)n + part->offset, visit, arg);
}
