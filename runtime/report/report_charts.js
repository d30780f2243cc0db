// Charts: curves with a key that follows the pointer, zoom by dragging, smoothing, a logarithmic scale.

const charts = []; // every chart on the page

repaints.push(() => charts.forEach(c => c.plot.redraw()));

// the running mean with weight s, free of its beginning's bias
function smooth(values, s) {
    let mean = 0, weight = 0;
    return values.map(v => {
        if (v === null) return null;
        mean = s * mean + (1 - s) * v;
        weight = s * weight + 1 - s;
        return mean / weight;
    });
}

function tick(v) {
    if (v === null) return "";
    const size = Math.abs(v);
    if (size >= 1e6) return (v / 1e6).toPrecision(3).replace(/\.?0+$/, "") + "M";
    if (size >= 1e4) return grouped(v);
    if (size !== 0 && size < 1e-3) return v.toExponential(1).replace(".0e", "e").replace("-", "−");
    return String(+v.toPrecision(6)).replace("-", "−");
}

function axis(extra) {
    return {
        stroke: () => colour("soft"),
        font: "11.5px system-ui, sans-serif",
        grid: {stroke: () => colour("grid"), width: 1},
        ticks: {show: false},
        ...extra,
    };
}

// lines: [{name, x, y, least, most}] over one x; y and the others are arrays as long as x
function chartSeries(lines, smoothing) {
    const series = [{}], columns = [lines[0].x], bands = [];
    const faint = line => smoothing > 0 && line.y.length > 2;
    lines.forEach((line, i) => {
        if (line.least) {
            const invisible = {stroke: "transparent", points: {show: false}, width: 0};
            series.push({...invisible}, {...invisible});
            columns.push(line.most, line.least);
            bands.push({series: [series.length - 2, series.length - 1], fill: () => hue(i) + "1f"});
        }
        if (faint(line)) {
            series.push({stroke: () => hue(i) + "50", width: 1, points: {show: false}});
            columns.push(line.y);
        }
        const few = line.x.length <= 40;
        series.push({stroke: () => hue(i), width: 1.8, key: i, points: {show: few, size: 5, fill: () => hue(i), width: 0}});
        columns.push(faint(line) ? smooth(line.y, smoothing) : line.y);
    });
    return {series, columns, bands};
}

class Chart {
    // options: {title, unit (what x counts), lines, smoothing (undefined: no slider), wide, height, sync}
    constructor(options) {
        this.options = options;
        this.lines = options.lines;
        this.smoothing = options.smoothing || 0;
        this.log = false;
        this.box = el("div");
        this.reset = el("button.button", {type: "button", hidden: true, onclick: () => this.zoomOut()}, "reset zoom");
        this.keys = this.lines.map((line, i) => el("span.key", null, el("i"), line.name, el("b")));
        this.place = el("span.key", null, el("b"));
        this.element = el("div.card.chart" + (options.wide ? ".wide" : ""), null,
            el("div.bar", null, el("h3", null, options.title), this.reset, el("div.keys", null, this.place, this.keys)),
            this.box, this.controls());
        charts.push(this);
    }

    controls() {
        const positive = this.lines.every(l => l.y.every(v => v === null || v > 0));
        const parts = [];
        if (this.options.smoothing !== undefined) {
            const slider = el("input", {type: "range", min: 0, max: 0.98, step: 0.02, value: this.smoothing});
            slider.addEventListener("input", () => this.show({smoothing: +slider.value}));
            parts.push(el("label", null, "smoothing", slider));
        }
        if (positive) {
            const box = el("input", {type: "checkbox"});
            box.addEventListener("change", () => this.show({log: box.checked}));
            parts.push(el("label", null, box, "logarithmic"));
        }
        return el("div.controls", null, parts, el("span.hint", null, matchMedia("(pointer: coarse)").matches ? "pinch to zoom" : "drag to zoom, double-click to reset"));
    }

    show(change) {
        Object.assign(this, change);
        const {min, max} = this.plot.scales.x, zoomed = !this.reset.hidden;
        this.plot.destroy();
        this.draw();
        if (zoomed) this.plot.setScale("x", {min, max});
    }

    range(u, least, most) {
        if (least === null || most === null) return [0, 1];
        if (this.log) return [least / 1.15, most * 1.15];
        const pad = most > least ? 0.06 * (most - least) : Math.abs(most) * 0.1 || 1;
        const low = least - pad;
        return [least >= 0 && low < 0 ? 0 : low, most + pad];
    }

    draw() {
        const {series, columns, bands} = chartSeries(this.lines, this.smoothing);
        const x = this.lines[0].x, pad = x.length > 1 ? 0 : 1;
        this.shown = series.map((s, i) => s.key === undefined ? -1 : i).filter(i => i >= 0);
        this.plot = new uPlot({
            width: this.box.clientWidth || 400,
            height: this.options.height || 250,
            series, bands,
            legend: {show: false},
            cursor: {
                y: false,
                sync: {key: this.options.sync, setSeries: false},
                points: {size: 7, fill: (u, i) => series[i].key === undefined ? "transparent" : hue(series[i].key), width: 0},
                drag: {x: true, y: false, setScale: true},
            },
            scales: {
                x: {time: false, range: (u, a, b) => [a - pad, b + pad]},
                y: {distr: this.log ? 3 : 1, range: (u, a, b) => this.range(u, a, b)},
            },
            axes: [
                axis({size: 30, gap: 6, space: 64, values: (u, v) => v.map(tick), incrs: [1, 2, 5].flatMap(k => [0, 1, 2, 3, 4, 5, 6, 7, 8].map(p => k * 10 ** p)).sort((a, b) => a - b)}),
                axis({
                    gap: 8, space: 38, values: (u, v) => v.map(tick),
                    size: (u, v) => 18 + 6.6 * Math.max(2, ...(v || []).map(t => t.length)),
                }),
            ],
            hooks: {
                setCursor: [u => this.read(u.cursor.idx)],
                setScale: [(u, key) => key === "x" && this.zoomed(u)],
            },
        }, columns, this.box);
        this.follow(this.plot.over);
        this.read(null);
    }

    // one finger moves the cursor as a mouse does, two zoom
    follow(over) {
        const fingers = new Map();
        let pinch = null;
        const touch = handle => e => e.pointerType === "touch" && handle(e);
        const places = () => [...fingers.values()].sort((a, b) => a - b);
        const left = e => e.clientX - over.getBoundingClientRect().left;
        over.addEventListener("pointerdown", touch(e => {
            fingers.set(e.pointerId, left(e));
            pinch = fingers.size === 2 ? places().map(x => this.plot.posToVal(x, "x")) : null;
        }));
        over.addEventListener("pointermove", touch(e => {
            fingers.set(e.pointerId, left(e));
            if (pinch) this.pinched(pinch, places(), over.clientWidth);
            else this.plot.setCursor({left: left(e), top: 1});
        }));
        for (const end of ["pointerup", "pointercancel"]) over.addEventListener(end, touch(e => {
            fingers.delete(e.pointerId);
            pinch = null;
        }));
    }

    // what was under the fingers at first stays under them
    pinched([a, b], [left, right], width) {
        if (right - left < 10) return;
        const scale = (b - a) / (right - left), x = this.lines[0].x;
        const min = Math.max(x[0], a - left * scale), max = Math.min(x[x.length - 1], a + (width - left) * scale);
        if (max > min) this.plot.setScale("x", {min, max});
    }

    zoomed(u) {
        const x = u.data[0], {min, max} = u.scales.x;
        this.reset.hidden = !(min > x[0] || max < x[x.length - 1]);
    }

    zoomOut() {
        const x = this.lines[0].x, pad = x.length > 1 ? 0 : 1;
        this.plot.setScale("x", {min: x[0] - pad, max: x[x.length - 1] + pad});
    }

    // the key shows the values under the pointer, else the last ones
    read(at) {
        const x = this.lines[0].x, i = at === null || at === undefined ? x.length - 1 : at;
        this.place.lastChild.textContent = `${this.options.unit} ${grouped(x[i])}`;
        this.keys.forEach((key, k) => {
            key.firstChild.style.background = `var(--hue${k % 6})`;
            key.lastChild.textContent = number(this.plot.data[this.shown[k]][i]);
        });
    }

    start() {
        this.draw();
        new ResizeObserver(() => {
            const width = this.box.clientWidth;
            if (width && width !== this.plot.width) this.plot.setSize({width, height: this.plot.height});
        }).observe(this.box);
    }
}

/* ---- curves ---- */

// The points of one curve by step; a run that was resumed has several pieces, the later ones hold from where they begin.
function joinPieces(pieces) {
    const all = {x: [], y: [], least: [], most: []};
    for (const p of pieces) {
        const y = floats(p.mean), least = p.least ? floats(p.least) : y, most = p.most ? floats(p.most) : y;
        const whole = y.length - (p.held > 0);
        while (all.x.length && all.x[all.x.length - 1] > p.first) for (const k in all) all[k].pop();
        y.forEach((v, i) => {
            all.x.push(p.first + (i < whole ? (i + 1) * p.width : whole * p.width + p.held));
            all.y.push(v);
            all.least.push(least[i]);
            all.most.push(most[i]);
        });
    }
    const thinned = pieces.some(p => p.least);
    return {x: all.x, y: all.y, least: thinned && all.least, most: thinned && all.most};
}

// names that share a chart: loss_D and loss_G
function byFirstWord(names) {
    const groups = new Map();
    for (const name of names) {
        const word = name.split("_")[0];
        groups.set(word, [...(groups.get(word) || []), name]);
    }
    return [...groups.values()];
}

function sameSteps(lines) { return lines.every(l => l.x.length === lines[0].x.length && l.x.every((v, i) => v === lines[0].x[i])); }

function stepCharts(block) {
    const lines = [...new Set(block.curves.map(c => c.name))].map(name => ({name, ...joinPieces(block.curves.filter(c => c.name === name))}));
    const charts = [];
    for (const names of byFirstWord(lines.map(l => l.name))) {
        const group = lines.filter(l => names.includes(l.name) && l.x.length);
        if (!group.length) continue;
        for (const part of sameSteps(group) ? [group] : group.map(l => [l]))
            charts.push(new Chart({
                title: part.map(l => l.name).join(", ") + " by step", unit: "step", lines: part, sync: "steps",
                smoothing: part[0].x.length > 60 ? 0.8 : 0, wide: charts.length === 0, height: charts.length === 0 ? 290 : 230,
            }));
    }
    return charts;
}

// Values by epoch: what a training loop reports stands beside what an evaluating loop does, and names that share a chart
// by step share one here.
function epochCharts(block) {
    const x = block.epochs.map(row => row[0]);
    if (!x.length) return [];
    const plain = r => r.trains ? r.name.replace(/^train_/, "") : r.name;
    const twins = name => block.reports.filter(r => plain(r) === name).length > 1;
    const lines = block.reports.map((r, i) => {
        const name = !twins(plain(r)) ? r.name : r.trains ? plain(r) + ", training" : plain(r) + ", evaluating";
        return {name, of: plain(r), x, y: block.epochs.map(row => row[3 + i])};
    });
    const charts = byFirstWord([...new Set(lines.map(l => l.of))]).map(names => new Chart({
        title: names.join(", ") + " by epoch", unit: "epoch", lines: lines.filter(l => names.includes(l.of)), sync: "epochs", height: 210,
    }));
    const speed = {name: "samples/s", x, y: block.epochs.map(row => row[2])};
    if (speed.y.some(v => v > 0)) charts.push(new Chart({title: "training speed", unit: "epoch", lines: [speed], sync: "epochs", height: 210}));
    return charts;
}
