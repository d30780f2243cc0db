/* Calls the emitted `classify` on made-up images, written to argv[1] as .npy; prints the results to argv[2]. */
#include "digits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 3, PIXELS = 64, CLASSES = 10 };

static int write_npy(const char *path, const float *x) {
    char header[119];
    FILE *f = fopen(path, "wb");
    if (!f) return 1;
    memset(header, ' ', sizeof header);
    int n = sprintf(header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", N, PIXELS);
    header[n] = ' ';
    header[117] = '\n';
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, f);
    fwrite(header, 1, 118, f);
    fwrite(x, sizeof *x, N * PIXELS, f);
    return fclose(f);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    float x[N * PIXELS], y[N * CLASSES];
    for (int i = 0; i < N * PIXELS; i++) x[i] = (float)((i * 37 + i / 7) % 17);
    void *scratch = aligned_alloc(64, (classify_SCRATCH + 63) / 64 * 64);
    classify(x, y, scratch);
    free(scratch);
    FILE *f = fopen(argv[2], "w");
    if (!f || write_npy(argv[1], x)) return 1;
    for (int i = 0; i < N * CLASSES; i++) fprintf(f, "%s%.9g", i ? "," : "", (double)y[i]);
    return fclose(f);
}
