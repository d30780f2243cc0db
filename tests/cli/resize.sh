#!/bin/sh
# A terminal that changes its size during a run: the live line stays one line, and uses the room that there is.
. "$SOURCE/tests/cli/lib.sh"
cat >net.nn <<P
data points = csv("$SOURCE/examples/data/digits.csv", target = "digit")
model net(pixels: [N, 64]) -> [N, 10] = pixels / 16 |> Dense(512, relu) |> Dense(512, relu) |> Dense(10)
train {
    epochs = 1000000
    batch = 4
    for (pixels, digit) in points { minimize cross_entropy(net(pixels), digit) using SGD(1e-3) }
}
P
cat >terminal.py <<'P'
import fcntl, os, pty, re, select, signal, struct, sys, termios, time
pid, fd = pty.fork()
if pid == 0:
    os.execvpe(sys.argv[1], sys.argv[1:], dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8"))

def resize(columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))  # also sends SIGWINCH

def read(seconds):
    """What comes within that time."""
    out, end = b"", time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([fd], [], [], left)[0]:
            out += os.read(fd, 65536)
    return out.decode(errors="ignore")

def lines(text):
    """The live lines that are drawn whole: each begins at the left and clears what is behind it."""
    drawn = re.findall(r"\r([^\r\n]*?)\x1b\[K", text)
    return [l for l in (re.sub(r"\x1b\[[0-9;]*m", "", l) for l in drawn) if l]

def live(columns):
    """Some live lines in a terminal of that width; what was under way before is not looked at."""
    resize(columns)
    read(0.3)
    seen, end = [], time.monotonic() + 60
    while len(seen) < 3 and time.monotonic() < end:
        seen += lines(read(0.5))
    assert len(seen) >= 3, f"no live line in {columns} columns"
    return seen

longest = {}
for columns in (120, 40, 12, 5, 90):
    longest[columns] = max(len(l) for l in live(columns))
    assert longest[columns] < columns, (columns, longest)
assert longest[120] > longest[90] - 20 > 40 and longest[40] == 39 and longest[12] == 11, longest
os.kill(pid, signal.SIGINT)
rest, end = "", time.monotonic() + 60
while time.monotonic() < end:
    try:
        rest += os.read(fd, 65536).decode(errors="ignore")
    except OSError:
        break
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130, rest[-300:]
P
timeout 300 python3 terminal.py "$NNC" train net.nn --out run || fail "a terminal that changes its size"
finish
