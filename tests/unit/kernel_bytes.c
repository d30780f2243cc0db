/* links: nnc_linked nnc_loop nnc_reference nnc_ir */
/* Kernels as bytes: equal where the same code will do, different where not, and whole. */
#include "tests/unit/kernels.h"

#include "compiler/loop/kernel_bytes.h"

static Str bytes_of(const LoopUnit *u, KernelPlaces *places) {
    Str s = {0};
    loop_kernel_write(u, u->kernels.at[0], &s, places);
    return s;
}

static bool equal(const Str *a, const Str *b) { return a->len == b->len && memcmp(a->at, b->at, a->len) == 0; }

/* Three arrays of eight floats in the arena: c[i] = a[i] * b[i] + a[i] where i < 5, else the largest of a whole row. */
static Nest make(int64_t a_at, int64_t b_at, int64_t c_at) {
    Nest nest, *n = &nest;
    nest_begin(n);
    int64_t at[] = {a_at, b_at, c_at};
    for (int i = 0; i < 3; i++)
        vec_push(&n->unit.buffers,
                 (Buffer){.kind = BUF_MEMORY, .dtype = DT_F32, .base = BASE_ARENA, .offset = at[i], .elems = 8});
    int acc = local(n, BUF_REG, DT_F32, 1);
    declare(n, acc);
    store(n, acc, AT(0), ex_float(n->g, DT_F32, -1));
    LoopBody *out = loop(n, FOR_SERIAL, 1, 8, 0, NULL);
    Ex a = fetch(n, 0, AT(0, 1, 1)), b = fetch(n, 1, (Place){aff_mod(n->g->affs, aff(n, 3, 1, 1, 0), 8), 0});
    accumulate(n, acc, AT(0), RED_MAX, a, false);
    n->body = out;
    loop(n, FOR_VECTOR, 2, 8, 4, NULL);
    a = fetch(n, 0, AT(0, 1, 2)), b = fetch(n, 1, (Place){aff_mod(n->g->affs, aff(n, 3, 1, 2, 0), 8), 0});
    Cond first = {aff(n, 0, 1, 2, 0), 0, 5};
    Ex sum = ex_op(n->g, EX_ADD, ex_op(n->g, EX_MUL, a, b, 0), a, 0);
    store(n, 2, AT(0, 1, 2), ex_guard(n->g, 1, &first, sum, fetch(n, acc, AT(0))));
    return nest;
}

static Nest made(int64_t a_at, int64_t b_at, int64_t c_at, KernelPlaces *places, Str *bytes) {
    Nest n = make(a_at, b_at, c_at);
    n.unit.nnc = n.nnc;
    n.kernel.extents = n.extents;
    vec_push(&n.unit.kernels, &n.kernel);
    *bytes = bytes_of(&n.unit, places);
    vec_free(&n.unit.kernels);
    return n;
}

Test(kernel_bytes, places_do_not_count) {
    KernelPlaces p = {0}, q = {0};
    Str a, b;
    Nest x = made(0, 64, 128, &p, &a), y = made(640, 64, 1280, &q, &b);
    cr_expect(equal(&a, &b));
    cr_assert(p.len == 3 && q.len == 3);
    cr_expect(q.at[0].offset == 640 && q.at[1].offset == 1280 && q.at[2].offset == 64); /* as they are met */
    vec_free(&a), vec_free(&b), vec_free(&p), vec_free(&q);
    nest_end(&x), nest_end(&y);
}

/* In place, or over one another: other code, one place. */
Test(kernel_bytes, shared_memory_counts) {
    KernelPlaces p = {0}, q = {0}, r = {0};
    Str a, b, c;
    Nest x = made(0, 64, 128, &p, &a), y = made(256, 64, 256, &q, &b), z = made(256, 64, 240, &r, &c);
    cr_expect(!equal(&a, &b) && !equal(&b, &c) && !equal(&a, &c));
    cr_assert(q.len == 2 && r.len == 2);
    cr_expect(q.at[0].offset == 256 && r.at[0].offset == 240);
    vec_free(&a), vec_free(&b), vec_free(&c), vec_free(&p), vec_free(&q), vec_free(&r);
    nest_end(&x), nest_end(&y), nest_end(&z);
}

Test(kernel_bytes, what_is_read_is_what_was_written) {
    KernelPlaces p = {0}, q = {0};
    Str a, b;
    Nest x = made(0, 64, 0, &p, &a);
    Nnc *nnc = nnc_new();
    const LoopUnit *u = loop_kernel_read(nnc, a.at, a.len);
    b = bytes_of(u, &q);
    cr_expect(equal(&a, &b));
    float arena[2][32], *places[] = {arena[1], arena[1] + 16};
    for (int i = 0; i < 32; i++) arena[0][i] = arena[1][i] = (float)(i * 7 % 11);
    vec_push(&x.unit.kernels, &x.kernel);
    loop_interp_run(&x.unit, (void *[]){arena[0]});
    loop_interp_run((LoopUnit *)(uintptr_t)u, (void **)places);
    cr_expect_arr_eq(arena[0], arena[1], sizeof arena[0]);
    vec_free(&a), vec_free(&b), vec_free(&p), vec_free(&q);
    nnc_free(nnc);
    nest_end(&x);
}

/* A kernel of two loops reads their iteration numbers from two more places. */
Test(kernel_bytes, iteration_numbers) {
    KernelPlaces p = {0};
    Str a;
    Nest x = make(0, 64, 128);
    x.unit.nnc = x.nnc;
    x.kernel.extents = x.extents;
    LoopScan scans[] = {{0}, {.parent = 0, .depth = 1, .cell = 512}, {.parent = 1, .depth = 2, .cell = 576}};
    x.unit.scans = scans;
    x.unit.nscans = 2;
    x.kernel.scan = 2;
    vec_push(&x.unit.kernels, &x.kernel);
    a = bytes_of(&x.unit, &p);
    cr_assert_eq(p.len, 5);
    cr_expect(p.at[3].offset == 576 && p.at[4].offset == 512);
    Nnc *nnc = nnc_new();
    const LoopUnit *u = loop_kernel_read(nnc, a.at, a.len);
    const Kernel *k = u->kernels.at[0];
    cr_expect(u->ninputs == 5 && u->scans[k->scan].depth == 2 && u->scans[k->scan].base == 3);
    cr_expect(u->scans[u->scans[k->scan].parent].depth == 1 && u->scans[1].base == 4 && u->scans[1].parent == 0);
    vec_free(&a), vec_free(&p);
    nnc_free(nnc);
    nest_end(&x);
}
