/* The closest of several names, for "did you mean". */
#include "compiler/base/diag.h"

#include <stdlib.h>
#include <string.h>

enum { LONGEST = 200 }; /* the time grows with the square of a name's length */

/* The least number of insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (Damerau and
 * Levenshtein, where no part is edited twice). `rows` has room for 3 * (m + 1) numbers. */
static size_t distance(const char *a, size_t n, const char *b, size_t m, size_t *rows) {
    size_t *before = rows, *last = rows + (m + 1), *row = rows + 2 * (m + 1);
    for (size_t j = 0; j <= m; j++) last[j] = j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = MIN(best, MIN(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) best = MIN(best, before[j - 2] + 1);
            row[j] = best;
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[m];
}

static size_t same_beginning(const char *a, const char *b) {
    size_t n = 0;
    while (a[n] && a[n] == b[n]) n++;
    return n;
}

const char *diag_nearest(const char *name, const char *const *candidates, size_t n) {
    const char *nearest = NULL;
    size_t len = strlen(name), best = len / 3 + (len > 1), same = 0; /* a third of it and one may be wrong */
    for (size_t i = 0; i < n && len <= LONGEST; i++) {
        size_t m = strlen(candidates[i]), common = same_beginning(name, candidates[i]);
        if ((m > len ? m - len : len - m) > best) continue;
        size_t *rows = xcalloc(3 * (m + 1), sizeof *rows);
        size_t d = distance(name, len, candidates[i], m, rows);
        free(rows);
        if (d > best || d >= MAX(len, m) || (nearest && d == best && common <= same)) continue;
        best = d;
        same = common;
        nearest = candidates[i];
    }
    return nearest;
}
