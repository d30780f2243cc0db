#!/bin/sh
# Installs what is missing on Debian 12, builds nnc and trains two of the examples.
set -eu
cd "$(dirname "$0")/.."
sh tests/setup.sh
cmake --preset release >/dev/null
cmake --build --preset release
build/nnc train examples/logistic_newton.nn
build/nnc train examples/digits.nn
