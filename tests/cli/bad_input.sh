#!/bin/sh
# Bad input gets one clear error with its place, exit status 1 (2 for the command line), and nothing is written.
. "$SOURCE/tests/cli/lib.sh"
nn() { printf '%b' "$2" >"$1"; }
model='model m(x: [N, 2]) -> [N, 3] = Dense(3)(x)\n'
loop='train {\n    for (x, y) in d {\n        minimize cross_entropy(m(x), y) using GD(0.1)\n    }\n}\n'

expect_error 2 "is not a command" "$NNC" trian x.nn
expect_error 2 "no option '--epoch'" "$NNC" train x.nn --epoch 3
expect_error 2 "needs a file" "$NNC" train
expect_error 2 "'--epochs' needs a whole number of 1 or more, not 'none'" "$NNC" train x.nn --epochs none
expect_error 2 "a top-level \`let\` of the program is given a value with --set lr=" "$NNC" train x.nn --lr 0.1
expect_error 1 "absent.nn" "$NNC" train absent.nn
mkdir folder.nn
expect_error 1 "is a directory" "$NNC" check folder.nn
: >empty.nn
expect_error 1 "is empty" "$NNC" check empty.nn
printf 'let a = 1\nlet b = "\377"\n' >bytes.nn
expect_error 1 "bytes.nn:2:10" "$NNC" check bytes.nn
printf 'let a = 1\nlet b\0 = 2\n' >nul.nn
expect_error 1 "nul.nn:2" "$NNC" check nul.nn
{ printf 'let a = '; head -c 100000 /dev/zero | tr '\0' '('; } >deep.nn
expect_error 1 "nested" "$NNC" check deep.nn
{ seq 20000 | sed 's/.*/let a& = 1 + a/' | awk '{ print $0 NR + 1 }'; echo 'let a20001 = 1'; } >chain.nn
expect_error 1 "nested" "$NNC" check chain.nn
nn a.nn 'import "b.nn"\n'
nn b.nn 'import "a.nn"\n'
expect_error 1 "import" "$NNC" check a.nn

nn gone.nn "data d = csv(\"gone.csv\", target = \"y\")\n$model$loop"
expect_error 1 "gone.csv" "$NNC" train gone.nn
nn clip.nn "data d = csv(\"three.csv\", target = \"y\")\n${model}train {\n    for (x, y) in d {\n        minimize cross_entropy(m(x), y) using GD(0.1) clip_norm -1\n    }\n}\n"
nn three.csv 'a,b,y\n1,2,0\n1,1,1\n0,1,2\n'
expect_error 1 "'clip_norm' must be above 0" "$NNC" check clip.nn
nn ragged.nn "data d = csv(\"ragged.csv\", target = \"y\")\n$model$loop"
nn ragged.csv 'a,b,y\n1,2,0\n1,1\n'
expect_error 1 "ragged.csv:3" "$NNC" train ragged.nn
nn ragged.csv 'a,b,y\n1,2,0\n1,x,1\n2,3,1\n'
nn labels.nn "data d = csv(\"labels.csv\", target = \"y\")\n$model$loop"
nn labels.csv 'a,b,y\n1,2,0\n1,1,7\n'
expect_error 1 "7" "$NNC" train labels.nn
shifted=$(printf '%s' "$loop" | sed 's/, y) using/, y + 1) using/')
nn three.csv 'a,b,y\n1,2,2\n1,1,1\n0,1,0\n'
nn shifted.nn "data d = csv(\"three.csv\", target = \"y\")\n$model$shifted"
expect_error 1 "the label 2 makes this 3, and only 0 to 2 can be picked" "$NNC" train shifted.nn
expect_error 1 "shifted.nn:5:38" "$NNC" train shifted.nn
expect_error 1 "three.csv: sample 1" "$NNC" train shifted.nn
nn wide.nn "data d = csv(\"wide.csv\", target = \"y\")\n$model$loop"
nn wide.csv 'a,b,c,y\n1,2,3,0\n1,1,1,1\n'
expect_error 1 "wide.nn" "$NNC" train wide.nn
nn idx.nn "data d = zip(idx(\"i.gz\"), idx(\"l\"))\n$model$loop"
printf '\037\213\010truncated' >i.gz
printf '\000\000\010\001\000\000\000\002\000\001' >l
expect_error 1 "i.gz" "$NNC" train idx.nn
nn shape.nn 'model m(x: [N, 784]) -> [N, 10] {\n    let h = Dense(500)(x)\n    param w2: [400, 10] = 0\n    return h @ w2\n}\nexport fn f(x: [N, 784]) = m(x)\n'
expect_error 1 "500 and 400 differ" "$NNC" check shape.nn
expect_error 1 "shape.nn:4" "$NNC" check shape.nn
nn huge.nn 'model m(x: [N, 4]) = Dense(30000000000000)(x)\nexport fn f(x: [N, 4]) = m(x)\n'
expect_error 1 "not enough memory: parameters and states need 545.7 TiB" "$NNC" compile huge.nn --init
{
    echo 'export fn f() { let x = ones([2]); let e = sum(sin(x)^3)'
    for order in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do echo 'e = sum(grad(e, x)^2)'; done
    echo 'return e }'
} >orders.nn
expect_error 1 "a gradient with expressions nested" "$NNC" run orders.nn f
expect_error 1 "must be [N, 64], and this is []" "$NNC" run "$SOURCE/examples/digits.nn" classify --arg pixels=3
expect_error 1 "no trained weights" "$NNC" eval "$SOURCE/examples/digits.nn"
sed 's/epochs = 30/epochs = 30; memory = 1KiB/; s|"data/|"'"$SOURCE"'/examples/data/|' "$SOURCE/examples/digits.nn" >budget.nn
expect_error 1 "\`memory\` allows 1.00 KiB" "$NNC" train budget.nn
# where a folder, a run or a table should be, and something else is
sed 's|"data/|"'"$SOURCE"'/examples/data/|' "$SOURCE/examples/digits.nn" >digits.nn
expect_error 1 "digits.nn: a folder is to be made here, and there is a file of that name" "$NNC" train digits.nn --out digits.nn
expect_error 1 "nnc verify takes the folder of a run" "$NNC" verify .
gzip -c "$SOURCE/examples/data/digits.csv" >digits.csv.gz
sed 's|csv("[^"]*"|csv("digits.csv.gz"|' digits.nn >packed.nn
expect_error 1 "digits.csv.gz: is compressed by gzip: a table must be unpacked first" "$NNC" train packed.nn
nn dot.nn 'data d = idx(".")\n'"$model$loop"
expect_error 1 ": is a folder, not a file" "$NNC" train dot.nn
nn mode.nn 'export fn f(x: [1, 8, 8, 3]) = Upsample("bilnear", 2)(x)\n'
expect_error 1 "'bilinear', 'trilinear', 'bicubic', 'area', not the string \"bilnear\"" "$NNC" check mode.nn
nn bag.nn 'export fn f(x: int[1, 8]) = EmbeddingBag(8, 8, "average")(x)\n'
expect_error 1 "this must be one of 'sum', 'mean', 'max', not the string \"average\"" "$NNC" check bag.nn
nn edge.nn 'export fn f(x: [1, 8, 3]) = extend(x, [0, 1, 0], "wrap")\n'
expect_error 1 "this must be one of 'reflect', 'replicate', 'circular', not the string \"wrap\"" "$NNC" check edge.nn
nn cycle.nn 'export fn f() = cyclical(0, 1, 10, mode = "triangular3", t = 3)\n'
expect_error 1 "this must be one of 'triangular', 'triangular2', 'exp_range', not" "$NNC" check cycle.nn
nn one.nn 'export fn f() = one_cycle(1, 10, shape = "lineal", t = 3)\n'
expect_error 1 "this must be one of 'cosine', 'linear', not" "$NNC" check one.nn
for layer in 'Conv2d(3, 3' 'MaxPool2d(3' 'ConvTranspose2d(3, 3'; do
    nn padding.nn "export fn f(x: [1, 8, 8, 3]) = $layer, padding = \"smae\")(x)\n"
    expect_error 1 "'padding' of 'both' must be a whole number, not the string \"smae\"" "$NNC" check padding.nn
done
nn factor.nn 'export fn f(x: [1, 8, 8, 3]) = Upsample(factor = bilinear)(x)\n'
expect_error 1 "'factor' of 'scale_factor' must be a number, not the string \"bilinear\"" "$NNC" check factor.nn
nn call.nn 'export fn f(x: [4], scale = 2) = x * scale\n'
expect_error 1 "'f' has no argument 'scael'" "$NNC" run call.nn f --arg scael=3
grep -q "did you mean 'scale'" err.txt || fail "no suggestion: $(cat err.txt)"
nn warns.nn 'export fn f() {\n    let unused = 1\n    return 2\n}\n'
"$NNC" check warns.nn 2>err.txt || fail "a warning is no error"
grep -q "warning: 'unused' is never used" err.txt || fail "no warning: $(head -n 3 err.txt)"
"$NNC" run warns.nn f --quiet >out.txt 2>err.txt && [ "$(cat out.txt)" = 2 ] || fail "run: $(cat out.txt err.txt)"
[ -s err.txt ] && fail "a warning in spite of --quiet: $(head -n 3 err.txt)"
[ -e runs ] && fail "an error left something behind: $(find runs)"
finish
