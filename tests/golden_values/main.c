/* golden_values [ID-PREFIX]: runs every case of a golden folder through compiled code, in f32 and f64.
 *
 * The folder comes from NNC_GOLDEN. Prints each failing case with its largest error, a table by file, what was skipped by
 * operation, and `N passed, N failed, N skipped`. Exit status 1 where a case failed. */
#include "runtime/files.h"
#include "tests/golden_values/golden.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    const char *file;
    RtTensors *tensors;
    int count[3]; /* by Verdict */
} File;

typedef struct {
    const char *op;
    int count;
} Skipped;

typedef VEC(File) Files;
typedef VEC(Skipped) SkippedList;

static File *file_of(Files *files, const char *folder, const char *name) {
    for (size_t i = 0; i < files->len; i++)
        if (strcmp(files->at[i].file, name) == 0) return &files->at[i];
    char path[1024];
    RtError err;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    RtTensors *t = rt_safetensors_read(path, &err);
    if (!t) fprintf(stderr, "%s\n", err.text), exit(1);
    vec_push(files, (File){.file = name, .tensors = t});
    return &files->at[files->len - 1];
}

static void note_skipped(SkippedList *list, const char *op) {
    for (size_t i = 0; i < list->len; i++)
        if (strcmp(list->at[i].op, op) == 0) {
            list->at[i].count++;
            return;
        }
    vec_push(list, (Skipped){op, 1});
}

static bool has_tag(const cJSON *json, const char *tag) {
    const cJSON *t;
    cJSON_ArrayForEach(t, cJSON_GetObjectItemCaseSensitive(json, "tags")) if (strcmp(t->valuestring, tag) == 0) return true;
    return false;
}

static Verdict judge(const Case *c, SkippedList *skipped) {
    const Rule *r = golden_rule(c);
    if (!r) {
        note_skipped(skipped, c->op);
        return GOLDEN_SKIPPED;
    }
    for (int f64 = has_tag(c->json, "f64_only"); f64 < 2; f64++) {
        Outcome o = r->kind == RULE_OPTIMIZER ? golden_run_optimizer(c, r, f64) : golden_run(c, r, f64);
        if (o.verdict == GOLDEN_PASSED) continue;
        printf("FAILED %s in %s: %.3g times the tolerance at %s\n", c->id, f64 ? "f64" : "f32", o.worst, o.where);
        return GOLDEN_FAILED;
    }
    return GOLDEN_PASSED;
}

static Case case_of(const cJSON *json, const char *folder, const RtTensors *tensors) {
    return (Case){.id = cJSON_GetObjectItemCaseSensitive(json, "id")->valuestring,
                  .op = cJSON_GetObjectItemCaseSensitive(json, "op")->valuestring,
                  .folder = folder,
                  .json = json,
                  .attrs = cJSON_GetObjectItemCaseSensitive(json, "attrs"),
                  .inputs = cJSON_GetObjectItemCaseSensitive(json, "inputs"),
                  .outputs = cJSON_GetObjectItemCaseSensitive(json, "outputs"),
                  .gradients = cJSON_GetObjectItemCaseSensitive(json, "gradients"),
                  .cotangents = cJSON_GetObjectItemCaseSensitive(json, "cotangents"),
                  .tensors = tensors};
}

static int report(const Files *files, const SkippedList *skipped) {
    int total[3] = {0};
    printf("\n%-28s %8s %8s %8s\n", "file", "passed", "failed", "skipped");
    for (size_t i = 0; i < files->len; i++) {
        const File *f = &files->at[i];
        printf("%-28s %8d %8d %8d\n", f->file, f->count[0], f->count[1], f->count[2]);
        for (int k = 0; k < 3; k++) total[k] += f->count[k];
    }
    printf("\nskipped, not in the library yet:");
    for (size_t i = 0; i < skipped->len; i++) printf(" %s(%d)", skipped->at[i].op, skipped->at[i].count);
    printf("\n\n%d passed, %d failed, %d skipped\n", total[0], total[1], total[2]);
    return total[GOLDEN_FAILED] > 0;
}

int main(int argc, char **argv) {
    const char *folder = getenv("NNC_GOLDEN"), *prefix = argc > 1 ? argv[1] : "";
    if (!folder) folder = NNC_SOURCE_DIR "/../shared/golden/data";
    struct stat s;
    if (stat(folder, &s) != 0) {
        printf("no golden folder at %s (NNC_GOLDEN names another): nothing compared\n", folder);
        return 0;
    }
    char path[1024];
    RtError err;
    size_t size;
    snprintf(path, sizeof path, "%s/index.json", folder);
    char *text = rt_file_read(path, 64u << 20, &size, &err);
    cJSON *index = text ? cJSON_Parse(text) : NULL;
    if (!index) return fprintf(stderr, "%s: not readable\n", path), 1;
    Files files = {0};
    SkippedList skipped = {0};
    const cJSON *json;
    cJSON_ArrayForEach(json, cJSON_GetObjectItemCaseSensitive(index, "cases")) {
        if (strncmp(cJSON_GetObjectItemCaseSensitive(json, "id")->valuestring, prefix, strlen(prefix)) != 0) continue;
        File *f = file_of(&files, folder, cJSON_GetObjectItemCaseSensitive(json, "file")->valuestring);
        Case c = case_of(json, folder, f->tensors);
        f->count[judge(&c, &skipped)]++;
        fflush(stdout);
    }
    int status = report(&files, &skipped);
    for (size_t i = 0; i < files.len; i++) rt_tensors_free(files.at[i].tensors);
    vec_free(&files);
    vec_free(&skipped);
    cJSON_Delete(index);
    free(text);
    return status;
}
