/* A document: text, and the places where its lines may break, laid out within a width. The formatter makes one from a
 * syntax tree. Private to lang/. */
#ifndef LANG_FORMAT_DOC_H
#define LANG_FORMAT_DOC_H

#include "compiler/nnc.h"

enum { DOC_WIDTH = 120, DOC_INDENT = 4 };

/* Where a group fits on the rest of its line, none of its breaks is a newline. Where not, its kind says which are. */
typedef enum {
    GROUP_LIST,  /* between brackets: the author's, or as few as that takes; aligned behind the bracket */
    GROUP_CHAIN, /* operators: the same; one step deeper than the line, or aligned where brackets are open */
    GROUP_PIPE,  /* `|>`: the author's, or all where that does not fit; always one step deeper */
    GROUP_IF,    /* before each `else`: all; indented as in a chain */
    GROUP_VALUE, /* what stands behind `=`: its one break, before the value, where the value then fits on one line */
    GROUP_BLOCK, /* statements between braces: all */
    GROUP_HOLD,  /* an expression with a block: the block is one step deeper than the line on which this begins */
} GroupKind;

/* Flags of doc_open, doc_break and doc_newline. */
enum {
    DOC_BRACKETED = 1,   /* open: there are open brackets around the group in its statement */
    DOC_HANGS = 2,       /* open, list: may begin on a line of its own */
    DOC_WHOLE = 4,       /* open, list: a break before it is better than one in it */
    DOC_INSIDE = 8,      /* open, value: breaks inside rather than before, unless the author broke there */
    DOC_SPACED = 16,     /* break: a space where it is no newline */
    DOC_AUTHOR = 32,     /* break: the author made a newline here, */
    DOC_KEPT = 64,       /* and it stays even where all would fit on one line */
    DOC_OUTDENTED = 128, /* break, newline: to the indentation around the group */
    DOC_BLANK = 256,     /* newline: with an empty line */
};

typedef enum {
    DOC_TEXT,
    DOC_SPACE,
    DOC_PAD,
    DOC_BREAK,
    DOC_NEWLINE,
    DOC_REMARK,
    DOC_COMMENT,
    DOC_OPEN,
    DOC_CLOSE
} DocKind;

typedef struct {
    DocKind kind;
    GroupKind group;
    unsigned flags;
    int width; /* in characters */
    const char *text;
    size_t bytes;
    size_t first, next; /* DOC_OPEN: its first break and its end; DOC_BREAK: the next one of its group, or the end */
} DocItem;

typedef struct {
    size_t open, last; /* the group's DOC_OPEN, and its last break so far or the same */
} DocGroup;

typedef struct {
    VEC(DocItem) items;
    VEC(DocGroup) groups; /* those that are open */
} Document;               /* zero is an empty one */

void doc_free(Document *d);

void doc_text(Document *d, const char *text, size_t bytes);
void doc_space(Document *d);
/** Room for alignment, none yet: the item's index, whose `width` may be set later. */
size_t doc_pad(Document *d);
void doc_break(Document *d, unsigned flags);
void doc_newline(Document *d, unsigned flags);
/** A comment behind what stands on the line; it belongs to the groups around those that end here. */
void doc_remark(Document *d, const char *text, size_t bytes);
/** A comment on a line of its own. */
void doc_comment(Document *d, const char *text, size_t bytes);
void doc_open(Document *d, GroupKind group, unsigned flags);
void doc_close(Document *d);

/** The width of items [from, to) on one line; -1 where they need more than one. */
int doc_width(const Document *d, size_t from, size_t to);

/** The document's text, NUL-terminated, its last line ended. */
char *doc_layout(const Document *d, Arena *a, size_t *len);

#endif
