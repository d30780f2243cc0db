/* links: nnc_rt */
/* safetensors: what is written reads back; types that the runtime lacks become wider ones. */
#include "runtime/files.h"
#include "runtime/safetensors.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file of this process in the folder for temporary ones. */
static const char *temp_path(char *into, size_t room, const char *name) {
    const char *folder = getenv("TMPDIR");
    snprintf(into, room, "%s/rt-safetensors-%ld-%s", folder != NULL ? folder : "/tmp", (long)getpid(), name);
    return into;
}

static RtTensor tensor(char *name, RtDType t, int rank, int64_t a, int64_t b, void *data) {
    return (RtTensor){.name = name, .array = {.dtype = t, .rank = rank, .dims = {a, b}, .data = data}};
}

Test(safetensors, round_trip) {
    char path[512];
    temp_path(path, sizeof path, "round");
    RtError e = {.number = 0};
    uint8_t flags[3] = {1, 0, 1};
    float weights[2][3] = {{1, -2, 3.5F}, {0, 1e-30F, -1e30F}};
    double scalar = 0.1;
    int64_t steps[2] = {INT64_MIN, INT64_MAX};
    uint16_t halves[1] = {0x3C00};
    RtTensor in[] = {tensor("mlp.flags", RT_BOOL, 1, 3, 0, flags),
                     tensor("mlp.dense1.w", RT_F32, 2, 2, 3, weights),
                     tensor("lr \"q\" \xC3\xA9", RT_F64, 0, 0, 0, &scalar),
                     tensor("steps", RT_I64, 1, 2, 0, steps),
                     tensor("h", RT_BF16, 1, 1, 0, halves),
                     tensor("none", RT_F32, 2, 0, 5, weights)};
    RtTag tags[] = {{"step", "12"}, {"made by", "a test"}};
    cr_assert(rt_safetensors_write(path, in, 6, tags, 2, &e), "%s", e.text);
    RtTensors *t = rt_safetensors_read(path, &e);
    cr_assert_not_null(t, "%s", e.text);
    cr_assert(t->count == 6);
    for (int i = 0; i < 6; i++) {
        const RtTensor *out = rt_tensors_find(t, in[i].name);
        cr_assert_not_null(out, "%s", in[i].name);
        cr_expect(out->array.dtype == in[i].array.dtype && out->array.rank == in[i].array.rank);
        for (int k = 0; k < out->array.rank; k++) cr_expect(out->array.dims[k] == in[i].array.dims[k]);
        size_t bytes = (size_t)rt_array_elements(&out->array) * rt_dtype_size(out->array.dtype);
        cr_expect(memcmp(out->array.data, in[i].array.data, bytes) == 0, "%s", in[i].name);
    }
    cr_expect_str_eq(rt_tensors_tag(t, "step"), "12");
    cr_expect_str_eq(rt_tensors_tag(t, "made by"), "a test");
    cr_expect_null(rt_tensors_tag(t, "nothing"));
    cr_expect_null(rt_tensors_find(t, "nothing"));
    rt_tensors_free(t);
    unlink(path);
}

Test(safetensors, bytes_do_not_depend_on_the_order) {
    char path[2][512];
    RtError e = {.number = 0};
    float a[2] = {1, 2};
    uint8_t b[3] = {3, 4, 5};
    RtTensor one[] = {tensor("a", RT_F32, 1, 2, 0, a), tensor("b", RT_U8, 1, 3, 0, b)};
    RtTensor two[] = {one[1], one[0]};
    cr_assert(rt_safetensors_write(temp_path(path[0], 512, "one"), one, 2, NULL, 0, &e), "%s", e.text);
    cr_assert(rt_safetensors_write(temp_path(path[1], 512, "two"), two, 2, NULL, 0, &e), "%s", e.text);
    size_t size[2];
    char *text[2];
    for (int i = 0; i < 2; i++) text[i] = rt_file_read(path[i], 1 << 20, &size[i], &e);
    cr_assert(text[0] != NULL && text[1] != NULL && size[0] == size[1]);
    cr_expect(memcmp(text[0], text[1], size[0]) == 0);
    cr_expect((size[0] - 11) % 8 == 0, "the data begin at a multiple of 8");
    for (int i = 0; i < 2; i++) {
        free(text[i]);
        unlink(path[i]);
    }
}

/* Writes a file from its header and data. */
static void write_raw(const char *path, const char *header, const void *data, size_t size) {
    FILE *f = fopen(path, "wb");
    uint64_t length = strlen(header);
    fwrite(&length, 8, 1, f);
    fwrite(header, 1, strlen(header), f);
    fwrite(data, 1, size, f);
    fclose(f);
}

Test(safetensors, narrow_and_unsigned_types_become_wider) {
    char path[512];
    temp_path(path, sizeof path, "wide");
    RtError e = {.number = 0};
    struct {
        uint64_t d[1];
        uint32_t c[1];
        int16_t a[2];
        uint16_t b[2];
    } data = {{7}, {4000000000U}, {-5, 6}, {65535, 1}};
    write_raw(path,
              "{\"a\":{\"dtype\":\"I16\",\"shape\":[2],\"data_offsets\":[12,16]},"
              "\"b\":{\"dtype\":\"U16\",\"shape\":[2],\"data_offsets\":[16,20]},"
              "\"c\":{\"dtype\":\"U32\",\"shape\":[1],\"data_offsets\":[8,12]},"
              "\"d\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[0,8]}}",
              &data, 20);
    RtTensors *t = rt_safetensors_read(path, &e);
    cr_assert_not_null(t, "%s", e.text);
    const RtTensor *k = t->tensors;
    cr_expect(k[0].array.dtype == RT_I32 && ((int32_t *)k[0].array.data)[0] == -5);
    cr_expect(k[1].array.dtype == RT_I32 && ((int32_t *)k[1].array.data)[0] == 65535);
    cr_expect(k[2].array.dtype == RT_I64 && ((int64_t *)k[2].array.data)[0] == 4000000000);
    cr_expect(k[3].array.dtype == RT_I64 && ((int64_t *)k[3].array.data)[0] == 7);
    rt_tensors_free(t);
    data.d[0] = UINT64_MAX;
    write_raw(path, "{\"d\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[0,8]}}", &data, 8);
    cr_expect_null(rt_safetensors_read(path, &e));
    cr_expect_not_null(strstr(e.text, "'d'"));
    unlink(path);
}

Test(safetensors, failed_write_leaves_the_old_file) {
    char path[512], below[600];
    temp_path(path, sizeof path, "old");
    RtError e = {.number = 0};
    cr_assert(rt_file_replace(path, "old", 3, &e), "%s", e.text);
    snprintf(below, sizeof below, "%s/x", path); /* a file is no folder */
    cr_expect(!rt_safetensors_write(below, NULL, 0, NULL, 0, &e));
    size_t size;
    char *text = rt_file_read(path, 100, &size, &e);
    cr_expect_str_eq(text, "old");
    free(text);
    cr_expect_null(rt_file_read(path, 2, &size, &e), "three bytes are more than two");
    unlink(path);
}
