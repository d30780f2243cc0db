/* links: nnc_rt */
/* The damaged and borderline files of the golden data, each judged by the reader that it is for. The folder is found
   through NNC_GOLDEN_MALFORMED, else beside the sources; where there is none the tests say so and are skipped. */
#include "runtime/data.h"
#include "runtime/files.h"
#include "runtime/npy.h"
#include "runtime/safetensors.h"
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *folder(char *into, size_t room) {
    const char *given = getenv("NNC_GOLDEN_MALFORMED"), *source = getenv("NNC_SOURCE_DIR");
    if (given != NULL) snprintf(into, room, "%s", given);
    else snprintf(into, room, "%s/../shared/golden/malformed", source != NULL ? source : NNC_SOURCE_DIR);
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

typedef bool (*Judge)(const char *path, RtError *e);

static Judge judge_of(const char *file) {
    if (strncmp(file, "safetensors/", 12) == 0) return judge_safetensors;
    if (strncmp(file, "npy/", 4) == 0) return judge_npy;
    if (strncmp(file, "idx/", 4) == 0) return judge_idx;
    return judge_csv;
}

/* CIFAR files have no reader. */
static bool has_reader(const char *file) { return strncmp(file, "idx/cifar_", 10) != 0; }

static const char *text_of(const cJSON *row, const char *key) {
    return cJSON_GetStringValue(cJSON_GetObjectItem(row, key));
}

Test(malformed, verdicts) {
    char dir[2048], path[4096];
    RtError e = {""};
    snprintf(path, sizeof path, "%s/index.json", folder(dir, sizeof dir));
    size_t size;
    if (access(path, R_OK) != 0) cr_skip_test("%s is not there", path);
    char *text = rt_file_read(path, 1 << 24, &size, &e);
    cr_assert_not_null(text, "%s", e.text);
    cJSON *index = cJSON_Parse(text), *row;
    int judged = 0;
    cJSON_ArrayForEach(row, index) {
        const char *file = text_of(row, "file");
        if (!has_reader(file)) continue;
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
    cr_expect(judged == 146, "%d files judged", judged);
    cJSON_Delete(index);
    free(text);
}
