/* Reads the textual IR: its nodes and outputs. print.c shows the form, one rule stands over each function. */
#include "compiler/ir/read.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- characters ---- */

bool read_fail(Reader *r, const char *fmt, ...) {
    char room[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(room, sizeof room, fmt, ap);
    va_end(ap);
    uint32_t at = (uint32_t)MIN(r->pos, r->len);
    if (!r->failed) diag(r->g->nnc, (Span){r->file, at, at + (at < r->len)}, DIAG_ir_text, room);
    r->failed = true;
    r->pos = r->len;
    return false;
}

void read_space(Reader *r) {
    while (isspace((unsigned char)r->text[r->pos]) || r->text[r->pos] == '#') {
        if (r->text[r->pos] != '#')
            r->pos++;
        else
            r->pos += strcspn(r->text + r->pos, "\n");
    }
}

char read_peek(Reader *r) {
    read_space(r);
    return r->text[r->pos];
}

static bool in_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

bool read_accept(Reader *r, const char *text) {
    read_space(r);
    size_t n = strlen(text);
    if (strncmp(r->text + r->pos, text, n) != 0) return false;
    if (in_word(text[n - 1]) && in_word(r->text[r->pos + n])) return false; /* the beginning of a longer word */
    r->pos += n;
    return true;
}

bool read_expect(Reader *r, const char *text) {
    return read_accept(r, text) || read_fail(r, "'%s' is missing here", text);
}

bool read_word(Reader *r, char *out, size_t size) {
    size_t n = 0;
    if (!isalpha((unsigned char)read_peek(r))) return false;
    for (; in_word(r->text[r->pos]); r->pos++)
        if (n + 1 < size) out[n++] = r->text[r->pos];
    out[n] = 0;
    return true;
}

int64_t read_integer(Reader *r) {
    bool minus = read_accept(r, "-");
    if (!isdigit((unsigned char)read_peek(r))) return read_fail(r, "a whole number is missing here");
    char *end;
    long long v = strtoll(r->text + r->pos, &end, 10);
    r->pos = (size_t)(end - r->text);
    return minus ? -v : v;
}

static int read_small(Reader *r) {
    int64_t v = read_integer(r);
    if (v < 0 || v > 10000000) read_fail(r, "this number is too large");
    return r->failed ? 0 : (int)v;
}

Ref read_ref(Reader *r) {
    read_expect(r, "%");
    int n = read_small(r);
    if (!r->failed && ((size_t)n >= r->nodes.len || !r->nodes.at[n])) read_fail(r, "%%%d is not defined above", n);
    return r->failed ? 0 : r->nodes.at[n];
}

/* [ '"' characters '"' ] */
static Name read_name(Reader *r) {
    Str s = {0};
    if (!read_accept(r, "\"")) return NULL;
    for (; r->text[r->pos] && r->text[r->pos] != '"'; r->pos++) {
        if (r->text[r->pos] == '\\' && r->text[r->pos + 1]) r->pos++;
        str_put(&s, r->text + r->pos, 1);
    }
    Name name = intern(r->g->nnc->names, s.at ? s.at : "");
    read_expect(r, "\"");
    vec_free(&s);
    return name;
}

/* ---- nodes ---- */

typedef VEC(int64_t) Numbers;

static bool fits_memory(const Numbers *dims) {
    int64_t n = 1;
    for (size_t i = 0; i < dims->len; i++)
        if (__builtin_mul_overflow(n, dims->at[i], &n) || n > (int64_t)1 << 48) return false;
    return true;
}

/* dtype '[' [ n ( ',' n )* ] ']' */
static DType read_type(Reader *r, Numbers *dims) {
    char word[16] = "";
    DType t = DT_F32;
    read_word(r, word, sizeof word);
    if (!dtype_from_name(word, &t)) read_fail(r, "'%s' is no element type", word);
    read_expect(r, "[");
    for (bool more = read_peek(r) != ']'; more && !r->failed; more = read_accept(r, ",")) {
        int64_t n = read_integer(r);
        if (n < 0) read_fail(r, "a dim cannot be negative");
        vec_push(dims, n);
    }
    read_expect(r, "]");
    if (!r->failed && !fits_memory(dims)) read_fail(r, "this tensor is too large");
    return t;
}

/* [ letter n ':' extent ( ',' letter n ':' extent )* ], counted from 0 */
static int read_extents(Reader *r, char letter, Numbers *extents) {
    int n = 0;
    char want[16];
    do {
        snprintf(want, sizeof want, "%c%d", letter, n);
        if (!read_accept(r, want)) break;
        read_expect(r, ":");
        int64_t extent = read_integer(r);
        if (extent < 0) read_fail(r, "an extent cannot be negative");
        vec_push(extents, extent);
        n++;
    } while (!r->failed && read_accept(r, ","));
    if (!r->failed && !fits_memory(extents)) read_fail(r, "this domain is too large");
    return n;
}

static Ref read_comp(Reader *r, DType t, Numbers *dims, Combine c, Span at) {
    int rank = (int)dims->len, nred = c == RED_NONE ? 0 : read_extents(r, 'k', dims);
    bool arg = c == RED_ARGMAX || c == RED_ARGMIN, nothing = false, empty = false;
    for (size_t i = 0; i < dims->len; i++) {
        if (i < (size_t)rank)
            empty |= dims->at[i] == 0;
        else
            nothing |= dims->at[i] == 0;
    }
    if (arg && nothing && !empty) read_fail(r, "the index of the largest of nothing");
    r->nout = rank;
    r->nred = nred;
    r->domain = false;
    read_expect(r, "of");
    Ex body = read_body(r, arg ? DT_F32 : t);
    if (r->failed) return 0;
    DType is = ir_expr(r->g, body)->dtype;
    if ((arg ? DT_I32 : is) != t) return read_fail(r, "the body is %s, the tensor %s", dtype_name(is), dtype_name(t));
    if ((c == RED_SUM || c == RED_PROD) && is == DT_BOOL) return read_fail(r, "a sum of bools");
    return ir_comp(r->g, c, rank, nred, dims->at, body, at);
}

static Ref read_scatter(Reader *r, DType t, const Numbers *dims, Span at) {
    Numbers extents = {0};
    int n = read_extents(r, 'q', &extents), rank = (int)dims->len;
    Place *places = ARENA_ARRAY(r->g->nnc->arena, Place, rank);
    r->nout = n;
    r->nred = 0;
    r->domain = true;
    read_expect(r, "of");
    Ex body = read_body(r, t);
    read_expect(r, "at");
    read_places(r, places, rank);
    if (!r->failed && (t == DT_BOOL || ir_expr(r->g, body)->dtype != t))
        read_fail(r, "the body is not %s", dtype_name(t));
    Ref node = r->failed ? 0 : ir_scatter(r->g, rank, dims->at, places, n, extents.at, body, at);
    vec_free(&extents);
    return node;
}

/* '{' number ( ',' number )* '}' */
static Ref read_constant(Reader *r, DType t, const Numbers *dims) {
    int64_t n = 1;
    for (size_t i = 0; i < dims->len; i++) n *= dims->at[i];
    if (!r->failed && n > (int64_t)r->len) read_fail(r, "the elements of the constant are missing");
    if (r->failed) return 0;
    void *data = arena_alloc(r->g->nnc->arena, (size_t)n * dtype_size(t));
    read_expect(r, "{");
    for (int64_t i = 0; i < n && !r->failed; i++) {
        if (i) read_expect(r, ",");
        Ex e = read_as(r, read_number(r), t);
        scalar_write(t, data, i, ex_value(r->g, e));
    }
    read_expect(r, "}");
    return r->failed ? 0 : ir_constant(r->g, t, (int)dims->len, dims->at, data);
}

static bool same_as_leaf(Reader *r, LeafKind kind, int slot, DType t, const Numbers *dims) {
    for (size_t i = 1; i < r->g->nodes.len; i++) {
        const Node *n = &r->g->nodes.at[i];
        if (n->kind != N_LEAF || n->leaf.kind != kind || n->leaf.slot != slot) continue;
        bool same = n->dtype == t && n->rank == (int)dims->len;
        for (int d = 0; same && d < n->rank; d++) same = n->dims[d] == dims->at[d];
        return same;
    }
    return true;
}

/* slot [ name ] type */
static Ref read_leaf(Reader *r, LeafKind kind, Numbers *dims, Span at) {
    int slot = read_small(r);
    Name name = read_name(r);
    DType t = read_type(r, dims);
    if (!r->failed && !same_as_leaf(r, kind, slot, t, dims)) read_fail(r, "this leaf stands above with another type");
    return r->failed ? 0 : ir_leaf(r->g, kind, slot, t, (int)dims->len, dims->at, name, at);
}

/* type [ name ] ( [ combine extents ] 'of' body | 'scatter' extents 'of' body 'at' places ) */
static Ref read_tensor(Reader *r, Numbers *dims, Span at) {
    static const char *const combines[] = {"sum", "prod", "max", "min", "argmax", "argmin"};
    DType t = read_type(r, dims);
    Name name = read_name(r);
    Combine c = RED_NONE;
    Ref node;
    if (read_accept(r, "scatter")) {
        node = read_scatter(r, t, dims, at);
    } else {
        for (size_t i = 0; i < COUNT(combines) && c == RED_NONE; i++)
            if (read_accept(r, combines[i])) c = (Combine)(i + 1);
        node = read_comp(r, t, dims, c, at);
    }
    if (node && name) ir_name(r->g, node, name);
    return node;
}

/* 'sort' ref [ 'descending' ] 'first' k [ name ] */
static Ref read_sort(Reader *r, Span at) {
    Ref of = read_ref(r);
    bool descending = read_accept(r, "descending");
    read_expect(r, "first");
    int64_t k = read_integer(r);
    if (r->failed) return 0;
    const Node *x = ir_node(r->g, of);
    if (!x->rank || k < 0 || k > x->dims[x->rank - 1]) return read_fail(r, "there are fewer elements to sort");
    Ref node = ir_sort(r->g, of, k, descending, at);
    ir_name(r->g, node, read_name(r));
    return node;
}

/* 'grad' ref 'wrt' ref [ name ] */
static Ref read_grad(Reader *r, Span at) {
    Ref of = read_ref(r);
    read_expect(r, "wrt");
    Ref wrt = read_ref(r);
    if (r->failed) return 0;
    const Node *y = ir_node(r->g, of), *x = ir_node(r->g, wrt);
    if (y->rank || !dtype_is_float(y->dtype)) return read_fail(r, "a gradient of what is not a float scalar");
    if (!dtype_is_float(x->dtype)) return read_fail(r, "a gradient for whole numbers");
    Ref node = ir_grad(r->g, of, wrt, at);
    ir_name(r->g, node, read_name(r));
    return node;
}

static Ref read_mark(Reader *r, Span at) {
    Ref of = read_ref(r);
    if (r->failed) return 0;
    Ref node = ir_mark(r->g, of, at);
    ir_name(r->g, node, read_name(r));
    return node;
}

/* 'iteration' scan | 'carry' scan index [ name ] type */
static Ref read_inside(Reader *r, bool carry, Numbers *dims, Span at) {
    int id = read_small(r);
    if (!carry) return r->failed ? 0 : ir_iteration(r->g, id, at);
    int index = read_small(r);
    Name name = read_name(r);
    DType t = read_type(r, dims);
    for (size_t i = 1; i < r->g->nodes.len && !r->failed; i++) {
        const Node *n = &r->g->nodes.at[i];
        if (n->kind == N_LEAF && n->leaf.kind == LEAF_CARRY && n->leaf.slot == id && n->leaf.index == index)
            return read_fail(r, "this carry stands above");
    }
    return r->failed ? 0 : ir_carry(r->g, id, index, t, (int)dims->len, dims->at, name, at);
}

typedef VEC(Ref) Refs;

/* '(' [ one ( ',' one )* ] ')', where one is a pair of nodes `%1 -> %2`, or a node or 'none' */
static void read_refs(Reader *r, Refs *first, Refs *second) {
    read_expect(r, "(");
    for (bool more = read_peek(r) != ')'; more && !r->failed; more = read_accept(r, ",")) {
        vec_push(first, !second && read_accept(r, "none") ? 0 : read_ref(r));
        if (!second) continue;
        read_expect(r, "->");
        vec_push(second, read_ref(r));
    }
    read_expect(r, ")");
}

/* 'scan' id 'in' extent [ 'reverse' ] pairs 'yields' nodes | 'while' id 'if' node pairs */
static Ref read_scan(Reader *r, bool is_while, Span at) {
    Refs init = {0}, next = {0}, yield = {0};
    ScanDesc s = {.id = read_small(r)};
    read_expect(r, is_while ? "if" : "in");
    if (is_while) {
        s.cond = read_ref(r);
    } else {
        s.extent = read_integer(r);
        if (s.extent < 0) read_fail(r, "a scan cannot have a negative length");
        s.reverse = read_accept(r, "reverse");
    }
    read_refs(r, &init, &next);
    if (!is_while) {
        read_expect(r, "yields");
        read_refs(r, &yield, NULL);
    }
    for (size_t i = 1; i < r->g->nodes.len && !r->failed; i++)
        if (r->g->nodes.at[i].kind == N_SCAN && r->g->nodes.at[i].scan.id == s.id)
            read_fail(r, "loop %d stands above", s.id);
    s.init = init.at, s.next = next.at, s.yield = yield.at;
    s.ncarry = (int)init.len, s.nyield = (int)yield.len;
    Ref node = r->failed ? 0 : ir_scan(r->g, &s, at);
    vec_free(&init);
    vec_free(&next);
    vec_free(&yield);
    return node;
}

/* 'result' index 'of' ref [ name ] */
static Ref read_result(Reader *r, Span at) {
    int index = read_small(r);
    read_expect(r, "of");
    Ref of = read_ref(r);
    if (r->failed) return 0;
    const Node *n = ir_node(r->g, of);
    if (n->kind != N_SCAN) return read_fail(r, "a result of what is no scan");
    int k = index - n->scan.ncarry;
    if (k >= n->scan.nyield || (k >= 0 && !n->scan.yield[k])) return read_fail(r, "the scan has no result %d", index);
    Ref node = ir_result(r->g, of, index, at);
    ir_name(r->g, node, read_name(r));
    return node;
}

/* ref '=' definition */
static void read_node(Reader *r) {
    Span at = {r->file, (uint32_t)r->pos, (uint32_t)(r->pos + strcspn(r->text + r->pos, "\n"))};
    read_expect(r, "%");
    int number = read_small(r);
    read_expect(r, "=");
    while (r->nodes.len <= (size_t)number) vec_push(&r->nodes, 0);
    if (r->nodes.at[number]) read_fail(r, "%%%d is defined twice", number);
    Numbers dims = {0};
    Ref node;
    if (read_accept(r, "input"))
        node = read_leaf(r, LEAF_INPUT, &dims, at);
    else if (read_accept(r, "param"))
        node = read_leaf(r, LEAF_PARAM, &dims, at);
    else if (read_accept(r, "state"))
        node = read_leaf(r, LEAF_STATE, &dims, at);
    else if (read_accept(r, "sort"))
        node = read_sort(r, at);
    else if (read_accept(r, "grad"))
        node = read_grad(r, at);
    else if (read_accept(r, "mark"))
        node = read_mark(r, at);
    else if (read_accept(r, "iteration"))
        node = read_inside(r, false, &dims, at);
    else if (read_accept(r, "carry"))
        node = read_inside(r, true, &dims, at);
    else if (read_accept(r, "scan"))
        node = read_scan(r, false, at);
    else if (read_accept(r, "while"))
        node = read_scan(r, true, at);
    else if (read_accept(r, "result"))
        node = read_result(r, at);
    else if (read_accept(r, "constant")) {
        DType t = read_type(r, &dims);
        Name name = read_name(r);
        node = read_constant(r, t, &dims);
        if (node && name) ir_name(r->g, node, name);
    } else
        node = read_tensor(r, &dims, at);
    r->nodes.at[number] = node;
    vec_free(&dims);
}

/* kind slot [ name ] '=' ref */
static void read_output(Reader *r, OutKind kind) {
    int slot = read_small(r);
    Name name = read_name(r);
    read_expect(r, "=");
    Ref node = read_ref(r);
    if (!r->failed) ir_output(r->g, kind, slot, node, name);
}

Graph *ir_read(Nnc *nnc, uint32_t file) {
    const Source *s = nnc->sources.files.at[file];
    Reader r = {.g = ir_graph_new(nnc), .file = file, .text = s->text, .len = strlen(s->text)};
    while (read_peek(&r)) {
        if (r.text[r.pos] == '%')
            read_node(&r);
        else if (read_accept(&r, "result"))
            read_output(&r, OUT_RESULT);
        else if (read_accept(&r, "param"))
            read_output(&r, OUT_PARAM);
        else if (read_accept(&r, "state"))
            read_output(&r, OUT_STATE);
        else
            read_fail(&r, "a node ('%%1 = ...') or an output ('result 0 = %%1') is missing here");
    }
    Str why = {0};
    Ref where = 0;
    if (!r.failed && ir_faulty(r.g, &why, &where)) {
        r.failed = true;
        diag(nnc, ir_node(r.g, where)->at, DIAG_ir_text, why.at);
    }
    vec_free(&why);
    vec_free(&r.nodes);
    vec_free(&r.temps);
    return r.failed ? NULL : r.g;
}
