/* What TensorBoard shows of a run: curves, how weights are spread, the first pictures of the data, the graph of what is
 * minimized, the settings. */
#include "compiler/driver_train.h"

#include "runtime/events.h"
#include "runtime/image.h"
#include "runtime/report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

/* What the losses of a step, its first results, are computed from. */
static void add_graph(Driver *d, const LoopRun *l) {
    const Graph *g = l->full->lowered;
    Arena *a = d->nnc->arena;
    int n = 0;
    bool *needed = ARENA_ARRAY(a, bool, g->nodes.len);
    const char **names = ARENA_ARRAY(a, const char *, g->nodes.len);
    RtTbNode *nodes = ARENA_ARRAY(a, RtTbNode, g->nodes.len);
    for (int i = 0; i < l->full->unit->nlosses; i++) needed[g->outputs.at[i].node] = true;
    for (size_t r = g->nodes.len; r-- > 1;)
        if (needed[r]) ir_mark_live(g, (Ref)r, needed);
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *node = ir_node(g, r);
        int inputs = 0;
        if (!needed[r]) continue;
        names[r] = name_of(d->nnc, node, r);
        ir_uses(g, r, count_input, &inputs);
        nodes[n] = (RtTbNode){names[r], op_of(node), 0, ARENA_ARRAY(a, const char *, inputs), node->rank, node->dims};
        ir_uses(g, r, add_input, &(Inputs){&nodes[n++], names});
    }
    rt_tb_graph(&d->tb, nodes, n);
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

static void add_reports(BlockRun *b, const RtEpoch *epoch) {
    for (int i = 0; i < epoch->nreports; i++)
        rt_tb_scalar(&b->d->tb, tag_of(b, epoch->reports[i].name), epoch->point.position.step, epoch->reports[i].value);
}

static void add_told(void *self, const char *block, int64_t number, const RtEpoch *epoch) {
    (void)block, (void)number;
    add_reports(self, epoch);
}

/* A run that was killed had told of epochs that it had not written yet, here no more than in its log, which is written
 * right after this: the checkpoint has them. */
static void add_unwritten(BlockRun *b, const char *dir) {
    const char *tail = b->start.log_tail ? b->start.log_tail : "";
    int64_t length = (int64_t)strlen(tail), written = 0;
    struct stat st;
    if (stat(arena_printf(b->d->nnc->arena, "%s/log.jsonl", dir), &st) == 0)
        written = MAX(0, MIN(length, (int64_t)st.st_size - (b->start.log_bytes - length)));
    while (written > 0 && written < length && tail[written - 1] != '\n') written++;
    rt_events_read(tail + written, add_told, b);
}

bool tensorboard_begin(Driver *d, const BlockRuns *runs, int first, const char *dir) {
    RtError err;
    if (!rt_tb_open(&d->tb, dir, d->options.resume, &err)) return driver_error(d, "%s", err.text);
    add_settings(d, runs->at[0]);
    add_unwritten(runs->at[first], dir);
    for (size_t i = 0; i < runs->len; i++) {
        BlockRun *b = runs->at[i];
        const LoopRun *training = NULL;
        for (size_t k = 0; k < b->loops.len && !training; k++)
            if (b->loops.at[k]->loop->trains) training = b->loops.at[k];
        if (!training) continue;
        add_pictures(b, driver_rt_data(training->loop->data));
        if (i == 0) add_graph(d, training);
    }
    rt_tb_flush(&d->tb);
    return true;
}

/* They are looked through once a second at most, and for a three-hundredth of the time. */
void tensorboard_weights(BlockRun *b, int64_t step) {
    static const double LEAST_WAIT = 1, SHARE = 300;
    if (b->weighed == b->tick) return;
    double since = rt_seconds();
    SavedList list = driver_saved(b->d, driver_values(b->d), false);
    for (size_t i = 0; i < list.len; i++) {
        RtArray a = driver_tensor_of(list.at[i]).array;
        if (rt_dtype_is_float(a.dtype)) rt_tb_histogram(&b->d->tb, weight_tag(b, list.at[i].var->path), step, &a);
    }
    vec_free(&list);
    double now = rt_seconds();
    b->next_weights = now + MAX(LEAST_WAIT, SHARE * (now - since));
    b->weighed = b->tick;
}

void tensorboard_epoch(BlockRun *b, const RtEpoch *epoch) {
    add_reports(b, epoch);
    if (rt_seconds() >= b->next_weights) tensorboard_weights(b, epoch->point.position.step);
}

bool tensorboard_end(Driver *d, bool well) {
    RtError err;
    rt_tb_ended(&d->tb, well);
    return rt_tb_close(&d->tb, &err) || !well || driver_error(d, "%s", err.text);
}
