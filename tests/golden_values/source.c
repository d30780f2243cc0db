/* Cases as .nn programs. */
#include "tests/golden_values/golden.h"

#include <stdlib.h>
#include <string.h>

static const Rule rules[] = {
#define RULE(op, conditions, body) {RULE_FUNCTION, op, conditions, NULL, body, NULL, NULL},
#define LAYER(op, conditions, make, body, parameters) {RULE_LAYER, op, conditions, make, body, parameters, NULL},
#define OPTIMIZER(op, conditions, make) {RULE_OPTIMIZER, op, conditions, make, NULL, NULL, NULL},
#define CLOSED_LOOP(op, conditions, make) {RULE_CLOSED_LOOP, op, conditions, make, NULL, NULL, NULL},
#define INITIALIZER(op, conditions, make, property) {RULE_INITIALIZER, op, conditions, make, property, NULL, NULL},
#define TRAINING(op, conditions, model, loss, optimizer, parameters)                                                   \
    {RULE_TRAINING, op, conditions, model, loss, parameters, optimizer},
#define SCHEDULE(op, conditions, make) {RULE_SCHEDULE, op, conditions, make, NULL, NULL, NULL},
#define SKIP(op, conditions, why) {RULE_SKIP, op, conditions, NULL, why, NULL, NULL},
#include "tests/golden_values/rules.def"
#undef SKIP
#undef SCHEDULE
#undef RULE
#undef LAYER
#undef OPTIMIZER
#undef CLOSED_LOOP
#undef INITIALIZER
#undef TRAINING
};

const RtTensor *case_tensor(const Case *c, const char *key) { return rt_tensors_find(c->tensors, key); }

const RtTensor *case_input(const Case *c, const char *name) {
    const cJSON *key = cJSON_GetObjectItemCaseSensitive(c->inputs, name);
    return key ? case_tensor(c, key->valuestring) : NULL;
}

/* An attribute's value as .nn text; words stand for themselves. */
static void put_value(Str *out, const cJSON *v) {
    if (cJSON_IsString(v))
        str_add(out, "%s", v->valuestring);
    else if (cJSON_IsBool(v))
        str_add(out, "%s", cJSON_IsTrue(v) ? "true" : "false");
    else if (cJSON_IsNull(v))
        str_add(out, "null");
    else if (cJSON_IsArray(v)) {
        const cJSON *item;
        bool first = true;
        str_add(out, "[");
        cJSON_ArrayForEach(item, v) {
            str_add(out, first ? "" : ",");
            put_value(out, item);
            first = false;
        }
        str_add(out, "]");
    } else
        str_add(out, "%.17g", v->valuedouble);
}

/* The attribute at a path, `betas.0` or `arguments.kw_dim`; NULL where there is none. */
static const cJSON *attribute(const Case *c, const char *path, size_t len) {
    const cJSON *v = c->attrs;
    for (const char *end = path + len; v && path < end;) {
        size_t n = 0;
        while (path + n < end && path[n] != '.') n++;
        char name[64] = {0};
        memcpy(name, path, MIN(n, sizeof name - 1));
        if (cJSON_IsArray(v))
            v = cJSON_GetArrayItem(v, atoi(name));
        else if (!cJSON_IsNumber(v)) /* one number stands for a list of as many as are asked for */
            v = cJSON_GetObjectItemCaseSensitive(v, name);
        path += n + (path + n < end);
    }
    return v;
}

static bool same_value(const cJSON *v, const char *text, size_t len) {
    if (cJSON_IsNumber(v)) {
        char *end;
        return strtod(text, &end) == v->valuedouble && end == text + len;
    }
    Str s = {0};
    put_value(&s, v);
    bool same = s.len == len && strncmp(s.at, text, len) == 0;
    vec_free(&s);
    return same;
}

static bool has_tag(const Case *c, const char *tag, size_t len) {
    const cJSON *t;
    cJSON_ArrayForEach(t, cJSON_GetObjectItemCaseSensitive(c->json, "tags")) if (strlen(t->valuestring) == len &&
                                                                                 strncmp(t->valuestring, tag, len) ==
                                                                                     0) return true;
    return false;
}

/* One condition of a rule: name=value, !name, name/rank, name, or #tag. */
static bool holds(const Case *c, const char *word, size_t len) {
    if (*word == '#') return has_tag(c, word + 1, len - 1);
    if (len == strlen("f32_only") && strncmp(word, "f32_only", len) == 0) return true;
    bool negative = *word == '!';
    word += negative, len -= negative;
    size_t n = strcspn(word, "=/ ");
    char name[64] = {0};
    memcpy(name, word, MIN(n, sizeof name - 1));
    const cJSON *attr = attribute(c, word, MIN(n, len));
    const RtTensor *input = case_input(c, name);
    if (negative) return !attr && !input;
    if (n >= len) return attr || input;
    if (word[n] == '/') return input && input->array.rank == atoi(word + n + 1);
    return attr && same_value(attr, word + n + 1, len - n - 1);
}

static bool fits(const Case *c, const Rule *r) {
    if (strcmp(r->op, c->op) != 0) return false;
    for (const char *p = r->conditions; *p;) {
        size_t n = strcspn(p, " ");
        if (!holds(c, p, n)) return false;
        p += n + (p[n] == ' ');
    }
    return true;
}

const Rule *golden_rule(const Case *c) {
    for (size_t i = 0; i < COUNT(rules); i++)
        if (fits(c, &rules[i])) return &rules[i];
    return NULL;
}

bool golden_f32_only(const Rule *r) { return strstr(r->conditions, "f32_only") != NULL; }

bool golden_f64_only(const Case *c) { return has_tag(c, "f64_only", strlen("f64_only")); }

bool golden_fill(Str *out, const char *text, const Case *c) {
    for (const char *p = text; *p;) {
        if (*p != '{' || p[1] == ' ' || p[1] == '\n') { /* braces of .nn stand alone */
            str_put(out, p++, 1);
            continue;
        }
        size_t end = strcspn(p, "}"), n = strcspn(p + 1, "|}");
        const cJSON *v = attribute(c, p + 1, n);
        if (v && !cJSON_IsNull(v))
            put_value(out, v);
        else if (p[1 + n] == '|')
            str_put(out, p + n + 2, end - n - 2);
        else
            return false;
        p += end + 1;
    }
    return true;
}

/* ---- the program ---- */

static void put_type(Str *s, const RtArray *a) {
    if (!rt_dtype_is_float(a->dtype)) str_add(s, "%s", rt_dtype_name(a->dtype));
    str_add(s, "[");
    for (int i = 0; i < a->rank; i++) str_add(s, "%s%lld", i ? ", " : "", (long long)a->dims[i]);
    str_add(s, "]");
}

static bool put_inputs(Str *s, const Case *c) {
    const cJSON *item;
    const char *comma = "";
    cJSON_ArrayForEach(item, c->inputs) {
        const RtTensor *t = case_tensor(c, item->valuestring);
        if (!t) return false;
        str_add(s, "%s%s: ", comma, item->string);
        put_type(s, &t->array);
        comma = ", ";
    }
    cJSON_ArrayForEach(item, c->cotangents) {
        const RtTensor *t = case_tensor(c, item->valuestring);
        if (!t) return false;
        str_add(s, "%scot_%s: ", comma, item->string);
        put_type(s, &t->array);
        comma = ", ";
    }
    return true;
}

static void put_outputs(Str *s, const Case *c) {
    const cJSON *item;
    const char *comma = "";
    cJSON_ArrayForEach(item, c->outputs) {
        str_add(s, "%sout_%s", comma, item->string);
        comma = ", ";
    }
}

bool golden_placement(const char **words, Placement *p) {
    const char *w = *words;
    if (!w || !*w) return false;
    size_t n = strcspn(w, " ");
    p->name = w;
    p->name_len = strcspn(w, "=");
    const char *input = w + p->name_len + 1;
    size_t len = strcspn(input, ":# ");
    snprintf(p->input, sizeof p->input, "%.*s", (int)len, input);
    p->digits = input + len + (input[len] == ':');
    p->ndigits = input[len] == ':' ? strcspn(p->digits, "# ") : 0;
    const char *part = p->digits + p->ndigits;
    p->part = *part == '#' ? atoi(part + 1) : 0;
    p->parts = *part == '#' ? atoi(part + 1 + strcspn(part + 1, "/") + 1) : 1;
    *words = w + n + (w[n] == ' ');
    return true;
}

/* The gradient of a parameter that was an input with its dims in another order: put back. */
static void put_parameter_gradient(Str *s, const RtArray *input, const Placement *p) {
    if (!p->ndigits) {
        str_add(s, "grad(golden_e, layer.%.*s)", (int)p->name_len, p->name);
        return;
    }
    str_add(s, "transpose(reshape(grad(golden_e, layer.%.*s), [", (int)p->name_len, p->name);
    for (size_t d = 0; d < p->ndigits; d++) {
        int from = p->digits[d] - '0';
        str_add(s, "%s%lld", d ? ", " : "", (long long)input->dims[from] / (from ? 1 : p->parts));
    }
    str_add(s, "]), [");
    for (size_t d = 0; d < p->ndigits; d++) /* the inverse permutation */
        for (size_t k = 0; k < p->ndigits; k++)
            if ((size_t)(p->digits[k] - '0') == d) str_add(s, "%s%zu", d ? ", " : "", k);
    str_add(s, "])");
}

/* The gradient of input `name`: of the input itself, or of the layer's parameters that it was. */
static void put_gradient(Str *s, const Case *c, const Rule *r, const char *name) {
    const char *words = r->parameters;
    int n = 0;
    for (Placement p; golden_placement(&words, &p);) {
        if (strcmp(p.input, name) != 0) continue;
        str_add(s, n++ ? ", " : p.parts > 1 ? "concat([" : "");
        put_parameter_gradient(s, &case_input(c, name)->array, &p);
        if (n == p.parts) {
            if (n > 1) str_add(s, "], 0)");
            return;
        }
    }
    str_add(s, "grad(golden_e, %s)", name);
}

bool golden_source(Str *s, const Case *c, const Rule *r) {
    str_add(s, "export fn golden(");
    if (!put_inputs(s, c)) return false;
    str_add(s, ") {\n");
    if (r->make) {
        str_add(s, "    let layer = ");
        if (!golden_fill(s, r->make, c)) return false;
        str_add(s, "\n");
    }
    Str body = {0};
    bool filled = golden_fill(&body, r->body, c), several = cJSON_GetArraySize(c->outputs) > 1;
    if (filled) {
        const char *last = strrchr(body.at, ';'); /* statements may stand before the expression */
        if (last) str_add(s, "    %.*s\n", (int)(last - body.at), body.at);
        str_add(s, several ? "    let (" : "    let ");
        put_outputs(s, c);
        str_add(s, "%s%s", several ? ") = " : " = ", last ? last + 1 : body.at);
    }
    vec_free(&body);
    if (!filled) return false;
    const cJSON *item;
    if (cJSON_GetArraySize(c->gradients)) {
        str_add(s, "\n    let golden_e = 0.0");
        cJSON_ArrayForEach(item, c->cotangents) str_add(s, " + sum(cot_%s * out_%s)", item->string, item->string);
        if (!c->cotangents->child) str_add(s, " + out_%s", c->outputs->child->string); /* the first, a scalar */
    }
    str_add(s, "\n    return (");
    put_outputs(s, c);
    cJSON_ArrayForEach(item, c->gradients) {
        str_add(s, ", ");
        put_gradient(s, c, r, item->string);
    }
    str_add(s, ")\n}\n");
    return true;
}
