/* The tree builders. */
#include "lang/build.h"

#include <string.h>

/* ---- lists ---- */

/* Room for one more item in an array whose capacity is the power of two at or above its length. */
static void *grow(Parser *p, void *at, int len, size_t size) {
    if (len & (len - 1)) return at;
    void *room = arena_alloc(p->nnc->arena, (len ? 2 * (size_t)len : 1) * size);
    if (len) memcpy(room, at, (size_t)len * size);
    return room;
}

#define ADD(list, item)                                                                                                \
    ((list).at = grow(p, (list).at, (list).len, sizeof *(list).at), (list).at[(list).len++] = (item), (list))

AstList ast_list_add(Parser *p, AstList list, Ast *item) { return item ? ADD(list, item) : list; }
AstFields ast_fields_add(Parser *p, AstFields fields, AstField field) { return ADD(fields, field); }
AstParams ast_params_add(Parser *p, AstParams params, AstParam param) { return ADD(params, param); }
AstNames ast_names_add(Parser *p, AstNames names, AstName name) { return ADD(names, name); }

AstField ast_field(AstName name, Ast *type, Ast *value) { return (AstField){name, type, value}; }
AstParam ast_param(AstName name, Ast *type, Ast *value) { return (AstParam){name, type, value}; }

Pattern ast_pattern(Parser *p, AstName name) { return (Pattern){ast_names_add(p, (AstNames){0}, name), false}; }
Pattern ast_pattern_tuple(AstNames names) { return (Pattern){names, true}; }

/* ---- nodes ---- */

static void raise_to(Ast *child, void *height) {
    if (*(int *)height < child->height) *(int *)height = child->height;
}

/* What is left of a node whose tree would be too deep, so that no walk over the rest is. */
static void cut(Ast *n) {
    if (n->kind == AST_BLOCK) {
        n->list = (AstList){0};
    } else if (n->kind == AST_WHEN) {
        n->when.els = NULL;
    } else {
        n->kind = AST_NUMBER;
        n->number.value = 0;
        n->number.integer = 0;
        n->number.is_int = true;
    }
}

/* A copy of `model` in the arena, its height filled in. */
static Ast *node(Parser *p, Ast model) {
    Ast *n = arena_copy(p->nnc->arena, &model, sizeof model);
    ast_each_child(n, raise_to, &n->height);
    n->height++;
    if (n->height > AST_MAX_HEIGHT && (n->kind <= AST_TYPE || n->kind == AST_BLOCK || n->kind == AST_WHEN)) {
        layout_too_deep(p, n->at, AST_MAX_HEIGHT);
        cut(n);
        n->height = 0;
        ast_each_child(n, raise_to, &n->height);
        n->height++;
    }
    return n;
}

#define NODE(node_kind, ...) node(p, (Ast){.kind = (node_kind), .at = at, __VA_ARGS__})

/* The documentation comment before the declaration that begins at `at`. */
static Name doc_before(const Parser *p, Span at) {
    size_t lo = 0, hi = p->docs.len;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (p->docs.at[mid].before == at.begin) return p->docs.at[mid].text;
        if (p->docs.at[mid].before < at.begin)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* ---- expressions ---- */

Ast *ast_number(Parser *p, Span at, NumberValue v) {
    return NODE(AST_NUMBER, .number = {v.value, v.integer, v.is_int});
}

Ast *ast_string(Parser *p, Span at, StringValue v) { return NODE(AST_STRING, .string = {v.text, v.len}); }

Ast *ast_bool(Parser *p, Span at, bool value) { return NODE(AST_BOOL, .boolean = value); }

Ast *ast_name(Parser *p, AstName name) {
    Span at = name.at;
    return NODE(AST_NAME, .name = name.name);
}

Ast *ast_unary(Parser *p, Span at, AstOperator op, Span op_at, Ast *a) {
    return NODE(AST_UNARY, .op = {op, op_at, a, NULL});
}

Ast *ast_binary(Parser *p, Span at, AstOperator op, Span op_at, Ast *a, Ast *b) {
    return NODE(AST_BINARY, .op = {op, op_at, a, b});
}

Ast *ast_pipe(Parser *p, Span at, Ast *value, Ast *into) { return NODE(AST_PIPE, .pipe = {value, into}); }

Ast *ast_if(Parser *p, Span at, Ast *cond, Ast *then, Ast *els) { return NODE(AST_IF, .when = {cond, then, els}); }

Ast *ast_call(Parser *p, Span at, Ast *callee, AstFields args) { return NODE(AST_CALL, .call = {callee, args}); }

Ast *ast_index(Parser *p, Span at, Ast *of, AstList items) { return NODE(AST_INDEX, .index = {of, items}); }

Ast *ast_member(Parser *p, Span at, Ast *of, AstName field) { return NODE(AST_FIELD, .field = {of, field}); }

Ast *ast_sequence(Parser *p, Span at, AstKind kind, AstList list) { return NODE(kind, .list = list); }

Ast *ast_tuple(Parser *p, Span at, Ast *first, AstList rest) {
    AstList all = ast_list_add(p, (AstList){0}, first);
    for (int i = 0; i < rest.len; i++) all = ast_list_add(p, all, rest.at[i]);
    return NODE(AST_TUPLE, .list = all);
}

Ast *ast_lambda(Parser *p, Span at, AstParams params, Ast *body) { return NODE(AST_LAMBDA, .lambda = {params, body}); }

Ast *ast_scan(Parser *p, Span at, AstName var, Ast *range, AstFields carries, Ast *body) {
    return NODE(AST_SCAN, .scan = {var, range, carries, body});
}

Ast *ast_range(Parser *p, Span at, Ast *lo, Ast *hi, Ast *step) { return NODE(AST_RANGE, .range = {lo, hi, step}); }

Ast *ast_rest(Parser *p, Span at, Name name) { return NODE(AST_REST, .name = name); }

Ast *ast_rest_or_range(Parser *p, Span at, Ast *hi) {
    return hi->kind == AST_NAME ? ast_rest(p, at, hi->name) : ast_range(p, at, NULL, hi, NULL);
}

Ast *ast_binder(Parser *p, Span at, AstName var, Ast *range) { return NODE(AST_BINDER, .binder = {var, range}); }

Ast *ast_type(Parser *p, Span at, Name dtype, bool scalar, AstList dims) {
    return NODE(AST_TYPE, .type = {dtype, scalar, dims});
}

/* ---- statements ---- */

Ast *ast_let(Parser *p, Span at, AstKind kind, Pattern names, Ast *value) {
    return NODE(kind, .let = {names.names, names.is_tuple, value, doc_before(p, at), false});
}

Ast *ast_define(Parser *p, Span at, AstName name, AstList indices, Ast *value) {
    return NODE(AST_DEFINE, .define = {name, indices, value});
}

/* Adds the name that an expression on the left of `=` is; false where it is something else. */
static bool add_target(Parser *p, Pattern *to, const Ast *target) {
    if (target->kind == AST_NAME) {
        to->names = ast_names_add(p, to->names, (AstName){target->name, target->at});
        return true;
    }
    Diag *d = diag(p->nnc, target->at, DIAG_bad_target);
    if (target->kind == AST_INDEX)
        diag_help(p->nnc, d, "a tensor is defined by its elements all at once: let y[i, j] = …");
    else if (target->kind == AST_BINARY || target->kind == AST_CALL)
        diag_help(p->nnc, d, "equality is written '=='");
    else if (target->kind == AST_FIELD)
        diag_help(p->nnc, d, "a layer's states are assigned in its own body");
    return false;
}

Ast *ast_assign(Parser *p, Span at, Ast *target, Ast *value) {
    Pattern to = {.is_tuple = target->kind == AST_TUPLE};
    if (!to.is_tuple && !add_target(p, &to, target)) return NULL;
    for (int i = 0; to.is_tuple && i < target->list.len; i++)
        if (!add_target(p, &to, target->list.at[i])) return NULL;
    return NODE(AST_ASSIGN, .let = {to.names, to.is_tuple, value, NULL, false});
}

Ast *ast_statement(Parser *p, Span at, AstKind kind, Ast *value) { return NODE(kind, .value = value); }

Ast *ast_when(Parser *p, Span at, Ast *cond, Ast *then, Ast *els) { return NODE(AST_WHEN, .when = {cond, then, els}); }

Ast *ast_for(Parser *p, Span at, Pattern names, Ast *over, Ast *body) {
    return NODE(AST_FOR, .loop = {names.names, names.is_tuple, over, body});
}

Ast *ast_while(Parser *p, Span at, Ast *cond, Ast *body) { return NODE(AST_WHILE, .loop_while = {cond, body}); }

Ast *ast_parameter(Parser *p, Span at, AstName name, Ast *type, bool drawn, Ast *init) {
    return NODE(AST_PARAM, .param = {name, type, drawn, init});
}

Ast *ast_states(Parser *p, Span at, AstFields states) { return NODE(AST_STATE, .states = states); }

Ast *ast_minimize(Parser *p, Span at, Ast *value, AstList over, Ast *optimizer, AstFields options) {
    struct {
        const char *name;
        Ast *value;
    } known[] = {{"clip_norm", NULL}, {"clip_value", NULL}, {"accumulate", NULL}};
    for (int i = 0; i < options.len; i++) {
        const AstField *option = &options.at[i];
        for (size_t k = 0; k < COUNT(known); k++) {
            if (strcmp(known[k].name, option->name.name) != 0) continue;
            if (known[k].value) diag(p->nnc, option->name.at, DIAG_option_twice, option->name.name);
            known[k].value = option->value;
        }
    }
    return NODE(AST_MINIMIZE, .minimize = {value, over, optimizer, known[0].value, known[1].value, known[2].value});
}

Ast *ast_report(Parser *p, Span at, AstName name, Ast *value) { return NODE(AST_REPORT, .report = {name, value}); }

Ast *ast_load(Parser *p, Span at, Ast *target, Ast *path) { return NODE(AST_LOAD, .load = {target, path}); }

/* ---- declarations ---- */

Ast *ast_import(Parser *p, Span at, Span path_at, StringValue path) {
    return NODE(AST_IMPORT, .import = {path.text, path_at});
}

Ast *ast_function(Parser *p, Span at, FunctionKind kind, AstName name, AstParams hyper, AstParams params, Ast *result,
                  Ast *body) {
    return NODE(AST_FUNCTION, .fn = {kind, name, hyper, params, result, body, doc_before(p, at), false});
}

Ast *ast_export(Parser *p, Span at, Ast *function) {
    function->at = at;
    function->fn.exported = true;
    function->fn.doc = doc_before(p, at);
    return function;
}

Ast *ast_train(Parser *p, Span at, AstName name, Ast *body) {
    return NODE(AST_TRAIN, .train = {name, body, doc_before(p, at)});
}

void ast_declare(Parser *p, Ast *decl) { p->file->decls = ast_list_add(p, p->file->decls, decl); }

/* ---- operators ---- */

static const struct {
    const char *text, *name;
} operators[] = {
#define OPERATOR(id, text, name) {text, name},
    AST_OPERATORS(OPERATOR)
#undef OPERATOR
};

const char *ast_operator_text(AstOperator op) { return operators[op].text; }
const char *ast_operator_name(AstOperator op) { return operators[op].name; }

/* ---- a file ---- */

AstFile *parse_file(Nnc *nnc, uint32_t file) {
    AstFile *f = ARENA_NEW(nnc->arena, AstFile);
    f->file = file;
    Parser p = {.nnc = nnc, .file = f, .source = nnc->sources.files.at[file]};
    layout_open(&p);
    lang_parse(&p);
    f->comments.len = (int)p.comments.len;
    f->comments.at = arena_copy(nnc->arena, p.comments.at, p.comments.len * sizeof(Span));
    layout_close(&p);
    return f;
}
