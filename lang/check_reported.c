/* Reports as arguments. A parameter declared `metric: reported` takes the name of a report of the train block, as
 * keep_best does, and is what that came to in the last epoch: a state that the run sets (NaN before). */
#include "lang/check.h"

#include <math.h>
#include <string.h>

bool type_is_reported(const Ast *type) {
    return type->kind == AST_TYPE && type->type.scalar && type->type.dtype && strcmp(type->type.dtype, "reported") == 0;
}

/* The parameter that an argument is for; NULL where there is none. */
static const AstParam *parameter_of(Value callee, Name name, int place) {
    bool function = callee.kind == V_FUNCTION && callee.fn.ast->kind == AST_FUNCTION;
    if (!function && callee.kind != V_OPTIMIZER) return NULL;
    const AstParams *params = function ? &callee.fn.ast->fn.params : &callee.fn.ast->fn.hyper;
    if (!name) return place < params->len ? &params->at[place] : NULL;
    for (int i = 0; i < params->len; i++)
        if (params->at[i].name.name == name) return &params->at[i];
    return NULL;
}

static Value last_value(Checker *c, TrainBlock *t, Ast *e) {
    bool made;
    Name path = check_name(c, "%sreport/%s", c->unit->optimizer_prefix, e->name);
    Variable *var = variable_at(c, path, type_scalar(type_float(c)), false, true, e->at, &made);
    if (!var) return value_poison();
    if (made) init_number(c, var, NAN);
    bool known = c->unit->symbolic;
    for (size_t i = 0; i < t->reported.len; i++) known = known || t->reported.at[i].var == var;
    Reported r = {e->name, var};
    if (!known) arena_push(c, &t->reported, r);
    return value_term(variable_slot(c, var, e->at)->now);
}

Value eval_argument(Checker *c, Scope *s, Value callee, const AstField *f, int place) {
    const AstParam *p = parameter_of(callee, f->name.name, place);
    TrainBlock *t = c->unit ? c->unit->block : NULL;
    bool handed_on = !t || !c->frame || c->frame->fn; /* by a function that got it */
    if (!p || !p->type || !type_is_reported(p->type) || handed_on) return eval_expr(c, s, f->value);
    Ast *e = f->value;
    if (e->kind == AST_NAME && train_reports(c, t->ast, e->name)) return last_value(c, t, e);
    if (e->kind == AST_NAME && !scope_binding(s, e->name) && !module_has(c, c->main, e->name))
        return eval_unknown(c, s, e->name, e->at);
    if (e->kind == AST_NAME)
        err(c, e->at, stop_unknown, e->name);
    else
        diag_help(c->nnc, err(c, e->at, reported_name, p->name.name),
                  "such as: plateau(loss, 1e-3); a loop reports its loss without asking");
    return value_poison();
}
