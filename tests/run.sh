#!/bin/sh
# Installs what is missing on Debian 12, builds with gcc, with clang and with the sanitizers, all without a warning, runs every
# test and checks the formatting.
set -eu
cd "$(dirname "$0")/.."
sh tests/setup.sh tests

echo "== formatting"
git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format-19 --dry-run --Werror

echo "== gcc"
cmake --preset release -DNNC_WERROR=ON >/dev/null
cmake --build --preset release | tail -n 1
echo "== clang"
cmake --preset clang >/dev/null
cmake --build --preset clang | tail -n 1
echo "== sanitizers"
cmake --preset sanitize >/dev/null
cmake --build --preset sanitize | tail -n 1

echo "== tests under the address and undefined-behaviour sanitizers"
ctest --test-dir build-sanitize --output-on-failure --label-exclude slow
echo "== tests of the clang build"
ctest --test-dir build-clang --output-on-failure --label-exclude slow
echo "== tests"
ctest --test-dir build --output-on-failure
