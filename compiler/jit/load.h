/* Objects from memory to code that can be called: what a linker and a loader do, for objects of some
 * functions each. */
#ifndef JIT_LOAD_H
#define JIT_LOAD_H

#include "compiler/base/base.h"

typedef struct {
    const char *bytes; /* an ELF object, position independent, for the machine at hand */
    size_t size;
    size_t nfunctions; /* global ones, which are named by their numbers: "0...", "1...", and so on */
    void **functions;  /* out */
} LoadObject;

/* Pages of code. */
typedef struct {
    char *at;
    size_t size;
} LoadedCode;

/** Loads objects together. They may call what this process has under the same name (memcpy and its like). */
LoadedCode load_objects(LoadObject *objects, size_t n);
void load_free(LoadedCode code);

#endif
