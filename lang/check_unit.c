/* Units: the frame around every function of terms, exported functions, and the drawing of first values. */
#include "lang/check.h"

#include <string.h>

/* ---- beginning and end ---- */

void unit_begin(Checker *c, UnitState *u, UnitKind kind, Name name, bool symbolic) {
    *u = (UnitState){.symbolic = symbolic, .vars = &c->vars, .first_term = c->terms, .errors = c->nnc->diags.errors};
    u->optimizer_prefix = intern(c->nnc->names, "");
    u->unit = ARENA_NEW(check_arena(c), Unit);
    u->unit->kind = kind;
    u->unit->name = name;
    u->unit->program = c->program;
    if (symbolic) u->vars = ARENA_NEW(check_arena(c), VarTable); /* what is only checked leaves nothing behind */
    u->namer = ARENA_NEW(check_arena(c), Namer);
    u->namer->path = name;
    c->unit = u;
    c->work = 0;
    c->stopped = false;
}

static bool changes(const UnitState *u, const Slot *slot) {
    return slot->now != slot->first && (u->training || slot->var->is_optimizer_state);
}

Unit *unit_end(Checker *c, UnitState *u) {
    Unit *unit = u->unit;
    unit->nlosses = (int)unit->results.len;
    for (size_t i = 0; i < u->reports.len; i++) arena_push(c, &unit->results, u->reports.at[i]);
    for (size_t i = 0; i < u->order.len; i++) {
        const Slot *slot = u->order.at[i];
        UnitUpdate update = {slot->var, slot->now->kind == T_MARK ? slot->now->args[0] : slot->now};
        if (changes(u, slot)) arena_push(c, &unit->updates, update);
    }
    if (u->symbolic) unit->variables = u->vars->list.at, unit->nvariables = u->vars->list.len;
    bool whole = true;
    for (size_t i = 0; i < unit->results.len; i++) whole = whole && unit->results.at[i].value;
    c->unit = NULL;
    if (c->nnc->diags.errors != u->errors) return NULL;
    if (!whole && !u->symbolic) err(c, (Span){0}, unit_unknown, unit->name);
    return whole || u->symbolic ? unit : NULL;
}

/* ---- first values ---- */

/* First values are drawn by one unit of the whole program, whatever unit met the variable first. */
void init_begin(Checker *c) {
    unit_begin(c, &c->init, UNIT_INIT, check_name(c, "init"), false);
    run_scalar(c, "seed", (Span){0});
    run_scalar(c, "tick", (Span){0});
    run_scalar(c, "epoch", (Span){0});
    c->unit = NULL;
}

Unit *program_init_unit(Program *p) {
    Checker *c = p->checker;
    Unit *unit = arena_copy(check_arena(c), c->init.unit, sizeof *unit);
    for (size_t i = 0; i < c->vars.list.len; i++) {
        UnitUpdate update = {c->vars.list.at[i], c->vars.list.at[i]->init};
        arena_push(c, &unit->updates, update);
    }
    return unit;
}

/* ---- exported functions ---- */

/* Tensors and scalars without a default are inputs; the rest are compile-time arguments. */
static bool is_input(const AstParam *p) { return p->type && (!p->type->type.scalar || !p->value); }

static const Setting *find_setting(const Setting *args, int n, Name name) {
    for (int i = 0; i < n; i++)
        if (strcmp(args[i].name, name) == 0) return &args[i];
    return NULL;
}

typedef struct {
    const Type *types;
    int ntypes;
    const Setting *args;
    int nargs;
    int64_t n;
    int pack; /* dims that `..` stands for where nothing gives it */
} ExportArgs;

/* Binds the names of a declared type to the sizes of the array that is going to be passed. */
static bool input_type(Checker *c, Scope *s, const AstParam *p, const Type *given, int pack, Type *t) {
    if (!given) return type_fresh(c, s, p->type, pack, t);
    Term actual = {.kind = T_INPUT, .type = *given, .slot = -1, .name = p->name.name};
    actual.at = p->name.at;
    if (!type_dtype(c, p->type, &actual.type.dtype)) return false;
    const char *what = arena_printf(check_arena(c), "'%s'", p->name.name);
    if (p->type->type.scalar && given->rank == 0) {
        *t = actual.type;
        return true;
    }
    Value v = type_agree(c, s, p->type, value_term(&actual), p->name.at, what);
    *t = actual.type;
    return v.kind == V_TENSOR;
}

static bool bind_arguments(Checker *c, Scope *s, const AstParams *params, const ExportArgs *x) {
    for (int i = 0; i < params->len; i++) {
        const AstParam *p = &params->at[i];
        const Setting *set = find_setting(x->args, x->nargs, p->name.name);
        if (is_input(p) && !(set && p->type->type.scalar)) continue;
        if (!set && !p->value) {
            diag_help(c->nnc, err(c, p->name.at, export_untyped, p->name.name), "such as %s: [N]", p->name.name);
            return false;
        }
        Value v = set ? setting_value(c, set->value) : eval_expr(c, s, p->value);
        if (p->type) v = type_agree(c, s, p->type, v, p->name.at, arena_printf(check_arena(c), "'%s'", p->name.name));
        scope_define(c, s, p->name.name, v, p->name.at);
    }
    return true;
}

static bool input_known(Checker *c, const AstParam *p, Type t) {
    int64_t size;
    for (int k = 0; k < t.rank && !c->unit->symbolic; k++)
        if (!dim_is_const(t.dims[k], &size)) {
            err(c, p->name.at, size_unknown, p->name.name, type_text(c, t), dim_text(c, t.dims[k]));
            return false;
        }
    return true;
}

/* Arrays that are given bind their sizes first, then N, then what is left is made up. */
static bool bind_inputs(Checker *c, Scope *s, const AstParams *params, const ExportArgs *x) {
    Type *types = ARENA_ARRAY(check_arena(c), Type, params->len + 1);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0, next = 0; i < params->len; i++) {
            const AstParam *p = &params->at[i];
            const Type *given = is_input(p) && next < x->ntypes && x->types[next].rank >= 0 ? &x->types[next] : NULL;
            next += is_input(p);
            if (!is_input(p) || scope_binding(s, p->name.name) || (pass == 0) != (given != NULL)) continue;
            if (!input_type(c, s, p, given, x->pack, &types[i])) return false;
        }
        Name n = check_name(c, "N");
        if (pass == 0 && x->n > 0 && !scope_binding(s, n)) scope_define(c, s, n, value_int(c, x->n), (Span){0});
    }
    for (int i = 0; i < params->len; i++) {
        const AstParam *p = &params->at[i];
        if (!is_input(p) || scope_binding(s, p->name.name)) continue;
        if (!input_known(c, p, types[i])) return false;
        Term *in = term_input(c, c->unit->unit, p->name.name, types[i], -1, p->type->at);
        scope_define(c, s, p->name.name, value_term(in), p->name.at);
    }
    return true;
}

static void add_result(Checker *c, Name name, Value v, Span at) {
    Term like = {.type = type_scalar(type_float(c))};
    Term *t = v.kind == V_POISON ? NULL : value_to_term(c, v, &like, v.kind == V_TENSOR ? v.term->at : at);
    UnitResult r = {.name = name, .value = t, .at = t ? t->at : at};
    arena_push(c, &c->unit->unit->results, r);
}

void unit_results(Checker *c, Name name, Value v, Span at) {
    if (v.kind != V_TUPLE) add_result(c, name, v, at);
    for (int i = 0; v.kind == V_TUPLE && i < v.list.len; i++)
        add_result(c, check_name(c, "%s.%d", name, i), v.list.at[i], at);
}

static void export_body(Checker *c, const Export *e, const ExportArgs *x) {
    Ast *fn = e->ast;
    Frame frame;
    if (!frame_push(c, &frame, fn, NULL, (Span){0}, c->main->scope)) return;
    if (bind_arguments(c, frame.scope, &fn->fn.params, x) && bind_inputs(c, frame.scope, &fn->fn.params, x)) {
        Value v = function_body(c, fn, frame.scope);
        unit_results(c, e->name, v, fn->fn.body->at);
    }
    frame_pop(c);
}

bool program_export_takes(Program *p, const Export *e, const Setting *args, int nargs) {
    Checker *c = p->checker;
    const AstParams *params = &e->ast->fn.params;
    bool all = true;
    for (int i = 0; i < nargs; i++) {
        bool found = false;
        const char **names = ARENA_ARRAY(check_arena(c), const char *, params->len + 1);
        for (int k = 0; k < params->len; k++) {
            names[k] = params->at[k].name.name;
            found = found || strcmp(names[k], args[i].name) == 0;
        }
        all = all && found;
        if (found) continue;
        Diag *d = err(c, e->ast->fn.name.at, unknown_argument, e->name, args[i].name);
        const char *near = diag_nearest(args[i].name, names, (size_t)params->len);
        if (near) diag_help(c->nnc, d, "did you mean '%s'?", near);
    }
    return all;
}

static Unit *export_unit(Checker *c, const Export *e, const ExportArgs *x, bool symbolic) {
    UnitState u;
    unit_begin(c, &u, UNIT_EXPORT, e->name, symbolic);
    u.unit->doc = e->doc;
    export_body(c, e, x);
    return unit_end(c, &u);
}

Unit *program_export_unit(Program *p, const Export *e, const Type *types, int ntypes, const Setting *args, int nargs,
                          int64_t n) {
    ExportArgs x = {types, ntypes, args, nargs, n, 1};
    return export_unit(p->checker, e, &x, false);
}

int program_export_inputs(Program *p, const Export *e, UnitInput **inputs) {
    Checker *c = p->checker;
    UnitState u;
    unit_begin(c, &u, UNIT_EXPORT, e->name, true);
    Frame frame;
    ExportArgs x = {.pack = 1};
    if (frame_push(c, &frame, e->ast, NULL, (Span){0}, c->main->scope)) {
        if (bind_arguments(c, frame.scope, &e->ast->fn.params, &x)) bind_inputs(c, frame.scope, &e->ast->fn.params, &x);
        frame_pop(c);
    }
    unit_end(c, &u);
    *inputs = u.unit->inputs.at;
    return (int)u.unit->inputs.len;
}

/* ---- checking everything ---- */

typedef struct {
    const Export *export;
    Unit *unit;
} ExportTrial;

static void try_export(Checker *c, void *trial, int pack) {
    ExportTrial *t = trial;
    ExportArgs x = {.pack = pack};
    t->unit = export_unit(c, t->export, &x, true);
}

/* What `..` stands for is not said: one number of dims that fits is enough. */
void check_with_packs(Checker *c, const AstParams *params, void (*attempt)(Checker *, void *, int), void *what) {
    static const int packs[] = {1, 2, 0, 3};
    Diags *diags = &c->nnc->diags;
    bool any = false;
    for (int i = 0; i < params->len; i++) any = any || (params->at[i].type && type_has_rest(params->at[i].type));
    for (size_t i = 0; any && i < COUNT(packs); i++) {
        int errors = diags->errors, warnings = diags->warnings;
        diags->muted++;
        attempt(c, what, packs[i]);
        diags->muted--;
        bool ok = diags->errors == errors;
        diags->errors = errors, diags->warnings = warnings;
        if (ok) return;
    }
    attempt(c, what, packs[0]);
}

Unit *program_export_picture(Program *p, const Export *e) {
    ExportTrial t = {.export = e};
    check_with_packs(p->checker, &e->ast->fn.params, try_export, &t);
    return t.unit;
}

bool program_check(Program *p) {
    Checker *c = p->checker;
    int errors = p->nnc->diags.errors;
    for (size_t i = 0; i < c->modules.len; i++) {
        Module *m = c->modules.at[i];
        if (m->file && !m->is_library) names_check(c, m);
        for (int k = 0; m->file && !m->is_library && k < m->file->decls.len; k++) {
            Ast *a = m->file->decls.at[k];
            if (a->kind == AST_FUNCTION && !a->fn.exported) check_declaration(c, m, a);
        }
    }
    for (size_t i = 0; i < p->exports.len; i++) program_export_picture(p, &p->exports.at[i]);
    for (size_t i = 0; i < p->trains.len; i++) train_check(c, p->trains.at[i]);
    return p->nnc->diags.errors == errors;
}
