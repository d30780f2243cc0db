"""Opens a report in a browser and uses it as a reader would: look.py PAGE [FOLDER for screenshots]."""
import sys

import browser

CENTRE = """(e => { e.scrollIntoView({block: "center", behavior: "instant"}); const r = e.getBoundingClientRect();
             return [r.left, r.top + r.height / 2, r.width]; })"""
KEYS = "charts[0].keys.map(k => k.lastChild.textContent).join()"
PLACE = "charts[0].place.textContent"
SCALE = "[charts[0].plot.scales.x.min, charts[0].plot.scales.x.max]"
# how many colours the chart's canvas has
COLOURS = """charts.map(c => { const k = c.plot.ctx.canvas;
    return new Set(new Uint32Array(c.plot.ctx.getImageData(0, 0, k.width, k.height).data.buffer)).size; })"""

failures = []


def expect(good, what):
    if not good:
        failures.append(what)


def pointer(b):
    left, y, width = b.value(CENTRE + "(charts[0].plot.over)")
    at_rest = b.value(PLACE)
    b.mouse("mouseMoved", left + width * 0.3, y)
    b.settle()
    step = b.value("charts[0].plot.data[0][charts[0].plot.cursor.idx]")
    expect(b.value(PLACE) != at_rest and str(step) in b.value(PLACE).replace("\u2009", ""), "the pointer shows its step")
    shown = b.value("number(charts[0].plot.data[charts[0].shown[0]][charts[0].plot.cursor.idx])")
    expect(b.value(KEYS) == shown, "the pointer shows the value there")
    whole = b.value(SCALE)
    b.drag(left + width * 0.3, left + width * 0.6, y)
    part = b.value(SCALE)
    expect(whole[0] < part[0] < part[1] < whole[1], f"dragging zooms: {whole} to {part}")
    expect(not b.value("charts[0].reset.hidden"), "a way back from the zoom")
    b.value("charts[0].reset.click()")
    b.settle()
    expect(b.value(SCALE) == whole and b.value("charts[0].reset.hidden"), "the way back leads back")
    expect(b.value("""(() => { const s = document.querySelector("#curves input[type=range]"), before = charts[0].plot.data.at(-1).join();
        s.value = 0.98; s.dispatchEvent(new Event("input")); return before !== charts[0].plot.data.at(-1).join(); })()"""), "smoothing")
    expect(b.value("""(() => { const s = document.querySelector("#curves input[type=checkbox]"); s.click();
        return charts[0].plot.scales.y.distr; })()""") == 3, "a logarithmic scale")


def theme(b):
    ground = "getComputedStyle(document.body).backgroundColor"
    before = b.value(ground)
    left, y, width = b.value(CENTRE + "(document.querySelector('.top button'))")
    for kind in ("mousePressed", "mouseReleased"):
        b.mouse(kind, left + width / 2, y, "left", 1)
    b.settle()
    expect(b.value(ground) != before, "the button changes the theme")
    b.value("toggleTheme()")
    expect(b.value(ground) == before, "and changes it back")


def sections(b):
    ids = b.value("[...document.querySelectorAll('section')].map(s => s.id).join()")
    expect(ids == "curves,mistakes,weights,model,run", f"the sections are {ids}")
    expect(b.value("document.querySelectorAll('.matrix td.cell').length") == 100, "a confusion matrix of 10 classes")
    expect(b.value("document.querySelectorAll('.sample .picture').length") == 24, "24 samples")
    boxes = b.value("document.querySelectorAll('.graph .box').length")
    expect(boxes == 5 and "[N, 10]" in b.value("document.querySelector('.graph').textContent"), f"the model's graph: {boxes} boxes")
    cell = CENTRE + "(document.querySelectorAll('.matrix td.cell')[4])"
    left, y, width = b.value(cell)
    b.mouse("mouseMoved", left + width / 2, y)
    b.settle()
    expect("true 0, predicted 4" in b.value("document.querySelector('.reading').textContent"), "a cell says what it is")
    text = "document.querySelector('.histograms').textContent"
    last = b.value(text)
    b.value("""(() => { const s = document.querySelector("#weights input"); s.value = 0; s.dispatchEvent(new Event("input")); })()""")
    expect(b.value(text) != last and "before training" in b.value("document.querySelector('#weights .card').textContent"), "histograms by epoch")
    b.value("[...document.querySelectorAll('#weights button')].find(k => k.textContent === 'gradients').click()")
    expect(b.value("document.querySelectorAll('.histogram rect').length") > 40, "gradients")


def look(b, page, folder, width, dark):
    name = f"{width}{'-dark' if dark else ''}"
    b.open(page, width, dark=dark)
    b.settle()
    expect(b.value("document.documentElement.scrollWidth") == width, f"nothing is wider than {width}")
    expect(min(b.value(COLOURS)) > 8, "every chart is drawn")
    expect(b.value("document.body.innerText.match(/undefined|NaN|\\[object/)") is None, "only words and numbers")
    if folder:
        b.screenshot(f"{folder}/report-{name}.png")


def main():
    program = browser.find()
    if not program:
        print("skipped: there is no chromium on this machine")
        return 0
    page, folder = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    b = browser.Browser(program)
    try:
        for width, dark in ((390, False), (1280, True), (1280, False)):
            look(b, page, folder, width, dark)
        sections(b)
        pointer(b)
        theme(b)
        outside = [u for u in b.requests if not u.startswith(("file:", "data:"))]
    finally:
        b.close()
    expect(not outside, f"the page asks for {outside}")
    expect(not b.problems, f"the console says {b.problems}")
    for what in failures:
        print("not so:", what)
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
