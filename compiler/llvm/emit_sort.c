/* Sorting. A key becomes a whole number of the same order with its place behind it in the lower bits, a word: no two
 * words of a row are equal, and equal keys are in the order of their places. Words are sorted in runs of eight by a
 * network of minima and maxima, and runs are merged without branches that depend on the keys. */
#include "compiler/llvm/scalar.h"

enum {
    RUN = LOOP_SORT_RUN, /* the network below is for eight */
    FEW = 64             /* as many are found by one look at each key */
};

/* ---- loops ---- */

typedef struct {
    LLVMBasicBlockRef head, after;
} While;

/* while (condition) { body }: while_begin, the condition, while_holds, the body, while_end. */
static While while_begin(const L *l) {
    While w = {.head = l_block(l, "while")};
    LLVMBuildBr(l->b, w.head);
    l_at(l, w.head);
    return w;
}

static void while_holds(const L *l, While *w, V condition) {
    LLVMBasicBlockRef body = l_block(l, "do");
    w->after = l_block(l, "done");
    LLVMBuildCondBr(l->b, condition, body, w->after);
    l_at(l, body);
}

static void while_end(const L *l, const While *w) {
    LLVMBuildBr(l->b, w->head);
    l_at(l, w->after);
}

/* Variables, which become registers. */
static V variable(const L *l, V first) {
    V v = l_alloca(l, LLVMTypeOf(first), 1, 16, "");
    l_store(l, first, v, 0);
    return v;
}

static V get(const L *l, V variable) { return l_load(l, l->i64, variable, 0); }
static void add_to(const L *l, V variable, V by) { l_store(l, s_add(l, get(l, variable), by), variable, 0); }
static V below(const L *l, V variable, V end) { return LLVMBuildICmp(l->b, LLVMIntULT, get(l, variable), end, ""); }
static V least(const L *l, V a, V b) { return l_call2(l, "llvm.umin", a, b); }

/* ---- words ---- */

static V word_at(const L *l, LLVMTypeRef word, V list, V i) { return l_load(l, word, l_gep(l, word, list, i), 0); }
static void set_word(const L *l, V list, V i, V x) { l_store(l, x, l_gep(l, LLVMTypeOf(x), list, i), 0); }

static LLVMTypeRef word_type(const L *l, DType t) {
    return dtype_size(t) > 4 ? LLVMIntTypeInContext(l->ctx, 128) : l->i64;
}

/* The key as an unsigned number of 32 or 64 bits: 0 and -0 are one, NaN is above all others. */
static V orderable(const L *l, DType t, V v) {
    if (t == DT_F16 || t == DT_BF16) v = scalar_widen(l, t, v);
    if (t == DT_BOOL || t == DT_U8) v = LLVMBuildZExt(l->b, v, l->i32, "");
    if (t == DT_I8) v = LLVMBuildSExt(l->b, v, l->i32, "");
    V bits = l_is_float(v) ? s_bits(l, s_add(l, v, s_real(v, 0))) : v;
    int top = l_bits(LLVMTypeOf(bits)) - 1;
    V sign = s_shl(l, s_int(bits, 1), top);
    if (!l_is_float(v)) return s_xor(l, bits, sign);
    V key = s_xor(l, bits, s_or(l, s_sar(l, bits, top), sign)); /* all bits turn over where it is negative */
    return s_select(l, s_is_nan(l, v), s_int(bits, -1), key);
}

static V pack(const L *l, LLVMTypeRef word, V key, V place) {
    V high = s_shl(l, LLVMBuildZExt(l->b, key, word, ""), l_bits(word) / 2);
    V low = word == l->i64 ? place : LLVMBuildZExt(l->b, place, word, "");
    return s_or(l, high, low);
}

/* ---- functions of the module: ptr sort(list, n, k) ----
 *
 * The list has n words, a multiple of RUN, and room for as many behind them; the result is where its first k are. */

typedef struct {
    L l;
    LLVMTypeRef word;
    V list, n, k;
} Sort;

/* A part of the list: a variable that runs to `end`. */
typedef struct {
    V at, end;
} Part;

/* The words from i on in order, by Batcher's network for eight. */
static void sort_run(const Sort *s, V i) {
    static const int8_t pairs[][2] = {{0, 1}, {2, 3}, {4, 5}, {6, 7}, {0, 2}, {1, 3}, {4, 6}, {5, 7}, {1, 2}, {5, 6},
                                      {0, 4}, {1, 5}, {2, 6}, {3, 7}, {2, 4}, {3, 5}, {1, 2}, {3, 4}, {5, 6}};
    const L *l = &s->l;
    V x[RUN];
    for (int r = 0; r < RUN; r++) x[r] = word_at(l, s->word, s->list, s_add(l, i, l_i64(l, r)));
    for (size_t p = 0; p < COUNT(pairs); p++) {
        V low = x[pairs[p][0]], high = x[pairs[p][1]];
        x[pairs[p][0]] = l_call2(l, "llvm.umin", low, high);
        x[pairs[p][1]] = l_call2(l, "llvm.umax", low, high);
    }
    for (int r = 0; r < RUN; r++) set_word(l, s->list, s_add(l, i, l_i64(l, r)), x[r]);
}

static void copy_rest(const Sort *s, const Part *from, const Part *to) {
    const L *l = &s->l;
    While w = while_begin(l);
    while_holds(l, &w, s_and(l, below(l, from->at, from->end), below(l, to->at, to->end)));
    set_word(l, s->list, get(l, to->at), word_at(l, s->word, s->list, get(l, from->at)));
    add_to(l, from->at, l_i64(l, 1));
    add_to(l, to->at, l_i64(l, 1));
    while_end(l, &w);
}

/* Two parts in order become one, as long as there is room for it. */
static void merge(const Sort *s, const Part *a, const Part *b, const Part *to) {
    const L *l = &s->l;
    V one = l_i64(l, 1);
    While w = while_begin(l);
    while_holds(l, &w, s_and(l, s_and(l, below(l, a->at, a->end), below(l, b->at, b->end)), below(l, to->at, to->end)));
    V x = word_at(l, s->word, s->list, get(l, a->at)), y = word_at(l, s->word, s->list, get(l, b->at));
    V first = LLVMBuildICmp(l->b, LLVMIntULT, x, y, ""), step = LLVMBuildZExt(l->b, first, l->i64, "");
    set_word(l, s->list, get(l, to->at), s_select(l, first, x, y));
    add_to(l, a->at, step);
    add_to(l, b->at, s_sub(l, one, step));
    add_to(l, to->at, one);
    while_end(l, &w);
    copy_rest(s, a, to);
    copy_rest(s, b, to);
}

/* All runs in order, then in pairs from one half of the room to the other. No run need be longer than k. */
static V sort_whole(const Sort *s) {
    const L *l = &s->l;
    V zero = l_i64(l, 0), i = variable(l, zero), width = variable(l, l_i64(l, RUN));
    V from = variable(l, zero), to = variable(l, s->n);
    While runs = while_begin(l);
    while_holds(l, &runs, below(l, i, s->n));
    sort_run(s, get(l, i));
    add_to(l, i, l_i64(l, RUN));
    while_end(l, &runs);
    While all = while_begin(l);
    while_holds(l, &all, below(l, width, s->n));
    V old = get(l, from), fresh = get(l, to), w = get(l, width);
    l_store(l, zero, i, 0);
    While pairs = while_begin(l);
    while_holds(l, &pairs, below(l, i, s->n));
    V at = get(l, i), middle = least(l, s_add(l, at, w), s->n), end = least(l, s_add(l, middle, w), s->n);
    V begin[] = {s_add(l, old, at), s_add(l, old, middle), s_add(l, fresh, at)};
    V stop[] = {s_add(l, old, middle), s_add(l, old, end), s_add(l, fresh, end)};
    Part p[3];
    for (int r = 0; r < 3; r++) p[r] = (Part){variable(l, begin[r]), least(l, s_add(l, begin[r], s->k), stop[r])};
    merge(s, &p[0], &p[1], &p[2]);
    l_store(l, end, i, 0);
    while_end(l, &pairs);
    add_to(l, width, w);
    l_store(l, fresh, from, 0);
    l_store(l, old, to, 0);
    while_end(l, &all);
    return get(l, from);
}

/* The same for few of many: a list of the first k so far, behind the words, which takes up the runs that change it. */
static V sort_first(const Sort *s) {
    const L *l = &s->l;
    V i = variable(l, l_i64(l, 0)), from = variable(l, s->n), to = variable(l, s_add(l, s->n, s->k));
    While fill = while_begin(l);
    while_holds(l, &fill, below(l, i, s->k));
    set_word(l, s->list, s_add(l, s->n, get(l, i)), LLVMConstAllOnes(s->word));
    add_to(l, i, l_i64(l, 1));
    while_end(l, &fill);
    l_store(l, l_i64(l, 0), i, 0);
    While runs = while_begin(l);
    while_holds(l, &runs, below(l, i, s->n));
    V at = get(l, i), old = get(l, from), fresh = get(l, to), lowest = word_at(l, s->word, s->list, at);
    for (int r = 1; r < RUN; r++) lowest = least(l, lowest, word_at(l, s->word, s->list, s_add(l, at, l_i64(l, r))));
    V last = word_at(l, s->word, s->list, s_sub(l, s_add(l, old, s->k), l_i64(l, 1)));
    LLVMBasicBlockRef take = l_block(l, "take"), next = l_block(l, "next");
    LLVMBuildCondBr(l->b, LLVMBuildICmp(l->b, LLVMIntULT, lowest, last, ""), take, next);
    l_at(l, take);
    sort_run(s, at);
    Part a = {variable(l, at), s_add(l, at, l_i64(l, RUN))}, b = {variable(l, old), s_add(l, old, s->k)};
    merge(s, &a, &b, &(Part){variable(l, fresh), s_add(l, fresh, s->k)});
    l_store(l, fresh, from, 0);
    l_store(l, old, to, 0);
    LLVMBuildBr(l->b, next);
    l_at(l, next);
    add_to(l, i, l_i64(l, RUN));
    while_end(l, &runs);
    return get(l, from);
}

static V sort_function(const L *l, LLVMTypeRef word, bool few, LLVMTypeRef *type) {
    static const char *const names[] = {"sort.64", "sort.128", "first.64", "first.128"}; /* no names of C */
    const char *name = names[2 * few + (word != l->i64)];
    *type = LLVMFunctionType(l->ptr, (LLVMTypeRef[]){l->ptr, l->i64, l->i64}, 3, false);
    V f = LLVMGetNamedFunction(l->module, name);
    if (f) return f;
    LLVMBasicBlockRef here = l_here(l);
    f = l_new_function(l, name, *type, true);
    l_at(l, LLVMAppendBasicBlockInContext(l->ctx, f, "entry"));
    Sort s = {.l = *l, .word = word, .list = LLVMGetParam(f, 0), .n = LLVMGetParam(f, 1), .k = LLVMGetParam(f, 2)};
    LLVMBuildRet(l->b, l_gep(l, word, s.list, few ? sort_first(&s) : sort_whole(&s)));
    l_at(l, here);
    return f;
}

/* ---- the statement ---- */

static void pack_keys(Emit *e, const LoopStmt *s, V list, LLVMTypeRef word, int64_t len) {
    const L *l = &e->l;
    DType t = e->unit->buffers.at[s->sort.keys].dtype;
    V at = emit_aff(e, s->sort.keys_at), i = variable(l, l_i64(l, 0));
    While w = while_begin(l);
    while_holds(l, &w, below(l, i, l_i64(l, s->sort.n)));
    V address = emit_element(e, s->sort.keys, s_add(l, at, get(l, i)));
    V key = orderable(l, t, emit_plain_load(e, s->sort.keys, l_memory_type(l, t), address));
    if (s->sort.descending) key = s_not(l, key);
    set_word(l, list, get(l, i), pack(l, word, key, get(l, i)));
    add_to(l, i, l_i64(l, 1));
    while_end(l, &w);
    for (int64_t r = s->sort.n; r < len; r++) set_word(l, list, l_i64(l, r), LLVMConstAllOnes(word)); /* behind all */
}

void emit_sort(Emit *e, const LoopStmt *s) {
    const L *l = &e->l;
    DType t = e->unit->buffers.at[s->sort.keys].dtype;
    LLVMTypeRef word = word_type(l, t), type;
    int64_t len = (s->sort.n + RUN - 1) / RUN * RUN;
    V list = emit_address(e, s->sort.room, s->sort.room_at);
    pack_keys(e, s, list, word, len);
    V f = sort_function(l, word, s->sort.k <= FEW && 2 * s->sort.k <= len, &type);
    V sorted = LLVMBuildCall2(l->b, type, f, (V[]){list, l_i64(l, len), l_i64(l, s->sort.k)}, 3, "sorted");
    V at = emit_aff(e, s->sort.to_at), i = variable(l, l_i64(l, 0));
    While w = while_begin(l);
    while_holds(l, &w, below(l, i, l_i64(l, s->sort.k)));
    V place = LLVMBuildTrunc(l->b, word_at(l, word, sorted, get(l, i)), l->i32, "");
    emit_plain_store(e, s->sort.to, place, emit_element(e, s->sort.to, s_add(l, at, get(l, i))));
    add_to(l, i, l_i64(l, 1));
    while_end(l, &w);
    emit_stored(e, s->sort.to);
}
