/* What the driver's files share. */
#ifndef NNC_DRIVER_PRIVATE_H
#define NNC_DRIVER_PRIVATE_H

#include "compiler/driver.h"

typedef struct DataSet DataSet; /* driver_data.c */

typedef struct {
    const char *name;
    double seconds;
} PassTime;

struct Driver {
    Options options;
    Nnc *nnc;
    Program *program;
    Machine machine;
    VEC(Code *) codes;
    JitCode *jit;
    Variables variables;
    void *arena;
    RtPool *pool;
    VEC(DataSet *) data;
    VEC(PassTime) times;
};

void driver_free_data(Driver *d);

/** Lowers a unit and runs the graph passes over it; then its loop nests for `machine`, variables being laid out. */
void driver_optimize(Driver *d, Code *c);
void driver_build_loops(Driver *d, Code *c, const Machine *machine);

/** Whether every label of the loop's data that a unit uses as an index is inside what it indexes; false after
 * diagnostics. */
bool driver_check_labels(Driver *d, const Unit *u, const RtData *data);

/** Seconds on a clock that only goes forward. */
double driver_now(void);
void driver_add_time(Driver *d, const char *name, double since);

#endif
