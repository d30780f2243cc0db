/* Loads and stores. Over the lanes a place is contiguous (a vector access), the same for all (a scalar and a splat), or
 * anything else (an access a lane). Inactive lanes touch nothing that does not exist: contiguous accesses are masked,
 * the others go to the buffer's first element instead. */
#include "compiler/llvm/emit.h"

#include <string.h>

static const Buffer *buffer_of(const Emit *e, int buffer) { return &e->unit->buffers.at[buffer]; }

static Slot *slot_of(Emit *e, int buffer) {
    Slot *s = &e->slots[buffer];
    if (!s->ptr) bug("kernel %s: buffer %d is used before it is declared", e->kernel->name, buffer);
    return s;
}

/* ---- memory ---- */

void emit_decl(Emit *e, int buffer) {
    const Buffer *b = buffer_of(e, buffer);
    Slot *s = &e->slots[buffer];
    if (b->kind == BUF_MEMORY) bug("kernel %s declares buffer %d, which is not its own", e->kernel->name, buffer);
    s->in_vector = e->vector != NULL;
    if (s->ptr && s->lanes == e->lanes) return; /* an iteration before this one had it too */
    /* whole vectors are read and written at its end too: see roomy() */
    int64_t room = e->lanes > 1 ? b->elems * e->lanes : b->elems + MAX_LANES;
    s->lanes = e->lanes;
    s->ptr = l_alloca(&e->l, l_memory_type(&e->l, b->dtype), room, 64, b->name ? b->name : "local");
}

/* at `offset` elements */
V emit_element(Emit *e, int buffer, V offset) {
    return l_gep(&e->l, l_memory_type(&e->l, buffer_of(e, buffer)->dtype), slot_of(e, buffer)->ptr, offset);
}

/* of the element in lane `lane` */
static V address_of(Emit *e, int buffer, const Offset *at, int lane) {
    return emit_pointer(e, slot_of(e, buffer)->ptr, l_memory_type(&e->l, buffer_of(e, buffer)->dtype), at->aff,
                        at->gathered, at->step * lane);
}

V emit_address(Emit *e, int buffer, const Aff *at) { return address_of(e, buffer, &(Offset){.aff = at}, 0); }

static V tagged(Emit *e, int buffer, V access) {
    const Slot *s = slot_of(e, buffer);
    if (!s->alias_scope) return access;
    LLVMSetMetadata(access, LLVMGetMDKindIDInContext(e->l.ctx, "alias.scope", 11), s->alias_scope);
    LLVMSetMetadata(access, LLVMGetMDKindIDInContext(e->l.ctx, "noalias", 7), s->no_alias);
    return access;
}

static unsigned element_align(const Emit *e, int buffer) { return (unsigned)dtype_size(buffer_of(e, buffer)->dtype); }

V emit_from_memory(const L *l, DType t, V v) {
    if (t != DT_BOOL) return v;
    return LLVMBuildICmp(l->b, LLVMIntNE, v, LLVMConstNull(LLVMTypeOf(v)), "");
}

V emit_to_memory(const L *l, DType t, V v) { return t == DT_BOOL ? LLVMBuildZExt(l->b, v, l_like(v, l->i8), "") : v; }

V emit_plain_load(Emit *e, int buffer, LLVMTypeRef type, V address) {
    return tagged(e, buffer, l_load(&e->l, type, address, element_align(e, buffer)));
}

void emit_plain_store(Emit *e, int buffer, V v, V address) {
    tagged(e, buffer, l_store(&e->l, v, address, element_align(e, buffer)));
}

/* ---- masks ---- */

V emit_any_lane(Emit *e) {
    if (!e->mask || !e->mask_empty) return NULL;
    if (e->lanes == 1) return e->mask;
    return l_call1(&e->l, "llvm.vector.reduce.or", e->mask);
}

/* Whether masked accesses to elements of this size are instructions. */
static bool has_masks(const Emit *e, DType t) {
    return dtype_size(t) >= 4 ? e->l.target->masks : e->l.target->all_masks;
}

/* Whether whole vectors may be used whatever the mask: stack arrays have room behind their last element, and nobody
 * else sees them, so that old values may be written again. */
static bool roomy(const Emit *e, int buffer, const Offset *at) {
    const Buffer *b = buffer_of(e, buffer);
    return b->kind != BUF_MEMORY && at->lo >= 0 && at->hi < b->elems;
}

/* ---- places ---- */

static V widen(Emit *e, V v) {
    LLVMTypeRef t = l_like(v, e->l.i64);
    return LLVMTypeOf(v) == t ? v : LLVMBuildSExt(e->l.b, v, t, "");
}

Offset emit_offset(Emit *e, const Place *p) {
    const L *l = &e->l;
    int64_t step;
    bool simple = aff_in_lanes(e, p->aff, &step);
    Val gather = p->gather ? emit_ex(e, p->gather) : (Val){NULL, false};
    if (simple && !gather.wide) {
        Offset at = {.aff = p->aff, .gathered = gather.v ? widen(e, gather.v) : NULL, .step = step, .lo = -1};
        if (!gather.v && !aff_range(p->aff, e->kernel->extents, e->kernel->nvars, &at.lo, &at.hi)) at.lo = -1;
        return at;
    }
    V lanes = emit_aff_lanes(e, p->aff);
    if (gather.v) {
        V more = emit_wide(e, gather);
        if (LLVMTypeOf(more) != LLVMTypeOf(lanes)) lanes = widen(e, lanes), more = widen(e, more);
        lanes = LLVMBuildAdd(l->b, lanes, more, "");
    }
    return (Offset){.lanes = lanes, .lo = -1};
}

/* The offset in lane 0. */
static V first_offset(Emit *e, const Offset *at) {
    V first = emit_aff(e, at->aff);
    return at->gathered ? LLVMBuildAdd(e->l.b, first, at->gathered, "") : first;
}

/* The offsets of all lanes as a vector of i64, in elements of a buffer that has one copy, or a copy a lane. */
static V offset_lanes(Emit *e, const Slot *s, const Offset *at) {
    const L *l = &e->l;
    LLVMTypeRef wide = l_vector(l->i64, e->lanes);
    V iota = l_iota(l->i64, e->lanes), v;
    if (at->lanes)
        v = widen(e, at->lanes);
    else
        v = LLVMBuildAdd(l->b, l_splat(l, first_offset(e, at), e->lanes),
                         LLVMBuildMul(l->b, iota, l_int(wide, at->step), ""), "");
    if (s->lanes == 1) return v;
    return LLVMBuildAdd(l->b, LLVMBuildMul(l->b, v, l_int(wide, s->lanes), ""), iota, "");
}

/* Where the lanes' elements follow each other: the address of the first. */
static V contiguous(Emit *e, int buffer, const Offset *at) {
    const Slot *s = slot_of(e, buffer);
    if (at->lanes || at->step != (s->lanes > 1 ? 0 : 1)) return NULL;
    if (s->lanes == 1) return address_of(e, buffer, at, 0);
    return emit_element(e, buffer, LLVMBuildMul(e->l.b, first_offset(e, at), l_i64(&e->l, s->lanes), ""));
}

/* ---- loads ---- */

/* The same element for all lanes; where no lane is active its place may not exist, so that another is read. */
static V load_same(Emit *e, int buffer, const Offset *at) {
    const L *l = &e->l;
    V any = emit_any_lane(e), from = address_of(e, buffer, at, 0);
    if (any) from = LLVMBuildSelect(l->b, any, from, slot_of(e, buffer)->ptr, "");
    return emit_plain_load(e, buffer, l_memory_type(l, buffer_of(e, buffer)->dtype), from);
}

static V load_masked(Emit *e, int buffer, LLVMTypeRef type, V address) {
    const L *l = &e->l;
    LLVMTypeRef types[] = {type, l->ptr};
    V args[] = {address, l_i32(l, element_align(e, buffer)), e->mask, LLVMConstNull(type)};
    return tagged(e, buffer, l_call(l, "llvm.masked.load", types, 2, args, 4));
}

static V load_gather(Emit *e, int buffer, LLVMTypeRef type, V offsets) {
    const L *l = &e->l;
    V pointers = l_gep(l, l_element(type), slot_of(e, buffer)->ptr, offsets);
    LLVMTypeRef types[] = {type, LLVMTypeOf(pointers)};
    V mask = e->mask ? e->mask : l_int(l_vector(l->i1, e->lanes), 1);
    V args[] = {pointers, l_i32(l, element_align(e, buffer)), mask, LLVMConstNull(type)};
    return tagged(e, buffer, l_call(l, "llvm.masked.gather", types, 2, args, 4));
}

static V load_each(Emit *e, int buffer, LLVMTypeRef type, const Offset *at) {
    const L *l = &e->l;
    Slot *s = slot_of(e, buffer);
    V offsets = e->mask || at->lanes || s->lanes > 1 ? offset_lanes(e, s, at) : NULL;
    if (offsets && l->target->gathers && l_bits(type) >= 32) return load_gather(e, buffer, type, offsets);
    if (e->mask) offsets = LLVMBuildSelect(l->b, e->mask, offsets, LLVMConstNull(LLVMTypeOf(offsets)), "");
    V all = LLVMGetPoison(type);
    for (int i = 0; i < e->lanes; i++) {
        V from = offsets ? emit_element(e, buffer, l_lane(l, offsets, i)) : address_of(e, buffer, at, i);
        all = l_set_lane(l, all, emit_plain_load(e, buffer, l_element(type), from), i);
    }
    return all;
}

Val emit_load(Emit *e, int buffer, const Offset *at) {
    const L *l = &e->l;
    const Buffer *b = buffer_of(e, buffer);
    Slot *s = slot_of(e, buffer);
    LLVMTypeRef element = l_memory_type(l, b->dtype), type = l_vector(element, e->lanes);
    bool wide = e->lanes > 1 && (at->lanes || at->step || s->lanes > 1);
    if (b->elems == 0)
        return (Val){LLVMConstNull(wide ? l_vector(l_type(l, b->dtype), e->lanes) : l_type(l, b->dtype)), wide};
    if (!wide) return (Val){emit_from_memory(l, b->dtype, load_same(e, buffer, at)), false};
    V first = contiguous(e, buffer, at), v;
    if (first && (!e->mask || roomy(e, buffer, at)))
        v = emit_plain_load(e, buffer, type, first);
    else if (first && has_masks(e, b->dtype))
        v = load_masked(e, buffer, type, first);
    else
        v = load_each(e, buffer, type, at);
    return (Val){emit_from_memory(l, b->dtype, v), true};
}

/* ---- stores ---- */

/* Runs `store` where any lane is active. */
static void store_same(Emit *e, int buffer, const Offset *at, V value) {
    const L *l = &e->l;
    V any = emit_any_lane(e);
    LLVMBasicBlockRef after = NULL;
    if (any) {
        LLVMBasicBlockRef then = l_block(l, "store");
        after = l_block(l, "store.end");
        LLVMBuildCondBr(l->b, any, then, after);
        l_at(l, then);
    }
    emit_plain_store(e, buffer, value, address_of(e, buffer, at, 0));
    if (!any) return;
    LLVMBuildBr(l->b, after);
    l_at(l, after);
}

static void store_masked(Emit *e, int buffer, const Offset *at, V value, V address) {
    const L *l = &e->l;
    if (roomy(e, buffer, at)) {
        V old = emit_plain_load(e, buffer, LLVMTypeOf(value), address);
        emit_plain_store(e, buffer, LLVMBuildSelect(l->b, e->mask, value, old, ""), address);
        return;
    }
    LLVMTypeRef types[] = {LLVMTypeOf(value), l->ptr};
    V args[] = {value, address, l_i32(l, element_align(e, buffer)), e->mask};
    tagged(e, buffer, l_call(l, "llvm.masked.store", types, 2, args, 4));
}

static void store_each(Emit *e, int buffer, V value, V offsets) {
    const L *l = &e->l;
    if (e->mask) {
        V pointers = l_gep(l, l_element(LLVMTypeOf(value)), slot_of(e, buffer)->ptr, offsets);
        LLVMTypeRef types[] = {LLVMTypeOf(value), LLVMTypeOf(pointers)};
        V args[] = {value, pointers, l_i32(l, element_align(e, buffer)), e->mask};
        tagged(e, buffer, l_call(l, "llvm.masked.scatter", types, 2, args, 4));
        return;
    }
    for (int i = 0; i < e->lanes; i++)
        emit_plain_store(e, buffer, l_lane(l, value, i), emit_element(e, buffer, l_lane(l, offsets, i)));
}

void emit_store(Emit *e, int buffer, const Offset *at, Val value) {
    const L *l = &e->l;
    Slot *s = slot_of(e, buffer);
    DType t = buffer_of(e, buffer)->dtype;
    if (buffer_of(e, buffer)->elems == 0) return;
    bool place_wide = e->lanes > 1 && (at->lanes || at->step || s->lanes > 1);
    if (!place_wide && !value.wide) {
        store_same(e, buffer, at, emit_to_memory(l, t, value.v));
    } else {
        V v = emit_to_memory(l, t, emit_wide(e, value)), first = contiguous(e, buffer, at);
        if (!first)
            store_each(e, buffer, v, offset_lanes(e, s, at));
        else if (!e->mask)
            emit_plain_store(e, buffer, v, first);
        else
            store_masked(e, buffer, at, v, first);
    }
    emit_stored(e, buffer);
}
