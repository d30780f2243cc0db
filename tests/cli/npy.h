/* A matrix of floats as a .npy file; for programs that only link with an emitted object. */
#ifndef TESTS_NPY_H
#define TESTS_NPY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void write_npy(const char *path, const float *x, int rows, int columns) {
    char header[118];
    FILE *f = fopen(path, "wb");
    if (!f) exit(1);
    memset(header, ' ', sizeof header);
    int n = sprintf(header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, columns);
    header[n] = ' ';
    header[sizeof header - 1] = '\n';
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, f);
    fwrite(header, 1, sizeof header, f);
    fwrite(x, sizeof *x, (size_t)(rows * columns), f);
    if (fclose(f)) exit(1);
}

#endif
