#!/bin/sh
# nnc bench: whole steps and kernels, as text and as JSON, for training and for exported functions with loops.
. "$SOURCE/tests/cli/lib.sh"
cat >m.nn <<'END'
export fn product(a: [48, 64], b: [64, 40]) = relu(a @ b)
export fn walk(x: [8]) -> [5, 8] {
    return scan t in 0..5 with h = x {
        h = tanh(h)
        yield h
    }
}
END
"$NNC" bench m.nn --json --threads 2 >out.json || fail "bench"
[ "$(grep -c '"event":"bench","unit":"\(product\|walk\)"' out.json)" = 2 ] || fail "not one line for each function: $(cat out.json)"
grep -q '"kernel":"k[0-9]*_[a-z]*","seconds":[0-9.e-]*,"flops":2457[0-9]*,"bytes":[0-9]*,"at":"m.nn:1"' out.json ||
    fail "no kernel of the product with its FLOPs and line: $(cat out.json)"
[ "$(value peak_gflop_per_s <out.json)" != 0 ] || fail "no peak"
"$NNC" bench "$SOURCE/examples/digits.nn" --threads 1 >out.txt || fail "bench digits"
grep -q '^peak of 1 thread: ' out.txt || fail "no peak: $(head -n 1 out.txt)"
grep -q '% of the peak' out.txt || fail "no share of it"
grep -q 'adam.nn:' out.txt || fail "no line that a kernel comes from"
echo 'export fn same(a: [4]) = a + 1' >'a "b".nn'
"$NNC" bench 'a "b".nn' --json --threads 1 | python3 -c 'import json, sys; assert [json.loads(l)["kernels"][0]["at"] for l in sys.stdin] == ["a \"b\".nn:1"]' ||
    fail "a file whose name has quotes"
echo 'export fn half(a: [N, 1000]) = a / 2' >large.nn
expect_error 1 "not enough memory: the values of 'half' in batches of 100000000000 need 727.6 TiB" \
    "$NNC" bench large.nn --json --batch 100000000000
echo 'export fn first(a: [N, 1000]) = softmax(a, axis = 0) @ ones([1000, 10])' >large.nn
expect_error 1 "intermediate values in batches of 100000000000 need 363.8 TiB" "$NNC" bench large.nn --json --batch 100000000000
for threads in 0 1025 1000000 two; do
    expect_error 2 "'--threads' needs a whole number from 1 to 1024, not '$threads'" "$NNC" bench m.nn --threads $threads
done
expect_error 1 "neither a train block nor" "$NNC" bench "$SOURCE/stdlib/tensors/select.nn"
finish
