/* Checkpoints: all variables and, as metadata, where the run is. Nothing else decides how it goes on, so a run that
 * goes on from one gives the bits of the run that never stopped. */
#include "compiler/driver_train.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char best_prefix[] = "best/";

/* ---- writing ---- */

typedef VEC(RtTag) TagList;

static void add_tag(TagList *tags, const char *key, Str *value) {
    str_add(value, "%s", "");
    vec_push(tags, (RtTag){(char *)key, value->at}); /* the list owns the text now */
}

static void add_number(TagList *tags, const char *key, int64_t n) {
    Str s = {0};
    str_add(&s, "%lld", (long long)n);
    add_tag(tags, key, &s);
}

static void add_text(TagList *tags, const char *key, const char *text) {
    Str s = {0};
    str_add(&s, "%s", text);
    add_tag(tags, key, &s);
}

/* The batch and the number of samples of each loop: what a position in the data depends on. */
static void print_loops(const BlockRun *b, Str *s) {
    for (size_t i = 0; i < b->loops.len; i++) {
        const LoopRun *l = b->loops.at[i];
        str_add(s, "%s%lld of %lld", i ? ", " : "", (long long)l->batch,
                (long long)driver_rt_data(l->loop->data)->count);
    }
}

static void print_names(const BlockRun *b, Str *s) {
    for (int i = 0; i < b->nnames; i++) str_add(s, "%s%s", i ? " " : "", b->names[i]);
}

/* The reports that keep_best and stop_when follow: what the trends are of. */
static void print_followed(const BlockRun *b, Str *s) {
    if (b->block->keep_best) str_add(s, "%s%s", b->block->keep_best_less ? "-" : "", b->block->keep_best);
    for (int i = 0; i < b->ntrends; i++) str_add(s, " %s", b->trends[i].report);
}

static void add_files(const BlockRun *b, TagList *tags) {
    Str names = {0};
    for (size_t i = 0; i < b->d->files.len; i++)
        if (!b->d->files.at[i].loaded) str_add(&names, "%s %s\n", b->d->files.at[i].hash, b->d->files.at[i].name);
    add_tag(tags, "data", &names);
}

static void add_tags(const BlockRun *b, const RtPoint *point, TagList *tags) {
    const RtPosition *at = &point->position;
    Str loops = {0}, names = {0}, sums = {0}, followed = {0}, trends = {0};
    add_text(tags, "format", "nnc");
    add_text(tags, "kind", "checkpoint");
    add_text(tags, "block_name", b->block->name);
    add_number(tags, "block", b->index);
    add_number(tags, "epoch", at->epoch);
    add_number(tags, "loop", at->loop);
    add_number(tags, "batch", at->batch);
    add_number(tags, "step", at->step);
    add_number(tags, "seed", b->seed);
    add_number(tags, "log_bytes", point->log_bytes);
    add_text(tags, "log_tail", point->log_tail ? point->log_tail : "");
    add_number(tags, "stopped", b->stopped);
    print_loops(b, &loops);
    print_names(b, &names);
    print_followed(b, &followed);
    for (int i = 0; i < b->nnames; i++) str_add(&sums, "%s%a", i ? " " : "", point->sums ? point->sums[i] : 0.0);
    str_add(&trends, "%a %lld", b->keep_best.best, (long long)b->keep_best.since);
    for (int i = 0; i < b->ntrends; i++) str_add(&trends, " %a %lld", b->trends[i].best, (long long)b->trends[i].since);
    add_files(b, tags);
    add_tag(tags, "loops", &loops);
    add_tag(tags, "reports", &names);
    add_tag(tags, "sums", &sums);
    add_tag(tags, "followed", &followed);
    add_tag(tags, "trends", &trends);
}

bool checkpoint_save(const BlockRun *b, const RtPoint *point, RtError *e) {
    SavedList all = driver_saved(b->d, driver_values(b->d), true);
    SavedList best = b->best ? driver_saved(b->d, b->best, false) : (SavedList){0};
    TagList tags = {0};
    size_t n = 0;
    add_tags(b, point, &tags);
    RtTensor *tensors = xcalloc(all.len + best.len + 1, sizeof *tensors);
    Str *names = xcalloc(best.len + 1, sizeof *names);
    for (size_t i = 0; i < all.len; i++) tensors[n++] = driver_tensor_of(all.at[i]);
    for (size_t i = 0; i < best.len; i++) {
        str_add(&names[i], "%s%s", best_prefix, best.at[i].var->path);
        tensors[n] = driver_tensor_of(best.at[i]);
        tensors[n++].name = names[i].at;
    }
    bool ok = rt_safetensors_write(b->checkpoint, tensors, (int)n, tags.at, (int)tags.len, e);
    for (size_t i = 0; i < best.len; i++) vec_free(&names[i]);
    for (size_t i = 0; i < tags.len; i++) vec_drop(tags.at[i].value);
    free(names);
    free(tensors);
    vec_free(&tags);
    vec_free(&best);
    vec_free(&all);
    return ok;
}

/* ---- reading ---- */

/* The file that is read, and the first thing that is wrong with its tags. */
typedef struct {
    const RtTensors *file;
    const char *wrong;
} Reader;

static int64_t read_number(Reader *r, const char *key, int64_t least, int64_t most) {
    const char *text = rt_tensors_tag(r->file, key);
    char *end = NULL;
    errno = 0;
    long long n = text ? strtoll(text, &end, 10) : 0;
    if (text && end != text && !*end && !errno && n >= least && n <= most) return n;
    if (!r->wrong) r->wrong = key;
    return least;
}

/* The next number of a list; *text is NULL after something else. */
static double next_number(const char **text) {
    char *end = NULL;
    double v = *text ? strtod(*text, &end) : 0;
    *text = *text && end != *text && (*end == ' ' || !*end) ? end : NULL;
    return v;
}

static double *read_sums(Reader *r, const BlockRun *b) {
    double *sums = ARENA_ARRAY(b->d->nnc->arena, double, b->nnames + 1);
    const char *text = rt_tensors_tag(r->file, "sums");
    for (int i = 0; i < b->nnames; i++) sums[i] = next_number(&text);
    if (b->nnames && !(text && !*text) && !r->wrong) r->wrong = "sums";
    return sums;
}

static void next_trend(const char **text, Trend *t) {
    t->best = next_number(text);
    double since = next_number(text);
    if (!(since >= 0 && since < 1e15)) *text = NULL;
    t->since = *text ? (int64_t)since : 0;
}

static void read_trends(Reader *r, BlockRun *b) {
    const char *text = rt_tensors_tag(r->file, "trends");
    next_trend(&text, &b->keep_best);
    for (int i = 0; i < b->ntrends; i++) next_trend(&text, &b->trends[i]);
    if (!(text && !*text) && !r->wrong) r->wrong = "trends";
}

/* A line for each tag that must be what it is now. */
static void compare(Reader *r, const char *key, const char *what, Str *now, Str *problems) {
    const char *then = rt_tensors_tag(r->file, key);
    str_add(now, "%s", "");
    if (!then && !r->wrong) r->wrong = key;
    if (then && strcmp(then, now->at) != 0)
        str_add(problems, "\n  %s '%s' in the checkpoint and '%s' now", what, then, now->at);
    vec_free(now);
}

static void compare_settings(Reader *r, const BlockRun *b, bool inside_epoch, Str *problems) {
    Str seed = {0}, loops = {0}, names = {0}, followed = {0};
    str_add(&seed, "%lld", (long long)b->seed);
    print_loops(b, &loops);
    print_names(b, &names);
    print_followed(b, &followed);
    compare(r, "followed", "keep_best and stop_when follow", &followed, problems);
    compare(r, "seed", "the seed is", &seed, problems);
    compare(r, "loops", "batches and samples of the loops are", &loops, problems);
    if (inside_epoch)
        compare(r, "reports", "the reports are", &names, problems);
    else
        vec_free(&names);
}

/* A line for each data file that is not the one that the run began with. */
static void compare_files(Reader *r, const Driver *d, Str *problems) {
    const char *then = rt_tensors_tag(r->file, "data");
    if (!then && !r->wrong) r->wrong = "data";
    for (size_t i = 0; then && i < d->files.len; i++) {
        const DataFile *f = &d->files.at[i];
        const char *line = f->loaded ? "" : then;
        while (*line) {
            const char *end = line + strcspn(line, "\n"), *name = line + strcspn(line, " \n");
            bool named = *name == ' ' && strlen(f->name) == (size_t)(end - name - 1) &&
                         strncmp(name + 1, f->name, (size_t)(end - name - 1)) == 0;
            if (named && strncmp(line, f->hash, (size_t)(name - line)) != 0)
                str_add(problems, "\n  the data file '%s' has changed since", f->name);
            line = end + (*end == '\n');
        }
    }
}

static void read_point(Reader *r, BlockRun *b) {
    RtPosition *at = &b->start.position;
    at->epoch = read_number(r, "epoch", 0, INT32_MAX - 1);
    at->loop = (int)read_number(r, "loop", 0, (int64_t)b->loops.len - 1);
    const LoopRun *l = b->loops.at[at->loop];
    at->batch = read_number(r, "batch", 0, driver_rt_data(l->loop->data)->count / l->batch);
    at->step = read_number(r, "step", 0, INT32_MAX - 1);
    b->start.log_bytes = read_number(r, "log_bytes", 0, INT64_MAX);
    const char *tail = rt_tensors_tag(r->file, "log_tail");
    b->start.log_tail = arena_printf(b->d->nnc->arena, "%s", tail ? tail : "");
    if ((int64_t)strlen(b->start.log_tail) > b->start.log_bytes && !r->wrong) r->wrong = "log_tail";
    b->stopped = read_number(r, "stopped", 0, 1) != 0;
    if (at->loop > 0 || at->batch > 0) {
        b->start.nsums = b->nnames;
        b->start.sums = read_sums(r, b);
    }
    read_trends(r, b);
}

/* Tensors of the file that the program has no variable for. */
static void list_strangers(const Reader *r, const SavedList *all, Str *problems) {
    for (int i = 0; i < r->file->count; i++) {
        const char *name = r->file->tensors[i].name;
        bool known = strncmp(name, best_prefix, strlen(best_prefix)) == 0;
        for (size_t k = 0; k < all->len && !known; k++) known = strcmp(all->at[k].var->path, name) == 0;
        if (!known) str_add(problems, "\n  '%s' is only in the file", name);
    }
}

static void read_variables(const Reader *r, BlockRun *b, Str *problems) {
    SavedList all = driver_saved(b->d, driver_values(b->d), true);
    for (size_t i = 0; i < all.len; i++) driver_take_tensor(all.at[i], "", r->file, true, problems);
    list_strangers(r, &all, problems);
    vec_free(&all);
    if (!b->block->keep_best || isnan(b->keep_best.best)) return;
    decide_keep(b);
    SavedList best = driver_saved(b->d, b->best, false);
    for (size_t i = 0; i < best.len; i++) driver_take_tensor(best.at[i], best_prefix, r->file, true, problems);
    vec_free(&best);
}

/* The run of the block that the file is of. */
static int find_block(Reader *r, Driver *d, const BlockRuns *runs, const char *path) {
    const char *name = rt_tensors_tag(r->file, "block_name");
    int64_t block = read_number(r, "block", 0, INT32_MAX);
    if (r->wrong || !name) return driver_error(d, "'%s' is not a checkpoint of a training run", path), -1;
    for (size_t i = 0; i < runs->len; i++)
        if (runs->at[i]->index == block && strcmp(runs->at[i]->block->name, name) == 0) return (int)i;
    if (*name) return driver_error(d, "'%s' is of the train block '%s', which is not run here", path, name), -1;
    return driver_error(d, "'%s' is of train block %lld, which is not run here", path, (long long)block + 1), -1;
}

static bool restore(Reader *r, BlockRun *b, const char *path) {
    Str problems = {0};
    const char *loop = rt_tensors_tag(r->file, "loop"), *batch = rt_tensors_tag(r->file, "batch");
    bool inside = !loop || !batch || strcmp(loop, "0") != 0 || strcmp(batch, "0") != 0;
    compare_settings(r, b, inside, &problems);
    compare_files(r, b->d, &problems);
    if (!problems.len) read_point(r, b);
    read_variables(r, b, &problems);
    bool ok = !problems.len && !r->wrong;
    if (problems.len)
        driver_error(
            b->d,
            "the checkpoint '%s' is not of this run:%s\n  = help: without --resume a run begins anew, with --out "
            "in another folder",
            path, problems.at);
    else if (r->wrong)
        driver_error(b->d, "the checkpoint '%s' is damaged: its '%s' makes no sense", path, r->wrong);
    b->tick = (int32_t)b->start.position.step;
    vec_free(&problems);
    return ok;
}

int checkpoint_load(Driver *d, const BlockRuns *runs, const char *path) {
    RtError err;
    RtTensors *file = rt_safetensors_read(path, &err);
    if (!file) return driver_error(d, "%s", err.text), -1;
    Reader r = {.file = file};
    int found = find_block(&r, d, runs, path);
    if (found >= 0 && !restore(&r, runs->at[found], path)) found = -1;
    rt_tensors_free(file);
    return found;
}

/* ---- the command that goes on ---- */

/* Quoted for a shell where it must be. */
static void add_word(Str *s, const char *word) {
    if (*word && !word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%")]) {
        str_add(s, " %s", word);
        return;
    }
    str_add(s, " '");
    for (; *word; word++) {
        if (*word == '\'') str_add(s, "'\\'");
        str_add(s, "%c", *word);
    }
    str_add(s, "'");
}

static void add_option(Str *s, const char *name, const char *value) {
    if (!value) return;
    str_add(s, " --%s", name);
    add_word(s, value);
}

static void add_count(Str *s, const char *name, int64_t n, int64_t none) {
    if (n != none) str_add(s, " --%s %lld", name, (long long)n);
}

void checkpoint_hint(const Driver *d, const char *why) {
    const Options *o = &d->options;
    Str s = {0};
    add_word(&s, o->file);
    for (int i = 0; i < o->nsets; i++) {
        Str set = {0};
        str_add(&set, "%s=%s", o->sets[i].name, o->sets[i].value);
        add_option(&s, "set", set.at);
        vec_free(&set);
    }
    add_option(&s, "data", o->data_dir);
    add_option(&s, "stdlib", o->stdlib_dir);
    add_option(&s, "float", o->float_type == DT_F64 ? "f64" : NULL);
    add_option(&s, "cpu", o->cpu);
    add_option(&s, "only", o->only);
    add_option(&s, "out", o->out);
    add_count(&s, "seed", o->seed, -1);
    add_count(&s, "batch", o->batch, 0);
    add_count(&s, "epochs", o->epochs, 0);
    add_count(&s, "steps", o->steps, 0);
    fprintf(stderr, "%snnc train%s --resume\n", why, s.at);
    vec_free(&s);
}
