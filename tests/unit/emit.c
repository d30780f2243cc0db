/* links: nnc_linked nnc_loop nnc_reference nnc_ir */
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
        for (int width = 4; width <= 16; width *= 2) {
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
            int x = array(n, DT_F32, reach), y = array(n, DT_F32, MAX(reach, count)),
                z = array(n, DT_U8, MAX(reach, count));
            loop(n, FOR_VECTOR, 1, count, 8, NULL);
            int first = stride < 0 ? reach - 1 : 0;
            Place at = stride ? AT(first, stride, 1) : AT(0);
            store(n, y, AT(0, 1, 1), fetch(n, x, at));
            if (stride) store(n, z, AT(first, stride, 1), ex_cast(n->g, DT_U8, ex_index(n->g, DT_I32, V(3, 2, 1))));
            agree(n, 0);
        }
}

/* Vectors stored side by side are transposed: fewer and more of them than lanes, of both sizes, with gaps between, in
 * place of what other iterations read, and where the last vector is not whole. */
Test(emit, interleaved_stores) {
    const int rows[] = {3, 6, 8, 17};
    for (size_t r = 0; r < COUNT(rows); r++)
        for (int width = 4; width <= 16; width *= 2)
            for (int kind = 0; kind < 4; kind++) {
                NEST;
                DType t = kind == 1 ? DT_F64 : DT_F32;
                int count = 45, n_rows = rows[r], step = n_rows + (kind == 2);
                int x = array(n, t, n_rows * count), y = array(n, t, step * count);
                loop(n, FOR_VECTOR, 1, count, width, NULL);
                loop(n, FOR_UNROLL, 2, n_rows, 0, NULL);
                Ex value = times(n, fetch(n, x, AT(0, 1, 1, count, 2)), fetch(n, x, AT(0, 1, 2)));
                if (kind == 3) value = plus(n, value, fetch(n, y, AT(0, step, 1, 1, 2)));
                store(n, y, AT(0, step, 1, 1, 2), value);
                agree(n, 0);
            }
}

/* The same in three tiles of 45 iterations over 104 or 77: what the last ones have over is known. */
Test(emit, interleaved_stores_in_tiles) {
    const int rows[] = {3, 6, 17}, totals[] = {104, 77};
    for (size_t i = 0; i < COUNT(rows) * COUNT(totals); i++)
        for (int width = 4; width <= 16; width *= 2) {
            NEST;
            int count = 45, n_rows = rows[i / 2], total = totals[i % 2];
            int x = array(n, DT_F32, n_rows * total), y = array(n, DT_F32, n_rows * total);
            n->kernel.tiles = 3;
            loop(n, FOR_VECTOR, 1, count, width, V(total, -count, 0));
            loop(n, FOR_UNROLL, 2, n_rows, 0, NULL);
            store(n, y, AT(0, count * n_rows, 0, n_rows, 1, 1, 2), fetch(n, x, AT(0, count, 0, 1, 1, total, 2)));
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
            store(n, w, AT(0, 1, 1),
                  ex_index(n->g, DT_I64, aff_sub(t, r, aff_scale(t, aff_div(t, V(-20, 1, 1), by), 3))));
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
        store(n, b, AT(0, 20, 1, 1, 2),
              ex_op(n->g, EX_LT, fetch(n, x, AT(0, 20, 1, 1, 2)), ex_float(n->g, DT_F32, 0), 0));
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
    accumulate(n, z, AT(0, 1, 2), RED_SUM,
               plus(n, fetch(n, x, AT(0, 1, 1)), ex_cast(n->g, DT_F32, ex_index(n->g, DT_I32, V(0, 1, 2)))), false);
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

/* LLVM's passes must not turn this into a comparison of x. */
Test(emit, largest_of_zero_and_size) {
    NEST;
    int x = array(n, DT_F32, 40), y = array(n, DT_F32, 40);
    loop(n, FOR_VECTOR, 1, 8, 8, NULL);
    Ex size = ex_op(n->g, EX_ABS, fetch(n, x, AT(0, 1, 1)), 0, 0);
    Ex lane = ex_cast(n->g, DT_F32, ex_index(n->g, DT_I32, V(0, 1, 1))), zero = ex_op(n->g, EX_SUB, lane, lane, 0);
    store(n, y, AT(0, 1, 1), ex_op(n->g, EX_MAX, zero, size, 0)); /* the zero is known to LLVM alone */
    agree(n, 0);
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
    finish(&n);
    Compiled c = compile_for(&n, NULL);
    float x[1000], y[1000];
    const void *bases[] = {NULL, NULL, x, y};
    for (int i = 0; i < 1000; i++) x[i] = (float)i;
    RtPool *pool = rt_pool_new(3);
    for (int round = 0; round < 2; round++) {
        memset(y, 0, sizeof y);
        jit_run(c.code, 0, bases, round ? pool : NULL, NULL);
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
        vec_push(&n->unit.buffers,
                 (Buffer){.kind = BUF_MEMORY, .dtype = DT_F32, .base = -1, .elems = 3, .constant = data[i]});
        loop(n, FOR_VECTOR, 1, 3, 4, NULL);
        store(n, y, AT(0, 1, 1), fetch(n, 1, AT(0, 1, 1)));
        finish(n);
        units[i] = &n->unit;
    }
    JitCode *code = jit_new(nests[0].nnc, units, 2, NULL, false);
    for (int i = 0; i < 2; i++) {
        float y[3];
        const void *bases[] = {NULL, NULL, y};
        jit_run(code, i, bases, NULL, NULL);
        for (int j = 0; j < 3; j++) cr_expect_eq(y[j], data[i][j]);
    }
    jit_free(code);
    for (int i = 0; i < 2; i++) nest_end(&nests[i]);
}
