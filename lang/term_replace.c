/* Terms with some of their operands replaced by others. What does not depend on those is shared, so the copy makes the
 * same random draws and reads the same batch. */
#include "lang/check.h"

#include <stdlib.h>

typedef struct {
    Checker *c;
    size_t size;     /* numbers of terms are below it */
    Term **at;       /* by number: what the roots reach */
    Term **to;       /* by number: what takes its place; NULL: itself */
    bool *copied;    /* by number: depends on what is replaced */
    size_t nloops;   /* numbers of loops are below it */
    uint32_t *loops; /* by number: 1 + that of the copy; 0: none is needed */
} Copy;

static bool of_loop(const Term *t) { return term_is_loop(t) || t->kind == T_ITERATION || t->kind == T_CARRY; }

/* Operands have smaller numbers, so one sweep from the largest down finds all. */
static void reach(Copy *x, Term *const *roots, int n) {
    for (int i = 0; i < n; i++) x->size = MAX(x->size, (size_t)roots[i]->id + 1);
    x->at = xcalloc(x->size + 1, sizeof(Term *));
    x->to = xcalloc(x->size + 1, sizeof(Term *));
    x->copied = xcalloc(x->size + 1, sizeof(bool));
    for (int i = 0; i < n; i++) x->at[roots[i]->id] = roots[i];
    for (size_t i = x->size; i-- > 0;) {
        const Term *t = x->at[i];
        for (int k = 0; t && k < t->nargs; k++) x->at[t->args[k]->id] = t->args[k];
        if (t && of_loop(t)) x->nloops = MAX(x->nloops, (size_t)t->site + 1);
    }
    x->loops = xcalloc(x->nloops + 1, sizeof *x->loops);
}

static bool depends(const Copy *x, const Term *t) {
    if (x->to[t->id] || (of_loop(t) && x->loops[t->site])) return true;
    for (int i = 0; i < t->nargs; i++)
        if (x->copied[t->args[i]->id]) return true;
    return false;
}

/* A loop that needs a copy needs one of its whole body: all that depends on its iteration and its carries. That may be
 * found to hold other loops. */
static void find_copied(Copy *x) {
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < x->size; i++) {
            const Term *t = x->at[i];
            x->copied[i] = t && depends(x, t);
            if (!x->copied[i] || !term_is_loop(t) || x->loops[t->site]) continue;
            arena_push(x->c, &x->c->unit->loops, NULL);
            x->loops[t->site] = (uint32_t)x->c->unit->loops.len;
            again = true;
        }
    }
}

static Term *copy_term(Copy *x, const Term *t) {
    Term **args = ARENA_ARRAY(check_arena(x->c), Term *, t->nargs + 1);
    for (int i = 0; i < t->nargs; i++) args[i] = x->to[t->args[i]->id] ? x->to[t->args[i]->id] : t->args[i];
    Term *made = term_new(x->c, t->kind, t->type, t->at, t->nargs, args), copy = *t;
    copy.id = made->id;
    copy.args = made->args;
    if (of_loop(t)) copy.site = x->loops[t->site] - 1;
    *made = copy;
    if (term_is_loop(t)) x->c->unit->loops.at[copy.site] = made;
    return made;
}

void terms_replace(Checker *c, Term **roots, int nroots, Term *const *from, Term *const *to, size_t n) {
    Copy x = {.c = c};
    reach(&x, roots, nroots);
    for (size_t i = 0; i < n; i++)
        if ((size_t)from[i]->id < x.size) x.to[from[i]->id] = to[i];
    find_copied(&x);
    for (size_t i = 0; i < x.size; i++)
        if (x.copied[i] && !x.to[i]) x.to[i] = copy_term(&x, x.at[i]);
    for (int i = 0; i < nroots; i++)
        if (x.to[roots[i]->id]) roots[i] = x.to[roots[i]->id];
    free(x.at);
    free(x.to);
    free(x.copied);
    free(x.loops);
}
