#!/bin/sh
# Whiles in compiled code: their values, the same bits for any number of threads and in an emitted object that needs no library,
# and an endless one that Ctrl-C ends.
. "$SOURCE/tests/cli/lib.sh"
file=$SOURCE/tests/cli/while.nn
"$NNC" compile "$file" -o while.o --cpu native --quiet 2>err.txt || fail "compile: $(cat err.txt)"
nm -u while.o | grep -v -e ' memcpy$' -e ' memset$' && fail "the object needs more than memcpy and memset"
cc -std=c11 -Wall -Wextra -Werror -I. "$SOURCE/tests/cli/while_main.c" while.o -o main || fail "the object does not link"
./main >got.txt || fail "the C program"

"$NNC" run "$file" root --arg a=2 --quiet >want.txt || fail "root"
"$NNC" run "$file" gcd --arg a=84 --arg b=36 --quiet >>want.txt || fail "gcd"
[ "$(sed -n 2p want.txt)" = 12 ] || fail "gcd(84, 36) is $(sed -n 2p want.txt)"
cmp got.txt want.txt || fail "the object's numbers are not those of the JIT"
"$NNC" run "$file" root --arg a=2 --float f64 --quiet | grep -q '^1.41421356' || fail "root in f64"
for threads in 1 2 5; do
    "$NNC" run "$file" descend --arg x=x.npy --arg y=y.npy --arg w=w.npy --arg steps=7 --threads $threads --out d.npy --quiet ||
        fail "descend with $threads threads"
    tail -c +129 d.2.npy | cmp - points.bin || fail "not the bits of the object with $threads threads"
done

timeout --preserve-status -s INT 3 "$NNC" run "$file" forever --arg x=1 --quiet
[ $? = 130 ] || fail "an endless while goes on after Ctrl-C"
cat >forever.nn <<'EOF'
data numbers = npy("x.npy")
model net(x: [N, C]) -> [N, 1] = Dense(1)(x)
optimizer Forever()(p, g) {
    let k = 0
    while k < 1 { k = 0 * k }
    p = p - k * g
}
train {
    epochs = 1
    for x in numbers { minimize sum(net(x)^2) using Forever() }
}
EOF
"$NNC" train forever.nn --quiet --out out 2>err.txt &
pid=$!
waited=0
until [ -e out/log.jsonl ] || [ $waited = 300 ]; do
    sleep 0.1
    waited=$((waited + 1))
done
kill -INT $pid # asks for the end of the step
sleep 0.5
kill -INT $pid || fail "the training ended: $(cat err.txt)"
wait $pid
[ $? = 130 ] || fail "an endless while in training goes on after Ctrl-C"
finish
