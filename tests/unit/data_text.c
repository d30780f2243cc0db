/* links: nnc_rt */
/* A text as a data set: its characters, its windows, its parts; UTF-8 there and back. */
#include "runtime/data.h"
#include "runtime/files.h"
#include "runtime/utf8.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static const char *path_of(char *path) {
    const char *folder = getenv("TMPDIR");
    snprintf(path, 256, "%s/rt-text-%ld", folder != NULL ? folder : "/tmp", (long)getpid());
    return path;
}

static RtData *text_of(const void *bytes, size_t size, int64_t window, int64_t stride, RtError *e) {
    char path[256];
    cr_assert(rt_file_replace(path_of(path), bytes, size, e), "%s", e->text);
    RtData *d = rt_data_text(path, &(RtTextOptions){.window = window, .stride = stride}, e);
    unlink(path);
    return d;
}

static RtData *text(const char *s, int64_t window, int64_t stride) {
    RtError e = {.number = 0};
    RtData *d = text_of(s, strlen(s), window, stride, &e);
    cr_assert_not_null(d, "%s", e.text);
    return d;
}

/* Samples of a field as characters, "abc|def". */
static const char *samples(const RtData *d, int field, char *into) {
    const RtField *f = &d->fields[field];
    char *place = into;
    for (int64_t i = 0; i < d->count; i++) {
        const int32_t *row = (const void *)((const char *)f->data + (d->rows == NULL ? i : d->rows[i]) * f->stride);
        if (i > 0) *place++ = '|';
        for (int64_t k = 0; k < f->dims[0]; k++) place += rt_utf8_encode(f->alphabet[row[k]], place);
    }
    *place = '\0';
    return into;
}

Test(text, windows_and_the_next_characters) {
    static const struct {
        const char *text;
        int window, stride;
        const char *x, *y;
    } rows[] = {
        {"abcdefg", 3, 3, "abc|def", "bcd|efg"},
        {"abcdef", 3, 3, "abc", "bcd"}, /* nothing follows the f */
        {"abcdefg", 3, 1, "abc|bcd|cde|def", "bcd|cde|def|efg"},
        {"abcdefg", 2, 4, "ab|ef", "bc|fg"},
        {"ab", 1, 1, "a", "b"},
        {"\xEF\xBB\xBFh\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\nh", 2, 2, "h\xC3\xA9|\xE2\x82\xAC\xF0\x9F\x98\x80",
         "\xC3\xA9\xE2\x82\xAC|\xF0\x9F\x98\x80\n"},
        {"x\xEF\xBB\xBFy", 2, 2, "x\xEF\xBB\xBF", "\xEF\xBB\xBFy"}, /* a mark inside is a character */
    };
    char got[256];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        RtData *d = text(rows[i].text, rows[i].window, rows[i].stride);
        cr_expect_str_eq(samples(d, 0, got), rows[i].x);
        cr_expect_str_eq(samples(d, 1, got), rows[i].y);
        rt_data_free(d);
    }
}

Test(text, alphabet_is_sorted_and_of_the_whole_file) {
    RtData *d = text("zab a\xC3\xA9", 1, 1);
    static const int32_t codes[] = {' ', 'a', 'b', 'z', 0xE9};
    cr_assert(d->fields[0].vocab == 5 && d->fields[1].vocab == 5);
    cr_expect(memcmp(d->fields[1].alphabet, codes, sizeof codes) == 0);
    RtData *one = rt_data_take(d, 1, NULL);
    rt_data_free(d);
    cr_expect(one->fields[0].vocab == 5 && one->fields[0].alphabet[4] == 0xE9);
    rt_data_free(one);
}

Test(text, characters_across_buffers_and_gzip) { /* a character of three bytes at every place of the 64 KiB */
    enum { N = 100000 };
    char *bytes = malloc(3 * N + 1), path[256];
    for (int i = 0; i < N; i++) memcpy(bytes + 1 + 3 * i, i % 2 ? "\xE2\x82\xAC" : "\xE2\x82\xAD", 3);
    bytes[0] = 'x';
    for (int zipped = 0; zipped < 2; zipped++) {
        RtError e = {.number = 0};
        RtData *d;
        if (zipped) {
            gzFile f = gzopen(path_of(path), "wb");
            cr_assert(gzwrite(f, bytes, 3 * N + 1) == 3 * N + 1 && gzclose(f) == Z_OK);
            d = rt_data_text(path, &(RtTextOptions){.window = N, .stride = N}, &e);
            unlink(path);
        } else {
            d = text_of(bytes, 3 * N + 1, N, N, &e);
        }
        cr_assert_not_null(d, "%s", e.text);
        const int32_t *y = d->fields[1].data;
        cr_assert(d->count == 1 && d->fields[0].vocab == 3);
        for (int i = 0; i < N; i++) cr_assert(y[i] == 2 - i % 2, "%d", i);
        rt_data_free(d);
    }
    free(bytes);
}

Test(text, split_cuts_in_two_without_a_shared_target) {
    static const struct {
        int window, stride;
        const char *first, *second;
    } rows[] = {
        {2, 2, "ab|cd|ef", "gh|ij"},
        {2, 1, "ab|bc|cd|de|ef", "gh|hi|ij|jk"}, /* "fg", whose target h is one of gh's, is in neither */
        {3, 2, "abc|cde", "ghi|ijk"},
    };
    char got[256];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        RtData *d = text("abcdefghijkl", rows[i].window, rows[i].stride), *parts[2];
        RtError e = {.number = 0};
        cr_assert(rt_data_split(d, 0.6, parts, &e), "%s", e.text);
        cr_expect_str_eq(samples(parts[0], 0, got), rows[i].first);
        cr_expect_str_eq(samples(parts[1], 0, got), rows[i].second);
        for (int p = 0; p < 2; p++) rt_data_free(parts[p]);
        rt_data_free(d);
    }
    RtData *d = text("abcdefgh", 6, 1), *parts[2];
    RtError e = {.number = 0};
    cr_expect(!rt_data_split(d, 0.5, parts, &e) && strstr(e.text, "overlap") != NULL, "%s", e.text);
    rt_data_free(d);
}

Test(text, views_zip_and_facts) {
    RtData *d = text("abcabcabcd", 3, 2), *skipped = rt_data_skip(d, 1, NULL), *taken = rt_data_take(d, 3, NULL);
    char got[256];
    cr_expect_str_eq(samples(skipped, 0, got), "cab|bca|abc");
    RtError e = {.number = 0};
    const RtData *pair[2] = {taken, skipped};
    RtData *both = rt_data_zip(pair, 2, &e); /* rows in different orders: windows are copied */
    cr_assert_not_null(both, "%s", e.text);
    cr_expect(both->nfields == 4 && both->count == 3);
    cr_expect_str_eq(samples(both, 0, got), "abc|cab|bca");
    cr_expect_str_eq(samples(both, 3, got), "abc|cab|bcd");
    double mean[3], std[3];
    rt_data_mean_std(skipped, 0, mean, std); /* cab bca abc: 2 0 1, 1 2 0, 0 1 2 */
    cr_expect(mean[0] == 1 && mean[1] == 1 && mean[2] == 1);
    cr_expect(rt_data_check_labels(d, 1, 4, &e) && !rt_data_check_labels(d, 1, 3, &e));
    cr_expect(rt_data_check_labels(taken, 1, 3, &e), "%s", e.text); /* the d comes later */
    rt_data_free(both);
    rt_data_free(taken);
    rt_data_free(skipped);
    rt_data_free(d);
}

Test(text, bad_files) {
    static const struct {
        const char *text;
        size_t size;
        int window;
        const char *error;
    } rows[] = {
        {"", 0, 1, "holds no text"},
        {"\xEF\xBB\xBF", 3, 1, "holds no text"},
        {"abc", 3, 3, "holds 3 characters, too few for a window of 3 and the next one"},
        {"a\nb\xFF", 4, 1, ":2: byte 4 of the file, 0xff, is not UTF-8"},
        {"abc\xE2\x82", 5, 1, ":1: byte 4 of the file, 0xe2, is not UTF-8"},
        {"a\xC0\x80", 3, 1, "byte 2"},
        {"a\xED\xA0\x80", 4, 1, "byte 2"},
        {"abc", 3, 0, "a window and a stride of 1 or more"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        RtError e = {.number = 0};
        RtData *d = text_of(rows[i].text, rows[i].size, rows[i].window, 1, &e);
        cr_expect_null(d);
        cr_expect(strstr(e.text, rows[i].error) != NULL, "%s", e.text);
    }
    RtError e = {.number = 0};
    cr_expect_null(rt_data_text("/nonexistent", &(RtTextOptions){.window = 1, .stride = 1}, &e));
    cr_expect_null(rt_data_text("/", &(RtTextOptions){.window = 1, .stride = 1}, &e));
}

Test(text, utf8_there_and_back) {
    char bytes[4];
    for (int64_t code = -2; code < RT_UTF8_CODES + 2; code++) {
        bool is_one = code >= 0 && code < RT_UTF8_CODES && !(code >= 0xD800 && code < 0xE000);
        size_t n = rt_utf8_encode(code, bytes);
        cr_assert((n > 0) == is_one, "%lld", (long long)code);
        int32_t back = -1;
        cr_assert(!is_one || (rt_utf8_decode(bytes, n, &back) == n && back == code), "%lld", (long long)code);
        cr_assert(n < 2 || rt_utf8_decode(bytes, n - 1, &back) == 0);
    }
}
