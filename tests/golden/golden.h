/* Golden tests: every tests/golden/FOLDER/NAME.nn is given to a stage; what the stage prints must be NAME.expect, and
 * what it reports NAME.err (a file is absent where there is nothing). With NNC_REGENERATE=1 in the environment the
 * files are written instead: read the difference before you commit it. */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include "compiler/nnc.h"

/** A stage: works on source `file` (see source_add; its path is NAME.nn) and prints its result to `out`. */
typedef void GoldenStage(Nnc *nnc, uint32_t file, FILE *out);

/** Runs a stage over every .nn file of a folder below tests/golden, in order of name. Each difference is a failed
 * criterion assertion that names the file and the first line that differs; so is a folder without files. */
void golden_run(const char *folder, GoldenStage *stage);

#endif
