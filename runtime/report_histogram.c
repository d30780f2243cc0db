/* Histograms as short texts. */
#include "runtime/report.h"
#include <math.h>
#include <stdio.h>

enum { MOST_ELEMENTS = 1 << 16 };

typedef struct {
    double least, most, sum, squares;
    int64_t finite, others;
} Spread;

static double element(const void *data, RtDType dtype, int64_t i) {
    return dtype == RT_F32 ? (double)((const float *)data)[i] : rt_element(data, dtype, i);
}

static Spread spread_of(const void *data, RtDType dtype, int64_t n, int64_t step) {
    Spread s = {.least = INFINITY, .most = -INFINITY};
    for (int64_t i = 0; i < n; i += step) {
        double v = element(data, dtype, i);
        if (!isfinite(v)) {
            s.others++;
            continue;
        }
        s.finite++;
        s.sum += v;
        s.squares += v * v;
        if (v < s.least) s.least = v;
        if (v > s.most) s.most = v;
    }
    if (s.finite == 0) s.least = s.most = 0;
    return s;
}

static void count_bins(const void *data, RtDType dtype, int64_t n, int64_t step, const Spread *s, int64_t *bins) {
    double scale = s->most > s->least ? (double)RT_HISTOGRAM_BINS / (s->most - s->least) : 0;
    for (int64_t i = 0; i < n; i += step) {
        double v = element(data, dtype, i);
        if (!isfinite(v)) continue;
        int k = scale > 0 ? (int)((v - s->least) * scale) : RT_HISTOGRAM_BINS / 2;
        bins[k < RT_HISTOGRAM_BINS ? k : RT_HISTOGRAM_BINS - 1]++;
    }
}

/* At least 1 of 63 where anything is in the bin. */
static void print_bins(const int64_t *bins, char *text) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int64_t fullest = 1;
    for (int i = 0; i < RT_HISTOGRAM_BINS; i++) fullest = bins[i] > fullest ? bins[i] : fullest;
    for (int i = 0; i < RT_HISTOGRAM_BINS; i++) text[i] = digits[(bins[i] * 63 + fullest - 1) / fullest];
    text[RT_HISTOGRAM_BINS] = 0;
}

RtHistogram rt_histogram(const void *data, RtDType dtype, int64_t n) {
    RtHistogram h;
    int64_t step = (n + MOST_ELEMENTS - 1) / MOST_ELEMENTS, bins[RT_HISTOGRAM_BINS] = {0};
    char text[RT_HISTOGRAM_BINS + 1];
    if (step < 1) step = 1;
    Spread s = spread_of(data, dtype, n, step);
    count_bins(data, dtype, n, step, &s, bins);
    print_bins(bins, text);
    double count = s.finite > 0 ? (double)s.finite : 1, mean = s.sum / count;
    double variance = s.squares / count - mean * mean;
    snprintf(h.text, sizeof h.text, "[%.4g,%.4g,%.4g,%.4g,%lld,\"%s\"]", s.least, s.most, mean,
             sqrt(variance > 0 ? variance : 0), (long long)s.others, text);
    return h;
}
