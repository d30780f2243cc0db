/* Recomputation: values that are made again instead of being kept.
 *
 * before    kernels in the order in which they run, offsets of all buffers
 * after     likewise: kernels that run again fill buffers of their own, and what runs behind them reads those
 * requires  plan_order
 * keeps     every result to the bit: the same kernels work on the same values
 * breaks    nothing
 *
 * Where most is alive, a value that is not used just there gives way: its kernel runs again before it is used next,
 * and so do the kernels of what it needs that is gone by then. The one that frees most for its time goes first:
 * element-wise kernels, then others, and chains of them from a value that is kept. This goes on until the plan is small
 * enough, or nothing makes it smaller. The iterations of an outermost scan are all alike: its kernels run again within
 * them. A scan inside another one, or a while, is one step, which never runs again. */
#include "compiler/pass/remat.h"

#include <stdlib.h>

enum { MOST_ROUNDS = 4000, LONGEST_CHAIN = 24 };

/* Kernels that run again before step `at`, for `target`. */
typedef struct {
    const Remat *r;
    int target, at;
    int buffers[LONGEST_CHAIN];
    int n;
    int64_t kept; /* bytes of what has to live longer */
    double cost;  /* nanoseconds */
    bool fine;
} Chain;

/* ---- what there is ---- */

static int64_t bytes(const Remat *r, int buffer) {
    const Buffer *b = &r->u->buffers.at[r->text.at[buffer]];
    return plan_in_arena(b) ? plan_room(b) : 0;
}

static void add_use(Step *s, int buffer, bool write) {
    for (int i = 0; i < s->nuses; i++)
        if (s->uses[i].text == buffer && s->uses[i].write == write) return;
    s->uses[s->nuses++] = (Use){buffer, buffer, write};
}

/* The most that lives at once of what is only used inside of a scan. */
static int64_t scratch_of(const Remat *r, const Step *s, const int *first, const int *last) {
    int64_t most = 0;
    for (size_t k = s->from; k < s->to; k++) {
        int64_t sum = 0;
        for (int i = 0; i < s->nuses; i++) {
            int b = s->uses[i].text;
            bool inside = first[b] >= (int)s->from && last[b] < (int)s->to, twice = false;
            for (int j = 0; j < i; j++) twice = twice || s->uses[j].text == b;
            if (inside && !twice && first[b] <= (int)k && last[b] >= (int)k) sum += bytes(r, b);
        }
        most = MAX(most, sum);
    }
    return most;
}

static void add_step(Remat *r, const Accesses *acc, Step s, const int *first, const int *last) {
    size_t from = s.from, to = s.to, most = 0;
    for (size_t k = from; k < to; k++) most += acc[k].len;
    s.uses = ARENA_ARRAY(r->arena, Use, most);
    for (size_t k = from; k < to; k++)
        for (size_t i = 0; i < acc[k].len; i++)
            if (r->u->buffers.at[acc[k].at[i].buffer].kind == BUF_MEMORY)
                add_use(&s, acc[k].at[i].buffer, acc[k].at[i].write);
    if (s.loop) {
        int n = 0;
        s.scratch = scratch_of(r, &s, first, last);
        for (int i = 0; i < s.nuses; i++) {
            int b = s.uses[i].text;
            if (first[b] < (int)from || last[b] >= (int)to) s.uses[n++] = s.uses[i];
        }
        s.nuses = n;
    }
    for (int i = 0; i < s.nuses; i++) r->writers[s.uses[i].text] += s.uses[i].write;
    vec_push(&r->steps, s);
}

static void find_steps(Remat *r) {
    const Accesses *acc = plan_accesses(r->u);
    int *first = ARENA_ARRAY(r->arena, int, r->nbuffers), *last = ARENA_ARRAY(r->arena, int, r->nbuffers);
    for (size_t b = 0; b < r->nbuffers; b++) first[b] = last[b] = -1;
    for (size_t k = 0; k < r->nkernels; k++)
        for (size_t i = 0; i < acc[k].len; i++) {
            int b = acc[k].at[i].buffer;
            if (first[b] < 0) first[b] = (int)k;
            last[b] = (int)k;
        }
    for (size_t k = 0, to; k < r->nkernels; k = to) {
        int outer = loop_scan_below(r->u, r->kernels[k], 0), scan = outer && r->u->scans[outer].cond < 0 ? outer : 0;
        int loop = loop_scan_below(r->u, r->kernels[k], scan);
        to = loop ? r->u->scans[loop].to : k + 1;
        add_step(r, acc, (Step){.from = k, .to = to, .scan = scan, .loop = loop != 0}, first, last);
    }
}

/* ---- what lives when ---- */

/* What a scan and steps outside of it use lives through the whole scan, of steps from .. to-1. */
static void let_last(Remat *r, int from, int to) {
    for (int i = from; i < to; i++)
        for (int k = 0; k < r->steps.at[i].nuses; k++) {
            int b = r->steps.at[i].uses[k].now;
            if (r->first[b] >= from && r->last[b] < to) continue;
            r->begin[b] = MIN(r->begin[b], from);
            r->lasting[b] = true;
            r->last[b] = MAX(r->last[b], to - 1);
        }
}

static void measure(Remat *r) {
    size_t nb = r->text.len, ns = r->steps.len;
    for (size_t b = 0; b < nb; b++) r->first[b] = r->last[b] = -1;
    for (size_t i = 0; i <= ns; i++) r->live[i] = 0;
    for (size_t i = 0; i < ns; i++)
        for (int k = 0; k < r->steps.at[i].nuses; k++) {
            int b = r->steps.at[i].uses[k].now;
            if (r->first[b] < 0) r->first[b] = (int)i;
            r->last[b] = (int)i;
        }
    for (size_t b = 0; b < nb; b++) r->begin[b] = r->first[b], r->lasting[b] = false;
    for (int i = 0, to; i < (int)ns; i = to) {
        for (to = i + 1; to < (int)ns && r->steps.at[to].scan == r->steps.at[i].scan;) to++;
        if (r->steps.at[i].scan) let_last(r, i, to);
    }
    for (size_t b = 0; b < nb; b++) {
        if (r->first[b] < 0) continue;
        r->live[r->begin[b]] += bytes(r, (int)b);
        r->live[r->last[b] + 1] -= bytes(r, (int)b);
    }
    r->peak = 0;
    for (size_t i = 0; i < ns; i++) r->live[i + 1] += r->live[i];
    for (size_t i = 0; i < ns; i++) r->live[i] += r->steps.at[i].scratch;
    for (size_t i = 0; i < ns; i++)
        if (r->live[i] > r->live[r->peak]) r->peak = (int)i;
}

/* The uses of each buffer that are nearest to the peak. */
static void find_gaps(Remat *r) {
    for (size_t b = 0; b < r->text.len; b++) r->before[b] = r->behind[b] = -1;
    for (int i = 0; i < (int)r->steps.len; i++)
        for (int k = 0; k < r->steps.at[i].nuses; k++) {
            int b = r->steps.at[i].uses[k].now;
            if (i <= r->peak) r->before[b] = i;
            if (i > r->peak && r->behind[b] < 0) r->behind[b] = i;
        }
}

/* ---- what can be made again ---- */

static bool is_variable(const Buffer *b) { return b->kind == BUF_MEMORY && !b->constant && b->base != BASE_ARENA; }

/* Whether a variable that step i reads is as it was when step `at` begins. */
static bool unchanged(const Remat *r, const Buffer *b, int i, int at) {
    for (; i < at; i++)
        for (int k = 0; k < r->steps.at[i].nuses; k++) {
            const Use *use = &r->steps.at[i].uses[k];
            const Buffer *x = &r->u->buffers.at[use->text];
            if (use->write && is_variable(x) && x->base == b->base && x->offset == b->offset) return false;
        }
    return true;
}

/* Whether the step that makes a value can run again before step `at`: in the same scan, if in any. */
static bool can_run_again(const Remat *r, int buffer, int at) {
    const Buffer *b = &r->u->buffers.at[r->text.at[buffer]];
    const Step *s = &r->steps.at[r->first[buffer]];
    const Kernel *k = r->kernels[s->from];
    bool leaves = s->scan && r->lasting[buffer]; /* as all iterations' values do */
    return plan_in_arena(b) && !b->carry && !leaves && r->writers[r->text.at[buffer]] == 1 && !s->loop &&
           s->scan == r->steps.at[at].scan && k->tiles > 0;
}

static double time_of(const Remat *r, const Step *s) {
    double moved = 0;
    for (int i = 0; i < s->nuses; i++) {
        const Buffer *b = &r->u->buffers.at[s->uses[i].text];
        moved += (double)b->elems * (double)dtype_size(b->dtype);
    }
    return plan_nanoseconds(1, (double)r->kernels[s->from]->flops, moved);
}

static bool has(const Chain *c, int buffer) {
    for (int i = 0; i < c->n; i++)
        if (c->buffers[i] == buffer) return true;
    return false;
}

static void need(Chain *c, int buffer);

/* A value that a kernel which runs again reads: still there, kept a little longer, or made again as well. */
static void need_input(Chain *c, int step, const Use *use) {
    const Remat *r = c->r;
    const Buffer *b = &r->u->buffers.at[use->text];
    if (is_variable(b)) c->fine = c->fine && unchanged(r, b, step, c->at);
    if (b->constant || is_variable(b)) return;
    if (b->shares >= 0 || r->writers[use->text] != 1) c->fine = false; /* a value of a loop, which changes */
    if (!c->fine || has(c, use->now) || r->last[use->now] >= c->at) return;
    if (r->last[use->now] >= r->peak && r->begin[use->now] <= r->peak) return;
    if (8 * bytes(r, use->now) > bytes(r, c->target) && can_run_again(r, use->now, c->at))
        need(c, use->now);
    else
        c->kept += bytes(r, use->now);
}

static void need(Chain *c, int buffer) {
    const Remat *r = c->r;
    if (!c->fine || c->n == LONGEST_CHAIN) {
        c->fine = false;
        return;
    }
    int step = r->first[buffer];
    bool shared = false;
    for (int i = 0; i < c->n; i++) shared = shared || r->first[c->buffers[i]] == step;
    c->buffers[c->n++] = buffer;
    if (!shared) c->cost += time_of(r, &r->steps.at[step]);
    for (int i = 0; i < r->steps.at[step].nuses && c->fine && !shared; i++)
        if (!r->steps.at[step].uses[i].write) need_input(c, step, &r->steps.at[step].uses[i]);
}

static bool best_chain(const Remat *r, Chain *best) {
    double most = 0;
    for (int b = 0; b < (int)r->text.len; b++) {
        if (r->first[b] < 0 || r->before[b] == r->peak || r->before[b] < 0 || r->behind[b] < 0) continue;
        if (r->given.at[b] || !can_run_again(r, b, r->behind[b])) continue;
        Chain c = {.r = r, .target = b, .at = r->behind[b], .fine = true};
        need(&c, b);
        double value = (double)(bytes(r, b) - c.kept) / c.cost;
        if (!c.fine || value <= most) continue;
        most = value;
        *best = c;
    }
    return most > 0;
}

/* ---- doing it ---- */

static int new_value(Remat *r, int buffer) {
    vec_push(&r->text, r->text.at[buffer]);
    vec_push(&r->given, false);
    return (int)r->text.len - 1;
}

/* The step again, writing what the chain asks for; what it reads that is made again is read from there. */
static Step again(Remat *r, const Chain *c, const int *fresh, int step) {
    const Step *old = &r->steps.at[step];
    Step s = *old;
    s.again = true;
    s.uses = ARENA_ARRAY(r->arena, Use, old->nuses);
    s.nuses = 0;
    for (int i = 0; i < old->nuses; i++) {
        Use use = old->uses[i];
        bool scratch = plan_in_arena(&r->u->buffers.at[use.text]) && r->first[use.now] == r->last[use.now];
        bool wanted = !use.write || scratch;
        for (int k = 0; k < old->nuses && !wanted; k++) /* read by the kernel that writes it */
            wanted = !old->uses[k].write && old->uses[k].text == use.text;
        for (int k = 0; k < c->n; k++)
            if (c->buffers[k] == use.now) use.now = fresh[k], wanted = true;
        if (wanted) s.uses[s.nuses++] = use;
    }
    return s;
}

/* What only the kernel itself uses has a place of its own each time. */
static void rename_scratch(Remat *r, Step *s, const Chain *c, const int *fresh) {
    for (int i = 0; i < s->nuses; i++) {
        bool made = !s->uses[i].write;
        for (int k = 0; k < c->n; k++) made = made || s->uses[i].now == fresh[k];
        if (made) continue;
        int old = s->uses[i].now, number = new_value(r, old);
        for (int k = 0; k < s->nuses; k++)
            if (s->uses[k].now == old) s->uses[k].now = number;
    }
}

static int by_number(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static void apply(Remat *r, const Chain *c) {
    int fresh[LONGEST_CHAIN], makers[LONGEST_CHAIN];
    StepList steps = {0};
    for (int i = 0; i < c->n; i++) {
        fresh[i] = new_value(r, c->buffers[i]);
        makers[i] = r->first[c->buffers[i]];
    }
    qsort(makers, (size_t)c->n, sizeof *makers, by_number);
    for (int i = 0; i < (int)r->steps.len; i++) {
        for (int k = 0; k < c->n && i == c->at; k++) {
            if (k && makers[k] == makers[k - 1]) continue;
            Step s = again(r, c, fresh, makers[k]);
            rename_scratch(r, &s, c, fresh);
            vec_push(&steps, s);
        }
        Step s = r->steps.at[i];
        if (i >= c->at) {
            s.uses = arena_copy(r->arena, s.uses, sizeof *s.uses * (size_t)s.nuses);
            for (int k = 0; k < s.nuses; k++)
                if (s.uses[k].now == c->target) s.uses[k].now = fresh[0];
        }
        vec_push(&steps, s);
    }
    vec_free(&r->steps);
    r->steps = steps;
}

static StepList copy_steps(const StepList *steps) {
    StepList copy = {0};
    for (size_t i = 0; i < steps->len; i++) vec_push(&copy, steps->at[i]);
    return copy;
}

static void make_room(Remat *r) {
    size_t nb = r->text.len, ns = r->steps.len + 2;
    r->first = xrealloc(r->first, nb * sizeof(int));
    r->last = xrealloc(r->last, nb * sizeof(int));
    r->begin = xrealloc(r->begin, nb * sizeof(int));
    r->lasting = xrealloc(r->lasting, nb * sizeof(bool));
    r->before = xrealloc(r->before, nb * sizeof(int));
    r->behind = xrealloc(r->behind, nb * sizeof(int));
    r->live = xrealloc(r->live, ns * sizeof(int64_t));
}

/* One value less at the peak, and no higher peak elsewhere; false where there is none. */
static bool improve(Remat *r) {
    Chain c;
    find_gaps(r);
    while (best_chain(r, &c)) {
        int64_t most = r->live[r->peak];
        int peak = r->peak;
        StepList old = copy_steps(&r->steps);
        size_t nb = r->text.len;
        apply(r, &c);
        make_room(r);
        measure(r);
        bool good = r->live[r->peak] <= most && r->live[peak] < most;
        if (!good) {
            vec_free(&r->steps);
            r->steps = copy_steps(&old);
            r->text.len = r->given.len = nb;
            r->given.at[c.target] = true;
            measure(r);
            find_gaps(r);
        }
        vec_free(&old);
        if (good) return true;
    }
    return false;
}

static void free_remat(Remat *r) {
    vec_free(&r->steps);
    vec_free(&r->text);
    vec_free(&r->given);
    free(r->first);
    free(r->last);
    free(r->begin);
    free(r->lasting);
    free(r->before);
    free(r->behind);
    free(r->live);
}

/* What lives at the peak is brought down little by little; where each buffer goes then decides how large the arena is.
 * What was best of all stays. */
static void search(Remat *r, int64_t budget) {
    LoopUnit *u = r->u;
    StepList best = copy_steps(&r->steps);
    int64_t least = u->arena_bytes;
    int rounds = 0;
    for (bool better = true; better && u->arena_bytes > budget;) {
        int64_t live = r->live[r->peak], target = MAX(live - (u->arena_bytes - budget), live - live / 8);
        while (better && r->live[r->peak] > target) better = rounds++ < MOST_ROUNDS && improve(r);
        remat_write(r);
        if (u->arena_bytes >= least) continue;
        least = u->arena_bytes;
        vec_free(&best);
        best = copy_steps(&r->steps);
    }
    if (u->arena_bytes > least) {
        vec_free(&r->steps);
        r->steps = copy_steps(&best);
        remat_write(r);
    }
    vec_free(&best);
}

void pass_remat(LoopUnit *u, int64_t budget) {
    Remat r = {.u = u, .arena = u->nnc->arena, .nkernels = u->kernels.len, .nbuffers = u->buffers.len};
    if (u->arena_bytes <= budget || !u->kernels.len) return;
    r.kernels = arena_copy(r.arena, u->kernels.at, sizeof *u->kernels.at * r.nkernels);
    r.scans = arena_copy(r.arena, u->scans ? (void *)u->scans : "",
                         sizeof *u->scans * (u->scans ? (size_t)u->nscans + 1 : 0));
    r.writers = ARENA_ARRAY(r.arena, int, r.nbuffers);
    for (size_t b = 0; b < r.nbuffers; b++) {
        vec_push(&r.text, (int)b);
        vec_push(&r.given, false);
    }
    find_steps(&r);
    make_room(&r);
    measure(&r);
    search(&r, budget);
    free_remat(&r);
}
