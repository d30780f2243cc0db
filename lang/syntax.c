/* The words of a syntax error: what was found, what could stand there, and what may help. */
#include "lang/parse.h"
#include "parser.h"

#include <string.h>

typedef struct {
    const char **at; /* texts of tokens; NULL once said in other words */
    int n;
} Expected;

static bool expects(const Expected *e, const char *text) {
    for (int i = 0; i < e->n; i++)
        if (e->at[i] && strcmp(e->at[i], text) == 0) return true;
    return false;
}

/* Leaves out every token of a list of texts separated by blanks. */
static void leave_out(Expected *e, const char *texts) {
    while (*texts) {
        size_t len = strcspn(texts, " ");
        for (int i = 0; i < e->n; i++)
            if (e->at[i] && strlen(e->at[i]) == len && memcmp(e->at[i], texts, len) == 0) e->at[i] = NULL;
        texts += len + strspn(texts + len, " ");
    }
}

static void say(Str *out, const char *what) {
    if (out->len) str_put(out, "\n", 1);
    str_put(out, what, strlen(what));
}

#define NAMES "name import export loss layer model optimizer data train "

/* What could stand there, one a line, groups of tokens under one name. */
static void describe(Str *out, Expected *e) {
    bool statement = expects(e, "return"), line_end = expects(e, "end of the line");
    if (expects(e, "fn") && !expects(e, "number")) {
        say(out, expects(e, "export") ? "a declaration" : "'fn'");
        leave_out(e, NAMES "fn let");
    } else if (expects(e, "number")) {
        say(out, statement ? "a statement" : "an expression");
        leave_out(e, NAMES "number string - not if fn scan ( [");
        for (int i = 0; i < e->n; i++)
            if (e->at[i] && strcmp(e->at[i], "truth value") == 0) e->at[i] = NULL;
        if (statement) leave_out(e, "let param state return yield for while minimize report load stop_when");
    } else if (expects(e, "name")) {
        say(out, "a name");
        leave_out(e, NAMES "by clip_norm clip_value accumulate");
    }
    if (expects(e, "+")) {
        int others = 0;
        leave_out(e, "+ - * / @ ^ == != < <= > >= and or |> ( [ . clip_norm clip_value accumulate");
        for (int i = 0; i < e->n; i++) others += e->at[i] != NULL;
        if (!others) say(out, "an operator");
    }
    if (!out->len && expects(e, "string")) {
        say(out, "a string");
        leave_out(e, "string");
    }
    for (int i = 0; i < e->n; i++) {
        if (!e->at[i] || (line_end && strcmp(e->at[i], "=") == 0)) continue;
        if (strncmp(e->at[i], "end of", 6) == 0 || strcmp(e->at[i], "}") == 0) continue;
        str_add(out, "%s'%s'", out->len ? "\n" : "", e->at[i]);
    }
    if (line_end) say(out, "the end of the statement");
    if (!out->len && expects(e, "}")) say(out, "'}'");
    if (!out->len) say(out, "the end of the file");
}

/* "a\nb\nc" as "a, b or c". */
static void join(Str *out, const char *lines) {
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        str_put(out, lines, n);
        lines += n;
        if (!*lines) return;
        lines++;
        str_add(out, "%s", strchr(lines, '\n') ? ", " : " or ");
    }
}

static const char *found_text(Parser *p, const Token *t) {
    if (t->kind == T_END)
        return p->source->text[t->at.begin] == ';' && t->at.end > t->at.begin ? "';'" : "end of the line";
    if (t->kind == T_YYEOF) return "end of the file";
    if (t->kind == T_STRING) return "string";
    int len = (int)MIN(t->at.end - t->at.begin, 60);
    return arena_printf(p->nnc->arena, "'%.*s'", len, p->source->text + t->at.begin);
}

static bool is_comparison(int kind) { return kind >= T_EQ && kind <= T_GE; }

static bool is_operator(int kind) {
    return is_comparison(kind) || (kind >= T_PLUS && kind <= T_CARET) || kind == T_AND || kind == T_OR;
}

/* The other ways of writing it that people bring along. */
static const char *help_for(const Parser *p, const Expected *e, const Token *t) {
    const char *before = p->source->text + t->at.begin - (t->at.begin ? 1 : 0);
    int inside = p->brackets.len ? p->brackets.at[p->brackets.len - 1].kind : T_LBRACE;
    if (t->first_on_line && t->kind == T_LBRACE) return "the '{' belongs on the line before";
    if (t->kind == T_END && expects(e, "{")) return "the '{' belongs on this line";
    if (t->first_on_line && is_operator(t->kind))
        return "an expression goes on in the next line where a line ends in an operator, or inside parentheses";
    if (t->kind == T_COMMA && inside == T_LBRACE) return "several values stand in parentheses: (a, b)";
    if (t->kind == T_STAR && *before == '*') return "a power is written x^2";
    if (t->kind == T_COLON && inside == T_LBRACKET) return "a slice is written 2..5, all of a dimension ':'";
    if (t->kind == T_RANGE) return "a range stands between the brackets of an index, or after 'in'";
    if (t->kind == T_ASSIGN && expects(e, "==")) return "equality is written '=='";
    if (is_comparison(t->kind) && expects(e, "and")) return "comparisons do not chain: write a < b and b < c";
    if (t->kind == T_NAME && expects(e, "(") && !expects(e, "number") && !expects(e, "name") && !expects(e, "+"))
        return "a function inside a body is a value: let f = fn(x) = …";
    if (t->kind == T_IF && expects(e, "number")) return "an 'if' inside an operation stands in parentheses";
    return NULL;
}

/* Whether the last syntax error was on the line of the token. */
static bool refused_on_line(const Parser *p, const Token *t) {
    size_t between = t->at.begin - MIN(p->refused, t->at.begin);
    return p->refused && !memchr(p->source->text + p->refused, '\n', between);
}

void syntax_error(Parser *p, const char *const *expected, int n) {
    const Token t = p->current;
    layout_skip(p);
    if (p->stopped || (t.kind == T_YYEOF && refused_on_line(p, &t))) return; /* what is missing there came of that */
    p->refused = t.at.end;
    Expected e = {arena_copy(p->nnc->arena, expected, sizeof(char *) * (size_t)n), n};
    const char *help = help_for(p, &e, &t);
    Str lines = {0}, words = {0};
    describe(&lines, &e);
    join(&words, lines.at);
    Diag *d = diag(p->nnc, t.at, DIAG_syntax,
                   arena_printf(p->nnc->arena, "unexpected %s, expected %s", found_text(p, &t), words.at));
    if (help) diag_help(p->nnc, d, "%s", help);
    vec_free(&lines);
    vec_free(&words);
}
