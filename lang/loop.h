/* Loops as the checker makes them: scans (check_scan.c) and whiles (check_while.c). Private to lang/. */
#ifndef LANG_LOOP_H
#define LANG_LOOP_H

#include "lang/check.h"

typedef struct {
    Slot *slot;
    Term *first, *carry;
} CarriedState;

typedef struct {
    Term *e, *x;
    Span at;
} InnerGrad;

/* The scan or while whose body is being made. */
typedef struct ScanContext {
    struct ScanContext *up;
    Frame *frame; /* the function that it stands in */
    Scope *scope; /* of its body; the carries are bound there */
    UnitState *unit;
    Term *iteration;
    Dim extent; /* of a while: NULL */
    VEC(Term *) yields;
    bool tuple;               /* what is yielded is one */
    VEC(CarriedState) states; /* what a while carries beside names */
    int ncarry;
    int first_term;       /* terms from here on are made in the body */
    VEC(InnerGrad) grads; /* taken in the body */
} ScanContext;

Value eval_scan(Checker *c, Scope *s, Ast *e);
Flow exec_yield(Checker *c, Scope *s, Ast *a);
Flow exec_while(Checker *c, Scope *s, Ast *a);

/** Begins a loop: the number of its iteration and its first free carry. */
void loop_begin(Checker *c, ScanContext *loop, Scope *s, Span at);
/** Ends it with its term, or NULL where something is not known; gradients in its body are looked at. */
void loop_end(Checker *c, ScanContext *loop, Term *t);
/** The next carry of a loop, of the type of its first value. */
Term *loop_carry(Checker *c, ScanContext *loop, Name name, Type t, Span at);
/** What the body made of a carry, as a value of the carry's type; NULL after a diagnostic. */
Term *loop_next(Checker *c, Value v, const Term *carry, Span at);
/** The last value of carry `index` of a loop, or another result of type `t`. */
Term *loop_result(Checker *c, Term *loop, int index, Type t);
/** A state that is used in the body of a while is carried by it. */
void while_carries(Checker *c, Slot *slot, Span at);

/** Whether the body of a scan may assign to a binding: its own names only; a diagnostic if not. */
bool scan_assigns(Checker *c, Scope *s, const Binding *b, AstName name);

/** The count by which random numbers differ: another one in each iteration. */
Term *scan_tick(Checker *c, Term *tick, Span at);

#endif
