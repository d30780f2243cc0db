/* The memory of parameters and states: where each lies, and in which order its elements are. A unit may keep some in
 * panels; they are put in its order when it is run, and back in rows for whatever else looks at them. */
#include "compiler/driver_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LARGE_PAGE = 2 << 20 };

static bool no_memory(Driver *d, double bytes, const char *who) {
    const char *size = driver_size(d->nnc->arena, (int64_t)MIN(bytes, 0x1p62));
    return driver_error(d, "not enough memory: %s need %s", who, size);
}

/* Systems promise more memory than they have and end the program later. */
bool driver_has_memory(Driver *d, double bytes, const char *who) {
    double machine = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    return bytes <= machine || no_memory(d, bytes, who);
}

/* NULL after an error; `who` needs the bytes. A step goes through all of it again and again: in small pages a good part
 * of its time would be spent on looking up where they are. */
void *driver_allocate(Driver *d, int64_t bytes, const char *who) {
    size_t unit = bytes >= LARGE_PAGE ? LARGE_PAGE : 64, size = ((size_t)MAX(bytes, 1) + unit - 1) / unit * unit;
    if (!driver_has_memory(d, (double)bytes, who)) return NULL;
    void *p = aligned_alloc(unit, size);
    if (!p) no_memory(d, (double)bytes, who);
#ifdef MADV_HUGEPAGE
    if (p && unit == LARGE_PAGE) madvise(p, size, MADV_HUGEPAGE);
#endif
    return p;
}

/* Repeating a step for --check-nan begins with a copy of all variables each time, in rows. */
static bool keeps_panels(const Driver *d) { return d->trains && !d->options.check_nan; }

static int64_t place_variable(const Driver *d, const Variable *v, int64_t *end) {
    int64_t at = *end, bytes = driver_bytes(v->type), dims[RT_MAX_RANK];
    for (int i = 0; i < v->type.rank; i++) dim_is_const(v->type.dims[i], &dims[i]);
    if (keeps_panels(d)) bytes = loop_variable_bytes(&d->machine, v->type.dtype, dims, v->type.rank);
    *end += (bytes + 63) & ~(int64_t)63;
    return at;
}

bool driver_lay_out(Driver *d) {
    Program *p = d->program;
    int64_t *params = ARENA_ARRAY(d->nnc->arena, int64_t, p->params.len);
    int64_t *states = ARENA_ARRAY(d->nnc->arena, int64_t, p->states.len);
    int64_t end = 0;
    const int64_t most = INT64_C(1) << 60; /* one variable has fewer bytes than that by far */
    for (size_t i = 0; i < p->params.len && end < most; i++) params[i] = place_variable(d, p->params.at[i], &end);
    for (size_t i = 0; i < p->states.len && end < most; i++) states[i] = place_variable(d, p->states.at[i], &end);
    d->variables.layout = (VarLayout){params, states, end, keeps_panels(d)};
    d->variables.bytes = driver_allocate(d, end, "parameters and states");
    if (d->variables.bytes) memset(d->variables.bytes, 0, (size_t)end);
    return d->variables.bytes != NULL;
}

/* ---- orders ---- */

static void reorder(Driver *d, const Panels *p, void order(const Panels *p, void *at, void *room)) {
    void *room = xcalloc((size_t)panels_bytes(p), 1);
    order(p, d->variables.bytes + p->offset, room);
    free(room);
}

/* Whether unit `u` uses the variable, and not in these panels. */
static bool differs(const LoopUnit *u, const Panels *p) {
    for (int i = 0; i < u->npanels; i++)
        if (u->panels[i].offset == p->offset) return u->panels[i].width != p->width;
    for (size_t i = 0; i < u->buffers.len; i++) {
        const Buffer *b = &u->buffers.at[i];
        if (b->kind == BUF_MEMORY && b->base == BASE_VARIABLES && b->offset == p->offset) return true;
    }
    return false;
}

/* Those that unit `u` wants otherwise, all of them for NULL. */
static void to_rows(Driver *d, const LoopUnit *u) {
    Variables *v = &d->variables;
    size_t kept = 0;
    for (size_t i = 0; i < v->in_panels.len; i++) {
        Panels p = v->in_panels.at[i];
        if (!u || differs(u, &p))
            reorder(d, &p, panels_to_rows);
        else
            v->in_panels.at[kept++] = p;
    }
    v->in_panels.len = kept;
}

static bool is_in_panels(const Variables *v, const Panels *p) {
    for (size_t i = 0; i < v->in_panels.len; i++)
        if (v->in_panels.at[i].offset == p->offset) return true;
    return false;
}

void driver_arrange(Driver *d, const LoopUnit *u) {
    Variables *v = &d->variables;
    if (v->ready == u) return;
    to_rows(d, u);
    for (int i = 0; i < u->npanels; i++) {
        if (is_in_panels(v, &u->panels[i])) continue;
        reorder(d, &u->panels[i], panels_from_rows);
        vec_push(&v->in_panels, u->panels[i]);
    }
    v->ready = u;
}

char *driver_values(Driver *d) {
    to_rows(d, NULL);
    d->variables.ready = NULL;
    return d->variables.bytes;
}
