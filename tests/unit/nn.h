/* Programs given as text, through parser, checker and lowering: what tests above the checker share. */
#ifndef TESTS_NN_H
#define TESTS_NN_H

#include "compiler/lower/lower.h"
#include "lang/typed.h"
#include "stdlib/stdlib.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The program, which must be free of errors; messages go to the test's output. The standard library is the embedded
 * one. */
static inline Program *nn_load(Nnc *nnc, const char *text, DataOpener opener) {
    size_t n = 0;
    while (stdlib_files[n].path) n++;
    const char *(*library)[2] = arena_alloc(nnc->arena, (n + 1) * sizeof *library);
    for (size_t i = 0; i < n; i++) library[i][0] = stdlib_files[i].path, library[i][1] = stdlib_files[i].text;
    char path[] = "/tmp/nnc-test-XXXXXX.nn";
    int fd = mkstemps(path, 3);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "a temporary file");
    close(fd);
    Program *p = program_load(nnc, path, (const char *const(*)[2])library, NULL, 0, opener);
    unlink(path);
    diag_print(nnc, stderr, false);
    cr_assert(p && !nnc->diags.errors, "this program has errors:\n%s", text);
    return p;
}

/* An exported function as a verified graph. */
static inline Graph *nn_export(Program *p, const char *name) {
    const Export *e = NULL;
    for (size_t i = 0; i < p->exports.len; i++)
        if (strcmp(p->exports.at[i].name, name) == 0) e = &p->exports.at[i];
    cr_assert(e, "an export named %s", name);
    Unit *u = program_export_unit(p, e, NULL, 0, NULL, 0, 0);
    diag_print(p->nnc, stderr, false);
    cr_assert(u, "a unit of %s", name);
    Graph *g = lower_unit(p->nnc, p, u);
    ir_verify(g, "lowering");
    return g;
}

/* The step of the first loop of the first train block, for batches of n. */
static inline Graph *nn_step(Program *p, int64_t n) {
    Unit *u = program_loop_unit(p, p->trains.at[0], 0, n);
    diag_print(p->nnc, stderr, false);
    cr_assert(u, "a unit of the loop");
    Graph *g = lower_unit(p->nnc, p, u);
    ir_verify(g, "lowering");
    return g;
}

/* Arguments of functions and what they are to give. */
#define INPUTS(...)                                                                                                    \
    (const void *const[]) { __VA_ARGS__ }
#define WANT(...)                                                                                                      \
    (int)COUNT(((double[]){__VA_ARGS__})), (double[]) { __VA_ARGS__ }
#define D(...)                                                                                                         \
    (double[]) { __VA_ARGS__ }
#define I(...)                                                                                                         \
    (int32_t[]) { __VA_ARGS__ }

#endif
