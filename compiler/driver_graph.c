/* `nnc graph`: pictures of models, functions and compiled units. Graphviz's `dot` places the boxes, as a program of its
 * own; colours follow the reader's light or dark setting. */
#include "compiler/driver_graph.h"

#include "runtime/files.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static const char *const light[] = {
#define COLOUR(id, on_light, on_dark) on_light,
    GRAPH_COLOURS(COLOUR)
#undef COLOUR
};

static const char *const dark[] = {
#define COLOUR(id, on_light, on_dark) on_dark,
    GRAPH_COLOURS(COLOUR)
#undef COLOUR
};

/* ---- text in Graphviz's language ---- */

static void put_escaped(Str *s, const char *text) {
    for (; *text; text++) {
        const char *as = *text == '&'   ? "&amp;"
                         : *text == '<' ? "&lt;"
                         : *text == '>' ? "&gt;"
                         : *text == '"' ? "&quot;"
                                        : NULL;
        if (as)
            str_put(s, as, strlen(as));
        else
            str_put(s, text, 1);
    }
}

static void put_words(Str *label, bool faint, const char *fmt, va_list args) {
    char words[512];
    vsnprintf(words, sizeof words, fmt, args);
    if (faint) str_add(label, "<FONT POINT-SIZE=\"9\" COLOR=\"%s\">", light[GRAPH_FAINT]);
    put_escaped(label, *words ? words : " ");
    if (faint) str_add(label, "</FONT>");
}

void dot_line(Str *label, bool faint, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    if (label->len) str_add(label, "<BR/>");
    put_words(label, faint, fmt, args);
    va_end(args);
}

void dot_beside(Str *label, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    str_add(label, "  ");
    put_words(label, true, fmt, args);
    va_end(args);
}

void dot_node(Dot *dot, const char *id, const char *shape, GraphColour colour, const char *label, const char *tip) {
    bool words = colour == GRAPH_EXPRESSION;
    Str text = {0};
    put_escaped(&text, tip);
    str_add(&dot->text, "%*s%s [shape=%s, fillcolor=\"%s\", color=\"%s\", tooltip=\"%s\"%s, label=<%s>]\n",
            2 * dot->depth + 2, "", id, shape, light[colour], light[colour + 1], text.len ? text.at : " ",
            words ? ", fontname=\"Courier,monospace\", fontsize=10" : "", label);
    vec_free(&text);
}

void dot_edge(Dot *dot, const char *from, const char *to, const char *label) {
    str_add(&dot->text, "  %s -> %s [label=\" %s \", tooltip=\"%s\"]\n", from, to, label, *label ? label : " ");
}

void dot_begin(Dot *dot, const char *label) {
    str_add(&dot->text, "%*ssubgraph cluster_%d {\n", 2 * dot->depth + 2, "", dot->clusters++);
    dot->depth++;
    str_add(&dot->text, "%*slabel=<%s>; fillcolor=\"%s\"; color=\"%s\"; tooltip=\" \"\n", 2 * dot->depth + 2, "", label,
            light[dot->depth % 2 ? GRAPH_GROUP : GRAPH_GROUP_INSIDE], light[GRAPH_GROUP_LINE]);
}

void dot_end(Dot *dot) {
    dot->depth--;
    str_add(&dot->text, "%*s}\n", 2 * dot->depth + 2, "");
}

static void put_head(Dot *dot) {
    const char *font = "fontname=\"Helvetica,Arial,sans-serif\"";
    str_add(
        &dot->text,
        "digraph nnc {\n"
        "  graph [class=\"nnc-graph\", bgcolor=\"%s\", pad=0.3, nodesep=0.3, ranksep=0.4, style=\"rounded,filled\", "
        "%s, fontsize=12, fontcolor=\"%s\", labeljust=l, tooltip=\" \"]\n"
        "  node [style=\"rounded,filled\", %s, fontsize=12, fontcolor=\"%s\", margin=\"0.16,0.08\", height=0.3]\n"
        "  edge [%s, fontsize=9, fontcolor=\"%s\", color=\"%s\", arrowsize=0.6]\n",
        light[GRAPH_PAPER], font, light[GRAPH_TEXT], font, light[GRAPH_TEXT], font, light[GRAPH_FAINT],
        light[GRAPH_LINE]);
}

/* ---- what is drawn ---- */

/* The unit of a model or an exported function by itself. */
static void add_picture(Dot *dot, const Unit *u, const char *name, bool is_model, const char **why) {
    for (size_t i = 0; u && i < u->results.len; i++)
        if (u->results.at[i].value) {
            graph_unit(dot, u, is_model);
            return;
        }
    *why = arena_printf(dot->d->nnc->arena,
                        "'%s' cannot be drawn by itself: each of its inputs needs a type, such as x: [N, 8]; name an "
                        "exported function that calls it",
                        name);
}

/* The models of the program, and where there is none to draw its exported functions; or the one that has the name. */
static void draw_models(Dot *dot, const char *name, const char **why) {
    const Program *p = dot->d->program;
    for (size_t i = 0; i < p->models.len; i++)
        if (!name || strcmp(p->models.at[i].name, name) == 0)
            add_picture(dot, program_model_picture(dot->d->program, &p->models.at[i]), p->models.at[i].name, true, why);
    bool models = dot->pictures > 0;
    for (size_t i = 0; i < p->exports.len && !models; i++)
        if (!name || strcmp(p->exports.at[i].name, name) == 0)
            add_picture(dot, program_export_picture(dot->d->program, &p->exports.at[i]), p->exports.at[i].name, false,
                        why);
}

static const char *nothing_to_draw(const Driver *d, const char *name) {
    const char *file = d->options.file;
    if (!name) return arena_printf(d->nnc->arena, "'%s' has no model and no exported function to draw", file);
    return arena_printf(d->nnc->arena, "'%s' has no model and no exported function named '%s'", file, name);
}

const char *driver_graph(Driver *d, const char *name, bool kernels, const char **why) {
    Dot dot = {.d = d};
    const char *text = NULL;
    *why = NULL;
    put_head(&dot);
    for (size_t i = 0; kernels && i < d->codes.len; i++)
        graph_kernels(&dot, d->codes.at[i], d->codes.at[i]->unit->name);
    if (!kernels) draw_models(&dot, name, why);
    str_add(&dot.text, "}\n");
    if (dot.pictures)
        text = arena_copy(d->nnc->arena, dot.text.at, dot.text.len + 1);
    else if (!*why)
        *why = nothing_to_draw(d, name);
    vec_free(&dot.text);
    return text;
}

/* ---- Graphviz ---- */

/* Whether `dot -Tsvg` made `out` of `in`. */
static bool run_dot(FILE *in, FILE *out, const char **why) {
    char *const argv[] = {(char[]){"dot"}, (char[]){"-Tsvg"}, NULL};
    posix_spawn_file_actions_t files;
    pid_t pid;
    int status;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, fileno(in), 0);
    posix_spawn_file_actions_adddup2(&files, fileno(out), 1);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", 1, 0);
    int failed = posix_spawnp(&pid, "dot", &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    if (failed) {
        *why = "Graphviz's program 'dot', which makes .svg files, is not installed: 'apt-get install graphviz' does "
               "it on Debian; a .dot file needs nothing";
        return false;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    *why = "Graphviz's program 'dot' did not finish the picture";
    return false;
}

/* What `dot` wrote, without what stands before <svg>, and with colours for dark screens. */
static const char *styled(Arena *a, const char *svg) {
    const char *begin = strstr(svg, "<svg"), *inside = begin ? strchr(begin, '>') : NULL;
    if (!inside) return NULL;
    Str s = {0};
    str_put(&s, begin, (size_t)(inside + 1 - begin));
    str_add(&s, "\n<style>@media (prefers-color-scheme: dark) {\n");
    for (int i = 0; i < GRAPH_COLOUR_COUNT; i++)
        str_add(&s, ".nnc-graph [fill=\"%s\"] { fill: %s } .nnc-graph [stroke=\"%s\"] { stroke: %s }\n", light[i],
                dark[i], light[i], dark[i]);
    str_add(&s, "}</style>%s", inside + 1);
    const char *text = arena_copy(a, s.at, s.len + 1);
    vec_free(&s);
    return text;
}

const char *driver_graph_svg(Driver *d, const char *name, bool kernels, const char **why) {
    const char *dot = driver_graph(d, name, kernels, why), *svg = NULL;
    if (!dot) return NULL;
    FILE *in = tmpfile(), *out = tmpfile();
    bool ready = in && out && fputs(dot, in) >= 0 && fflush(in) == 0;
    if (ready) rewind(in);
    if (!ready) *why = "there is no room for temporary files";
    if (ready && run_dot(in, out, why)) {
        Str text = {0};
        char buffer[4096];
        rewind(out);
        for (size_t n; (n = fread(buffer, 1, sizeof buffer, out)) > 0;) str_put(&text, buffer, n);
        svg = text.len ? styled(d->nnc->arena, text.at) : NULL;
        if (!svg) *why = "Graphviz's program 'dot' gave no picture";
        vec_free(&text);
    }
    if (in) fclose(in);
    if (out) fclose(out);
    return svg;
}

/* ---- the command ---- */

int driver_draw(Driver *d, const char *name, const char *out, bool kernels) {
    RtError err;
    const char *why, *text;
    bool ok = program_check(d->program) && (!kernels || (driver_add_all(d, name) && driver_build(d, false)));
    if (driver_failed(d) || !ok) return 1;
    if (strcmp(out + strlen(out) - 4, ".svg") == 0)
        text = driver_graph_svg(d, name, kernels, &why);
    else
        text = driver_graph(d, name, kernels, &why);
    if (driver_failed(d)) return 1;
    if (!text) return driver_error(d, "%s", why), 1;
    if (!rt_file_replace(out, text, strlen(text), &err)) return driver_error(d, "%s", err.text), 1;
    return 0;
}
