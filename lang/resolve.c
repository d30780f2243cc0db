/* Files and their names: imports, the top level of each module, and what a name means there. */
#include "lang/builtin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- declarations ---- */

static void declare(Checker *c, Module *m, AstName name, Ast *ast, int part) {
    Decl *old = map_get(&m->decls, name.name);
    if (old) {
        Diag *d = err(c, name.at, duplicate, name.name);
        diag_label(c->nnc, d, old->at, "first declared here");
        return;
    }
    Decl *d = ARENA_NEW(check_arena(c), Decl);
    *d = (Decl){.name = name.name, .ast = ast, .module = m, .at = name.at, .part = part};
    map_put(c, &m->decls, name.name, d);
    arena_push(c, &m->order, d);
}

static void declare_all(Checker *c, Module *m, const AstFile *file) {
    for (int i = 0; i < file->decls.len; i++) {
        Ast *a = file->decls.at[i];
        if (a->kind == AST_FUNCTION) {
            declare(c, m, a->fn.name, a, -1);
        } else if (a->kind == AST_LET || a->kind == AST_DATA) {
            for (int k = 0; k < a->let.names.len; k++)
                if (strcmp(a->let.names.at[k].name, "_") != 0)
                    declare(c, m, a->let.names.at[k], a, a->let.is_tuple ? k : -1);
        }
    }
}

static Module *module_new(Checker *c, const char *path) {
    Module *m = ARENA_NEW(check_arena(c), Module);
    m->path = path;
    m->scope = scope_new(c, NULL);
    m->scope->module = m;
    arena_push(c, &c->modules, m);
    return m;
}

/* ---- imports ---- */

static const char *beside(Checker *c, const char *file, const char *path) {
    const char *slash = strrchr(file, '/');
    if (path[0] == '/' || !slash) return path;
    return arena_printf(check_arena(c), "%.*s/%s", (int)(slash - file), file, path);
}

static Name real_path(Checker *c, const char *path) {
    char *real = realpath(path, NULL);
    Name name = intern(c->nnc->names, real ? real : path);
    free(real);
    return name;
}

/* An import gives each of the other file's names; two files that give the same one are told apart by nobody. */
static void check_clash(Checker *c, Module *m, Module *other, Span at) {
    for (size_t i = 0; i < m->imports.len; i++) {
        Module *have = m->imports.at[i];
        if (have == other) continue;
        for (size_t k = 0; k < other->order.len; k++) {
            Name name = other->order.at[k]->name;
            if (map_get(&m->decls, name)) continue;
            Decl *d = map_get(&have->decls, name);
            if (d) diag_label(c->nnc, err(c, at, import_clash, name, have->path, other->path), d->at, "the other one");
        }
    }
}

static Module *load_module(Checker *c, const char *path, Span from) {
    Name key = real_path(c, path);
    Module *m = map_get(&c->by_path, key);
    if (m && !m->file) {
        err(c, from, import_cycle, path);
        c->broken = true;
        return NULL;
    }
    if (m) return m;
    m = module_new(c, path);
    map_put(c, &c->by_path, key, m);
    int errors = c->nnc->diags.errors;
    uint32_t file = source_read(c->nnc, path, from);
    AstFile *parsed = file ? parse_file(c->nnc, file) : NULL;
    if (c->nnc->diags.errors != errors) c->broken = true;
    if (!parsed) return NULL;
    declare_all(c, m, parsed);
    for (int i = 0; i < parsed->decls.len; i++) {
        Ast *a = parsed->decls.at[i];
        if (a->kind != AST_IMPORT) continue;
        Module *other = load_module(c, beside(c, path, a->import.path), a->import.path_at);
        if (!other) continue;
        check_clash(c, m, other, a->import.path_at);
        arena_push(c, &m->imports, other);
    }
    m->file = parsed;
    return m;
}

/* ---- the library: a file is read when one of its names is looked up ---- */

static bool is_letter(char ch) { return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_'; }
static bool is_word(char ch) { return is_letter(ch) || (ch >= '0' && ch <= '9'); }

static const char *word_end(const char *p) {
    while (is_word(*p)) p++;
    return p;
}

static bool is_kind(const char *word, const char *kind) {
    size_t n = strlen(kind);
    return strncmp(word, kind, n) == 0 && !is_word(word[n]);
}

/* Where the line at `p` declares something: the end of the word that says of what kind; else NULL. */
static const char *after_kind(const char *p) {
    static const char *const kinds[] = {"fn", "let", "layer", "loss", "optimizer", "model", "data"};
    if (is_kind(p, "export")) p = word_end(p) + strspn(word_end(p), " ");
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (is_kind(p, kinds[i])) return word_end(p);
    return NULL;
}

/* Notes what is declared: the next word, for `let` all words before the `=`. */
static const char *note_declaration(Checker *c, const char *p, bool all, void *file) {
    while (*p && !strchr("\n=", *p)) {
        const char *end = word_end(p);
        if (end == p) {
            p++;
            continue;
        }
        map_put(c, &c->library_names, intern_n(c->nnc->names, p, (size_t)(end - p)), file);
        p = end;
        if (!all) break;
    }
    return p;
}

/* Looks for declarations: lines outside of all brackets that begin with a kind. */
static void note_names(Checker *c, const char *text, void *file) {
    int depth = 0;
    bool begins = true;
    for (const char *p = text; *p; p++) {
        const char *name = begins && !depth && is_letter(*p) ? after_kind(p) : NULL;
        if (name) p = note_declaration(c, name, is_kind(p, "let"), file);
        if (*p == '#') p += strcspn(p, "\n");
        if (*p == '"') p += 1 + strcspn(p + 1, "\"");
        if (!*p) return;
        depth += strchr("([{", *p) ? 1 : strchr(")]}", *p) ? -1 : 0;
        begins = *p == '\n' || (begins && *p == ' ');
    }
}

static void note_library(Checker *c, const char *const (*stdlib)[2]) {
    c->library = module_new(c, "the standard library");
    c->library->is_library = true;
    for (int i = 0; stdlib && stdlib[i][0]; i++) {
        LibraryFile *f = ARENA_NEW(check_arena(c), LibraryFile);
        *f = (LibraryFile){.path = stdlib[i][0], .text = stdlib[i][1]};
        arena_push(c, &c->library_files, f);
        note_names(c, f->text, f);
    }
}

static void read_library_file(Checker *c, LibraryFile *f) {
    if (f->read) return;
    f->read = true;
    int errors = c->nnc->diags.errors;
    const char *path = arena_printf(check_arena(c), "stdlib/%s", f->path);
    uint32_t file = source_add(&c->nnc->sources, check_arena(c), path, f->text, strlen(f->text));
    declare_all(c, c->library, parse_file(c->nnc, file));
    if (c->nnc->diags.errors != errors) c->broken = true;
}

static Decl *library_decl(Checker *c, Name name) {
    Decl *d = map_get(&c->library->decls, name);
    LibraryFile *f = d ? NULL : map_get(&c->library_names, name);
    if (!f || f->read) return d;
    read_library_file(c, f);
    return map_get(&c->library->decls, name);
}

/* ---- values of declarations ---- */

Value setting_value(Checker *c, const char *text) {
    if (strcmp(text, "true") == 0) return value_bool(true);
    if (strcmp(text, "false") == 0) return value_bool(false);
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (*text && !*end && errno == 0) return value_int(c, n);
    double x = strtod(text, &end);
    if (*text && !*end) return value_float(x);
    return value_string(intern(c->nnc->names, text));
}

static Value function_value(Module *m, Ast *ast) {
    static const ValueKind kinds[] = {[FN_FN] = V_FUNCTION,
                                      [FN_LOSS] = V_FUNCTION,
                                      [FN_LAYER] = V_LAYER,
                                      [FN_MODEL] = V_MODEL,
                                      [FN_OPTIMIZER] = V_OPTIMIZER};
    return (Value){.kind = kinds[ast->fn.kind], .fn = {.ast = ast, .scope = m->scope}};
}

static Value part_of(Checker *c, Value v, int part, Ast *let) {
    if (part < 0 || v.kind == V_POISON) return v;
    if ((v.kind == V_TUPLE || v.kind == V_LIST) && v.list.len == let->let.names.len) return v.list.at[part];
    err(c, let->let.value->at, unpack, let->let.names.len, value_text(c, v));
    return value_poison();
}

/* Outside of every unit and body: a top-level let means the same wherever it is read. */
static Value let_value(Checker *c, Decl *d) {
    UnitState *unit = c->unit;
    Frame *frame = c->frame;
    struct IndexContext *indices = c->indices;
    struct ScanContext *scan = c->scan;
    c->unit = NULL, c->frame = NULL, c->indices = NULL, c->scan = NULL;
    Value v;
    const Setting *set = d->part < 0 && !d->module->is_library ? map_get(&c->overrides, d->name) : NULL;
    if (set) {
        v = setting_value(c, set->value);
    } else {
        v = part_of(c, eval_expr(c, d->module->scope, d->ast->let.value), d->part, d->ast);
        name_instance(c, v, d->name);
    }
    c->unit = unit, c->frame = frame, c->indices = indices, c->scan = scan;
    return v;
}

static Value decl_value(Checker *c, Decl *d, Span at) {
    if (d->state == DECL_DONE) return d->value;
    if (d->state == DECL_BUSY) {
        diag_label(c->nnc, err(c, at, let_cycle, d->name), d->at, "declared here");
        return value_poison();
    }
    d->state = DECL_BUSY;
    d->value = value_poison();
    if (d->ast->kind == AST_FUNCTION)
        d->value = function_value(d->module, d->ast);
    else if (d->ast->kind == AST_DATA)
        data_declare(c, d);
    else
        d->value = let_value(c, d);
    d->state = DECL_DONE;
    return d->value;
}

/* ---- lookup ---- */

static Decl *find_decl(Checker *c, Module *m, Name name) {
    Decl *d = m == c->library ? NULL : map_get(&m->decls, name);
    for (size_t i = 0; !d && i < m->imports.len; i++) d = map_get(&m->imports.at[i]->decls, name);
    return d ? d : library_decl(c, name);
}

Value module_lookup(Checker *c, Module *m, Name name, Span at) {
    Decl *d = find_decl(c, m, name);
    if (d) return decl_value(c, d, at);
    const Builtin *b = builtin_find(name);
    if (b) return (Value){.kind = V_BUILTIN, .builtin = b};
    DType t;
    if (dtype_from_name(name, &t)) return (Value){.kind = V_DTYPE, .dtype = t == DT_F32 ? type_float(c) : t};
    return value_none();
}

bool module_has(Checker *c, Module *m, Name name) {
    DType t;
    return find_decl(c, m, name) || builtin_find(name) || dtype_from_name(name, &t) || eval_is_ambient(name);
}

bool module_has_number(Checker *c, Module *m, Name name) {
    Decl *d = find_decl(c, m, name);
    return d && d->ast->kind == AST_LET && d->state != DECL_BUSY && value_is_number(decl_value(c, d, d->at));
}

static void add_decls(Checker *c, const Module *m, Names *names) {
    for (size_t i = 0; i < m->order.len; i++) arena_push(c, names, m->order.at[i]->name);
}

const char *scope_nearest(Checker *c, Scope *s, Name name) {
    Names names = {0};
    Module *m = NULL;
    for (; s; s = s->up) {
        for (size_t i = 0; i < s->names.len; i++) arena_push(c, &names, s->names.at[i].name);
        m = s->module;
    }
    if (m) add_decls(c, m, &names);
    for (size_t i = 0; m && i < m->imports.len; i++) add_decls(c, m->imports.at[i], &names);
    for (size_t i = 0; i < c->library_files.len; i++) read_library_file(c, c->library_files.at[i]);
    add_decls(c, c->library, &names);
    int n;
    builtin_names(NULL, &n);
    const char **builtins = ARENA_ARRAY(check_arena(c), const char *, n);
    builtin_names(builtins, &n);
    for (int i = 0; i < n; i++) arena_push(c, &names, builtins[i]);
    return diag_nearest(name, names.at, names.len);
}

/* ---- the program ---- */

static void settings_used(Checker *c, const Setting *sets, int nsets) {
    Names lets = {0};
    for (size_t i = 0; i < c->modules.len; i++) {
        Module *m = c->modules.at[i];
        for (size_t k = 0; !m->is_library && k < m->order.len; k++) {
            const Decl *d = m->order.at[k];
            if (d->ast->kind == AST_LET && d->part < 0) arena_push(c, &lets, d->name);
        }
    }
    for (int i = 0; i < nsets; i++) {
        bool found = false;
        for (size_t k = 0; k < lets.len; k++) found = found || strcmp(lets.at[k], sets[i].name) == 0;
        if (found) continue;
        Diag *d = err(c, (Span){0}, unknown_setting, sets[i].name);
        const char *near = diag_nearest(sets[i].name, lets.at, lets.len);
        if (near) diag_help(c->nnc, d, "did you mean '%s'?", near);
    }
}

static void declare_models(Checker *c, Module *m) {
    for (int i = 0; m->file && !m->is_library && i < m->file->decls.len; i++) {
        Ast *a = m->file->decls.at[i];
        Model model = {a->kind == AST_FUNCTION ? a->fn.name.name : NULL, a, m};
        if (a->kind == AST_FUNCTION && a->fn.kind == FN_MODEL) arena_push(c, &c->program->models, model);
    }
}

static void declare_runs(Checker *c, Module *m) {
    for (int i = 0; m->file && i < m->file->decls.len; i++) {
        Ast *a = m->file->decls.at[i];
        if (a->kind == AST_TRAIN) train_declare(c, a);
        if (a->kind != AST_FUNCTION || !a->fn.exported) continue;
        Export e = {.name = a->fn.name.name, .doc = a->fn.doc, .ast = a};
        arena_push(c, &c->program->exports, e);
    }
}

bool resolve_program(Checker *c, const char *path, const char *const (*stdlib)[2], const Setting *sets, int nsets) {
    int before = c->nnc->diags.errors;
    note_library(c, stdlib);
    for (int i = 0; i < nsets; i++) map_put(c, &c->overrides, intern(c->nnc->names, sets[i].name), (void *)&sets[i]);
    c->main = load_module(c, path, (Span){0});
    if (!c->main || c->broken) return false;
    settings_used(c, sets, nsets);
    for (size_t i = 0; i < c->modules.len; i++) {
        Module *m = c->modules.at[i];
        for (size_t k = 0; !m->is_library && k < m->order.len; k++) decl_value(c, m->order.at[k], (Span){0});
        declare_models(c, m);
    }
    /* only the program's own file has runs and exports; imported ones are used for what they declare */
    declare_runs(c, c->main);
    return c->nnc->diags.errors == before;
}
