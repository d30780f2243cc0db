/* The picture of a model or function. Terms become boxes: all those of a layer that calls no other one, all those of a
 * function's call, and what a body computes itself, as the source says it. Calls that lead to layers are frames around
 * their boxes. Tensors that go from box to box are the edges. */
#include "compiler/driver_graph.h"

#include <string.h>

typedef enum { BOX_LAYER, BOX_FUNCTION, BOX_EXPRESSION, BOX_VARIABLE, BOX_INPUT, BOX_RESULT } BoxKind;

typedef struct {
    BoxKind kind;
    int call; /* itself; else the frame that it is in, -1: none */
    const Term *term;
    const Variable *var;
    const char *title;
} Box;

typedef struct {
    int from, to;
    Type type;
    bool plain; /* without a type */
} Edge;

enum { NO_BOX = -1, MANY = -2, NOT_YET = -3 };

typedef struct {
    Dot *dot;
    const Unit *u;
    Arena *arena;
    int number; /* of the picture, for names */
    bool is_model;
    int nterms;      /* ids are below it */
    const Term **at; /* per id: the term, where a result needs it */
    int *box;        /* per id; NO_BOX for what is not drawn */
    int *used_in;    /* per id: the box of all its users; MANY; NOT_YET */
    bool *open;      /* per call: a frame */
    int *call_box, *input_box, *variable_box;
    VEC(Box) boxes;
    VEC(Edge) edges;
} Picture;

/* ---- terms ---- */

/* What only changes the form of a number is not drawn. */
static const Term *plain(const Term *t) {
    while (t->kind == T_CAST || t->kind == T_BROADCAST || t->kind == T_MARK) t = t->args[0];
    return t;
}

static bool is_variable(const Term *t) { return t->kind == T_PARAM || t->kind == T_STATE; }

static bool is_drawn(const Term *t) {
    switch (t->kind) {
    case T_NUMBER:
    case T_ARRAY:
    case T_IOTA:
    case T_INDEX:
    case T_ITERATION:
    case T_CARRY: return false;
    default: return true;
    }
}

/* Operands have smaller ids, so that a sweep from the last one sees users first. */
static void find_terms(Picture *p) {
    for (size_t i = 0; i < p->u->results.len; i++)
        if (p->u->results.at[i].value) p->nterms = MAX(p->nterms, p->u->results.at[i].value->id + 1);
    p->at = ARENA_ARRAY(p->arena, const Term *, p->nterms);
    p->box = ARENA_ARRAY(p->arena, int, p->nterms);
    p->used_in = ARENA_ARRAY(p->arena, int, p->nterms);
    for (int i = 0; i < p->nterms; i++) p->box[i] = NO_BOX, p->used_in[i] = NOT_YET;
    for (size_t i = 0; i < p->u->results.len; i++) {
        const Term *t = p->u->results.at[i].value ? plain(p->u->results.at[i].value) : NULL;
        if (t) p->at[t->id] = t, p->used_in[t->id] = MANY;
    }
    for (int id = p->nterms - 1; id >= 0; id--)
        for (int i = 0; p->at[id] && i < p->at[id]->nargs; i++) {
            const Term *a = plain(p->at[id]->args[i]);
            p->at[a->id] = a;
        }
}

/* Calls that lead to a layer are frames; so is the model itself, and the whole. */
static void find_frames(Picture *p) {
    const Unit *u = p->u;
    p->open = ARENA_ARRAY(p->arena, bool, u->calls.len);
    for (int id = 0; id < p->nterms; id++)
        for (int c = p->at[id] ? p->at[id]->call : -1, below = -1; c >= 0; c = u->calls.at[c].up) {
            bool outermost = u->calls.at[c].up < 0 || (p->is_model && u->calls.at[u->calls.at[c].up].up < 0);
            if (outermost || (below >= 0 && (p->open[below] || u->calls.at[below].layer >= 0))) p->open[c] = true;
            below = c;
        }
}

/* ---- boxes ---- */

static int add_box(Picture *p, Box b) {
    vec_push(&p->boxes, b);
    return (int)p->boxes.len - 1;
}

static int box_of_call(Picture *p, int call) {
    const UnitCall *at = p->u->calls.at;
    while (at[call].up >= 0 && !p->open[at[call].up]) call = at[call].up;
    if (p->call_box[call] == NO_BOX) {
        Box b = {.kind = at[call].layer >= 0 ? BOX_LAYER : BOX_FUNCTION, .call = call};
        p->call_box[call] = add_box(p, b);
    }
    return p->call_box[call];
}

/* What a body computes itself joins the expression that it is part of. */
static int box_of(Picture *p, const Term *t) {
    if (t->call >= 0 && !p->open[t->call]) return box_of_call(p, t->call);
    int user = p->used_in[t->id];
    if (user >= 0 && p->boxes.at[user].kind == BOX_EXPRESSION && p->boxes.at[user].call == t->call) return user;
    return add_box(p, (Box){.kind = BOX_EXPRESSION, .call = t->call, .term = t});
}

static int box_of_variable(Picture *p, const Term *t, int frame) {
    const Variable *v = p->u->variables[t->slot];
    if (p->variable_box[t->slot] == NO_BOX)
        p->variable_box[t->slot] = add_box(p, (Box){.kind = BOX_VARIABLE, .call = frame, .var = v});
    return p->variable_box[t->slot];
}

static void find_boxes(Picture *p) {
    for (int id = p->nterms - 1; id >= 0; id--) {
        const Term *t = p->at[id];
        if (!t || !is_drawn(t) || is_variable(t) || t->kind == T_INPUT) continue;
        int b = p->box[id] = box_of(p, t);
        for (int i = 0; i < t->nargs; i++) {
            int *used = &p->used_in[plain(t->args[i])->id];
            *used = *used == NOT_YET || *used == b ? b : MANY;
        }
    }
}

/* Which box a tensor that box `to` uses comes from. */
static int source_of(Picture *p, const Term *t, int to) {
    const Box *user = &p->boxes.at[to];
    if (t->kind == T_INPUT) return t->slot < (int)p->u->inputs.len ? p->input_box[t->slot] : NO_BOX;
    if (!is_variable(t)) return p->box[t->id];
    if (user->kind == BOX_LAYER) return NO_BOX;
    return box_of_variable(p, t, user->kind == BOX_FUNCTION ? p->u->calls.at[user->call].up : user->call);
}

static void add_edge(Picture *p, const Term *t, int to) {
    int from = source_of(p, t, to);
    if (from == NO_BOX || from == to) return;
    for (size_t i = p->edges.len; i-- > 0;)
        if (p->edges.at[i].from == from && p->edges.at[i].to == to) return;
    vec_push(&p->edges, (Edge){from, to, t->type, is_variable(t)});
}

static void find_edges(Picture *p) {
    for (int id = 0; id < p->nterms; id++)
        for (int i = 0; p->box[id] != NO_BOX && i < p->at[id]->nargs; i++)
            add_edge(p, plain(p->at[id]->args[i]), p->box[id]);
    for (size_t i = 0; i < p->u->results.len; i++) {
        const UnitResult *r = &p->u->results.at[i];
        const char *title = p->u->results.len > 1 ? r->name : "result";
        if (r->value) add_edge(p, plain(r->value), add_box(p, (Box){.kind = BOX_RESULT, .call = -1, .title = title}));
    }
}

/* ---- labels ---- */

static bool count_of(Type t, int64_t *n) {
    int64_t size;
    *n = 1;
    for (int i = 0; i < t.rank; i++) {
        if (!dim_is_const(t.dims[i], &size)) return false;
        *n *= size;
    }
    return true;
}

/* A parameter of the layer at `path`, or of one inside of it. */
static bool is_parameter_of(const Variable *v, Name path) {
    size_t n = strlen(path);
    return v->is_param && strncmp(v->path, path, n) == 0 && v->path[n] == '.';
}

static int64_t parameters_of(const Picture *p, Name path) {
    int64_t total = 0, n;
    for (size_t i = 0; i < p->u->nvariables; i++)
        if (is_parameter_of(p->u->variables[i], path) && count_of(p->u->variables[i]->type, &n)) total += n;
    return total;
}

static const char *last_part(Name path) {
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

static const char *symbol(const Term *t) {
    static const char *const symbols[][2] = {{"add", "+"}, {"sub", "−"}, {"mul", "×"}, {"div", "÷"}, {"pow", "^"}};
    if (t->kind != T_OP) return NULL;
    for (size_t i = 0; i < COUNT(symbols); i++)
        if (strcmp(t->op, symbols[i][0]) == 0) return symbols[i][1];
    return NULL;
}

/* An expression in the words of the source; of a long one the operation that ends it, or the beginning. */
static const char *words(const Picture *p, const Term *t) {
    enum { MOST = 34 };
    if (!t->at.file) return " ";
    const char *text = source_words(p->dot->d->nnc->sources.files.at[t->at.file], p->arena, t->at);
    size_t n = 0, chars = 0;
    for (; text[n] && chars < MOST; chars++)
        for (n++; ((unsigned char)text[n] & 0xC0) == 0x80;) n++;
    if (!text[n]) return text;
    return symbol(t) ? symbol(t) : arena_printf(p->arena, "%.*s…", (int)n, text);
}

static const char *box_id(const Picture *p, int box) { return arena_printf(p->arena, "g%d_%d", p->number, box); }

static void draw_layer(const Picture *p, int box, const LayerCall *l) {
    Str label = {0};
    dot_line(&label, false, "%s", l->layer);
    dot_line(&label, true, "%s", last_part(l->path));
    for (size_t i = 0, shown = 0; i < p->u->nvariables && shown < 4; i++) {
        const Variable *v = p->u->variables[i];
        if (!is_parameter_of(v, l->path)) continue;
        dot_line(&label, true, "%s %s", v->path + strlen(l->path) + 1, driver_shape(p->dot->d, v->type));
        shown++;
    }
    if (parameters_of(p, l->path))
        dot_line(&label, true, "%s parameters", driver_grouped(p->arena, parameters_of(p, l->path)));
    dot_node(p->dot, box_id(p, box), "box", GRAPH_LAYER, label.at, l->path);
    vec_free(&label);
}

static void draw_box(const Picture *p, int box) {
    const Box *b = &p->boxes.at[box];
    const char *id = box_id(p, box), *place = "";
    Str label = {0};
    if (b->kind == BOX_LAYER) {
        draw_layer(p, box, &p->u->layers.at[p->u->calls.at[b->call].layer]);
        return;
    }
    if (b->kind == BOX_FUNCTION) {
        dot_line(&label, false, "%s", p->u->calls.at[b->call].name ? p->u->calls.at[b->call].name : "fn");
        dot_node(p->dot, id, "box", GRAPH_FUNCTION, label.at, label.at);
    } else if (b->kind == BOX_EXPRESSION) {
        place = driver_place(p->dot->d, b->term->at);
        dot_line(&label, false, "%s", words(p, b->term));
        dot_node(p->dot, id, "box", GRAPH_EXPRESSION, label.at, place);
    } else if (b->kind == BOX_VARIABLE) {
        int64_t n;
        dot_line(&label, false, "%s", last_part(b->var->path));
        dot_line(&label, true, "%s", driver_shape(p->dot->d, b->var->type));
        if (b->var->is_param && count_of(b->var->type, &n))
            dot_line(&label, true, "%s parameters", driver_grouped(p->arena, n));
        if (!b->var->is_param) dot_line(&label, true, "state");
        dot_node(p->dot, id, "box", GRAPH_PARAMETER, label.at, b->var->path);
    } else {
        dot_line(&label, false, "%s", b->title);
        dot_node(p->dot, id, "box", GRAPH_END, label.at, b->title);
    }
    vec_free(&label);
}

/* The frame that a box stands in. */
static int frame_of(const Picture *p, const Box *b) {
    bool is_call = b->kind == BOX_LAYER || b->kind == BOX_FUNCTION;
    return is_call ? p->u->calls.at[b->call].up : b->call;
}

/* The call by which a model is looked at is no frame of its own. */
static void draw_frame(Picture *p, int frame) {
    const UnitCall *c = frame >= 0 ? &p->u->calls.at[frame] : NULL;
    bool drawn = c && !(p->is_model && c->up < 0);
    Str label = {0};
    if (drawn && c->layer >= 0) {
        const LayerCall *l = &p->u->layers.at[c->layer];
        int64_t total = parameters_of(p, l->path);
        dot_line(&label, false, "%s", l->layer);
        if (strcmp(l->layer, l->path) != 0) dot_beside(&label, "%s", last_part(l->path));
        if (total) dot_beside(&label, "%s parameters", driver_grouped(p->arena, total));
    } else if (drawn)
        dot_line(&label, false, "%s", c->name ? c->name : p->u->name);
    if (drawn) dot_begin(p->dot, label.at);
    for (size_t i = p->boxes.len; i-- > 0;)
        if (frame_of(p, &p->boxes.at[i]) == frame) draw_box(p, (int)i);
    for (size_t i = 0; i < p->u->calls.len; i++)
        if (p->open[i] && p->u->calls.at[i].up == frame) draw_frame(p, (int)i);
    if (drawn) dot_end(p->dot);
    vec_free(&label);
}

/* A run gives every unit such numbers. */
static bool is_run_scalar(const UnitInput *in) {
    return in->type.rank == 0 && in->type.dtype == DT_I32 && in->gathered < 0 &&
           (strcmp(in->name, "seed") == 0 || strcmp(in->name, "tick") == 0 || strcmp(in->name, "epoch") == 0);
}

static int *numbers(Arena *a, size_t n) {
    int *list = ARENA_ARRAY(a, int, n + 1);
    for (size_t i = 0; i < n; i++) list[i] = NO_BOX;
    return list;
}

void graph_unit(Dot *dot, const Unit *u, bool is_model) {
    Picture p = {.dot = dot, .u = u, .arena = dot->d->nnc->arena, .number = dot->pictures++, .is_model = is_model};
    p.call_box = numbers(p.arena, u->calls.len);
    p.input_box = numbers(p.arena, u->inputs.len);
    p.variable_box = numbers(p.arena, u->nvariables);
    find_terms(&p);
    find_frames(&p);
    find_boxes(&p);
    for (size_t i = 0; i < u->inputs.len; i++)
        if (!is_run_scalar(&u->inputs.at[i]))
            p.input_box[i] = add_box(&p, (Box){.kind = BOX_INPUT, .call = -1, .title = u->inputs.at[i].name});
    find_edges(&p);
    draw_frame(&p, -1);
    for (size_t i = 0; i < p.edges.len; i++) {
        const Edge *e = &p.edges.at[i];
        dot_edge(dot, box_id(&p, e->from), box_id(&p, e->to), e->plain ? "" : driver_shape(dot->d, e->type));
    }
    vec_free(&p.boxes);
    vec_free(&p.edges);
}
