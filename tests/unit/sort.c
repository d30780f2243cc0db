/* links: nnc_linked nnc_loop nnc_reference nnc_ir */
/* LS_SORT as machine code, for every element type, against what it means. */
#include "tests/reference/interp.h"
#include "tests/unit/kernels.h"

enum { ROWS = 3 };

typedef struct {
    DType t;
    int n, k;
    bool descending;
} Case;

/* Few values, so that many are equal; one in eight is special. In every third row they come in order already. */
static Scalar key(DType t, uint64_t *state, int row, int i) {
    static const double special[] = {NAN, -NAN, INFINITY, -INFINITY, 0, -0.0, 0x1p-149, -0x1p-149, 1e-310, 1e300};
    uint64_t r = next(state);
    Scalar v = {.i = row % 3 == 2 ? i / 2 : (int64_t)(r % 40) - 20};
    if (r % 16 == 1) v.i = (int64_t)(next(state) >> (r / 16 % 64));
    if (t == DT_BOOL) v.i &= 1;
    if (!dtype_is_float(t)) return (Scalar){.i = scalar_wrap(t, v.i)};
    v.f = r % 16 == 1 ? special[r / 16 % COUNT(special)] : (double)v.i / 4;
    return (Scalar){.f = scalar_round(t, v.f)};
}

static void check(Case c, const char *cpu) {
    Nest nest, *n = &nest;
    nest_begin(n);
    int64_t each = loop_sort_room(c.t, c.n);
    int keys = array(n, c.t, ROWS * c.n), to = array(n, DT_I32, ROWS * c.k), room = array(n, DT_I64, ROWS * (int)each);
    LoopStmt *s = statement(n, LS_SORT);
    n->kernel.tiles = ROWS;
    s->sort.keys = keys, s->sort.to = to, s->sort.room = room;
    s->sort.keys_at = AT(0, c.n, 0).aff, s->sort.to_at = AT(0, c.k, 0).aff, s->sort.room_at = AT(0, (int)each, 0).aff;
    s->sort.n = c.n, s->sort.k = c.k, s->sort.descending = c.descending;
    finish(n);
    Compiled code = compile_for(n, cpu);
    char *data = xcalloc((size_t)(ROWS * c.n), dtype_size(c.t));
    uint64_t state = (uint64_t)(c.n * 100 + c.k);
    for (int i = 0; i < ROWS * c.n; i++) scalar_write(c.t, data, i, key(c.t, &state, i / c.n, i));
    int32_t *got = xcalloc((size_t)(ROWS * c.k), sizeof *got), *want = xcalloc((size_t)c.k, sizeof *want);
    void *work = aligned_alloc(64, (size_t)(ROWS * each) * 8);
    call(&code, (void *[]){data, got, work}, 3);
    for (int r = 0; r < ROWS; r++) {
        interp_order(c.t, data + (size_t)(r * c.n) * dtype_size(c.t), c.n, c.descending, c.k, want);
        for (int i = 0; i < c.k; i++)
            cr_assert_eq(got[r * c.k + i], want[i], "%s: %d of %d %s%s: place %d of row %d is %d, not %d", cpu, c.k,
                         c.n, dtype_name(c.t), c.descending ? " descending" : "", i, r, got[r * c.k + i], want[i]);
    }
    free(data);
    free(got);
    free(want);
    free(work);
    jit_free(code.code);
    nest_end(n);
}

static const DType types[] = {DT_BOOL, DT_U8, DT_I8, DT_I32, DT_I64, DT_F16, DT_BF16, DT_F32, DT_F64};

Test(sort, every_type) {
    const char *cpus[4];
    int ncpus = runnable(cpus);
    for (size_t t = 0; t < COUNT(types); t++)
        for (int descending = 0; descending < 2; descending++)
            check((Case){types[t], 200, 200, descending}, cpus[t % (size_t)ncpus]);
}

Test(sort, lengths) {
    const char *cpus[4];
    int ncpus = runnable(cpus), turn = 0;
    for (int n = 1; n < 300; n += n < 34 ? 1 : 31, turn++)
        check((Case){turn % 5 ? DT_F32 : DT_F64, n, n, turn % 3 == 0}, cpus[turn % ncpus]);
}

/* The first of few and of many. */
Test(sort, parts) {
    static const int part[][2] = {{1, 2},   {1, 8},    {1, 9},    {3, 5},    {8, 16},    {5, 100},
                                  {20, 41}, {64, 128}, {64, 129}, {65, 200}, {100, 333}, {150, 151}};
    const char *cpus[4];
    int ncpus = runnable(cpus);
    for (size_t i = 0; i < COUNT(part); i++)
        for (int turn = 0; turn < 4; turn++)
            check((Case){turn & 1 ? DT_F32 : DT_I64, part[i][1], part[i][0], turn > 1}, cpus[i % (size_t)ncpus]);
}
