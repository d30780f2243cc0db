/* --dump=types: a unit as text, one term a line, operands before what uses them. */
#include "lang/check.h"

#include <stdlib.h>

static const char *const kinds[] = {[T_NUMBER] = "number",
                                    [T_ARRAY] = "array",
                                    [T_INPUT] = "input",
                                    [T_PARAM] = "param",
                                    [T_STATE] = "state",
                                    [T_OP] = "",
                                    [T_CAST] = "cast",
                                    [T_REDUCE] = "reduce",
                                    [T_RESHAPE] = "reshape",
                                    [T_BROADCAST] = "broadcast",
                                    [T_TRANSPOSE] = "transpose",
                                    [T_SLICE] = "slice",
                                    [T_PAD] = "pad",
                                    [T_CONCAT] = "concat",
                                    [T_GATHER] = "gather",
                                    [T_SORT] = "sort",
                                    [T_MATMUL] = "matmul",
                                    [T_IOTA] = "iota",
                                    [T_RANDOM] = "random",
                                    [T_DEFINE] = "define",
                                    [T_INDEX] = "index",
                                    [T_ITERATION] = "iteration",
                                    [T_CARRY] = "carry",
                                    [T_SCAN] = "scan",
                                    [T_WHILE] = "while",
                                    [T_RESULT] = "result",
                                    [T_ACCESS] = "access",
                                    [T_FOLD] = "fold",
                                    [T_GRAD] = "grad",
                                    [T_MARK] = "mark"};

typedef struct {
    const Unit *unit;
    FILE *out;
    int *numbers; /* by id - first: the number printed, from 1 */
    int first, count;
    Str line;
} Dump;

static void range_of(const Term *t, int *least, int *most, uint8_t *seen) {
    if (!t || (seen[t->id / 8] >> (t->id % 8) & 1)) return;
    seen[t->id / 8] = (uint8_t)(seen[t->id / 8] | 1 << (t->id % 8));
    *least = MIN(*least, t->id);
    *most = MAX(*most, t->id);
    for (int i = 0; i < t->nargs; i++) range_of(t->args[i], least, most, seen);
}

static const Term *root(const Unit *u, size_t i) {
    return i < u->results.len ? u->results.at[i].value : u->updates.at[i - u->results.len].value;
}

static void add_dims(Str *s, const char *what, const Dim *dims, int n) {
    str_add(s, " %s", what);
    for (int i = 0; i < n; i++) {
        str_add(s, "%s", i ? "," : "");
        dim_print(s, dims[i]);
    }
}

static void add_indices(Str *s, const Term *t) {
    str_add(s, " [");
    for (int i = 0; i < t->nindices; i++) {
        str_add(s, "%s%s", i ? ", " : "", t->indices[i]->name);
        if (t->kind == T_INDEX) continue;
        str_add(s, " < ");
        dim_print(s, t->indices[i]->extent);
    }
    str_add(s, "]");
}

static void add_leaf(Dump *d, const Term *t) {
    Str *s = &d->line;
    const Program *p = d->unit->program;
    if (t->kind == T_NUMBER) str_add(s, " %.9g", t->number);
    if (t->kind == T_INPUT) str_add(s, " %s", t->name);
    bool known = t->kind == T_PARAM ? (size_t)t->slot < p->params.len : (size_t)t->slot < p->states.len;
    if (t->kind == T_PARAM || t->kind == T_STATE)
        str_add(s, " %s",
                !known ? t->name : (t->kind == T_PARAM ? p->params.at[t->slot] : p->states.at[t->slot])->path);
}

static void add_attributes(Dump *d, const Term *t) {
    Str *s = &d->line;
    if (t->kind == T_REDUCE || t->kind == T_FOLD || t->kind == T_RANDOM || t->kind == T_SORT) str_add(s, " %s", t->op);
    for (int i = 0; i < t->naxes; i++) str_add(s, "%s%d", i ? "," : " axes ", t->axes[i]);
    bool of_loop = t->kind == T_ITERATION || t->kind == T_CARRY || t->kind == T_SCAN || t->kind == T_WHILE;
    if (of_loop) str_add(s, " %u", t->site);
    if (t->kind == T_CARRY || t->kind == T_RESULT) str_add(s, " %d", t->slot);
    if (t->kind == T_SCAN) add_dims(s, "in ", t->begin, 1);
    if (t->kind == T_REDUCE && t->keep) str_add(s, " keep");
    if (t->begin && t->kind != T_SCAN) add_dims(s, "begin ", t->begin, t->type.rank);
    for (int i = 0; t->kind == T_SLICE && i < t->type.rank; i++)
        str_add(s, "%s%lld", i ? "," : " step ", (long long)t->step[i]);
    if (t->nindices || t->kind == T_DEFINE) add_indices(s, t);
}

static void add_place(Dump *d, const Term *t) {
    if (!t->at.file) return;
    const Source *source = d->unit->program->nnc->sources.files.at[t->at.file];
    int line, column;
    source_place(source, t->at.begin, &line, &column);
    str_add(&d->line, "  # %s%s%s:%d:%d", t->name ? t->name : "", t->name ? " " : "", source->path, line, column);
}

static void dump_term(Dump *d, const Term *t) {
    int *number = &d->numbers[t->id - d->first];
    if (*number) return;
    for (int i = 0; i < t->nargs; i++) dump_term(d, t->args[i]);
    *number = ++d->count;
    Str *s = &d->line;
    s->len = 0;
    str_add(s, "  %%%d = %s", *number, t->kind == T_OP ? t->op : kinds[t->kind]);
    add_leaf(d, t);
    for (int i = 0; i < t->nargs; i++) str_add(s, " %%%d", d->numbers[t->args[i]->id - d->first]);
    add_attributes(d, t);
    str_add(s, " : ");
    type_print(s, t->type);
    add_place(d, t);
    fprintf(d->out, "%s\n", s->at);
}

static void dump_head(Dump *d) {
    static const char *const words[] = {
        [UNIT_STEP] = "step", [UNIT_EVAL] = "eval", [UNIT_EXPORT] = "export", [UNIT_INIT] = "init"};
    const Unit *u = d->unit;
    fprintf(d->out, "%s %s\n", words[u->kind], u->name);
    for (size_t i = 0; i < u->inputs.len; i++) {
        d->line.len = 0;
        type_print(&d->line, u->inputs.at[i].type);
        fprintf(d->out, "  input %s: %s", u->inputs.at[i].name, d->line.at);
        if (u->inputs.at[i].gathered >= 0) fprintf(d->out, " by %s", u->inputs.at[u->inputs.at[i].gathered].name);
        fprintf(d->out, "\n");
    }
}

void unit_dump(const Unit *u, FILE *out) {
    Dump d = {.unit = u, .out = out};
    size_t roots = u->results.len + u->updates.len;
    int least = INT32_MAX, most = -1;
    uint8_t *seen = NULL;
    int high = 0;
    for (size_t i = 0; i < roots; i++)
        if (root(u, i)) high = MAX(high, root(u, i)->id);
    seen = xcalloc((size_t)high / 8 + 1, 1);
    for (size_t i = 0; i < roots; i++) range_of(root(u, i), &least, &most, seen);
    free(seen);
    d.first = least;
    d.numbers = xcalloc((size_t)MAX(most - least + 1, 1), sizeof *d.numbers);
    dump_head(&d);
    for (size_t i = 0; i < roots; i++) {
        const Term *t = root(u, i);
        if (t) dump_term(&d, t);
        int n = t ? d.numbers[t->id - d.first] : 0;
        if (i < u->results.len)
            fprintf(out, "  result %s = %%%d\n", u->results.at[i].name, n);
        else
            fprintf(out, "  update %s = %%%d\n", u->updates.at[i - u->results.len].var->path, n);
    }
    free(d.numbers);
    vec_free(&d.line);
}
