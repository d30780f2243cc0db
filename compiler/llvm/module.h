/* A module of machine code in the making: units in, optimized LLVM IR, then an object. */
#ifndef LLVM_MODULE_H
#define LLVM_MODULE_H

#include "compiler/llvm/emit.h"

#include <llvm-c/TargetMachine.h>

/** LLVM's own description of a target, to be given back with LLVMDisposeTargetMachine. */
LLVMTargetMachineRef module_machine(const Target *t);

/** A new module in a context of its own, set up for `target`; module_free gives both back. */
void module_begin(L *l, const Target *target, LLVMTargetMachineRef machine, const char *name);

/** Runs the passes. */
void module_optimize(const L *l, LLVMTargetMachineRef machine);
void module_free(L *l);

#endif
