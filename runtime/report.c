/* The page around a report's data. */
#include "runtime/report.h"
#include "runtime/files.h"
#include "runtime/report_page.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *rt_base64(const void *bytes, size_t n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *b = bytes;
    char *text = malloc((n + 2) / 3 * 4 + 1), *to = text;
    for (size_t i = 0; text != NULL && i < n; i += 3) {
        unsigned v = (unsigned)b[i] << 16 | (i + 1 < n ? (unsigned)b[i + 1] << 8 : 0) | (i + 2 < n ? b[i + 2] : 0U);
        *to++ = digits[v >> 18];
        *to++ = digits[v >> 12 & 63];
        *to++ = i + 1 < n ? digits[v >> 6 & 63] : '=';
        *to++ = i + 2 < n ? digits[v & 63] : '=';
    }
    if (text != NULL) *to = 0;
    return text;
}

/* A string in which JSON has nothing to escape: cJSON is slow to look for it in long ones. */
static void add_plain_text(cJSON *object, const char *key, const char *text) {
    size_t room = strlen(text) + 3;
    char *quoted = malloc(room);
    if (quoted == NULL) return;
    snprintf(quoted, room, "\"%s\"", text);
    cJSON_AddRawToObject(object, key, quoted);
    free(quoted);
}

void rt_report_add_floats(cJSON *object, const char *key, const float *values, int n) {
    unsigned char *bytes = malloc(4 * (size_t)n + 1);
    for (int i = 0; bytes != NULL && i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        for (int k = 0; k < 4; k++) bytes[4 * i + k] = (unsigned char)(bits >> 8 * k);
    }
    char *text = bytes != NULL ? rt_base64(bytes, 4 * (size_t)n) : NULL;
    add_plain_text(object, key, text != NULL ? text : "");
    free(text);
    free(bytes);
}

void rt_report_add_number(cJSON *object, const char *key, double v) {
    char text[32];
    snprintf(text, sizeof text, "%.6g", v);
    cJSON_AddRawToObject(object, key, isfinite(v) ? text : "null");
}

/* As JSON inside of a script element: nothing in it may look like a tag. */
static void put_json(FILE *f, const char *json) {
    for (const char *rest = json; *rest;) {
        size_t n = strcspn(rest, "<");
        fwrite(rest, 1, n, f);
        rest += n;
        if (*rest == '<') {
            fputs("\\u003c", f);
            rest++;
        }
    }
}

bool rt_report_write(const char *path, const cJSON *data, RtError *e) {
    RtReplace r;
    char *json = cJSON_PrintBuffered(data, 1 << 17, 0);
    if (json == NULL) return rt_fail(e, "%s: no memory for the report", path);
    bool good = rt_replace_begin(&r, path, e);
    if (good) {
        fwrite(rt_report_before, 1, rt_report_before_size, r.file);
        put_json(r.file, json);
        fwrite(rt_report_after, 1, rt_report_after_size, r.file);
        good = rt_replace_swap(&r, e);
    }
    cJSON_free(json);
    return good;
}

cJSON *rt_report_read(const char *path) {
    enum { MOST_BYTES = 1 << 26 };
    static const char begin[] = "<script id=\"data\" type=\"application/json\">";
    size_t size;
    char *text = rt_file_read(path, MOST_BYTES, &size, NULL), *at = text != NULL ? strstr(text, begin) : NULL;
    cJSON *data = at != NULL ? cJSON_ParseWithOpts(at + strlen(begin), NULL, 0) : NULL;
    free(text);
    return data;
}
