/* Reads a source file into the compilation, after checking that it can be one. */
#include "lang/ast.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_BYTES = 16 << 20 };

/* Reads what `fd` holds, up to one byte more than is allowed. False with errno set where it cannot be read. */
static bool read_all(int fd, Str *out) {
    char part[1 << 16];
    while (out->len <= MAX_BYTES) {
        ssize_t n = read(fd, part, sizeof part);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n == 0;
        str_put(out, part, (size_t)n);
    }
    return true;
}

/* Opens `path` and reads it; false after a diagnostic. */
static bool read_file(Nnc *nnc, const char *path, Span from, Str *out) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* non-blocking: a named pipe must not wait for a writer */
    bool ok = false;
    if (fd < 0 || fstat(fd, &st) != 0)
        diag(nnc, from, DIAG_file_missing, path, strerror(errno));
    else if (S_ISDIR(st.st_mode))
        diag(nnc, from, DIAG_file_directory, path);
    else if (!S_ISREG(st.st_mode))
        diag(nnc, from, DIAG_file_irregular, path);
    else if (!read_all(fd, out))
        diag(nnc, from, DIAG_file_missing, path, strerror(errno));
    else if (out->len == 0)
        diag(nnc, from, DIAG_file_empty, path);
    else if (out->len > MAX_BYTES)
        diag(nnc, from, DIAG_file_too_large, path, "16 MiB");
    else
        ok = true;
    if (fd >= 0) close(fd);
    return ok;
}

/* The first byte that is NUL or not UTF-8; false where it is one. */
static bool check_text(Nnc *nnc, uint32_t file) {
    const Source *s = nnc->sources.files.at[file];
    for (size_t i = 0, n; i < s->len; i += n) {
        uint32_t c;
        n = utf8_decode(s->text + i, s->len - i, &c);
        Span at = {file, (uint32_t)i, (uint32_t)i + 1};
        if (n == 0) return diag(nnc, at, DIAG_not_utf8, (unsigned char)s->text[i]), false;
        if (c == 0) return diag(nnc, at, DIAG_nul_byte), false;
    }
    return true;
}

uint32_t source_read(Nnc *nnc, const char *path, Span from) {
    Str text = {0};
    uint32_t file = 0;
    if (read_file(nnc, path, from, &text)) file = source_add(&nnc->sources, nnc->arena, path, text.at, text.len);
    vec_free(&text);
    return file && check_text(nnc, file) ? file : 0;
}
