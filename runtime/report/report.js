// The page: what there is of a run, block by block.

/* ---- head ---- */

function tiles(block) {
    const last = block.epochs[block.epochs.length - 1];
    if (!last) return null;
    const first = block.epochs[0];
    return el("div.tiles", null, block.reports.map((r, i) => {
        const values = block.epochs.map(row => row[3 + i]);
        return el("div.card.tile", null, el("div.name", {title: r.name}, r.name), spark(values),
            el("div.value", null, number(last[3 + i])),
            el("div.from", null, block.epochs.length > 1 ? `${number(first[3 + i])} in epoch ${first[0]}` : `epoch ${first[0]}`));
    }).slice(0, 7), el("div.card.tile", null, el("div.name", null, "speed"),
        el("div.value", null, number(block.epochs.reduce((s, row) => s + row[2], 0) / block.epochs.length, 4)),
        el("div.from", null, "samples/s in training")));
}

function spark(values) {
    const known = values.filter(v => v !== null), low = Math.min(...known), high = Math.max(...known);
    if (known.length < 3 || high === low) return null;
    const step = Math.max(1, Math.floor(values.length / 100));
    const points = values.map((v, i) => v === null || i % step ? null : `${(76 * i / (values.length - 1)).toFixed(1)} ${(28 - 26 * (v - low) / (high - low)).toFixed(1)}`);
    return el("svg", {viewBox: "0 0 76 30", "aria-hidden": "true"}, el("path", {d: "M" + points.filter(p => p).join("L")}));
}

function head(block) {
    const state = block.state || "running";
    const steps = Math.max(0, ...block.curves.map(c => c.first + (floats(c.mean).length - (c.held > 0)) * c.width + c.held));
    const parts = [
        count(block.epochs.length, "epoch"), steps ? count(steps, "step") : null, count(data.parameters, "parameter"),
        duration(data.seconds), new Date(data.updated).toLocaleString([], {dateStyle: "medium", timeStyle: "short"}),
    ];
    const toggle = el("button.button", {type: "button", id: "theme", onclick: toggleTheme});
    const name = () => { toggle.textContent = root.dataset.theme === "dark" ? "☀ light" : "☾ dark"; };
    repaints.push(name);
    name();
    document.title = `${data.title} – nnc`;
    document.getElementById("head").replaceChildren(el("div.top", null,
        el("div", null, el("h1", null, data.title, el("span.pill." + state, null, state)),
            el("p.under", null, parts.filter(p => p).map(p => el("span", null, p)))), toggle));
}

/* ---- mistakes ---- */

function className(c, i) {
    const name = c.names ? c.names[i] : String(i);
    return {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}[name] ?? name;
}

function mistakes(c) {
    return el("div", null, el("h3", null, c.confused.length ? "Most frequent mistakes" : "No mistakes"),
        el("table.list", null, el("tbody", null, c.confused.map(([label, predicted, n, share]) => el("tr", null,
            el("td", null, className(c, label), el("span.arrow", null, "→"), className(c, predicted)),
            el("td", null, `${grouped(n)}, ${percent(share)}`))))));
}

function matrix(c) {
    const n = c.classes, small = n > 24;
    const sums = c.matrix.map(row => row.reduce((a, b) => a + b, 0));
    const columns = c.matrix.map((_, k) => c.matrix.reduce((s, row) => s + row[k], 0));
    const reading = el("p.reading", {"aria-live": "polite"}, "Rows are the true classes, columns the predicted ones; colours are shares of the row.");
    const rest = reading.textContent;
    const turned = !small && c.matrix.some((_, k) => className(c, k).length > 4);
    const cell = (i, k) => {
        const share = sums[i] ? c.matrix[i][k] / sums[i] : 0;
        const strength = i === k ? 0.08 + 0.86 * share : Math.min(1, 0.1 + 1.3 * Math.sqrt(share));
        const text = `true ${className(c, i)}, predicted ${className(c, k)}: ${count(c.matrix[i][k], thing(c))}, ${percent(share)} of the row`;
        const td = el("td.cell" + (c.matrix[i][k] ? strength > 0.66 ? ".strong" : "" : ".zero"), {
            "aria-label": text, title: small ? text : null,
            onmouseenter: () => { reading.textContent = text; }, onmouseleave: () => { reading.textContent = rest; },
        }, small ? "" : c.matrix[i][k] ? grouped(c.matrix[i][k]) : "·");
        if (c.matrix[i][k]) td.style.background = `rgba(var(--${i === k ? "right" : "wrong"}), ${strength.toFixed(3)})`;
        return td;
    };
    const heads = c.matrix.map((_, k) => el("th" + (turned ? ".turned" : ""), {title: className(c, k)}, small ? "" : el("span", null, className(c, k))));
    const body = c.matrix.map((_, i) => el("tr", null, el("th", {title: className(c, i)}, small && i % 5 ? "" : className(c, i)),
        c.matrix.map((_, k) => cell(i, k)), small ? null : el("td.edge", null, sums[i] ? percent(c.matrix[i][i] / sums[i]) : "–")));
    return el("div", null, el("div.scroll", null, el("table.matrix" + (small ? ".small" : ""), null,
        el("thead", null, el("tr", null, el("th"), heads, small ? null : el("th.edge", null, "recall"))), el("tbody", null, body),
        small ? null : el("tfoot", null, el("tr", null, el("th", null, "precision"),
            c.matrix.map((_, k) => el("td", null, columns[k] ? Math.round(100 * c.matrix[k][k] / columns[k]) : "–")), el("td.edge", null, "%"))))), reading);
}

// Numbers as a picture: a square where they make one, else a curve.
function drawn(values) {
    const side = Math.sqrt(values.length), square = Number.isInteger(side) && side >= 6;
    const known = values.filter(v => v !== null), low = Math.min(...known), high = Math.max(...known), span = high - low || 1;
    if (!square) {
        const points = values.map((v, i) => `${(100 * (i + 0.5) / values.length).toFixed(2)} ${(94 - 88 * ((v ?? low) - low) / span).toFixed(2)}`);
        return el("svg", {viewBox: "0 0 100 100", preserveAspectRatio: "none", width: "100%", height: "100%"},
            el("path", {d: "M" + points.join("L"), fill: "none", stroke: "var(--hue0)", "stroke-width": 1.5, "vector-effect": "non-scaling-stroke"}));
    }
    const canvas = el("canvas", {width: side, height: side}), context = canvas.getContext("2d"), image = context.createImageData(side, side);
    values.forEach((v, i) => {
        const level = v === null ? 0 : Math.round(255 * (v - low) / span);
        image.data.set([level, level, level, 255], 4 * i);
    });
    context.putImageData(image, 0, 0);
    return canvas;
}

function sample(c, s) {
    const right = s.label === s.predicted;
    return el("figure.sample", {title: `row ${s.row} of the data` + (s.place === undefined ? "" : `, place ${s.place}`)},
        s.picture || s.numbers ? el("div.picture", null, s.picture ? el("img", {src: s.picture, alt: `sample ${s.row}`}) : drawn(floats(s.numbers))) : null,
        s.text ? el("div.text", null, s.text) : null,
        el("figcaption", null,
            el("div.what", null, className(c, s.label), el("span.arrow", null, "→"), el("span.got" + (right ? ".fine" : ""), null, className(c, s.predicted))),
            el("div.how", null, `loss ${number(s.loss, 3)}`), el("div.how", null, `${percent(s.p_predicted)} sure`)));
}

// What has a label: a sample, or one of its places.
function thing(c) { return c.places > 1 ? "label" : "sample"; }

function mistakesSection(c) {
    const share = c.right / c.judged;
    const note = `${grouped(c.right)} of ${grouped(c.judged)} ${thing(c)}s of the evaluating loop are classified right, ${percent(share)}`
        + (c.looked_at < c.count ? `; the first ${grouped(c.looked_at)} of ${count(c.count, "sample")} were looked at.` : ".")
        + (c.threshold === undefined ? "" : ` A score above ${c.threshold} is taken for class 1.`)
        + (c.best_epoch ? " The weights are those of the best epoch." : "");
    return section("mistakes", "What it gets wrong", note,
        el("div.card.wide", {style: "margin-top: 14px"}, c.matrix
            ? el("div.split", null, el("div", null, el("h3", null, "Confusion matrix"), matrix(c)), mistakes(c))
            : el("div", null, mistakes(c), el("p.note", null, `A confusion matrix of ${grouped(c.classes)} classes would be too large to read.`))),
        el("div.card", {style: "margin-top: 16px"}, el("h3", null, `The ${thing(c)}s with the highest loss`),
            el("p.note", null, "The true class, then what the model took it for and how sure it was."),
            el("div.samples", null, c.worst.map(s => sample(c, s)))));
}

/* ---- weights and gradients ---- */

function bins(text) { return Array.from(text, ch => digits.indexOf(ch) / 63); }

// The bars of histogram h and the outline of `first` over low .. high.
function bars(h, first, low, high) {
    const span = high - low || 1, at = v => 100 * (v - low) / span;
    const svg = el("svg", {viewBox: "0 0 100 66", preserveAspectRatio: "none", "aria-hidden": "true"});
    const heights = bins(h[5]), width = Math.max((at(h[1]) - at(h[0])) / heights.length, 0.4);
    heights.forEach((v, i) => v && svg.append(el("rect", {x: (at(h[0]) + i * width).toFixed(2), width: (0.94 * width).toFixed(2), y: (64 - 62 * v).toFixed(1), height: (62 * v).toFixed(1)})));
    if (first && first !== h && first[1] > first[0]) {
        const levels = bins(first[5]), step = (at(first[1]) - at(first[0])) / levels.length;
        const d = levels.map((v, i) => `L${(at(first[0]) + i * step).toFixed(2)} ${(64 - 62 * v).toFixed(1)}h${step.toFixed(2)}`).join("");
        svg.append(el("path.begin", {d: `M${at(first[0]).toFixed(2)} 64${d}L${at(first[1]).toFixed(2)} 64`}));
    }
    if (low < 0 && high > 0) svg.append(el("line.zero", {x1: at(0), x2: at(0), y1: 0, y2: 66}));
    return svg;
}

function histogram(tensor, h, all) {
    if (!h) return null;
    const known = all.filter(x => x), low = Math.min(...known.map(x => x[0])), high = Math.max(...known.map(x => x[1]));
    return el("div.histogram", null, el("div.name", {title: `${tensor.name} ${tensor.shape}`}, el("bdi", null, tensor.name)),
        bars(h, known[0], low, high),
        el("div.ends", null, el("span", null, number(low, 3)), el("span", null, number(high, 3))),
        el("div.how", null, `mean ${number(h[2], 3)}, deviation ${number(h[3], 3)}`, h[4] ? ` and ${count(h[4], "value")} not finite` : ""));
}

function weightsSection(block) {
    const shots = block.snapshots;
    if (!shots.length || !block.tensors.length) return null;
    const any = shots.some(s => s.gradients);
    let kind = "weights";
    const grid = el("div.histograms"), label = el("span"), slider = el("input", {type: "range", min: 0, step: 1, "aria-label": "epoch"});
    const buttons = ["weights", "gradients"].map(k => el("button", {type: "button", disabled: k === "gradients" && !any, onclick: () => choose(k)}, k));
    const of = () => shots.filter(s => s[kind]);
    function draw() {
        const list = of(), shot = list[+slider.value];
        label.textContent = shot.epoch === 0 ? "before training" : `after epoch ${shot.epoch}`;
        grid.replaceChildren(...block.tensors.map((t, i) => histogram(t, shot[kind][i], list.map(s => s[kind][i]))).filter(e => e));
    }
    function choose(k) {
        kind = k;
        buttons.forEach(b => b.setAttribute("aria-pressed", b.textContent === k));
        slider.max = of().length - 1;
        slider.value = slider.max;
        draw();
    }
    slider.addEventListener("input", draw);
    choose("weights");
    const note = "Each parameter’s values; the orange outline is where they began. "
        + (any ? "Gradients are those of one batch after the epoch." : "Gradients are looked at after the first epoch.");
    return section("weights", "Weights and gradients", note, el("div.card", {style: "margin-top: 14px"},
        el("div.controls", {style: "margin: 0"}, el("div.segments", null, buttons), el("label", null, slider, label)), grid));
}

/* ---- the run ---- */

function modelSection() {
    const layers = table([
        ["layer", "code", l => el("span", {style: `padding-left: ${16 * l.depth}px`}, l.path)], ["kind", null, l => l.layer],
        ["input", "shape", l => l.input || ""], ["result", "shape", l => l.result || ""],
        ["parameters", "number", l => l.parameters ? grouped(l.parameters) : "–"],
    ], data.layers);
    const graph = data.graph ? drawGraph(data.graph) : null;
    return section("model", "Model", `${count(data.parameters, "parameter")} in all; shapes are those of a training batch.`,
        graph && el("div.card.graph", {style: "margin-top: 14px"}, graph),
        data.layers.length ? el("div.card", {style: "margin-top: 14px; padding-top: 8px"}, layers) : null);
}

function memoryCard() {
    const kinds = data.memory.kinds, sum = kinds.reduce((s, [, n]) => s + n, 0);
    const colourOf = kind => `var(--hue${Math.max(0, kinds.findIndex(([name]) => name === kind)) % 6})`;
    return el("div.card.wide", null, el("h3", null, "Memory"),
        el("div.stack", {role: "img", "aria-label": "bytes by kind"}, kinds.map(([name, n]) => el("i", {title: `${name}: ${bytes(n)}`, style: `flex: ${n} 0 0; background: ${colourOf(name)}`}))),
        el("div.legend", null, kinds.map(([name, n]) => el("span", null, el("i", {style: `background: ${colourOf(name)}`}), name, el("b", null, bytes(n)))),
            el("span", null, "in all", el("b", null, bytes(sum)))),
        el("div", {style: "margin-top: 14px"}, table([
            ["largest tensors", "code", t => t.name], ["kind", null, t => t.kind], ["shape", "shape", t => t.shape], ["size", "number", t => bytes(t.bytes)],
        ], data.memory.largest)));
}

function runSection() {
    return section("run", "Run", null, el("div.cards", null, card("Settings", facts(data.settings)), card("Machine", facts(data.machine)), memoryCard(),
        data.source ? el("div.card.wide", null, el("details", null, el("summary", null, "The program"), el("pre", null, data.source))) : null));
}

/* ---- all of it ---- */

function showBlock(block) {
    charts.splice(0).forEach(c => c.plot && c.plot.destroy());
    const curves = [...stepCharts(block), ...epochCharts(block)];
    const parts = [
        block.state === "running" ? el("p.note", {style: "margin-top: 18px"}, "The run goes on: reload the page to see more of it.") : null,
        tiles(block), curves.length ? section("curves", "Curves", null, el("div.cards", null, curves.map(c => c.element))) : null,
        block.classifier ? mistakesSection(block.classifier) : null, weightsSection(block), modelSection(), runSection(),
    ].filter(p => p);
    const nav = el("nav", null, el("div", null, parts.filter(p => p.id).map(p => el("a", {href: "#" + p.id}, p.firstChild.textContent))));
    document.getElementById("main").replaceChildren(...blockTabs(block), ...parts);
    document.querySelector("nav")?.remove();
    document.getElementById("head").after(nav);
    head(block);
    curves.forEach(c => c.start());
    follow(nav);
}

function blockTabs(current) {
    if (data.blocks.length < 2) return [];
    return [el("div.tabs", null, data.blocks.map((b, i) => el("button.button", {
        type: "button", "aria-pressed": String(b === current), style: b === current ? "color: var(--text); border-color: var(--hue0)" : "", onclick: () => showBlock(b),
    }, b.name || `train block ${i + 1}`)))];
}

// the link of the section in view stands out
function follow(nav) {
    const links = [...nav.querySelectorAll("a")];
    const look = new IntersectionObserver(seen => seen.forEach(s => {
        if (s.isIntersecting) links.forEach(a => a.classList.toggle("here", a.hash === "#" + s.target.id));
    }), {rootMargin: "-20% 0px -70% 0px"});
    document.querySelectorAll("section").forEach(s => look.observe(s));
}

document.getElementById("foot").append(`nnc ${data.version}. Charts by `, el("a", {href: "https://github.com/leeoniya/uPlot"}, "uPlot"), `, MIT licence.`);
if (data.blocks.length) showBlock(data.blocks[data.blocks.length - 1]);
