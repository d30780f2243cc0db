/* The course of a loss in one row of block characters. */
#ifndef RT_SPARK_H
#define RT_SPARK_H

#include <stdbool.h>
#include <stddef.h>

enum { RT_SPARK_POINTS = 256, RT_SPARK_BYTES = 3 * RT_SPARK_POINTS + 1 };

/* Each point is the mean of `each` values, the last one of `pending` so far. */
typedef struct {
    double points[RT_SPARK_POINTS], sum;
    int n;
    long each, pending;
} RtSpark;

/** Adds a value; what is not finite is left out. When all points are taken, two become one. */
void rt_spark_add(RtSpark *c, double value);
/** Writes the whole course in at most `width` columns; "" where there are fewer than two points. */
void rt_spark_print(const RtSpark *c, int width, char text[RT_SPARK_BYTES]);

#endif
