/* Units and kernels: a function each. The unit calls its kernels in order, a kernel once for each tile. */
#include "compiler/llvm/emit.h"

#include <stdlib.h>
#include <string.h>

/* ---- what a kernel uses ---- */

static void mark_expression(const Emit *e, Ex x, bool *used, bool *seen) {
    if (!x || seen[x]) return;
    seen[x] = true;
    const Expr *n = ir_expr(e->graph, x);
    if (n->kind == EX_FETCH) {
        used[n->fetch.buffer] = true;
        mark_expression(e, n->fetch.at.gather, used, seen);
    }
    for (int i = 0; i < 4; i++) mark_expression(e, n->arg[i], used, seen);
}

static void mark_body(const Emit *e, const LoopBody *body, bool *used, bool *seen) {
    for (size_t i = 0; i < body->len; i++) {
        const LoopStmt *s = body->at[i];
        switch (s->kind) {
        case LS_FOR: mark_body(e, &s->loop.body, used, seen); break;
        case LS_IF: mark_body(e, &s->when.then, used, seen); break;
        case LS_DECL: break;
        case LS_SORT: used[s->sort.keys] = used[s->sort.to] = used[s->sort.room] = true; break;
        case LS_AHEAD: used[s->ahead.buffer] = true; break;
        case LS_STORE:
        case LS_ACCUM:
            used[s->store.buffer] = true;
            mark_expression(e, s->store.at.gather, used, seen);
            mark_expression(e, s->store.value, used, seen);
        }
    }
}

/* ---- alias information ---- */

/* A scope for each buffer in memory; each access is told from which others it is apart. */
static void alias_metadata(Emit *e, const bool *used) {
    size_t n = e->unit->buffers.len, nscopes = 0;
    const Buffer *buffers = e->unit->buffers.at;
    LLVMContextRef c = e->l.ctx;
    LLVMMetadataRef text = LLVMMDStringInContext2(c, e->kernel->name, strlen(e->kernel->name));
    LLVMMetadataRef domain = LLVMMDNodeInContext2(c, &text, 1);
    LLVMMetadataRef *scopes = xcalloc(n, sizeof *scopes), *apart = xcalloc(n, sizeof *apart);
    for (size_t i = 0; i < n; i++) {
        if (!used[i] || buffers[i].kind != BUF_MEMORY) continue;
        char *name = arena_printf(e->unit->nnc->arena, "%s.b%zu", e->kernel->name, i);
        LLVMMetadataRef parts[] = {LLVMMDStringInContext2(c, name, strlen(name)), domain};
        scopes[i] = LLVMMDNodeInContext2(c, parts, 2);
    }
    for (size_t i = 0; i < n; i++) {
        if (!scopes[i]) continue;
        nscopes = 0;
        for (size_t j = 0; j < n; j++) {
            if (!scopes[j]) continue;
            if (loop_overlap(&buffers[i], &buffers[j]))
                e->slots[i].overlaps |= buffer_bit((int)j);
            else
                apart[nscopes++] = scopes[j];
        }
        e->slots[i].alias_scope = LLVMMetadataAsValue(c, LLVMMDNodeInContext2(c, &scopes[i], 1));
        e->slots[i].no_alias = LLVMMetadataAsValue(c, LLVMMDNodeInContext2(c, apart, nscopes));
    }
    free(scopes);
    free(apart);
}

/* ---- buffers ---- */

static void set_metadata(const L *l, V instruction, const char *kind, LLVMMetadataRef *parts, size_t n) {
    LLVMSetMetadata(instruction, LLVMGetMDKindIDInContext(l->ctx, kind, (unsigned)strlen(kind)),
                    LLVMMetadataAsValue(l->ctx, LLVMMDNodeInContext2(l->ctx, parts, n)));
}

/* bases[base] */
static V load_base(Emit *e, V bases, int base) {
    if (e->bases[base]) return e->bases[base];
    const L *l = &e->l;
    V p = l_load(l, l->ptr, l_gep(l, l->ptr, bases, l_i64(l, base)), 0);
    set_metadata(l, p, "invariant.load", NULL, 0);
    set_metadata(l, p, "nonnull", NULL, 0);
    return e->bases[base] = p;
}

/* Read-only data inside the module, one copy however many kernels read it. */
static V constant_data(Emit *e, size_t buffer) {
    if (e->constants[buffer]) return e->constants[buffer];
    const Buffer *b = &e->unit->buffers.at[buffer];
    size_t bytes = (size_t)b->elems * dtype_size(b->dtype);
    V data = LLVMConstStringInContext2(e->l.ctx, b->constant, bytes, true);
    V g = LLVMAddGlobal(e->l.module, LLVMTypeOf(data), "constant");
    LLVMSetInitializer(g, data);
    LLVMSetLinkage(g, LLVMPrivateLinkage);
    LLVMSetGlobalConstant(g, true);
    LLVMSetAlignment(g, 64);
    return e->constants[buffer] = g;
}

static void find_buffers(Emit *e, V bases) {
    size_t n = e->unit->buffers.len;
    bool *used = xcalloc(n, sizeof *used), *seen = xcalloc(e->graph->exprs.len, sizeof *seen);
    mark_body(e, &e->kernel->body, used, seen);
    memset(e->slots, 0, n * sizeof *e->slots);
    alias_metadata(e, used);
    for (size_t i = 0; i < n; i++) {
        const Buffer *b = &e->unit->buffers.at[i];
        if (!used[i] || b->kind != BUF_MEMORY) continue;
        V base = b->base < 0 ? constant_data(e, i) : load_base(e, bases, b->base);
        e->slots[i].ptr = b->base < 0 ? base : l_gep(&e->l, e->l.i8, base, l_i64(&e->l, b->offset));
        e->slots[i].lanes = 1;
    }
    free(used);
    free(seen);
}

/* ---- kernels ---- */

static void parameter_attribute(const L *l, V function, unsigned parameter, const char *name) {
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(function, parameter + 1, LLVMCreateEnumAttribute(l->ctx, kind, 0));
}

static LLVMTypeRef kernel_type(const L *l) {
    return LLVMFunctionType(l->none, (LLVMTypeRef[]){l->ptr, l->i64}, 2, false);
}

static const char *kernel_symbol(const LoopUnit *unit, const char *symbol, size_t number) {
    return arena_printf(unit->nnc->arena, "%s.%zu.%s", symbol, number, unit->kernels.at[number]->name);
}

static void emit_kernel(Emit *e, const Kernel *k, const char *symbol, bool internal) {
    const L *l = &e->l;
    V f = l_new_function(l, symbol, kernel_type(l), internal);
    parameter_attribute(l, f, 0, "nonnull");
    parameter_attribute(l, f, 0, "readonly");
    V bases = LLVMGetParam(f, 0);
    LLVMSetValueName2(bases, "bases", 5);
    LLVMSetValueName2(LLVMGetParam(f, 1), "tile", 4);
    e->kernel = k;
    size_t nvars = (size_t)MAX(k->nvars, 1);
    e->vars = xcalloc(nvars, sizeof(V));
    e->var_inside = xcalloc(nvars, sizeof(bool));
    e->bound = xcalloc(nvars, sizeof *e->bound);
    for (size_t i = 0; i < nvars; i++) e->bound[i] = 1;
    e->vars[0] = k->tiles == 1 ? l_i64(l, 0) : LLVMGetParam(f, 1);
    memset(e->bases, 0, (size_t)(BASE_FIRST_INPUT + e->unit->ninputs + e->unit->nresults) * sizeof *e->bases);
    l_at(l, LLVMAppendBasicBlockInContext(l->ctx, f, "entry"));
    find_buffers(e, bases);
    for (int s = k->scan; s; s = e->unit->scans[s].parent) {
        const LoopScan *scan = &e->unit->scans[s];
        V cell = l_gep(l, l->i8, load_base(e, bases, scan->base), l_i64(l, scan->cell));
        e->vars[scan->depth] = l_load(l, l->i64, cell, 0);
    }
    scope_open(e, false);
    emit_body(e, &k->body);
    scope_close(e);
    LLVMBuildRetVoid(l->b);
    free(e->vars);
    free(e->var_inside);
    free(e->bound);
}

/* ---- units ---- */

/* Which buffers each expression reads; operands have smaller numbers. */
static void find_reads(Emit *e) {
    for (Ex x = 1; x < e->graph->exprs.len; x++) {
        const Expr *n = ir_expr(e->graph, x);
        for (int i = 0; i < 4; i++)
            if (n->arg[i]) e->reads[x] |= e->reads[n->arg[i]];
        if (n->kind != EX_FETCH) continue;
        e->reads[x] |= buffer_bit(n->fetch.buffer);
        if (n->fetch.at.gather) e->reads[x] |= e->reads[n->fetch.at.gather];
    }
}

void emit_kernels(const L *l, const LoopUnit *unit, const char *symbol, bool internal) {
    size_t nbuffers = unit->buffers.len, nexprs = unit->graph->exprs.len;
    Emit e = {.l = *l, .unit = unit, .graph = unit->graph, .lane_var = -1, .lanes = 1};
    e.slots = xcalloc(nbuffers, sizeof *e.slots);
    e.constants = xcalloc(nbuffers, sizeof *e.constants);
    e.bases = xcalloc((size_t)(BASE_FIRST_INPUT + unit->ninputs + unit->nresults), sizeof *e.bases);
    e.reads = xcalloc(nexprs, sizeof *e.reads);
    e.memo = xcalloc(nexprs, sizeof *e.memo);
    find_reads(&e);
    for (size_t i = 0; i < unit->kernels.len; i++)
        if (unit->kernels.at[i]->tiles > 0)
            emit_kernel(&e, unit->kernels.at[i], kernel_symbol(unit, symbol, i), internal);
    free(e.slots);
    free(e.constants);
    free(e.bases);
    free(e.reads);
    free(e.memo);
    vec_free(&e.scopes);
    vec_free(&e.multiples);
}

typedef struct {
    V bases;
    const char *symbol;
} UnitValues;

/* for tile in 0..tiles: kernel(bases, tile) */
static void call_in_order(const L *l, const UnitValues *u, V kernel, int64_t tiles) {
    if (tiles == 1) {
        LLVMBuildCall2(l->b, kernel_type(l), kernel, (V[]){u->bases, l_i64(l, 0)}, 2, "");
        return;
    }
    LLVMBasicBlockRef before = l_here(l), loop = l_block(l, "tiles"), after = l_block(l, "tiles.end");
    LLVMBuildBr(l->b, loop);
    l_at(l, loop);
    V tile = LLVMBuildPhi(l->b, l->i64, "tile");
    LLVMBuildCall2(l->b, kernel_type(l), kernel, (V[]){u->bases, tile}, 2, "");
    V next = LLVMBuildNSWAdd(l->b, tile, l_i64(l, 1), "");
    LLVMAddIncoming(tile, (V[]){l_i64(l, 0), next}, (LLVMBasicBlockRef[]){before, loop}, 2);
    LLVMBuildCondBr(l->b, LLVMBuildICmp(l->b, LLVMIntSLT, next, l_i64(l, tiles), ""), loop, after);
    l_at(l, after);
}

static void call_kernel(const L *l, const LoopUnit *unit, const UnitValues *u, size_t number) {
    const char *name = kernel_symbol(unit, u->symbol, number);
    if (!unit->kernels.at[number]->tiles) return;
    call_in_order(l, u, LLVMGetNamedFunction(l->module, name), unit->kernels.at[number]->tiles);
}

static void call_kernels(const L *l, const LoopUnit *unit, const UnitValues *u, int scope, size_t from, size_t to);

/* Whether element 0 of a bool buffer is true. */
static V test(const L *l, const UnitValues *u, const Buffer *b) {
    V base = l_load(l, l->ptr, l_gep(l, l->ptr, u->bases, l_i64(l, b->base)), 0);
    V truth = l_load(l, l->i8, l_gep(l, l->i8, base, l_i64(l, b->offset)), 0);
    return LLVMBuildICmp(l->b, LLVMIntNE, truth, LLVMConstInt(l->i8, 0, false), "");
}

/* A loop that leaves the number of the iteration in its cell. */
static void call_loop(const L *l, const LoopUnit *unit, const UnitValues *u, int number) {
    const LoopScan *s = &unit->scans[number];
    if (s->extent == 0) return;
    LLVMBasicBlockRef before = l_here(l), loop = l_block(l, "loop"), after = l_block(l, "loop.end");
    LLVMBuildBr(l->b, loop);
    l_at(l, loop);
    V i = LLVMBuildPhi(l->b, l->i64, "iteration");
    V shown = s->reverse ? LLVMBuildNSWSub(l->b, l_i64(l, s->extent - 1), i, "") : i;
    V base = l_load(l, l->ptr, l_gep(l, l->ptr, u->bases, l_i64(l, s->base)), 0);
    LLVMBuildStore(l->b, shown, l_gep(l, l->i8, base, l_i64(l, s->cell)));
    call_kernels(l, unit, u, number, s->from, s->body);
    if (s->cond >= 0) {
        LLVMBasicBlockRef body = l_block(l, "loop.body");
        LLVMBuildCondBr(l->b, test(l, u, &unit->buffers.at[s->cond]), body, after);
        l_at(l, body);
    }
    call_kernels(l, unit, u, number, s->body, s->to);
    V next = LLVMBuildAdd(l->b, i, l_i64(l, 1), "");
    LLVMAddIncoming(i, (V[]){l_i64(l, 0), next}, (LLVMBasicBlockRef[]){before, l_here(l)}, 2);
    if (s->cond >= 0)
        LLVMBuildBr(l->b, loop);
    else
        LLVMBuildCondBr(l->b, LLVMBuildICmp(l->b, LLVMIntSLT, next, l_i64(l, s->extent), ""), loop, after);
    l_at(l, after);
}

/* Kernels from .. to-1, which run in `scope` and the loops inside it. */
static void call_kernels(const L *l, const LoopUnit *unit, const UnitValues *u, int scope, size_t from, size_t to) {
    for (size_t k = from; k < to; k++) {
        int inner = loop_scan_below(unit, unit->kernels.at[k], scope);
        if (!inner) {
            call_kernel(l, unit, u, k);
            continue;
        }
        call_loop(l, unit, u, inner);
        k = unit->scans[inner].to - 1;
    }
}

V emit_unit(const L *l, const LoopUnit *unit, const char *symbol, bool internal) {
    V f = l_new_function(l, symbol, LLVMFunctionType(l->none, (LLVMTypeRef[]){l->ptr}, 1, false), internal);
    UnitValues u = {LLVMGetParam(f, 0), symbol};
    l_at(l, LLVMAppendBasicBlockInContext(l->ctx, f, "entry"));
    call_kernels(l, unit, &u, 0, 0, unit->kernels.len);
    LLVMBuildRetVoid(l->b);
    return f;
}
