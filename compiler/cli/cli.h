/* The commands: one file each; nothing else knows argv. */
#ifndef NNC_CLI_H
#define NNC_CLI_H

#include "compiler/driver.h"

enum { EXIT_USAGE = 2 };

typedef VEC(Setting) SettingList;
typedef VEC(int64_t) CountList;

/* Everything that a command line can say. Each command accepts the options that its row in options.def names. */
typedef struct {
    Options common;
    const char *positional[64];
    int npositional;
    SettingList sets, args;
    CompileOptions compile;
    CountList batches;
    const char *picture;
    bool help, check, text, kernels;
} CommandLine;

typedef struct {
    const char *name, *usage, *synopsis, *example;
    unsigned letter; /* its bit in the rows of options.def */
    int (*run)(CommandLine *c);
} Command;

extern const Command commands[];

int run_fmt(CommandLine *c); /* fmt.c */
int run_doc(CommandLine *c); /* doc.c */

/** Parses argv[2..] for `c`. False after a message on stderr (exit status 2). */
bool cli_parse(const Command *c, int argc, char **argv, CommandLine *out);
void cli_help(const Command *c, FILE *out);

#endif
