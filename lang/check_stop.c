/* What a train block decides by: stop_when conditions, and the names of reports that they and keep_best are about. */
#include "lang/check.h"

#include <string.h>

/* ---- names of reports ---- */

typedef struct {
    Name name;
    bool minimize; /* whether `minimize` counts: its loss is reported without asking */
    bool found;
} Search;

static void search(Ast *a, void *arg) {
    Search *s = arg;
    s->found = s->found || (a->kind == AST_REPORT && a->report.name.name == s->name) ||
               (s->minimize && a->kind == AST_MINIMIZE);
    ast_each_child(a, search, s);
}

static bool is_loss(Name name) { return strcmp(name, "loss") == 0 || strncmp(name, "loss_", 5) == 0; }

bool train_reports(Checker *c, Ast *train, Name name) {
    Search s = {.name = name, .minimize = is_loss(name)};
    search(train->train.body, &s);
    if (s.found || strncmp(name, "train_", 6) != 0) return s.found;
    return train_reports(c, train, check_name(c, "%s", name + 6));
}

typedef VEC(const char *) Texts;

static void list_reports(Ast *a, void *arg) {
    Texts *names = arg;
    if (a->kind == AST_REPORT && a->report.name.name) vec_push(names, a->report.name.name);
    if (a->kind == AST_MINIMIZE) vec_push(names, "loss");
    ast_each_child(a, list_reports, names);
}

void train_report_help(Checker *c, Diag *d, Ast *train, Name name) {
    Texts names = {0};
    list_reports(train->train.body, &names);
    const char *near = diag_nearest(name, names.at, names.len);
    if (near)
        diag_help(c->nnc, d, "did you mean '%s'?", near);
    else
        diag_help(c->nnc, d, "a loop reports it with: report %s = ...", name);
    vec_free(&names);
}

/* ---- conditions ---- */

static StopTerm *stop_term(Checker *c, StopKind kind, Span at) {
    StopTerm *s = ARENA_NEW(check_arena(c), StopTerm);
    *s = (StopTerm){.kind = kind, .at = at};
    return s;
}

/* What needs no report is a number or a truth known before the run. */
static StopTerm *known(Checker *c, Ast *e) {
    Value v = eval_expr(c, c->main->scope, e);
    StopTerm *s = stop_term(c, STOP_NUMBER, e->at);
    s->condition = v.kind == V_BOOL;
    s->number = v.kind == V_BOOL && v.truth;
    if (v.kind == V_BOOL || value_number(v, &s->number)) return s;
    if (v.kind != V_POISON) err(c, e->at, stop_value, value_text(c, v));
    return NULL;
}

static bool is_no_improvement(const Ast *e) {
    return e->kind == AST_CALL && e->call.callee->kind == AST_NAME &&
           strcmp(e->call.callee->name, "no_improvement") == 0;
}

/* no_improvement(name, epochs = 3): of a loss, and of -name, less is better. */
static StopTerm *no_improvement(Checker *c, const TrainBlock *t, Ast *e) {
    const AstFields *args = &e->call.args;
    StopTerm *s = stop_term(c, STOP_NO_IMPROVEMENT, e->at);
    Ast *name = args->len == 2 && !args->at[0].name.name ? args->at[0].value : NULL;
    bool minus = name && name->kind == AST_UNARY && name->op.op == OP_AST_NEG;
    if (minus) name = name->op.a;
    bool counted = name && (!args->at[1].name.name || strcmp(args->at[1].name.name, "epochs") == 0);
    if (!counted || name->kind != AST_NAME) {
        diag_help(c->nnc, err(c, e->at, stop_arguments),
                  "no_improvement(accuracy, epochs = 3), or -name where less is better");
        return NULL;
    }
    if (!train_reports(c, t->ast, name->name)) {
        train_report_help(c, err(c, name->at, stop_unknown, name->name), t->ast, name->name);
        return NULL;
    }
    Value v = eval_expr(c, c->main->scope, args->at[1].value);
    int64_t epochs;
    if (!value_is_known_int(v, &epochs) || epochs < 1) {
        if (v.kind != V_POISON) err(c, args->at[1].value->at, bad_setting, "epochs", 1, value_text(c, v));
        return NULL;
    }
    s->report = name->name;
    s->number = (double)epochs;
    s->less = minus || is_loss(name->name);
    s->condition = true;
    return s;
}

static StopTerm *stop_expr(Checker *c, const TrainBlock *t, Ast *e);

static StopTerm *operation(Checker *c, const TrainBlock *t, Ast *e) {
    StopTerm *s = stop_term(c, STOP_OP, e->at);
    s->op = e->op.op;
    s->a = stop_expr(c, t, e->op.a);
    s->b = e->op.b ? stop_expr(c, t, e->op.b) : NULL;
    if (!s->a || (e->op.b && !s->b)) return NULL;
    bool logic = s->op == OP_AST_AND || s->op == OP_AST_OR || s->op == OP_AST_NOT;
    s->condition = logic || (s->op >= OP_AST_EQ && s->op <= OP_AST_GE);
    if (s->op == OP_AST_MATMUL) {
        err(c, e->at, stop_value, "a matrix product");
        return NULL;
    }
    const StopTerm *wrong = s->a->condition != logic ? s->a : s->b && s->b->condition != logic ? s->b : NULL;
    if (!wrong) return s;
    err(c, wrong->at, stop_kind, ast_operator_text(s->op), logic ? "conditions" : "numbers",
        logic ? "a number" : "a condition");
    return NULL;
}

static StopTerm *stop_expr(Checker *c, const TrainBlock *t, Ast *e) {
    if (is_no_improvement(e)) return no_improvement(c, t, e);
    if (e->kind == AST_UNARY || e->kind == AST_BINARY) return operation(c, t, e);
    if (e->kind != AST_NAME) return known(c, e);
    if (train_reports(c, t->ast, e->name)) {
        StopTerm *s = stop_term(c, STOP_REPORT, e->at);
        s->report = e->name;
        return s;
    }
    if (module_has(c, c->main, e->name)) return known(c, e);
    err(c, e->at, stop_unknown, e->name);
    return NULL;
}

void train_stop_when(Checker *c, TrainBlock *t, Ast *a) {
    StopTerm *s = stop_expr(c, t, a->value);
    if (!s) return;
    if (s->condition)
        arena_push(c, &t->stops, s);
    else
        diag_help(c->nnc, err(c, a->value->at, stop_condition),
                  "such as: stop_when loss < 0.01, or: stop_when no_improvement(loss, epochs = 3)");
}
