/* Listing folders. */
#include "runtime/folders.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* ---- lists of names ---- */

void rt_names_free(RtNames *n) {
    for (int i = 0; i < n->count; i++) free(n->at[i]);
    free(n->at);
    *n = (RtNames){0};
}

/* Room doubles where `count` is a power of two. */
static bool has_room(RtNames *n) {
    if ((n->count & (n->count - 1)) != 0) return true;
    char **more = realloc(n->at, sizeof *more * (n->count > 0 ? 2 * (size_t)n->count : 1));
    if (more == NULL) return false;
    n->at = more;
    return true;
}

bool rt_names_add(RtNames *n, const char *folder, const char *name, RtError *e) {
    size_t room = strlen(name) + (folder != NULL ? strlen(folder) : 0) + 2;
    char *text = has_room(n) ? malloc(room) : NULL;
    if (text == NULL) return rt_fail(e, "%s: no memory for its name", name);
    snprintf(text, room, "%s%s%s", folder != NULL ? folder : "", folder != NULL ? "/" : "", name);
    n->at[n->count++] = text;
    return true;
}

/* ---- folders ---- */

static bool is_kind(const char *folder, const char *name, bool folders) {
    RtNames path = {0};
    struct stat st;
    bool is = rt_names_add(&path, folder, name, NULL) && stat(path.at[0], &st) == 0 &&
              (folders ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode));
    rt_names_free(&path);
    return is;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

bool rt_folder_list(const char *path, bool folders, RtNames *names, RtError *e) {
    *names = (RtNames){0};
    DIR *dir = opendir(path);
    if (dir == NULL) return rt_fail_system(e, "%s: cannot be opened as a folder", path);
    bool good = true;
    for (struct dirent *d; good && (d = readdir(dir)) != NULL;) {
        if (d->d_name[0] != '.' && is_kind(path, d->d_name, folders)) good = rt_names_add(names, NULL, d->d_name, e);
    }
    closedir(dir);
    if (!good) rt_names_free(names);
    if (names->count > 0) qsort(names->at, (size_t)names->count, sizeof *names->at, by_bytes);
    return good;
}

bool rt_has_suffix(const char *name, const char *suffix) {
    size_t n = strlen(name), k = strlen(suffix);
    return n > k && strcasecmp(name + n - k, suffix) == 0;
}

/* ---- one folder a class ---- */

static bool has_a_suffix(const char *name, const char *const *suffixes) {
    while (*suffixes != NULL && !rt_has_suffix(name, *suffixes)) suffixes++;
    return *suffixes != NULL;
}

/* Adds the files in the folder of class number `class`. */
static bool add_files(RtClassFiles *f, const char *folder, int class, const char *const *suffixes, const char *what,
                      RtError *e) {
    RtNames names;
    int before = f->files.count;
    bool good = rt_folder_list(folder, false, &names, e);
    for (int i = 0; good && i < names.count; i++) {
        if (has_a_suffix(names.at[i], suffixes)) good = rt_names_add(&f->files, folder, names.at[i], e);
    }
    rt_names_free(&names);
    if (good && f->files.count == before) return rt_fail(e, "%s: holds no %s", folder, what);
    if (!good) return false;
    int32_t *labels = realloc(f->labels, (size_t)f->files.count * sizeof *labels);
    if (labels == NULL) return rt_fail(e, "%s: no memory to list it", folder);
    f->labels = labels;
    for (int i = before; i < f->files.count; i++) labels[i] = class;
    return true;
}

bool rt_class_files(const char *path, const char *const *suffixes, const char *what, RtClassFiles *f, RtError *e) {
    *f = (RtClassFiles){0};
    if (!rt_folder_list(path, true, &f->classes, e)) return false;
    bool good = f->classes.count > 0 || rt_fail(e, "%s: holds no folders, and there must be one for each class", path);
    for (int i = 0; good && i < f->classes.count; i++) {
        RtNames folder = {0};
        good = rt_names_add(&folder, path, f->classes.at[i], e) && add_files(f, folder.at[0], i, suffixes, what, e);
        rt_names_free(&folder);
    }
    if (!good) rt_class_files_free(f);
    return good;
}

void rt_class_files_free(RtClassFiles *f) {
    rt_names_free(&f->classes);
    rt_names_free(&f->files);
    free(f->labels);
    *f = (RtClassFiles){0};
}
