/* A run's log as a table: a CSV file with a row an epoch. */
#ifndef RT_TABLE_H
#define RT_TABLE_H

#include "runtime/train.h"

typedef struct {
    FILE *file; /* NULL: none is written */
    const RtTrain *train;
} RtTable;

/** Opens t->table_path, where one is asked for; a run that goes on keeps the header and the rows of the epochs that its
 * log has. */
bool rt_table_open(RtTable *b, const RtTrain *t, RtError *e);
bool rt_table_epoch(RtTable *b, int64_t number, const RtEpoch *epoch, RtError *e);
/** False where it could not be written in full. */
bool rt_table_close(RtTable *b, RtError *e);

#endif
