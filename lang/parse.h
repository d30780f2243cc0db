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
    size_t braces; /* how many { are open behind it */
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
    Str doc;       /* the run of `##` lines before the next token */
    int doc_line;  /* the line of the last of them */
    VEC(Doc) docs; /* in order */

    /* layout.c: the newline rule, and repair where brackets do not match */
    Token ahead[2];      /* raw tokens to come */
    VEC(Token) brackets; /* the open ( [ { */
    size_t braces;       /* how many of them are { */
    VEC(Token) ready;    /* what the grammar gets next, from `taken` on */
    size_t taken;
    int last; /* kind of the last token put there, 0 at the beginning */
    uint32_t last_end;
    Span separator; /* of a `;` since then */
    Token current;  /* what the grammar got last */
    size_t braces_before;
    bool skipping;      /* after an error: up to the end of its statement, */
    size_t skip_braces; /* around which so many { are open */
    bool stopped;       /* nested too deep: one message, then the end of the file */
    uint32_t refused;   /* the end of the last syntax error */
} Parser;

/* lexer.l */
void lexer_open(Parser *p);
void lexer_close(Parser *p);
/** The next token, comments and newlines left out. A character that is no part of the language is reported and gives
 * T_LANG_error. */
Token lexer_next(Parser *p);

/* literal.c */
/** The value of a number; one that is none is reported and gives 0. */
NumberValue literal_number(Parser *p, Span at);
/** The bytes of a string, its escapes resolved. False, after a diagnostic, where it does not end on its line. */
bool literal_string(Parser *p, Span at, StringValue *s);

/* layout.c */
void layout_open(Parser *p);
void layout_close(Parser *p);
/** The token that the grammar sees next: T_END stands where a newline (or `;`) ends a statement. */
Token layout_next(Parser *p);
/** After a syntax error at the token given last: what follows it in its statement is left out. */
void layout_skip(Parser *p);
/** Reports that the program is nested deeper than `levels` and ends the parse. */
void layout_too_deep(Parser *p, Span at, int levels);

/* parser.y */
int lang_parse(Parser *p);
/** The token's text in the language, or what it is ("name"). */
const char *token_text(int kind);

/* syntax.c */
/** Reports that the token given last does not fit; `expected` are the texts of those that would. */
void syntax_error(Parser *p, const char *const *expected, int n);

#endif
