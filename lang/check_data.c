/* Data sets: their expressions, opening them, and facts about them. */
#include "lang/check.h"

#include <string.h>

/* name, how many data sets it takes (-1: two or more) */
static const struct DataFunction {
    const char *name;
    int sources;
} functions[] = {{"idx", 0}, {"csv", 0},  {"npy", 0},   {"cifar10", 0}, {"images", 0}, {"text", 0},
                 {"wav", 0}, {"zip", -1}, {"split", 1}, {"take", 1},    {"skip", 1}};

static const struct DataFunction *find_function(const char *name) {
    for (size_t i = 0; i < COUNT(functions); i++)
        if (strcmp(functions[i].name, name) == 0) return &functions[i];
    return NULL;
}

static DataExpr *data_expr(Checker *c, Module *m, Ast *e);

/* An argument is a data set, or a string or number of compile time. False after a diagnostic. */
static bool data_arg(Checker *c, Module *m, const AstField *f, DataExpr *out) {
    Ast *e = f->value;
    bool nested = e->kind == AST_CALL && e->call.callee->kind == AST_NAME && find_function(e->call.callee->name);
    Value v = nested ? value_none() : eval_expr(c, m->scope, e);
    if (v.kind == V_POISON) return false;
    if (nested || v.kind == V_DATA) {
        DataExpr *source = nested ? data_expr(c, m, e) : v.data->expr;
        if (source) out->sources[out->nsources++] = source;
        return source != NULL;
    }
    struct DataArg *a = &out->args[out->nargs];
    *a = (struct DataArg){.name = f->name.name, .at = e->at};
    if (v.kind == V_STRING)
        a->text = v.text;
    else if (v.kind == V_BOOL)
        a->number = v.truth;
    else if (!value_number(v, &a->number)) {
        err(c, e->at, bad_data_argument, out->fn, value_text(c, v));
        return false;
    }
    out->nargs++;
    return true;
}

static DataExpr *data_expr(Checker *c, Module *m, Ast *e) {
    if (e->kind != AST_CALL || e->call.callee->kind != AST_NAME) {
        Value v = eval_expr(c, m->scope, e);
        if (v.kind == V_DATA) return v.data->expr;
        if (v.kind != V_POISON) err(c, e->at, not_data, value_text(c, v));
        return NULL;
    }
    Name name = e->call.callee->name;
    const struct DataFunction *fn = find_function(name);
    if (!fn) {
        const char *names[COUNT(functions)];
        for (size_t i = 0; i < COUNT(functions); i++) names[i] = functions[i].name;
        Diag *d = err(c, e->call.callee->at, unknown_source, name);
        const char *near = diag_nearest(name, names, COUNT(names));
        if (near) diag_help(c->nnc, d, "did you mean '%s'?", near);
        return NULL;
    }
    DataExpr *d = ARENA_NEW(check_arena(c), DataExpr);
    *d = (DataExpr){.fn = name, .at = e->at};
    d->sources = ARENA_ARRAY(check_arena(c), DataExpr *, e->call.args.len + 1);
    d->args = ARENA_ARRAY(check_arena(c), struct DataArg, e->call.args.len + 1);
    for (int i = 0; i < e->call.args.len; i++)
        if (!data_arg(c, m, &e->call.args.at[i], d)) return NULL;
    if (fn->sources < 0 ? d->nsources < 2 : d->nsources != fn->sources) {
        err(c, e->at, data_needs, name, fn->sources < 0 ? "two or more" : fn->sources ? "one" : "no", d->nsources);
        return NULL;
    }
    return d;
}

/* data d = source: one name; data (a, b) = split(...): each name is a part. */
void data_declare(Checker *c, Decl *decl) {
    static const char *const one = "one data set, so one name is needed", *const two =
                                                                              "two data sets, so two names are needed";
    Ast *a = decl->ast;
    DataExpr *e = data_expr(c, decl->module, a->let.value);
    if (!e) return;
    if ((decl->part >= 0) != (strcmp(e->fn, "split") == 0)) {
        Diag *d = err(c, a->let.value->at, data_parts, e->fn, decl->part >= 0 ? one : two);
        if (decl->part < 0) diag_help(c->nnc, d, "data (train_set, test_set) = split(d, 0.8)");
        return;
    }
    if (a->let.is_tuple && a->let.names.len != 2) {
        err(c, a->at, data_parts, e->fn, two);
        return;
    }
    DataExpr *copy = arena_copy(check_arena(c), e, sizeof *e);
    copy->part = MAX(decl->part, 0);
    DataSet *set = ARENA_NEW(check_arena(c), DataSet);
    set->expr = copy;
    decl->value = (Value){.kind = V_DATA, .data = set};
}

const DataInfo *data_info(Checker *c, DataSet *d) {
    if (!d->tried && c->opener.open) d->info = c->opener.open(c->opener.self, c->nnc, d->expr);
    d->tried = true;
    return d->info;
}

/* ---- facts ---- */

static Value numbers(Checker *c, const double *x, int64_t n) {
    Value *items = ARENA_ARRAY(check_arena(c), Value, n + 1);
    for (int64_t i = 0; i < n; i++) items[i] = value_float(x[i]);
    return value_list(c, V_LIST, items, (int)n);
}

static Value statistic(Checker *c, const DataInfo *info, const double *(*of)(void *, int64_t *)) {
    int64_t n = 0;
    const double *x = of ? of(info->handle, &n) : NULL;
    return x ? numbers(c, x, n) : value_none();
}

Value data_fact(Checker *c, DataSet *d, const char *fact, Span at) {
    const DataInfo *info = data_info(c, d);
    if (!info) return value_poison();
    int64_t features = 1;
    for (int i = 0; info->nfields && i < info->fields[0].rank; i++) features *= info->fields[0].dims[i];
    Value v = value_none();
    if (strcmp(fact, "count") == 0) v = value_int(c, info->count);
    if (strcmp(fact, "features") == 0) v = value_int(c, features);
    if (strcmp(fact, "classes") == 0 && info->classes >= 0) v = value_int(c, info->classes);
    if (strcmp(fact, "vocab") == 0 && info->vocab >= 0) v = value_int(c, info->vocab);
    if (strcmp(fact, "mean_of") == 0) v = statistic(c, info, info->mean);
    if (strcmp(fact, "std_of") == 0) v = statistic(c, info, info->std);
    if (v.kind != V_NONE) return v;
    err(c, at, no_fact, fact, d->expr->fn);
    return value_poison();
}
