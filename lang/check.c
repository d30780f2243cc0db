/* The checker's own services: messages with the calls that led to them, texts, frames. */
#include "lang/check.h"

#include <stdarg.h>
#include <string.h>

/* ---- messages ---- */

/* A function that is expanded often reports each of its faults once. */
void check_begin(Checker *c, Span at, DiagId id) {
    Name key = check_name(c, "%d:%u:%u:%u", (int)id, at.file, at.begin, at.end);
    c->repeated = at.file != 0 && map_get(&c->reported, key) != NULL;
    if (c->repeated)
        c->nnc->diags.muted++;
    else if (!c->nnc->diags.muted)
        map_put(c, &c->reported, key, c);
}

static bool in_library(Checker *c, Span at) {
    const char *path = at.file ? c->nnc->sources.files.at[at.file]->path : "";
    return strncmp(path, "stdlib/", 7) == 0;
}

Diag *check_note(Checker *c, Span at, Diag *d) {
    bool user = false;
    int shown = 0;
    for (const Frame *f = c->frame; f && shown < 4 && !user; f = f->up) {
        if (!f->name || !f->call.file) continue;
        user = !in_library(c, f->call);
        if (shown > 0 && !user) continue;
        if (f->call.begin == at.begin && f->call.file == at.file) continue;
        diag_label(c->nnc, d, f->call, "in the call of '%s' here", f->name);
        shown++;
    }
    if (c->repeated) c->nnc->diags.muted--;
    return d;
}

void check_stop(Checker *c) { c->stopped = true; }

/* ---- texts ---- */

Name check_name(Checker *c, const char *fmt, ...) {
    char small[256];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    if (n < (int)sizeof small) return intern(c->nnc->names, small);
    char *text = arena_alloc(check_arena(c), (size_t)n + 1);
    va_start(args, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, args);
    va_end(args);
    return intern(c->nnc->names, text);
}

static const char *kept(Checker *c, Str *s) {
    const char *text = s->len ? arena_copy(check_arena(c), s->at, s->len + 1) : "";
    vec_free(s);
    return text;
}

const char *type_text(Checker *c, Type t) {
    Str s = {0};
    type_print(&s, t);
    return kept(c, &s);
}

const char *dim_text(Checker *c, Dim d) {
    Str s = {0};
    dim_print(&s, d);
    return kept(c, &s);
}

const char *source_text(Checker *c, Span at) {
    return at.file ? source_words(c->nnc->sources.files.at[at.file], check_arena(c), at) : "";
}

/* ---- frames ---- */

bool frame_push(Checker *c, Frame *f, Ast *fn, Name name, Span call, Scope *parent) {
    *f = (Frame){.up = c->frame, .fn = fn, .name = name, .call = call};
    f->depth = c->frame ? c->frame->depth + 1 : 1;
    if (f->depth > CHECK_MAX_DEPTH) {
        if (!c->stopped) {
            const char *what = name ? arena_printf(check_arena(c), "'%s'", name) : "this function";
            Diag *d = err(c, call, too_deep, what, CHECK_MAX_DEPTH);
            diag_help(c->nnc, d, "functions and layers are expanded where they are called: what calls itself must end");
        }
        check_stop(c);
        return false;
    }
    f->scope = scope_new(c, parent);
    f->scope->frame = true;
    f->namer = c->frame ? c->frame->namer : c->unit ? c->unit->namer : NULL;
    f->result = value_none();
    f->marks = fn ? grad_marks(c, fn) : NULL;
    f->record = -1;
    if (c->unit && c->unit != &c->init) {
        UnitCall made = {.name = name, .up = c->frame ? c->frame->record : -1, .layer = -1};
        f->record = (int)c->unit->unit->calls.len;
        arena_push(c, &c->unit->unit->calls, made);
    }
    c->frame = f;
    return true;
}

void frame_pop(Checker *c) { c->frame = c->frame->up; }

/* ---- the program ---- */

Program *program_load(Nnc *nnc, const char *path, const char *const (*stdlib)[2], const Setting *sets, int nsets,
                      DataOpener opener) {
    Program *p = ARENA_NEW(nnc->arena, Program);
    Checker *c = ARENA_NEW(nnc->arena, Checker);
    p->nnc = nnc;
    p->checker = c;
    *c = (Checker){.program = p, .nnc = nnc, .dims = dims_new(nnc->arena), .opener = opener};
    c->top.path = intern(nnc->names, "");
    init_begin(c);
    if (resolve_program(c, path, stdlib, sets, nsets)) return p;
    if (!c->broken) program_check(p); /* so that all errors are reported at once */
    return NULL;
}

Dim program_dim(Program *p, int64_t n) { return dim_number(p->checker->dims, n); }
