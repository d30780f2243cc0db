/* The tree builders: what the grammar's actions call. Everything is allocated in the compilation's arena. Builders of
 * statements return NULL, after a diagnostic, where the parts do not make one; lists leave NULL out. */
#ifndef LANG_BUILD_H
#define LANG_BUILD_H

#include "lang/parse.h"

/* lists */
AstList ast_list_add(Parser *p, AstList list, Ast *item);
AstFields ast_fields_add(Parser *p, AstFields fields, AstField field);
AstParams ast_params_add(Parser *p, AstParams params, AstParam param);
AstNames ast_names_add(Parser *p, AstNames names, AstName name);
AstField ast_field(AstName name, Ast *type, Ast *value);
AstParam ast_param(AstName name, Ast *type, Ast *value);
Pattern ast_pattern(Parser *p, AstName name);
Pattern ast_pattern_tuple(AstNames names);

/* expressions */
Ast *ast_number(Parser *p, Span at, NumberValue number);
Ast *ast_string(Parser *p, Span at, StringValue string);
Ast *ast_bool(Parser *p, Span at, bool value);
Ast *ast_name(Parser *p, AstName name);
Ast *ast_unary(Parser *p, Span at, AstOperator op, Span op_at, Ast *a);
Ast *ast_binary(Parser *p, Span at, AstOperator op, Span op_at, Ast *a, Ast *b);
Ast *ast_pipe(Parser *p, Span at, Ast *value, Ast *into);
Ast *ast_if(Parser *p, Span at, Ast *cond, Ast *then, Ast *els);
Ast *ast_call(Parser *p, Span at, Ast *callee, AstFields args);
Ast *ast_index(Parser *p, Span at, Ast *of, AstList items);
Ast *ast_member(Parser *p, Span at, Ast *of, AstName field);
Ast *ast_sequence(Parser *p, Span at, AstKind kind, AstList list); /* AST_LIST, AST_TUPLE, AST_BLOCK */
Ast *ast_tuple(Parser *p, Span at, Ast *first, AstList rest);
Ast *ast_lambda(Parser *p, Span at, AstParams params, Ast *body);
Ast *ast_scan(Parser *p, Span at, AstName var, Ast *range, AstFields carries, Ast *body);
Ast *ast_range(Parser *p, Span at, Ast *lo, Ast *hi, Ast *step);
/** `..hi`: the indices called `hi` where it is a name, a range up to it otherwise. */
Ast *ast_rest_or_range(Parser *p, Span at, Ast *hi);
Ast *ast_rest(Parser *p, Span at, Name name);
Ast *ast_binder(Parser *p, Span at, AstName var, Ast *range);
Ast *ast_type(Parser *p, Span at, Name dtype, bool scalar, AstList dims);

/* statements */
Ast *ast_let(Parser *p, Span at, AstKind kind, Pattern names, Ast *value); /* AST_LET, AST_DATA */
Ast *ast_define(Parser *p, Span at, AstName name, AstList indices, Ast *value);
Ast *ast_assign(Parser *p, Span at, Ast *target, Ast *value);
Ast *ast_statement(Parser *p, Span at, AstKind kind, Ast *value); /* AST_RETURN, AST_YIELD, AST_EXPR, AST_STOP_WHEN */
Ast *ast_when(Parser *p, Span at, Ast *cond, Ast *then, Ast *els);
Ast *ast_for(Parser *p, Span at, Pattern names, Ast *over, Ast *body);
Ast *ast_while(Parser *p, Span at, Ast *cond, Ast *body);
Ast *ast_parameter(Parser *p, Span at, AstName name, Ast *type, bool drawn, Ast *init);
Ast *ast_states(Parser *p, Span at, AstFields states);
Ast *ast_minimize(Parser *p, Span at, Ast *value, AstList over, Ast *optimizer, AstFields options);
Ast *ast_report(Parser *p, Span at, AstName name, Ast *value);
Ast *ast_load(Parser *p, Span at, Ast *target, Ast *path);

/* declarations */
Ast *ast_import(Parser *p, Span at, Span path_at, StringValue path);
Ast *ast_function(Parser *p, Span at, FunctionKind kind, AstName name, AstParams hyper, AstParams params, Ast *result,
                  Ast *body);
Ast *ast_export(Parser *p, Span at, Ast *function);
Ast *ast_train(Parser *p, Span at, AstName name, Ast *body);
void ast_declare(Parser *p, Ast *decl);

#endif
