/* links: nnc_rt */
/* Data sets from folders: CIFAR-10, pictures, sound. */
#include "runtime/data.h"
#include "runtime/files.h"
#include "runtime/folders.h"
#include "runtime/image.h"
#include "runtime/wav.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A folder of the test's own, filled by put() and removed by clean(). */
typedef struct {
    char root[256];
} Folder;

static const char *in(const Folder *f, const char *name, char *path) {
    snprintf(path, 512, "%s/%s", f->root, name);
    return path;
}

static Folder new_folder(void) {
    Folder f;
    const char *base = getenv("TMPDIR");
    snprintf(f.root, sizeof f.root, "%s/rt-folder-XXXXXX", base != NULL ? base : "/tmp");
    cr_assert_not_null(mkdtemp(f.root));
    return f;
}

static void clean(const Folder *f, const char *path) {
    RtNames names;
    char inner[512];
    for (int folders = 0; folders < 2; folders++) {
        cr_assert(rt_folder_list(path, folders, &names, NULL));
        for (int i = 0; i < names.count; i++) {
            snprintf(inner, sizeof inner, "%s/%s", path, names.at[i]);
            if (folders)
                clean(f, inner);
            else
                unlink(inner);
        }
        rt_names_free(&names);
    }
    rmdir(path);
}

/* Writes a file, making the folder that it is in. */
static void put(const Folder *f, const char *name, const void *bytes, size_t size) {
    char path[512];
    RtError e = {.number = 0};
    in(f, name, path);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    cr_assert(rt_mkdirs(path, &e), "%s", e.text);
    *slash = '/';
    FILE *file = fopen(path, "wb");
    cr_assert(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0, "%s", path);
}

static void put_picture(const Folder *f, const char *name, int64_t h, int64_t w, int64_t c, uint8_t level) {
    char path[512];
    RtArray a = {.dtype = RT_U8, .rank = 3, .dims = {h, w, c}};
    RtError e = {.number = 0};
    put(f, name, "", 0);
    cr_assert(rt_array_alloc(&a, "test", &e));
    memset(a.data, level, (size_t)rt_array_elements(&a));
    cr_assert(rt_image_write_png(in(f, name, path), &a, &e), "%s", e.text);
    rt_array_free(&a);
}

/* The data set is refused with a message that holds both texts. */
static void expect_refused(RtData *d, const RtError *e, const char *one, const char *other) {
    cr_expect(d == NULL && strstr(e->text, one) != NULL && strstr(e->text, other) != NULL, "no '%s', '%s' in: %s", one,
              other, e->text);
    rt_data_free(d);
}

static int label(const RtData *d, int64_t i) { return ((const int32_t *)d->fields[1].data)[i]; }

/* ---- CIFAR-10 ---- */

enum { RECORD = 3073 };

/* Pixel p of channel c is (seed + 3 p + c) mod 256 */
static void fill_record(uint8_t *r, uint8_t class, int seed) {
    r[0] = class;
    for (int i = 0; i < RECORD - 1; i++) r[1 + i] = (uint8_t)(seed + 3 * (i % 1024) + i / 1024);
}

Test(cifar10, batches_and_test) {
    Folder f = new_folder();
    static uint8_t records[2 * RECORD];
    RtError e = {.number = 0};
    fill_record(records, 3, 0);
    fill_record(records + RECORD, 9, 7);
    put(&f, "data_batch_2.bin", records, RECORD);
    put(&f, "data_batch_1.bin", records, sizeof records);
    put(&f, "test_batch.bin", records + RECORD, RECORD);
    put(&f, "readme.html", "x", 1);
    RtData *d = rt_data_cifar10(f.root, false, &e), *t = rt_data_cifar10(f.root, true, &e);
    cr_assert(d != NULL && t != NULL, "%s", e.text);
    cr_expect(d->count == 3 && label(d, 0) == 3 && label(d, 1) == 9 && label(d, 2) == 3);
    cr_expect(t->count == 1 && label(t, 0) == 9);
    cr_expect(d->fields[0].rank == 3 && d->fields[0].dims[0] == 32 && d->fields[0].dims[2] == 3);
    const uint8_t *pixels = d->fields[0].data;
    for (int i = 0; i < 3072; i++) { /* height, width, channel */
        cr_assert(pixels[i] == (uint8_t)(3 * (i / 3) + i % 3), "%d", i);
        cr_assert(pixels[3072 + i] == (uint8_t)(7 + i));
    }
    cr_expect(rt_data_classes(t, &e) == 10);
    cr_expect_str_eq(d->fields[1].names[9], "truck");
    rt_data_free(d);
    rt_data_free(t);
    clean(&f, f.root);
}

Test(cifar10, bad_files) {
    Folder f = new_folder();
    static uint8_t record[RECORD];
    RtError e = {.number = 0};
    expect_refused(rt_data_cifar10(f.root, false, &e), &e, f.root, "data_batch_1.bin");
    put(&f, "data_batch_1.bin", "", 0);
    expect_refused(rt_data_cifar10(f.root, false, &e), &e, "data_batch_1.bin", "0 bytes");
    put(&f, "data_batch_1.bin", record, RECORD - 1);
    expect_refused(rt_data_cifar10(f.root, false, &e), &e, "data_batch_1.bin", "3072 bytes");
    record[0] = 10;
    put(&f, "data_batch_1.bin", record, RECORD);
    expect_refused(rt_data_cifar10(f.root, false, &e), &e, "record 1", "label 10");
    expect_refused(rt_data_cifar10(f.root, true, &e), &e, f.root, "test_batch.bin");
    clean(&f, f.root);
    expect_refused(rt_data_cifar10(f.root, false, &e), &e, f.root, "No such file");
}

/* ---- pictures ---- */

Test(images, classes_are_folders) {
    Folder f = new_folder();
    RtError e = {.number = 0};
    put_picture(&f, "dog/b.png", 2, 3, 1, 40);
    put_picture(&f, "dog/a.PNG", 2, 3, 1, 30);
    put_picture(&f, "cat/z.png", 2, 3, 1, 20);
    put_picture(&f, ".git/x.png", 9, 9, 1, 0);
    put_picture(&f, "stray.png", 9, 9, 1, 0);
    put(&f, "cat/notes.txt", "x", 1);
    RtData *d = rt_data_images(f.root, NULL, &e);
    cr_assert_not_null(d, "%s", e.text);
    cr_expect(d->count == 3 && d->fields[0].rank == 3 && d->fields[0].dims[1] == 3 && d->fields[0].dims[2] == 1);
    cr_expect(label(d, 0) == 0 && label(d, 1) == 1 && label(d, 2) == 1 && rt_data_classes(d, &e) == 2);
    cr_expect_str_eq(d->fields[1].names[1], "dog");
    const uint8_t *pixels = d->fields[0].data;
    cr_expect(pixels[0] == 20 && pixels[6] == 30 && pixels[17] == 40);
    rt_data_free(d);

    put_picture(&f, "dog/c.png", 4, 5, 3, 50); /* another size, and coloured: so is the whole set */
    expect_refused(rt_data_images(f.root, NULL, &e), &e, "dog/c.png", "size = [H, W]");
    d = rt_data_images(f.root, (int64_t[]){6, 2}, &e);
    cr_assert_not_null(d, "%s", e.text);
    cr_expect(d->count == 4 && d->fields[0].dims[0] == 6 && d->fields[0].dims[1] == 2 && d->fields[0].dims[2] == 3);
    pixels = d->fields[0].data;
    for (int i = 0; i < 4 * 36; i++) cr_assert(pixels[i] == 20 + 10 * (i / 36), "%d: %d", i, pixels[i]);
    rt_data_free(d);
    clean(&f, f.root);
}

Test(images, bad_folders) {
    Folder f = new_folder();
    RtError e = {.number = 0};
    expect_refused(rt_data_images(f.root, NULL, &e), &e, f.root, "one for each class");
    put(&f, "empty/notes.txt", "x", 1);
    expect_refused(rt_data_images(f.root, NULL, &e), &e, "/empty", "holds no PNG or JPEG pictures");
    put(&f, "empty/a.jpg", "not a picture", 13);
    expect_refused(rt_data_images(f.root, NULL, &e), &e, "empty/a.jpg", "neither a PNG nor a JPEG");
    put_picture(&f, "empty/a.jpg", 2, 2, 1, 0); /* what it is, its content says */
    RtData *d = rt_data_images(f.root, NULL, &e);
    cr_expect_not_null(d, "%s", e.text);
    rt_data_free(d);
    expect_refused(rt_data_images(f.root, (int64_t[]){1LL << 31, 1LL << 31}, &e), &e, "more memory", "size = [H, W]");
    clean(&f, f.root);
}

/* ---- sound ---- */

typedef struct {
    uint8_t bytes[512];
    size_t size;
} Bytes;

static void add(Bytes *b, const void *p, size_t n) {
    memcpy(b->bytes + b->size, p, n);
    b->size += n;
}

static void add_number(Bytes *b, uint32_t v, size_t n) { /* little-endian */
    for (size_t i = 0; i < n; i++) b->bytes[b->size++] = (uint8_t)(v >> 8 * i);
}

/* A WAV file: `declared` bytes of data are claimed. */
static Bytes wav(uint32_t format, uint32_t channels, uint32_t bits, const void *data, size_t size, uint32_t declared) {
    Bytes b = {.size = 0};
    bool extensible = format > 0xFFFF;
    add(&b, "RIFF\0\0\0\0WAVE", 12);
    add(&b, "LIST\5\0\0\0hello\0", 14); /* an odd length is filled up */
    add(&b, "fmt ", 4);
    add_number(&b, extensible ? 40 : 16, 4);
    add_number(&b, extensible ? 0xFFFE : format, 2);
    add_number(&b, channels, 2);
    add_number(&b, 8000, 4);
    add_number(&b, 8000 * channels * bits / 8, 4);
    add_number(&b, channels * bits / 8, 2);
    add_number(&b, bits, 2);
    if (extensible) {
        add_number(&b, 22, 2);
        add_number(&b, bits, 2);
        add_number(&b, 0, 4);
        add_number(&b, format & 0xFFFF, 2);
        add(&b, "\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71", 14);
    }
    add(&b, "data", 4);
    add_number(&b, declared, 4);
    add(&b, data, size);
    return b;
}

Test(wav, formats) {
    static const float floats[] = {0.25F, -1.5F};
    static const double doubles[] = {0.125, -0.75};
    static const struct {
        uint32_t format, channels, bits, declared;
        const void *data;
        size_t size;
        int n;
        float want[4];
    } rows[] = {
        {1, 1, 8, 3, "\x80\x00\xFF", 3, 3, {0, -1, 127 / 128.0F}},
        {1, 1, 16, 6, "\x00\x80\xFF\x7F\x00\x40", 6, 3, {-1, 32767 / 32768.0F, 0.5F}},
        {1, 2, 16, 8, "\x00\x40\x00\xC0\x00\x40\x00\x20", 8, 2, {0, 0.375F}},
        {1, 1, 24, 6, "\x00\x00\x80\x00\x00\x60", 6, 2, {-1, 0.75F}},
        {1, 1, 32, 8, "\x00\x00\x00\x80\x00\x00\x00\x20", 8, 2, {-1, 0.25F}},
        {3, 1, 32, 8, floats, 8, 2, {0.25F, -1.5F}},
        {3, 1, 64, 16, doubles, 16, 2, {0.125F, -0.75F}},
        {0x10001, 1, 16, 4, "\x00\x40\x00\xC0", 4, 2, {0.5F, -0.5F}},
        {0x10003, 1, 32, 8, floats, 8, 2, {0.25F, -1.5F}},
        {1, 1, 16, UINT32_MAX, "\x00\x40\x00\xC0", 4, 2, {0.5F, -0.5F}}, /* of a stream */
        {1, 1, 16, 5, "\x00\x40\x00\xC0\x00", 5, 2, {0.5F, -0.5F}},      /* the half sample does not count */
    };
    Folder f = new_folder();
    char path[512];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Bytes b = wav(rows[i].format, rows[i].channels, rows[i].bits, rows[i].data, rows[i].size, rows[i].declared);
        put(&f, "a.wav", b.bytes, b.size);
        RtError e = {.number = 0};
        RtWavInfo info;
        float got[4] = {9, 9, 9, 9};
        cr_assert(rt_wav_header(in(&f, "a.wav", path), &info, &e), "row %d: %s", (int)i, e.text);
        cr_expect(info.length == rows[i].n && info.rate == 8000, "row %d: %d", (int)i, (int)info.length);
        cr_assert(rt_wav_read(path, got, 4, &e), "%s", e.text); /* filled with silence */
        for (int k = 0; k < 4; k++) {
            float want = k < rows[i].n ? rows[i].want[k] : 0;
            cr_expect(got[k] == want, "row %d: %g, not %g", (int)i, (double)got[k], (double)want);
        }
    }
    clean(&f, f.root);
}

Test(wav, lies_and_damage) {
    static const char sound[] = "\x00\x40\x00\xC0";
    Folder f = new_folder();
    char path[512];
    RtWavInfo info;
    RtError e = {.number = 0};
    float got[8];
    in(&f, "a.wav", path);
    Bytes more = wav(1, 1, 16, sound, 4, 5);
    put(&f, "a.wav", more.bytes, more.size);
    cr_expect(!rt_wav_header(path, &info, &e) && strstr(e.text, "more data than the file holds") != NULL, "%s", e.text);
    const Bytes refused[] = {wav(1, 1, 12, sound, 4, 4),   wav(2, 1, 16, sound, 4, 4), wav(1, 0, 16, sound, 4, 4),
                             wav(1, 999, 16, sound, 4, 4), wav(1, 1, 16, sound, 0, 0), wav(3, 1, 16, sound, 4, 4)};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        put(&f, "a.wav", refused[i].bytes, refused[i].size);
        cr_expect(!rt_wav_header(path, &info, &e) && strstr(e.text, "a.wav") != NULL, "row %d: %s", (int)i, e.text);
    }
    Bytes good = wav(1, 1, 16, sound, 4, 4);
    for (size_t n = 0; n < good.size; n++) {
        put(&f, "a.wav", good.bytes, n);
        cr_expect(!rt_wav_header(path, &info, &e), "cut at %zu", n);
    }
    for (size_t i = 0; i < good.size; i++) { /* whatever a byte is, it is read or refused */
        for (int v = 0; v < 256; v += 15) {
            uint8_t old = good.bytes[i];
            good.bytes[i] = (uint8_t)v;
            put(&f, "a.wav", good.bytes, good.size);
            if (rt_wav_header(path, &info, &e)) cr_expect(rt_wav_read(path, got, 8, &e));
            good.bytes[i] = old;
        }
    }
    clean(&f, f.root);
}

Test(wav, data_sets) {
    Folder f = new_folder();
    RtError e = {.number = 0};
    Bytes a = wav(1, 1, 16, "\x00\x40\x00\xC0", 4, 4), b = wav(1, 1, 8, "\xC0\x80\xC0", 3, 3);
    put(&f, "yes/1.wav", a.bytes, a.size);
    put(&f, "no/1.wav", a.bytes, a.size);
    RtData *d = rt_data_wav(f.root, 0, &e);
    cr_assert_not_null(d, "%s", e.text);
    cr_expect(d->count == 2 && d->fields[0].rank == 1 && d->fields[0].dims[0] == 2 && label(d, 1) == 1);
    rt_data_free(d);
    put(&f, "yes/2.WAV", b.bytes, b.size);
    expect_refused(rt_data_wav(f.root, 0, &e), &e, "yes/2.WAV", "length = n");
    d = rt_data_wav(f.root, 3, &e);
    cr_assert_not_null(d, "%s", e.text);
    static const float want[] = {0.5F, -0.5F, 0, 0.5F, -0.5F, 0, 0.5F, 0, 0.5F};
    cr_expect(memcmp(d->fields[0].data, want, sizeof want) == 0);
    cr_expect_str_eq(d->fields[1].names[0], "no");
    rt_data_free(d);
    b.bytes[12 + 14 + 8 + 4] ^= 1; /* samples a second */
    put(&f, "yes/2.WAV", b.bytes, b.size);
    expect_refused(rt_data_wav(f.root, 3, &e), &e, "yes/2.WAV", "samples a second");
    clean(&f, f.root);
}
