/* Data sets: their expressions, opening them, and facts about them. */
#include "lang/builtin.h"

#include <string.h>

/* name, how many data sets it takes (-1: two or more) */
static const struct DataFunction {
    const char *name;
    int sources;
} functions[] = {{"idx", 0}, {"csv", 0},  {"npy", 0},   {"cifar10", 0}, {"images", 0}, {"text", 0},
                 {"wav", 0}, {"zip", -1}, {"split", 1}, {"take", 1},    {"skip", 1}};

typedef enum { P_TEXT, P_COLUMN, P_FRACTION, P_WHOLE, P_COUNT, P_TRUTH, P_SIZES } ParameterKind;

static const char *const kind_words[] = {[P_TEXT] = "a string",
                                         [P_COLUMN] = "the name or the number of a column",
                                         [P_FRACTION] = "a number between 0 and 1",
                                         [P_WHOLE] = "a whole number of 0 or more",
                                         [P_COUNT] = "a whole number of 1 or more",
                                         [P_TRUTH] = "true or false",
                                         [P_SIZES] = "two whole numbers above 0, such as [64, 64]"};

/* What each takes besides data sets, in order. */
static const struct Parameter {
    const char *fn, *name;
    ParameterKind kind;
    bool optional;
} parameters[] = {
    {"idx", "path", P_TEXT, false},    {"npy", "path", P_TEXT, false},           {"csv", "path", P_TEXT, false},
    {"csv", "target", P_COLUMN, true}, {"text", "path", P_TEXT, false},          {"text", "window", P_COUNT, false},
    {"text", "stride", P_COUNT, true}, {"cifar10", "path", P_TEXT, false},       {"cifar10", "test", P_TRUTH, true},
    {"images", "path", P_TEXT, false}, {"images", "size", P_SIZES, true},        {"wav", "path", P_TEXT, false},
    {"wav", "length", P_COUNT, true},  {"split", "fraction", P_FRACTION, false}, {"take", "n", P_COUNT, false},
    {"skip", "n", P_WHOLE, false}};

enum { MOST_PARAMETERS = 3 };

static const struct DataFunction *find_function(const char *name) {
    for (size_t i = 0; i < COUNT(functions); i++)
        if (strcmp(functions[i].name, name) == 0) return &functions[i];
    return NULL;
}

/* The parameters of a function; how many. */
static int parameters_of(const char *fn, const struct Parameter *list[MOST_PARAMETERS]) {
    int n = 0;
    for (size_t i = 0; i < COUNT(parameters); i++)
        if (strcmp(parameters[i].fn, fn) == 0) list[n++] = &parameters[i];
    return n;
}

/* ---- arguments ---- */

static bool read_sizes(Value v, double *out) {
    if (v.kind != V_LIST || v.list.len != 2) return false;
    for (int i = 0; i < 2; i++) {
        int64_t n;
        if (!value_is_known_int(v.list.at[i], &n) || n < 1) return false;
        out[i] = (double)n;
    }
    return true;
}

/* Reads a value as its parameter asks. */
static bool read_argument(const struct Parameter *p, Value v, struct DataArg *a) {
    int64_t n;
    bool whole = value_is_known_int(v, &n) && n >= 0;
    if (v.kind == V_STRING) a->text = v.text;
    switch (p->kind) {
    case P_TEXT: return v.kind == V_STRING;
    case P_TRUTH: a->numbers[0] = v.kind == V_BOOL && v.truth; return v.kind == V_BOOL;
    case P_COLUMN: a->numbers[0] = whole ? (double)n : 0; return v.kind == V_STRING || whole;
    case P_WHOLE: a->numbers[0] = whole ? (double)n : 0; return whole;
    case P_COUNT: a->numbers[0] = whole ? (double)n : 0; return whole && n > 0;
    case P_FRACTION: return value_number(v, &a->numbers[0]) && a->numbers[0] > 0 && a->numbers[0] < 1;
    case P_SIZES: return read_sizes(v, a->numbers);
    }
    return false;
}

/* The arguments of a data expression on their way to its parameters. */
typedef struct {
    Checker *c;
    Module *module;
    DataExpr *expr;
    const struct Parameter *list[MOST_PARAMETERS];
    int n;
    bool given[MOST_PARAMETERS];
} Taking;

static bool no_parameter(const Taking *t, const AstField *f) {
    const char *names[MOST_PARAMETERS];
    for (int i = 0; i < t->n; i++) names[i] = t->list[i]->name;
    Diag *d = err(t->c, f->name.at, unknown_argument, t->expr->fn, f->name.name);
    const char *near = diag_nearest(f->name.name, names, (size_t)t->n);
    if (near) diag_help(t->c->nnc, d, "did you mean '%s'?", near);
    return false;
}

/* The parameter that an argument is for, by name or the first that is open; false after a diagnostic. */
static bool find_parameter(const Taking *t, const AstField *f, int *k) {
    *k = 0;
    while (*k < t->n && (f->name.name ? strcmp(t->list[*k]->name, f->name.name) != 0 : t->given[*k])) ++*k;
    if (*k == t->n && f->name.name) return no_parameter(t, f);
    if (*k == t->n)
        err(t->c, f->value->at, too_many_arguments, t->expr->fn, t->n, t->n == 1 ? "" : "s", t->n + 1);
    else if (t->given[*k])
        err(t->c, f->value->at, argument_twice, t->list[*k]->name, t->expr->fn);
    else
        return true;
    return false;
}

static DataExpr *data_expr(Checker *c, Module *m, Ast *e);

/* An argument is a data set, or a value of compile time for a parameter. False after a diagnostic. */
static bool take_argument(Taking *t, const AstField *f) {
    Ast *e = f->value;
    DataExpr *out = t->expr;
    bool nested = e->kind == AST_CALL && e->call.callee->kind == AST_NAME && find_function(e->call.callee->name);
    Value v = nested ? value_none() : eval_expr(t->c, t->module->scope, e);
    if (v.kind == V_POISON) return false;
    if (nested || v.kind == V_DATA) {
        DataExpr *source = nested ? data_expr(t->c, t->module, e) : v.data->expr;
        if (source) out->sources[out->nsources++] = source;
        return source != NULL;
    }
    int k;
    if (!find_parameter(t, f, &k)) return false;
    const struct Parameter *p = t->list[k];
    t->given[k] = true;
    bool none = v.kind == V_NONE || (v.kind == V_STRING && p->kind != P_COLUMN && strcmp(v.text, "none") == 0);
    if (p->optional && none) return true;
    struct DataArg *a = &out->args[out->nargs++];
    *a = (struct DataArg){.name = check_name(t->c, "%s", p->name), .at = e->at};
    if (read_argument(p, v, a)) return true;
    err(t->c, e->at, bad_argument, p->name, out->fn, kind_words[p->kind], value_text(t->c, v));
    return false;
}

static bool take_arguments(Checker *c, Module *m, const AstFields *args, DataExpr *out) {
    Taking t = {.c = c, .module = m, .expr = out};
    t.n = parameters_of(out->fn, t.list);
    for (int i = 0; i < args->len; i++)
        if (!take_argument(&t, &args->at[i])) return false;
    for (int i = 0; i < t.n; i++)
        if (!t.given[i] && !t.list[i]->optional) {
            err(c, out->at, missing_argument, t.list[i]->name, out->fn);
            return false;
        }
    return true;
}

/* ---- expressions ---- */

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
    if (!take_arguments(c, m, &e->call.args, d)) return NULL;
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
    c->without_data = c->without_data || !d->info;
    return d->info;
}

/* ---- fields ---- */

/* The input of a field's elements: its rows one after the other, whole or, where they overlap, as a line of elements.
 */
static Term *field_input(Checker *c, const DataInfo *info, int i) {
    const DataField *f = &info->fields[i];
    Dim *dims = ARENA_ARRAY(check_arena(c), Dim, f->rank + 1);
    int rank = f->stride ? 1 : f->rank + 1;
    int64_t rows = f->rows ? f->rows : info->count;
    dims[0] = dim_number(c->dims, f->stride ? (rows - 1) * f->stride + f->dims[0] : rows);
    for (int k = 1; k < rank; k++) dims[k] = dim_number(c->dims, f->dims[k - 1]);
    Name name = f->name ? f->name : check_name(c, "field%d", i);
    return term_input(c, c->unit->unit, name, type_of(c, f->dtype, rank, dims), info->nfields, info->expr->at);
}

/* Elements rows[n] * stride + k of a line of elements, as [n, k]. */
static Term *windows(Checker *c, const DataField *f, Term *line, Term *rows, Span at) {
    Dim column[] = {rows->type.dims[0], dim_number(c->dims, 1)}, width = dim_number(c->dims, f->dims[0]);
    Term *begin = term_binary(c, "mul", rows, term_number(c, (double)f->stride, DT_I32, at), at);
    Term *offset = term_new(c, T_IOTA, type_of(c, DT_I32, 1, &width), at, 0, NULL);
    return term_gather(c, line, term_binary(c, "add", term_reshape(c, begin, 2, column, at), offset, at), 0, at);
}

void data_batch(Checker *c, const DataInfo *info, Dim n, Span at, Value *values) {
    Term **fields = ARENA_ARRAY(check_arena(c), Term *, info->nfields + 1);
    for (int i = 0; i < info->nfields; i++) fields[i] = field_input(c, info, i);
    Term *rows = term_input(c, c->unit->unit, check_name(c, "rows"), type_of(c, DT_I32, 1, &n), -1, at);
    for (int i = 0; i < info->nfields; i++)
        values[i] = value_term(info->fields[i].stride ? windows(c, &info->fields[i], fields[i], rows, at)
                                                      : term_gather(c, fields[i], rows, 0, at));
}

/* ---- facts ---- */

static Value code_points(Checker *c, const DataInfo *info) {
    Value *items = ARENA_ARRAY(check_arena(c), Value, info->vocab);
    for (int i = 0; i < info->vocab; i++) items[i] = value_int(c, info->alphabet[i]);
    return value_list(c, V_LIST, items, info->vocab);
}

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
    if (strcmp(fact, "vocab") == 0 && info->vocab > 0) v = value_int(c, info->vocab);
    if (strcmp(fact, "alphabet") == 0 && info->vocab > 0) v = code_points(c, info);
    if (strcmp(fact, "mean_of") == 0) v = statistic(c, info, info->mean);
    if (strcmp(fact, "std_of") == 0) v = statistic(c, info, info->std);
    if (v.kind != V_NONE) return v;
    err(c, at, no_fact, fact, d->expr->fn);
    return value_poison();
}
