/* What the driver's files share. */
#ifndef NNC_DRIVER_PRIVATE_H
#define NNC_DRIVER_PRIVATE_H

#include "compiler/driver.h"
#include "runtime/safetensors.h"
#include "runtime/sha256.h"
#include "runtime/tensorboard.h"

enum { DRIVER_LEAST_ARENA = 64 };

/* What a stage gives is verified in debug builds, and in those with sanitizers. */
#if defined NDEBUG && !defined NNC_VERIFY
enum { VERIFY = false };
#else
enum { VERIFY = true };
#endif

typedef struct DataSet DataSet; /* driver_data.c */

typedef struct {
    const char *name;
    double seconds;
} PassTime;

/* A data file or folder that has been opened, or a file of weights that a block begins with. */
typedef struct {
    bool loaded;
    const char *name, *path;   /* as the program has it; where it was found */
    char hash[RT_SHA256_TEXT]; /* "" before record_hash_files() */
} DataFile;

struct Driver {
    Options options;
    Nnc *nnc;
    Program *program;
    Machine machine;
    VEC(Code *) codes;
    JitCode *jit;
    bool trains;   /* or evaluates, or tells or measures what that takes */
    double making; /* seconds that code was compiled for where it was needed first */
    Variables variables;
    void *arena;
    RtPool *pool;
    VEC(DataSet *) data;
    VEC(DataFile) files;
    RtHashing *hashing; /* NULL, or hashes the first `hashed` of them meanwhile */
    size_t hashed;
    VEC(PassTime) times;
    RtTensorBoard tb;
    VEC(const char *) columns; /* of the table of a run */
};

void driver_free_data(Driver *d);

/** Whether the program asks for the mean or the deviation of any of its data, as one does that scales them. */
bool driver_scales_data(const Driver *d);
/** Whether a data set is looked at for warnings now: once in a run. */
bool driver_judges_data(const DataInfo *info);

/** Where a file that source `from` names is: beside the source, then in --data, then in NNC_DATA; absolute paths stay.
 */
const char *driver_find_file(Driver *d, uint32_t from, const char *name);

/** An array from a file, as its suffix says: a picture (.png, .jpg), text (.txt) or else .npy. `t` is the type of the
 * input that it is for, whose dims a picture or a text is given. */
bool driver_read_array(const Type *t, const char *path, RtArray *a, RtError *e);
/** Writes a picture (.png), text (.txt), else .npy. */
bool driver_write_array(const char *path, const RtArray *a, RtError *e);

/* A variable, and its bytes in some copy of all variables. */
typedef struct {
    const Variable *var;
    char *bytes;
} Saved;

typedef VEC(Saved) SavedList;

/** Parameters and states of layers, of optimizers too where asked for; to be freed. */
SavedList driver_saved(Driver *d, char *bytes, bool optimizer_states);

/** The variable as a tensor under its path; data and name are not owned. */
RtTensor driver_tensor_of(Saved s);

/** Copies the variable's value from the tensor PREFIX + path of a file, or adds a line about why not to `problems`.
 * Types must be equal where `exact`, else they convert. */
bool driver_take_tensor(Saved s, const char *prefix, const RtTensors *file, bool exact, Str *problems);

/** Memory of so many bytes for what `who` names; NULL after an error. Freed by free(). */
void *driver_allocate(Driver *d, int64_t bytes, const char *who);

/** Gives all parameters and states their places, filled with zeros; false after an error. */
bool driver_lay_out(Driver *d);

/** Puts the variables that unit `u` uses in the order that it wants. */
void driver_arrange(Driver *d, const LoopUnit *u);

/** Lowers a unit and runs the graph passes over it; then its loop nests for `machine`, variables being laid out. */
void driver_optimize(Driver *d, Code *c);
void driver_build_loops(Driver *d, Code *c, const Machine *machine);

/** The loop nests of a graph that has the inputs, and the budget of memory, of unit `like`: driver_parts.c. `parts`
 * (may be NULL) gets what became of the batch. */
LoopUnit *driver_loops(Driver *d, const Graph *g, const Code *like, const char *name, int nresults,
                       const Machine *machine, BatchParts *parts);

/** Runs number `unit` of the code, of loop nests `u`, on the program's threads; where it trains, subnormal results are
 * zero (rt_floats_flush). */
void driver_jit_run(Driver *d, const LoopUnit *u, JitCode *jit, int unit, const void *const *bases, double *seconds);

/** What works on the batch of a unit as a whole: "'net.norm' (model.nn:7)". */
const char *driver_mixed(const Driver *d, const Code *c);

/** Whether every label of the loop's data that a unit uses as an index is inside what it indexes; false after
 * diagnostics. */
bool driver_check_labels(Driver *d, const Unit *u, const RtData *data);

/** The exported function of that name; NULL after an error, with the nearest name as help. */
const Export *driver_find_export(Driver *d, const char *name);

/** Adds the units of all train blocks, for full batches, and of all exported functions; those of one name. False after
 * an error. */
bool driver_add_all(Driver *d, const char *name);

/** Adds the scores and labels of a classifier to the results of an evaluating loop's steps, as a report shows them;
 * `last` may be NULL. False where there are none, or too many: driver_report_loop.c. */
bool driver_add_scores(Driver *d, const TrainLoop *loop, int64_t batch, Unit *full, Unit *last);

/** Whether the steps of all train blocks keep to their budgets of memory; otherwise a bill is the diagnostic:
 * driver_memory.c. */
bool driver_within_memory(Driver *d);
/** "61.2 MiB of 64 MiB, batches of 512 in parts of 128, recomputes 5 tensors": what a run of the block takes; NULL
 * where it has no budget. */
const char *driver_memory_text(const Driver *d, const TrainBlock *block);
/* An intermediate value of a unit that has a place of its own, and the first and the last kernel that use it. */
typedef struct {
    int buffer;
    int64_t bytes;
    int first, last;
} MemoryValue;

typedef VEC(MemoryValue) MemoryValues;

/** All of them, in the order of the buffers; the caller frees the list. */
MemoryValues driver_memory_values(const LoopUnit *u);
/** Buffers that the block's steps fill once more rather than keep. */
int driver_recomputed(const Driver *d, const TrainBlock *block);

/** Samples of the parts that batches of the block are run in, and of the batch (may be NULL); 0: none is. */
int64_t driver_part(const Driver *d, const TrainBlock *block, int64_t *batch);

/** Samples in a full batch of a loop. */
int64_t driver_batch(const Driver *d, const TrainBlock *block, const TrainLoop *loop);

/** "model.nn:7", or "" where there is no place. */
const char *driver_place(const Driver *d, Span at);

/** Bytes and elements of a tensor all of whose sizes are known. */
int64_t driver_bytes(Type t);
int64_t driver_elements(Type t);

/** Elements of all parameters whose paths lie below `path`. */
int64_t driver_parameters_below(const Program *p, const char *path);

/** "397,510"; "61.2 MiB"; "[N, 784]", or "" where there is no tensor: driver_text.c. */
const char *driver_grouped(Arena *a, int64_t v);
const char *driver_size(Arena *a, int64_t bytes);
const char *driver_shape(const Driver *d, Type t);

/** Whether the machine has so much memory at all; false after an error that begins with who needs it. */
bool driver_has_memory(Driver *d, double bytes, const char *who);

/** Adds what a stage took, from `since` on rt_seconds()'s clock. */
void driver_add_time(Driver *d, const char *name, double since);

#endif
