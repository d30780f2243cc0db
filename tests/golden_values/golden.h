/* Reference values from PyTorch, compared with what compiled programs give. */
#ifndef GOLDEN_H
#define GOLDEN_H

#include "compiler/driver.h"
#include "runtime/safetensors.h"

#include <cjson/cJSON.h>

/* One case of index.json, with the tensors of its file. */
typedef struct {
    const char *id, *op, *folder;
    const cJSON *json, *attrs, *inputs, *outputs, *gradients, *cotangents;
    const RtTensors *tensors;
} Case;

typedef enum { GOLDEN_PASSED, GOLDEN_FAILED, GOLDEN_SKIPPED } Verdict;

/* What a case came to: the largest error in units of its tolerance, and where, or why it did not run. */
typedef struct {
    Verdict verdict;
    double worst;
    char where[128];
} Outcome;

/* How a case is written in .nn: a row of rules.def. */
typedef enum {
    RULE_FUNCTION,
    RULE_LAYER,
    RULE_OPTIMIZER,
    RULE_CLOSED_LOOP,
    RULE_INITIALIZER,
    RULE_TRAINING,
    RULE_SCHEDULE,
    RULE_SKIP
} RuleKind;

typedef struct {
    RuleKind kind;
    const char *op, *conditions;
    const char *make;       /* layer, optimizer (also of a closed loop), initializer, schedule, or a run's model */
    const char *body;       /* function, layer; initializer: a property, or NULL; run: the loss; skip: why */
    const char *parameters; /* layer, run */
    const char *optimizer;  /* run */
} Rule;

const RtTensor *case_tensor(const Case *c, const char *key);
const RtTensor *case_input(const Case *c, const char *name);

/** The row for a case, or NULL. */
const Rule *golden_rule(const Case *c);

/* Where an input of a layer's case goes: a word `w=weight:10#0/3` of a rule's parameters. */
typedef struct {
    const char *name; /* of the parameter, by the end of its path */
    size_t name_len;
    char input[64];
    const char *digits; /* the order of its dims; none: as they are */
    size_t ndigits;
    int part, parts; /* the first dim is cut in `parts`, of which this is one */
} Placement;

/** Reads the word at `*words` and steps over it; false at the end. */
bool golden_placement(const char **words, Placement *p);

/** Whether only one precision is compared: the case means something in f64 alone; the reference itself was rounded to
 * f32. */
bool golden_f64_only(const Case *c);
bool golden_f32_only(const Rule *r);

/** `text` with {attributes} put in, by path: {alpha}, {betas.0}, {arguments.kw_dim|0} with a default; false where one
 * is missing. */
bool golden_fill(Str *out, const char *text, const Case *c);

/** The program for a case of a function or layer: an exported `golden` of its inputs and cotangents that gives outputs
 * and gradients in the order of index.json. */
bool golden_source(Str *out, const Case *c, const Rule *r);

/** Compares one result with the reference `entry` ({"key", "f32", "f64"}) and keeps the worst in `o`. */
void golden_compare(const Case *c, const cJSON *entry, const RtArray *got, bool f64, Outcome *o);

/** The bytes of the parameter or state whose name is `name` (of `len` bytes) or ends in ".NAME"; NULL where there is
 * none. */
char *golden_variable(Driver *d, const char *name, size_t len);
/** Copies a tensor of the reference into a variable that a rule places (NULL: as it is), or back `out` of it. */
void golden_place(char *bytes, bool f64, RtArray value, const Placement *p, bool out);
/** Writes `source` as a file in a temporary folder; the path, which golden_remove deletes with what else lies there. */
char *golden_write(const char *source);
void golden_remove(char *path);

/** How cases are compiled: quietly, in one thread, for NNC_CPU where that is set. */
Options golden_options(const char *path, bool f64);

/** The bytes of the parameter or state whose name is `name` (of `len` bytes) or ends in ".NAME"; NULL where there is
 * none.
 */
char *golden_variable(Driver *d, const char *name, size_t len);

Outcome golden_run(const Case *c, const Rule *r, bool f64);
/** An optimizer on given gradients: one compiled step is called for each of them. */
Outcome golden_run_optimizer(const Case *c, const Rule *r, bool f64);
/** An optimizer that minimizes a test function, step by step. */
Outcome golden_run_closed_loop(const Case *c, const Rule *r, bool f64);
/** A schedule that reads a report. */
Outcome golden_run_schedule(const Case *c, const Rule *r, bool f64);
/** A whole training run. */
Outcome golden_run_training(const Case *c, const Rule *r, bool f64);
/** An initializer: the mean, deviation and bounds of one draw. */
Outcome golden_run_initializer(const Case *c, const Rule *r, bool f64);

#endif
