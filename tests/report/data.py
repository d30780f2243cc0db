"""Checks the data of a report: data.py PAGE [CHECK…], a check being a Python expression over what read() gives."""
import base64
import json
import re
import struct
import sys

LIMIT = 2_000_000


def read(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    found = re.findall(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)
    assert len(found) == 1, f"{len(found)} places with data"
    assert len(text) < LIMIT, f"{len(text)} bytes"
    assert not re.search(r'<(script|img|link)[^>]*(src|href)="(?!data:)', text), "something outside of the page"
    return json.loads(found[0])


def floats(text):
    raw = base64.b64decode(text)
    return struct.unpack(f"<{len(raw) // 4}f", raw)


def check_curve(c):
    n = len(floats(c["mean"]))
    assert n <= 1001, n
    for key in ("least", "most"):
        if key in c:
            assert len(floats(c[key])) == n
    if "least" in c:
        for low, mean, high in zip(floats(c["least"]), floats(c["mean"]), floats(c["most"])):
            assert not (mean < low * (1 - 1e-5) - 1e-6 or mean > high * (1 + 1e-5) + 1e-6), (low, mean, high)


def steps(c):
    """How many steps a curve stands for."""
    return (len(floats(c["mean"])) - (c["held"] > 0)) * c["width"] + c["held"]


def check_classifier(c):
    assert c["judged"] <= c["looked_at"] * c["places"] and c["looked_at"] <= c["count"]
    assert ("matrix" in c) == (c["classes"] <= 100)
    if "matrix" in c:
        assert sum(map(sum, c["matrix"])) == c["judged"]
        assert sum(c["matrix"][i][i] for i in range(c["classes"])) == c["right"]
    assert sum(pair[2] for pair in c["confused"]) <= c["judged"] - c["right"]
    for label, predicted, n, share in c["confused"]:
        assert label != predicted and n > 0 and 0 < share <= 1
        assert "matrix" not in c or c["matrix"][label][predicted] == n
    losses = [w["loss"] for w in c["worst"]]
    assert losses == sorted(losses, reverse=True) and len(losses) == min(24, c["judged"])
    for w in c["worst"]:
        assert 0 <= w["p_label"] <= w["p_predicted"] + 1e-6 <= 1 + 1e-5
        if "picture" in w:
            assert base64.b64decode(w["picture"].split(",")[1]).startswith(b"\x89PNG")


def check_histogram(h):
    least, most, mean, deviation, others, bins = h
    slack = 1e-3 * max(abs(least), abs(most)) + 1e-9
    assert least - slack <= mean <= most + slack and deviation >= 0 and others >= 0
    assert re.fullmatch(r"[A-Za-z0-9+/]{48}", bins)


def check_block(b):
    numbers = [row[0] for row in b["epochs"]]
    assert numbers == sorted(set(numbers)), numbers
    for row in b["epochs"]:
        assert len(row) == 3 + len(b["reports"])
    for c in b["curves"]:
        check_curve(c)
    epochs = [s["epoch"] for s in b["snapshots"]]
    assert epochs == sorted(set(epochs)) and len(epochs) <= 31, epochs
    for s in b["snapshots"]:
        for kind in ("weights", "gradients"):
            if kind in s:
                assert len(s[kind]) == len(b["tensors"])
                for h in s[kind]:
                    if h is not None:
                        check_histogram(h)
    if "classifier" in b:
        check_classifier(b["classifier"])


def main():
    data = read(sys.argv[1])
    for b in data["blocks"]:
        check_block(b)
    names = {"d": data, "b": data["blocks"][-1], "steps": steps, "floats": floats}
    for check in sys.argv[2:]:
        if not eval(check, names):  # the checks are the test's own
            print(f"{sys.argv[1]}: not so: {check}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
