#include "compiler/driver_private.h"

#include "compiler/lower/lower.h"
#include "compiler/pass/passes.h"
#include "runtime/files.h"
#include "stdlib/stdlib.h"

#include <glob.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void driver_add_time(Driver *d, const char *name, double since) {
    double seconds = rt_seconds() - since;
    for (size_t i = 0; i < d->times.len; i++)
        if (strcmp(d->times.at[i].name, name) == 0) {
            d->times.at[i].seconds += seconds;
            return;
        }
    vec_push(&d->times, (PassTime){name, seconds});
}

Nnc *driver_nnc(Driver *d) { return d->nnc; }
Program *driver_program(Driver *d) { return d->program; }
const VarLayout *driver_layout(const Driver *d) { return &d->variables.layout; }

bool driver_failed(Driver *d) {
    const Diags *diags = &d->nnc->diags;
    if (diags->printed < diags->list.len) {
        fflush(stdout);
        diag_print(d->nnc, stderr, isatty(2) && !getenv("NO_COLOR"));
    }
    return d->nnc->diags.errors > 0;
}

bool driver_error(Driver *d, const char *fmt, ...) {
    (void)d;
    fflush(stdout);
    va_list ap;
    va_start(ap, fmt);
    fputs("error: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return false;
}

static bool dumps(const Driver *d, DumpStage stage) { return d->options.dumps >> stage & 1; }

/* ---- opening ---- */

typedef const char *StdlibRow[2]; /* path, text */

static const StdlibRow *embedded_stdlib(Arena *a) {
    size_t n = 0;
    while (stdlib_files[n].path) n++;
    StdlibRow *rows = ARENA_ARRAY(a, StdlibRow, n + 1);
    for (size_t i = 0; i < n; i++) rows[i][0] = stdlib_files[i].path, rows[i][1] = stdlib_files[i].text;
    return rows;
}

/* --stdlib=DIR: the .nn files in DIR's folders instead of the embedded ones. */
static const StdlibRow *stdlib_of_folder(Driver *d, const char *dir) {
    enum { LIMIT = 1 << 24 };
    glob_t found;
    if (glob(arena_printf(d->nnc->arena, "%s/*/*.nn", dir), 0, NULL, &found) != 0) {
        driver_error(d, "no standard library in '%s': it has no folders with .nn files", dir);
        return NULL;
    }
    StdlibRow *rows = ARENA_ARRAY(d->nnc->arena, StdlibRow, found.gl_pathc + 1);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        RtError err;
        size_t size;
        char *text = rt_file_read(found.gl_pathv[i], LIMIT, &size, &err);
        if (!text) {
            driver_error(d, "%s", err.text);
            rows = NULL;
            break;
        }
        rows[i][0] = arena_printf(d->nnc->arena, "%s", found.gl_pathv[i]);
        rows[i][1] = arena_copy(d->nnc->arena, text, size + 1);
        free(text);
    }
    globfree(&found);
    return rows;
}

/* --dump=tokens and --dump=ast show the file alone, before names are resolved. */
static bool dump_source(Driver *d) {
    if (!dumps(d, DUMP_TOKENS) && !dumps(d, DUMP_AST)) return true;
    uint32_t file = source_read(d->nnc, d->options.file, (Span){0});
    if (!file) return false;
    if (dumps(d, DUMP_TOKENS)) lex_dump(d->nnc, file, stdout);
    if (dumps(d, DUMP_AST)) {
        AstFile *tree = parse_file(d->nnc, file);
        if (d->nnc->diags.errors) return false;
        ast_dump(tree, stdout);
    }
    return true;
}

Driver *driver_open(const Options *o) {
    Driver *d = xcalloc(1, sizeof *d);
    d->options = *o;
    d->nnc = nnc_new();
    d->nnc->float_type = o->float_type;
    d->nnc->diags.errors_only = o->quiet;
    double start = rt_seconds();
    const StdlibRow *stdlib = o->stdlib_dir ? stdlib_of_folder(d, o->stdlib_dir) : embedded_stdlib(d->nnc->arena);
    if (stdlib && target_facts(d->nnc, NULL, o->cpu, &d->machine) && dump_source(d))
        d->program = program_load(d->nnc, o->file, stdlib, o->sets, o->nsets, driver_data_opener(d));
    driver_add_time(d, "parse", start);
    if (driver_failed(d) || !d->program) {
        driver_close(d);
        return NULL;
    }
    return d;
}

static void print_times(const Driver *d) {
    double total = 0;
    for (size_t i = 0; i < d->times.len; i++) total += d->times.at[i].seconds;
    for (size_t i = 0; i < d->times.len; i++)
        fprintf(stderr, "%9.3f ms  %s\n", 1e3 * d->times.at[i].seconds, d->times.at[i].name);
    fprintf(stderr, "%9.3f ms  in all\n", 1e3 * total);
}

void driver_close(Driver *d) {
    if (!d) return;
    if (d->options.time_passes) print_times(d);
    rt_hashing_end(d->hashing, NULL);
    jit_free(d->jit);
    rt_pool_free(d->pool);
    free(d->variables.bytes);
    vec_free(&d->variables.in_panels);
    free(d->arena);
    driver_free_data(d);
    for (size_t i = 0; i < d->codes.len; i++) free(d->codes.at[i]);
    vec_free(&d->codes);
    vec_free(&d->times);
    nnc_free(d->nnc);
    free(d);
}

/* ---- building ---- */

Code *driver_add_unit(Driver *d, Unit *u) {
    if (!u) return NULL;
    Code *c = xcalloc(1, sizeof *c);
    c->unit = u;
    c->number = (int)d->codes.len;
    if (u->kind != UNIT_EXPORT) /* these have names of their own; of the others there may be several */
        u->name = intern(d->nnc->names, arena_printf(d->nnc->arena, "%s%zu", u->name, d->codes.len + 1));
    vec_push(&d->codes, c);
    if (dumps(d, DUMP_TYPES)) unit_dump(u, stdout);
    return c;
}

Code *driver_add_loop(Driver *d, TrainBlock *block, int loop, int64_t n) {
    Code *c = driver_add_unit(d, program_loop_unit(d->program, block, loop, n));
    if (c) c->block = block;
    return c;
}

static void dump_graph(Driver *d, DumpStage stage, const Unit *u, const Graph *g) {
    if (!dumps(d, stage)) return;
    printf("# unit %s\n", u->name);
    ir_print(g, stdout);
}

/* Runs the rows of passes.def over a unit's graph. */
void driver_optimize(Driver *d, Code *c) {
    double start = rt_seconds();
    Graph *g = lower_unit(d->nnc, d->program, c->unit);
    driver_add_time(d, "lower", start);
    if (VERIFY) ir_verify(g, "lower");
    c->lowered = g;
    dump_graph(d, DUMP_IR, c->unit, g);
#define PASS(name, function, text)                                                                                     \
    start = rt_seconds();                                                                                              \
    g = function(d->nnc, g);                                                                                           \
    driver_add_time(d, #name, start);                                                                                  \
    if (VERIFY) ir_verify(g, #name);                                                                                   \
    if (strcmp(#name, "autodiff") == 0) dump_graph(d, DUMP_GRAD, c->unit, g);
#include "compiler/pass/passes.def"
#undef PASS
    dump_graph(d, DUMP_SIMPLIFIED, c->unit, g);
    c->graph = g;
}

void driver_build_loops(Driver *d, Code *c, const Machine *machine) {
    double start = rt_seconds();
    c->loops = driver_loops(d, c->graph, c, c->unit->name, (int)c->unit->results.len, machine, &c->parts);
    c->loops->once = c->once;
    driver_add_time(d, "loops", start);
    if (VERIFY) loop_verify(c->loops);
    if (dumps(d, DUMP_FUSED)) {
        printf("# unit %s\n", c->unit->name);
        ir_print(c->loops->graph, stdout);
    }
    if (dumps(d, DUMP_PLAN)) loop_print(c->loops, stdout);
}

int64_t driver_arena_bytes(const Driver *d) {
    int64_t bytes = DRIVER_LEAST_ARENA;
    for (size_t i = 0; i < d->codes.len; i++) bytes = MAX(bytes, d->codes.at[i]->loops->arena_bytes);
    return bytes;
}

static bool to_machine_code(Driver *d) {
    LoopUnit **units = ARENA_ARRAY(d->nnc->arena, LoopUnit *, d->codes.len);
    bool *soon = ARENA_ARRAY(d->nnc->arena, bool, d->codes.len);
    for (size_t i = 0; i < d->codes.len; i++) {
        units[i] = d->codes.at[i]->loops;
        soon[i] = d->codes.at[i]->soon;
    }
    int n = (int)d->codes.len;
    if (dumps(d, DUMP_LLVM) && !backend()->dump(d->nnc, units, n, d->options.cpu, EMIT_LLVM, stdout)) return false;
    if (dumps(d, DUMP_ASM) && !backend()->dump(d->nnc, units, n, d->options.cpu, EMIT_ASM, stdout)) return false;
    double start = rt_seconds();
    d->jit = jit_new(d->nnc, units, n, d->options.cpu, !d->options.no_cache);
    if (!d->jit) return false;
    for (int i = 0; i < n; i++) d->codes.at[i]->jit = d->jit;
    jit_make(d->jit, soon);
    driver_add_time(d, "llvm", start);
    unsigned floats = rt_floats_flush(d->trains);
    d->pool = rt_pool_new(d->options.threads); /* its threads keep that */
    rt_floats_restore(floats);
    const char *who = "the program's intermediate values";
    if (d->options.batch) who = arena_printf(d->nnc->arena, "%s in batches of %lld", who, (long long)d->options.batch);
    d->arena = driver_allocate(d, driver_arena_bytes(d), who);
    return d->arena != NULL;
}

bool driver_build(Driver *d, bool jit) {
    for (size_t i = 0; i < d->codes.len; i++) driver_optimize(d, d->codes.at[i]);
    if (driver_failed(d)) return false;
    if (!driver_lay_out(d)) return false;
    for (size_t i = 0; i < d->codes.len; i++) driver_build_loops(d, d->codes.at[i], &d->machine);
    if (!driver_within_memory(d) || driver_failed(d)) return false;
    return !jit || to_machine_code(d);
}

/* ---- running ---- */

const void **driver_bases(Driver *d, const Unit *u, const RtData *data) {
    const void **bases = ARENA_ARRAY(d->nnc->arena, const void *, BASE_FIRST_INPUT + u->inputs.len + u->results.len);
    bases[BASE_ARENA] = d->arena;
    bases[BASE_VARIABLES] = d->variables.bytes;
    for (int i = 0; data && i < data->nfields; i++) bases[BASE_FIRST_INPUT + i] = data->fields[i].data;
    return bases;
}

void driver_jit_run(Driver *d, const LoopUnit *u, JitCode *jit, int unit, const void *const *bases, double *seconds) {
    driver_arrange(d, u);
    unsigned floats = rt_floats_flush(d->trains);
    jit_run(jit, unit, bases, d->pool, seconds);
    rt_floats_restore(floats);
}

void driver_run_code(Driver *d, const Code *c, const void **bases) {
    if (!jit_made(c->jit, c->number)) {
        double start = rt_seconds();
        jit_make_unit(c->jit, c->number);
        d->making += rt_seconds() - start;
    }
    driver_jit_run(d, c->loops, c->jit, c->number, bases, NULL);
}

/* ---- facts for the commands ---- */

int64_t driver_batch(const Driver *d, const TrainBlock *block, const TrainLoop *loop) {
    int64_t n = d->options.batch ? d->options.batch : block->batch ? block->batch : 32;
    return MIN(n, loop->data->count);
}

const char *driver_place(const Driver *d, Span at) {
    if (!at.file) return "";
    int line, column;
    const Source *s = d->nnc->sources.files.at[at.file];
    source_place(s, at.begin, &line, &column);
    return arena_printf(d->nnc->arena, "%s:%d", s->path, line);
}

int64_t driver_bytes(Type t) {
    int64_t bytes = (int64_t)dtype_size(t.dtype), n;
    for (int i = 0; i < t.rank; i++) {
        if (!dim_is_const(t.dims[i], &n)) bug("the size of a tensor is not known");
        bytes *= n;
    }
    return bytes;
}

int64_t driver_elements(Type t) { return driver_bytes(t) / (int64_t)dtype_size(t.dtype); }

int64_t driver_parameters_below(const Program *p, const char *path) {
    int64_t n = 0;
    size_t len = strlen(path);
    for (size_t i = 0; i < p->params.len; i++)
        if (strncmp(p->params.at[i]->path, path, len) == 0 && p->params.at[i]->path[len] == '.')
            n += driver_elements(p->params.at[i]->type);
    return n;
}
