/* links: nnc_lower nnc_lang nnc_pass nnc_reference nnc_stdlib */
/* The batch in parts: which steps can be cut, what keeps the others from it, and that a cut step computes the same. */
#include "compiler/pass/parts.h"
#include "compiler/pass/passes.h"
#include "tests/reference/random_graph.h"
#include "tests/unit/nn.h"

#include <math.h>

enum {
    BATCH = 12,
    ROWS = 1
}; /* samples; the input that says which rows of the data they are comes behind the fields */

/* 12 rows of: 6 numbers, a label, 5 words. */
static const DataInfo *open_rows(void *self, Nnc *nnc, const DataExpr *e) {
    (void)self;
    static const int64_t six[] = {6}, five[] = {5};
    const DataField fields[] = {{.name = intern(nnc->names, "x"), .dtype = DT_F64, .rank = 1, .dims = six},
                                {.name = intern(nnc->names, "label"), .dtype = DT_I32},
                                {.name = intern(nnc->names, "words"), .dtype = DT_I32, .rank = 1, .dims = five}};
    DataInfo info = {.count = 12, .nfields = COUNT(fields), .classes = -1, .vocab = -1, .expr = e};
    info.fields = arena_copy(nnc->arena, fields, sizeof fields);
    return arena_copy(nnc->arena, &info, sizeof info);
}

/* The step of a loop over batches (x, label, words), its gradients taken. */
static Graph *step(Nnc *nnc, const char *declarations, const char *body) {
    nnc->float_type = DT_F64;
    const char *text = arena_printf(
        nnc->arena, "%s\ndata d = npy(\"x\")\ntrain {\n    for (x, label, words) in d {\n        %s\n    }\n}\n",
        declarations, body);
    Program *p = nn_load(nnc, text, (DataOpener){open_rows, NULL});
    Graph *g = pass_simplify(nnc, nn_step(p, BATCH));
    return pass_simplify(nnc, pass_autodiff(nnc, g));
}

static int rows_input(const Graph *g) {
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        if (n->kind == N_LEAF && n->leaf.kind == LEAF_INPUT && n->name && strcmp(n->name, "rows") == 0)
            return n->leaf.slot;
    }
    cr_assert_fail("the step has no rows");
    return -1;
}

static void expect_same(const Graph *g, const Graph *parts, const char *body, int64_t part) {
    RandomData d = random_data(g, 7);
    InterpEnv whole = d.env, cut = d.env;
    interp_run(g, &whole);
    interp_run(parts, &cut);
    cr_assert_eq(g->outputs.len, parts->outputs.len);
    for (size_t i = 0; i < g->outputs.len; i++) {
        const Node *n = ir_node(g, g->outputs.at[i].node);
        for (int64_t k = 0; k < ir_elements(n) && n->dtype == DT_F64; k++) {
            double want = ((double *)whole.outputs[i])[k], got = ((double *)cut.outputs[i])[k];
            cr_assert(fabs(got - want) <= 1e-12 * (1 + fabs(want)),
                      "in parts of %d, element %d of '%s' is %.17g, not %.17g:\n%s", (int)part, (int)k,
                      g->outputs.at[i].name, got, want, body);
        }
    }
    interp_free(g, &whole);
    interp_free(parts, &cut);
    random_data_free(g, &d);
}

/* Any part is a part of the step, whether or not it divides the batch. */
static void apart(const char *declarations, const char *body) {
    Nnc *nnc = nnc_new();
    Graph *g = step(nnc, declarations, body);
    static const int64_t parts[] = {6, 4, 1, 5};
    for (size_t i = 0; i < COUNT(parts); i++) {
        Batch b = batch_find(g, rows_input(g), BATCH, parts[i]);
        if (b.mixed) ir_print(g, stderr);
        cr_assert(!b.mixed, "node %%%u works on the batch as a whole:\n%s", b.mixed, body);
        Graph *cut = pass_parts(nnc, &b);
        ir_verify(cut, "parts");
        expect_same(g, cut, body, parts[i]);
    }
    nnc_free(nnc);
}

/* It can't be cut, because of the line that holds `why`. */
static void mixed(const char *declarations, const char *body, const char *why) {
    Nnc *nnc = nnc_new();
    Graph *g = step(nnc, declarations, body);
    Batch b = batch_find(g, rows_input(g), BATCH, 4);
    cr_assert(b.mixed, "nothing works on the batch as a whole:\n%s", body);
    Span at = ir_node(g, b.mixed)->at;
    const char *words = at.file ? source_words(nnc->sources.files.at[at.file], nnc->arena, at) : "";
    cr_expect(strstr(words, why), "'%s' is named, not '%s'", words, why);
    nnc_free(nnc);
}

#define MLP "model net(x: [N, 6]) = x |> Dense(5) |> tanh |> Dense(12)"

Test(parts, dense_layers) {
    apart(MLP, "minimize mean((net(x) - 1)^2) using SGD(0.1)");
    apart(MLP, "minimize sum((net(x) - 1)^2) using SGD(0.1, momentum = 0.9)");
    apart(MLP, "minimize mean(net(x)^4) + 1e-3 * sum(abs(net(x))) using SGD(0.1) clip_norm 0.1 accumulate 2");
    apart(MLP,
          "minimize cross_entropy(net(x), label) using SGD(0.1)\n"
          "        report accuracy = accuracy(net(x), label)\n        report largest = mean(max(net(x), axis = 1))");
}

Test(parts, what_no_sample_is_needed_for) {
    apart(MLP "\nfn l2(m) { let s = 0; for p in params(m) { s = s + sum(p^2) }; return s }",
          "minimize mean((net(x) - 1)^2) + 1e-2 * l2(net) using SGD(0.1)");
    apart(MLP, "minimize mean((net(x) - 1)^2) using Muon(0.1)");
    apart("model net(x: [N, 6]) = x |> Dense(6) |> fn(y) = y * reshape(sin(arange(72)), [12, 6])",
          "minimize mean((net(x) - 1)^2) using SGD(0.1)"); /* a row of numbers for each place in the batch */
}

Test(parts, each_sample_keeps_its_random_numbers) {
    apart("model net(x: [N, 6]) = x |> Dense(5) |> Dropout(0.4) |> Dense(4)",
          "minimize mean((net(x) - 1)^2) using SGD(0.1)");
    apart(MLP, "let z = normal([N, 6])\n minimize mean((net(x + z) - net(z))^2) using SGD(0.1)");
}

static bool holds(const Graph *g, int64_t size) {
    bool found = false;
    for (Ref r = 1; r < g->nodes.len; r++)
        for (int d = 0; d < ir_node(g, r)->rank && ir_node(g, r)->kind == N_COMP; d++)
            found = found || ir_node(g, r)->dims[d] == size;
    return found;
}

/* What is made of random numbers alone comes in parts, too, as the samples that a generator makes. */
Test(parts, samples_of_random_numbers) {
    const char *body = "let z = uniform([N, 7])\n minimize mean((other(z) - 1)^2) over other using SGD(0.1)";
    const char *other = "model other(z: [N, 7]) = z |> Dense(5) |> tanh |> Dense(4)";
    Nnc *nnc = nnc_new();
    Graph *g = step(nnc, other, body);
    Batch b = batch_find(g, -1, BATCH, 4);
    cr_assert(!b.mixed && b.rounds == 1);
    cr_expect(holds(g, BATCH) && !holds(pass_parts(nnc, &b), BATCH));
    nnc_free(nnc);
    apart(MLP "\n"
              "model other(z: [N, 7]) = z |> Dense(5) |> tanh |> Dense(6)",
          "let z = uniform([N, 7])\n minimize mean((net(x) - 1)^2) + mean(net(other(z))^2) over net using SGD(0.1)\n"
          " minimize mean((net(other(z)) - 1)^2) over other using SGD(0.1)");
}

Test(parts, convolutions_and_pooling) {
    apart("model net(x: [N, 6]) = reshape(x, [N, 2, 3, 1]) |> Conv2d(3, 3, padding = same) |> relu |> MaxPool2d(2, "
          "padding = "
          "same) |> flatten |> Dense(4)",
          "minimize mean((net(x) - 1)^2) using SGD(0.1)");
}

Test(parts, attention) {
    apart("model net(w: int[N, 5]) = w |> Embedding(12, 4) |> TransformerBlock(2, causal = true) |> Dense(12)",
          "minimize cross_entropy(net(words), words) using SGD(0.1)");
    apart("model net(x: [N, 6]) = reshape(x, [N, 3, 2]) |> LayerNorm |> flatten |> Dense(4)",
          "minimize mean((net(x) - 1)^2) using SGD(0.1)");
}

Test(parts, scans) {
    apart("model net(x: [N, 6]) = (reshape(x, [N, 3, 2]) |> LSTM(4))[:, -1] |> Dense(2)",
          "minimize mean((net(x) - 1)^2) using SGD(0.1)");
    apart("model net(x: [N, 6]) { param h: [4] = 0.5\n param w: [4, 4] ~ normal_init(0.3)\n"
          " let y = scan t in 0..3 with s = h + zeros([N, 4]) { s = tanh(s @ w + expand_dims(x[:, t], -1)); yield s "
          "}\n return y }",
          "minimize mean((net(x) - 1)^2) using SGD(0.1)");
}

/* A loop that works on samples and counts its iterations: the count is a part of it. */
Test(parts, whiles) {
    apart(
        "model net(x: [N, 6]) {\n param shift: [] = 0.5\n let y = stop(sin(x))\n let n = cast(0, int)\n while n < 3 {\n"
        " y = 0.6 * y + 0.3 * sin(y) + 0.02 * n\n n = n + 1\n }\n return y + shift\n}",
        "minimize mean(net(x)^2) using SGD(0.1)");
}

Test(parts, sorts) { apart(MLP, "minimize mean(sort(net(x), axis = 1)[:, 0]) using SGD(0.1)"); }

/* A parameter with a row for each place in the batch: so has its new value. */
Test(parts, outputs_of_each_sample) {
    apart("model net(x: [N, 6]) { param a: [12, 6] ~ normal_init(1)\n return x * a }",
          "minimize mean((net(x) - 1)^2) using SGD(0.1)");
}

Test(parts, reductions) {
    apart(MLP,
          "minimize mean((net(x) - 1)^2) using SGD(0.1)\n report a = max(net(x))\n report b = min(max(x, axis = 0))\n"
          " report c = prod(net(x) + 2)\n report d = if max(net(x) > 1.3) then 1.0 else 2.0");
}

/* Sums over the batch that samples need are there when it is gone through again. */
Test(parts, several_rounds) {
    apart(MLP, "minimize mean((net(x) - 1)^2) using SGD(0.1)\n report after = mean((net(x) - 1)^2)");
    apart(MLP "\nmodel other(x: [N, 12]) = x |> Dense(6)",
          "minimize mean((net(x) - 1)^2) over net using SGD(0.1)\n"
          " minimize mean((other(net(x)) - x)^2) over other using SGD(0.1)\n report sum = mean(other(net(x)))");
    apart(MLP, "let w = exp(x[:, 0])\n minimize sum(w * net(x)[:, 0]^2) / sum(w * net(x)[:, 1]^2) using SGD(0.1)");
    apart(MLP, "let z = net(x)\n minimize mean((z - mean(z, axis = 0))^2) using SGD(0.1)");
    apart("model net(x: [N, 6]) = x |> Dense(5) |> BatchNorm |> Dense(4)",
          "minimize mean((net(x) - 1)^2) using SGD(0.1)");
}

Test(parts, samples_that_meet) {
    mixed("model net(x: [N, 6]) = x |> Dense(5) |> BatchNorm |> Dense(4) |> BatchNorm",
          "minimize mean((net(x) - 1)^2) using SGD(0.1)", "x - ");
    mixed(MLP, "let s = net(x) @ transpose(net(x), [1, 0])\n minimize mean(s^2) using SGD(0.1)", "@");
    mixed(MLP, "minimize mean((net(x)[1..] - net(x)[0..-1])^2) using SGD(0.1)", "net(x)[");
    mixed(MLP, "minimize max(net(x)) using SGD(0.1)", "max(net(x))");
    mixed(MLP, "minimize mean(net(flip(x, 0)) * net(x)) using SGD(0.1)", "");
}
