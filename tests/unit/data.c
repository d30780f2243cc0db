/* links: nnc_rt */
/* Data sets: sources by their values, combinators, facts. Damaged files are in malformed.c. */
#include "runtime/data.h"
#include "runtime/files.h"
#include "runtime/npy.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Writes bytes to a temporary file of this process and gives its path. */
static const char *file_of(char *path, const void *bytes, size_t size) {
    const char *folder = getenv("TMPDIR");
    RtError e;
    snprintf(path, 256, "%s/rt-data-%ld", folder != NULL ? folder : "/tmp", (long)getpid());
    cr_assert(rt_file_replace(path, bytes, size, &e), "%s", e.text);
    return path;
}

static RtData *csv(const char *text, const char *target, RtError *e) {
    char path[256];
    RtData *d = rt_data_csv(file_of(path, text, strlen(text)), &(RtCsvOptions){.target = target}, e);
    unlink(path);
    return d;
}

/* A data set of i32 scalars start, start + 1, … */
static RtData *counting(int64_t n, int32_t start) {
    RtArray a = {.dtype = RT_I32, .rank = 1, .dims = {n}};
    RtError e;
    cr_assert(rt_array_alloc(&a, "test", &e));
    for (int64_t i = 0; i < n; i++) ((int32_t *)a.data)[i] = start + (int32_t)i;
    return rt_data_from_array(&a, "n", "test", &e);
}

/* The value of sample i of a field of scalars. */
static double value(const RtData *d, int field, int64_t i) {
    const RtField *f = &d->fields[field];
    return rt_element(f->data, f->dtype, d->rows == NULL ? i : d->rows[i]);
}

/* ---- arrays ---- */

Test(array, half_floats) {
    for (uint32_t h = 0; h < 65536; h++) { /* every one survives the way to f32 and back */
        float f = rt_f16_to_f32((uint16_t)h), b = rt_bf16_to_f32((uint16_t)h);
        cr_assert(isnan(f) || rt_f32_to_f16(f) == h, "%x", h);
        cr_assert(isnan(b) || rt_f32_to_bf16(b) == h, "%x", h);
        cr_assert(!isnan(f) || isnan(rt_f16_to_f32(rt_f32_to_f16(f))));
        cr_assert(!isnan(b) || isnan(rt_bf16_to_f32(rt_f32_to_bf16(b))));
    }
    static const struct {
        float f;
        uint16_t h;
    } known[] = {{1, 0x3C00},    {65504, 0x7BFF}, {65519.996F, 0x7BFF},     {65520, 0x7C00},
                 {0x1p-24F, 1},  {0x1p-25F, 0},   {0x1.8p-25F, 1},          {-0x1p-14F, 0x8400},
                 {2049, 0x6800}, {2051, 0x6802},  {0x1.ffep-15F, 0x3FF + 1}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        cr_expect(rt_f32_to_f16(known[i].f) == known[i].h, "%g: %x", (double)known[i].f, rt_f32_to_f16(known[i].f));
    }
}

static bool converts(RtDType from, double v, RtDType to) {
    RtArray in = {.dtype = RT_F64, .data = &v}, typed, out;
    RtError e;
    cr_assert(rt_array_convert(&in, from, &typed, "test", &e), "%s", e.text);
    bool good = rt_array_convert(&typed, to, &out, "test", &e);
    if (good) {
        cr_expect(!rt_dtype_is_float(to) || rt_dtype_is_float(from) || rt_element(out.data, to, 0) == v);
        rt_array_free(&out);
    }
    rt_array_free(&typed);
    return good;
}

Test(array, converts_only_without_loss) {
    cr_expect(converts(RT_I64, 255, RT_U8) && !converts(RT_I64, 256, RT_U8) && !converts(RT_I64, -1, RT_U8));
    cr_expect(converts(RT_I64, 2147483647, RT_I32) && !converts(RT_I64, 2147483648, RT_I32));
    cr_expect(converts(RT_F64, 3, RT_I32) && !converts(RT_F64, 3.5, RT_I32) && !converts(RT_F64, NAN, RT_I32));
    cr_expect(converts(RT_I32, 16777216, RT_F32) && !converts(RT_I32, 16777217, RT_F32));
    cr_expect(converts(RT_I32, 2048, RT_F16) && !converts(RT_I32, 2049, RT_F16));
    cr_expect(converts(RT_F64, 0.1, RT_F32) && !converts(RT_F64, 1e300, RT_F32) && converts(RT_F64, INFINITY, RT_F32));
    cr_expect(converts(RT_U8, 1, RT_BOOL) && !converts(RT_U8, 2, RT_BOOL));
}

Test(array, element_types_are_the_compilers) {
    static const struct {
        const char *name;
        size_t size;
    } rows[] = {
#define DTYPE(id, name, bytes, is_float, c, np) {name, bytes},
#include "compiler/base/dtype.def"
#undef DTYPE
    };
    cr_assert(sizeof rows / sizeof *rows == RT_DTYPE_COUNT);
    for (int i = 0; i < RT_DTYPE_COUNT; i++) {
        cr_expect_str_eq(rt_dtype_name((RtDType)i), rows[i].name);
        cr_expect(rt_dtype_size((RtDType)i) == rows[i].size);
    }
}

Test(array, npy_round_trip) {
    char path[256];
    RtError e;
    file_of(path, "", 0);
    float v[6] = {1, 2, 3, 4, 5, NAN};
    RtArray in = {.dtype = RT_F32, .rank = 2, .dims = {2, 3}, .data = v}, out;
    cr_assert(rt_npy_write(path, &in, &e), "%s", e.text);
    cr_assert(rt_npy_read(path, &out, &e), "%s", e.text);
    cr_expect(out.dtype == RT_F32 && out.rank == 2 && out.dims[0] == 2 && out.dims[1] == 3);
    cr_expect(memcmp(out.data, v, sizeof v) == 0);
    rt_array_free(&out);
    in = (RtArray){.dtype = RT_BF16, .data = (uint16_t[]){0x3F80}};
    cr_assert(rt_npy_write(path, &in, &e), "%s", e.text);
    cr_assert(rt_npy_read(path, &out, &e), "%s", e.text);
    cr_expect(out.dtype == RT_F32 && out.rank == 0 && *(float *)out.data == 1);
    rt_array_free(&out);
    unlink(path);
}

/* ---- sources ---- */

Test(data, idx_int16_becomes_i32) {
    char path[256];
    RtError e;
    const uint8_t bytes[] = {0, 0, 0x0B, 1, 0, 0, 0, 3, 0xFF, 0xFE, 0x01, 0x00, 0x7F, 0xFF};
    RtData *d = rt_data_idx(file_of(path, bytes, sizeof bytes), &e);
    unlink(path);
    cr_assert_not_null(d, "%s", e.text);
    cr_expect(d->count == 3 && d->fields[0].dtype == RT_I32 && d->fields[0].rank == 0);
    cr_expect(value(d, 0, 0) == -2 && value(d, 0, 1) == 256 && value(d, 0, 2) == 32767);
    cr_expect(rt_data_classes(d, &e) == -1 && strstr(e.text, "-2") != NULL);
    rt_data_free(d);
}

Test(data, csv_kinds_of_columns) {
    RtError e;
    RtData *d = csv("size, colour ,y\n1.5,red,b\n-2,\"light, blue\",a\n3e1,red,c\n", "y", &e);
    cr_assert_not_null(d, "%s", e.text);
    cr_assert(d->count == 3 && d->nfields == 2);
    const RtField *x = &d->fields[0], *y = &d->fields[1];
    const float want[3][3] = {{1.5F, 0, 1}, {-2, 1, 0}, {30, 0, 1}};
    cr_expect(x->dtype == RT_F32 && x->rank == 1 && x->dims[0] == 3 && memcmp(x->data, want, sizeof want) == 0);
    cr_expect(x->nnames == 3);
    cr_expect_str_eq(x->names[0], "size");
    cr_expect_str_eq(x->names[1], "colour=light, blue");
    cr_expect(y->dtype == RT_I32 && y->rank == 0 && y->nnames == 3 && rt_data_classes(d, &e) == 3);
    cr_expect_str_eq(y->names[2], "c");
    cr_expect(value(d, 1, 0) == 1 && value(d, 1, 1) == 0 && value(d, 1, 2) == 2);
    rt_data_free(d);
}

Test(data, csv_targets) {
    RtError e;
    RtData *d = csv("x,y\n1,4\n2,0\n", "y", &e);
    cr_assert_not_null(d, "%s", e.text);
    cr_expect(d->fields[1].dtype == RT_I32 && rt_data_classes(d, &e) == 5);
    rt_data_free(d);
    d = csv("x,y\n1,4.5\n2,0\n", "y", &e);
    cr_assert_not_null(d, "%s", e.text);
    cr_expect(d->fields[1].dtype == RT_F32 && value(d, 1, 0) == 4.5 && rt_data_label_field(d) == -1);
    rt_data_free(d);
    d = csv("x,y\n1,4\n2,0\n", NULL, &e);
    cr_assert_not_null(d, "%s", e.text);
    cr_expect(d->nfields == 1 && d->fields[0].dims[0] == 2);
    rt_data_free(d);
    d = csv("5.1,3.5,setosa\r\n4.9,3,virginica\r\n", "3", &e); /* no header: columns by number */
    cr_assert_not_null(d, "%s", e.text);
    cr_expect(d->count == 2 && d->fields[0].dims[0] == 2 && value(d, 1, 1) == 1);
    cr_expect_str_eq(d->fields[0].names[1], "2");
    rt_data_free(d);
    d = csv("a,y\n\"say \"\"hi\"\"\",0\nplain,1\n", "y", &e);
    cr_assert_not_null(d, "%s", e.text);
    cr_expect_str_eq(d->fields[0].names[1], "a=say \"hi\"");
    rt_data_free(d);
}

static void expect_csv_error(const char *text, const char *target, const char *part) {
    RtError e = {.number = 0};
    cr_expect_null(csv(text, target, &e), "%s", text);
    cr_expect_not_null(strstr(e.text, part), "'%s' lacks '%s'", e.text, part);
}

Test(data, csv_errors_name_the_place) {
    expect_csv_error("a,y\n1,0\n\n2 ,x\n", "y", ":4:4: column 'y': 'x'");
    expect_csv_error("a,y\n\"q\n\nr\",0\ns,\n", "y", ":5:3: column 'y'"); /* the quoted lines count */
    expect_csv_error("a,y\n1,0\n", "z", "no column 'z'");
    expect_csv_error("a,y\nred,0\n3,1\n", "y", "the number '3' in a column of text");
    expect_csv_error("a\n1\n", "a", "no column but the target");
    expect_csv_error("a,y\n\"1\"x,0\n", "y", ":2:4: text after a closing quote");
}

Test(data, csv_refuses_text_of_too_many_kinds) {
    char text[8192] = "name,y\n";
    for (int i = 0; i < 300; i++) sprintf(text + strlen(text), "n%d,%d\n", i, i % 2);
    expect_csv_error(text, "y", "more than 256 different values");
    RtError e;
    RtData *d = csv(text, "name", &e); /* as a target they are classes */
    cr_assert_not_null(d, "%s", e.text);
    cr_expect(rt_data_classes(d, &e) == 300);
    rt_data_free(d);
}

/* ---- combinators ---- */

Test(data, take_and_skip) {
    RtError e;
    RtData *d = counting(10, 0), *tail = rt_data_skip(d, 7, &e), *one = rt_data_take(tail, 1, &e);
    rt_data_free(d); /* the views keep the memory */
    cr_expect(tail->count == 3 && value(tail, 0, 0) == 7 && value(tail, 0, 2) == 9);
    cr_expect(one->count == 1 && value(one, 0, 0) == 7);
    RtData *all = rt_data_take(tail, 100, &e);
    cr_expect(all->count == 3);
    cr_expect_null(rt_data_skip(tail, 3, &e));
    cr_expect_null(rt_data_take(tail, 0, &e));
    rt_data_free(all);
    rt_data_free(tail);
    rt_data_free(one);
}

Test(data, split_is_disjoint_complete_and_steady) {
    RtError e;
    RtData *d = counting(150, 0), *parts[2], *again[2];
    cr_assert(rt_data_split(d, 0.8, parts, &e), "%s", e.text);
    cr_assert(rt_data_split(d, 0.8, again, &e), "%s", e.text);
    cr_expect(parts[0]->count == 120 && parts[1]->count == 30);
    int seen[150] = {0}, thirds[3] = {0};
    for (int p = 0; p < 2; p++) {
        for (int64_t i = 0; i < parts[p]->count; i++) {
            int v = (int)value(parts[p], 0, i);
            seen[v]++;
            if (p == 1) thirds[v / 50]++;
            cr_expect(i == 0 || value(parts[p], 0, i - 1) < v, "the order of the file");
            cr_expect(value(again[p], 0, i) == v);
        }
    }
    for (int i = 0; i < 150; i++) cr_expect(seen[i] == 1);
    for (int i = 0; i < 3; i++) cr_expect(thirds[i] >= 4, "a sorted file splits well: %d of third %d", thirds[i], i);
    RtData *none[2];
    cr_expect(!rt_data_split(parts[1], 0.001, none, &e) && none[0] == NULL && none[1] == NULL);
    cr_expect(!rt_data_split(parts[1], 1, none, &e));
    for (int p = 0; p < 2; p++) {
        rt_data_free(parts[p]);
        rt_data_free(again[p]);
    }
    rt_data_free(d);
}

Test(data, zip_shares_or_copies) {
    RtError e;
    RtData *a = counting(10, 0), *b = counting(10, 100), *c = counting(3, 50);
    RtData *both = rt_data_zip((const RtData *const[]){a, b}, 2, &e);
    cr_expect(both->nfields == 2 && both->fields[0].data == a->fields[0].data && both->rows == NULL);
    RtData *tail = rt_data_skip(both, 7, &e);
    RtData *mixed = rt_data_zip((const RtData *const[]){tail, c}, 2, &e); /* rows 7..9 beside rows 0..2 */
    cr_assert(mixed->count == 3 && mixed->nfields == 3);
    for (int i = 0; i < 3; i++) {
        cr_expect(value(mixed, 0, i) == 7 + i && value(mixed, 1, i) == 107 + i && value(mixed, 2, i) == 50 + i);
    }
    RtData *same = rt_data_zip((const RtData *const[]){tail, tail}, 2, &e);
    cr_expect(same->rows != NULL && same->fields[2].data == a->fields[0].data && value(same, 3, 0) == 107);
    cr_expect_null(rt_data_zip((const RtData *const[]){a, c}, 2, &e));
    cr_expect_not_null(strstr(e.text, "10 samples"));
    cr_expect(rt_data_classes(mixed, &e) == 53);
    RtData *all[] = {a, b, c, both, tail, mixed, same};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) rt_data_free(all[i]);
}

/* ---- facts ---- */

Test(data, classes_are_those_of_the_whole_file) {
    RtError e;
    RtData *d = counting(10, 0), *head = rt_data_take(d, 3, &e);
    cr_expect(rt_data_classes(head, &e) == 10);
    cr_expect(rt_data_check_labels(head, 0, 3, &e) && !rt_data_check_labels(head, 0, 2, &e));
    cr_expect_not_null(strstr(e.text, "sample 3"), "%s", e.text);
    rt_data_free(d);
    rt_data_free(head);
}

Test(data, mean_and_deviation_of_the_view) {
    RtError e;
    RtArray a = {.dtype = RT_F64, .rank = 2, .dims = {4, 2}};
    cr_assert(rt_array_alloc(&a, "test", &e));
    memcpy(a.data, (double[]){99, 99, 1e9 + 1, 5, 1e9 + 2, 5, 1e9 + 3, 5}, 64);
    RtData *d = rt_data_from_array(&a, "x", "test", &e), *tail = rt_data_skip(d, 1, &e);
    double mean[2], std[2];
    rt_data_mean_std(tail, 0, mean, std);
    cr_expect(mean[0] == 1e9 + 2 && mean[1] == 5);
    cr_expect(fabs(std[0] - sqrt(2.0 / 3)) < 1e-12 && std[1] == 0, "%g %g", std[0], std[1]);
    rt_data_free(d);
    rt_data_free(tail);
}

Test(data, fashion_mnist) {
    const char *images = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz";
    const char *labels = "/usr/share/datasets/fashion-mnist/train-labels-idx1-ubyte.gz";
    RtError e;
    if (access(images, R_OK) != 0) cr_skip_test("%s is not there", images);
    RtData *x = rt_data_idx(images, &e), *y = rt_data_idx(labels, &e);
    RtData *d = rt_data_zip((const RtData *const[]){x, y}, 2, &e);
    cr_assert_not_null(d, "%s", e.text);
    cr_expect(d->count == 60000 && d->fields[0].rank == 2 && d->fields[0].dims[0] == 28 && d->fields[0].stride == 784);
    cr_expect(rt_data_classes(d, &e) == 10 && rt_field_elements(&d->fields[0]) == 784);
    rt_data_free(x);
    rt_data_free(y);
    rt_data_free(d);
}
