/* A module of machine code in the making: units in, optimized LLVM IR, then an object. */
#ifndef LLVM_MODULE_H
#define LLVM_MODULE_H

#include "compiler/llvm/emit.h"

#include <llvm-c/TargetMachine.h>

/** LLVM's own description of a target, to be given back with LLVMDisposeTargetMachine. */
LLVMTargetMachineRef module_machine(const Target *t, LLVMCodeGenOptLevel level);

/** What LLVM takes on its command line alone, for all of the process: to be set before code is made for an
 * architecture. The addresses of loops are counted along with their variables already (emit_times()), and those of x86
 * take a variable, a scale and a constant: LLVM's search for something cheaper gains nothing there and takes a third of
 * all time. Inner loops begin with a cache line, and none of their branches lies across two: that costs up to a fifth.
 */
void module_options(Arch arch);

/** A new module in a context of its own, set up for `target`; module_free gives both back. */
void module_begin(L *l, const Target *target, LLVMTargetMachineRef machine, const char *name);

/** Runs the passes. */
void module_optimize(const L *l, LLVMTargetMachineRef machine);
void module_free(L *l);

#endif
