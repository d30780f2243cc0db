/* Numbers, sizes and shapes as people read them. */
#include "compiler/driver_private.h"

const char *driver_grouped(Arena *a, int64_t v) {
    char digits[32], out[48];
    int n = snprintf(digits, sizeof digits, "%lld", (long long)v), k = 0;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0 && digits[i - 1] != '-') out[k++] = ',';
        out[k++] = digits[i];
    }
    out[k] = 0;
    return arena_printf(a, "%s", out);
}

const char *driver_size(Arena *a, int64_t bytes) {
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double v = (double)bytes;
    size_t i = 0;
    if (bytes < 1024) return arena_printf(a, "%lld bytes", (long long)bytes);
    for (v /= 1024; v >= 1024 && i + 1 < COUNT(units); i++) v /= 1024;
    return arena_printf(a, v < 10 ? "%.2f %s" : "%.1f %s", v, units[i]);
}

const char *driver_shape(const Driver *d, Type t) {
    Str s = {0};
    if (t.rank >= 0) type_print(&s, t);
    const char *text = arena_printf(d->nnc->arena, "%s", s.at ? s.at : "");
    vec_free(&s);
    return text;
}
