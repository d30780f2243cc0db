/* Train blocks: their settings, their loops, and the unit of a loop. */
#include "lang/check.h"

#include <string.h>

/* ---- settings ---- */

static bool set_number(Checker *c, const Ast *a, Value v, int64_t least, int64_t *out) {
    if (value_is_known_int(v, out) && *out >= least) return true;
    if (v.kind != V_POISON)
        err(c, a->let.value->at, bad_setting, a->let.names.at[0].name, (int)least, value_text(c, v));
    return false;
}

static void set_keep_best(Checker *c, TrainBlock *t, Ast *e) {
    t->keep_best_less = e->kind == AST_UNARY && e->op.op == OP_AST_NEG;
    if (t->keep_best_less) e = e->op.a;
    if (e->kind == AST_NAME)
        t->keep_best = e->name, t->keep_best_at = e->at;
    else
        diag_help(c->nnc, err(c, e->at, bad_keep_best),
                  "keep_best = accuracy, or keep_best = -loss where less is better");
}

/* `given` holds the settings so far. */
static void set(Checker *c, TrainBlock *t, NameMap *given, const Ast *a) {
    static const char *const names[] = {"epochs", "steps", "batch", "seed", "memory", "keep_best"};
    int64_t *const slots[] = {&t->epochs, &t->steps, &t->batch, &t->seed, &t->memory};
    AstName name = a->let.names.at[0];
    const Ast *first = map_get(given, name.name);
    size_t i = 0;
    while (i < COUNT(names) && (a->let.is_tuple || strcmp(name.name, names[i]) != 0)) i++;
    if (i == COUNT(names)) {
        Diag *d = err(c, name.at, unknown_train_setting, name.name);
        const char *near = diag_nearest(name.name, names, COUNT(names));
        if (near) diag_help(c->nnc, d, "did you mean '%s'?", near);
        if (!near) diag_help(c->nnc, d, "the settings are epochs, steps, batch, seed, memory and keep_best");
        return;
    }
    if (first) diag_label(c->nnc, err(c, name.at, option_twice, name.name), first->at, "the first");
    map_put(c, given, name.name, (void *)a);
    if (i < COUNT(slots))
        set_number(c, a, eval_expr(c, c->main->scope, a->let.value), i == 3 ? 0 : 1, slots[i]);
    else
        set_keep_best(c, t, a->let.value);
}

/* ---- the block ---- */

typedef struct {
    bool with_over; /* count only those that name what is updated */
    int found;
} Count;

static void count(Ast *a, void *arg) {
    Count *s = arg;
    s->found += a->kind == AST_MINIMIZE && !(s->with_over && a->minimize.over.len == 0);
    ast_each_child(a, count, s);
}

static int count_minimizes(Ast *a, bool with_over) {
    Count s = {.with_over = with_over};
    count(a, &s);
    return s.found;
}

static void add_load(Checker *c, TrainBlock *t, const Ast *a) {
    Ast *root = a->load.target;
    while (root->kind == AST_FIELD) root = root->field.of;
    Value v = eval_expr(c, c->main->scope, root);
    Name path = value_path(v);
    if (!path) {
        if (v.kind != V_POISON) err(c, root->at, bad_over, value_text(c, v));
        return;
    }
    const char *part = source_text(c, (Span){root->at.file, root->at.end, a->load.target->at.end});
    void *more = arena_alloc(check_arena(c), sizeof *t->loads * ((size_t)t->nloads + 1));
    if (t->nloads) memcpy(more, t->loads, sizeof *t->loads * (size_t)t->nloads);
    t->loads = more;
    t->loads[t->nloads].path = check_name(c, "%s%s", path, part);
    t->loads[t->nloads].file = a->load.path->string.text;
    t->loads[t->nloads++].at = a->at;
}

static void add_statement(Checker *c, TrainBlock *t, NameMap *given, Ast *a) {
    switch (a->kind) {
    case AST_ASSIGN: set(c, t, given, a); break;
    case AST_LET: break; /* evaluated in each loop's unit */
    case AST_LOAD: add_load(c, t, a); break;
    case AST_FOR: {
        TrainLoop loop = {.at = a->at, .ast = a, .trains = count_minimizes(a->loop.body, false) > 0};
        arena_push(c, &t->loops, loop);
        break;
    }
    case AST_STOP_WHEN: train_stop_when(c, t, a); break;
    case AST_MINIMIZE: err(c, a->at, misplaced, "minimize", "a loop of a train block"); break;
    case AST_REPORT: err(c, a->at, misplaced, "report", "a loop of a train block"); break;
    default: err(c, a->at, not_in_train); break;
    }
}

void train_declare(Checker *c, Ast *ast) {
    TrainBlock *t = ARENA_NEW(check_arena(c), TrainBlock);
    *t = (TrainBlock){
        .name = ast->train.name.name ? ast->train.name.name : intern(c->nnc->names, ""), .at = ast->at, .ast = ast};
    for (size_t i = 0; i < c->program->trains.len; i++)
        if (t->name[0] && c->program->trains.at[i]->name == t->name)
            diag_label(c->nnc, err(c, ast->train.name.at, duplicate, t->name), c->program->trains.at[i]->at,
                       "first declared here");
    NameMap given = {0};
    for (int i = 0; i < ast->train.body->list.len; i++) add_statement(c, t, &given, ast->train.body->list.at[i]);
    if (!t->loops.len) err(c, ast->at, train_empty);
    if (t->keep_best && !train_reports(c, t->ast, t->keep_best))
        train_report_help(c, err(c, t->keep_best_at, keep_best_unknown, t->keep_best), ast, t->keep_best);
    arena_push(c, &c->program->trains, t);
}

/* ---- the unit of a loop ---- */

/* Of the names of optimizer states: blocks after the first have names of their own. */
static Name prefix_of(Checker *c, const TrainBlock *t) {
    if (t->name[0]) return check_name(c, "%s.", t->name);
    for (size_t i = 0; i < c->program->trains.len; i++)
        if (c->program->trains.at[i] == t) return i ? check_name(c, "train%zu.", i + 1) : check_name(c, "%s", "");
    bug("a train block of another program");
}

static DataSet *loop_data(Checker *c, Scope *s, const TrainLoop *loop) {
    Ast *over = loop->ast->loop.over;
    Value v = over->kind == AST_RANGE ? value_int(c, 0) : eval_expr(c, s, over);
    if (v.kind == V_DATA) return v.data;
    if (v.kind == V_POISON) return NULL;
    err(c, over->at, loop_not_data, over->kind == AST_RANGE ? "a range" : value_text(c, v));
    return NULL;
}

const DataInfo *program_loop_data(Program *p, TrainBlock *t, int index) {
    Checker *c = p->checker;
    TrainLoop *loop = &t->loops.at[index];
    if (loop->data) return loop->data;
    DataSet *d = loop_data(c, c->main->scope, loop);
    return loop->data = d ? data_info(c, d) : NULL;
}

/* The whole fields and the row numbers are inputs; a sample's fields are what the rows pick. */
static void bind_batch(Checker *c, Scope *s, const TrainLoop *loop, Dim n) {
    const DataInfo *info = loop->data;
    const Ast *a = loop->ast;
    Value *values = ARENA_ARRAY(check_arena(c), Value, info->nfields + 1);
    data_batch(c, info, n, a->at, values);
    run_scalar(c, "seed", a->at);
    run_scalar(c, "tick", a->at);
    run_scalar(c, "epoch", a->at);
    int names = a->loop.names.len;
    if (names != info->nfields) {
        err(c, a->loop.names.at[0].at, loop_names, info->nfields, info->nfields == 1 ? "" : "s", names,
            names == 1 ? " is" : "s are");
        for (int i = 0; i < names; i++) scope_define(c, s, a->loop.names.at[i].name, value_poison(), a->at);
        return;
    }
    Value all = value_list(c, V_TUPLE, values, names);
    bind_pattern(c, s, &a->loop.names, a->loop.is_tuple, a->loop.is_tuple ? all : values[0], a->at);
}

/* Statements of the block before its loops are those of every loop. */
static void exec_lets(Checker *c, Scope *s, const TrainBlock *t, const TrainLoop *loop) {
    const AstList *list = &t->ast->train.body->list;
    for (int i = 0; i < list->len && list->at[i] != loop->ast; i++)
        if (list->at[i]->kind == AST_LET) exec_statement(c, s, list->at[i]);
}

static Unit *loop_unit(Checker *c, TrainBlock *t, int index, Dim n, bool symbolic) {
    TrainLoop *loop = &t->loops.at[index];
    const DataInfo *info = program_loop_data(c->program, t, index);
    if (!info && !symbolic) return NULL;
    UnitState u;
    Name name = t->name[0] ? t->name : check_name(c, "train");
    unit_begin(c, &u, loop->trains ? UNIT_STEP : UNIT_EVAL, name, symbolic);
    u.training = loop->trains;
    u.in_loop = true;
    u.block = t;
    u.optimizer_prefix = prefix_of(c, t);
    for (int i = 0; i < index; i++) u.minimizes += count_minimizes(t->loops.at[i].ast, false);
    u.many_losses = count_minimizes(loop->ast, true) > 1;
    Frame frame;
    if (frame_push(c, &frame, NULL, NULL, (Span){0}, c->main->scope)) {
        frame.marks = grad_marks(c, t->ast->train.body);
        scope_define(c, frame.scope, check_name(c, "N"), value_dim(n), loop->at);
        exec_lets(c, frame.scope, t, loop);
        Scope *s = scope_new(c, frame.scope);
        if (info)
            bind_batch(c, s, loop, n);
        else
            for (int i = 0; i < loop->ast->loop.names.len; i++)
                scope_define(c, s, loop->ast->loop.names.at[i].name, value_poison(), loop->at);
        exec_block(c, s, loop->ast->loop.body);
        frame_pop(c);
    }
    return unit_end(c, &u);
}

Unit *program_loop_unit(Program *p, TrainBlock *t, int loop, int64_t n) {
    return loop_unit(p->checker, t, loop, dim_number(p->checker->dims, n), false);
}

void train_check(Checker *c, TrainBlock *t) {
    for (size_t i = 0; i < t->loops.len; i++) loop_unit(c, t, (int)i, dim_fresh(c->dims, check_name(c, "N")), true);
}
