/* A file through the formatter, and the proof that it still says the same. */
#include "lang/format.h"
#include "lang/format_tree.h"
#include "lang/parts.h"

#include <string.h>

/* ---- the same tree ---- */

static bool same(const Ast *a, const Ast *b);

static bool same_list(const AstList *a, const AstList *b) {
    if (a->len != b->len) return false;
    for (int i = 0; i < a->len; i++)
        if (!same(a->at[i], b->at[i])) return false;
    return true;
}

/* Of AstFields and AstParams. */
#define SAME_PAIR(a, b) ((a).name.name == (b).name.name && same((a).type, (b).type) && same((a).value, (b).value))

static bool same_fields(const AstFields *a, const AstFields *b) {
    if (a->len != b->len) return false;
    for (int i = 0; i < a->len; i++)
        if (!SAME_PAIR(a->at[i], b->at[i])) return false;
    return true;
}

static bool same_params(const AstParams *a, const AstParams *b) {
    if (a->len != b->len) return false;
    for (int i = 0; i < a->len; i++)
        if (!SAME_PAIR(a->at[i], b->at[i])) return false;
    return true;
}

static bool same_names(const AstNames *a, const AstNames *b) {
    if (a->len != b->len) return false;
    for (int i = 0; i < a->len; i++)
        if (a->at[i].name != b->at[i].name) return false;
    return true;
}

static bool same_text(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

static bool same_part(const Part *part, const Ast *n, const Ast *m) {
    const void *a = (const char *)n + part->offset, *b = (const char *)m + part->offset;
    switch (part->kind) {
    case PART_NODE: return same(*(Ast *const *)a, *(Ast *const *)b);
    case PART_LIST: return same_list(a, b);
    case PART_FIELDS: return same_fields(a, b);
    case PART_PARAMS: return same_params(a, b);
    case PART_NAMED: return ((const AstName *)a)->name == ((const AstName *)b)->name;
    case PART_NAMES: return same_names(a, b);
    case PART_NAME: return *(const Name *)a == *(const Name *)b;
    case PART_TEXT: return same_text(*(const char *const *)a, *(const char *const *)b);
    case PART_STRING:
        return n->string.len == m->string.len && memcmp(n->string.text, m->string.text, n->string.len) == 0;
    case PART_NUMBER: return memcmp(&n->number.value, &m->number.value, sizeof n->number.value) == 0;
    case PART_FLAG:
    case PART_BOOL: return *(const bool *)a == *(const bool *)b;
    case PART_OPERATOR: return *(const AstOperator *)a == *(const AstOperator *)b;
    case PART_FUNCTION: return *(const FunctionKind *)a == *(const FunctionKind *)b;
    case PART_END: break;
    }
    bug("a part of kind %d", (int)part->kind);
}

static bool same(const Ast *a, const Ast *b) {
    if (!a || !b || a->kind != b->kind) return a == b;
    for (const Part *part = node_kind(a->kind)->parts; part->kind != PART_END; part++)
        if (!same_part(part, a, b)) return false;
    return true;
}

static bool same_comments(const Nnc *nnc, const AstFile *a, const AstFile *b) {
    if (a->comments.len != b->comments.len) return false;
    for (int i = 0; i < a->comments.len; i++) {
        Span x = a->comments.at[i], y = b->comments.at[i];
        if (x.end - x.begin != y.end - y.begin ||
            memcmp(nnc->sources.files.at[x.file]->text + x.begin, nnc->sources.files.at[y.file]->text + y.begin,
                   x.end - x.begin) != 0)
            return false;
    }
    return true;
}

static bool reads_the_same(Nnc *nnc, const AstFile *before, const char *text, size_t len) {
    int errors = nnc->diags.errors;
    const char *path = nnc->sources.files.at[before->file]->path;
    const AstFile *after = parse_file(nnc, source_add(&nnc->sources, nnc->arena, path, text, len));
    return nnc->diags.errors == errors && same_list(&before->decls, &after->decls) && same_comments(nnc, before, after);
}

char *format_source(Nnc *nnc, uint32_t file, size_t *len) {
    int errors = nnc->diags.errors;
    const AstFile *tree = parse_file(nnc, file);
    if (nnc->diags.errors > errors) return NULL;
    Format f;
    format_open(&f, nnc, tree);
    format_file(&f, tree);
    char *text = doc_layout(&f.doc, nnc->arena, len);
    format_close(&f);
    if (!reads_the_same(nnc, tree, text, *len))
        bug("formatting changes what '%s' says", nnc->sources.files.at[file]->path);
    return text;
}
