/* The derivative rules of ops.def: lines of .nn such as `dy * (1 - y*y)`, turned into scalar expressions. */
#ifndef PASS_RULES_H
#define PASS_RULES_H

#include "compiler/ir/graph.h"

typedef struct Rules Rules;

/** No line is parsed before it is used, and each is parsed once; lives in `a`. */
Rules *rules_new(Arena *a);

/** Whether any gradient goes from the result of scalar operation `op` to its operand number `operand`. */
bool rules_passes(Rules *r, ExKind op, int operand);

/** The gradient of operand number `operand` of expression `e` (a row of ops.def), where `y` has the value of e and `dy`
 * is its gradient. Only where rules_passes(). The result has the operand's type. */
Ex rules_apply(Rules *r, Graph *g, Ex e, int operand, Ex y, Ex dy);

#endif
