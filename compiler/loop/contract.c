/* Contractions: sums of products. */
#include "compiler/loop/common.h"

void loop_contract(Builder *b, const Group *group) { loop_rows(b, group); }
