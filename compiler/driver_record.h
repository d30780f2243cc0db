/* A run's certificate: driver_record.c writes it, driver_verify.c holds a repetition against it. */
#ifndef NNC_DRIVER_RECORD_H
#define NNC_DRIVER_RECORD_H

#include "compiler/driver_private.h"
#include "runtime/sha256.h"

#include <cjson/cJSON.h>

#define RECORD_FORMAT "nnc run 1"

/** Begins to hash the data files that are open, on a thread of its own. */
void record_hash_start(Driver *d);

/** Hashes the data files that have been opened; false after an error. */
bool record_hash_files(Driver *d);

/** The hash of the weights (parameters and states of layers) in `bytes`, a copy of all variables. */
void record_weights(Driver *d, char *bytes, char text[RT_SHA256_TEXT]);

/** Writes DIR/run.json: what the run is made of; with `log`, of a run that has ended, also what it came to. */
bool record_write(Driver *d, const char *dir, const char *log);

#endif
