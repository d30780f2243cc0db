# What the tests of the command share. NNC is the program, SOURCE the repository's root; each test works in a folder of its own.
set -u
NNC=${NNC:?the program}
SOURCE=${SOURCE:?the root of the repository}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# expect_error STATUS TEXT COMMAND...: the command fails with that status, one error that holds TEXT, and no traces of a crash.
expect_error() {
    status=$1 text=$2
    shift 2
    "$@" >out.txt 2>err.txt
    got=$?
    [ "$got" = "$status" ] || fail "exit status $got, not $status: $*: $(head -n 3 err.txt)"
    grep -qF -- "$text" err.txt || fail "no '$text' in the message of $*: $(head -n 3 err.txt)"
    grep -q -e 'internal error' -e 'AddressSanitizer' -e 'runtime error' err.txt && fail "a fault of ours: $*: $(head -n 3 err.txt)"
    [ -s out.txt ] && fail "output beside the error of $*: $(head -n 3 out.txt)"
    return 0
}

# value NAME: the last NAME in the JSON events on standard input.
value() { grep -o "\"$1\":[-0-9.e+]*" | tail -n 1 | cut -d: -f2; }

# tensors FILE: the bytes of a safetensors file's tensors.
tensors() { tail -c +$(($(od -An -tu8 -N8 "$1") + 9)) "$1"; }

# wait_until COMMAND...: until it succeeds, a minute at most.
wait_until() {
    tries=0
    until "$@" 2>/dev/null || [ $tries = 600 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
}

# $user COMMAND...: by somebody who cannot write where nobody may; root can. Empty for all but root; `false` where root cannot step down.
find_user() {
    user=
    [ "$(id -u)" = 0 ] || return 0
    chmod -R a+rX "$work"
    for user in 'setpriv --reuid=65534 --regid=65534 --clear-groups' 'runuser -u nobody --' false; do
        $user "$NNC" check "$SOURCE/examples/digits.nn" >/dev/null 2>&1 && return 0
    done
}

finish() {
    [ "$failures" = 0 ] || exit 1
    exit 0
}
