#!/bin/sh
# The grammar in lang/REFERENCE.md is that of lang/parser.y; NNC_REGENERATE=1 writes it.
. "$SOURCE/tests/cli/lib.sh"
reference=$SOURCE/lang/REFERENCE.md
awk -f "$SOURCE/lang/grammar.awk" "$SOURCE/lang/parser.y" >grammar.txt
[ "$(wc -l <grammar.txt)" -gt 50 ] || fail "grammar.awk found no grammar"
awk -v grammar=grammar.txt '
    /^```ebnf$/ { print; while ((getline line < grammar) > 0) print line; skip = 1; next }
    /^```$/ { skip = 0 }
    !skip' "$reference" >with_grammar.md
if [ -n "${NNC_REGENERATE:-}" ]; then
    cp with_grammar.md "$reference"
else
    diff "$reference" with_grammar.md >difference.txt ||
        fail "the grammar in REFERENCE.md is not parser.y's (NNC_REGENERATE=1 writes it): $(head -n 6 difference.txt)"
fi
finish
