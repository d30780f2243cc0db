/* What the compiler supplies: the table, reading arguments, scalar functions and conversions. */
#include "lang/builtin.h"

#include <math.h>
#include <string.h>

static const Builtin table[] = {
#define BUILTIN(name, params, required, function) {#name, params, required, function},
#include "lang/builtin.def"
#undef BUILTIN
};

const Builtin *builtin_find(const char *name) {
    for (size_t i = 0; i < COUNT(table); i++)
        if (strcmp(table[i].name, name) == 0) return &table[i];
    return NULL;
}

void builtin_names(const char **out, int *n) {
    *n = (int)COUNT(table);
    for (size_t i = 0; out && i < COUNT(table); i++) out[i] = table[i].name;
}

/* ---- arguments ---- */

enum { MAX_PARAMS = 8 };

static int param_names(Checker *c, const Builtin *b, const char **names) {
    int n = 0;
    for (const char *p = b->params; *p;) {
        size_t len = strcspn(p, ",");
        names[n++] = intern_n(c->nnc->names, p, len);
        p += len + (p[len] == ',') + (p[len] == ',' && p[len + 1] == ' ');
    }
    return n;
}

static void help(Checker *c, Diag *d, const Builtin *b) { diag_help(c->nnc, d, "%s(%s)", b->name, b->params); }

static int find_named(Checker *c, const Builtin *b, const Arg *a, const char *const *names, int n) {
    for (int i = 0; i < n; i++)
        if (a->name == names[i]) return i;
    Diag *d = err(c, a->name_at, unknown_argument, b->name, a->name);
    const char *near = diag_nearest(a->name, names, (size_t)n);
    if (near) diag_help(c->nnc, d, "did you mean '%s'?", near);
    help(c, d, b);
    return -1;
}

Value call_builtin(Checker *c, const Builtin *b, Args args, Span at) {
    const char *names[MAX_PARAMS];
    Value given[MAX_PARAMS];
    Span places[MAX_PARAMS];
    int n = param_names(c, b, names);
    for (int i = 0; i < MAX_PARAMS; i++) given[i] = value_none(), places[i] = at;
    for (int i = 0, next = 0; i < args.len; i++) {
        const Arg *a = &args.at[i];
        int k = a->name ? find_named(c, b, a, names, n) : next++;
        if (k < 0) return value_poison();
        if (k >= n || given[k].kind != V_NONE) {
            Diag *d = k >= n ? err(c, a->at, too_many_arguments, b->name, n, n == 1 ? "" : "s", args.len)
                             : err(c, a->at, argument_twice, names[k], b->name);
            help(c, d, b);
            return value_poison();
        }
        given[k] = a->value;
        places[k] = a->at;
    }
    for (int i = 0; i < b->required; i++)
        if (given[i].kind == V_NONE) {
            help(c, err(c, at, missing_argument, names[i], b->name), b);
            return value_poison();
        }
    BuiltinCall call = {b, given, places, at};
    if (arg_poisoned(&call, n)) return value_poison();
    for (int i = 0; i < n; i++)
        if ((given[i].kind == V_LIST || given[i].kind == V_TUPLE) && !check_work(c, given[i].list.len, at))
            return value_poison();
    return b->call(c, &call);
}

bool arg_poisoned(const BuiltinCall *b, int n) {
    for (int i = 0; i < n; i++)
        if (b->args[i].kind == V_POISON) return true;
    return false;
}

bool arg_bad(Checker *c, BuiltinCall *b, int arg, const char *wanted) {
    const char *names[MAX_PARAMS];
    param_names(c, b->builtin, names);
    help(c, err(c, b->places[arg], bad_argument, names[arg], b->builtin->name, wanted, value_text(c, b->args[arg])),
         b->builtin);
    return false;
}

bool arg_is_word(const BuiltinCall *b, int arg, const char *word) {
    return b->args[arg].kind == V_STRING && strcmp(b->args[arg].text, word) == 0;
}

bool arg_int(Checker *c, BuiltinCall *b, int arg, int64_t missing, int64_t *n) {
    *n = missing;
    if (b->args[arg].kind == V_NONE) return true;
    return value_is_known_int(b->args[arg], n) || arg_bad(c, b, arg, "a whole number");
}

bool arg_bool(Checker *c, BuiltinCall *b, int arg, bool missing, bool *x) {
    *x = missing;
    if (b->args[arg].kind == V_NONE) return true;
    if (b->args[arg].kind != V_BOOL) return arg_bad(c, b, arg, "true or false");
    *x = b->args[arg].truth;
    return true;
}

bool axis_in(Checker *c, int64_t axis, int rank, Span at, int *out) {
    if (axis < -rank || axis >= rank) {
        err(c, at, bad_axis, (int)axis, rank);
        return false;
    }
    *out = (int)(axis < 0 ? axis + rank : axis);
    return true;
}

bool arg_axis(Checker *c, BuiltinCall *b, int arg, int rank, int missing, int *axis) {
    int64_t n;
    return arg_int(c, b, arg, missing, &n) && axis_in(c, n, rank, b->places[arg], axis);
}

Term *arg_tensor(Checker *c, BuiltinCall *b, int arg) {
    Term *t = value_to_term(c, b->args[arg], NULL, b->places[arg]);
    if (!t || !t->indexed) return t;
    err(c, b->places[arg], index_whole, b->builtin->name);
    return NULL;
}

bool arg_shape(Checker *c, BuiltinCall *b, int arg, int *rank, const Dim **dims) {
    Value v = b->args[arg];
    int n = v.kind == V_LIST || v.kind == V_TUPLE ? v.list.len : 1;
    Dim *out = ARENA_ARRAY(check_arena(c), Dim, n + 1);
    for (int i = 0; i < n; i++) {
        Value item = v.kind == V_LIST || v.kind == V_TUPLE ? v.list.at[i] : v;
        if (item.kind == V_POISON) return false;
        out[i] = value_size(c, item);
        int64_t size;
        if (!out[i]) return arg_bad(c, b, arg, "a list of sizes");
        if (dim_is_const(out[i], &size) && size < 0) {
            err(c, b->places[arg], bad_size, value_text(c, item));
            return false;
        }
    }
    *rank = n;
    *dims = out;
    return true;
}

bool arg_length(Checker *c, BuiltinCall *b, int arg, const Dim **dims) {
    int rank;
    return arg_shape(c, b, arg, &rank, dims) && (rank == 1 || arg_bad(c, b, arg, "a whole number"));
}

/* ---- scalar functions ---- */

static double rsqrt_(double x) { return 1 / sqrt(x); }
static double sigmoid_(double x) { return 1 / (1 + exp(-x)); }
static double sign_(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }

static const struct {
    const char *name;
    double (*fn)(double);
} numeric[] = {{"abs", fabs},    {"sign", sign_},  {"sqrt", sqrt},   {"rsqrt", rsqrt_},     {"exp", exp},
               {"expm1", expm1}, {"log", log},     {"log1p", log1p}, {"sin", sin},          {"cos", cos},
               {"tan", tan},     {"atan", atan},   {"tanh", tanh},   {"sigmoid", sigmoid_}, {"erf", erf},
               {"erfc", erfc},   {"floor", floor}, {"ceil", ceil},   {"trunc", trunc},      {"round", nearbyint}};

static double apply_number(const char *name, double x) {
    for (size_t i = 0; i < COUNT(numeric); i++)
        if (strcmp(numeric[i].name, name) == 0) return numeric[i].fn(x);
    bug("no function '%s' of numbers", name);
}

static Value scalar_of_number(Checker *c, BuiltinCall *b, Value v) {
    double x;
    const char *name = b->builtin->name;
    if (!value_number(v, &x)) return value_unknown_float();
    double y = apply_number(name, x);
    bool whole = v.kind == V_INT && !v.whole.den && (strcmp(name, "abs") == 0 || strcmp(name, "sign") == 0);
    return whole ? value_int(c, (int64_t)y) : value_float(y);
}

Value builtin_scalar(Checker *c, BuiltinCall *b) {
    if (value_is_number(b->args[0])) return scalar_of_number(c, b, b->args[0]);
    Term *t = value_to_term(c, b->args[0], NULL, b->places[0]);
    return value_term(t ? term_apply(c, b->builtin->name, 1, &t, b->places, b->builtin->name, b->at) : NULL);
}

/* Rounding a number gives a whole one, also where it is a quotient of sizes. */
static Value round_number(Checker *c, BuiltinCall *b, Value v) {
    const char *name = b->builtin->name;
    double x;
    if (value_number(v, &x)) {
        double y = apply_number(name, x);
        return fabs(y) < 0x1p62 ? value_int(c, (int64_t)y) : value_float(y);
    }
    Dim size = value_size(c, v);
    if (v.kind != V_INT || !v.whole.den || strcmp(name, "ceil") != 0) return value_dim(size);
    Dim above = dim_add(c->dims, v.whole.num, dim_sub(c->dims, v.whole.den, dim_number(c->dims, 1)));
    return value_dim(dim_div(c->dims, above, v.whole.den));
}

Value builtin_round(Checker *c, BuiltinCall *b) {
    Value v = b->args[0];
    if (value_is_number(v)) return round_number(c, b, v);
    if (v.kind == V_INDEX && strcmp(b->builtin->name, "floor") == 0)
        return value_term(affine_term(c, v.affine, true, b->at));
    Term *t = value_to_term(c, v, NULL, b->places[0]);
    if (!t) return value_poison();
    if (!dtype_is_float(t->type.dtype)) return value_term(t);
    return value_term(term_apply(c, b->builtin->name, 1, &t, b->places, b->builtin->name, b->at));
}

Value builtin_pow(Checker *c, BuiltinCall *b) {
    if (value_is_number(b->args[0]) && value_is_number(b->args[1]))
        return number_binary(c, OP_AST_POW, b->args[0], b->args[1], b->at);
    return value_binary(c, "pow", b->args[0], b->args[1], b->places, b->at, "pow");
}

Value builtin_where(Checker *c, BuiltinCall *b) {
    if (b->args[0].kind == V_BOOL) return b->args[0].truth ? b->args[1] : b->args[2];
    Term *t[3];
    if (!values_to_terms(c, 3, b->args, b->places, t)) return value_poison();
    if (t[0]->type.dtype != DT_BOOL) {
        arg_bad(c, b, 0, "truth values");
        return value_poison();
    }
    return value_term(term_apply(c, "select", 3, t, b->places, "where", b->at));
}

Value builtin_stop(Checker *c, BuiltinCall *b) {
    if (b->args[0].kind != V_TENSOR) return b->args[0];
    return value_term(term_stop(c, b->args[0].term, b->at));
}

/* ---- conversions ---- */

static Value convert(Checker *c, BuiltinCall *b, DType to) {
    Term *t = value_to_term(c, b->args[0], NULL, b->places[0]);
    if (t && to == DT_BOOL && t->type.dtype != DT_BOOL)
        return value_term(term_binary(c, "ne", t, term_number(c, 0, t->type.dtype, b->at), b->at));
    return value_term(t ? term_cast(c, t, to, b->at) : NULL);
}

Value builtin_int(Checker *c, BuiltinCall *b) {
    double x;
    if (b->args[0].kind == V_BOOL) return value_int(c, b->args[0].truth);
    if (!value_is_number(b->args[0])) return convert(c, b, DT_I32);
    if (!value_number(b->args[0], &x)) return value_dim(value_size(c, b->args[0]));
    if (!(fabs(x) < 0x1p62)) arg_bad(c, b, 0, "a number that fits an integer");
    return fabs(x) < 0x1p62 ? value_int(c, (int64_t)x) : value_poison();
}

Value builtin_float(Checker *c, BuiltinCall *b) {
    double x;
    if (b->args[0].kind == V_BOOL) return value_float(b->args[0].truth);
    if (!value_is_number(b->args[0])) return convert(c, b, type_float(c));
    return value_number(b->args[0], &x) ? value_float(x) : value_unknown_float();
}

Value builtin_cast(Checker *c, BuiltinCall *b) {
    Value t = b->args[1];
    DType to = DT_F32;
    const char *name = t.kind == V_BUILTIN ? t.builtin->name : t.kind == V_STRING ? t.text : NULL;
    bool known = t.kind == V_DTYPE || (name && dtype_from_name(name, &to));
    if (!known) {
        arg_bad(c, b, 1, "an element type such as f64 or int");
        return value_poison();
    }
    if (t.kind == V_DTYPE) to = t.dtype;
    return convert(c, b, to == DT_F32 ? type_float(c) : to);
}

/* ---- words ---- */

/* 'a', 'b', 'c' */
static const char *listed(Checker *c, const char *const *words, int n) {
    const char *text = "";
    for (int i = 0; i < n; i++) text = arena_printf(check_arena(c), "%s%s'%s'", text, i ? ", " : "", words[i]);
    return text;
}

Value builtin_one_of(Checker *c, BuiltinCall *b) {
    Value word = b->args[0], list = b->args[1];
    int n = list.kind == V_LIST ? list.list.len : 0;
    const char **words = ARENA_ARRAY(check_arena(c), const char *, n + 1);
    for (int i = 0; i < n; i++) {
        if (list.list.at[i].kind != V_STRING) n = 0;
        words[i] = n ? list.list.at[i].text : NULL;
    }
    if (!n) {
        arg_bad(c, b, 1, "a list of strings");
        return value_poison();
    }
    for (int i = 0; i < n && word.kind == V_STRING; i++)
        if (strcmp(word.text, words[i]) == 0) return word;
    Diag *d = err(c, b->places[0], not_one_of, listed(c, words, n), value_text(c, word));
    const char *near = word.kind == V_STRING ? diag_nearest(word.text, words, (size_t)n) : NULL;
    if (near) diag_help(c->nnc, d, "did you mean '%s'?", near);
    return value_poison();
}

/* ---- gradients, data ---- */

Value builtin_grad(Checker *c, BuiltinCall *b) {
    return eval_grad(c, b->args[0], b->args[1], b->places[0], b->places[1]);
}

Value builtin_fact(Checker *c, BuiltinCall *b) {
    if (b->args[0].kind == V_LIST && strcmp(b->builtin->name, "count") == 0) return value_int(c, b->args[0].list.len);
    if (b->args[0].kind == V_DATA) return data_fact(c, b->args[0].data, b->builtin->name, b->at);
    arg_bad(c, b, 0, "a data set");
    return value_poison();
}
