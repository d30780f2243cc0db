#include "runtime/table.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool cannot_write(const RtTable *b, RtError *e) {
    return rt_fail(e, "%s: cannot be written: %s", b->train->table_path, strerror(errno));
}

/* How many epochs the log tells of, up to where the run goes on. */
static long told_epochs(const RtTrain *t) {
    FILE *log = t->log_path != NULL && t->start.log_bytes > 0 ? fopen(t->log_path, "r") : NULL;
    char *line = NULL;
    size_t room = 0;
    long n = 0;
    ssize_t length;
    for (int64_t at = 0; log != NULL && at < t->start.log_bytes && (length = getline(&line, &room, log)) > 0;
         at += length)
        n += strncmp(line, "{\"event\":\"epoch\"", 16) == 0;
    free(line);
    if (log != NULL) fclose(log);
    return n;
}

/* Cuts the file behind its first `lines` lines. */
static bool keep_lines(FILE *f, long lines) {
    rewind(f);
    for (int c; lines > 0 && (c = getc(f)) != EOF;) lines -= c == '\n';
    off_t at = ftello(f);
    return at >= 0 && fflush(f) == 0 && ftruncate(fileno(f), at) == 0 && fseeko(f, at, SEEK_SET) == 0;
}

bool rt_table_open(RtTable *b, const RtTrain *t, RtError *e) {
    *b = (RtTable){.train = t};
    if (t->table_path == NULL) return true;
    bool fresh = t->start.log_bytes == 0;
    if (!fresh) b->file = fopen(t->table_path, "r+");
    if (b->file != NULL) return keep_lines(b->file, 1 + told_epochs(t)) || cannot_write(b, e);
    b->file = fopen(t->table_path, "w");
    if (b->file == NULL) return cannot_write(b, e);
    fprintf(b->file, "block,epoch,step");
    for (int i = 0; i < t->ncolumns; i++) fprintf(b->file, ",%s", t->columns[i]);
    fprintf(b->file, ",samples_per_s,seconds\n");
    return fflush(b->file) == 0 || cannot_write(b, e);
}

/* Empty where the epoch does not report it. */
static void add_cell(FILE *f, const RtEpoch *epoch, const char *name) {
    putc(',', f);
    for (int i = 0; i < epoch->nreports; i++) {
        if (strcmp(epoch->reports[i].name, name) != 0) continue;
        if (isnan(epoch->reports[i].value)) /* whichever sign it has */
            fputs("nan", f);
        else
            fprintf(f, "%.9g", epoch->reports[i].value);
        return;
    }
}

bool rt_table_epoch(RtTable *b, int64_t number, const RtEpoch *epoch, RtError *e) {
    const RtTrain *t = b->train;
    if (b->file == NULL) return true;
    fprintf(b->file, "%s,%lld,%lld", t->name != NULL ? t->name : "", (long long)number,
            (long long)epoch->point.position.step);
    for (int i = 0; i < t->ncolumns; i++) add_cell(b->file, epoch, t->columns[i]);
    fprintf(b->file, ",%.0f,%.3f\n", epoch->samples_per_s, epoch->seconds);
    return fflush(b->file) == 0 || cannot_write(b, e);
}

bool rt_table_close(RtTable *b, RtError *e) {
    if (b->file == NULL) return true;
    bool good = !ferror(b->file);
    good = fclose(b->file) == 0 && good;
    b->file = NULL;
    return good || rt_fail(e, "%s: could not be written in full", b->train->table_path);
}
