/* `nnc compile`: exported functions as a standalone object and a C header. */
#include "compiler/driver_private.h"

#include "runtime/files.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* One C function: an export for one batch size. */
typedef struct {
    const Export *export;
    Unit *unit;
    Code code;
    const char *symbol;
} Function;

typedef VEC(Function) Functions;

static const struct {
    const char *name, *suffix;
    EmitKind kind;
} kinds[] = {{"obj", ".o", EMIT_OBJECT}, {"asm", ".s", EMIT_ASM}, {"llvm", ".ll", EMIT_LLVM}};

static bool ends_with(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static bool choose_kind(Driver *d, const CompileOptions *c, EmitKind *kind) {
    *kind = EMIT_OBJECT;
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (c->emit ? strcmp(c->emit, kinds[i].name) == 0 : c->out && ends_with(c->out, kinds[i].suffix)) {
            *kind = kinds[i].kind;
            return true;
        }
    return !c->emit || driver_error(d, "--emit=%s is not one of obj, asm, llvm", c->emit);
}

static const char *stem(Driver *d, const char *path) {
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    size_t n = dot && dot > (slash ? slash + 1 : path) ? (size_t)(dot - path) : strlen(path);
    return arena_printf(d->nnc->arena, "%.*s", (int)n, path);
}

static bool add_functions(Driver *d, const CompileOptions *c, Functions *list) {
    Program *p = d->program;
    if (!p->exports.len) return driver_error(d, "'%s' has no `export fn` to compile", d->options.file);
    for (size_t i = 0; i < p->exports.len; i++)
        for (int b = 0; b < MAX(c->nbatches, 1); b++) {
            int64_t n = c->nbatches ? c->batches[b] : d->options.batch ? d->options.batch : 1;
            Unit *u = program_export_unit(p, &p->exports.at[i], NULL, 0, NULL, 0, n);
            if (!u) return false;
            Function f = {.export = &p->exports.at[i], .unit = u, .code = {.unit = u}};
            const char *prefix = c->prefix ? c->prefix : "";
            f.symbol = c->nbatches > 1 ? arena_printf(d->nnc->arena, "%s%s_%lld", prefix, f.export->name, (long long)n)
                                       : arena_printf(d->nnc->arena, "%s%s", prefix, f.export->name);
            u->name = intern(d->nnc->names, arena_printf(d->nnc->arena, "unit_%s", f.symbol));
            vec_push(list, f);
        }
    return true;
}

/* ---- the header ---- */

static void put_type(Str *s, Type t) {
    str_add(s, "%s[", dtype_name(t.dtype));
    for (int i = 0; i < t.rank; i++) {
        if (i) str_add(s, ", ");
        dim_print(s, t.dims[i]);
    }
    str_add(s, "]");
}

/* The parts of a tuple are named f.0, f.1, ...: f_0, f_1 in C. */
static const char *result_name(Driver *d, const Unit *u, size_t i) {
    Name name = u->results.at[i].name;
    if (!name) return u->results.len == 1 ? "result" : arena_printf(d->nnc->arena, "result%zu", i);
    char *c_name = arena_printf(d->nnc->arena, "%s", name);
    for (char *p = strchr(c_name, '.'); p; p = strchr(p, '.')) *p = '_';
    return c_name;
}

static void put_function(Driver *d, Str *s, const Function *f) {
    const Unit *u = f->unit;
    str_add(s, "\n/**\n");
    if (f->export->doc) str_add(s, " * %s\n *\n", f->export->doc);
    for (size_t i = 0; i < u->inputs.len; i++) {
        str_add(s, " * @param %s  in: ", u->inputs.at[i].name);
        put_type(s, u->inputs.at[i].type);
        str_add(s, ", row-major\n");
    }
    for (size_t i = 0; i < u->results.len; i++) {
        str_add(s, " * @param %s  out: ", result_name(d, u, i));
        put_type(s, u->results.at[i].value->type);
        str_add(s, ", row-major\n");
    }
    str_add(s, " * @param scratch  %s_SCRATCH bytes, aligned to 64; its content need not be kept between calls\n */\n",
            f->symbol);
    str_add(s, "#define %s_SCRATCH %lld\nvoid %s(", f->symbol, (long long)MAX(f->code.loops->arena_bytes, 64),
            f->symbol);
    for (size_t i = 0; i < u->inputs.len; i++)
        str_add(s, "const %s *%s, ", dtype_c_name(u->inputs.at[i].type.dtype), u->inputs.at[i].name);
    for (size_t i = 0; i < u->results.len; i++)
        str_add(s, "%s *%s, ", dtype_c_name(u->results.at[i].value->type.dtype), result_name(d, u, i));
    str_add(s, "void *scratch);\n");
}

static bool write_header(Driver *d, const Functions *list, const char *path) {
    Str s = {0}, guard = {0};
    const char *name = strrchr(path, '/');
    for (const char *c = name ? name + 1 : path; *c; c++)
        str_add(&guard, "%c", isalnum((unsigned char)*c) ? toupper((unsigned char)*c) : '_');
    str_add(
        &s,
        "/* Made by nnc %s from %s. Each function is freestanding: it allocates nothing, does no input or output, and\n"
        " * keeps nothing between calls, so that several threads may call it with a scratch memory each. */\n"
        "#ifndef NNC_%s\n#define NNC_%s\n\n#include <stdint.h>\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n",
        NNC_VERSION, d->options.file, guard.at, guard.at);
    for (size_t i = 0; i < list->len; i++) put_function(d, &s, &list->at[i]);
    str_add(&s, "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
    RtError err;
    bool ok = rt_file_replace(path, s.at, s.len, &err) || driver_error(d, "%s", err.text);
    vec_free(&s);
    vec_free(&guard);
    return ok;
}

/* ---- the command ---- */

static bool emit(Driver *d, const CompileOptions *c, Functions *list) {
    EmitKind kind;
    Machine machine;
    if (!choose_kind(d, c, &kind)) return false;
    const char *cpu = c->cpu ? c->cpu : c->target ? "generic" : "x86-64";
    if (!target_facts(d->nnc, c->target, cpu, &machine)) return false;
    ObjectEntry *entries = ARENA_ARRAY(d->nnc->arena, ObjectEntry, list->len);
    for (size_t i = 0; i < list->len; i++) {
        Function *f = &list->at[i];
        driver_optimize(d, &f->code);
        driver_build_loops(d, &f->code, &machine);
        entries[i] = (ObjectEntry){f->code.loops, f->symbol};
    }
    const char *out =
        c->out ? c->out : arena_printf(d->nnc->arena, "%s%s", stem(d, d->options.file), kinds[kind].suffix);
    if (!backend()->object(d->nnc, entries, (int)list->len, driver_values(d), d->variables.layout.size, c->target, cpu,
                           kind, out))
        return false;
    const char *header = arena_printf(d->nnc->arena, "%s.h", stem(d, out));
    if (!write_header(d, list, header)) return false;
    if (!d->options.quiet) printf("%s, %s\n", out, header);
    return true;
}

int driver_compile(Driver *d, const CompileOptions *c) {
    Functions list = {0};
    bool ok = program_check(d->program) && add_functions(d, c, &list);
    if (ok) {
        Code *init = driver_add_init(d);
        ok = init && driver_build(d, true) && driver_find_weights(d, init, d->program->params.len > 0) &&
             emit(d, c, &list);
    }
    vec_free(&list);
    return driver_failed(d) || !ok;
}
