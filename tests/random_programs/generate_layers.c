/* Layers of the library, and ones of the program's own. */
#include "tests/random_programs/generate.h"

static int out_size(int n, int kernel, int stride, int padding, int dilation) {
    return (n + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
}

/* A layer's call on x; `text` is its hyper-parameters. */
static int call(Gen *g, int x, Shape to, const char *layer) {
    Statement *s = begin(g);
    int y = result(g, to, 3);
    str_add(&s->text, "let %s = %s(%s)", name_of(g, y), layer, use(g, x));
    return y;
}

static void make_dense(Gen *g) {
    static const char *const activations[] = {"", ", tanh", ", relu", ", gelu", ", softplus"};
    int x = some(g, 1, 4), units = pick(g, 1, 20);
    Shape to = shape_of(g, x);
    char layer[64];
    g->work += elements(to) * units;
    if (elements(to) * units > 20000) return;
    to.dims[to.rank - 1] = units;
    snprintf(layer, sizeof layer, "Dense(%d%s%s)", units, ONE_OF(g, activations),
             chance(g, 20) ? ", bias = false" : "");
    call(g, x, to, layer);
}

static void make_norm(Gen *g) {
    static const char *const layers[] = {"LayerNorm(eps = 0.1)", "RMSNorm(eps = 0.1)", "BatchNorm(eps = 0.1)",
                                         "GroupNorm(1, eps = 0.1)", "InstanceNorm(eps = 0.1)"};
    int which = pick(g, 0, 4), x = some(g, which < 3 ? 2 : 3, 4);
    call(g, x, shape_of(g, x), layers[which]);
}

static void make_recurrent(Gen *g) {
    static const char *const layers[] = {"RNN", "LSTM", "GRU"};
    int x = some(g, 3, 3), units = pick(g, 1, 9);
    bool both = chance(g, 15);
    Shape to = shape_of(g, x);
    char layer[64];
    if (elements(to) * units * 4 > 12000) return;
    g->work += elements(to) * units * 8;
    snprintf(layer, sizeof layer, both ? "Bidirectional(%s(%d))" : "%s(%d)", ONE_OF(g, layers), units);
    to.dims[2] = both ? 2 * units : units;
    call(g, x, to, layer);
}

static void make_attention(Gen *g) {
    int x = some(g, 3, 3), heads = 1;
    Shape to = shape_of(g, x);
    char layer[64];
    if (elements(to) * (to.dims[1] + to.dims[2]) > 12000) return;
    g->work += elements(to) * (4 * to.dims[2] + 2 * to.dims[1]);
    for (int h = 2; h <= 4; h++)
        if (to.dims[2] % h == 0 && chance(g, 60)) heads = h;
    snprintf(layer, sizeof layer, "Attention(%d%s)", heads, chance(g, 50) ? ", causal = true" : "");
    call(g, x, to, layer);
}

static void make_conv(Gen *g) {
    int x = some(g, 4, 4), kernel = pick(g, 1, 3), stride = pick(g, 1, 2), padding = pick(g, 0, 1),
        dilation = pick(g, 1, 2);
    int filters = pick(g, 1, 9), groups = 1;
    Shape to = shape_of(g, x);
    int c = to.dims[3];
    char layer[128];
    for (int i = 1; i <= 2; i++) {
        if (to.dims[i] + 2 * padding <= dilation * (kernel - 1)) return;
        to.dims[i] = out_size(to.dims[i], kernel, stride, padding, dilation);
    }
    if (c % 2 == 0 && chance(g, 30)) groups = 2, filters *= 2;
    if (elements(to) / c * filters * c * kernel * kernel > 20000) return;
    g->work += elements(to) * filters * kernel * kernel;
    to.dims[3] = filters;
    snprintf(layer, sizeof layer, "Conv2d(%d, %d, stride = %d, padding = %d, dilation = %d, groups = %d%s)", filters,
             kernel, stride, padding, dilation, groups, chance(g, 40) ? ", activation = relu" : "");
    call(g, x, to, layer);
}

static void make_pool(Gen *g) {
    int x = some(g, 4, 4), size = pick(g, 1, 3), stride = pick(g, 1, 3);
    Shape to = shape_of(g, x);
    char layer[64];
    for (int i = 1; i <= 2; i++) {
        if (to.dims[i] < size) return;
        to.dims[i] = out_size(to.dims[i], size, stride, 0, 1);
    }
    bool largest = g->p->values[x].distinct && chance(g, 60);
    g->work += elements(to) * size * size;
    snprintf(layer, sizeof layer, "%s(%d, stride = %d)", largest ? "MaxPool2d" : "AvgPool2d", size, stride);
    call(g, x, to, layer);
}

static void make_upsample(Gen *g) {
    int x = some(g, 4, 4);
    Shape to = shape_of(g, x);
    bool nearest = chance(g, 50);
    if (elements(to) > 800) return;
    to.dims[1] *= 2;
    to.dims[2] *= 2;
    g->work += elements(to) * 4;
    call(g, x, to, nearest ? "Upsample(nearest, 2)" : "Upsample(bilinear, 2)");
}

static void make_transposed(Gen *g) {
    int x = some(g, 4, 4), filters = pick(g, 1, 5), kernel = pick(g, 1, 3), stride = pick(g, 1, 2);
    Shape to = shape_of(g, x);
    char layer[64];
    if (elements(to) * filters * kernel * kernel > 8000) return;
    g->work += elements(to) * filters * kernel * kernel;
    for (int i = 1; i <= 2; i++) to.dims[i] = (to.dims[i] - 1) * stride + kernel;
    to.dims[3] = filters;
    snprintf(layer, sizeof layer, "ConvTranspose2d(%d, %d, stride = %d)", filters, kernel, stride);
    call(g, x, to, layer);
}

static void make_embedding(Gen *g) {
    int ids = integers(g, (Shape){chance(g, 50) ? 1 : 2, {pick(g, 1, 9), pick(g, 1, 6)}}, 12), width = pick(g, 1, 9);
    Shape to = shape_of(g, ids);
    char layer[64];
    snprintf(layer, sizeof layer, "Embedding(12, %d)", width);
    int y = call(g, ids, with_axis(to, to.rank, width), layer);
    g->p->values[y].distinct = false;
}

void make_layer(Gen *g) {
    static void (*const makers[])(Gen *) = {make_dense,     make_dense,      make_dense,    make_norm, make_norm,
                                            make_recurrent, make_attention,  make_conv,     make_conv, make_pool,
                                            make_upsample,  make_transposed, make_embedding};
    ONE_OF(g, makers)(g);
}

/* A layer with parameters, a parameter that stands in another's first value, and a state. */
void make_own_layer(Gen *g) {
    int x = some(g, 2, 3), units = pick(g, 1, 12), number = g->p->nstatements;
    Shape to = shape_of(g, x);
    char layer[64];
    if (elements(to) * units > 20000) return;
    g->work += 2 * elements(to) * units;
    to.dims[to.rank - 1] = units;
    snprintf(layer, sizeof layer, "Own%d(%d)", number, units);
    int y = call(g, x, to, layer);
    Statement *s = &g->p->statements[g->p->values[y].by];
    str_add(&s->declarations,
            "layer Own%d(units: int)(x: [..B, C]) -> [..B, units] {\n"
            "    param w: [C, units] ~ glorot_uniform\n"
            "    param %s: [units] = 0.5\n"
            "    state m: [units] = 0\n"
            "    let z = x @ w * %s\n"
            "    if training {\n"
            "        m = 0.9 * m + 0.1 * mean(z, axes = leading)\n"
            "    }\n"
            "    return %s\n"
            "}\n",
            number, "scale", "scale", chance(g, 50) ? "tanh(z - m)" : "sin(z) + 0.1 * stop(m)");
}
