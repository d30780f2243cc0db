/* The course of a loss in one row of block characters. */
#ifndef RT_CURVE_H
#define RT_CURVE_H

#include <stdbool.h>
#include <stddef.h>

enum { RT_CURVE_POINTS = 256, RT_CURVE_BYTES = 3 * RT_CURVE_POINTS + 1 };

/* Each point is the mean of `each` values, the last one of `pending` so far. */
typedef struct {
    double points[RT_CURVE_POINTS], sum;
    int n;
    long each, pending;
} RtCurve;

/** Adds a value; what is not finite is left out. When all points are taken, two become one. */
void rt_curve_add(RtCurve *c, double value);
/** Writes the whole course in at most `width` columns; "" where there are fewer than two points. */
void rt_curve_print(const RtCurve *c, int width, char text[RT_CURVE_BYTES]);

#endif
