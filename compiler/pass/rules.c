/* Derivative lines of ops.def -> small trees (parsed once a pass run) -> expressions.
 *
 *     rule    : compare ('and' compare)*
 *     compare : sum (('==' | '<' | '>' | '>=') sum)?
 *     sum     : product (('+' | '-') product)*
 *     product : unary (('*' | '/') unary)*
 *     unary   : '-' unary | number | a b c y dy | operation '(' rule, ... ')' | '(' rule ')' */
#include "compiler/pass/rules.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef enum { RULE_NUMBER, RULE_VALUE, RULE_OP } RuleKind;
typedef enum { VALUE_A, VALUE_B, VALUE_C, VALUE_Y, VALUE_DY, VALUES } RuleValue;

typedef struct Rule Rule;
struct Rule {
    RuleKind kind;
    double number;
    RuleValue value;
    ExKind op;
    const Rule *arg[3];
};

struct Rules {
    Arena *arena;
    const Rule *parsed[EX_KINDS][4];
};

typedef struct {
    Arena *arena;
    const char *line, *at; /* the whole line for messages, and the rest of it */
    const char *op;
} Parser;

Rules *rules_new(Arena *a) {
    Rules *r = ARENA_NEW(a, Rules);
    r->arena = a;
    return r;
}

/* ---- parsing ---- */

static const Rule *parse_rule(Parser *p);

static _Noreturn void bad(const Parser *p, const char *why) {
    bug("derivative '%s' of '%s' in ops.def: %s at '%s'", p->line, p->op, why, p->at);
}

static Rule *rule_new(Parser *p, RuleKind kind) {
    Rule *r = ARENA_NEW(p->arena, Rule);
    r->kind = kind;
    return r;
}

static const Rule *rule_op(Parser *p, ExKind op, const Rule *a, const Rule *b, const Rule *c) {
    Rule *r = rule_new(p, RULE_OP);
    r->op = op;
    r->arg[0] = a, r->arg[1] = b, r->arg[2] = c;
    return r;
}

static bool accept(Parser *p, const char *token) {
    while (*p->at == ' ') p->at++;
    size_t n = strlen(token);
    if (strncmp(p->at, token, n) != 0) return false;
    if (isalpha((unsigned char)token[0]) && isalnum((unsigned char)p->at[n])) return false; /* a longer word */
    p->at += n;
    return true;
}

static void expect(Parser *p, const char *token) {
    if (!accept(p, token)) bad(p, token);
}

/* name | operation '(' rule, ... ')' */
static const Rule *parse_word(Parser *p) {
    static const char *const values[VALUES] = {"a", "b", "c", "y", "dy"};
    char word[16] = {0};
    size_t n = 0;
    while (isalnum((unsigned char)p->at[n]) && n + 1 < sizeof word) word[n] = p->at[n], n++;
    for (int i = 0; i < VALUES; i++)
        if (strcmp(word, values[i]) == 0) {
            Rule *r = rule_new(p, RULE_VALUE);
            r->value = (RuleValue)i;
            p->at += n;
            return r;
        }
    ExKind op;
    if (!op_from_name(word, &op)) bad(p, "no such name");
    p->at += n;
    const Rule *arg[3] = {0};
    expect(p, "(");
    for (int i = 0; i < op_info(op)->arity; i++) {
        if (i) expect(p, ",");
        arg[i] = parse_rule(p);
    }
    expect(p, ")");
    return rule_op(p, op, arg[0], arg[1], arg[2]);
}

static const Rule *parse_unary(Parser *p) {
    if (accept(p, "-")) {
        const Rule *r = parse_unary(p);
        if (r->kind != RULE_NUMBER) return rule_op(p, EX_NEG, r, NULL, NULL);
        Rule *negative = rule_new(p, RULE_NUMBER);
        negative->number = -r->number;
        return negative;
    }
    if (accept(p, "(")) {
        const Rule *r = parse_rule(p);
        expect(p, ")");
        return r;
    }
    if (isalpha((unsigned char)*p->at)) return parse_word(p);
    char *end;
    Rule *r = rule_new(p, RULE_NUMBER);
    r->number = strtod(p->at, &end);
    if (end == p->at) bad(p, "a value is missing");
    p->at = end;
    return r;
}

static const Rule *parse_product(Parser *p) {
    const Rule *r = parse_unary(p);
    for (;;) {
        if (accept(p, "*"))
            r = rule_op(p, EX_MUL, r, parse_unary(p), NULL);
        else if (accept(p, "/"))
            r = rule_op(p, EX_DIV, r, parse_unary(p), NULL);
        else
            return r;
    }
}

static const Rule *parse_sum(Parser *p) {
    const Rule *r = parse_product(p);
    for (;;) {
        if (accept(p, "+"))
            r = rule_op(p, EX_ADD, r, parse_product(p), NULL);
        else if (accept(p, "-"))
            r = rule_op(p, EX_SUB, r, parse_product(p), NULL);
        else
            return r;
    }
}

static const Rule *parse_compare(Parser *p) {
    const Rule *r = parse_sum(p);
    if (accept(p, "==")) return rule_op(p, EX_EQ, r, parse_sum(p), NULL);
    if (accept(p, ">=")) return rule_op(p, EX_LE, parse_sum(p), r, NULL); /* a >= b is b <= a */
    if (accept(p, ">")) return rule_op(p, EX_LT, parse_sum(p), r, NULL);
    if (accept(p, "<")) return rule_op(p, EX_LT, r, parse_sum(p), NULL);
    return r;
}

static const Rule *parse_rule(Parser *p) {
    const Rule *r = parse_compare(p);
    while (accept(p, "and")) r = rule_op(p, EX_AND, r, parse_compare(p), NULL);
    return r;
}

/* The parsed line, or NULL where the operation has none. */
static const Rule *find(Rules *r, ExKind op, int operand) {
    const OpInfo *info = op_info(op);
    if (!info->deriv[operand]) return NULL;
    if (!r->parsed[op][operand]) {
        Parser p = {r->arena, info->deriv[operand], info->deriv[operand], info->name};
        r->parsed[op][operand] = parse_rule(&p);
        while (*p.at == ' ') p.at++;
        if (*p.at) bad(&p, "more than one rule");
    }
    return r->parsed[op][operand];
}

/* ---- building ---- */

typedef struct {
    Graph *g;
    Ex value[VALUES];
    DType number; /* the type of the line's numbers: that of y */
    DType operand;
} Build;

static Ex build(const Build *b, const Rule *r) {
    if (r->kind == RULE_NUMBER) return ex_float(b->g, b->number, r->number);
    if (r->kind == RULE_VALUE) return b->value[r->value];
    Ex arg[3] = {0};
    for (int i = 0; i < 3 && r->arg[i]; i++) arg[i] = build(b, r->arg[i]);
    return r->op == EX_CAST ? ex_cast(b->g, b->operand, arg[0]) : ex_op(b->g, r->op, arg[0], arg[1], arg[2]);
}

bool rules_passes(Rules *r, ExKind op, int operand) {
    const Rule *rule = find(r, op, operand);
    return rule && !(rule->kind == RULE_NUMBER && rule->number == 0);
}

Ex rules_apply(Rules *r, Graph *g, Ex e, int operand, Ex y, Ex dy) {
    Expr x = *ir_expr(g, e);
    const Build b = {g, {x.arg[0], x.arg[1], x.arg[2], y, dy}, x.dtype, ir_expr(g, x.arg[operand])->dtype};
    return build(&b, find(r, x.kind, operand));
}
