/* Making a document, and its layout. */
#include "lang/format_doc.h"

void doc_free(Document *d) {
    vec_free(&d->items);
    vec_free(&d->groups);
}

static int characters(const char *text, size_t bytes) {
    int n = 0;
    for (size_t i = 0; i < bytes; i++) n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

static void put(Document *d, DocKind kind, const char *text, size_t bytes) {
    vec_push(&d->items, (DocItem){.kind = kind, .text = text, .bytes = bytes, .width = characters(text, bytes)});
}

void doc_text(Document *d, const char *text, size_t bytes) { put(d, DOC_TEXT, text, bytes); }
void doc_remark(Document *d, const char *text, size_t bytes) { put(d, DOC_REMARK, text, bytes); }
void doc_comment(Document *d, const char *text, size_t bytes) { put(d, DOC_COMMENT, text, bytes); }

void doc_space(Document *d) { vec_push(&d->items, (DocItem){.kind = DOC_SPACE, .width = 1}); }

size_t doc_pad(Document *d) {
    vec_push(&d->items, (DocItem){.kind = DOC_PAD});
    return d->items.len - 1;
}

/* Item `next` is the one after the last break of the innermost group, or after its beginning. */
static void link_to(Document *d, size_t next) {
    DocGroup *g = &d->groups.at[d->groups.len - 1];
    DocItem *last = &d->items.at[g->last];
    if (g->last == g->open)
        last->first = next;
    else
        last->next = next;
    g->last = next;
}

void doc_break(Document *d, unsigned flags) {
    link_to(d, d->items.len);
    vec_push(&d->items, (DocItem){.kind = DOC_BREAK, .flags = flags, .width = flags & DOC_SPACED ? 1 : 0});
}

void doc_newline(Document *d, unsigned flags) { vec_push(&d->items, (DocItem){.kind = DOC_NEWLINE, .flags = flags}); }

void doc_open(Document *d, GroupKind group, unsigned flags) {
    vec_push(&d->groups, (DocGroup){d->items.len, d->items.len});
    vec_push(&d->items, (DocItem){.kind = DOC_OPEN, .group = group, .flags = flags});
}

void doc_close(Document *d) {
    size_t end = d->items.len;
    DocItem last = d->items.at[end - 1];
    DocKind before = end > 1 ? d->items.at[end - 2].kind : DOC_OPEN;
    bool behind = last.kind == DOC_REMARK && before != DOC_REMARK && before != DOC_COMMENT;
    if (behind) d->items.len = --end;
    link_to(d, end);
    d->items.at[d->groups.at[--d->groups.len].open].next = end;
    vec_push(&d->items, (DocItem){.kind = DOC_CLOSE});
    if (behind) vec_push(&d->items, last);
}

static bool is_forced(const DocItem *item) {
    return item->kind == DOC_NEWLINE || item->kind == DOC_REMARK || item->kind == DOC_COMMENT ||
           (item->kind == DOC_BREAK && item->flags & DOC_KEPT);
}

/* ---- layout ---- */

typedef struct {
    GroupKind group;
    unsigned flags;
    bool flat;    /* no break is a newline */
    bool all;     /* every break is one */
    bool authors; /* those of the author are newlines */
    int indent;
    size_t part; /* what stands behind the last break, or first, */
    int line;    /* and its line */
} Frame;

/* A comment behind code: what stands between them is put there at the end. */
typedef struct {
    size_t at; /* in the output */
    int line, column, width;
} Remark;

typedef struct {
    const Document *d;
    /* for each item and the end: */
    int64_t *before; /* the width of all before it, without comments */
    size_t *forced;  /* how many newlines are certain before it */
    size_t *cut;     /* the next item where a line certainly ends, whatever breaks */
    int *tail;       /* the width from it to the next place where a line may end */

    Str out;
    VEC(Frame) frames;
    VEC(Remark) remarks;
    int line, column, indent; /* where the output stands, and the indentation of that line */
    int base;                 /* the indentation of the last line that did not begin inside brackets */
    int spaces;               /* to come, where the line goes on */
    bool ended;               /* a comment ended the line */
} Layout;

static Frame *top(const Layout *l) { return &l->frames.at[l->frames.len - 1]; }

static void measure(Layout *l, Arena *a) {
    size_t n = l->d->items.len;
    l->before = ARENA_ARRAY(a, int64_t, n + 1);
    l->forced = ARENA_ARRAY(a, size_t, n + 1);
    l->cut = ARENA_ARRAY(a, size_t, n + 1);
    l->tail = ARENA_ARRAY(a, int, n + 1);
    for (size_t i = 0; i < n; i++) {
        const DocItem *item = &l->d->items.at[i];
        bool is_comment = item->kind == DOC_REMARK || item->kind == DOC_COMMENT;
        l->before[i + 1] = l->before[i] + (is_comment ? 0 : item->width);
        l->forced[i + 1] = l->forced[i] + is_forced(item);
    }
    l->cut[n] = n;
    for (size_t i = n; i-- > 0;) {
        const DocItem *item = &l->d->items.at[i];
        bool ends = item->kind == DOC_NEWLINE || item->kind == DOC_REMARK || item->kind == DOC_COMMENT;
        bool is_block = item->kind == DOC_OPEN && item->group == GROUP_BLOCK;
        l->cut[i] = ends || is_block ? i : l->cut[i + 1];
        l->tail[i] = ends || item->kind == DOC_BREAK ? 0 : l->tail[i + 1] + item->width;
        if (item->kind == DOC_OPEN && item->flags & DOC_WHOLE && l->forced[i] == l->forced[item->next])
            l->tail[i] = (int)(l->before[item->next] - l->before[i]) + l->tail[item->next];
    }
}

/* Whether items [from, to), and what cannot be parted from them, fit on one line from `column` on. */
static bool fits(const Layout *l, int column, size_t from, size_t to) {
    return l->forced[from] == l->forced[to] && column + l->before[to] - l->before[from] + l->tail[to] <= DOC_WIDTH;
}

/* The same where only the first line of what stands there counts. */
static bool head_fits(const Layout *l, int column, size_t from, size_t to) {
    size_t end = MIN(to, l->cut[from]);
    return column + l->before[end] - l->before[from] + (end == to ? l->tail[to] : 0) <= DOC_WIDTH;
}

static void newline(Layout *l, int indent, bool blank) {
    if (l->out.len) str_put(&l->out, "\n\n", blank ? 2 : 1);
    l->line += l->out.len ? 1 + blank : 0;
    l->column = l->indent = indent;
    l->spaces = 0;
    l->ended = false;
}

/* The line ends where the innermost group breaks. */
static void end_line(Layout *l, int indent, bool blank) {
    newline(l, indent, blank);
    if (top(l)->group != GROUP_LIST && !(top(l)->flags & DOC_BRACKETED)) l->base = indent;
}

static bool at_line_start(const Layout *l) { return !l->out.len || l->out.at[l->out.len - 1] == '\n'; }

static void text(Layout *l, const DocItem *item) {
    if (l->ended) end_line(l, top(l)->indent, false);
    if (!at_line_start(l)) l->column += l->spaces;
    str_add(&l->out, "%*s", at_line_start(l) ? l->indent : l->spaces, "");
    str_put(&l->out, item->text, item->bytes);
    l->column += item->width;
    l->spaces = 0;
}

static void comment(Layout *l, const DocItem *item) {
    if (!at_line_start(l)) end_line(l, top(l)->indent, false);
    text(l, item);
    l->ended = true;
}

static void remark(Layout *l, const DocItem *item) {
    if (l->ended || at_line_start(l)) {
        comment(l, item);
        return;
    }
    vec_push(&l->remarks, (Remark){l->out.len, l->line, l->column, item->width});
    str_put(&l->out, item->text, item->bytes);
    l->ended = true;
}

/* Whether some item of the list is too wide behind the bracket and would fit one step deeper than the line. */
static bool must_hang(const Layout *l, size_t open, int column) {
    size_t end = l->d->items.at[open].next;
    for (size_t i = open, next = l->d->items.at[open].first;; i = next, next = l->d->items.at[i].next) {
        int width = l->tail[i + 1];
        if (column + width > DOC_WIDTH && l->indent + DOC_INDENT + width <= DOC_WIDTH) return true;
        if (next == end) return false;
    }
}

/* Whether each line of items [from, to) fits, where comments and blocks alone part them; the others begin at `indent`.
 */
static bool all_fit(const Layout *l, int column, int indent, size_t from, size_t to) {
    while (head_fits(l, column, from, to)) {
        size_t cut = l->cut[from];
        if (cut >= to) return true;
        const DocItem *item = &l->d->items.at[cut];
        from = item->kind == DOC_OPEN ? item->next : cut + 1;
        column = indent;
    }
    return false;
}

/* Whether a group fits where only the author's breaks are newlines. */
static bool authors_breaks_fit(const Layout *l, size_t open, int column, int indent) {
    const DocItem *items = l->d->items.at;
    size_t end = items[open].next;
    for (size_t i = open;;) {
        size_t next = i == open ? items[i].first : items[i].next;
        while (next != end && !(items[next].flags & DOC_AUTHOR)) next = items[next].next;
        if (!all_fit(l, column, indent, i + 1, next)) return false;
        if (next == end) return true;
        i = next;
        column = indent;
    }
}

/* Fills in a group that does not fit on the rest of its line. */
static void spread(Layout *l, Frame *f, size_t open, int column) {
    int continued = f->flags & DOC_BRACKETED ? column : l->base + DOC_INDENT;
    switch (f->group) {
    case GROUP_LIST:
        f->indent = column;
        if (!(f->flags & DOC_HANGS) || (!l->ended && !must_hang(l, open, column))) break;
        f->indent = l->indent + DOC_INDENT;
        newline(l, f->indent, false);
        column = f->indent;
        break;
    case GROUP_CHAIN: f->indent = continued; break;
    case GROUP_PIPE: f->indent = f->flags & DOC_BRACKETED ? column + DOC_INDENT : continued; break;
    case GROUP_IF:
        f->indent = continued;
        f->all = true;
        break;
    case GROUP_VALUE: f->indent += DOC_INDENT; break;
    case GROUP_BLOCK:
        f->indent += DOC_INDENT;
        f->all = true;
        break;
    case GROUP_HOLD: f->indent = l->indent; break;
    }
    f->authors = f->group == GROUP_VALUE || authors_breaks_fit(l, open, column, f->indent);
}

static void open_group(Layout *l, size_t i) {
    const DocItem *item = &l->d->items.at[i];
    bool delayed = l->ended && (item->flags & DOC_HANGS || item->group == GROUP_VALUE || item->group == GROUP_BLOCK);
    if (l->ended && !delayed) end_line(l, top(l)->indent, false);
    int column = l->column + l->spaces;
    Frame f = {.group = item->group, .flags = item->flags, .indent = top(l)->indent};
    f.flat = top(l)->flat || (!delayed && fits(l, column, i, item->next));
    if (!f.flat) spread(l, &f, i, column);
    f.part = i + 1;
    f.line = l->line;
    vec_push(&l->frames, f);
}

/* Whether the break at `i`, of a group that is spread, is a newline. */
static bool breaks(const Layout *l, const Frame *f, size_t i) {
    const DocItem *item = &l->d->items.at[i];
    if (f->all || (f->authors && item->flags & DOC_AUTHOR) || item[1].kind == DOC_COMMENT) return true;
    if (f->group == GROUP_PIPE) return !f->authors;
    if (f->group == GROUP_VALUE) return !(f->flags & DOC_INSIDE) && fits(l, f->indent, i + 1, item->next);
    int column = l->column + l->spaces + item->width;
    bool over = l->line > f->line && l->cut[f->part] >= i; /* what stands before it took several lines */
    if (f->group == GROUP_LIST && over) return true;
    if (head_fits(l, column, i + 1, item->next)) return false;
    return head_fits(l, f->indent, i + 1, item->next) || column + l->tail[i + 1] > DOC_WIDTH;
}

static void line_break(Layout *l, size_t i) {
    const DocItem *item = &l->d->items.at[i];
    Frame *f = top(l);
    int indent = item->flags & DOC_OUTDENTED ? f[-1].indent : f->indent;
    if (item->kind == DOC_NEWLINE || l->ended || (!f->flat && breaks(l, f, i)))
        end_line(l, indent, item->flags & DOC_BLANK);
    else
        l->spaces += item->width;
    f->part = i + 1;
    f->line = l->line;
}

/* Comments behind the code of lines that follow each other stand in one column, where they all fit there. */
static size_t align_remarks(const Layout *l, size_t from, int *column) {
    const Remark *r = l->remarks.at;
    size_t to = from + 1;
    int widest = r[from].width;
    *column = r[from].column;
    for (; to < l->remarks.len && r[to].line == r[to - 1].line + 1; to++) {
        int wider = MAX(*column, r[to].column);
        widest = MAX(widest, r[to].width);
        if (wider + 2 + widest > DOC_WIDTH) break;
        *column = wider;
    }
    return to;
}

static char *with_remarks(const Layout *l, Arena *a, size_t *len) {
    Str all = {0};
    size_t done = 0;
    for (size_t i = 0, to; i < l->remarks.len; i = to) {
        int column;
        to = align_remarks(l, i, &column);
        for (size_t k = i; k < to; k++) {
            const Remark *r = &l->remarks.at[k];
            str_put(&all, l->out.at + done, r->at - done);
            str_add(&all, "%*s", column - r->column + 2, "");
            done = r->at;
        }
    }
    str_put(&all, l->out.at + done, l->out.len - done);
    str_put(&all, "\n", 1);
    *len = all.len;
    char *text_of_all = arena_copy(a, all.at, all.len + 1);
    vec_free(&all);
    return text_of_all;
}

char *doc_layout(const Document *d, Arena *a, size_t *len) {
    Layout l = {.d = d};
    str_put(&l.out, "", 0);
    measure(&l, a);
    vec_push(&l.frames, (Frame){.group = GROUP_HOLD});
    for (size_t i = 0; i < d->items.len; i++) {
        const DocItem *item = &d->items.at[i];
        switch (item->kind) {
        case DOC_TEXT: text(&l, item); break;
        case DOC_SPACE:
        case DOC_PAD: l.spaces += item->width; break;
        case DOC_BREAK:
        case DOC_NEWLINE: line_break(&l, i); break;
        case DOC_REMARK: remark(&l, item); break;
        case DOC_COMMENT: comment(&l, item); break;
        case DOC_OPEN: open_group(&l, i); break;
        case DOC_CLOSE: l.frames.len--; break;
        }
    }
    char *result = with_remarks(&l, a, len);
    vec_free(&l.out);
    vec_free(&l.frames);
    vec_free(&l.remarks);
    return result;
}

int doc_width(const Document *d, size_t from, size_t to) {
    int width = 0;
    for (size_t i = from; i < to; i++) {
        if (is_forced(&d->items.at[i])) return -1;
        width += d->items.at[i].width;
    }
    return width;
}
