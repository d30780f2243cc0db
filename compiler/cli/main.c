/* nnc: argv -> command. */
#include "compiler/cli/cli.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int file_needed(const Command *c) {
    fprintf(stderr, "error: nnc %s needs a file\n  = help: nnc %s %s\n", c->name, c->name, c->usage);
    return EXIT_USAGE;
}

static int too_many(const CommandLine *l, int most) {
    fprintf(stderr, "error: '%s' is one word too many\n", l->positional[most]);
    return EXIT_USAGE;
}

/* Opens the one file of the command line and runs `work` on it. */
static int with_driver(CommandLine *l, int (*work)(Driver *, CommandLine *)) {
    Driver *d = driver_open(&l->common);
    if (!d) return 1;
    int status = work(d, l);
    driver_close(d);
    return status;
}

static int work_train(Driver *d, CommandLine *l) { return (void)l, driver_train(d, false); }
static int work_eval(Driver *d, CommandLine *l) { return (void)l, driver_train(d, true); }
static int work_summary(Driver *d, CommandLine *l) { return (void)l, driver_summary(d); }
static int work_bench(Driver *d, CommandLine *l) { return (void)l, driver_bench(d); }

static int run_train(CommandLine *l) {
    setvbuf(stdout, NULL, _IOFBF, BUFSIZ); /* on a terminal too: lines are written when it is time, not one by one */
    if (l->common.resume && l->common.weights) {
        fprintf(stderr,
                "error: '--resume' goes on with the weights of the run's checkpoint, not with those of '%s'\n"
                "  = help: leave out '--resume' to begin a run with these weights\n",
                l->common.weights);
        return EXIT_USAGE;
    }
    return l->npositional > 1 ? too_many(l, 1) : with_driver(l, work_train);
}

static int run_eval(CommandLine *l) { return l->npositional > 1 ? too_many(l, 1) : with_driver(l, work_eval); }
static int run_summary(CommandLine *l) { return l->npositional > 1 ? too_many(l, 1) : with_driver(l, work_summary); }
static int run_bench(CommandLine *l) { return l->npositional > 1 ? too_many(l, 1) : with_driver(l, work_bench); }

static int work_run(Driver *d, CommandLine *l) {
    return driver_run(d, l->positional[1], l->args.at, (int)l->args.len, l->common.out, l->text);
}

static int run_run(CommandLine *l) {
    if (l->npositional > 2) return too_many(l, 2);
    if (l->npositional == 2) {
        const char *out = l->common.out;
        l->common.out = NULL; /* of `run`, it is the result's file and not the folder of the weights */
        Driver *d = driver_open(&l->common);
        l->common.out = out;
        if (!d) return 1;
        int status = work_run(d, l);
        driver_close(d);
        return status;
    }
    fprintf(stderr, "error: nnc run needs the name of an exported function\n");
    return EXIT_USAGE;
}

static int work_compile(Driver *d, CommandLine *l) { return driver_compile(d, &l->compile); }

static int run_compile(CommandLine *l) {
    l->compile.out = l->common.out;
    l->compile.cpu = l->common.cpu;
    l->common.out = l->common.cpu = NULL;
    l->compile.batches = l->batches.at;
    l->compile.nbatches = (int)l->batches.len;
    return l->npositional > 1 ? too_many(l, 1) : with_driver(l, work_compile);
}

static int work_graph(Driver *d, CommandLine *l) {
    return driver_draw(d, l->npositional > 1 ? l->positional[1] : NULL, l->picture, l->kernels);
}

static int run_graph(CommandLine *l) {
    size_t n = l->picture ? strlen(l->picture) : 0;
    bool known = n > 4 && (strcmp(l->picture + n - 4, ".svg") == 0 || strcmp(l->picture + n - 4, ".dot") == 0);
    if (l->npositional > 2) return too_many(l, 2);
    if (known) return with_driver(l, work_graph);
    if (n)
        fprintf(stderr, "error: '%s' is no picture that nnc can write: an .svg or a .dot file\n", l->picture);
    else
        fprintf(stderr, "error: nnc graph needs a file to write, such as -o model.svg\n");
    return EXIT_USAGE;
}

static int work_check(Driver *d, CommandLine *l) {
    (void)l;
    bool ok = program_check(driver_program(d));
    return driver_failed(d) || !ok;
}

static int run_check(CommandLine *l) {
    int status = 0;
    for (int i = 0; i < l->npositional; i++) {
        l->common.file = l->positional[i];
        status |= with_driver(l, work_check);
    }
    return status;
}

static int run_verify(CommandLine *l) {
    return l->npositional > 1 ? too_many(l, 1) : driver_verify(l->positional[0], l->common.threads);
}

static int run_version(CommandLine *l) {
    (void)l;
    Nnc *nnc = nnc_new();
    Machine m;
    bool ok = target_facts(nnc, NULL, NULL, &m);
    printf("nnc %s, LLVM %s\n%s, vectors of %d bits, %ld threads\n", NNC_VERSION, NNC_LLVM_VERSION,
           backend()->host_cpu(nnc), ok ? 8 * m.vector_bytes : 0, sysconf(_SC_NPROCESSORS_ONLN));
    nnc_free(nnc);
    return !ok;
}

const Command commands[] = {
    {"train", "FILE", "Runs the file's train blocks.", "nnc train examples/digits.nn", 't', run_train},
    {"verify", "DIR", "Repeats the run that a folder is of, and says whether it is the same.", "nnc verify runs/digits",
     'y', run_verify},
    {"eval", "FILE", "Runs only the evaluating loops, with trained weights.", "nnc eval examples/digits.nn", 'e',
     run_eval},
    {"run", "FILE FUNCTION", "Calls an exported function.",
     "nnc run examples/digits.nn classify --arg pixels=x.npy --out y.npy", 'r', run_run},
    {"compile", "FILE [-o OUT]", "Emits the exported functions as a standalone object and a C header.",
     "nnc compile examples/digits.nn -o digits.o", 'c', run_compile},
    {"check", "FILE...", "Parses and type-checks; prints nothing where all is well.", "nnc check examples/digits.nn",
     'k', run_check},
    {"fmt", "FILE...", "Formats in place.", "nnc fmt examples/digits.nn", 'f', run_fmt},
    {"doc", "[FILE...]", "Shows what files declare, as Markdown; without a file, the standard library.",
     "nnc doc examples/digits.nn", 'd', run_doc},
    {"summary", "FILE", "Shows layers, parameters, FLOPs, bytes and kernels before anything runs.",
     "nnc summary examples/digits.nn", 's', run_summary},
    {"graph", "FILE [NAME] -o OUT", "Draws the models, or the one model or exported function of that name.",
     "nnc graph examples/resnet.nn -o resnet.svg", 'g', run_graph},
    {"bench", "FILE", "Times training steps and exported functions, whole and by kernel.",
     "nnc bench examples/digits.nn", 'b', run_bench},
    {"version", "", "Shows the versions, the CPU and the number of threads.", "nnc version", 'v', run_version},
    {0}};

static void print_commands(FILE *out) {
    fprintf(out, "nnc: a compiler for neural networks\n\n");
    for (const Command *c = commands; c->name; c++)
        fprintf(out, "  nnc %-8s %-16s %s\n", c->name, c->usage, c->synopsis);
    fprintf(out, "\nnnc COMMAND --help says more about each.\n");
}

static int unknown_command(const char *word) {
    const char *names[COUNT(commands)];
    size_t n = 0;
    for (const Command *c = commands; c->name; c++) names[n++] = c->name;
    const char *near = diag_nearest(word, names, n);
    fprintf(stderr, "error: '%s' is not a command of nnc\n", word);
    if (near)
        fprintf(stderr, "  = help: did you mean 'nnc %s'?\n", near);
    else
        fprintf(stderr, "  = help: nnc --help lists them\n");
    return EXIT_USAGE;
}

static int run_command(const Command *c, int argc, char **argv) {
    CommandLine line;
    int status;
    if (!cli_parse(c, argc, argv, &line))
        status = EXIT_USAGE;
    else if (line.help)
        cli_help(c, stdout), status = 0;
    else if (!line.npositional && c->letter != 'v' && c->letter != 'd')
        status = file_needed(c);
    else
        status = c->run(&line);
    for (size_t i = 0; i < line.sets.len; i++) free((char *)line.sets.at[i].name);
    for (size_t i = 0; i < line.args.len; i++) free((char *)line.args.at[i].name);
    vec_free(&line.sets);
    vec_free(&line.args);
    vec_free(&line.batches);
    return status;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error to report, like a full disk */
    if (argc < 2) return print_commands(stderr), EXIT_USAGE;
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) return print_commands(stdout), 0;
    if (strcmp(word, "--version") == 0) word = "version";
    for (const Command *c = commands; c->name; c++)
        if (strcmp(c->name, word) == 0) return run_command(c, argc, argv);
    return unknown_command(word);
}
