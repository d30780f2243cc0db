/* Scans: loops in the compiled code that carry values and stack what they yield. The body is expanded once, over terms
 * that stand for the number of the iteration and for what is carried. */
#include "lang/loop.h"

#include <string.h>

/* ---- range ---- */

typedef struct {
    Dim lo, extent;
    int64_t step;
} Range;

static bool scan_bound(Checker *c, Scope *s, Ast *e, Dim missing, Dim *out) {
    *out = missing;
    if (!e) return true;
    Value v = eval_expr(c, s, e);
    *out = value_is_number(v) ? value_size(c, v) : NULL;
    if (*out) return true;
    if (v.kind != V_POISON) err(c, e->at, bad_bound, value_text(c, v));
    return false;
}

static bool scan_range(Checker *c, Scope *s, Ast *range, Range *r) {
    if (range->kind != AST_RANGE || !range->range.hi) {
        err(c, range->at, scan_range, source_text(c, range->at));
        return false;
    }
    Dim hi, step, zero = dim_number(c->dims, 0);
    if (!scan_bound(c, s, range->range.lo, zero, &r->lo) || !scan_bound(c, s, range->range.hi, NULL, &hi) ||
        !scan_bound(c, s, range->range.step, dim_number(c->dims, 1), &step))
        return false;
    if (!dim_is_const(step, &r->step) || r->step < 1) {
        err(c, range->range.step->at, bad_step, dim_text(c, step));
        return false;
    }
    Dim length = dim_add(c->dims, dim_sub(c->dims, hi, r->lo), dim_number(c->dims, r->step - 1));
    r->extent = dim_div(c->dims, length, step);
    int64_t n;
    if (dim_is_const(r->extent, &n) && n < 0) r->extent = zero;
    return true;
}

static Term *dim_term(Checker *c, Dim d, Span at) {
    int64_t n;
    return term_number(c, dim_is_const(d, &n) ? (double)n : 0, DT_I32, at); /* sizes are numbers in what is compiled */
}

/* lo + step * iteration */
static Term *index_of(Checker *c, const Range *r, Term *iteration, Span at) {
    int64_t lo;
    Term *t = iteration;
    if (r->step != 1) t = term_binary(c, "mul", t, term_number(c, (double)r->step, DT_I32, at), at);
    if (dim_is_const(r->lo, &lo) && lo == 0) return t;
    return term_binary(c, "add", t, dim_term(c, r->lo, at), at);
}

/* Of a while it is not known how many numbers it takes: the golden section of all of them keeps them apart. */
Term *scan_tick(Checker *c, Term *tick, Span at) {
    for (const ScanContext *s = c->scan; s && tick; s = s->up) {
        Term *room = s->extent ? dim_term(c, s->extent, at) : term_number(c, (double)(int32_t)0x9E3779B1, DT_I32, at);
        tick = term_binary(c, "add", term_binary(c, "mul", tick, room, at), s->iteration, at);
    }
    return tick;
}

/* ---- loops of both kinds ---- */

void loop_begin(Checker *c, ScanContext *loop, Scope *s, Span at) {
    UnitState *u = c->unit;
    loop->up = c->scan;
    loop->frame = c->frame;
    loop->unit = u;
    loop->scope = scope_new(c, s);
    loop->first_term = c->terms;
    loop->iteration = term_new(c, T_ITERATION, type_scalar(DT_I32), at, 0, NULL);
    c->scan = loop;
    loop->iteration->site = (uint32_t)(u ? (int)u->loops.len : CHECK_TOP_LOOPS + c->top_loops++);
    if (u) arena_push(c, &u->loops, NULL);
}

void loop_end(Checker *c, ScanContext *loop, Term *t) {
    c->scan = loop->up;
    if (!t) return;
    t->site = loop->iteration->site;
    if (!c->unit) return;
    c->unit->loops.at[t->site] = t;
    for (size_t i = 0; i < loop->grads.len; i++) {
        InnerGrad g = loop->grads.at[i];
        if (g.x->id >= loop->first_term) continue; /* another one in each iteration */
        if (grad_carried(c, g.e, g.x, t)) {
            Diag *d = err(c, g.at, grad_carried);
            diag_label(c->nnc, d, t->at, "the loop");
            diag_help(c->nnc, d, "stop(...) around what the loop carries takes it as a constant");
        } else if (c->scan) {
            arena_push(c, &c->scan->grads, g);
        }
    }
}

Term *loop_carry(Checker *c, ScanContext *loop, Name name, Type type, Span at) {
    Term *t = term_new(c, T_CARRY, type, at, 0, NULL);
    t->site = loop->iteration->site;
    t->slot = loop->ncarry++;
    t->name = name;
    return t;
}

Term *loop_result(Checker *c, Term *loop, int index, Type type) {
    Term *t = term_new(c, T_RESULT, type, loop->at, 1, &loop);
    t->slot = index;
    return t;
}

/* ---- what a body may do ---- */

bool scan_assigns(Checker *c, Scope *s, const Binding *b, AstName name) {
    if (!c->scan) return true;
    if (b->var) { /* a while carries it */
        bool scans = false;
        for (const ScanContext *l = c->scan; l; l = l->up) scans = scans || l->extent;
        if (scans) err(c, name.at, scan_state, name.name);
        return !scans;
    }
    if (c->scan->frame != c->frame) return true;
    for (const Scope *in = s; in; in = in == c->scan->scope ? NULL : in->up)
        if (in->names.len && b >= in->names.at && b < in->names.at + in->names.len) return true;
    diag_help(c->nnc, err(c, name.at, scan_assign, name.name), "carry it: 'with %s = ...'", name.name);
    return false;
}

Flow exec_yield(Checker *c, Scope *s, Ast *a) {
    ScanContext *scan = c->scan;
    Value v = eval_expr(c, s, a->value);
    if (scan->yields.len) {
        diag_help(c->nnc, err(c, a->at, scan_yield), "yield (a, b) stacks two values");
        return FLOW_NEXT;
    }
    scan->tuple = v.kind == V_TUPLE || v.kind == V_LIST;
    for (int i = 0; i < (scan->tuple ? v.list.len : 1); i++) {
        Term *t = value_to_term(c, scan->tuple ? v.list.at[i] : v, NULL, a->value->at);
        arena_push(c, &scan->yields, t);
    }
    return FLOW_NEXT;
}

/* ---- carries ---- */

/* The first value of a carry; a number is one of the float type. */
static Term *first_value(Checker *c, Scope *s, const AstField *f) {
    Value v = eval_expr(c, s, f->value);
    Term *t = value_to_term(c, v, NULL, f->value->at);
    return t && value_is_number(v) ? term_to_float(c, t, f->value->at) : t;
}

Term *loop_next(Checker *c, Value v, const Term *carry, Span at) {
    Term *t = value_to_term(c, v, carry, at);
    if (!t) return NULL;
    int rank, bad;
    const Dim *dims;
    Type type = carry->type;
    bool fits = dims_broadcast(c, type, t->type, &rank, &dims, &bad) && rank == type.rank;
    for (int i = 0; fits && i < rank; i++) fits = !dim_differs(c->dims, dims[i], type.dims[i]);
    if (!fits || dtype_join(c, type.dtype, t->type.dtype) != type.dtype) {
        Diag *d = err(c, at, scan_carry, carry->name, type_text(c, type), type_text(c, t->type));
        if (fits && !dtype_is_float(type.dtype)) diag_help(c->nnc, d, "int(...) makes an integer of it");
        return NULL;
    }
    return term_broadcast(c, term_cast(c, t, type.dtype, at), rank, type.dims, at);
}

/* ---- the expression ---- */

/* args: first values, carries' own terms, next values, yields. False where any is not known. */
static bool make_body(Checker *c, Ast *e, ScanContext *scan, const Range *r, Term **first, Term **next) {
    const AstFields *carries = &e->scan.carries;
    scope_define(c, scan->scope, e->scan.var.name, value_term(index_of(c, r, scan->iteration, e->scan.var.at)),
                 e->scan.var.at);
    bool known = true;
    for (int i = 0; i < carries->len; i++) {
        const AstName *name = &carries->at[i].name;
        Term *t = first[i] ? loop_carry(c, scan, name->name, first[i]->type, name->at) : NULL;
        known = known && t;
        next[i] = t;
        scope_define(c, scan->scope, name->name, grad_mark(c, name->name, value_term(t), name->at), name->at);
    }
    exec_block(c, scan->scope, e->scan.body);
    for (int i = 0; i < carries->len; i++) {
        const AstName *name = &carries->at[i].name;
        const Binding *b = scope_binding(scan->scope, name->name);
        next[i] = next[i] ? loop_next(c, b->value, next[i], name->at) : NULL;
        known = known && next[i];
    }
    for (size_t i = 0; i < scan->yields.len; i++) known = known && scan->yields.at[i];
    return known;
}

static Type stacked(Checker *c, Dim extent, Type t) {
    Dim *dims = ARENA_ARRAY(check_arena(c), Dim, t.rank + 1);
    dims[0] = extent;
    for (int d = 0; d < t.rank; d++) dims[d + 1] = t.dims[d];
    return type_of(c, t.dtype, t.rank + 1, dims);
}

/* Binds the carried names to their last values and gives what was yielded. */
static Value results(Checker *c, Scope *s, Ast *e, const ScanContext *scan, Term *t) {
    int ncarry = e->scan.carries.len, nyield = (int)scan->yields.len;
    for (int i = 0; i < ncarry; i++) {
        const AstName *name = &e->scan.carries.at[i].name;
        Term *last = loop_result(c, t, i, t->args[i]->type);
        last->name = name->name;
        scope_define(c, s, name->name, grad_mark(c, name->name, value_term(last), name->at), name->at);
    }
    Value *items = ARENA_ARRAY(check_arena(c), Value, nyield + 1);
    for (int i = 0; i < nyield; i++)
        items[i] = value_term(loop_result(c, t, ncarry + i, stacked(c, scan->extent, scan->yields.at[i]->type)));
    if (nyield == 1 && !scan->tuple) return items[0];
    Value v = value_list(c, V_TUPLE, NULL, 0);
    v.list.at = items;
    v.list.len = nyield;
    return v;
}

static Value unknown(Checker *c, Scope *s, Ast *e) {
    for (int i = 0; i < e->scan.carries.len; i++)
        scope_define(c, s, e->scan.carries.at[i].name.name, value_poison(), e->scan.carries.at[i].name.at);
    return value_poison();
}

Value eval_scan(Checker *c, Scope *s, Ast *e) {
    Range r;
    int ncarry = e->scan.carries.len;
    Term **args = ARENA_ARRAY(check_arena(c), Term *, 2 * ncarry + 1);
    for (int i = 0; i < ncarry; i++) args[i] = first_value(c, s, &e->scan.carries.at[i]);
    if (!scan_range(c, s, e->scan.range, &r)) return unknown(c, s, e);
    ScanContext scan = {.extent = r.extent};
    loop_begin(c, &scan, s, e->scan.var.at);
    if (!make_body(c, e, &scan, &r, args, args + ncarry)) {
        loop_end(c, &scan, NULL);
        return unknown(c, s, e);
    }
    int nyield = (int)scan.yields.len;
    Term **all = ARENA_ARRAY(check_arena(c), Term *, 2 * ncarry + nyield + 1);
    if (ncarry) memcpy(all, args, sizeof(Term *) * 2 * (size_t)ncarry);
    if (nyield) memcpy(all + 2 * ncarry, scan.yields.at, sizeof(Term *) * (size_t)nyield);
    Term *t = term_new(c, T_SCAN, type_scalar(type_float(c)), e->at, 2 * ncarry + nyield, all);
    t->slot = ncarry;
    t->begin = arena_copy(check_arena(c), &r.extent, sizeof r.extent);
    loop_end(c, &scan, t);
    return results(c, s, e, &scan, t);
}
