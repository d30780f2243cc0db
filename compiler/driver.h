/* The driver: source file -> program -> units -> graphs -> loop nests -> code, and what runs it. Only the driver calls
 * passes; it knows the stages and their order, and nothing of the command line. */
#ifndef NNC_DRIVER_H
#define NNC_DRIVER_H

#include "compiler/jit/backend.h"
#include "compiler/jit/jit.h"
#include "compiler/loop/loop.h"
#include "lang/typed.h"
#include "runtime/data.h"
#include "runtime/pool.h"
#include "runtime/train.h"

/* STAGE(id, name): what --dump can show, in order. */
#define DUMP_STAGES(STAGE)                                                                                             \
    STAGE(TOKENS, "tokens")                                                                                            \
    STAGE(AST, "ast")                                                                                                  \
    STAGE(TYPES, "types")                                                                                              \
    STAGE(IR, "ir")                                                                                                    \
    STAGE(GRAD, "grad")                                                                                                \
    STAGE(SIMPLIFIED, "simplified")                                                                                    \
    STAGE(FUSED, "fused")                                                                                              \
    STAGE(PLAN, "plan")                                                                                                \
    STAGE(LLVM, "llvm")                                                                                                \
    STAGE(ASM, "asm")

typedef enum {
#define STAGE(id, name) DUMP_##id,
    DUMP_STAGES(STAGE)
#undef STAGE
        DUMP_STAGE_COUNT
} DumpStage;

/* What the commands share; zero is each one's default unless said. */
typedef struct {
    const char *file;
    const Setting *sets;
    int nsets;
    const char *data_dir;
    const char *stdlib_dir;
    int64_t seed; /* -1: the program's */
    int threads;  /* 0: all cores */
    const char *cpu;
    int64_t batch;
    const char *weights;
    DType float_type;
    bool json, quiet, init, time_passes, no_cache;
    unsigned dumps; /* bit DUMP_x */
    /* train, eval */
    int64_t epochs, steps, log_every;
    const char *only, *out;
    bool resume, check_nan;
} Options;

/* One run of nnc over one program. */
typedef struct Driver Driver;

/** Loads the program; NULL after diagnostics, which are printed. Dumps of early stages go to stdout. */
Driver *driver_open(const Options *o);
void driver_close(Driver *d);

Nnc *driver_nnc(Driver *d);
Program *driver_program(Driver *d);

/** Prints diagnostics that are waiting; true if any error was ever reported. */
bool driver_failed(Driver *d);

/** Prints "error: ..." (one sentence, no place). Always false. */
bool driver_error(Driver *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- data: driver_data.c ---- */

DataOpener driver_data_opener(Driver *d);

/** The runtime's data set behind an opened one. */
const RtData *driver_rt_data(const DataInfo *info);

/* ---- code: driver.c ---- */

/* What became of a unit's batch where a budget of memory asked for it in parts. */
typedef struct {
    int64_t batch, part; /* its samples; those of a part, 0: it is run as a whole */
    Span mixed;          /* what works on all samples together and so kept it from being cut; else no place */
} BatchParts;

/* A unit on its way to machine code. */
typedef struct {
    Unit *unit;
    const TrainBlock *block; /* whose step it is, and whose budget of memory it keeps to; or NULL */
    Graph *lowered, *graph;  /* before all graph passes, and after */
    LoopUnit *loops;
    JitCode *jit; /* the code it is in; NULL where none is made */
    int number;   /* of the unit among those of that code */
    bool once;    /* run once in a program */
    bool soon;    /* needed at once: the others are compiled when they are first run */
    BatchParts parts;
} Code;

/** Adds a unit; NULL units (after diagnostics) are passed through as NULL. */
Code *driver_add_unit(Driver *d, Unit *u);

/** Adds the step of one loop of a train block for batches of n rows. */
Code *driver_add_loop(Driver *d, TrainBlock *block, int loop, int64_t n);

/** Graph passes and loop nests of all added units, variables laid out; then, with `jit`, machine code. False after
 * diagnostics. */
bool driver_build(Driver *d, bool jit);

/* The bytes of all parameters and states, and where each lies. */
typedef struct {
    char *bytes;
    VarLayout layout;
    VEC(Panels) in_panels; /* those that the last unit that was run has left so */
    const LoopUnit *ready; /* the unit that finds all of its variables as it wants them; or NULL */
} Variables;

/** How many bytes the intermediate values of all units that were built take, any one of which runs at a time. */
int64_t driver_arena_bytes(const Driver *d);

/** Where each lies, and their bytes, all in rows until the next unit is run. */
const VarLayout *driver_layout(const Driver *d);
char *driver_values(Driver *d);

/** What a unit is called with: the arena, the variables, and the fields of `data` (may be NULL) as its first inputs;
 * the other inputs and the results, behind them, are for the caller to fill in. Lives as long as the program. */
const void **driver_bases(Driver *d, const Unit *u, const RtData *data);

/** Calls compiled code once, on the program's threads. */
void driver_run_code(Driver *d, const Code *c, const void **bases);

/* ---- weights: driver_weights.c ---- */

/** Draws first values with the compiled init unit (added by driver_add_init). */
Code *driver_add_init(Driver *d);
bool driver_init_variables(Driver *d, Code *init, int64_t seed);

/** Reads the parameters (and layer states) of `model` (a path; NULL: all) from a safetensors file. Lists every name,
 * shape and dtype that does not fit; false then. */
bool driver_load_weights(Driver *d, const char *path, const char *model);
/** Writes them from `bytes`, a copy of all variables. */
bool driver_save_weights(Driver *d, const char *path, char *bytes, RtError *e);

/** Reads those of the whole program, and says so on stderr. */
bool driver_take_weights(Driver *d, const char *path);

/** The weights that run, eval and compile use: --weights, else runs/STEM/weights.safetensors, and says so on stderr;
 * fresh ones under --init. `needed`: whether any is reached. False after an error. */
bool driver_find_weights(Driver *d, Code *init, bool needed);

/** "runs/STEM" or --out. */
const char *driver_out_dir(Driver *d);

/* ---- what commands do ---- */

/** Trains (or, with `evaluate`, runs the evaluating loops once): driver_train.c. Returns the exit status. */
int driver_train(Driver *d, bool evaluate);

/* An argument of a call: an array under its name. */
typedef struct {
    const char *name;
    RtArray array;
} CallArg;

/* What a call gave back: its results, in the order of unit->results; call_free frees the arrays. */
typedef struct {
    const Unit *unit;
    RtArray *results;
} CallResult;

/** Compiles and calls an exported function: arrays (converted to the declared types where nothing is lost) and
 * compile-time arguments in, results out. `set` (may be NULL) is called once the weights are there. False after an
 * error: driver_call.c. */
bool driver_call(Driver *d, const char *function, const CallArg *args, int nargs, const Setting *settings,
                 int nsettings, void (*set)(Driver *d, void *self), void *self, CallResult *result);
void call_free(CallResult *result);

/** `nnc run`: arguments from the command line (NAME=NUMBER or NAME=FILE, an array, a picture or a text), the result
 * printed (integers as text, where asked for) or written: driver_run.c. Returns the exit status. */
int driver_run(Driver *d, const char *function, const Setting *args, int nargs, const char *out, bool as_text);

typedef struct {
    const char *out;    /* NULL: STEM.o */
    const char *emit;   /* obj asm llvm lib shared exe, or NULL: from the suffix */
    const char *target; /* triple, or NULL */
    const char *cpu;    /* of the target, or NULL; the weights are found on the CPU at hand */
    const char *prefix; /* of C names, or NULL */
    const int64_t *batches;
    int nbatches;
} CompileOptions;

/** Emits the exported functions as a standalone object and a C header: driver_compile.c. Returns the exit status. */
int driver_compile(Driver *d, const CompileOptions *c);

/** Times the steps of training and the exported functions, whole and by kernel, and prints both: driver_bench.c.
 * Returns the exit status. */
int driver_bench(Driver *d);

/** The picture of the model or exported function `name` (NULL: all models) in Graphviz's language, or of all units that
 * were built; as an SVG, by the program `dot`. Lives as long as the program. NULL where it cannot be made: *why is a
 * sentence, or NULL after diagnostics: driver_graph.c. */
const char *driver_graph(Driver *d, const char *name, bool kernels, const char **why);
const char *driver_graph_svg(Driver *d, const char *name, bool kernels, const char **why);

/** `nnc graph`: writes the picture to `out`, an .svg or .dot file. Returns the exit status. */
int driver_draw(Driver *d, const char *name, const char *out, bool kernels);

/** Repeats the run that DIR/run.json is of and prints whether it is the same: driver_verify.c. Returns the exit status.
 */
int driver_verify(const char *dir, int threads);

/** Prints layers, parameters, FLOPs, bytes and kernels: driver_summary.c. Returns the exit status. */
int driver_summary(Driver *d);

#endif
