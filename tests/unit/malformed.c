/* links: nnc_rt */
/* The damaged and borderline files of the golden data, each judged by the reader that it is for. The folder is found
   through NNC_GOLDEN_MALFORMED, else beside the sources; where there is none the tests say so and are skipped. */
#include "runtime/data.h"
#include "runtime/files.h"
#include "runtime/npy.h"
#include "runtime/safetensors.h"
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *folder(char *into, size_t room) {
    const char *given = getenv("NNC_GOLDEN_MALFORMED"), *source = getenv("NNC_SOURCE_DIR");
    if (given != NULL)
        snprintf(into, room, "%s", given);
    else
        snprintf(into, room, "%s/../shared/golden/malformed", source != NULL ? source : NNC_SOURCE_DIR);
    return into;
}

static bool judge_safetensors(const char *path, RtError *e) {
    RtTensors *t = rt_safetensors_read(path, e);
    rt_tensors_free(t);
    return t != NULL;
}

static bool judge_npy(const char *path, RtError *e) {
    RtArray a;
    bool good = rt_npy_read(path, &a, e);
    if (good) rt_array_free(&a);
    return good;
}

/* Labels are judged as labels of 10 classes, and those that belong to images beside them. */
static bool judge_idx(const char *path, RtError *e) {
    RtData *d = rt_data_idx(path, e);
    bool good = d != NULL;
    if (good && strstr(path, "labels") != NULL) good = rt_data_check_labels(d, 0, 10, e);
    if (good && strstr(path, "label_out_of_range") != NULL) good = rt_data_check_labels(d, 0, 10, e);
    if (good && strstr(path, "counts_differ_labels") != NULL) {
        char images[4096];
        snprintf(images, sizeof images, "%.*s/good_images.idx3-ubyte", (int)(strrchr(path, '/') - path), path);
        const RtData *parts[2] = {rt_data_idx(images, e), d};
        cr_assert_not_null(parts[0]);
        RtData *both = rt_data_zip(parts, 2, e);
        good = both != NULL;
        rt_data_free(both);
        rt_data_free((RtData *)parts[0]);
    }
    rt_data_free(d);
    return good;
}

static bool judge_csv(const char *path, RtError *e) {
    RtData *d = rt_data_csv(path, &(RtCsvOptions){.target = "y", .labels = true}, e);
    rt_data_free(d);
    return d != NULL;
}

static bool judge_cifar10(const char *path, RtError *e) {
    RtData *d = rt_data_cifar10(path, false, e);
    rt_data_free(d);
    return d != NULL;
}

typedef bool (*Judge)(const char *path, RtError *e);

static Judge judge_of(const char *file) {
    if (strncmp(file, "safetensors/", 12) == 0) return judge_safetensors;
    if (strncmp(file, "npy/", 4) == 0) return judge_npy;
    if (strncmp(file, "idx/cifar_", 10) == 0) return judge_cifar10;
    if (strncmp(file, "idx/", 4) == 0) return judge_idx;
    return judge_csv;
}

static const char *text_of(const cJSON *row, const char *key) {
    return cJSON_GetStringValue(cJSON_GetObjectItem(row, key));
}

Test(malformed, verdicts) {
    char dir[2048], path[4096];
    RtError e = {.number = 0};
    snprintf(path, sizeof path, "%s/index.json", folder(dir, sizeof dir));
    size_t size;
    if (access(path, R_OK) != 0) cr_skip_test("%s is not there", path);
    char *text = rt_file_read(path, 1 << 24, &size, &e);
    cr_assert_not_null(text, "%s", e.text);
    cJSON *index = cJSON_Parse(text), *row;
    int judged = 0;
    cJSON_ArrayForEach(row, index) {
        const char *file = text_of(row, "file");
        bool accept = strcmp(text_of(row, "verdict"), "accept") == 0;
        bool strict = cJSON_IsTrue(cJSON_GetObjectItem(row, "strict_ok"));
        snprintf(path, sizeof path, "%s/%s", dir, file);
        e.text[0] = '\0';
        bool accepted = judge_of(file)(path, &e);
        if (getenv("NNC_SHOW") != NULL) fprintf(stderr, "%-45s %s\n", file, accepted ? "accepted" : e.text);
        cr_expect(accepted == accept || (strict && !accepted), "%s (%s): %s %s", file, text_of(row, "why"),
                  accepted ? "accepted" : "rejected:", e.text);
        cr_expect(accepted || strstr(e.text, strrchr(file, '/') + 1) != NULL, "%s: the message names no file: %s", file,
                  e.text);
        judged++;
    }
    cr_expect(judged == 149, "%d files judged", judged);
    cJSON_Delete(index);
    free(text);
}

/* ---- the values of some that are good ---- */

static bool path_of(char *path, size_t room, const char *file) {
    char dir[2048];
    snprintf(path, room, "%s/%s", folder(dir, sizeof dir), file);
    return access(path, R_OK) == 0;
}

static void expect_npy(const char *file, RtDType type, int n, const double *values) {
    char path[4096];
    if (!path_of(path, sizeof path, file)) cr_skip_test("%s is not there", path);
    RtError e = {.number = 0};
    RtArray a;
    cr_assert(rt_npy_read(path, &a, &e), "%s", e.text);
    cr_expect(a.dtype == type && rt_array_elements(&a) == n, "%s: %s", file, rt_dtype_name(a.dtype));
    for (int i = 0; i < n; i++) cr_expect(rt_element(a.data, a.dtype, i) == values[i], "%s: element %d", file, i);
    rt_array_free(&a);
}

Test(malformed, npy_values) {
    static const double bits[6] = {0, 1, 1, 1, 0, 1}, count[6] = {0, 1, 2, 3, 4, 5};
    static const struct {
        const char *file;
        RtDType type;
    } rows[] = {
        {"npy/good_b1_little.npy", RT_BOOL}, {"npy/good_u1_little.npy", RT_U8},  {"npy/good_i1_little.npy", RT_I8},
        {"npy/good_i2_little.npy", RT_I32},  {"npy/good_u2_little.npy", RT_I32}, {"npy/good_i4_little.npy", RT_I32},
        {"npy/good_u4_little.npy", RT_I64},  {"npy/good_i8_little.npy", RT_I64}, {"npy/good_u8_little.npy", RT_I64},
        {"npy/good_i8_big.npy", RT_I64},     {"npy/good_f2_little.npy", RT_F16}, {"npy/good_f4_big.npy", RT_F32},
        {"npy/good_f8_little.npy", RT_F64},  {"npy/good_f8_big.npy", RT_F64},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) expect_npy(rows[i].file, rows[i].type, 6, bits);
    expect_npy("npy/good_fortran.npy", RT_F32, 6, count);
    expect_npy("npy/good_v3.npy", RT_F32, 3, count);
    expect_npy("npy/good_scalar.npy", RT_F32, 1, &(double){3.5});
    expect_npy("npy/good_empty.npy", RT_F32, 0, NULL);
}

/* Field by field, sample by sample. */
static void expect_data(RtData *d, const char *path, int nfields, const int *widths, const double *values,
                        const RtError *e) {
    cr_assert_not_null(d, "%s", e->text);
    cr_assert(d->nfields == nfields, "%s", path);
    for (int f = 0; f < nfields; f++) {
        cr_expect(rt_field_elements(&d->fields[f]) == widths[f], "%s", path);
        for (int64_t i = 0; i < d->count * widths[f]; i++) {
            double v = rt_element(d->fields[f].data, d->fields[f].dtype, i), want = *values++;
            cr_expect(v == want, "%s: field %d, element %d is %g, not %g", path, f, (int)i, v, want);
        }
    }
    rt_data_free(d);
}

Test(malformed, idx_values) {
    static const double pixels[18] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};
    static const char *const images[] = {"idx/good_images.idx3-ubyte", "idx/good_images.idx3-ubyte.gz",
                                         "idx/good_two_members.gz"};
    char path[4096];
    RtError e = {.number = 0};
    for (int i = 0; i < 3; i++) {
        if (!path_of(path, sizeof path, images[i])) cr_skip_test("%s is not there", path);
        expect_data(rt_data_idx(path, &e), path, 1, (int[]){9}, pixels, &e);
    }
    path_of(path, sizeof path, "idx/good_float.idx2-float");
    expect_data(rt_data_idx(path, &e), path, 1, (int[]){2}, (double[]){1.5, -2}, &e);
}

Test(malformed, csv_values) {
    static const struct {
        const char *file;
        int width;
        double values[8]; /* features, then targets */
    } rows[] = {
        {"csv/plain.csv", 2, {1, 2, 3, 4, 0, 1}},
        {"csv/crlf.csv", 2, {1, 2, 3, 4, 0, 1}},
        {"csv/cr_only.csv", 2, {1, 2, 3, 4, 0, 1}},
        {"csv/no_newline_at_end.csv", 2, {1, 2, 3, 4, 0, 1}},
        {"csv/bom.csv", 2, {1, 2, 0}},
        {"csv/quoted.csv", 2, {1, 2, 0}},
        {"csv/spaces.csv", 2, {1, 2, 0}},
        {"csv/blank_lines.csv", 1, {1, 0}},
        {"csv/exponents.csv", 1, {(double)1e-3F, (double)-2.5e10F, 0.5, 5, 0, 1, 0, 1}},
    };
    char path[4096];
    RtError e = {.number = 0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!path_of(path, sizeof path, rows[i].file)) cr_skip_test("%s is not there", path);
        RtData *d = rt_data_csv(path, &(RtCsvOptions){.target = "y"}, &e);
        expect_data(d, path, 2, (int[]){rows[i].width, 1}, rows[i].values, &e);
    }
}
