#!/bin/sh
# Installs what is missing on Debian 12, builds with gcc, with clang and with the sanitizers, all without a warning, runs every
# test and checks the formatting.
set -eu
cd "$(dirname "$0")/.."
sh tests/setup.sh tests

echo "== formatting"
git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format-19 --dry-run --Werror

# build PRESET: all of it, quietly; what was printed where it fails.
build() {
    echo "== build: $1"
    cmake --preset "$1" -DNNC_WERROR=ON >build.log 2>&1 && cmake --build --preset "$1" >>build.log 2>&1 || {
        cat build.log
        exit 1
    }
    rm build.log
}
build release
build clang
build sanitize

echo "== tests under the address and undefined-behaviour sanitizers"
ctest --test-dir build-sanitize -j "$(nproc)" --output-on-failure --label-exclude slow
echo "== tests of the clang build"
ctest --test-dir build-clang -j "$(nproc)" --output-on-failure --tests-regex unit_
echo "== tests"
ctest --test-dir build -j "$(nproc)" --output-on-failure
