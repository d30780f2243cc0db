/* Messages: kept in order as they are raised, laid out by diag_print. */
#include "compiler/nnc.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_PRINTED = 50,  /* errors shown in one run, and warnings */
    MAX_KEPT = 1000,   /* of either: some of them may be repetitions, which are not shown */
    MAX_WIDTH = 160,   /* columns of a source line; of a longer one the part around the label is shown */
    WIDTH_BEFORE = 60, /* of them before the label */
    TAB = 4
};

static const struct {
    const char *name;
    Severity severity;
    const char *text;
} rows[] = {
#define DIAG(id, severity, text) {#id, SEV_##severity, text},
#include "compiler/base/diag.def"
#undef DIAG
};

/* ---- raising ---- */

static const char *format(Arena *a, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    size_t n = (size_t)vsnprintf(NULL, 0, fmt, ap) + 1;
    char *s = arena_alloc(a, n);
    vsnprintf(s, n, fmt, again);
    va_end(again);
    return s;
}

Diag *diag(Nnc *nnc, Span at, DiagId id, ...) {
    Diag *d = ARENA_NEW(nnc->arena, Diag);
    d->id = id;
    d->severity = rows[id].severity;
    int count = *(d->severity == SEV_ERROR ? &nnc->diags.errors : &nnc->diags.warnings) += 1;
    if (nnc->diags.muted > 0) return d; /* not kept: what is added to it is dropped */
    if (count > MAX_KEPT) return nnc->diags.left_out[d->severity]++, d;
    va_list ap;
    va_start(ap, id);
    d->text = format(nnc->arena, rows[id].text, ap);
    va_end(ap);
    vec_push(&d->labels, (DiagLabel){at, ""});
    vec_push(&nnc->diags.list, d);
    return d;
}

void diag_here(Nnc *nnc, Diag *d, const char *fmt, ...) {
    if (!d->text) return;
    va_list ap;
    va_start(ap, fmt);
    d->labels.at[0].text = format(nnc->arena, fmt, ap);
    va_end(ap);
}

void diag_label(Nnc *nnc, Diag *d, Span at, const char *fmt, ...) {
    if (!d->text || !at.file) return;
    va_list ap;
    va_start(ap, fmt);
    const char *text = format(nnc->arena, fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < d->labels.len; i++) { /* both operands may be the same */
        const DiagLabel *l = &d->labels.at[i];
        if (l->at.file == at.file && l->at.begin == at.begin && l->at.end == at.end && strcmp(l->text, text) == 0)
            return;
    }
    vec_push(&d->labels, (DiagLabel){at, text});
}

void diag_help(Nnc *nnc, Diag *d, const char *fmt, ...) {
    if (!d->text) return;
    va_list ap;
    va_start(ap, fmt);
    const char *text = format(nnc->arena, fmt, ap);
    va_end(ap);
    vec_push(&d->helps, text);
}

bool diag_enough(const Nnc *nnc) { return nnc->diags.errors >= MAX_PRINTED; }

const char *diag_name(DiagId id) { return rows[id].name; }

/* ---- printing ---- */

/* A label within one line, in columns of the display from 0. */
typedef struct {
    int line, from, to;
    const char *text;
    bool primary;
} Mark;

typedef VEC(Mark) Marks;

typedef struct {
    Nnc *nnc;
    FILE *out;
    bool colour;
    Severity severity;
    int gutter; /* digits of the largest line number */
} Printer;

#define BOLD "1"
#define BLUE "1;34"

static const char *severity_colour(Severity s) { return s == SEV_ERROR ? "1;31" : "1;33"; }

static void paint(const Printer *p, const char *colour, const char *text, size_t len) {
    if (p->colour && len)
        fprintf(p->out, "\033[%sm%.*s\033[0m", colour, (int)len, text);
    else
        fwrite(text, 1, len, p->out);
}

/* The beginning of a line: its number, or blanks where `line` is 0, and the bar. */
static void print_gutter(const Printer *p, int line) {
    char text[32];
    int n = line ? snprintf(text, sizeof text, " %*d |", p->gutter, line)
                 : snprintf(text, sizeof text, " %*s |", p->gutter, "");
    paint(p, BLUE, text, (size_t)n);
}

/* How many columns the character at `s` takes, and how many bytes. */
static int char_columns(const char *s, size_t n, size_t *bytes) {
    uint32_t c;
    *bytes = utf8_decode(s, n, &c);
    if (*bytes == 0) *bytes = 1;
    return *s == '\t' ? TAB : 1;
}

static int column_of(const char *text, size_t len, size_t offset) {
    int column = 0;
    for (size_t i = 0, n; i < len && i < offset; i += n) column += char_columns(text + i, len - i, &n);
    return column;
}

/* The part of a line between two columns as it is shown: tabs as blanks, what no terminal should get as U+FFFD. */
static void show_line(Str *out, const char *text, size_t len, int from, int to) {
    int column = 0;
    for (size_t i = 0, n; i < len && column < to; i += n) {
        int columns = char_columns(text + i, len - i, &n);
        unsigned char c = (unsigned char)text[i];
        uint32_t ignored;
        bool strange = (c < ' ' && c != '\t') || c == 0x7F || utf8_decode(text + i, len - i, &ignored) == 0;
        if (column >= from) {
            if (c == '\t')
                str_put(out, "    ", TAB);
            else if (strange)
                str_put(out, "\xEF\xBF\xBD", 3);
            else
                str_put(out, text + i, n);
        }
        column += columns;
    }
}

/* The label's part on the line where it begins. */
static Mark mark_of(const Source *s, const DiagLabel *label, bool primary) {
    Mark m = {.text = label->text, .primary = primary};
    int column;
    size_t len;
    source_place(s, label->at.begin, &m.line, &column);
    const char *text = source_line(s, m.line, &len);
    size_t begin = label->at.begin - (size_t)(text - s->text), end = label->at.end - (size_t)(text - s->text);
    m.from = column_of(text, len, begin);
    m.to = MAX(column_of(text, len, end), m.from + 1);
    return m;
}

static int compare_marks(const void *a, const void *b) {
    const Mark *x = a, *y = b;
    return x->line != y->line ? (x->line > y->line) - (x->line < y->line) : (x->from > y->from) - (x->from < y->from);
}

static const char *mark_colour(const Printer *p, const Mark *m) {
    return m->primary ? severity_colour(p->severity) : BLUE;
}

/* Prints a row of `|`, one below each mark, and then `last` (may be NULL) at its column. */
static void print_stems(const Printer *p, const Mark *marks, size_t n, const Mark *last) {
    int column = 0;
    print_gutter(p, 0);
    fputc(' ', p->out);
    for (size_t i = 0; i < n; i++) {
        if (!*marks[i].text || marks[i].from < column || (last && marks[i].from >= last->from)) continue;
        fprintf(p->out, "%*s", marks[i].from - column, "");
        paint(p, mark_colour(p, &marks[i]), "|", 1);
        column = marks[i].from + 1;
    }
    if (last) {
        fprintf(p->out, "%*s", last->from - column, "");
        paint(p, mark_colour(p, last), last->text, strlen(last->text));
    }
    fputc('\n', p->out);
}

/* The row of `^^^` and `---`; the text of `beside` (may be NULL) stands at its end. */
static void print_carets(const Printer *p, const Mark *marks, size_t n, const Mark *beside) {
    int width = 0;
    for (size_t i = 0; i < n; i++) width = MAX(width, marks[i].to);
    char *row = xcalloc((size_t)width + 1, 1);
    memset(row, ' ', (size_t)width);
    for (int primary = 0; primary <= 1; primary++) /* the primary one over the others */
        for (size_t i = 0; i < n; i++)
            if (marks[i].primary == primary)
                memset(row + marks[i].from, primary ? '^' : '-', (size_t)(marks[i].to - marks[i].from));
    print_gutter(p, 0);
    fputc(' ', p->out);
    for (size_t i = 0; row[i];) {
        size_t run = 1;
        while (row[i + run] == row[i]) run++;
        if (row[i] == ' ')
            fprintf(p->out, "%*s", (int)run, "");
        else
            paint(p, row[i] == '^' ? severity_colour(p->severity) : BLUE, row + i, run);
        i += run;
    }
    if (beside) {
        fputc(' ', p->out);
        paint(p, mark_colour(p, beside), beside->text, strlen(beside->text));
    }
    fputc('\n', p->out);
    free(row);
}

/* The mark whose text can stand on the row of carets: the last one, where nothing reaches beyond it. */
static Mark *beside_carets(Mark *marks, size_t n) {
    Mark *last = &marks[n - 1];
    while (last > marks && !*last->text && last[-1].from == last->from) last--;
    for (size_t i = 0; i < n; i++)
        if (marks[i].to > last->to) return NULL;
    return *last->text ? last : NULL;
}

/* Moves the marks of a line that is too wide to show, so that the columns from `shift` on are shown. */
static int shift_marks(Mark *marks, size_t n, int width) {
    if (width <= MAX_WIDTH) return 0;
    int column = marks[0].from;
    for (size_t i = 0; i < n; i++)
        if (marks[i].primary) column = marks[i].from;
    int shift = MAX(column - WIDTH_BEFORE, 0);
    for (size_t i = 0; i < n; i++) {
        marks[i].from = MIN(MAX(marks[i].from - shift, 0), MAX_WIDTH);
        marks[i].to = MIN(MAX(marks[i].to - shift, marks[i].from + 1), MAX_WIDTH + 1);
    }
    return shift;
}

/* A source line and what its marks (sorted, at least one) say. */
static void print_line(const Printer *p, const Source *s, Mark *marks, size_t n) {
    size_t len;
    const char *text = source_line(s, marks->line, &len);
    int shift = shift_marks(marks, n, column_of(text, len, len));
    Str shown = {0};
    show_line(&shown, text, len, shift, shift + MAX_WIDTH);
    print_gutter(p, marks->line);
    fprintf(p->out, "%s%s\n", shown.len ? " " : "", shown.len ? shown.at : "");
    vec_free(&shown);

    Mark *beside = beside_carets(marks, n);
    print_carets(p, marks, n, beside);
    if (beside) beside->text = "";
    bool stacked = false;
    for (size_t i = 0; i < n; i++) stacked |= *marks[i].text != 0;
    if (stacked) print_stems(p, marks, n, NULL);
    for (size_t i = n; i-- > 0;) /* from the right, so that no text crosses a stem */
        if (*marks[i].text) print_stems(p, marks, n, &marks[i]);
}

/* One file's lines that have marks, under an arrow with the place of the first label. */
static void print_file(const Printer *p, uint32_t file, const DiagLabel *first, Marks *marks, bool primary) {
    const Source *s = p->nnc->sources.files.at[file];
    int line, column;
    source_place(s, first->at.begin, &line, &column);
    if (!primary) {
        print_gutter(p, 0);
        fputc('\n', p->out);
    }
    fprintf(p->out, "%*s", p->gutter + 1, "");
    paint(p, BLUE, primary ? "-->" : ":::", 3);
    fprintf(p->out, " %s:%d:%d\n", s->path, line, column);
    print_gutter(p, 0);
    fputc('\n', p->out);
    if (marks->len) qsort(marks->at, marks->len, sizeof *marks->at, compare_marks);
    for (size_t i = 0, n; i < marks->len; i += n) {
        n = 1;
        while (i + n < marks->len && marks->at[i + n].line == marks->at[i].line) n++;
        print_line(p, s, marks->at + i, n);
    }
}

/* Prints the labels from `i` on that are in the file of the i-th, unless an earlier label was in it already. */
static void print_file_of(const Printer *p, const Diag *d, size_t i) {
    uint32_t file = d->labels.at[i].at.file;
    Marks marks = {0};
    for (size_t k = 0; k < i; k++)
        if (d->labels.at[k].at.file == file) return;
    for (size_t k = i; k < d->labels.len; k++)
        if (d->labels.at[k].at.file == file)
            vec_push(&marks, mark_of(p->nnc->sources.files.at[file], &d->labels.at[k], k == 0));
    print_file(p, file, &d->labels.at[i], &marks, i == 0);
    vec_free(&marks);
}

static int gutter_width(const Nnc *nnc, const Diag *d) {
    int largest = 0, line, column, width = 1;
    for (size_t i = 0; i < d->labels.len; i++) {
        if (!d->labels.at[i].at.file) continue;
        source_place(nnc->sources.files.at[d->labels.at[i].at.file], d->labels.at[i].at.begin, &line, &column);
        largest = MAX(largest, line);
    }
    while (largest /= 10) width++;
    return width;
}

static const char *const severity_names[] = {[SEV_ERROR] = "error", [SEV_WARNING] = "warning"};

static void print_one(Nnc *nnc, const Diag *d, FILE *out, bool colour) {
    Printer p = {nnc, out, colour, d->severity, gutter_width(nnc, d)};
    const char *severity = severity_names[d->severity];
    paint(&p, severity_colour(d->severity), severity, strlen(severity));
    paint(&p, BOLD, ": ", 2);
    paint(&p, BOLD, d->text, strlen(d->text));
    fputc('\n', out);
    bool placed = d->labels.at[0].at.file != 0;
    for (size_t i = 0; placed && i < d->labels.len; i++) print_file_of(&p, d, i);
    for (size_t i = 0; i < d->helps.len; i++) {
        fprintf(out, "%*s", p.gutter + 2, "");
        paint(&p, BLUE, "=", 1);
        fputc(' ', out);
        paint(&p, BOLD, "help", 4);
        fprintf(out, ": %s\n", d->helps.at[i]);
    }
}

/* Whether the same was said of the same place before: a body is checked wherever it is called. */
static bool is_repeated(const Diags *diags, size_t index) {
    const Diag *d = diags->list.at[index];
    for (size_t i = 0; i < index; i++) {
        const Diag *e = diags->list.at[i];
        if (e->id == d->id && memcmp(&e->labels.at[0].at, &d->labels.at[0].at, sizeof(Span)) == 0 &&
            strcmp(e->text, d->text) == 0)
            return true;
    }
    return false;
}

/* Where there are errors they come first. */
static bool hides_warnings(const Diags *diags) { return diags->errors > 0 || diags->errors_only; }

void diag_print(Nnc *nnc, FILE *out, bool colour) {
    Diags *diags = &nnc->diags;
    int shown[2] = {0};
    for (; diags->printed < diags->list.len; diags->printed++) {
        const Diag *d = diags->list.at[diags->printed];
        if (d->severity == SEV_WARNING && hides_warnings(diags)) continue;
        if (d->labels.at[0].at.file && is_repeated(diags, diags->printed)) continue;
        if (++shown[d->severity] > MAX_PRINTED)
            diags->left_out[d->severity]++;
        else
            print_one(nnc, d, out, colour);
    }
    for (int s = 0; s < 2; s++) {
        int n = diags->left_out[s];
        if (n && !(s == SEV_WARNING && hides_warnings(diags)))
            fprintf(out, "and %d more %s%s\n", n, severity_names[s], n == 1 ? "" : "s");
        diags->left_out[s] = 0;
    }
}
