/* Classifiers: what an evaluating loop passes to a metric or a loss says whether it is of one. */
#include "lang/check.h"

#include <stdlib.h>

/* Whether `t` depends on a parameter or on a field of the data, with a gradient or without. */
static bool reads(const Checker *c, const Term *t, bool param) {
    uint8_t *seen = xcalloc((size_t)c->terms + 1, 1);
    VEC(const Term *) todo = {0};
    bool found = false;
    vec_push(&todo, t);
    while (todo.len && !found) {
        t = todo.at[--todo.len];
        if (seen[t->id]) continue;
        seen[t->id] = 1;
        found = param ? t->kind == T_PARAM
                      : t->kind == T_GATHER && t->args[0]->kind == T_INPUT &&
                            c->unit->unit->inputs.at[t->args[0]->slot].gathered >= 0;
        for (int i = 0; i < t->nargs; i++) vec_push(&todo, t->args[i]);
    }
    free(seen);
    vec_free(&todo);
    return found;
}

/* [N, C] of more than one class, in a float type. */
static Term *scores_in(const Checker *c, const Value *v) {
    int64_t classes;
    if (v->kind != V_TENSOR || v->term->type.rank != 2 || !dtype_is_float(v->term->type.dtype)) return NULL;
    if (!dim_is_const(v->term->type.dims[1], &classes) || classes < 2) return NULL;
    return reads(c, v->term, true) ? v->term : NULL;
}

/* int[N] of the data. */
static Term *labels_in(const Checker *c, const Value *v, Dim n) {
    if (v->kind != V_TENSOR || v->term->type.rank != 1 || v->term->type.dims[0] != n) return NULL;
    DType t = v->term->type.dtype;
    if (dtype_is_float(t) || t == DT_BOOL) return NULL;
    return reads(c, v->term, false) && !reads(c, v->term, true) ? v->term : NULL;
}

void note_classifier(Checker *c, const Value *args, int n) {
    if (!c->unit || c->unit->symbolic || c->unit->unit->kind != UNIT_EVAL) return;
    UnitClassifier *to = &c->unit->unit->classifier;
    for (int i = 0; i < n && !to->scores; i++) {
        Term *scores = scores_in(c, &args[i]);
        for (int k = 0; k < n && scores && !to->scores; k++) {
            Term *labels = labels_in(c, &args[k], scores->type.dims[0]);
            if (labels) *to = (UnitClassifier){scores, labels};
        }
    }
}
