/* What TensorBoard shows of a run: curves, how weights are spread, the first pictures of the data, the graph of what is
 * minimized, the settings. */
#include "compiler/driver_train.h"

#include "compiler/lower/lower.h"
#include "runtime/image.h"
#include "runtime/report.h"

#include <stdlib.h>
#include <string.h>

/* ---- names ---- */

/* Curves of several blocks stand side by side. */
static const char *tag_of(const BlockRun *b, const char *name) {
    Arena *a = b->d->nnc->arena;
    if (b->d->program->trains.len < 2) return name;
    if (b->block->name[0]) return arena_printf(a, "%s/%s", b->block->name, name);
    return arena_printf(a, "train%d/%s", b->index + 1, name);
}

/* "mlp.dense1.w" as folders. */
static const char *weight_tag(const BlockRun *b, const char *path) {
    char *tag = arena_printf(b->d->nnc->arena, "%s", tag_of(b, path));
    for (char *p = tag; *p; p++)
        if (*p == '.') *p = '/';
    return tag;
}

/* ---- the graph ---- */

static const char *op_of(const Node *n) {
    static const char *const leaves[] = {"Input", "Parameter", "State", "Constant", "Iteration", "Carry"};
    static const char *const sums[] = {"Elements", "Sum", "Product", "Max", "Min", "Argmax", "Argmin"};
    switch (n->kind) {
    case N_LEAF: return leaves[n->leaf.kind];
    case N_COMP: return sums[n->comp.combine];
    case N_SCATTER: return "Scatter";
    case N_SORT: return "Sort";
    case N_SCAN: return "Loop";
    case N_RESULT: return "Result";
    default: return "Copy";
    }
}

/* The line and the words of an expression; of a leaf, its name. */
static const char *name_of(const Nnc *nnc, const Node *n, Ref r) {
    enum { MOST = 40 };
    Arena *a = nnc->arena;
    if (n->kind == N_LEAF && n->name) return arena_printf(a, "%s", n->name);
    if (!n->at.file) return arena_printf(a, "constant_%u", r);
    const Source *s = nnc->sources.files.at[n->at.file];
    const char *slash = strrchr(s->path, '/');
    int line, column;
    source_place(s, n->at.begin, &line, &column);
    char *words = arena_printf(a, "%.*s", MOST, source_words(s, a, n->at));
    for (char *p = words; *p; p++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-", *p)) *p = '_';
    return arena_printf(a, "%s_%d/%s_%u", slash ? slash + 1 : s->path, line, words, r);
}

typedef struct {
    RtTbNode *node;
    const char **names;
} Inputs;

static void add_input(Ref used, void *self) {
    Inputs *in = self;
    in->node->inputs[in->node->ninputs++] = in->names[used];
}

static void count_input(Ref used, void *self) {
    (void)used;
    ++*(int *)self;
}

/* What the losses of a step are computed from. */
static void add_graph(Driver *d, const LoopRun *l) {
    Graph *g = lower_unit(d->nnc, d->program, l->full->unit);
    Arena *a = d->nnc->arena;
    g->outputs.len = (size_t)l->full->unit->nlosses; /* the losses come first */
    g = ir_compact(g, NULL);
    const char **names = ARENA_ARRAY(a, const char *, g->nodes.len);
    RtTbNode *nodes = ARENA_ARRAY(a, RtTbNode, g->nodes.len);
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        int inputs = 0;
        names[r] = name_of(d->nnc, n, r);
        ir_uses(g, r, count_input, &inputs);
        nodes[r - 1] = (RtTbNode){names[r], op_of(n), 0, ARENA_ARRAY(a, const char *, inputs), n->rank, n->dims};
        ir_uses(g, r, add_input, &(Inputs){&nodes[r - 1], names});
    }
    rt_tb_graph(&d->tb, nodes, (int)g->nodes.len - 1);
}

/* ---- the data ---- */

/* The first samples side by side: [N, H, W, 1 or 3]. */
static bool read_pictures(const RtData *data, const RtField *f, RtArray *batch, RtError *e) {
    enum { MOST = 16 };
    for (int64_t i = 0, n = MIN(data->count, MOST); i < n; i++) {
        RtArray one = {0};
        if (!rt_picture(f, data->rows ? data->rows[i] : i, &one)) return false;
        size_t bytes = (size_t)rt_array_elements(&one);
        bool room = i > 0;
        if (!room) {
            *batch = (RtArray){.dtype = RT_U8, .rank = 4, .dims = {n, one.dims[0], one.dims[1], one.dims[2]}};
            room = rt_array_alloc(batch, f->source, e);
        }
        if (room) memcpy((char *)batch->data + (size_t)i * bytes, one.data, bytes);
        rt_array_free(&one);
        if (!room) return false;
    }
    return true;
}

static void add_pictures(BlockRun *b, const RtData *data) {
    RtError ignored; /* what does not fit is not shown */
    int picture = rt_picture_field(data);
    if (picture < 0) return;
    const RtField *f = &data->fields[picture];
    RtArray batch = {0}, sheet = {0};
    if (read_pictures(data, f, &batch, &ignored) && rt_image_of_array(&batch, &sheet, &ignored))
        rt_tb_picture(&b->d->tb, tag_of(b, f->name ? f->name : "inputs"), 0, &sheet, &ignored);
    rt_array_free(&batch);
    rt_array_free(&sheet);
}

/* ---- the run ---- */

static void add_settings(Driver *d, const BlockRun *b) {
    const Options *o = &d->options;
    RtTbSetting *s = ARENA_ARRAY(d->nnc->arena, RtTbSetting, o->nsets + 4);
    int n = 0;
    s[n++] = (RtTbSetting){"file", o->file, 0};
    s[n++] = (RtTbSetting){"seed", NULL, (double)b->seed};
    s[n++] = (RtTbSetting){"batch", NULL, (double)b->loops.at[0]->batch};
    for (int i = 0; i < o->nsets; i++) {
        char *end;
        double number = strtod(o->sets[i].value, &end);
        bool is_number = *o->sets[i].value && !*end;
        s[n++] = (RtTbSetting){o->sets[i].name, is_number ? NULL : o->sets[i].value, number};
    }
    rt_tb_settings(&d->tb, s, n);
}

bool tensorboard_begin(Driver *d, const BlockRuns *runs, const char *dir) {
    RtError err;
    if (!rt_tb_open(&d->tb, dir, d->options.resume, &err)) return driver_error(d, "%s", err.text);
    add_settings(d, runs->at[0]);
    for (size_t i = 0; i < runs->len; i++) {
        BlockRun *b = runs->at[i];
        const LoopRun *first = NULL;
        for (size_t k = 0; k < b->loops.len && !first; k++)
            if (b->loops.at[k]->loop->trains) first = b->loops.at[k];
        if (!first) continue;
        add_pictures(b, driver_rt_data(first->loop->data));
        if (i == 0) add_graph(d, first);
    }
    rt_tb_flush(&d->tb);
    return true;
}

static void add_weights(BlockRun *b, int64_t step) {
    SavedList list = driver_saved(b->d, b->d->variables.bytes, false);
    for (size_t i = 0; i < list.len; i++) {
        RtArray a = driver_tensor_of(list.at[i]).array;
        if (rt_dtype_is_float(a.dtype)) rt_tb_histogram(&b->d->tb, weight_tag(b, list.at[i].var->path), step, &a);
    }
    vec_free(&list);
}

/* Weights are looked through at most a hundredth of the time. */
void tensorboard_epoch(BlockRun *b, const RtEpoch *epoch) {
    Driver *d = b->d;
    static const double SHARE = 100;
    int64_t step = epoch->point.position.step;
    for (int i = 0; i < epoch->nreports; i++)
        rt_tb_scalar(&d->tb, tag_of(b, epoch->reports[i].name), step, epoch->reports[i].value);
    double now = rt_seconds();
    if (now >= b->next_weights) {
        add_weights(b, step);
        double then = rt_seconds();
        b->next_weights = then + SHARE * (then - now);
    }
    rt_tb_flush(&d->tb);
}

bool tensorboard_end(Driver *d, bool well) {
    RtError err;
    rt_tb_ended(&d->tb, well);
    return rt_tb_close(&d->tb, &err) || !well || driver_error(d, "%s", err.text);
}
