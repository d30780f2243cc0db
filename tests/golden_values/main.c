/* golden_values [ID-PREFIX]: runs every case of a golden folder through compiled code, in f32 and f64.
 *
 * The folder comes from NNC_GOLDEN; own/ beside this file is one, too. Each case runs in a process of its own, two at a
 * time, so that a crash or an endless loop is one failed case. Prints each failing case with its largest error, the
 * operations without a row with their cases, a table by file, and `N passed, N failed, N skipped`. Exit status 1 where
 * a case failed. */
#include "runtime/files.h"
#include "tests/golden_values/golden.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 2, SECONDS = 60 };

typedef struct {
    const char *file;
    RtTensors *tensors;
    int count[3]; /* by Verdict */
} File;

typedef struct {
    Case c;
    const Rule *rule; /* NULL or a RULE_SKIP: skipped */
    size_t file;
} Job;

/* A case that is running: its process, and the file that it says things in. */
typedef struct {
    pid_t pid;
    const Job *job;
    FILE *said;
} Worker;

static bool skipped(const Job *j) { return !j->rule || j->rule->kind == RULE_SKIP; }

static bool skipped_alike(const Job *a, const Job *b) {
    return skipped(a) && skipped(b) && a->rule == b->rule && strcmp(a->c.op, b->c.op) == 0;
}

typedef VEC(File) Files;
typedef VEC(Job) Jobs;

static size_t file_of(Files *files, const char *folder, const char *name) {
    for (size_t i = 0; i < files->len; i++)
        if (strcmp(files->at[i].file, name) == 0) return i;
    char path[1024];
    RtError err;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    bool tensors = strstr(name, ".safetensors") != NULL;
    RtTensors *t = tensors ? rt_safetensors_read(path, &err) : NULL;
    if (tensors && !t) fprintf(stderr, "%s\n", err.text), exit(1);
    vec_push(files, (File){.file = name, .tensors = t});
    return files->len - 1;
}

/* ---- one case ---- */

static Verdict judge(const Job *j) {
    static Outcome (*const run_as[])(const Case *, const Rule *, bool) = {
        [RULE_FUNCTION] = golden_run,
        [RULE_LAYER] = golden_run,
        [RULE_OPTIMIZER] = golden_run_optimizer,
        [RULE_CLOSED_LOOP] = golden_run_closed_loop,
        [RULE_INITIALIZER] = golden_run_initializer,
        [RULE_TRAINING] = golden_run_training,
        [RULE_SCHEDULE] = golden_run_schedule,
    };
    for (int f64 = golden_f64_only(&j->c); f64 < 2 - golden_f32_only(j->rule); f64++) {
        Outcome o = run_as[j->rule->kind](&j->c, j->rule, f64);
        if (o.verdict == GOLDEN_PASSED) continue;
        printf("%s: %.3g times the tolerance at %s\n", f64 ? "f64" : "f32", o.worst, o.where);
        return GOLDEN_FAILED;
    }
    return GOLDEN_PASSED;
}

static void start(Worker *w, const Job *j) {
    *w = (Worker){.job = j, .said = tmpfile()};
    if (!w->said) bug("no temporary file");
    fflush(stdout);
    w->pid = fork();
    if (w->pid < 0) bug("no new process");
    if (w->pid > 0) return;
    dup2(fileno(w->said), STDOUT_FILENO);
    dup2(fileno(w->said), STDERR_FILENO);
    alarm(SECONDS);
    Verdict v = judge(j);
    fflush(stdout);
    _exit((int)v);
}

/* What a failed case said: its first error, or all under NNC_GOLDEN_VERBOSE. */
static void show(FILE *said) {
    char line[512];
    bool all = getenv("NNC_GOLDEN_VERBOSE") != NULL, shown = false;
    rewind(said);
    while (fgets(line, sizeof line, said)) {
        if (!all && (shown || !(strstr(line, "error") || strstr(line, "bug") || strstr(line, "tolerance")))) continue;
        fputs(line, stdout);
        shown = true;
    }
    if (!shown) printf("\n");
}

static void finish(Worker *w, int status, Files *files) {
    bool exited = WIFEXITED(status);
    Verdict v = exited && WEXITSTATUS(status) == GOLDEN_PASSED ? GOLDEN_PASSED : GOLDEN_FAILED;
    files->at[w->job->file].count[v]++;
    if (v == GOLDEN_FAILED) {
        printf("FAILED %s: ", w->job->c.id);
        if (!exited && WTERMSIG(status) == SIGALRM)
            printf("not done after %d s; ", SECONDS);
        else if (!exited)
            printf("%s; ", strsignal(WTERMSIG(status)));
        show(w->said);
    }
    fclose(w->said);
    w->job = NULL;
}

static void wait_for_one(Worker *workers, Files *files) {
    int status;
    pid_t pid = wait(&status);
    for (int i = 0; i < WORKERS; i++)
        if (workers[i].job && workers[i].pid == pid) finish(&workers[i], status, files);
}

static void run_all(const Jobs *jobs, Files *files) {
    Worker workers[WORKERS] = {0};
    for (size_t i = 0; i < jobs->len; i++) {
        const Job *j = &jobs->at[i];
        if (skipped(j)) {
            files->at[j->file].count[GOLDEN_SKIPPED]++;
            continue;
        }
        int k = 0;
        while (k < WORKERS && workers[k].job) k++;
        if (k == WORKERS) {
            wait_for_one(workers, files);
            for (k = 0; workers[k].job;) k++;
        }
        start(&workers[k], j);
    }
    for (int k = 0; k < WORKERS; k++)
        while (workers[k].job) wait_for_one(workers, files);
}

/* ---- the run ---- */

static void add_jobs(Jobs *jobs, Files *files, const cJSON *index, const char *folder, const char *prefix) {
    const cJSON *json;
    cJSON_ArrayForEach(json, cJSON_GetObjectItemCaseSensitive(index, "cases")) {
        const char *id = cJSON_GetObjectItemCaseSensitive(json, "id")->valuestring;
        const cJSON *file = cJSON_GetObjectItemCaseSensitive(json, "file");
        if (strncmp(id, prefix, strlen(prefix)) != 0) continue;
        size_t f = file_of(files, folder, file ? file->valuestring : "initializers"); /* they have no tensors */
        Case c = {.id = id,
                  .op = cJSON_GetObjectItemCaseSensitive(json, "op")->valuestring,
                  .folder = folder,
                  .json = json,
                  .attrs = cJSON_GetObjectItemCaseSensitive(json, "attrs"),
                  .inputs = cJSON_GetObjectItemCaseSensitive(json, "inputs"),
                  .outputs = cJSON_GetObjectItemCaseSensitive(json, "outputs"),
                  .gradients = cJSON_GetObjectItemCaseSensitive(json, "gradients"),
                  .cotangents = cJSON_GetObjectItemCaseSensitive(json, "cotangents"),
                  .tensors = files->at[f].tensors};
        vec_push(jobs, (Job){c, golden_rule(&c), f});
    }
}

/* Each operation with skipped cases: why, and their ids. */
static void list_skipped(const Jobs *jobs) {
    for (size_t i = 0; i < jobs->len; i++) {
        const Job *j = &jobs->at[i];
        bool first = skipped(j);
        for (size_t k = 0; k < i && first; k++) first = !skipped_alike(&jobs->at[k], j);
        if (!first) continue;
        printf("skipped %s (%s):", j->c.op, j->rule ? j->rule->body : "no rule");
        for (size_t k = i; k < jobs->len; k++)
            if (skipped_alike(&jobs->at[k], j)) printf(" %s", jobs->at[k].c.id);
        printf("\n");
    }
}

static void list_f32_only(const Jobs *jobs) {
    for (size_t i = 0; i < jobs->len; i++)
        if (!skipped(&jobs->at[i]) && golden_f32_only(jobs->at[i].rule))
            printf("compared in f32 alone: %s\n", jobs->at[i].c.id);
}

static int report(const Files *files) {
    int total[3] = {0};
    printf("\n%-28s %8s %8s %8s\n", "file", "passed", "failed", "skipped");
    for (size_t i = 0; i < files->len; i++) {
        const File *f = &files->at[i];
        printf("%-28s %8d %8d %8d\n", f->file, f->count[0], f->count[1], f->count[2]);
        for (int k = 0; k < 3; k++) total[k] += f->count[k];
    }
    printf("\n%d passed, %d failed, %d skipped\n", total[0], total[1], total[2]);
    return total[GOLDEN_FAILED] > 0;
}

/* The cases of a folder; NULL where it cannot be read. The caller deletes it. */
static cJSON *read_index(const char *folder) {
    char path[1024];
    RtError err;
    size_t size;
    snprintf(path, sizeof path, "%s/index.json", folder);
    char *text = rt_file_read(path, 64u << 20, &size, &err);
    cJSON *index = text ? cJSON_Parse(text) : NULL;
    if (!index) fprintf(stderr, "%s: not readable\n", path);
    free(text);
    return index;
}

int main(int argc, char **argv) {
    const char *golden = getenv("NNC_GOLDEN"), *prefix = argc > 1 ? argv[1] : "";
    if (!golden) golden = NNC_SOURCE_DIR "/../shared/golden/data";
    struct stat s;
    bool found = stat(golden, &s) == 0;
    if (!found) printf("no golden folder at %s (NNC_GOLDEN names another): only our own cases\n", golden);
    const char *folders[] = {NNC_SOURCE_DIR "/tests/golden_values/own", golden};
    cJSON *index[2] = {NULL};
    Files files = {0};
    Jobs jobs = {0};
    for (int i = 0; i < 1 + found; i++) {
        if (!(index[i] = read_index(folders[i]))) return 1;
        add_jobs(&jobs, &files, index[i], folders[i], prefix);
    }
    run_all(&jobs, &files);
    list_skipped(&jobs);
    list_f32_only(&jobs);
    int status = report(&files);
    for (size_t i = 0; i < files.len; i++)
        if (files.at[i].tensors) rt_tensors_free(files.at[i].tensors);
    vec_free(&files);
    vec_free(&jobs);
    for (int i = 0; i < 1 + found; i++) cJSON_Delete(index[i]);
    return status;
}
