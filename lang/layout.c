/* Between the scanner and the grammar: where a newline ends a statement, which words are keywords here, and what to do
 * where brackets do not match.
 *
 * A newline ends a statement where it stands in the file or directly inside { }, behind a token that can end one, and
 * the next line does not begin with `|>` or `else`. Before `}` and at the end of the file nothing needs to end. */
#include "lang/parse.h"
#include "parser.h"

static bool is_open(int kind) { return kind == T_LPAREN || kind == T_LBRACKET || kind == T_LBRACE; }

static bool may_be_name(int kind) {
    switch (kind) {
    case T_NAME:
    case T_IMPORT:
    case T_EXPORT:
    case T_LOSS:
    case T_LAYER:
    case T_MODEL:
    case T_OPTIMIZER:
    case T_DATA:
    case T_TRAIN: return true;
    default: return false;
    }
}

static bool ends_operand(int kind) {
    return may_be_name(kind) || kind == T_NUMBER || kind == T_STRING || kind == T_BOOL || kind == T_RPAREN ||
           kind == T_RBRACKET || kind == T_RBRACE;
}

/* by, clip_norm, clip_value, accumulate: names, except behind an expression, where no name can stand */
static bool is_word(int kind) {
    return kind == T_BY || kind == T_CLIP_NORM || kind == T_CLIP_VALUE || kind == T_ACCUMULATE;
}

/* Keywords that are nothing else anywhere. */
static bool begins_statement(int kind) {
    switch (kind) {
    case T_LET:
    case T_PARAM:
    case T_STATE:
    case T_RETURN:
    case T_YIELD:
    case T_FOR:
    case T_WHILE:
    case T_MINIMIZE:
    case T_REPORT:
    case T_LOAD:
    case T_STOP_WHEN: return true;
    default: return false;
    }
}

/* Whether `t`, unindented, and the kind of the token after it begin a declaration, and can be nothing else. */
static bool begins_declaration(const Parser *p, Token t, int next) {
    if (t.at.begin > 0 && p->source->text[t.at.begin - 1] != '\n') return false;
    switch (t.kind) {
    case T_IMPORT: return next == T_STRING;
    case T_EXPORT: return next == T_FN;
    case T_TRAIN: return may_be_name(next) || next == T_LBRACE;
    case T_FN:
    case T_LOSS:
    case T_LAYER:
    case T_MODEL:
    case T_OPTIMIZER:
    case T_DATA: return may_be_name(next);
    default: return false;
    }
}

static int innermost(const Parser *p) { return p->brackets.len ? p->brackets.at[p->brackets.len - 1].kind : 0; }

static bool newlines_count(const Parser *p) { return innermost(p) != T_LPAREN && innermost(p) != T_LBRACKET; }

/* How many brackets stay open where all up to the innermost { are closed. */
static size_t up_to_brace(const Parser *p) {
    size_t n = p->brackets.len;
    while (n && p->brackets.at[n - 1].kind != T_LBRACE) n--;
    return n;
}

static void close_to(Parser *p, size_t keep) {
    while (p->brackets.len > keep) p->braces -= p->brackets.at[--p->brackets.len].kind == T_LBRACE;
}

static void give(Parser *p, Token t) {
    t.braces = p->braces;
    vec_push(&p->ready, t);
    p->last = t.kind;
    p->last_end = t.at.end;
}

static void give_at(Parser *p, int kind, Span at) { give(p, (Token){.kind = kind, .at = at}); }

static void report_unclosed(Parser *p, Token found) {
    const Token *open = &p->brackets.at[p->brackets.len - 1];
    Diag *d = diag(p->nnc, open->at, DIAG_unclosed, token_text(open->kind));
    if (found.kind == T_YYEOF) return;
    diag_label(p->nnc, d, found.at, "%s",
               found.kind == T_RBRACE         ? "closes something around it"
               : begins_statement(found.kind) ? "a new statement begins here"
                                              : "a new declaration begins here");
}

/* Where `t` cannot stand inside the open brackets: says so and closes them, so that the rest is read as meant. */
static void repair(Parser *p, Token t, int next) {
    size_t keep;
    if (t.kind == T_RBRACE)
        keep = up_to_brace(p) ? up_to_brace(p) : p->brackets.len;
    else if (t.kind == T_YYEOF || begins_declaration(p, t, next))
        keep = 0;
    else if (t.first_on_line && begins_statement(t.kind))
        keep = up_to_brace(p);
    else
        return;
    if (keep == p->brackets.len) return;
    if (!p->skipping) report_unclosed(p, t);
    Span at = {t.at.file, p->last_end, p->last_end};
    if (newlines_count(p) && (ends_operand(p->last) || p->last == T_RETURN)) give_at(p, T_END, at);
    give_at(p, T_LANG_error, at);
    while (p->brackets.len > keep) {
        bool brace = innermost(p) == T_LBRACE;
        close_to(p, p->brackets.len - 1);
        if (brace) give_at(p, T_RBRACE, at);
    }
    if (t.kind != T_RBRACE && t.kind != T_YYEOF) give_at(p, T_END, at);
}

static void close_bracket(Parser *p, int kind) {
    int open = kind == T_RPAREN ? T_LPAREN : kind == T_RBRACKET ? T_LBRACKET : T_LBRACE;
    for (size_t n = p->brackets.len; n > 0; n--) {
        int b = p->brackets.at[n - 1].kind;
        if (b == open) return close_to(p, n - 1);
        if (b == T_LBRACE) return; /* one too many inside a block: the block stays open */
    }
}

static void track_brackets(Parser *p, Token t) {
    if (is_open(t.kind)) {
        if (p->brackets.len >= PARSE_MAX_NESTING) return layout_too_deep(p, t.at, PARSE_MAX_NESTING);
        vec_push(&p->brackets, t);
        p->braces += t.kind == T_LBRACE;
    } else if (t.kind == T_RPAREN || t.kind == T_RBRACKET || t.kind == T_RBRACE) {
        close_bracket(p, t.kind);
    } else if (t.kind == T_LANG_error && p->source->text[t.at.begin] == '"') {
        close_to(p, up_to_brace(p)); /* a string without an end took the rest of its line */
    }
}

/* Gives the END that a newline or `;` before `t` stands for; false where there is none. */
static bool end_statement(Parser *p, Token t) {
    if (t.kind == T_SEMICOLON) return false; /* which ends it itself, once */
    bool ends = p->separator.file || (t.first_on_line && newlines_count(p) && t.kind != T_PIPE && t.kind != T_ELSE &&
                                      (ends_operand(p->last) || p->last == T_RETURN));
    Span at = p->separator.file ? p->separator : (Span){t.at.file, p->last_end, p->last_end};
    p->separator = (Span){0};
    if (!ends || t.kind == T_RBRACE || t.kind == T_YYEOF) return false;
    give_at(p, T_END, at);
    return true;
}

static bool is_keyword_here(const Parser *p) {
    return ends_operand(p->last) || p->last == T_RANGE || (p->last == T_COLON && innermost(p) == T_LBRACKET);
}

/* Moves one raw token, and what belongs before it, to those that are ready. */
static void advance(Parser *p) {
    Token t = p->ahead[0];
    if (end_statement(p, t)) return;
    p->ahead[0] = p->ahead[1];
    if (t.kind != T_YYEOF) p->ahead[1] = lexer_next(p);
    if (t.kind == T_SEMICOLON && newlines_count(p)) {
        if (p->last && p->last != T_END && p->last != T_LBRACE) p->separator = t.at;
        return;
    }
    repair(p, t, p->ahead[0].kind);
    if (t.kind == T_YYEOF) t.at.begin = t.at.end = p->last_end; /* where something is missing, not behind blank lines */
    if (is_word(t.kind) && !is_keyword_here(p)) t.kind = T_NAME;
    track_brackets(p, t);
    give(p, t);
}

static Token take(Parser *p) {
    while (p->taken == p->ready.len) {
        p->taken = p->ready.len = 0;
        advance(p);
    }
    p->braces_before = p->current.braces;
    return p->current = p->ready.at[p->taken++];
}

/* Whether the statement in which an error was found ends with, or before, this token. */
static bool ends_skipped(const Parser *p, Token t) {
    return t.kind == T_YYEOF || (t.kind == T_END && t.braces == p->skip_braces) ||
           (t.kind == T_RBRACE && t.braces + 1 == p->skip_braces);
}

void layout_open(Parser *p) {
    lexer_open(p);
    p->ahead[0] = lexer_next(p);
    p->ahead[1] = lexer_next(p);
}

void layout_close(Parser *p) {
    vec_free(&p->brackets);
    vec_free(&p->ready);
    lexer_close(p);
}

Token layout_next(Parser *p) {
    Token t = take(p);
    while (p->skipping && !p->stopped && !ends_skipped(p, t)) t = take(p);
    p->skipping = false;
    if (p->stopped) t.kind = T_YYEOF;
    if (t.kind == T_LANG_error) layout_skip(p);
    return t;
}

void layout_skip(Parser *p) {
    p->skip_braces = p->braces_before;
    p->skipping = !ends_skipped(p, p->current);
}

void layout_too_deep(Parser *p, Span at, int levels) {
    if (!p->stopped) diag(p->nnc, at, DIAG_nested_too_deep, levels);
    p->stopped = true;
}
