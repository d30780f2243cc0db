/* Reading the command line by the rows of options.def. */
#include "compiler/cli/cli.h"

#include "runtime/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef enum { FLAG, TEXT, COUNT_OF, SEED, THREADS, SET, COUNTS, FLOAT, DUMPS } Kind;
#define KIND_FLAG FLAG
#define KIND_TEXT TEXT
#define KIND_COUNT COUNT_OF
#define KIND_SEED SEED
#define KIND_THREADS THREADS
#define KIND_SET SET
#define KIND_COUNTS COUNTS
#define KIND_FLOAT FLOAT
#define KIND_DUMPS DUMPS

typedef struct {
    const char *name, *argument, *commands;
    Kind kind;
    size_t offset; /* of its place in CommandLine */
    const char *text;
} Option;

static const Option options[] = {
#define OPTION(name, argument, commands, kind, place, text)                                                            \
    {name, argument, commands, KIND_##kind, offsetof(CommandLine, place), text},
#include "compiler/cli/options.def"
#undef OPTION
};

static const char *const stages[] = {
#define STAGE(id, name) name,
    DUMP_STAGES(STAGE)
#undef STAGE
};

static bool usage_error(const Command *c, const char *what, const char *text) {
    fprintf(stderr, "error: %s%s\n  = help: nnc %s --help lists what it takes\n", what, text, c->name);
    return false;
}

static bool read_integer(const char *s, int64_t least, int64_t *v) {
    char *end;
    errno = 0;
    long long n = strtoll(s, &end, 10);
    *v = n;
    return *s && !*end && !errno && n >= least;
}

static bool read_counts(const char *s, void *place) {
    CountList *list = place;
    while (*s) {
        size_t n = strcspn(s, ",");
        char word[24] = {0};
        int64_t v;
        if (n >= sizeof word) return false;
        memcpy(word, s, n);
        if (!read_integer(word, 1, &v)) return false;
        vec_push(list, v);
        s += n + (s[n] == ',');
    }
    return true;
}

static bool read_dumps(const char *s, unsigned *bits) {
    while (*s) {
        size_t n = strcspn(s, ","), i = 0;
        while (i < COUNT(stages) && (strlen(stages[i]) != n || strncmp(stages[i], s, n) != 0)) i++;
        if (i == COUNT(stages)) return false;
        *bits |= 1u << i;
        s += n + (s[n] == ',');
    }
    return true;
}

static bool read_setting(const char *s, void *place) {
    const char *eq = strchr(s, '=');
    if (!eq || eq == s) return false;
    SettingList *list = place;
    char *name = xcalloc((size_t)(eq - s) + 1, 1); /* freed by main */
    memcpy(name, s, (size_t)(eq - s));
    vec_push(list, (Setting){name, eq + 1});
    return true;
}

/* Reads `value` into the option's place. */
static bool take(const Option *o, const char *value, CommandLine *line) {
    void *place = (char *)line + o->offset;
    int64_t threads;
    switch (o->kind) {
    case FLAG: return *(bool *)place = true;
    case TEXT: return *(const char **)place = value, *value != 0;
    case COUNT_OF: return read_integer(value, 1, place);
    case SEED: return read_integer(value, 0, place);
    case THREADS:
        if (!read_integer(value, 1, &threads) || threads > RT_POOL_MOST) return false;
        *(int *)place = (int)threads;
        return true;
    case SET: return read_setting(value, place);
    case COUNTS: return read_counts(value, place);
    case FLOAT: return dtype_from_name(value, place) && (*(DType *)place == DT_F32 || *(DType *)place == DT_F64);
    case DUMPS: return read_dumps(value, place);
    }
    return false;
}

static bool takes(const Command *c, const Option *o) { return strchr(o->commands, (int)c->letter) != NULL; }

static bool unknown_option(const Command *c, const char *arg) {
    const char *names[COUNT(options)];
    size_t n = 0;
    bool sets = false;
    for (size_t i = 0; i < COUNT(options); i++) {
        if (!takes(c, &options[i])) continue;
        sets = sets || strcmp(options[i].name, "set") == 0;
        names[n++] = options[i].name;
    }
    char word[64] = {0};
    strncpy(word, arg + strspn(arg, "-"), sizeof word - 1);
    word[strcspn(word, "=")] = 0;
    const char *near = diag_nearest(word, names, n);
    fprintf(stderr, "error: nnc %s has no option '%s'\n", c->name, arg);
    if (near)
        fprintf(stderr, "  = help: did you mean '--%s'?\n", near);
    else if (sets)
        fprintf(stderr,
                "  = help: a top-level `let` of the program is given a value with --set %s=...; "
                "nnc %s --help lists the options\n",
                word, c->name);
    else
        fprintf(stderr, "  = help: nnc %s --help lists what it takes\n", c->name);
    return false;
}

_Static_assert(RT_POOL_MOST == 1024, "what an option of threads needs");

static const char *needs(Kind kind) {
    static const char *const texts[] = {[FLAG] = "no value",
                                        [TEXT] = "a word",
                                        [COUNT_OF] = "a whole number of 1 or more",
                                        [SEED] = "a whole number of 0 or more",
                                        [THREADS] = "a whole number from 1 to 1024",
                                        [SET] = "a name and a value, as NAME=VALUE",
                                        [COUNTS] = "whole numbers of 1 or more, with commas between them",
                                        [FLOAT] = "f32 or f64",
                                        [DUMPS] = "names of stages, with commas between them"};
    return texts[kind];
}

/* One option at argv[*i]; its argument may be the next word. */
static bool parse_option(const Command *c, int argc, char **argv, int *i, CommandLine *line) {
    const char *arg = argv[*i], *word = strcmp(arg, "-o") == 0 ? "--out" : arg, *eq = strchr(word, '=');
    size_t len = eq ? (size_t)(eq - word) : strlen(word);
    for (size_t k = 0; k < COUNT(options); k++) {
        const Option *o = &options[k];
        if (!takes(c, o) || strncmp(word, "--", 2) != 0 || strlen(o->name) != len - 2 ||
            strncmp(o->name, word + 2, len - 2) != 0)
            continue;
        if (o->kind == FLAG) return eq ? usage_error(c, "no value belongs to ", arg) : take(o, "", line);
        const char *value = eq ? eq + 1 : *i + 1 < argc ? argv[++*i] : NULL;
        if (!value) return usage_error(c, "a value is missing after ", arg);
        if (take(o, value, line)) return true;
        fprintf(stderr, "error: '--%s' needs %s, not '%s'\n  = help: --%s %s: %s\n", o->name, needs(o->kind), value,
                o->name, o->argument, o->text);
        return false;
    }
    return unknown_option(c, arg);
}

bool cli_parse(const Command *c, int argc, char **argv, CommandLine *line) {
    *line = (CommandLine){.common = {.seed = -1, .float_type = DT_F32}};
    bool words_only = false;
    for (int i = 2; i < argc; i++) {
        const char *arg = argv[i];
        if (!words_only && strcmp(arg, "--") == 0)
            words_only = true;
        else if (!words_only && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0))
            return line->help = true;
        else if (!words_only && arg[0] == '-' && arg[1]) {
            if (!parse_option(c, argc, argv, &i, line)) return false;
        } else if (line->npositional == (int)COUNT(line->positional))
            return usage_error(c, "too many words: ", arg);
        else
            line->positional[line->npositional++] = arg;
    }
    line->common.sets = line->sets.at;
    line->common.nsets = (int)line->sets.len;
    if (line->npositional) line->common.file = line->positional[0];
    return true;
}

void cli_help(const Command *c, FILE *out) {
    fprintf(out, "nnc %s %s\n%s\n\n", c->name, c->usage, c->synopsis);
    for (size_t i = 0; i < COUNT(options); i++) {
        if (!takes(c, &options[i])) continue;
        char left[64];
        snprintf(left, sizeof left, "--%s %s", options[i].name, options[i].argument ? options[i].argument : "");
        fprintf(out, "  %-26s %s\n", left, options[i].text);
    }
    fprintf(out, "\nexample: %s\n", c->example);
}
