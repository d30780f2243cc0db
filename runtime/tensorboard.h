/* TensorBoard event files: records framed as TFRecords, each an Event message of Protocol Buffers. */
#ifndef RT_TENSORBOARD_H
#define RT_TENSORBOARD_H

#include "runtime/runtime.h"
#include <stdio.h>

/* An event file; once a write has failed it takes nothing more, and rt_tb_close() tells. */
typedef struct {
    FILE *file; /* NULL: none is written */
    char *path;
    uint32_t crc[256]; /* of CRC-32C, by byte */
    bool failed;
} RtTensorBoard;

/** Makes an event file with a name of its own in the folder; `again`: those of earlier runs stay. */
bool rt_tb_open(RtTensorBoard *t, const char *folder, bool again, RtError *e);
/** False where it could not be written in full. */
bool rt_tb_close(RtTensorBoard *t, RtError *e);
/** Hands what was written to the system. */
void rt_tb_flush(RtTensorBoard *t);

void rt_tb_scalar(RtTensorBoard *t, const char *tag, int64_t step, double value);
/** How the elements of a float array are spread; of long ones, every k-th is looked at, 65536 at most. */
void rt_tb_histogram(RtTensorBoard *t, const char *tag, int64_t step, const RtArray *a);
/** A picture, u8 [height, width, 1 or 3]. */
bool rt_tb_picture(RtTensorBoard *t, const char *tag, int64_t step, const RtArray *a, RtError *e);

/** One node of a graph; its shape is shown where rank >= 0. */
typedef struct {
    const char *name, *op;
    int ninputs;
    const char **inputs;
    int rank;
    const int64_t *dims;
} RtTbNode;

void rt_tb_graph(RtTensorBoard *t, const RtTbNode *nodes, int n);

/** A hyper-parameter: `text`, or `number` where `text` is NULL. */
typedef struct {
    const char *name, *text;
    double number;
} RtTbSetting;

/** Before the run, what it is made with; after it, whether it ended well. */
void rt_tb_settings(RtTensorBoard *t, const RtTbSetting *settings, int n);
void rt_tb_ended(RtTensorBoard *t, bool well);

#endif
