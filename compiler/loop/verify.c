/* What holds of every loop nest. Places are shown to stay inside their buffers by ranges: each condition known around a
 * place (the limit of a loop, a guard) makes its expression one new variable of known range, by which one of its own
 * variables is replaced; where that shows nothing, for each value of a variable by itself. */
#include "compiler/loop/loop.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const LoopUnit *u;
    const Kernel *k;
    bool *bound;     /* per variable: inside its loop */
    ForMode *mode;   /* per variable */
    int vector;      /* the lane variable, or -1 */
    bool *declared;  /* per buffer */
    VEC(Cond) known; /* conditions that hold here */
    int guarded;     /* how many of them the program's own guards made */
} Verify;

#define fault(v, ...) bug_in(v, __VA_ARGS__)
static _Noreturn void bug_in(const Verify *v, const char *what, int buffer) {
    loop_print(v->u, stderr);
    bug("kernel '%s': %s (buffer %d)", v->k->name, what, buffer);
}

/* ---- index expressions ---- */

static void check_scope(const Verify *v, const Aff *a, int buffer) {
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *x = &a->terms[i];
        if (x->kind != ATOM_VAR)
            check_scope(v, x->of, buffer);
        else if (x->var >= v->k->nvars || !v->bound[x->var])
            fault(v, "an index uses a variable outside its loop", buffer);
    }
}

static bool inside(const Aff *a, const int64_t *extents, int n, int64_t elems) {
    int64_t lo, hi;
    return aff_range(a, extents, n, &lo, &hi) && lo >= 0 && hi < elems;
}

static int64_t ceil_quotient(int64_t a, int64_t b) { return a / b + (a % b > 0); }

static int64_t common_factor(const Aff *a) {
    int64_t g = 0;
    for (int i = 0; i < a->nterms; i++)
        for (int64_t b = a->terms[i].coef < 0 ? -a->terms[i].coef : a->terms[i].coef, t; b; t = g % b, g = b, b = t) {
        }
    return g;
}

/* What the condition says of the variables that `a` uses: the others take any value, a common factor goes. */
static bool relax(AffTable *t, Cond *c, const Aff *a, const int64_t *extents, int n) {
    int64_t lo, hi;
    if (!aff_range(c->aff, extents, n, &lo, &hi)) return false;
    c->lo = MAX(lo, c->lo);
    c->hi = MIN(hi + 1, c->hi);
    const Aff *kept = aff_const(t, 0);
    for (int i = 0; i < c->aff->nterms; i++) {
        const AffTerm *x = &c->aff->terms[i];
        const Aff *term = x->kind == ATOM_VAR ? aff_scale(t, aff_var(t, x->var), x->coef) : NULL;
        if (!term) return true;
        if (aff_uses(a, x->var)) {
            kept = aff_add(t, kept, term);
            continue;
        }
        if (!aff_range(term, extents, n, &lo, &hi)) return false;
        c->lo -= hi;
        c->hi -= lo;
    }
    int64_t g = common_factor(kept);
    if (!g) return false;
    c->lo = ceil_quotient(c->lo - c->aff->constant, g);
    c->hi = ceil_quotient(c->hi - c->aff->constant, g);
    const Aff *reduced = aff_const(t, 0);
    for (int i = 0; i < kept->nterms; i++)
        reduced = aff_add(t, reduced, aff_scale(t, aff_var(t, kept->terms[i].var), kept->terms[i].coef / g));
    c->aff = reduced;
    return true;
}

/* `a` with one variable of the condition c replaced by what the condition says of it: with s*v + rest = z + lo,
 * v is s*(z + lo - rest), where 0 <= z < *extent. NULL where no variable has coefficient 1 or -1. */
static const Aff *apply(AffTable *t, const Aff *a, Cond known, const int64_t *extents, int n, int64_t *extent) {
    const Cond *c = &known;
    if (!relax(t, &known, a, extents, n)) return NULL;
    for (int i = c->aff->nterms - 1; i >= 0; i--) {
        const AffTerm *x = &c->aff->terms[i];
        if (x->kind != ATOM_VAR || (x->coef != 1 && x->coef != -1) || !aff_uses(a, x->var)) continue;
        const Aff *rest = aff_sub(t, c->aff, aff_scale(t, aff_var(t, x->var), x->coef));
        const Aff *value = aff_sub(t, aff_add(t, aff_var(t, n), aff_const(t, c->lo)), rest);
        const Aff **map = xcalloc((size_t)n + 1, sizeof *map);
        map[x->var] = aff_scale(t, value, x->coef);
        a = aff_subst(t, a, map, n);
        free(map);
        *extent = MAX(c->hi - c->lo, 1);
        return a;
    }
    return NULL;
}

/* What is to be shown: that `place` is in 0 .. elems-1 for all values of `n` variables that meet the conditions. */
typedef struct {
    const Aff *place;
    int64_t elems;
    Cond *known;
    size_t nknown;
    int64_t *extents;
    int n;
    bool atoms; /* the variables from the kernel's on are quotients and remainders */
} Claim;

static Claim claim_copy(const Claim *c, int more) {
    Claim to = *c;
    to.known = xcalloc(c->nknown + 1, sizeof *to.known);
    to.extents = xcalloc((size_t)(c->n + more) + 1, sizeof *to.extents);
    if (c->nknown) memcpy(to.known, c->known, sizeof *to.known * c->nknown);
    memcpy(to.extents, c->extents, sizeof *to.extents * (size_t)c->n);
    return to;
}

static void claim_free(Claim *c) {
    free(c->known);
    free(c->extents);
}

/* By ranges and the first so many conditions. */
static bool shown_by(AffTable *t, const Claim *claim, size_t conditions) {
    Claim c = claim_copy(claim, (int)claim->nknown);
    bool fine = inside(c.place, c.extents, c.n, c.elems);
    for (size_t i = conditions; i-- > 0 && !fine;) {
        int64_t extent;
        const Aff *b = apply(t, c.place, c.known[i], c.extents, c.n, &extent);
        if (!b) continue;
        c.extents[c.n] = extent;
        c.place = aff_simplify(t, b, c.extents, ++c.n);
        fine = inside(c.place, c.extents, c.n, c.elems);
    }
    claim_free(&c);
    return fine;
}

/* Conditions that have nothing to do with the place may be in the way: those inside then go. */
static bool shown(AffTable *t, const Claim *claim) {
    for (size_t n = claim->nknown + 1; n-- > 0;)
        if (shown_by(t, claim, n)) return true;
    return false;
}

static bool impossible(const Claim *c) {
    int64_t lo, hi;
    for (size_t i = 0; i < c->nknown; i++)
        if (aff_range(c->known[i].aff, c->extents, c->n, &lo, &hi) && (hi < c->known[i].lo || lo >= c->known[i].hi))
            return true;
    return false;
}

/* Quotients and remainders as variables of their own, so that conditions on them can be used; what they have to do with
 * each other is lost. */
typedef struct {
    VEC(AffTerm) list;
    VEC(int64_t) extents;
} Atoms;

static const Aff *without_atoms(AffTable *t, Atoms *m, const Claim *c, const Aff *a) {
    const Aff *sum = aff_const(t, a->constant);
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *x = &a->terms[i];
        size_t k = 0;
        while (x->kind != ATOM_VAR && k < m->list.len &&
               (m->list.at[k].kind != x->kind || m->list.at[k].of != x->of || m->list.at[k].by != x->by))
            k++;
        if (x->kind != ATOM_VAR && k == m->list.len) {
            int64_t lo = 0, hi = x->by - 1;
            if (x->kind == ATOM_DIV) hi = aff_range(x->of, c->extents, c->n, &lo, &hi) && lo >= 0 ? hi / x->by : -1;
            vec_push(&m->list, *x);
            vec_push(&m->extents, hi + 1); /* 0: no bound */
        }
        int var = x->kind == ATOM_VAR ? x->var : c->n + (int)k;
        sum = aff_add(t, sum, aff_scale(t, aff_var(t, var), x->coef));
    }
    return sum;
}

static Claim claim_of_atoms(AffTable *t, const Claim *claim) {
    Atoms m = {0};
    const Aff *place = without_atoms(t, &m, claim, claim->place);
    for (size_t i = 0; i < claim->nknown; i++) without_atoms(t, &m, claim, claim->known[i].aff);
    Claim c = claim_copy(claim, (int)m.list.len);
    for (size_t i = 0; i < c.nknown; i++) c.known[i].aff = without_atoms(t, &m, claim, claim->known[i].aff);
    for (size_t i = 0; i < m.list.len; i++) c.extents[c.n++] = m.extents.at[i];
    c.place = place;
    c.atoms = true;
    vec_free(&m.list);
    vec_free(&m.extents);
    return c;
}

/* Where a condition is about the remainder of a variable: the claim with by*q + r for it. False where none is. */
static bool claim_of_parts(AffTable *t, const Claim *claim, Claim *c) {
    const AffTerm *x = NULL;
    int var = -1;
    for (size_t i = 0; i < claim->nknown && var < 0; i++)
        for (int k = 0; k < claim->known[i].aff->nterms && var < 0; k++) {
            x = &claim->known[i].aff->terms[k];
            if (x->kind != ATOM_MOD || !aff_is_var(x->of, &var) || var >= claim->n) var = -1;
        }
    if (var < 0) return false;
    *c = claim_copy(claim, 2);
    const Aff **map = xcalloc((size_t)c->n + 1, sizeof *map);
    map[var] = aff_add(t, aff_scale(t, aff_var(t, c->n), x->by), aff_var(t, c->n + 1));
    c->extents[c->n] = (c->extents[var] + x->by - 1) / x->by;
    c->extents[c->n + 1] = x->by;
    c->n += 2;
    c->place = aff_simplify(t, aff_subst(t, c->place, map, claim->n), c->extents, c->n);
    for (size_t i = 0; i < c->nknown; i++)
        c->known[i].aff = aff_simplify(t, aff_subst(t, c->known[i].aff, map, claim->n), c->extents, c->n);
    free(map);
    return true;
}

/* The variable of fewest values that both the place and a condition depend on; -1 where none has few. */
static int case_variable(const Claim *c) {
    enum { FEW = 16 };
    int best = -1;
    for (int v = 0; v < c->n; v++) {
        if (c->extents[v] < 2 || c->extents[v] > FEW || !aff_uses(c->place, v)) continue;
        bool known = false;
        for (size_t i = 0; i < c->nknown; i++) known = known || aff_uses(c->known[i].aff, v);
        if (known && (best < 0 || c->extents[v] < c->extents[best])) best = v;
    }
    return best;
}

/* By ranges, else case by case: which values of one variable a condition leaves may depend on another's. */
static bool shown_by_cases(AffTable *t, const Claim *claim, int *effort) {
    if (--*effort < 0) return false;
    if (shown(t, claim) || impossible(claim)) return true;
    Claim parts;
    if (!claim->atoms && claim_of_parts(t, claim, &parts)) {
        bool fine = shown_by_cases(t, &parts, effort);
        claim_free(&parts);
        if (fine) return true;
    }
    if (!claim->atoms) {
        Claim c = claim_of_atoms(t, claim);
        bool fine = c.n > claim->n && shown_by_cases(t, &c, effort);
        claim_free(&c);
        if (fine) return true;
    }
    int var = case_variable(claim);
    bool fine = var >= 0;
    for (int64_t value = 0; fine && value < claim->extents[var]; value++) {
        Claim c = claim_copy(claim, 0);
        const Aff **map = xcalloc((size_t)c.n + 1, sizeof *map);
        map[var] = aff_const(t, value);
        c.place = aff_subst(t, c.place, map, c.n);
        for (size_t i = 0; i < c.nknown; i++) c.known[i].aff = aff_subst(t, c.known[i].aff, map, c.n);
        fine = shown_by_cases(t, &c, effort);
        free(map);
        claim_free(&c);
    }
    return fine;
}

static void check_inside(const Verify *v, const Aff *a, int buffer) {
    int effort = 1000;
    Claim c = {a, v->u->buffers.at[buffer].elems, v->known.at, v->known.len, v->k->extents, v->k->nvars, false};
    if (v->guarded || inside(a, c.extents, c.n, c.elems)) return;
    if (!shown_by_cases(v->u->graph->affs, &c, &effort)) fault(v, "a place can leave its buffer", buffer);
}

static void check_register(const Verify *v, const Aff *a, int buffer) {
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *x = &a->terms[i];
        bool lane = x->kind == ATOM_VAR && x->var == v->vector && x->coef == 1;
        bool expanded = x->kind == ATOM_VAR && v->mode[x->var] == FOR_UNROLL;
        if (!lane && !expanded) fault(v, "the index of a register is not constant", buffer);
    }
}

static void check_place(const Verify *v, int buffer, const Place *at) {
    if (buffer < 0 || buffer >= (int)v->u->buffers.len) fault(v, "no such buffer", buffer);
    const Buffer *b = &v->u->buffers.at[buffer];
    check_scope(v, at->aff, buffer);
    if (b->kind != BUF_MEMORY && !v->declared[buffer]) fault(v, "a local is used outside its scope", buffer);
    if (b->kind == BUF_REG) check_register(v, at->aff, buffer);
    if (b->kind == BUF_REG && at->gather) fault(v, "the index of a register is not constant", buffer);
    if (!at->gather) check_inside(v, at->aff, buffer);
}

/* ---- expressions ---- */

static void check_expr(Verify *v, Ex e, bool *seen) {
    const Graph *g = v->u->graph;
    const Expr *x = ir_expr(g, e);
    if (x->kind == EX_GUARD) { /* what is below may rely on the conditions: its own walk */
        for (int i = 0; i < x->guard.n; i++) {
            check_scope(v, x->guard.at[i].aff, -1);
            vec_push(&v->known, x->guard.at[i]);
        }
        v->guarded++;
        bool *below = xcalloc(g->exprs.len, sizeof *below);
        check_expr(v, x->arg[0], below);
        free(below);
        v->guarded--;
        v->known.len -= (size_t)x->guard.n;
        v->guarded++; /* the other side relies on one of them not to hold */
        below = xcalloc(g->exprs.len, sizeof *below);
        check_expr(v, x->arg[1], below);
        free(below);
        v->guarded--;
        return;
    }
    if (seen[e]) return;
    seen[e] = true;
    if (x->kind == EX_LOAD) fault(v, "a load of a node", -1);
    if (x->kind == EX_INDEX) check_scope(v, x->index, -1);
    if (x->kind == EX_FETCH) {
        if (x->dtype != v->u->buffers.at[x->fetch.buffer].dtype) fault(v, "a fetch of another type", x->fetch.buffer);
        check_place(v, x->fetch.buffer, &x->fetch.at);
        if (x->fetch.at.gather) check_expr(v, x->fetch.at.gather, seen);
        return;
    }
    for (int i = 0; i < 4; i++)
        if (x->arg[i]) check_expr(v, x->arg[i], seen);
}

/* ---- statements ---- */

static void check_body(Verify *v, const LoopBody *body);

static void check_loop(Verify *v, const LoopStmt *s) {
    int var = s->loop.var;
    bool vector = s->loop.mode == FOR_VECTOR;
    if (var <= 0 || var >= v->k->nvars || v->bound[var]) fault(v, "a loop over a variable that is in use", -1);
    if (v->k->extents[var] != s->loop.count) fault(v, "a loop with two extents", -1);
    if (s->loop.limit) check_scope(v, s->loop.limit, -1);
    if (s->loop.limit && v->vector >= 0 && aff_uses(s->loop.limit, v->vector)) fault(v, "a limit by lanes", -1);
    if (s->loop.from) check_scope(v, s->loop.from, -1);
    if (s->loop.from && (s->loop.mode != FOR_SERIAL || v->vector >= 0)) fault(v, "a beginning of lanes", -1);
    if (vector && v->vector >= 0) fault(v, "a vector loop inside another one", -1);
    if (vector && s->loop.width < 2) fault(v, "a vector loop without lanes", -1);
    v->bound[var] = true;
    v->mode[var] = s->loop.mode;
    if (vector) v->vector = var;
    if (s->loop.limit) /* var - limit < 0 */
        vec_push(&v->known,
                 (Cond){aff_sub(v->u->graph->affs, aff_var(v->u->graph->affs, var), s->loop.limit), INT64_MIN, 0});
    check_body(v, &s->loop.body);
    if (s->loop.limit) v->known.len--;
    if (vector) v->vector = -1;
    v->bound[var] = false;
}

static void check_store(Verify *v, const LoopStmt *s) {
    int buffer = s->store.buffer;
    bool *seen = xcalloc(v->u->graph->exprs.len, sizeof *seen);
    check_place(v, buffer, &s->store.at);
    if (v->u->buffers.at[buffer].constant) fault(v, "a store into a constant", buffer);
    if (ir_expr(v->u->graph, s->store.value)->dtype != v->u->buffers.at[buffer].dtype)
        fault(v, "a store of another type", buffer);
    if (s->kind == LS_ACCUM && (s->store.combine < RED_SUM || s->store.combine > RED_MIN))
        fault(v, "an accumulation of another kind", buffer);
    check_expr(v, s->store.value, seen);
    if (s->store.at.gather) check_expr(v, s->store.at.gather, seen);
    free(seen);
}

static void check_list(const Verify *v, int buffer, const Aff *at, int64_t n) {
    check_place(v, buffer, &(Place){at, 0});
    check_place(v, buffer, &(Place){aff_add(v->u->graph->affs, at, aff_const(v->u->graph->affs, n - 1)), 0});
}

static void check_sort(const Verify *v, const LoopStmt *s) {
    const Buffer *b = v->u->buffers.at;
    if (v->vector >= 0) fault(v, "a sort inside a vector loop", s->sort.to);
    if (s->sort.k < 1 || s->sort.k > s->sort.n) fault(v, "a sort of another length", s->sort.to);
    check_list(v, s->sort.keys, s->sort.keys_at, s->sort.n);
    check_list(v, s->sort.to, s->sort.to_at, s->sort.k);
    check_list(v, s->sort.room, s->sort.room_at, loop_sort_room(b[s->sort.keys].dtype, s->sort.n));
    if (b[s->sort.to].dtype != DT_I32 || b[s->sort.room].dtype != DT_I64)
        fault(v, "a sort into another type", s->sort.to);
    if (b[s->sort.to].constant || b[s->sort.room].constant) fault(v, "a sort into a constant", s->sort.to);
}

static void check_body(Verify *v, const LoopBody *body) {
    for (size_t i = 0; i < body->len; i++) {
        const LoopStmt *s = body->at[i];
        switch (s->kind) {
        case LS_FOR: check_loop(v, s); break;
        case LS_IF:
            for (int c = 0; c < s->when.n; c++) {
                check_scope(v, s->when.conds[c].aff, -1);
                vec_push(&v->known, s->when.conds[c]);
            }
            check_body(v, &s->when.then);
            v->known.len -= (size_t)s->when.n;
            break;
        case LS_DECL:
            if (v->u->buffers.at[s->decl].kind == BUF_MEMORY || v->declared[s->decl])
                fault(v, "a declaration of memory, or a second one", s->decl);
            v->declared[s->decl] = true;
            break;
        case LS_SORT: check_sort(v, s); break;
        case LS_AHEAD:
            if (v->vector >= 0) fault(v, "a fetch ahead inside a vector loop", s->ahead.buffer);
            check_place(v, s->ahead.buffer, &(Place){s->ahead.at, 0});
            break;
        case LS_ACCUM:
        case LS_STORE: check_store(v, s);
        }
    }
    for (size_t i = 0; i < body->len; i++)
        if (body->at[i]->kind == LS_DECL) v->declared[body->at[i]->decl] = false;
}

static void check_scan(const LoopUnit *u, const LoopScan *s) {
    if (s->from > s->body || s->body > s->to) bug("a loop's kernels are in no order");
    if (s->cond < 0 && s->body > s->from) bug("kernels of a scan wait for a condition");
    const Buffer *b = s->cond < 0 ? NULL : &u->buffers.at[s->cond];
    if (b && (b->kind != BUF_MEMORY || b->constant || b->dtype != DT_BOOL || b->elems != 1))
        bug("buffer %d is no condition of a while", s->cond);
}

void loop_verify(const LoopUnit *u) {
    for (int s = 1; s <= u->nscans; s++) check_scan(u, &u->scans[s]);
    for (size_t k = 0; k < u->kernels.len; k++) {
        Verify v = {.u = u, .k = u->kernels.at[k], .vector = -1};
        v.bound = xcalloc((size_t)v.k->nvars, sizeof *v.bound);
        v.mode = xcalloc((size_t)v.k->nvars, sizeof *v.mode);
        v.declared = xcalloc(u->buffers.len, sizeof *v.declared);
        v.bound[0] = true;
        for (int s = v.k->scan; s; s = u->scans[s].parent) v.bound[u->scans[s].depth] = true;
        check_body(&v, &v.k->body);
        vec_free(&v.known);
        free(v.bound);
        free(v.mode);
        free(v.declared);
    }
}
