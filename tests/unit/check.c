/* links: nnc_lang golden nnc_stdlib */
/* The checker: what it reports, and the units that it makes, against golden files; sizes; and the standard library. */
#include "lang/dim.h"
#include "lang/typed.h"
#include "stdlib/stdlib.h"
#include "tests/golden/golden.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A library of a few lines, so that the golden files do not change with the real one. */
static const char prelude[] =
    "fn identity(x) = x\n"
    "fn relu(x) = if x <= 0 then 0 else x\n"
    "fn glorot_uniform(shape, fan_in, fan_out) = sqrt(6 / (fan_in + fan_out)) * (2 * uniform(shape) - 1)\n"
    "layer Dense(units: int, activation = identity, init = glorot_uniform, bias: bool = true)(x: [..B, In]) -> [..B, "
    "units] {\n"
    "    param w: [In, units] ~ init\n"
    "    if bias {\n"
    "        param b: [units] = 0\n"
    "        return activation(x @ w + b)\n"
    "    }\n"
    "    return activation(x @ w)\n"
    "}\n"
    "layer Norm(momentum = 0.9)(x: [..B, C]) -> [..B, C] {\n"
    "    state middle: [C] = 0\n"
    "    if training {\n"
    "        let m = mean(x, axes = \"leading\")\n"
    "        middle = momentum * middle + (1 - momentum) * m\n"
    "        return x - m\n"
    "    }\n"
    "    return x - middle\n"
    "}\n"
    "layer Drop(p = 0.5)(x) = if training then x * bernoulli(1 - p, shape(x)) / (1 - p) else x\n"
    "fn pick(x: [..B, C], index: int[..B]) -> [..B] {\n"
    "    let y[..i] = x[..i, index[..i]]\n"
    "    return y\n"
    "}\n"
    "loss cross_entropy(logits: [..B, C], target: int[..B]) -> [] =\n"
    "    mean(log(sum(exp(logits), axis = -1)) - pick(logits, target))\n"
    "optimizer SGD(lr = 0.01)(p, g) { p = p - lr * g }\n"
    "optimizer Adam(lr = 1e-3, beta = 0.9)(p, g) {\n"
    "    state m = 0\n"
    "    m = beta * m + (1 - beta) * g\n"
    "    p = p - lr * m / (1 - beta^step)\n"
    "}\n";

static const char *const library[][2] = {{"prelude.nn", prelude}, {NULL, NULL}};

/* ---- data sets by name ---- */

static const int64_t two[] = {2}, window[] = {3}, image[] = {4, 4};
static const int32_t letters[] = {'a', 'b', 'c', 'd'};

static void add_fields(const DataExpr *e, DataField *fields, int *n) {
    for (int i = 0; i < e->nsources; i++) add_fields(e->sources[i], fields, n);
    if (e->nsources) return;
    const char *path = e->args[0].text;
    bool text = strcmp(e->fn, "text") == 0;
    for (int i = 0; i < 2 && text; i++)
        fields[(*n)++] = (DataField){.dtype = DT_I32, .rank = 1, .dims = window, .rows = 120, .stride = 2};
    if (text) return;
    if (strcmp(path, "labels.npy") == 0)
        fields[(*n)++] = (DataField){.dtype = DT_U8};
    else if (strcmp(path, "images.npy") == 0)
        fields[(*n)++] = (DataField){.dtype = DT_U8, .rank = 2, .dims = image};
    else if (strcmp(path, "values.npy") == 0)
        fields[(*n)++] = (DataField){.dtype = DT_F32};
    else
        fields[(*n)++] = (DataField){.dtype = DT_F32, .rank = 1, .dims = two};
}

static const DataInfo *open_data(void *self, Nnc *nnc, const DataExpr *e) {
    if (self) return NULL; /* nothing can be opened */
    DataInfo *info = ARENA_NEW(nnc->arena, DataInfo);
    DataField *fields = ARENA_ARRAY(nnc->arena, DataField, 8);
    *info = (DataInfo){.count = 100, .fields = fields, .classes = 10, .expr = e};
    if (strcmp(e->fn, "text") == 0) info->vocab = COUNT(letters), info->alphabet = letters;
    add_fields(e, fields, &info->nfields);
    return info;
}

/* ---- golden files ---- */

static Program *load(Nnc *nnc, const char *folder, const char *name) {
    cr_assert(chdir(NNC_SOURCE_DIR) == 0 && chdir(folder) == 0, "no folder %s", folder);
    return program_load(nnc, name, library, NULL, 0, (DataOpener){open_data, NULL});
}

static void dump(const Unit *u, FILE *out) {
    if (u && out) unit_dump(u, out);
}

static void make_units(Program *p, FILE *out) {
    for (size_t i = 0; i < p->trains.len; i++)
        for (size_t k = 0; k < p->trains.at[i]->loops.len; k++)
            dump(program_loop_unit(p, p->trains.at[i], (int)k, 5), out);
    for (size_t i = 0; i < p->exports.len; i++)
        dump(program_export_unit(p, &p->exports.at[i], NULL, 0, NULL, 0, 5), out);
    dump(program_init_unit(p), out);
}

static const char *name_of(Nnc *nnc, uint32_t file) { return nnc->sources.files.at[file]->path; }

static void check(Nnc *nnc, uint32_t file, FILE *out) {
    (void)out;
    Program *p = load(nnc, "tests/golden/check", name_of(nnc, file));
    if (p && program_check(p)) make_units(p, NULL);
}

static void typed(Nnc *nnc, uint32_t file, FILE *out) {
    Program *p = load(nnc, "tests/golden/typed", name_of(nnc, file));
    if (p && program_check(p)) make_units(p, out);
}

Test(golden, check) { golden_run("check", check); }
Test(golden, typed) { golden_run("typed", typed); }

/* ---- sizes ---- */

static const char *text_of(Nnc *nnc, Dim d) {
    Str s = {0};
    dim_print(&s, d);
    const char *text = arena_copy(nnc->arena, s.at, s.len + 1);
    vec_free(&s);
    return text;
}

Test(dims, arithmetic) {
    Nnc *nnc = nnc_new();
    Dims *ds = dims_new(nnc->arena);
    Dim n = dim_fresh(ds, "N"), h = dim_fresh(ds, "H"), two_ = dim_number(ds, 2), three = dim_number(ds, 3);
    cr_expect_eq(dim_add(ds, n, h), dim_add(ds, h, n), "sums are canonical");
    cr_expect_eq(dim_mul(ds, dim_add(ds, n, three), h), dim_add(ds, dim_mul(ds, n, h), dim_mul(ds, h, three)));
    cr_expect_neq(dim_fresh(ds, "N"), n, "a fresh name is another size");
    cr_expect_eq(dim_div(ds, dim_mul(ds, n, dim_number(ds, 784)), dim_mul(ds, n, dim_number(ds, 28))),
                 dim_number(ds, 28));
    Dim half = dim_div(ds, h, two_);
    cr_expect_eq(dim_div(ds, half, three), dim_div(ds, h, dim_number(ds, 6)), "quotients of quotients");
    cr_expect_eq(dim_div(ds, dim_add(ds, h, three), two_),
                 dim_add(ds, dim_div(ds, dim_add(ds, h, dim_number(ds, 1)), two_), dim_number(ds, 1)));
    cr_expect_eq(dim_div(ds, dim_number(ds, -7), two_), dim_number(ds, -4), "rounded down");
    cr_expect_str_eq(text_of(nnc, dim_mul(ds, n, dim_div(ds, dim_sub(ds, h, three), two_))), "N*((H + 1) div 2) - 2*N");
    cr_expect_str_eq(text_of(nnc, dim_sub(ds, two_, n)), "-N + 2");
    Dim square = dim_mul(ds, dim_add(ds, n, h), dim_sub(ds, n, h));
    cr_expect_eq(dim_div(ds, square, dim_add(ds, n, h)), dim_sub(ds, n, h), "polynomials divide");
    nnc_free(nnc);
}

Test(dims, comparison) {
    Nnc *nnc = nnc_new();
    Dims *ds = dims_new(nnc->arena);
    Dim n = dim_fresh(ds, "N"), m = dim_fresh(ds, "M");
    int64_t d;
    cr_expect(dim_differs(ds, n, dim_add(ds, n, dim_number(ds, 1))));
    cr_expect_not(dim_differs(ds, n, m), "two names may be equal");
    cr_expect(dim_difference(ds, dim_add(ds, n, dim_number(ds, 5)), n, &d) && d == 5);
    Dim huge = dim_number(ds, INT64_MAX);
    cr_expect_eq(dim_mul(ds, huge, huge), huge, "no overflow");
    nnc_free(nnc);
}

/* ---- the program from outside ---- */

static Program *load_with(Nnc *nnc, const char *text, const Setting *sets, int nsets, void *no_data) {
    char path[] = "/tmp/nnc_check_XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
    Program *p = program_load(nnc, path, library, sets, nsets, (DataOpener){open_data, no_data});
    unlink(path);
    return p;
}

static bool reported(const Nnc *nnc, const char *name) {
    for (size_t i = 0; i < nnc->diags.list.len; i++)
        if (strcmp(diag_name(nnc->diags.list.at[i]->id), name) == 0) return true;
    return false;
}

static const char *type_of_result(Nnc *nnc, const Unit *u) {
    Str s = {0};
    type_print(&s, u->results.at[0].value->type);
    const char *text = arena_copy(nnc->arena, s.at, s.len + 1);
    vec_free(&s);
    return text;
}

Test(program, settings_override_lets) {
    Nnc *nnc = nnc_new();
    Setting sets[] = {{"hidden", "7"}};
    Program *p = load_with(nnc, "let hidden = 5\nexport fn f(x: [N, 3]) = Dense(hidden)(x)\n", sets, 1, NULL);
    cr_assert(p);
    Unit *u = program_export_unit(p, &p->exports.at[0], NULL, 0, NULL, 0, 2);
    cr_assert(u);
    cr_expect_str_eq(type_of_result(nnc, u), "[2, 7]");
    nnc_free(nnc);
}

Test(program, unknown_setting) {
    Nnc *nnc = nnc_new();
    Setting sets[] = {{"hiden", "7"}};
    cr_expect_not(load_with(nnc, "let hidden = 5\n", sets, 1, NULL));
    cr_assert(reported(nnc, "unknown_setting"));
    cr_expect_str_eq(nnc->diags.list.at[0]->helps.at[0], "did you mean 'hidden'?");
    nnc_free(nnc);
}

Test(program, export_arguments) {
    Nnc *nnc = nnc_new();
    Program *p = load_with(nnc, "export fn f(x: [A, B], k = 2, t: int) = sum(x, axis = 0) ^ k * t\n", NULL, 0, NULL);
    cr_assert(p && program_check(p));
    UnitInput *inputs;
    cr_expect_eq(program_export_inputs(p, &p->exports.at[0], &inputs), 2);
    Dim dims[] = {program_dim(p, 4), program_dim(p, 5)};
    Type types[] = {{DT_F32, 2, dims}, {DT_I32, 0, NULL}};
    Setting args[] = {{"k", "3"}};
    Unit *u = program_export_unit(p, &p->exports.at[0], types, 2, args, 1, 0);
    cr_assert(u);
    cr_expect_str_eq(type_of_result(nnc, u), "[5]");
    cr_expect_eq(u->inputs.len, 2);
    Setting wrong[] = {{"kk", "3"}};
    cr_expect_not(program_export_takes(p, &p->exports.at[0], wrong, 1));
    cr_expect(reported(nnc, "unknown_argument"));
    cr_expect_not(program_export_unit(p, &p->exports.at[0], NULL, 0, NULL, 0, 0), "sizes must be known");
    cr_expect(reported(nnc, "size_unknown"));
    nnc_free(nnc);
}

Test(program, without_data) {
    Nnc *nnc = nnc_new();
    Program *p = load_with(nnc,
                           "data d = npy(\"points.npy\")\nmodel m(x: [N, 2]) = Dense(classes(d))(x)\n"
                           "train {\n    for x in d {\n        minimize mean(m(x)^2) using SGD()\n    }\n}\n",
                           NULL, 0, nnc);
    cr_assert(p);
    cr_expect(program_check(p), "what data would say stays open");
    cr_expect_eq(p->params.len, 0, "checking leaves nothing behind");
    nnc_free(nnc);
}

Test(program, variables_are_shared_by_units) {
    Nnc *nnc = nnc_new();
    Program *p = load_with(nnc,
                           "data d = npy(\"points.npy\")\nmodel m(x: [N, 2]) = Dense(3)(x)\n"
                           "train {\n    for x in d {\n        minimize mean(m(x)^2) using Adam()\n    }\n}\n"
                           "export fn f(x: [N, 2]) = m(x)\n",
                           NULL, 0, NULL);
    cr_assert(p && program_check(p));
    cr_assert(program_loop_unit(p, p->trains.at[0], 0, 8));
    size_t params = p->params.len, states = p->states.len;
    cr_assert(program_loop_unit(p, p->trains.at[0], 0, 3));
    cr_assert(program_export_unit(p, &p->exports.at[0], NULL, 0, NULL, 0, 1));
    cr_expect_eq(p->params.len, params);
    cr_expect_eq(p->states.len, states);
    cr_expect_eq(params, 2);
    cr_expect_str_eq(p->params.at[0]->path, "m.dense1.w");
    cr_expect_str_eq(p->states.at[1]->path, "adam1.m/m.dense1.w");
    Unit *init = program_init_unit(p);
    cr_expect_eq(init->updates.len, params + states);
    nnc_free(nnc);
}

static bool uses(const Term *t, TermKind kind) {
    bool found = t->kind == kind;
    for (int i = 0; i < t->nargs; i++) found = found || uses(t->args[i], kind);
    return found;
}

Test(program, first_values_know_no_scan) {
    Nnc *nnc = nnc_new();
    Program *p = load_with(nnc,
                           "model m(x: [1, 2]) = Dense(2)(x)\n"
                           "export fn f() {\n    return scan t in 0..3 with h = ones([1, 2]) {\n"
                           "        h = m(h) + normal([1, 2])\n        yield h\n    }\n}\n",
                           NULL, 0, NULL);
    cr_assert(p);
    Unit *u = program_export_unit(p, &p->exports.at[0], NULL, 0, NULL, 0, 1);
    cr_assert(u && uses(u->results.at[0].value, T_ITERATION));
    Unit *init = program_init_unit(p);
    cr_assert_eq(init->updates.len, 2);
    for (size_t i = 0; i < 2; i++) cr_expect(!uses(init->updates.at[i].value, T_ITERATION));
    nnc_free(nnc);
}

/* ---- the project's own files: no errors, no warnings ---- */

static void check_files(const char *pattern) {
    const char *pairs[512][2] = {0};
    int n = 0;
    for (; stdlib_files[n].path && n < 511; n++) pairs[n][0] = stdlib_files[n].path, pairs[n][1] = stdlib_files[n].text;
    glob_t found;
    cr_assert(chdir(NNC_SOURCE_DIR) == 0 && glob(pattern, 0, NULL, &found) == 0, "no %s", pattern);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        Nnc *nnc = nnc_new();
        Program *p =
            program_load(nnc, found.gl_pathv[i], (const char *const(*)[2])pairs, NULL, 0, (DataOpener){open_data, nnc});
        bool ok = p && program_check(p) && nnc->diags.warnings == 0;
        if (!ok) diag_print(nnc, stderr, false);
        cr_expect(ok, "%s", found.gl_pathv[i]);
        nnc_free(nnc);
    }
    globfree(&found);
}

Test(library, every_file_checks) { check_files("stdlib/*/*.nn"); }
Test(library, every_example_checks) { check_files("examples/*.nn"); }
