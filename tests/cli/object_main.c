/* Calls the emitted `classify` on made-up images, written to argv[1] as .npy; prints the results to argv[2]. */
#include "digits.h"
#include "npy.h"

enum { N = 3, PIXELS = 64, CLASSES = 10 };

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    float x[N * PIXELS], y[N * CLASSES];
    for (int i = 0; i < N * PIXELS; i++) x[i] = (float)((i * 37 + i / 7) % 17);
    void *scratch = aligned_alloc(64, (classify_SCRATCH + 63) / 64 * 64);
    classify(x, y, scratch);
    free(scratch);
    FILE *f = fopen(argv[2], "w");
    if (!f) return 1;
    write_npy(argv[1], x, N, PIXELS);
    for (int i = 0; i < N * CLASSES; i++) fprintf(f, "%s%.9g", i ? "," : "", (double)y[i]);
    return fclose(f);
}
