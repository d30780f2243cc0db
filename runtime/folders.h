/* What is in folders, and the layout of data sets with one folder a class. */
#ifndef RT_FOLDERS_H
#define RT_FOLDERS_H

#include "runtime/runtime.h"

typedef struct {
    int count;
    char **at;
} RtNames;

/** Adds "folder/name", or the name alone where `folder` is NULL. */
bool rt_names_add(RtNames *n, const char *folder, const char *name, RtError *e);
void rt_names_free(RtNames *n);

/** The files (or, with `folders`, the folders) in a folder by name, sorted by their bytes; names that begin with a dot
 * are left out. */
bool rt_folder_list(const char *path, bool folders, RtNames *names, RtError *e);

/** Whether a file's name ends so; capitals do not matter. */
bool rt_has_suffix(const char *name, const char *suffix);

/** The files of a folder whose folders are the classes: class by class, each sorted by name. */
typedef struct {
    RtNames classes, files; /* of files the whole paths */
    int32_t *labels;        /* the class of each file */
} RtClassFiles;

/** Files with one of the suffixes (NULL after the last) count, and each class needs one; `what` they are is for
 * messages: "PNG or JPEG pictures". */
bool rt_class_files(const char *path, const char *const *suffixes, const char *what, RtClassFiles *f, RtError *e);
void rt_class_files_free(RtClassFiles *f);

#endif
