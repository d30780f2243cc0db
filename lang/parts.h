/* What each kind of node consists of, as a table: for walks over every child and for printing. Private to lang/. */
#ifndef LANG_PARTS_H
#define LANG_PARTS_H

#include "lang/ast.h"

typedef enum {
    PART_END,
    PART_NODE,     /* Ast * */
    PART_LIST,     /* AstList */
    PART_FIELDS,   /* AstFields */
    PART_PARAMS,   /* AstParams */
    PART_NAMED,    /* AstName */
    PART_NAMES,    /* AstNames */
    PART_NAME,     /* Name */
    PART_TEXT,     /* Name or const char *, printed in quotes */
    PART_STRING,   /* Ast.string */
    PART_NUMBER,   /* Ast.number */
    PART_FLAG,     /* bool, printed as its label where true */
    PART_BOOL,     /* bool, printed as true or false */
    PART_OPERATOR, /* AstOperator */
    PART_FUNCTION, /* FunctionKind */
} PartKind;

typedef struct {
    PartKind kind;
    uint16_t offset;   /* in Ast */
    const char *label; /* NULL where it needs none */
} Part;

typedef struct {
    const char *name;
    Part parts[9]; /* up to PART_END */
} NodeKind;

const NodeKind *node_kind(AstKind kind);

#endif
