/* The grammar of .nn. Actions only build the tree (build.h). A statement ends in END, which layout.c puts where a newline
 * ends one; there is none before `}` and at the end of the file. */
%require "3.8"
%define api.pure full
%define api.prefix {lang_}
%define api.token.prefix {T_}
%define api.value.type {Value}
%define api.location.type {Span}
%define parse.error custom
%define parse.lac full
%define lr.default-reduction accepting
%locations
%expect 0
%param {Parser *p}

%initial-action { (void)yynerrs; /* counted, but not by us */ }

%code requires {
#include "lang/parse.h"
}

%code {
#include "lang/build.h"

#define YYMAXDEPTH PARSE_MAX_STACK
#define YYLLOC_DEFAULT(At, Rhs, N)                                                                                     \
    ((At) = (N) ? span_join(YYRHSLOC(Rhs, 1), YYRHSLOC(Rhs, N))                                                        \
                : (Span){YYRHSLOC(Rhs, 0).file, YYRHSLOC(Rhs, 0).end, YYRHSLOC(Rhs, 0).end})

static int lang_lex(Value *value, Span *at, Parser *p);
static void lang_error(const Span *at, Parser *p, const char *message);

static const AstName none = {0};
}

/* words that begin a declaration and are names everywhere else */
%token <name> IMPORT "import" EXPORT "export" LOSS "loss" LAYER "layer" MODEL "model" OPTIMIZER "optimizer"
              DATA "data" TRAIN "train"
/* words that are keywords only behind an expression */
%token <name> BY "by" CLIP_NORM "clip_norm" CLIP_VALUE "clip_value" ACCUMULATE "accumulate"
/* keywords that begin a statement */
%token LET "let" PARAM "param" STATE "state" RETURN "return" YIELD "yield" FOR "for" WHILE "while"
       MINIMIZE "minimize" REPORT "report" LOAD "load" STOP_WHEN "stop_when"
/* other keywords */
%token FN "fn" IF "if" THEN "then" ELSE "else" IN "in" SCAN "scan" WITH "with" OVER "over" USING "using" FROM "from"
       AND "and" OR "or" NOT "not"
%token <name> NAME "name"
%token <number> NUMBER "number"
%token <string> STRING "string"
%token <boolean> BOOL "truth value"
%token LPAREN "(" RPAREN ")" LBRACKET "[" RBRACKET "]" LBRACE "{" RBRACE "}" COMMA "," COLON ":" DOT "." RANGE ".."
       TILDE "~" ARROW "->" PIPE "|>" ASSIGN "=" PLUS "+" MINUS "-" STAR "*" SLASH "/" AT "@" CARET "^"
       EQ "==" NE "!=" LT "<" LE "<=" GT ">" GE ">="
       END "end of the line" YYEOF 0 "end of the file"
/* given by the scanner, never seen by the grammar */
%token SEMICOLON ";"

%nterm <name> name decl_name
%nterm <node> decl function function_fn train body result result_type block stmt when over
%nterm <node> expr open pipe cond or and not comparison sum term unary power postfix primary item index type dim path
%nterm <list> stmts stmt_list exprs expr_list items item_list indices dims dim_list types paths
%nterm <fields> args arg_list carries states options
%nterm <field> arg carry state option
%nterm <params> params param_list
%nterm <param> param
%nterm <names> name_list
%nterm <pattern> pattern

%%

file:
    %empty
  | decls
  ;

decls:
    decl                                { ast_declare(p, $decl); }
  | decls END decl                      { ast_declare(p, $decl); }
  ;

/* ---- declarations ---- */

decl:
    IMPORT STRING                       { $$ = ast_import(p, @$, @2, $2); }
  | LET pattern "=" expr                { $$ = ast_let(p, @$, AST_LET, $pattern, $expr); }
  | DATA pattern "=" expr               { $$ = ast_let(p, @$, AST_DATA, $pattern, $expr); }
  | function
  | EXPORT function_fn                  { $$ = ast_export(p, @$, $function_fn); }
  | train
  | error                               { $$ = NULL; yyerrok; }
  ;

function:
    function_fn
  | LOSS decl_name "(" params ")" result body
                                        { $$ = ast_function(p, @$, FN_LOSS, $2, (AstParams){0}, $params, $result, $body); }
  | MODEL decl_name "(" params ")" result body
                                        { $$ = ast_function(p, @$, FN_MODEL, $2, (AstParams){0}, $params, $result, $body); }
  | LAYER decl_name "(" params[hyper] ")" "(" params[inputs] ")" result body
                                        { $$ = ast_function(p, @$, FN_LAYER, $2, $hyper, $inputs, $result, $body); }
  | OPTIMIZER decl_name "(" params[hyper] ")" "(" params[inputs] ")" block
                                        { $$ = ast_function(p, @$, FN_OPTIMIZER, $2, $hyper, $inputs, NULL, $block); }
  ;

function_fn:
    FN decl_name "(" params ")" result body
                                        { $$ = ast_function(p, @$, FN_FN, $2, (AstParams){0}, $params, $result, $body); }
  ;

train:
    TRAIN block                         { $$ = ast_train(p, @$, none, $block); }
  | TRAIN decl_name block               { $$ = ast_train(p, @$, $decl_name, $block); }
  ;

params:
    %empty                              { $$ = (AstParams){0}; }
  | param_list opt_comma
  ;

param_list:
    param                               { $$ = ast_params_add(p, (AstParams){0}, $1); }
  | param_list "," param                { $$ = ast_params_add(p, $1, $3); }
  ;

param:
    name                                { $$ = ast_param($name, NULL, NULL); }
  | name ":" type                       { $$ = ast_param($name, $type, NULL); }
  | name "=" expr                       { $$ = ast_param($name, NULL, $expr); }
  | name ":" type "=" expr              { $$ = ast_param($name, $type, $expr); }
  ;

result:
    %empty                              { $$ = NULL; }
  | "->" result_type                    { $$ = $2; }
  ;

result_type:
    type
  | "(" types opt_comma ")"             { $$ = ast_sequence(p, @$, AST_TUPLE, $types); }
  ;

types:
    type "," type                       { $$ = ast_list_add(p, ast_list_add(p, (AstList){0}, $1), $3); }
  | types "," type                      { $$ = ast_list_add(p, $1, $3); }
  ;

body:
    block
  | "=" expr                            { $$ = $expr; }
  ;

/* ---- types ---- */

type:
    name                                { $$ = ast_type(p, @$, $name.name, true, (AstList){0}); }
  | "[" dims "]"                        { $$ = ast_type(p, @$, NULL, false, $dims); }
  | name "[" dims "]"                   { $$ = ast_type(p, @$, $name.name, false, $dims); }
  ;

dims:
    %empty                              { $$ = (AstList){0}; }
  | dim_list opt_comma
  ;

dim_list:
    dim                                 { $$ = ast_list_add(p, (AstList){0}, $1); }
  | dim_list "," dim                    { $$ = ast_list_add(p, $1, $3); }
  ;

dim:
    expr
  | ".."                                { $$ = ast_rest(p, @$, NULL); }
  | ".." name                           { $$ = ast_rest(p, @$, $name.name); }
  ;

/* ---- statements ---- */

block:
    "{" stmts "}"                       { $$ = ast_sequence(p, @$, AST_BLOCK, $stmts); }
  ;

stmts:
    %empty                              { $$ = (AstList){0}; }
  | stmt_list
  ;

stmt_list:
    stmt                                { $$ = ast_list_add(p, (AstList){0}, $1); }
  | stmt_list END stmt                  { $$ = ast_list_add(p, $1, $3); }
  ;

stmt:
    LET pattern "=" expr                { $$ = ast_let(p, @$, AST_LET, $pattern, $expr); }
  | LET name "[" indices opt_comma "]" "=" expr
                                        { $$ = ast_define(p, @$, $name, $indices, $expr); }
  | expr                                { $$ = ast_statement(p, @$, AST_EXPR, $expr); }
  | expr "=" expr                       { $$ = ast_assign(p, @$, $1, $3); }
  | RETURN                              { $$ = ast_statement(p, @$, AST_RETURN, NULL); }
  | RETURN expr                         { $$ = ast_statement(p, @$, AST_RETURN, $expr); }
  | YIELD expr                          { $$ = ast_statement(p, @$, AST_YIELD, $expr); }
  | when
  | FOR pattern IN over block           { $$ = ast_for(p, @$, $pattern, $over, $block); }
  | WHILE expr block                    { $$ = ast_while(p, @$, $expr, $block); }
  | PARAM name ":" type "~" expr        { $$ = ast_parameter(p, @$, $name, $type, true, $expr); }
  | PARAM name ":" type "=" expr        { $$ = ast_parameter(p, @$, $name, $type, false, $expr); }
  | STATE states                        { $$ = ast_states(p, @$, $states); }
  | MINIMIZE expr USING expr[with] options
                                        { $$ = ast_minimize(p, @$, $2, (AstList){0}, $with, $options); }
  | MINIMIZE expr OVER paths USING expr[with] options
                                        { $$ = ast_minimize(p, @$, $2, $paths, $with, $options); }
  | REPORT name "=" expr                { $$ = ast_report(p, @$, $name, $expr); }
  | STOP_WHEN expr                      { $$ = ast_statement(p, @$, AST_STOP_WHEN, $expr); }
  | LOAD path FROM STRING               { $$ = ast_load(p, @$, $path, ast_string(p, @4, $4)); }
  | error                               { $$ = NULL; yyerrok; }
  ;

when:
    IF expr block                       { $$ = ast_when(p, @$, $expr, $block, NULL); }
  | IF expr block ELSE block[else]      { $$ = ast_when(p, @$, $expr, $3, $else); }
  | IF expr block ELSE when[else]       { $$ = ast_when(p, @$, $expr, $3, $else); }
  ;

pattern:
    name                                { $$ = ast_pattern(p, $name); }
  | "(" name_list opt_comma ")"         { $$ = ast_pattern_tuple($name_list); }
  ;

name_list:
    name "," name                       { $$ = ast_names_add(p, ast_names_add(p, (AstNames){0}, $1), $3); }
  | name_list "," name                  { $$ = ast_names_add(p, $1, $3); }
  ;

indices:
    index                               { $$ = ast_list_add(p, (AstList){0}, $1); }
  | indices "," index                   { $$ = ast_list_add(p, $1, $3); }
  ;

index:
    name                                { $$ = ast_name(p, $name); }
  | ".."                                { $$ = ast_rest(p, @$, NULL); }
  | ".." name                           { $$ = ast_rest(p, @$, $name.name); }
  | name IN over                        { $$ = ast_binder(p, @$, $name, $over); }
  ;

states:
    state                               { $$ = ast_fields_add(p, (AstFields){0}, $1); }
  | states "," state                    { $$ = ast_fields_add(p, $1, $3); }
  ;

state:
    name "=" expr                       { $$ = ast_field($name, NULL, $expr); }
  | name ":" type "=" expr              { $$ = ast_field($name, $type, $expr); }
  ;

options:
    %empty                              { $$ = (AstFields){0}; }
  | options option                      { $$ = ast_fields_add(p, $1, $2); }
  ;

option:
    CLIP_NORM expr                      { $$ = ast_field($1, NULL, $expr); }
  | CLIP_VALUE expr                     { $$ = ast_field($1, NULL, $expr); }
  | ACCUMULATE expr                     { $$ = ast_field($1, NULL, $expr); }
  ;

paths:
    path                                { $$ = ast_list_add(p, (AstList){0}, $1); }
  | paths "," path                      { $$ = ast_list_add(p, $1, $3); }
  ;

path:
    name                                { $$ = ast_name(p, $name); }
  | path "." name                       { $$ = ast_member(p, @$, $1, $name); }
  ;

/* ---- expressions, loosest first ---- */

/* `open` ends in an expression that takes all that follows, so it only stands last. */
expr:
    pipe
  | open
  | pipe "|>" open                      { $$ = ast_pipe(p, @$, $1, $3); }
  ;

open:
    FN "(" params ")" "=" expr          { $$ = ast_lambda(p, @$, $params, $6); }
  | IF expr THEN expr ELSE open         { $$ = ast_if(p, @$, $2, $4, $6); }
  ;

pipe:
    cond
  | pipe "|>" cond                      { $$ = ast_pipe(p, @$, $1, $3); }
  ;

cond:
    or
  | IF expr THEN expr ELSE cond         { $$ = ast_if(p, @$, $2, $4, $6); }
  ;

or:
    and
  | or OR and                           { $$ = ast_binary(p, @$, OP_AST_OR, @2, $1, $3); }
  ;

and:
    not
  | and AND not                         { $$ = ast_binary(p, @$, OP_AST_AND, @2, $1, $3); }
  ;

not:
    comparison
  | NOT not                             { $$ = ast_unary(p, @$, OP_AST_NOT, @1, $2); }
  ;

comparison:
    sum
  | sum "==" sum                        { $$ = ast_binary(p, @$, OP_AST_EQ, @2, $1, $3); }
  | sum "!=" sum                        { $$ = ast_binary(p, @$, OP_AST_NE, @2, $1, $3); }
  | sum "<" sum                         { $$ = ast_binary(p, @$, OP_AST_LT, @2, $1, $3); }
  | sum "<=" sum                        { $$ = ast_binary(p, @$, OP_AST_LE, @2, $1, $3); }
  | sum ">" sum                         { $$ = ast_binary(p, @$, OP_AST_GT, @2, $1, $3); }
  | sum ">=" sum                        { $$ = ast_binary(p, @$, OP_AST_GE, @2, $1, $3); }
  ;

sum:
    term
  | sum "+" term                        { $$ = ast_binary(p, @$, OP_AST_ADD, @2, $1, $3); }
  | sum "-" term                        { $$ = ast_binary(p, @$, OP_AST_SUB, @2, $1, $3); }
  ;

term:
    unary
  | term "*" unary                      { $$ = ast_binary(p, @$, OP_AST_MUL, @2, $1, $3); }
  | term "/" unary                      { $$ = ast_binary(p, @$, OP_AST_DIV, @2, $1, $3); }
  | term "@" unary                      { $$ = ast_binary(p, @$, OP_AST_MATMUL, @2, $1, $3); }
  ;

unary:
    power
  | "-" unary                           { $$ = ast_unary(p, @$, OP_AST_NEG, @1, $2); }
  ;

/* -x^2 is -(x^2), 2^-1 is 2^(-1), a^b^c is a^(b^c) */
power:
    postfix
  | postfix "^" unary                   { $$ = ast_binary(p, @$, OP_AST_POW, @2, $1, $3); }
  ;

postfix:
    primary
  | postfix "(" args ")"                { $$ = ast_call(p, @$, $1, $args); }
  | postfix "[" items "]"               { $$ = ast_index(p, @$, $1, $items); }
  | postfix "." name                    { $$ = ast_member(p, @$, $1, $name); }
  ;

primary:
    NUMBER                              { $$ = ast_number(p, @$, $1); }
  | STRING                              { $$ = ast_string(p, @$, $1); }
  | BOOL                                { $$ = ast_bool(p, @$, $1); }
  | name                                { $$ = ast_name(p, $name); }
  | "(" expr ")"                        { $$ = $expr; }
  | "(" expr "," expr_list opt_comma ")"
                                        { $$ = ast_tuple(p, @$, $2, $4); }
  | "[" exprs "]"                       { $$ = ast_sequence(p, @$, AST_LIST, $exprs); }
  | FN "(" params ")" block             { $$ = ast_lambda(p, @$, $params, $block); }
  | SCAN name IN over WITH carries block
                                        { $$ = ast_scan(p, @$, $name, $over, $carries, $block); }
  ;

exprs:
    %empty                              { $$ = (AstList){0}; }
  | expr_list opt_comma
  ;

expr_list:
    expr                                { $$ = ast_list_add(p, (AstList){0}, $1); }
  | expr_list "," expr                  { $$ = ast_list_add(p, $1, $3); }
  ;

args:
    %empty                              { $$ = (AstFields){0}; }
  | arg_list opt_comma
  ;

arg_list:
    arg                                 { $$ = ast_fields_add(p, (AstFields){0}, $1); }
  | arg_list "," arg                    { $$ = ast_fields_add(p, $1, $3); }
  ;

arg:
    expr                                { $$ = ast_field(none, NULL, $expr); }
  | name "=" expr                       { $$ = ast_field($name, NULL, $expr); }
  ;

carries:
    carry                               { $$ = ast_fields_add(p, (AstFields){0}, $1); }
  | carries "," carry                   { $$ = ast_fields_add(p, $1, $3); }
  ;

carry:
    name "=" expr                       { $$ = ast_field($name, NULL, $expr); }
  ;

items:
    item_list opt_comma
  ;

item_list:
    item                                { $$ = ast_list_add(p, (AstList){0}, $1); }
  | item_list "," item                  { $$ = ast_list_add(p, $1, $3); }
  ;

/* what stands between the brackets of an index; `..i` is indices where i is a name, a range otherwise */
item:
    expr
  | name IN over                        { $$ = ast_binder(p, @$, $name, $over); }
  | ":"                                 { $$ = ast_range(p, @$, NULL, NULL, NULL); }
  | ":" BY sum                          { $$ = ast_range(p, @$, NULL, NULL, $3); }
  | sum ".."                            { $$ = ast_range(p, @$, $1, NULL, NULL); }
  | sum ".." BY sum                     { $$ = ast_range(p, @$, $1, NULL, $4); }
  | sum ".." sum                        { $$ = ast_range(p, @$, $1, $3, NULL); }
  | sum ".." sum BY sum                 { $$ = ast_range(p, @$, $1, $3, $5); }
  | ".."                                { $$ = ast_rest(p, @$, NULL); }
  | ".." sum                            { $$ = ast_rest_or_range(p, @$, $2); }
  | ".." sum BY sum                     { $$ = ast_range(p, @$, NULL, $2, $4); }
  ;

/* what a loop or an index runs over */
over:
    expr
  | sum ".." sum                        { $$ = ast_range(p, @$, $1, $3, NULL); }
  | sum ".." sum BY sum                 { $$ = ast_range(p, @$, $1, $3, $5); }
  ;

/* ---- names ---- */

name:
    NAME | IMPORT | EXPORT | LOSS | LAYER | MODEL | OPTIMIZER | DATA | TRAIN
  ;

decl_name:
    name | BY | CLIP_NORM | CLIP_VALUE | ACCUMULATE
  ;

opt_comma:
    %empty
  | ","
  ;

%%

static int lang_lex(Value *value, Span *at, Parser *p) {
    Token t = layout_next(p);
    *value = t.value;
    *at = t.at;
    return t.kind;
}

/* Bison calls this itself only where its stack is full. */
static void lang_error(const Span *at, Parser *p, const char *message) {
    (void)message;
    layout_too_deep(p, *at, PARSE_MAX_NESTING);
}

static int yyreport_syntax_error(const yypcontext_t *context, Parser *p) {
    yysymbol_kind_t kinds[YYNTOKENS];
    const char *expected[YYNTOKENS];
    int n = yypcontext_expected_tokens(context, kinds, YYNTOKENS);
    if (n < 0) return n;
    for (int i = 0; i < n; i++) expected[i] = yysymbol_name(kinds[i]);
    syntax_error(p, expected, n);
    return 0;
}

const char *token_text(int kind) { return yysymbol_name(YYTRANSLATE(kind)); }
