#!/bin/sh
# Ctrl-C and SIGTERM during training: the step at hand ends, the weights are saved, and the exit status tells the signal. What
# cannot be written is one error.
. "$SOURCE/tests/cli/lib.sh"
digits=$SOURCE/examples/digits.nn

# ended_by SIGNAL STATUS: training is ended by it, leaves whole weights and says so in the log.
ended_by() {
    rm -rf out
    "$NNC" train "$digits" --epochs 1000000 --threads 2 --out out >out.txt 2>err.txt &
    pid=$!
    wait_until grep -q '"event":"epoch"' out/log.jsonl
    kill -"$1" $pid
    wait $pid
    got=$?
    [ $got = "$2" ] || fail "exit status $got, not $2, after $1: $(head -n 3 err.txt)"
    grep -q -e 'internal error' -e Sanitizer -e 'runtime error' err.txt && fail "a fault of ours after $1: $(head -n 3 err.txt)"
    tail -n 1 out/log.jsonl | grep -q '"event":"end"' || fail "the log does not end after $1"
    [ -z "$(find out -name '*.tmp')" ] || fail "$1 left something behind: $(find out)"
    "$NNC" eval "$digits" --weights out/weights.safetensors >eval.txt 2>&1 || fail "no weights after $1: $(head -n 3 eval.txt)"
}

ended_by INT 130
ended_by TERM 143

# refused TEXT COMMAND...: exit status 1 and one error, after whatever progress was printed.
refused() {
    text=$1
    shift
    "$@" >out.txt 2>err.txt
    got=$?
    [ $got = 1 ] || fail "exit status $got, not 1: $*: $(head -n 3 err.txt)"
    [ "$(grep -c '^error: ' err.txt)" = 1 ] || fail "not one error: $*: $(cat err.txt)"
    grep -qF -- "$text" err.txt || fail "no '$text' in the message of $*: $(cat err.txt)"
    grep -q -e 'internal error' -e Sanitizer -e 'runtime error' err.txt && fail "a fault of ours: $*: $(head -n 3 err.txt)"
    return 0
}

: >file
refused "file" "$NNC" train "$digits" --quiet --epochs 1 --out file/run
find_user
if [ "$user" = false ]; then
    echo "skipped: nothing is read-only to root"
else
    mkdir locked && chmod 555 locked
    refused "locked" $user "$NNC" train "$digits" --quiet --epochs 1 --out locked
    refused "locked" $user "$NNC" train "$digits" --quiet --epochs 1 --out locked/run
    refused "locked/digits.o" $user "$NNC" compile "$digits" --quiet --init -o locked/digits.o
fi
mkdir full && ln -s /dev/full full/log.jsonl
refused "full/log.jsonl" "$NNC" train "$digits" --quiet --epochs 1 --out full

# A file that may not grow stands for a full disk: no weights, no remains of them, and those from before are untouched.
"$NNC" train "$digits" --quiet --epochs 1 --out small || fail "training"
cp small/weights.safetensors before.safetensors
(
    trap '' XFSZ
    ulimit -f 8
    refused "small/" "$NNC" train "$digits" --quiet --epochs 2 --out small
    [ $failures = 0 ]
) || failures=$((failures + 1))
cmp -s small/weights.safetensors before.safetensors || fail "a full disk spoiled the weights from before"
[ -z "$(find small -name '*.tmp')" ] || fail "a full disk left something behind: $(find small)"
finish
