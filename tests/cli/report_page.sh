#!/bin/sh
# The report in a browser: it draws, answers the pointer, and asks for nothing from outside. NNC_SCREENSHOTS names a folder to keep pictures in.
. "$SOURCE/tests/cli/lib.sh"
"$NNC" train "$SOURCE/examples/digits.nn" --epochs 20 --quiet || fail "train"
python3 "$SOURCE/tests/report/look.py" runs/digits/report.html ${NNC_SCREENSHOTS:+"$NNC_SCREENSHOTS"} || fail "the page"
finish
