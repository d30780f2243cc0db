/* links: nnc_llvm nnc_loop nnc_reference nnc_ir */
/* Loop nests made by hand, compiled for every CPU level that the machine runs, against their interpreter. */
#include "tests/unit/kernels.h"

#include "runtime/pool.h"

#define V(...) aff(n, __VA_ARGS__, 0)

static const DType types[] = {DT_F32, DT_F64, DT_I32, DT_I64, DT_U8, DT_I8, DT_F16, DT_BF16};

static Ex plus(const Nest *n, Ex a, Ex b) { return ex_op(n->g, EX_ADD, a, b, 0); }
static Ex times(const Nest *n, Ex a, Ex b) { return ex_op(n->g, EX_MUL, a, b, 0); }

/* Tests use a nest under the name n. */
#define NEST                                                                                                           \
    Nest nest, *n = &nest;                                                                                             \
    nest_begin(n)

/* ---- loops ---- */

Test(emit, serial_and_unrolled) {
    NEST;
    int x = array(n, DT_F32, 35), y = array(n, DT_F32, 35);
    n->kernel.tiles = 5;
    loop(n, FOR_SERIAL, 1, 3, 0, NULL);
    LoopBody *serial = loop(n, FOR_UNROLL, 2, 2, 0, NULL);
    store(n, y, AT(0, 7, 0, 2, 1, 1, 2), plus(n, fetch(n, x, AT(34, -7, 0, -2, 1, -1, 2)), ex_float(n->g, DT_F32, 1)));
    n->body = serial;
    store(n, y, AT(6, 7, 0), fetch(n, y, AT(0, 7, 0)));
    agree(n, 0);
}

/* y[v] = x[v] * 2 for all counts and widths */
Test(emit, vectors_and_tails) {
    for (int count = 1; count <= 41; count += count < 20 ? 1 : 7)
        for (int width = 2; width <= 16; width *= 2) {
            NEST;
            DType t = types[count % (int)COUNT(types)];
            int x = array(n, t, count), y = array(n, t, count);
            loop(n, FOR_VECTOR, 1, count, width, NULL);
            Ex two = dtype_is_float(t) ? ex_float(n->g, t, 2) : ex_int(n->g, t, 2);
            store(n, y, AT(0, 1, 1), times(n, fetch(n, x, AT(0, 1, 1)), two));
            agree(n, 0);
        }
}

/* Four tiles of count iterations over `total`, the last ones partly or wholly beyond. */
Test(emit, limits) {
    for (int mode = FOR_SERIAL; mode <= FOR_UNROLL; mode++)
        for (int total = 1; total <= 48; total += 5)
            for (int count = 7; count <= 40; count += 33) {
                NEST;
                int x = array(n, DT_F32, total), y = array(n, DT_F32, total), z = array(n, DT_F32, 4);
                n->kernel.tiles = 4;
                int acc = local(n, BUF_REG, DT_F32, 1);
                declare(n, acc);
                store(n, acc, AT(0), ex_float(n->g, DT_F32, 0));
                LoopBody *outside = loop(n, (ForMode)mode, 1, count, 8, V(total, -count, 0));
                store(n, y, AT(0, count, 0, 1, 1), fetch(n, x, AT(0, count, 0, 1, 1)));
                accumulate(n, acc, AT(0), RED_SUM, fetch(n, x, AT(0, count, 0, 1, 1)), false);
                n->body = outside;
                store(n, z, AT(0, 1, 0), fetch(n, acc, AT(0)));
                agree(n, 1e-5);
            }
}

/* A loop inside a vector loop runs for all lanes together; its array has a copy a lane. */
Test(emit, loops_inside_vectors) {
    for (int count = 5; count <= 64; count += 14) {
        NEST;
        int x = array(n, DT_F32, count * 6), y = array(n, DT_F32, count), own = local(n, BUF_STACK, DT_F32, 6);
        LoopBody *vector;
        loop(n, FOR_VECTOR, 1, count, 8, NULL);
        vector = n->body;
        declare(n, own);
        loop(n, FOR_SERIAL, 2, 6, 0, NULL);
        store(n, own, AT(0, 1, 2), fetch(n, x, AT(0, 6, 1, 1, 2)));
        n->body = vector;
        store(n, y, AT(0, 1, 1), ex_float(n->g, DT_F32, 1));
        loop(n, FOR_SERIAL, 3, 5, 0, NULL);
        accumulate(n, y, AT(0, 1, 1), RED_SUM, times(n, fetch(n, own, AT(0, 1, 3)), fetch(n, own, AT(1, 1, 3))), true);
        n->body = vector;
        /* a copy a lane, read at a place that differs from lane to lane */
        const Aff *turn = aff_mod(n->g->affs, V(0, 1, 1), 6);
        accumulate(n, y, AT(0, 1, 1), RED_SUM, fetch(n, own, (Place){turn, 0}), false);
        agree(n, 1e-6);
    }
}

/* ---- places ---- */

Test(emit, strides_and_broadcasts) {
    const int strides[] = {0, 1, 2, 3, -1, -2};
    for (size_t s = 0; s < COUNT(strides); s++)
        for (int count = 6; count <= 44; count += 19) {
            NEST;
            int stride = strides[s], reach = abs(stride) * (count - 1) + 1;
            int x = array(n, DT_F32, reach), y = array(n, DT_F32, MAX(reach, count)), z = array(n, DT_U8, MAX(reach, count));
            loop(n, FOR_VECTOR, 1, count, 8, NULL);
            int first = stride < 0 ? reach - 1 : 0;
            Place at = stride ? AT(first, stride, 1) : AT(0);
            store(n, y, AT(0, 1, 1), fetch(n, x, at));
            if (stride) store(n, z, AT(first, stride, 1), ex_cast(n->g, DT_U8, ex_index(n->g, DT_I32, V(3, 2, 1))));
            agree(n, 0);
        }
}

/* Quotients and remainders of the lane: within one multiple or across several. */
Test(emit, quotients_and_remainders) {
    for (int by = 2; by <= 48; by = by * 2 - (by % 3 == 0))
        for (int from = 0; from < 9; from += 4) {
            NEST;
            int count = 52;
            int x = array(n, DT_F32, (count + from) / by + 1), y = array(n, DT_F32, count), z = array(n, DT_F32, by);
            int w = array(n, DT_I64, count);
            AffTable *t = n->g->affs;
            loop(n, FOR_VECTOR, 1, count, 8, NULL);
            const Aff *q = aff_div(t, V(from, 1, 1), by), *r = aff_mod(t, V(from, 1, 1), by);
            store(n, y, AT(0, 1, 1), plus(n, fetch(n, x, (Place){q, 0}), fetch(n, z, (Place){r, 0})));
            store(n, w, AT(0, 1, 1), ex_index(n->g, DT_I64, aff_sub(t, r, aff_scale(t, aff_div(t, V(-20, 1, 1), by), 3))));
            agree(n, 0);
        }
}

Test(emit, gathers_and_scatters) {
    for (int wide = 0; wide <= 1; wide++)
        for (int count = 3; count <= 40; count += 11) {
            NEST;
            DType t = wide ? DT_I64 : DT_I32;
            int ids = array(n, t, count), table = array(n, DT_F32, 12 * 5), y = array(n, DT_F32, count * 5),
                sums = array(n, DT_F32, 12);
            LoopBody *outside = loop(n, FOR_SERIAL, 1, 5, 0, NULL);
            loop(n, FOR_VECTOR, 2, count, 8, NULL);
            Ex row = times(n, fetch(n, ids, AT(0, 1, 2)), ex_int(n->g, t, 5));
            store(n, y, AT(0, 1, 1, 5, 2), fetch(n, table, (Place){V(0, 1, 1), row}));
            n->body = outside;
            loop(n, FOR_SERIAL, 3, count, 0, NULL);
            LoopBody *rows = n->body;
            accumulate(n, sums, (Place){V(0), fetch(n, ids, AT(0, 1, 3))}, RED_SUM, fetch(n, y, AT(0, 5, 3)), false);
            n->body = rows; /* one row for all lanes */
            loop(n, FOR_VECTOR, 4, 5, 4, NULL);
            Ex same = times(n, fetch(n, ids, AT(0, 1, 3)), ex_int(n->g, t, 5));
            accumulate(n, table, (Place){V(0, 1, 4), same}, RED_SUM, ex_float(n->g, DT_F32, 0.5), false);
            agree(n, 1e-6);
        }
}

/* y[perm[v]] = x[v]: different places, one a lane */
Test(emit, stores_at_gathered_places) {
    NEST;
    int x = array(n, DT_F32, 30), y = array(n, DT_F32, 30);
    loop(n, FOR_VECTOR, 1, 30, 8, NULL);
    Ex seven = times(n, ex_index(n->g, DT_I32, V(0, 1, 1)), ex_int(n->g, DT_I32, 7));
    Ex perm = ex_op(n->g, EX_IMOD, seven, ex_int(n->g, DT_I32, 30), 0);
    store(n, y, (Place){V(0), perm}, fetch(n, x, AT(0, 1, 1)));
    agree(n, 0);
}

/* ---- conditions ---- */

/* A window of three with a border of zeros; guards by the lane, by an outer variable, and by both. */
Test(emit, guards) {
    for (int along = 0; along < 3; along++)
        for (int count = 5; count <= 37; count += 16) {
            NEST;
            int rows = 4, x = array(n, DT_F32, rows * count), y = array(n, DT_F32, rows * count);
            loop(n, FOR_SERIAL, 1, rows, 0, NULL);
            LoopBody *row = n->body;
            loop(n, FOR_VECTOR, 2, count, 8, NULL);
            LoopBody *vector = n->body;
            store(n, y, AT(0, count, 1, 1, 2), ex_float(n->g, DT_F32, -1));
            loop(n, along ? FOR_UNROLL : FOR_SERIAL, 3, 3, 0, NULL);
            (void)row, (void)vector;
            int down = along != 0, right = along != 1;
            const Aff *i = V(down ? -1 : 0, 1, 1), *j = V(right ? -1 : 0, 1, 2);
            if (down) i = aff_add(n->g->affs, i, V(0, 1, 3));
            if (right) j = aff_add(n->g->affs, j, V(0, 1, 3));
            Cond conds[] = {{i, 0, rows}, {j, 0, count}};
            const Aff *place = aff_add(n->g->affs, aff_scale(n->g->affs, i, count), j);
            Ex inside = ex_op(n->g, EX_ABS, fetch(n, x, (Place){place, 0}), 0, 0);
            Ex v = ex_guard(n->g, 2, conds, inside, ex_float(n->g, DT_F32, 0.25));
            accumulate(n, y, AT(0, count, 1, 1, 2), RED_SUM, v, false);
            agree(n, 1e-6);
        }
}

/* What is loaded where no lane is active does not exist. */
Test(emit, guarded_places_that_do_not_exist) {
    NEST;
    int x = array(n, DT_F32, 4), y = array(n, DT_F32, 32), z = array(n, DT_F32, 32), f = array(n, DT_F32, 32);
    int few = local(n, BUF_STACK, DT_F32, 4);
    declare(n, few);
    LoopBody *outside = loop(n, FOR_VECTOR, 1, 4, 4, NULL);
    store(n, few, AT(0, 1, 1), fetch(n, x, AT(0, 1, 1)));
    n->body = outside;
    loop(n, FOR_VECTOR, 2, 32, 8, NULL);
    Ex zero = ex_float(n->g, DT_F32, 0);
    Cond small = {V(-3, 1, 2), 0, 4};
    store(n, y, AT(0, 1, 2), ex_guard(n->g, 1, &small, fetch(n, x, AT(-3, 1, 2)), zero));
    store(n, z, AT(0, 1, 2), ex_guard(n->g, 1, &small, fetch(n, few, AT(6, -1, 2)), zero));
    const Aff *half = aff_div(n->g->affs, V(0, 1, 2), 8);
    Cond first = {half, 1, 2};
    Ex one = fetch(n, x, (Place){aff_scale(n->g->affs, aff_add(n->g->affs, half, V(-1)), 3), 0});
    store(n, f, AT(0, 1, 2), ex_guard(n->g, 1, &first, one, zero));
    agree(n, 0);
}

Test(emit, conditional_statements) {
    for (int lane = 0; lane <= 1; lane++) {
        NEST;
        int x = array(n, DT_F32, 60), y = array(n, DT_F32, 60), s = array(n, DT_F32, 1), b = array(n, DT_BOOL, 60);
        loop(n, FOR_SERIAL, 1, 3, 0, NULL);
        loop(n, FOR_VECTOR, 2, 20, 8, NULL);
        Cond some = {lane ? V(0, 3, 2) : V(0, 1, 1), 1, lane ? 31 : 2};
        when(n, 1, &some);
        store(n, y, AT(0, 20, 1, 1, 2), fetch(n, x, AT(59, -20, 1, -1, 2)));
        accumulate(n, s, AT(0), RED_SUM, fetch(n, x, AT(0, 20, 1, 1, 2)), false);
        store(n, b, AT(0, 20, 1, 1, 2), ex_op(n->g, EX_LT, fetch(n, x, AT(0, 20, 1, 1, 2)), ex_float(n->g, DT_F32, 0), 0));
        agree(n, 1e-5);
    }
}

/* ---- accumulation ---- */

static int place_of_sum(Nest *n, int where, DType t) {
    if (where == 0) return array(n, t, 3);
    int b = local(n, where == 1 ? BUF_STACK : BUF_REG, t, 3);
    declare(n, b);
    return b;
}

/* over the lanes of short and long loops, for every type, into memory, stack and registers */
Test(emit, sums_over_lanes) {
    const int counts[] = {1, 7, 16, 61, 203, 520};
    for (size_t ty = 0; ty < COUNT(types); ty++)
        for (int c = RED_SUM; c <= RED_MIN; c++)
            for (size_t k = ty % 2; k < COUNT(counts); k += 2) {
                NEST;
                DType t = types[ty];
                int x = array(n, t, counts[k]), y = array(n, t, 3), acc = place_of_sum(n, (int)(ty + k) % 3, t);
                Ex start = dtype_is_float(t) ? ex_float(n->g, t, 1) : ex_int(n->g, t, 1);
                for (int i = 0; i < 3; i++) store(n, acc, AT(i), start);
                LoopBody *outside = loop(n, FOR_VECTOR, 1, counts[k], 8, NULL);
                Ex v = fetch(n, x, AT(0, 1, 1));
                if (c == RED_PROD && dtype_is_float(t)) /* about 1 */
                    v = plus(n, times(n, v, ex_float(n->g, t, 0.0078125)), ex_float(n->g, t, 1));
                accumulate(n, acc, AT(1), (Combine)c, v, false);
                n->body = outside;
                for (int i = 0; i < 3; i++) store(n, y, AT(i), fetch(n, acc, AT(i)));
                agree(n, t == DT_BF16 ? 3 : t == DT_F16 ? 0.5 : 1e-4);
            }
}

Test(emit, bools_over_lanes) {
    NEST;
    int x = array(n, DT_BOOL, 77), y = array(n, DT_BOOL, 2);
    store(n, y, AT(0), ex_int(n->g, DT_BOOL, 0));
    store(n, y, AT(1), ex_int(n->g, DT_BOOL, 1));
    loop(n, FOR_VECTOR, 1, 77, 8, NULL);
    accumulate(n, y, AT(0), RED_MAX, fetch(n, x, AT(0, 1, 1)), false);
    Ex both = ex_op(n->g, EX_OR, fetch(n, x, AT(0, 1, 1)), ex_op(n->g, EX_NOT, fetch(n, x, AT(0, 1, 1)), 0, 0), 0);
    accumulate(n, y, AT(1), RED_MIN, both, false);
    agree(n, 0);
}

/* places that change inside the vector loop, from vector to vector, and by an unrolled loop */
Test(emit, sums_into_several_places) {
    NEST;
    int x = array(n, DT_F32, 96), y = array(n, DT_F32, 12), z = array(n, DT_F32, 4), w = array(n, DT_F32, 3);
    LoopBody *outside = loop(n, FOR_VECTOR, 1, 96, 8, NULL);
    accumulate(n, y, (Place){aff_div(n->g->affs, V(0, 1, 1), 8), 0}, RED_SUM, fetch(n, x, AT(0, 1, 1)), false);
    LoopBody *vector = n->body;
    loop(n, FOR_UNROLL, 2, 4, 0, NULL);
    accumulate(n, z, AT(0, 1, 2), RED_SUM, plus(n, fetch(n, x, AT(0, 1, 1)), ex_cast(n->g, DT_F32, ex_index(n->g, DT_I32, V(0, 1, 2)))), false);
    n->body = vector;
    loop(n, FOR_SERIAL, 3, 3, 0, NULL);
    accumulate(n, w, AT(0, 1, 3), RED_MAX, fetch(n, x, AT(95, -1, 1)), false);
    n->body = outside;
    agree(n, 1e-5);
}

Test(emit, nan_wins) {
    for (int c = RED_MAX; c <= RED_MIN; c++)
        for (int at = 0; at < 20; at += 6) {
            NEST;
            int x = array(n, DT_F32, 20), y = array(n, DT_F32, 1);
            loop(n, FOR_VECTOR, 1, 20, 8, NULL);
            Cond here = {V(0, 1, 1), at, at + 1};
            Ex v = ex_guard(n->g, 1, &here, ex_float(n->g, DT_F32, (double)NAN), fetch(n, x, AT(0, 1, 1)));
            accumulate(n, y, AT(0), (Combine)c, v, false);
            agree(n, 0);
        }
}

/* An array that the loop changes is read again in every iteration. */
Test(emit, reads_after_writes) {
    NEST;
    int x = array(n, DT_F32, 40), y = array(n, DT_F32, 40);
    store(n, y, AT(0), fetch(n, x, AT(0)));
    loop(n, FOR_SERIAL, 1, 39, 0, NULL);
    store(n, y, AT(1, 1, 1), plus(n, fetch(n, y, AT(0, 1, 1)), fetch(n, x, AT(0))));
    store(n, x, AT(0), times(n, fetch(n, x, AT(0)), ex_float(n->g, DT_F32, 0.5)));
    agree(n, 0);
}

/* Two buffers over the same bytes: what is read after the store is what was stored. */
Test(emit, in_place) {
    NEST;
    int x = array(n, DT_F32, 50);
    Buffer over = n->unit.buffers.at[x];
    vec_push(&n->unit.buffers, over);
    int same = (int)n->unit.buffers.len - 1, y = array(n, DT_F32, 50);
    loop(n, FOR_VECTOR, 1, 50, 8, NULL);
    Ex v = fetch(n, x, AT(0, 1, 1));
    store(n, same, AT(0, 1, 1), times(n, v, ex_float(n->g, DT_F32, 3)));
    store(n, y, AT(0, 1, 1), v);
    finish(n);
    static const char *const cpu = "native";
    Compiled c = compile_for(n, cpu);
    float data[50], out[50];
    for (int i = 0; i < 50; i++) data[i] = (float)i;
    call(&c, (void *[]){data, out}, 2);
    for (int i = 0; i < 50; i++) cr_expect(data[i] == (float)(3 * i) && out[i] == data[i]);
    jit_free(c.code);
    nest_end(n);
}

/* A product in a tile of registers, with rows and columns that are no multiples of it. */
Test(emit, register_tiles) {
    NEST;
    int rows = 11, cols = 24, depth = 17, mr = 4, nr = 16;
    int a = array(n, DT_F32, rows * depth), b = array(n, DT_F32, depth * 32), c = array(n, DT_F32, rows * cols);
    int acc = local(n, BUF_REG, DT_F32, mr * nr);
    n->kernel.tiles = 3;
    loop(n, FOR_SERIAL, 1, 2, 0, NULL);
    LoopBody *tile = n->body;
    declare(n, acc);
    loop(n, FOR_UNROLL, 2, mr, 0, NULL);
    loop(n, FOR_VECTOR, 3, nr, 8, NULL);
    store(n, acc, AT(0, nr, 2, 1, 3), ex_float(n->g, DT_F32, 0));
    n->body = tile;
    loop(n, FOR_SERIAL, 4, depth, 0, NULL);
    loop(n, FOR_UNROLL, 2, mr, 0, NULL);
    loop(n, FOR_VECTOR, 3, nr, 8, NULL);
    Cond row = {V(0, mr, 0, 1, 2), 0, rows};
    Ex left = ex_guard(n->g, 1, &row, fetch(n, a, AT(0, mr * depth, 0, depth, 2, 1, 4)), ex_float(n->g, DT_F32, 0));
    accumulate(n, acc, AT(0, nr, 2, 1, 3), RED_SUM, times(n, left, fetch(n, b, AT(0, 32, 4, nr, 1, 1, 3))), true);
    n->body = tile;
    loop(n, FOR_UNROLL, 2, mr, 0, V(rows, -mr, 0));
    loop(n, FOR_VECTOR, 3, nr, 8, V(cols, -nr, 1));
    store(n, c, AT(0, mr * cols, 0, cols, 2, nr, 1, 1, 3), fetch(n, acc, AT(0, nr, 2, 1, 3)));
    agree(n, 1e-5);
}

/* ---- every operation ---- */

static const double specials[] = {0,   -0.0, 1,    -1,        2,         -2,         0.5,   -0.5,      1.5,  2.5,
                                  3,   -3,   7,    127,       128,       -128,       -129,  255,       256,  65504,
                                  1e9, -1e9, 1e19, -1e19,     2147483647, -2147483648.0, 1e-40, 5e-324,  1e38, 1e300,
                                  0.1, 100,  -0.3, INFINITY, -INFINITY, (double)NAN};

/* Values that show what a type does at its ends. */
static Scalar special(DType t, int i) {
    double f = specials[i % (int)COUNT(specials)];
    if (dtype_is_float(t)) return (Scalar){.f = scalar_round(t, f)};
    return scalar_cast(t, DT_F64, (Scalar){.f = f});
}

/* z[i] = op(x[i], y[i]) with all pairs of special values */
static void all_pairs(ExKind op, DType t, DType to, int lanes) {
    enum { SIDE = COUNT(specials), PAIRS = SIDE * SIDE };
    NEST;
    int x = array(n, t, PAIRS), y = array(n, t, PAIRS), z = array(n, to, PAIRS);
    loop(n, lanes > 1 ? FOR_VECTOR : FOR_SERIAL, 1, PAIRS, lanes, NULL);
    Ex a = fetch(n, x, AT(0, 1, 1)), b = op != EX_CAST && op_info(op)->arity > 1 ? fetch(n, y, AT(0, 1, 1)) : 0;
    if (op == EX_SELECT) store(n, z, AT(0, 1, 1), ex_op(n->g, op, ex_op(n->g, EX_LT, a, b, 0), a, b));
    else store(n, z, AT(0, 1, 1), op == EX_CAST ? ex_cast(n->g, to, a) : ex_op(n->g, op, a, b, 0));
    finish(n);
    const char *cpus[4];
    int ncpus = runnable(cpus);
    char *data[3];
    for (int i = 0; i < 3; i++) data[i] = xcalloc(PAIRS, 8);
    for (int i = 0; i < PAIRS; i++) {
        scalar_write(t, data[0], i, special(t, i / SIDE));
        scalar_write(t, data[1], i, special(t, i % SIDE));
    }
    for (int c = 0; c < ncpus; c++) {
        Compiled code = compile_for(n, cpus[c]);
        call(&code, (void **)data, 3);
        void *want[BASE_FIRST_INPUT + 3] = {NULL, NULL, data[0], data[1], xcalloc(PAIRS, 8)};
        loop_interp_run(&n->unit, want);
        for (int i = 0; i < PAIRS; i++) {
            Scalar got = scalar_read(to, data[2], i), right = scalar_read(to, want[4], i);
            if (agrees(to, got, right, t == DT_F64 ? 1e-15 : t == DT_F32 ? 3e-7 : 0)) continue;
            cr_expect_fail("%s, %d lanes: %s of %s to %s of pair %d: %g or %lld, not %g or %lld", cpus[c], lanes,
                           op_info(op)->name, dtype_name(t), dtype_name(to), i, got.f, (long long)got.i, right.f,
                           (long long)right.i);
            break;
        }
        free(want[4]);
        jit_free(code.code);
    }
    for (int i = 0; i < 3; i++) free(data[i]);
    nest_end(n);
}

static bool applies(ExKind op, DType t) {
    switch (op_info(op)->type) {
    case OPT_SAME: return t != DT_BOOL;
    case OPT_FLOAT: return dtype_is_float(t);
    case OPT_COMPARE: return true;
    case OPT_LOGIC: return t == DT_BOOL;
    case OPT_INTEGER: return !dtype_is_float(t) && t != DT_BOOL;
    default: return false;
    }
}

static void every_operation(int lanes) {
    static const ExKind ops[] = {
#define OP(id, name, arity, type, flags, fold, deriv, emit, cost, synopsis) EX_##id,
#include "compiler/ir/ops.def"
#undef OP
    };
    for (size_t o = 0; o < COUNT(ops); o++)
        for (int t = 0; t < DT_COUNT; t++) {
            DType result = op_info(ops[o])->type == OPT_COMPARE ? DT_BOOL : (DType)t;
            if (applies(ops[o], (DType)t)) all_pairs(ops[o], (DType)t, result, lanes);
            if (ops[o] == EX_SELECT) all_pairs(EX_SELECT, (DType)t, (DType)t, lanes);
            for (int to = 0; to < DT_COUNT && ops[o] == EX_CAST; to++)
                if (to != t) all_pairs(EX_CAST, (DType)t, (DType)to, lanes);
        }
}

Test(emit, every_operation_on_scalars, .timeout = 300) { every_operation(1); }
Test(emit, every_operation_on_vectors, .timeout = 300) { every_operation(8); }

Test(emit, random_bits) {
    NEST;
    int key = array(n, DT_I32, 2), y = array(n, DT_I32, 70);
    loop(n, FOR_VECTOR, 1, 70, 8, NULL);
    Ex i = ex_index(n->g, DT_I32, V(0, 1, 1)), k = fetch(n, key, AT(0));
    store(n, y, AT(0, 1, 1), ex_random(n->g, k, fetch(n, key, AT(1)), i, ex_int(n->g, DT_I32, -5)));
    agree(n, 0);
}

/* ---- units ---- */

static Nest squares(void) {
    NEST;
    int x = array(n, DT_F32, 1000), y = array(n, DT_F32, 1000);
    n->kernel.tiles = 10;
    loop(n, FOR_VECTOR, 1, 100, 8, NULL);
    Ex v = fetch(n, x, AT(0, 100, 0, 1, 1));
    store(n, y, AT(0, 100, 0, 1, 1), times(n, v, v));
    return nest;
}

Test(emit, parallel_tiles) {
    Nest n = squares();
    n.unit.parallel = true;
    finish(&n);
    Compiled c = compile_for(&n, NULL);
    float x[1000], y[1000];
    void *bases[] = {NULL, NULL, x, y};
    for (int i = 0; i < 1000; i++) x[i] = (float)i;
    RtPool *pool = rt_pool_new(3);
    RtCall rt = rt_call(pool);
    for (int round = 0; round < 2; round++) {
        memset(y, 0, sizeof y);
        c.function(bases, round ? &rt : NULL);
        for (int i = 0; i < 1000; i++) cr_expect(y[i] == x[i] * x[i]);
    }
    rt_pool_free(pool);
    jit_free(c.code);
    nest_end(&n);
}

/* Two units under one name in one module, each with constant data of its own. */
Test(emit, several_units) {
    static const float data[2][3] = {{1, 2, 3}, {4, 5, 6}};
    Nest nests[2];
    LoopUnit *units[2];
    for (int i = 0; i < 2; i++) {
        Nest *n = &nests[i];
        nest_begin(n);
        int y = array(n, DT_F32, 3);
        vec_push(&n->unit.buffers, (Buffer){.kind = BUF_MEMORY, .dtype = DT_F32, .base = -1, .elems = 3, .constant = data[i]});
        loop(n, FOR_VECTOR, 1, 3, 4, NULL);
        store(n, y, AT(0, 1, 1), fetch(n, 1, AT(0, 1, 1)));
        finish(n);
        units[i] = &n->unit;
    }
    JitCode *code = llvm_jit(nests[0].nnc, units, 2, NULL);
    for (int i = 0; i < 2; i++) {
        float y[3];
        void *bases[] = {NULL, NULL, y};
        jit_function(code, i)(bases, NULL);
        for (int j = 0; j < 3; j++) cr_expect_eq(y[j], data[i][j]);
    }
    jit_free(code);
    for (int i = 0; i < 2; i++) nest_end(&nests[i]);
}

/* ---- targets ---- */

Test(emit, machines) {
    static const struct {
        const char *triple, *cpu;
        int bytes, registers;
        bool fma;
    } rows[] = {
        {"x86_64-linux-gnu", NULL, 16, 16, false},         {"x86_64-linux-gnu", "x86-64-v3", 32, 16, true},
        {"x86_64-linux-gnu", "x86-64-v4", 64, 32, true},   {"x86_64-linux-gnu", "skylake-avx512", 64, 32, true},
        {"aarch64-linux-gnu", NULL, 16, 32, true},         {"aarch64-apple-darwin", "apple-m1", 16, 32, true},
        {"riscv64-linux-gnu", NULL, 16, 32, true},         {"wasm32-wasi", NULL, 16, 32, false},
    };
    Nnc *nnc = nnc_new();
    for (size_t i = 0; i < COUNT(rows); i++) {
        Machine m;
        cr_assert(llvm_machine(nnc, rows[i].triple, rows[i].cpu, &m));
        cr_expect_eq(m.vector_bytes, rows[i].bytes, "%s %d", rows[i].triple, m.vector_bytes);
        cr_expect_eq(m.registers, rows[i].registers, "%s %d", rows[i].triple, m.registers);
        cr_expect_eq(m.fma, rows[i].fma);
        cr_expect(m.l1 >= 1 << 13 && m.l2 >= m.l1);
    }
    nnc_free(nnc);
}

static void expect_refused(const char *triple, const char *cpu, DiagId id, const char *help) {
    Nnc *nnc = nnc_new();
    Machine m;
    cr_expect_not(llvm_machine(nnc, triple, cpu, &m));
    cr_assert_eq(nnc->diags.list.len, 1);
    const Diag *d = nnc->diags.list.at[0];
    cr_expect_eq(d->id, id);
    cr_expect(d->helps.len && strstr(d->helps.at[0], help), "%s", d->helps.len ? d->helps.at[0] : "no help");
    nnc_free(nnc);
}

Test(emit, unknown_targets) {
    expect_refused("x86_64-linux-gnu", "skylke", DIAG_cpu_unknown, "skylake");
    expect_refused("aarch64-linux-gnu", "x86-64-v3", DIAG_cpu_unknown, "cortex");
    expect_refused("aarch64-linux-gnu", "native", DIAG_cpu_unknown, "cortex");
    expect_refused("pdp11-unknown-none", NULL, DIAG_target_unknown, "x86_64-linux-gnu");
}

/* ---- objects ---- */

static char *file_text(const char *path) {
    FILE *f = fopen(path, "rb");
    cr_assert_not_null(f);
    Str s = {0};
    char part[4096];
    for (size_t got; (got = fread(part, 1, sizeof part, f)) > 0;) str_put(&s, part, got);
    fclose(f);
    return s.at;
}

/* every function of the mathematics needs no library */
static Nest everything(DType t, int lanes) {
    NEST;
    int x = array(n, t, 100), y = array(n, t, 100);
    static const ExKind ops[] = {EX_FLOOR, EX_ROUND, EX_SQRT, EX_EXP, EX_LOG, EX_SIN,  EX_TAN,
                                 EX_ATAN,  EX_TANH,  EX_ERF,  EX_CEIL, EX_TRUNC, EX_LOG1P, EX_EXPM1};
    loop(n, FOR_VECTOR, 1, 100, lanes, NULL);
    Ex v = fetch(n, x, AT(0, 1, 1));
    for (size_t i = 0; i < COUNT(ops); i++) v = ex_op(n->g, ops[i], v, 0, 0);
    v = ex_op(n->g, EX_POW, v, fetch(n, x, AT(99, -1, 1)), 0);
    v = ex_cast(n->g, t, ex_cast(n->g, DT_F16, ex_cast(n->g, t, ex_cast(n->g, DT_BF16, v))));
    v = plus(n, v, ex_cast(n->g, t, ex_cast(n->g, DT_I64, v)));
    store(n, y, AT(0, 1, 1), v);
    return nest;
}

Test(emit, objects_are_freestanding) {
    static const struct {
        const char *triple, *cpu;
    } targets[] = {{"x86_64-linux-gnu", NULL},      {"x86_64-linux-gnu", "x86-64-v3"}, {"x86_64-linux-gnu", "x86-64-v4"},
                   {"aarch64-linux-gnu", NULL},     {"riscv64-linux-gnu", NULL},       {"wasm32-wasi", NULL},
                   {"x86_64-pc-windows-msvc", NULL}};
    for (size_t i = 0; i < COUNT(targets); i++) {
        Nest n = everything(i % 2 ? DT_F32 : DT_F64, 4);
        finish(&n);
        char path[] = "/tmp/nnc-emit-XXXXXX";
        int fd = mkstemp(path);
        cr_assert(fd >= 0);
        ObjectEntry entry = {&n.unit, "apply"};
        cr_assert(llvm_object(n.nnc, &entry, 1, "abcd", 4, targets[i].triple, targets[i].cpu, EMIT_LLVM, path));
        char *text = file_text(path);
        for (char *line = strstr(text, "\ndeclare"); line; line = strstr(line + 1, "\ndeclare"))
            cr_expect(strstr(line, "@llvm.") && strstr(line, "@llvm.") < strchr(line + 1, '\n'), "%s: %.80s",
                      targets[i].triple, line);
        free(text);
        cr_assert(llvm_object(n.nnc, &entry, 1, "abcd", 4, targets[i].triple, targets[i].cpu, EMIT_ASM, path));
        text = file_text(path);
        static const char *const libraries[] = {"floor", "fma", "exp", "__ext", "__trunc", "__fix", "__float", "roundeven", "nearbyint"};
        for (size_t k = 0; k < COUNT(libraries); k++)
            for (char *at = strstr(text, "call"); at; at = strstr(at + 1, "call")) {
                char *end = strchr(at, '\n'), *hit = strstr(at, libraries[k]);
                cr_expect(!hit || hit > end, "%s: %.*s", targets[i].triple, (int)(end - at), at);
            }
        free(text);
        remove(path);
        nest_end(&n);
    }
}

Test(emit, unwritable_file) {
    Nest n = squares();
    finish(&n);
    ObjectEntry entry = {&n.unit, "squares"};
    cr_expect_not(llvm_object(n.nnc, &entry, 1, NULL, 0, NULL, NULL, EMIT_OBJECT, "/nowhere/at/all.o"));
    cr_expect_eq(n.nnc->diags.list.at[0]->id, DIAG_output_failed);
    nest_end(&n);
}
