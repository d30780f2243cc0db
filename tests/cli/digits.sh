#!/bin/sh
# The main example learns, its weights are kept, and eval and run use them.
. "$SOURCE/tests/cli/lib.sh"
file=$SOURCE/examples/digits.nn
"$NNC" train "$file" --json >events.txt || fail "train"
accuracy=$(value accuracy <events.txt)
awk "BEGIN { exit !($accuracy >= 0.97) }" || fail "accuracy $accuracy is below 0.97"
[ -f runs/digits/weights.safetensors ] || fail "no weights"
[ "$("$NNC" eval "$file" --json 2>/dev/null | value accuracy)" = "$accuracy" ] || fail "eval does not give the accuracy of the run"
python3 - <<'P' || fail "python"
import struct
header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 64), }"
header += " " * ((64 - (11 + len(header)) % 64) % 64) + "\n"
open("x.npy", "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(4 * 64))
P
"$NNC" run "$file" classify --arg pixels=x.npy >y.txt 2>/dev/null || fail "run"
awk -F'[][, ]+' '{ s = 0; for (i = 1; i <= NF; i++) s += $i; exit !(s > 0.999 && s < 1.001) }' y.txt || fail "no probabilities: $(cat y.txt)"
finish
