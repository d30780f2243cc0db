#include "tests/random_programs/program.h"

#include <stdlib.h>
#include <string.h>

/* ---- printing ---- */

static void need(const RandomProgram *p, int value, bool *needed) {
    int by = p->values[value].by;
    const Statement *s = &p->statements[by];
    if (needed[by]) return;
    needed[by] = true;
    for (int i = 0; i < s->nuses && !s->input; i++) need(p, s->uses[i], needed);
}

static void put_type(Str *out, const Value *v) {
    str_add(out, "%s[", v->limit ? "int" : "");
    for (int i = 0; i < v->shape.rank; i++) str_add(out, "%s%d", i ? ", " : "", v->shape.dims[i]);
    str_add(out, "]");
}

/* The statements that are needed; of a step also its inputs, as parameters and states. */
static void put_body(Str *out, const RandomProgram *p, const bool *needed) {
    for (int i = 0; i < p->nstatements; i++) {
        const Statement *s = &p->statements[i];
        if (!needed[i]) continue;
        if (!s->input) str_add(out, "    %s\n", s->text.at);
        for (int v = s->first; s->input && p->trains && v < s->first + s->n; v++) {
            if (v < 2) continue; /* data */
            str_add(out, "    %s %s: ", p->values[v].limit ? "state" : "param", p->values[v].name);
            put_type(out, &p->values[v]);
            str_add(out, " = 0\n");
        }
    }
}

static void put_function(Str *out, const RandomProgram *p, const bool *needed) {
    const char *before = "";
    str_add(out, "export fn f(");
    for (int i = 0; i < p->nstatements; i++)
        for (int v = p->statements[i].first; needed[i] && p->statements[i].input; v++) {
            if (v == p->statements[i].first + p->statements[i].n) break;
            str_add(out, "%s%s: ", before, p->values[v].name);
            put_type(out, &p->values[v]);
            before = ", ";
        }
    str_add(out, ") {\n");
    put_body(out, p, needed);
    int n = 0;
    for (int v = 0; v < p->nvalues; v++) n += p->output[v];
    str_add(out, n == 1 ? "    return " : "    return (");
    before = "";
    for (int v = 0; v < p->nvalues; v++)
        if (p->output[v]) {
            str_add(out, "%s%s", before, p->values[v].name);
            before = ", ";
        }
    str_add(out, n == 1 ? "\n}\n" : ")\n}\n");
}

static void put_training(Str *out, const RandomProgram *p, const bool *needed) {
    str_add(out, "data d = zip(npy(\"x.npy\"), npy(\"y.npy\"))\n\nmodel net(v0: ");
    put_type(out, &p->values[0]);
    str_add(out, ", v1: ");
    put_type(out, &p->values[1]);
    str_add(out, ") -> [] {\n    param shift: [] = 0\n");
    put_body(out, p, needed);
    str_add(out, "    return mean(sin(v0 + shift))");
    for (int v = 0; v < p->nvalues; v++)
        if (p->output[v]) str_add(out, " + mean(sin(%s))", p->values[v].name);
    str_add(out,
            "\n}\n\ntrain {\n    batch = %d\n    for (v0, v1) in d {\n        minimize net(v0, v1) using %s%s\n"
            "    }\n}\n",
            p->batch, p->optimizer, p->options);
}

void random_program_print(Str *out, const RandomProgram *p) {
    bool needed[MOST_STATEMENTS] = {false};
    for (int v = 0; v < p->nvalues; v++)
        if (p->output[v]) need(p, v, needed);
    for (int i = 0; i < p->nstatements; i++) {
        const Statement *s = &p->statements[i];
        if (needed[i] && !s->input && s->declarations.len) str_add(out, "%s\n", s->declarations.at);
    }
    if (p->trains && strncmp(p->optimizer, "Own", 3) == 0)
        str_add(out, "optimizer Own(lr)(p, g) {\n    state v = 0, n = 0\n    v = 0.8 * v + g\n    n = n + g^2\n"
                     "    p = p - lr(step) * v / (1 + sqrt(mean(n)) + abs(v))\n}\n\n");
    if (p->trains)
        put_training(out, p, needed);
    else
        put_function(out, p, needed);
}

/* ---- values ---- */

const Value *random_program_value(const RandomProgram *p, const char *name) {
    const char *dot = strrchr(name, '.');
    for (int v = 0; v < p->nvalues; v++)
        if (strcmp(p->values[v].name, dot ? dot + 1 : name) == 0) return &p->values[v];
    return NULL;
}

void random_program_free(RandomProgram *p) {
    for (int i = 0; i < p->nstatements; i++) {
        vec_free(&p->statements[i].text);
        vec_free(&p->statements[i].declarations);
    }
    free(p);
}

/* ---- shrinking ---- */

static int count_outputs(const RandomProgram *p) {
    int n = 0;
    for (int v = 0; v < p->nvalues; v++) n += p->output[v];
    return n;
}

/* Sets `what` to `to` if the program then fails still. */
static bool try_to(RandomProgram *p, bool *what, bool to, bool (*fails)(const RandomProgram *p, void *self),
                   void *self) {
    if (*what == to) return false;
    *what = to;
    if (count_outputs(p) > 0 && fails(p, self)) return true;
    *what = !to;
    return false;
}

/* Outputs go, earlier values take the place of outputs, and statements become inputs. */
void random_program_shrink(RandomProgram *p, bool (*fails)(const RandomProgram *p, void *self), void *self) {
    for (bool smaller = true; smaller;) {
        smaller = false;
        for (int v = 0; v < p->nvalues; v++) smaller |= try_to(p, &p->output[v], false, fails, self);
        for (int i = p->nstatements - 1; i >= 0; i--)
            if (p->statements[i].n) smaller |= try_to(p, &p->statements[i].input, true, fails, self);
    }
}
