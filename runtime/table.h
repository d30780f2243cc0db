/* A run's log as a table: a CSV file with a row an epoch. */
#ifndef RT_TABLE_H
#define RT_TABLE_H

#include "runtime/lines.h"
#include "runtime/train.h"

typedef struct {
    int file; /* -1: none is written */
    const RtTrain *train;
    RtLines lines; /* not written yet */
} RtTable;

/** Begins t->table_path, where one is asked for; of a run that goes on, with the epochs that its log tells of. */
bool rt_table_open(RtTable *b, const RtTrain *t, RtError *e);
void rt_table_epoch(RtTable *b, int64_t number, const RtEpoch *epoch);
/** Writes the table as far as it goes. */
bool rt_table_write(RtTable *b, RtError *e);
/** False where it could not be written in full. */
bool rt_table_close(RtTable *b, RtError *e);

#endif
