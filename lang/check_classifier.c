/* Classifiers: what an evaluating loop passes to a metric or a loss says whether it is of one. */
#include "lang/check.h"

#include <stdlib.h>

/* What a term is computed from, with a gradient or without. */
typedef struct {
    bool params, data, term; /* a parameter; a field of the data; the term that was asked for */
} ReadTerms;

/* Whether it is a batch of a field of the data as it stands there. */
static bool is_field(const Checker *c, const Term *t) {
    return t->kind == T_GATHER && t->args[0]->kind == T_INPUT &&
           c->unit->unit->inputs.at[t->args[0]->slot].gathered >= 0;
}

static ReadTerms read_by(const Checker *c, const Term *t, const Term *asked) {
    uint8_t *seen = xcalloc((size_t)c->terms + 1, 1);
    VEC(const Term *) todo = {0};
    ReadTerms s = {0};
    vec_push(&todo, t);
    while (todo.len) {
        t = todo.at[--todo.len];
        if (seen[t->id]) continue;
        seen[t->id] = 1;
        s.params = s.params || t->kind == T_PARAM;
        s.data = s.data || is_field(c, t);
        s.term = s.term || t == asked;
        for (int i = 0; i < t->nargs; i++) vec_push(&todo, t->args[i]);
    }
    free(seen);
    vec_free(&todo);
    return s;
}

static bool is_float_tensor(const Value *v) {
    return v->kind == V_TENSOR && v->term->type.rank >= 1 && dtype_is_float(v->term->type.dtype);
}

/* The labels as the data have them: integers, or truth values, before anything made them floats; floats where the data
 * have such, which are classes if all turn out to be whole numbers. */
static Term *labels_in(const Checker *c, const Value *v) {
    if (v->kind != V_TENSOR || v->term->type.rank < 1) return NULL;
    Term *t = v->term;
    while (dtype_is_float(t->type.dtype) && (t->kind == T_CAST || t->kind == T_RESHAPE)) t = t->args[0];
    return dtype_is_float(t->type.dtype) && !is_field(c, t) ? NULL : t;
}

/* Whether the scores have the dims of the labels, and one more: the classes. */
static bool has_classes(Type scores, Type labels) {
    int64_t classes;
    if (scores.rank != labels.rank + 1 || !dim_is_const(scores.dims[labels.rank], &classes) || classes < 2)
        return false;
    for (int i = 0; i < labels.rank; i++)
        if (scores.dims[i] != labels.dims[i]) return false;
    return labels.dtype != DT_BOOL;
}

static bool same_dims(Type a, Type b) {
    for (int i = 0; i < a.rank && a.rank == b.rank; i++)
        if (a.dims[i] != b.dims[i]) return false;
    return a.rank == b.rank;
}

/* How sure it is that labels and scores are of a classifier; the most is 3. */
static int rank_of(bool classes, const Term *labels) { return 2 * !dtype_is_float(labels->type.dtype) + classes; }

static int best_so_far(const UnitClassifier *to) { return to->scores ? rank_of(!to->binary, to->labels) : -1; }

static void note_pair(const Checker *c, UnitClassifier *to, const Value *scores, const Value *given) {
    Term *labels = labels_in(c, given);
    if (!labels) return;
    bool classes = has_classes(scores->term->type, given->term->type);
    if (rank_of(classes, labels) <= best_so_far(to)) return;
    if (!classes && !same_dims(scores->term->type, given->term->type)) return;
    ReadTerms of_labels = read_by(c, labels, NULL);
    if (of_labels.params || !of_labels.data) return;
    ReadTerms of_scores = read_by(c, scores->term, labels);
    if (of_scores.params && !of_scores.term) *to = (UnitClassifier){scores->term, labels, !classes};
}

void note_classifier(Checker *c, const Value *args, int n) {
    if (!c->unit || c->unit->symbolic || c->unit->unit->kind != UNIT_EVAL) return;
    UnitClassifier *to = &c->unit->unit->classifier;
    for (int i = 0; i < n && best_so_far(to) < 3; i++)
        for (int k = 0; k < n && is_float_tensor(&args[i]); k++)
            if (k != i) note_pair(c, to, &args[i], &args[k]);
}
