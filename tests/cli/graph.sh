#!/bin/sh
# Pictures of models, functions and kernels: what stands in them, as Graphviz's own reader takes it, and every way to fail.
. "$SOURCE/tests/cli/lib.sh"
cat >deep.nn <<'EOF2'
layer Twice(units: int)(x: [N, C]) {
    let y = x |> Dense(units, relu) |> Dropout(0.5) |> Dense(units)
    return relu(x + y)
}
model net(x: [N, 8]) -> [N, 3] {
    param scale: [8] = 1
    return x * scale |> Twice(8) |> Dense(3)
}
model other(z: [N, 2]) = exp(z < 1)
model untyped(x) = Dense(3)(x)
export fn classify(x: [N, 8]) = softmax(net(x))
EOF2
grep -v untyped deep.nn >model.nn

# has TEXT FILE: the file holds it
has() { grep -qF -- "$1" "$2" || fail "no '$1' in $2"; }

"$NNC" graph model.nn -o model.dot || fail "model.dot"
has 'label=<Twice  <FONT POINT-SIZE="9" COLOR="#667080">twice1' model.dot # what calls layers is a frame
has 'w [8, 8]' model.dot
has '27 parameters' model.dot
has '179 parameters' model.dot
has '"[N, 3]"' model.dot
has 'label=<x + y>' model.dot
has 'label=<Dropout' model.dot
has 'label=<relu>' model.dot
has 'label=<scale<BR/>' model.dot
has '&lt;' model.dot
[ "$(grep -c 'subgraph' model.dot)" = 3 ] || fail "not the frames net, Twice and other"
[ "$(grep -c -- '->' model.dot)" = 12 ] || fail "$(grep -c -- '->' model.dot) edges"

"$NNC" graph model.nn classify -o classify.dot || fail "classify.dot"
has 'label=<softmax>' classify.dot
grep -q other classify.dot && fail "one by name is not alone"
"$NNC" graph "$SOURCE/examples/digits.nn" --ir -o kernels.dot || fail "kernels.dot"
has 'updates net.dense1.w' kernels.dot
has 'stdlib/layers/dense.nn:' kernels.dot
has ' FLOP' kernels.dot

if command -v dot >/dev/null; then
    for name in model classify; do
        "$NNC" graph model.nn $([ $name = model ] || echo $name) -o $name.svg || fail "$name.svg"
        has prefers-color-scheme $name.svg
        [ "$(head -c 4 $name.svg)" = "<svg" ] || fail "$name.svg begins with $(head -c 20 $name.svg)"
    done
    for file in model classify kernels; do dot -Tcanon $file.dot >/dev/null || fail "$file.dot is not Graphviz's language"; done
    expect_error 1 "cannot" "$NNC" graph model.nn -o no/such/folder/g.svg
fi
mkdir empty
expect_error 1 "'dot', which makes .svg files, is not installed" env PATH="$PWD/empty" "$NNC" graph model.nn -o no.svg
[ -e no.svg ] && fail "a picture without Graphviz"
expect_error 1 "cannot" "$NNC" graph model.nn -o no/such/folder/g.dot
expect_error 2 "'g.png' is no picture that nnc can write" "$NNC" graph model.nn -o g.png
expect_error 2 "needs a file to write" "$NNC" graph model.nn
expect_error 1 "has no model and no exported function named 'nett'" "$NNC" graph model.nn nett -o g.dot
expect_error 1 "'untyped' cannot be drawn by itself: each of its inputs needs a type" "$NNC" graph deep.nn untyped -o g.dot
"$NNC" graph deep.nn -o deep.dot || fail "deep.dot"
sed "s/deep.nn/model.nn/" deep.dot | cmp - model.dot || fail "a model that cannot be drawn is in the way of the others"
echo 'let a = 1' >none.nn
expect_error 1 "has no model and no exported function to draw" "$NNC" graph none.nn -o g.dot
finish
