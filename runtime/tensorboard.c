#include "runtime/tensorboard.h"
#include "runtime/image.h"
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- messages ---- */

/* A message on its way: bytes that grow. Where there is no memory it stays empty. */
typedef struct {
    unsigned char *at;
    size_t length, room;
} Message;

static void put(Message *m, const void *bytes, size_t n) {
    if (m->length + n > m->room) {
        size_t room = 2 * (m->length + n) + 64;
        unsigned char *grown = realloc(m->at, room);
        if (grown == NULL) return;
        m->at = grown;
        m->room = room;
    }
    if (n > 0) memcpy(m->at + m->length, bytes, n);
    m->length += n;
}

static void put_varint(Message *m, uint64_t v) {
    unsigned char bytes[10];
    size_t n = 0;
    do {
        bytes[n++] = (unsigned char)((v & 0x7F) | (v > 0x7F ? 0x80 : 0));
        v >>= 7;
    } while (v > 0);
    put(m, bytes, n);
}

static void put_little(Message *m, uint64_t v, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)(v >> 8 * i);
        put(m, &byte, 1);
    }
}

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static void put_key(Message *m, int field, int wire) { put_varint(m, (uint64_t)field << 3 | (uint64_t)wire); }

static void add_integer(Message *m, int field, int64_t v) {
    put_key(m, field, WIRE_VARINT);
    put_varint(m, (uint64_t)v);
}

static void add_double(Message *m, int field, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_key(m, field, WIRE_64);
    put_little(m, bits, 8);
}

static void add_float(Message *m, int field, float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_key(m, field, WIRE_32);
    put_little(m, bits, 4);
}

static void add_bytes(Message *m, int field, const void *bytes, size_t n) {
    put_key(m, field, WIRE_BYTES);
    put_varint(m, n);
    put(m, bytes, n);
}

static void add_text(Message *m, int field, const char *text) { add_bytes(m, field, text, strlen(text)); }

/* Adds a message as a part of another one, and frees it. */
static void add_part(Message *m, int field, Message *part) {
    add_bytes(m, field, part->at, part->length);
    free(part->at);
    *part = (Message){0};
}

static void add_doubles(Message *m, int field, const double *v, int n) {
    put_key(m, field, WIRE_BYTES);
    put_varint(m, 8 * (uint64_t)n);
    for (int i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &v[i], sizeof bits);
        put_little(m, bits, 8);
    }
}

/* ---- records ---- */

/* CRC-32C as TFRecords have it: turned and shifted, so that a CRC of data that hold CRCs stays good. */
static uint32_t masked_crc(const RtTensorBoard *t, const unsigned char *bytes, size_t n) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++) crc = t->crc[(crc ^ bytes[i]) & 0xFF] ^ crc >> 8;
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

static void write_record(RtTensorBoard *t, const Message *m) {
    Message frame = {0};
    put_little(&frame, m->length, 8);
    put_little(&frame, masked_crc(t, frame.at, frame.length), 4);
    put(&frame, m->at, m->length);
    put_little(&frame, masked_crc(t, m->at, m->length), 4);
    if (frame.length != m->length + 16 || fwrite(frame.at, 1, frame.length, t->file) != frame.length) t->failed = true;
    free(frame.at);
}

static double wall_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Event: wall_time 1, step 2, file_version 3, graph_def 4, summary 5. Frees `part`. */
static void write_event(RtTensorBoard *t, int64_t step, int field, Message *part) {
    Message event = {0};
    add_double(&event, 1, wall_time());
    if (step != 0) add_integer(&event, 2, step);
    add_part(&event, field, part);
    if (t->file != NULL && !t->failed) write_record(t, &event);
    free(event.at);
}

/* Summary: value 1; Summary.Value: tag 1. `value` has the rest, and is freed. */
static void write_value(RtTensorBoard *t, const char *tag, int64_t step, Message *value) {
    Message summary = {0};
    add_text(value, 1, tag);
    add_part(&summary, 1, value);
    write_event(t, step, 5, &summary);
}

/* ---- the file ---- */

static void remove_earlier(const char *folder) {
    DIR *dir = opendir(folder);
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        if (strncmp(entry->d_name, "events.out.tfevents.", 20) == 0) unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir != NULL) closedir(dir);
}

static void make_crc_table(uint32_t crc[256]) {
    for (uint32_t i = 0; i < 256; i++) {
        crc[i] = i;
        for (int k = 0; k < 8; k++) crc[i] = crc[i] >> 1 ^ (crc[i] & 1 ? 0x82F63B78u : 0);
    }
}

bool rt_tb_open(RtTensorBoard *t, const char *folder, bool again, RtError *e) {
    *t = (RtTensorBoard){0};
    if (!again) remove_earlier(folder);
    size_t room = strlen(folder) + 80;
    t->path = malloc(room);
    if (t->path == NULL) return rt_fail(e, "%s: no memory", folder);
    /* The number is what TensorBoard orders files by. */
    snprintf(t->path, room, "%s/events.out.tfevents.%.0f.nnc.%ld", folder, floor(wall_time()), (long)getpid());
    t->file = fopen(t->path, "ab");
    if (t->file == NULL) return rt_fail_system(e, "%s: cannot be written", t->path);
    setvbuf(t->file, NULL, _IOFBF, 1 << 16);
    make_crc_table(t->crc);
    Message event = {0};
    add_double(&event, 1, wall_time());
    add_text(&event, 3, "brain.Event:2");
    write_record(t, &event);
    free(event.at);
    return true;
}

bool rt_tb_close(RtTensorBoard *t, RtError *e) {
    bool good = t->file == NULL || (fclose(t->file) == 0 && !t->failed);
    if (!good) rt_fail(e, "%s: could not be written in full", t->path);
    free(t->path);
    *t = (RtTensorBoard){0};
    return good;
}

void rt_tb_flush(RtTensorBoard *t) {
    if (t->file != NULL && fflush(t->file) != 0) t->failed = true;
}

/* ---- scalars, histograms, pictures ---- */

void rt_tb_scalar(RtTensorBoard *t, const char *tag, int64_t step, double value) {
    Message m = {0};
    add_float(&m, 2, (float)value);
    write_value(t, tag, step, &m);
}

enum { BUCKETS = 30, MOST_LOOKED_AT = 65536 };

void rt_tb_histogram(RtTensorBoard *t, const char *tag, int64_t step, const RtArray *a) {
    double least = INFINITY, most = -INFINITY, sum = 0, squares = 0, num = 0, limits[BUCKETS], counts[BUCKETS] = {0};
    int64_t n = rt_array_elements(a), stride = (n + MOST_LOOKED_AT - 1) / MOST_LOOKED_AT;
    for (int64_t i = 0; i < n; i += stride) {
        double v = rt_element(a->data, a->dtype, i);
        if (!isfinite(v)) continue;
        least = v < least ? v : least;
        most = v > most ? v : most;
        sum += v;
        squares += v * v;
        num++;
    }
    if (num == 0) return;
    double width = most > least ? (most - least) / (double)BUCKETS : 1;
    for (int i = 0; i < BUCKETS; i++) limits[i] = least + width * (i + 1);
    for (int64_t i = 0; i < n; i += stride) {
        double v = rt_element(a->data, a->dtype, i);
        int k = isfinite(v) ? (int)((v - least) / width) : -1;
        if (k >= 0) counts[k < BUCKETS ? k : BUCKETS - 1]++;
    }
    Message histogram = {0}, m = {0};
    add_double(&histogram, 1, least);
    add_double(&histogram, 2, most);
    add_double(&histogram, 3, num);
    add_double(&histogram, 4, sum);
    add_double(&histogram, 5, squares);
    add_doubles(&histogram, 6, limits, BUCKETS);
    add_doubles(&histogram, 7, counts, BUCKETS);
    add_part(&m, 5, &histogram);
    write_value(t, tag, step, &m);
}

bool rt_tb_picture(RtTensorBoard *t, const char *tag, int64_t step, const RtArray *a, RtError *e) {
    size_t size;
    char *png = rt_image_encode_png(a, &size, e);
    if (png == NULL) return false;
    Message image = {0}, m = {0};
    add_integer(&image, 1, a->dims[0]);
    add_integer(&image, 2, a->dims[1]);
    add_integer(&image, 3, a->dims[2]);
    add_bytes(&image, 4, png, size);
    add_part(&m, 4, &image);
    write_value(t, tag, step, &m);
    free(png);
    return true;
}

/* ---- the graph ---- */

/* NodeDef.attr, of "_output_shapes": a list of one shape. */
static void add_shape(Message *node, const RtTbNode *n) {
    Message shape = {0}, list = {0}, value = {0}, entry = {0};
    for (int i = 0; i < n->rank; i++) {
        Message dim = {0};
        add_integer(&dim, 1, n->dims[i]);
        add_part(&shape, 2, &dim);
    }
    add_part(&list, 7, &shape);
    add_part(&value, 1, &list);
    add_text(&entry, 1, "_output_shapes");
    add_part(&entry, 2, &value);
    add_part(node, 5, &entry);
}

void rt_tb_graph(RtTensorBoard *t, const RtTbNode *nodes, int n) {
    Message graph = {0}, versions = {0};
    for (int i = 0; i < n; i++) {
        Message node = {0};
        add_text(&node, 1, nodes[i].name);
        add_text(&node, 2, nodes[i].op);
        for (int k = 0; k < nodes[i].ninputs; k++) add_text(&node, 3, nodes[i].inputs[k]);
        if (nodes[i].rank >= 0) add_shape(&node, &nodes[i]);
        add_part(&graph, 1, &node);
    }
    add_integer(&versions, 1, 22);
    add_part(&graph, 4, &versions);
    write_event(t, 0, 4, &graph);
}

/* ---- hyper-parameters ---- */

/* A value without data, whose meaning the plugin keeps in its metadata: HParamsPluginData. Frees `content`. */
static void write_plugin(RtTensorBoard *t, const char *tag, Message *content) {
    Message plugin = {0}, metadata = {0}, m = {0};
    add_text(&plugin, 1, "hparams");
    add_part(&plugin, 2, content);
    add_part(&metadata, 1, &plugin);
    add_part(&m, 9, &metadata);
    write_value(t, tag, 0, &m);
}

void rt_tb_settings(RtTensorBoard *t, const RtTbSetting *settings, int n) {
    Message start = {0}, data = {0};
    for (int i = 0; i < n; i++) {
        Message value = {0}, entry = {0};
        if (settings[i].text != NULL)
            add_text(&value, 3, settings[i].text);
        else
            add_double(&value, 2, settings[i].number);
        add_text(&entry, 1, settings[i].name);
        add_part(&entry, 2, &value);
        add_part(&start, 1, &entry);
    }
    add_double(&start, 5, wall_time());
    add_part(&data, 3, &start);
    write_plugin(t, "_hparams_/session_start_info", &data);
}

void rt_tb_ended(RtTensorBoard *t, bool well) {
    Message end = {0}, data = {0};
    add_integer(&end, 1, well ? 1 : 2);
    add_double(&end, 2, wall_time());
    add_part(&data, 4, &end);
    write_plugin(t, "_hparams_/session_end_info", &data);
}
