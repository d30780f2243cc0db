#!/bin/sh
# Installs what a build (and, with the word `tests`, the test suite) needs on Debian 12 and is not there yet.
set -eu
build="gcc libc6-dev cmake ninja-build pkg-config flex bison llvm-19-dev zlib1g-dev libpng-dev libjpeg-dev libcjson-dev nettle-dev"
tests="libcriterion-dev clang-19 clang-format-19 libclang-rt-19-dev dataset-fashion-mnist fortunes graphviz chromium python3-venv python3-numpy"
packages=$build
[ "${1:-}" = tests ] && packages="$build $tests"
missing=""
for p in $packages; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
echo "installing:$missing"
root=""
[ "$(id -u)" = 0 ] || root=sudo
$root apt-get update -q
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $root apt-get install -q -y --no-install-recommends $missing
