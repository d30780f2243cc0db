#include "runtime/table.h"
#include "runtime/events.h"
#include "runtime/files.h"
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Empty where the epoch does not report it. */
static void add_cell(RtLines *l, const RtEpoch *epoch, const char *name) {
    rt_lines_add_text(l, ",", 1);
    for (int i = 0; i < epoch->nreports; i++) {
        if (strcmp(epoch->reports[i].name, name) != 0) continue;
        double v = epoch->reports[i].value;
        if (isnan(v)) /* whichever sign it has */
            rt_lines_add(l, "nan");
        else
            rt_lines_add(l, "%.9g", v);
        return;
    }
}

static void add_row(void *self, const char *block, int64_t number, const RtEpoch *epoch) {
    RtTable *b = self;
    const RtTrain *t = b->train;
    RtLines *l = &b->lines;
    rt_lines_add(l, "%s,%lld,%lld", block != NULL ? block : "", (long long)number,
                 (long long)epoch->point.position.step);
    for (int i = 0; i < t->ncolumns; i++) add_cell(l, epoch, t->columns[i]);
    rt_lines_add(l, ",%.0f,%.3f\n", epoch->samples_per_s, epoch->seconds);
}

/* The rows of what the log, which has been cut to where the run goes on, tells. */
static bool add_rows_before(RtTable *b, RtError *e) {
    const RtTrain *t = b->train;
    size_t size;
    if (t->log_path == NULL || t->start.log_bytes == 0) return true;
    char *log = rt_file_read(t->log_path, SIZE_MAX / 4, &size, e);
    if (log == NULL) return false;
    bool good = rt_events_read(log, add_row, b) || rt_fail(e, "%s: it is not the log of a run", t->log_path);
    free(log);
    return good;
}

bool rt_table_open(RtTable *b, const RtTrain *t, RtError *e) {
    *b = (RtTable){.train = t, .file = -1};
    if (t->table_path == NULL) return true;
    b->file = open(t->table_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (b->file < 0) return rt_fail_system(e, "%s: cannot be written", t->table_path);
    rt_lines_add(&b->lines, "block,epoch,step");
    for (int i = 0; i < t->ncolumns; i++) rt_lines_add(&b->lines, ",%s", t->columns[i]);
    rt_lines_add(&b->lines, ",samples_per_s,seconds\n");
    return add_rows_before(b, e) && rt_table_write(b, e);
}

void rt_table_epoch(RtTable *b, int64_t number, const RtEpoch *epoch) {
    if (b->file >= 0) add_row(b, b->train->name, number, epoch);
}

bool rt_table_write(RtTable *b, RtError *e) {
    if (b->file < 0) return true;
    bool good =
        rt_lines_write(&b->lines, 0, b->file) || rt_fail_system(e, "%s: cannot be written", b->train->table_path);
    rt_lines_cut(&b->lines, 0);
    return good;
}

bool rt_table_close(RtTable *b, RtError *e) {
    if (b->file < 0) return true;
    bool good = rt_table_write(b, e);
    if (close(b->file) != 0 && good) good = rt_fail(e, "%s: could not be written in full", b->train->table_path);
    b->file = -1;
    rt_lines_free(&b->lines);
    return good;
}
