/* What the scanner, the newline rule, the grammar and the tree builders share. Private to lang/. */
#ifndef LANG_PARSE_H
#define LANG_PARSE_H

#include "lang/ast.h"

enum {
    PARSE_MAX_NESTING = 1000, /* brackets of any kind inside each other */
    PARSE_MAX_STACK = 20000   /* symbols on the parser's stack: 20 for each of those levels */
};

typedef struct {
    double value;
    int64_t integer; /* meaningful where is_int */
    bool is_int;
} NumberValue;

typedef struct {
    const char *text;
    size_t len;
} StringValue;

/* What stands left of `=` in a let, a for or a data set: one name, or a tuple of names. */
typedef struct {
    AstNames names;
    bool is_tuple;
} Pattern;

/* What a symbol of the grammar carries. */
typedef union {
    NumberValue number;
    StringValue string;
    bool boolean;
    AstName name;
    Ast *node;
    AstList list;
    AstField field;
    AstFields fields;
    AstParam param;
    AstParams params;
    AstNames names;
    Pattern pattern;
} Value;

typedef struct {
    int kind; /* T_… of parser.h */
    Span at;
    Value value;
    bool first_on_line;
} Token;

/* A documentation comment and the token that it stands before. */
typedef struct {
    uint32_t before;
    Name text;
} Doc;

typedef struct Parser {
    Nnc *nnc;
    AstFile *file;
    const Source *source;

    /* lexer.l: raw tokens */
    void *scanner;
    uint32_t offset; /* of the byte after the current token */
    bool newline;    /* a line ended since the last token */
    VEC(Span) comments;
    Str doc; /* the run of `##` lines before the next token */
    int doc_line;    /* the line of the last of them */
    VEC(Doc) docs;   /* in order */

    /* layout.c: the newline rule, and repair where brackets do not match */
    Token ahead[2];      /* raw tokens to come */
    VEC(Token) brackets; /* the open ( [ { */
    VEC(Token) ready;    /* what the grammar gets next, from `taken` on */
    size_t taken;
    int last;      /* kind of the last token given, 0 at the beginning */
    uint32_t last_end;
    bool separated; /* a `;` stands before the next token */
    bool skipping; /* after an error: up to the end of its statement */
    size_t skip_braces; /* how many { were open around that statement */
    bool stopped;  /* nested too deep: one message, then the end of the file */
} Parser;

/* lexer.l */
void lexer_open(Parser *p);
void lexer_close(Parser *p);
/** The next token, comments and newlines left out. A character that is no part of the language is reported and gives
 * T_YYerror. */
Token lexer_next(Parser *p);

/* literal.c */
NumberValue literal_number(Parser *p, Span at);
StringValue literal_string(Parser *p, Span at);

/* layout.c */
void layout_open(Parser *p);
void layout_close(Parser *p);
/** The token that the grammar sees next: T_END stands where a newline (or `;`) ends a statement. */
Token layout_next(Parser *p);
/** After a syntax error at `at`: skip to the end of the statement. */
void layout_skip(Parser *p, Span at);
/** Reports that the program is nested deeper than `levels` and ends the parse. */
void layout_too_deep(Parser *p, Span at, int levels);

/* parser.y */
int lang_parse(Parser *p);
/** The token's text in the language, or what it is ("a name"). */
const char *token_text(int kind);

/* syntax.c */
/** Reports a token that the grammar does not allow; `expected` are texts of the tokens that it does. */
void syntax_error(Parser *p, Span at, int kind, const char *const *expected, int n);

#endif
