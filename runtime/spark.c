#include "runtime/spark.h"
#include <math.h>
#include <string.h>

void rt_spark_add(RtSpark *c, double value) {
    if (!isfinite(value)) return;
    if (c->n == RT_SPARK_POINTS) {
        for (int i = 0; i < RT_SPARK_POINTS / 2; i++) c->points[i] = (c->points[2 * i] + c->points[2 * i + 1]) / 2;
        c->n /= 2;
        c->each *= 2;
    }
    if (c->each == 0) c->each = 1;
    c->sum += value;
    if (++c->pending < c->each) return;
    c->points[c->n++] = c->sum / (double)c->pending;
    c->sum = 0;
    c->pending = 0;
}

/* The mean of the points that column `i` of `width` stands for. */
static double column(const RtSpark *c, int i, int width) {
    int from = i * c->n / width, to = (i + 1) * c->n / width;
    double sum = 0;
    for (int k = from; k < to; k++) sum += c->points[k];
    return sum / (to - from);
}

void rt_spark_print(const RtSpark *c, int width, char text[RT_SPARK_BYTES]) {
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double least = INFINITY, most = -INFINITY;
    if (width > c->n) width = c->n;
    text[0] = '\0';
    if (width < 2) return;
    for (int i = 0; i < width; i++) {
        double v = column(c, i, width);
        if (v < least) least = v;
        if (v > most) most = v;
    }
    for (int i = 0; i < width; i++) {
        double share = most > least ? (column(c, i, width) - least) / (most - least) : 0;
        int level = (int)(share * 8);
        memcpy(text + 3 * i, blocks[level > 7 ? 7 : level], 4);
    }
}
