/* Calls the emitted functions on made-up arrays, which it leaves as .npy files; prints the numbers and writes the array
 * that they give. */
#include "npy.h"
#include "while.h"

enum { N = 96, IN = 200, OUT = 120, KEPT = 4 };

static float *made_up(const char *path, int rows, int columns, int step) {
    float *x = malloc((size_t)(rows * columns) * sizeof *x);
    if (!x) exit(1);
    for (int i = 0; i < rows * columns; i++) x[i] = (float)(i * step % 64 - 32) / 64;
    write_npy(path, x, rows, columns);
    return x;
}

int main(void) {
    float a = 2, y;
    int32_t b = 84, c = 36, divisor, steps = 7, n;
    size_t most = (size_t)descend_SCRATCH + root_SCRATCH + gcd_SCRATCH;
    void *scratch = aligned_alloc(64, (most + 63) / 64 * 64);
    float *x = made_up("x.npy", N, IN, 37), *t = made_up("y.npy", N, OUT, 11), *w = made_up("w.npy", IN, OUT, 23);
    float *points = malloc(KEPT * IN * OUT * sizeof *points);
    root(&a, &y, scratch);
    gcd(&b, &c, &divisor, scratch);
    printf("%.9g\n%d\n", (double)y, divisor);
    descend(x, t, w, &steps, &y, &n, points, scratch);
    FILE *f = fopen("points.bin", "wb");
    if (!f || n != steps) return 1;
    fwrite(points, sizeof *points, KEPT * IN * OUT, f);
    free(x), free(t), free(w), free(points), free(scratch);
    return fclose(f);
}
