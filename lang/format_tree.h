/* From a syntax tree to a document. The tree says what each token is, the token itself is copied from the source: walks
 * over the tree consume the tokens in order, so that parentheses, the writing of numbers and comments stay as they are.
 * Only trailing commas and `;` go. Private to the formatter. */
#ifndef LANG_FORMAT_TREE_H
#define LANG_FORMAT_TREE_H

#include "lang/ast.h"
#include "lang/format_doc.h"

enum { FORMAT_COMMENT = -1 };

typedef struct {
    int kind; /* T_… of parser.h, 0 at the end of the file, or FORMAT_COMMENT */
    uint32_t begin, end;
    int line;
} FormatToken;

typedef struct {
    const Source *source;
    VEC(FormatToken) tokens; /* and comments, in order */
    size_t next;
    int line; /* of the last one consumed; 0 at first */
    Document doc;
    int brackets; /* open ( and [ in the statement */
    int depth;    /* blocks around it */
} Format;

/* format_tokens.c */
void format_open(Format *f, Nnc *nnc, const AstFile *file);
void format_close(Format *f);
/** The next token, comments left out. */
const FormatToken *format_peek(const Format *f);
/** Whether the next token or comment stands on another line than the last. */
bool format_breaks(const Format *f);
/** Whether a space or a comment is before the next token. */
bool format_is_spaced(const Format *f);
/** Whether an empty line is before the next token or comment. */
bool format_is_apart(const Format *f);
/** Puts the next token, with the comments around it. */
void format_token(Format *f);
/** Leaves the next token out, not the comments around it. */
void format_drop(Format *f);
/** Puts the comments before the next token. */
void format_comments(Format *f);
void format_word(Format *f); /* the next token, and a space before it */

/* format_expr.c */
/** Any expression, or what stands in place of one: types, and what an index or a loop has. */
void format_expr(Format *f, const Ast *n);
void format_params(Format *f, const AstParams *params, unsigned flags); /* of the list in the document */
/** `name: type = value`, from the name on, each part optional. */
void format_pair(Format *f, AstName name, const Ast *type, const Ast *value);
void format_pairs(Format *f, const AstFields *pairs);          /* of a state or a scan */
void format_list(Format *f, const AstList *items, bool table); /* with its brackets; a table keeps its rows */

/* format_stmt.c */
void format_file(Format *f, const AstFile *file);
void format_block(Format *f, const Ast *n, bool is_train);

#endif
