/* What the files of `nnc graph` share: driver_graph.c draws, _model.c describes models and functions, _kernels.c
 * compiled units, in Graphviz's language. */
#ifndef NNC_DRIVER_GRAPH_H
#define NNC_DRIVER_GRAPH_H

#include "compiler/driver_private.h"

/* COLOUR(id, light, dark) */
#define GRAPH_COLOURS(COLOUR)                                                                                          \
    COLOUR(PAPER, "#ffffff", "#15181d")                                                                                \
    COLOUR(TEXT, "#1b1f24", "#e6e9ee")                                                                                 \
    COLOUR(FAINT, "#667080", "#9aa4b2")                                                                                \
    COLOUR(LINE, "#8a94a3", "#6d7786")                                                                                 \
    COLOUR(GROUP, "#f4f6f9", "#1b1f26")                                                                                \
    COLOUR(GROUP_INSIDE, "#eaeef3", "#232830")                                                                         \
    COLOUR(GROUP_LINE, "#d3d9e1", "#363d49")                                                                           \
    COLOUR(LAYER, "#dfeafb", "#1c2d4a")                                                                                \
    COLOUR(LAYER_LINE, "#5a8cec", "#5b8eee")                                                                           \
    COLOUR(FUNCTION, "#e2f3e5", "#1a3322")                                                                             \
    COLOUR(FUNCTION_LINE, "#58a566", "#59a667")                                                                        \
    COLOUR(EXPRESSION, "#fdfdfe", "#15181e")                                                                           \
    COLOUR(EXPRESSION_LINE, "#b4bdca", "#4d5665")                                                                      \
    COLOUR(END, "#fcf0d9", "#3a2d14")                                                                                  \
    COLOUR(END_LINE, "#d39b35", "#d49c36")                                                                             \
    COLOUR(PARAMETER, "#f0e7fb", "#2d2142")                                                                            \
    COLOUR(PARAMETER_LINE, "#9668d3", "#9769d4")

/* GRAPH_PAPER, ... */
typedef enum {
#define COLOUR(id, light, dark) GRAPH_##id,
    GRAPH_COLOURS(COLOUR)
#undef COLOUR
        GRAPH_COLOUR_COUNT
} GraphColour;

/* A picture being written. */
typedef struct {
    Driver *d;
    Str text;
    int depth;    /* of the cluster that is open */
    int clusters; /* begun so far */
    int pictures; /* likewise; names of nodes begin with their number */
} Dot;

/** Text inside of <...>: a line of the label; `faint` ones are small. */
void dot_line(Str *label, bool faint, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/** More on the same line, faint. */
void dot_beside(Str *label, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** A node whose label consists of such lines; its fill is `colour`, its line the colour after it. */
void dot_node(Dot *dot, const char *id, const char *shape, GraphColour colour, const char *label, const char *tip);
void dot_edge(Dot *dot, const char *from, const char *to, const char *label);
void dot_begin(Dot *dot, const char *label);
void dot_end(Dot *dot);

/** Adds the picture of a model or an exported function. */
void graph_unit(Dot *dot, const Unit *u, bool is_model);
/** Adds the picture of a compiled unit's kernels. */
void graph_kernels(Dot *dot, const Code *c, const char *title);

#endif
