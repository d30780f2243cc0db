/* random_programs [--seed N] [--count M] [--all] [--show]: checks the programs of M seeds from N on, each for one of
 * the machines in turn, or for all of them. Every program has a process of its own. One that fails is made smaller and
 * printed. */
#include "tests/random_programs/check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 120 }; /* a program that takes longer hangs */

/* ---- machines ---- */

#if defined __x86_64__
static int setups(Setup *m) {
    bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool v4 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    const Setup all[] = {{"x86-64-v3", DT_F32, v3}, {"x86-64", DT_F32, true}, {"x86-64-v3", DT_F64, v3},
                         {"x86-64-v4", DT_F32, v4}, {"x86-64", DT_F64, true}, {"x86-64-v4", DT_F64, v4}};
    memcpy(m, all, sizeof all);
    return COUNT(all);
}
#else
static int setups(Setup *m) {
    m[0] = (Setup){"native", DT_F32, true};
    m[1] = (Setup){"native", DT_F64, true};
    return 2;
}
#endif

/* ---- one program ---- */

typedef struct {
    Setup setup;
    const char *folder;
    int failure; /* what to look for: a wait status */
    bool silent;
} Check;

/* The status of a process that checks the program. */
static int status_of(const RandomProgram *p, const Check *c) {
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) bug("no process for a program");
    if (child == 0) {
        int null = c->silent ? open("/dev/null", O_WRONLY) : -1;
        if (null >= 0) dup2(null, 2);
        alarm(SECONDS);
        _exit((int)check_program(p, &c->setup, c->folder));
    }
    int status;
    waitpid(child, &status, 0);
    return status;
}

static bool is_failure(int status) {
    return !WIFEXITED(status) || (WEXITSTATUS(status) != CHECK_FINE && WEXITSTATUS(status) != CHECK_VAGUE);
}

static bool fails(const RandomProgram *p, void *self) {
    const Check *c = self;
    return status_of(p, c) == c->failure;
}

static void report(RandomProgram *p, Check *c, int status) {
    static const char *const words[] = {"is rejected", "gives other numbers", "depends on the number of threads"};
    Str text = {0};
    c->silent = true;
    c->failure = status;
    random_program_shrink(p, fails, c);
    c->silent = false;
    printf("seed %llu, %s, %s: ", (unsigned long long)p->seed, c->setup.cpu, dtype_name(c->setup.type));
    if (WIFSIGNALED(status))
        printf("%s\n", WTERMSIG(status) == SIGALRM ? "hangs" : "crashes");
    else if (WEXITSTATUS(status) >= CHECK_REJECTED && WEXITSTATUS(status) <= CHECK_UNSTEADY)
        printf("%s\n", words[WEXITSTATUS(status) - CHECK_REJECTED]);
    else
        printf("ends with status %d\n", WEXITSTATUS(status));
    status_of(p, c); /* says what is wrong */
    random_program_print(&text, p);
    printf("%s\n", text.at);
    vec_free(&text);
}

/* ---- all of them ---- */

typedef struct {
    uint64_t seed;
    int count;
    bool all, show;
} Wishes;

static Wishes wishes(int argc, char **argv) {
    Wishes w = {1, 100, false, false};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--all") == 0)
            w.all = true;
        else if (strcmp(argv[i], "--show") == 0)
            w.show = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            w.seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--count") == 0 && i + 1 < argc)
            w.count = atoi(argv[++i]);
        else {
            fprintf(stderr, "random_programs [--seed N] [--count M] [--all] [--show]\n");
            exit(2);
        }
    }
    return w;
}

/* Checks one seed; how many machines it fails for. */
static int check_seed(uint64_t seed, const Wishes *w, const char *folder, int *vague) {
    Setup all[8];
    int n = setups(all), failed = 0;
    for (int i = 0; i < n; i++) {
        if (!w->all && (uint64_t)i != seed % (uint64_t)n) continue;
        RandomProgram *p = random_program(seed);
        Check c = {.setup = all[i], .folder = folder};
        if (w->show) {
            Str text = {0};
            random_program_print(&text, p);
            printf("# seed %llu\n%s\n", (unsigned long long)seed, text.at);
            vec_free(&text);
        }
        c.silent = true;
        int status = status_of(p, &c);
        *vague += WIFEXITED(status) && WEXITSTATUS(status) == CHECK_VAGUE;
        if (is_failure(status)) {
            failed++;
            report(p, &c, status);
        }
        random_program_free(p);
    }
    return failed;
}

int main(int argc, char **argv) {
    Wishes w = wishes(argc, argv);
    char folder[] = "/tmp/nnc-random-XXXXXX", path[64];
    int failed = 0, vague = 0;
    if (!mkdtemp(folder)) bug("no temporary folder");
    for (int i = 0; i < w.count; i++) failed += check_seed(w.seed + (uint64_t)i, &w, folder, &vague);
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"program.nn", "x.npy", "y.npy"};
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
    printf("seeds %llu to %llu: %d failed, %d too badly conditioned to compare\n", (unsigned long long)w.seed,
           (unsigned long long)(w.seed + (uint64_t)w.count - 1), failed, vague);
    return failed > 0;
}
