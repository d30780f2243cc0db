#!/bin/sh
# stdlib/REFERENCE.md is what `nnc doc` prints; NNC_REGENERATE=1 writes it.
. "$SOURCE/tests/cli/lib.sh"
"$NNC" doc >library.md || fail "nnc doc: $(head -n 3 library.md)"
if [ -n "${NNC_REGENERATE:-}" ]; then
    cp library.md "$SOURCE/stdlib/REFERENCE.md"
else
    diff "$SOURCE/stdlib/REFERENCE.md" library.md >difference.txt ||
        fail "stdlib/REFERENCE.md is not what nnc doc prints (NNC_REGENERATE=1 writes it): $(head -n 6 difference.txt)"
fi
printf '## Twice.\nfn twice(x) = 2 * x\n' >own.nn
"$NNC" doc own.nn | grep -qF '| `fn twice(x)` | Twice. |' || fail "nnc doc of a file: $("$NNC" doc own.nn)"
expect_error 1 "absent.nn" "$NNC" doc absent.nn
printf 'fn twice(x) 2\n' >wrong.nn
expect_error 1 "wrong.nn:1:13" "$NNC" doc wrong.nn
finish
