// The model as a graph: read from Graphviz's language as `nnc graph` writes it, laid out in layers, drawn as SVG.

const GAP = 26, APART = 64, ROW = 34; // between boxes of a row, of two models; between rows

function parseLabel(label) {
    const text = new DOMParser().parseFromString(`<body>${label.replace(/<BR\/>/g, "\n")}</body>`, "text/html").body;
    const lines = [[]];
    for (const part of text.childNodes)
        part.textContent.split("\n").forEach((words, i) => {
            if (i) lines.push([]);
            if (words.trim()) lines[lines.length - 1].push({words, faint: part.nodeType === Node.ELEMENT_NODE});
        });
    return lines.filter(l => l.length);
}

// {nodes: id to node, edges, clusters}; each node knows the clusters around it, outermost first
function parseGraph(dot) {
    const nodes = new Map(), edges = [], clusters = [], open = [];
    for (const line of dot.split("\n")) {
        let m;
        if (/^\s*subgraph /.test(line)) clusters.push({depth: open.length + 1, nodes: []}), open.push(clusters[clusters.length - 1]);
        else if (/^\s*}\s*$/.test(line)) open.pop();
        else if ((m = /^\s*label=<(.*)>; fillcolor/.exec(line)) && open.length) open[open.length - 1].label = parseLabel(m[1]);
        else if ((m = /^\s*(\w+) -> (\w+) \[label=" (.*?) "/.exec(line))) edges.push({from: m[1], to: m[2], label: m[3]});
        else if ((m = /^\s*(\w+) \[shape=.*?\bcolor="(#\w+)", tooltip="(.*?)".*?label=<(.*)>\]/.exec(line))) {
            const node = {id: m[1], colour: m[2], tip: m[3], lines: parseLabel(m[4]), code: /Courier/.test(line), within: [...open], in: [], out: []};
            nodes.set(node.id, node);
            open.forEach(c => c.nodes.push(node));
        }
    }
    const known = edges.filter(e => nodes.has(e.from) && nodes.has(e.to));
    return {nodes, edges: known, clusters: clusters.filter(c => c.nodes.length)};
}

const ruler = document.createElement("canvas").getContext("2d");

function lineWidth(line, code) {
    return line.reduce((s, part) => {
        ruler.font = part.faint ? "10.5px system-ui, sans-serif" : code ? "11.5px monospace" : "12.5px system-ui, sans-serif";
        return s + 7 + ruler.measureText(part.words).width;
    }, 0);
}

/* ---- layout ---- */

// The longest way from a source; what has no input stands right above what takes it.
function rank(nodes, edges) {
    edges.forEach(e => { nodes.get(e.from).out.push(e); nodes.get(e.to).in.push(e); });
    const visit = n => n.rank ??= Math.max(-1, ...n.in.map(e => visit(nodes.get(e.from)))) + 1;
    nodes.forEach(visit);
    nodes.forEach(n => { if (!n.in.length && n.out.length) n.rank = Math.min(...n.out.map(e => nodes.get(e.to).rank)) - 1; });
}

// Rows of boxes, and of places where long edges pass; each knows its neighbours above and below.
function makeRows(nodes, edges) {
    const rows = [];
    const put = n => { (rows[n.rank] ||= []).push(n); n.up = []; n.down = []; return n; };
    nodes.forEach(put);
    for (const e of edges) {
        const to = nodes.get(e.to);
        e.path = [nodes.get(e.from)];
        for (let r = e.path[0].rank + 1; r < to.rank; r++) e.path.push(put({rank: r, width: 12, height: 0, within: e.path[0].within.filter(c => to.within.includes(c))}));
        e.path.push(to);
        for (let i = 1; i < e.path.length; i++) { e.path[i - 1].down.push(e.path[i]); e.path[i].up.push(e.path[i - 1]); }
    }
    return rows;
}

function mean(list, of) { return list.reduce((s, x) => s + of(x), 0) / list.length; }

function order(rows) {
    rows.forEach(row => row.forEach((n, i) => { n.place = i; }));
    for (let pass = 0; pass < 12; pass++) {
        const down = pass % 2 === 0, near = down ? "up" : "down";
        for (const row of down ? rows : [...rows].reverse()) {
            row.forEach(n => { n.wish = n[near].length ? mean(n[near], m => m.place) : n.place; });
            row.sort((a, b) => a.wish - b.wish || a.place - b.place).forEach((n, i) => { n.place = i; });
        }
    }
}

function between(a, b) { return a.width / 2 + (a.within[0] === b.within[0] ? GAP : APART) + b.width / 2; }

// Moves boxes towards the middle of their neighbours as far as the row allows.
function placeRow(row, near) {
    row.forEach(n => { n.wish = n[near].length ? mean(n[near], m => m.x) : n.x; });
    const groups = []; // boxes that touch, placed around the mean of their wishes
    for (const n of row) {
        let g = {nodes: [n], offsets: [0], sum: n.wish, x: n.wish};
        groups.push(g);
        while (groups.length > 1) {
            const a = groups[groups.length - 2], gap = a.offsets.at(-1) + between(a.nodes.at(-1), g.nodes[0]);
            if (a.x + gap <= g.x) break;
            groups.pop();
            g.offsets.forEach((o, i) => { a.nodes.push(g.nodes[i]); a.offsets.push(gap + o); });
            a.sum += g.sum - gap * g.nodes.length;
            a.x = a.sum / a.nodes.length;
            g = a;
        }
    }
    groups.forEach(g => g.nodes.forEach((n, i) => { n.x = g.x + g.offsets[i]; }));
}

function layOut({nodes, edges, clusters}) {
    nodes.forEach(n => {
        n.width = Math.max(54, ...n.lines.map(l => lineWidth(l, n.code))) + 24;
        n.height = 15 * n.lines.length + 14;
    });
    rank(nodes, edges);
    const rows = makeRows(nodes, edges);
    order(rows);
    rows.forEach(row => row.forEach((n, i) => { n.x = i ? row[i - 1].x + between(row[i - 1], n) : 0; }));
    for (let pass = 0; pass < 16; pass++)
        for (const row of pass % 2 ? [...rows].reverse() : rows) placeRow(row, pass % 2 ? "down" : "up");
    clusters.forEach(c => {
        c.first = Math.min(...c.nodes.map(n => n.rank));
        c.last = Math.max(...c.nodes.map(n => n.rank));
    });
    let y = 0;
    rows.forEach((row, r) => {
        const begin = Math.max(0, ...row.flatMap(n => n.within.filter(c => c.first === r).length));
        const height = Math.max(...row.map(n => n.height));
        y += r ? ROW : 0;
        y += 26 * begin;
        row.forEach(n => { n.y = y + height / 2; });
        y += height + 12 * Math.max(0, ...row.flatMap(n => n.within.filter(c => c.last === r).length));
    });
    for (const c of [...clusters].reverse()) { // inner ones first
        const inner = clusters.filter(o => o !== c && o.depth > c.depth && o.nodes.every(n => c.nodes.includes(n)) && o.x0 !== undefined);
        c.x0 = Math.min(...c.nodes.map(n => n.x - n.width / 2 - 14), ...inner.map(o => o.x0 - 10));
        c.x1 = Math.max(...c.nodes.map(n => n.x + n.width / 2 + 14), ...inner.map(o => o.x1 + 10), c.x0 + lineWidth(c.label.flat(), false) + 26);
        c.y0 = Math.min(...c.nodes.map(n => n.y - n.height / 2 - 26), ...inner.map(o => o.y0 - 26));
        c.y1 = Math.max(...c.nodes.map(n => n.y + n.height / 2 + 12), ...inner.map(o => o.y1 + 12));
    }
    return rows;
}

/* ---- drawing ---- */

function textLine(line, x, y, anchor, style) {
    return el("text" + style, {x, y, "text-anchor": anchor}, line.map((part, i) => el("tspan" + (part.faint ? ".faint" : ""), {dx: i ? 7 : null}, part.words)));
}

function edgePath(e) {
    const points = e.path.map((n, i) => [n.x, i === 0 ? n.y + n.height / 2 : i === e.path.length - 1 ? n.y - n.height / 2 - 5 : n.y]);
    let d = `M${points[0]}`;
    for (let i = 1; i < points.length; i++) {
        const [[x0, y0], [x1, y1]] = [points[i - 1], points[i]], middle = (y0 + y1) / 2;
        d += `C${x0} ${middle} ${x1} ${middle} ${x1} ${y1}`;
    }
    return d;
}

function drawGraph(dot) {
    const graph = parseGraph(dot);
    if (!graph.nodes.size) return null;
    layOut(graph);
    const {nodes, edges, clusters} = graph, all = [...nodes.values()];
    const low = (...v) => Math.min(...v) - 16, high = (...v) => Math.max(...v) + 16;
    const x0 = low(...all.map(n => n.x - n.width / 2), ...clusters.map(c => c.x0)), x1 = high(...all.map(n => n.x + n.width / 2), ...clusters.map(c => c.x1), ...edges.map(e => e.path[0].x + 20 + lineWidth([{words: e.label, faint: true}])));
    const y0 = low(...all.map(n => n.y - n.height / 2), ...clusters.map(c => c.y0)), y1 = high(...all.map(n => n.y + n.height / 2), ...clusters.map(c => c.y1));
    const svg = el("svg", {viewBox: `${x0} ${y0} ${x1 - x0} ${y1 - y0}`, width: x1 - x0, height: y1 - y0, role: "img", "aria-label": "the model as a graph"});
    clusters.forEach(c => svg.append(el("rect.cluster", {x: c.x0, y: c.y0, width: c.x1 - c.x0, height: c.y1 - c.y0, rx: 10}), textLine(c.label.flat(), c.x0 + 11, c.y0 + 17, "start", ".title")));
    edges.forEach(e => svg.append(el("path.edge", {d: edgePath(e)}), el("path.tip", {d: `M${e.path.at(-1).x - 3.5} ${e.path.at(-1).y - e.path.at(-1).height / 2 - 6}l3.5 6l3.5 -6z`})));
    const said = new Set(); // a box that gives one tensor to several says its shape once
    for (const e of edges) {
        if (said.has(e.from + e.label)) continue;
        said.add(e.from + e.label);
        svg.append(textLine([{words: e.label, faint: true}], (e.path[0].x + e.path[1].x) / 2 + 7, e.path[0].y + e.path[0].height / 2 + 14, "start", ".shape"));
    }
    for (const n of all) {
        const box = el("g", null, el("title", null, n.tip), el("rect.box", {x: n.x - n.width / 2, y: n.y - n.height / 2, width: n.width, height: n.height, rx: 7, style: `--line: ${n.colour}`}));
        n.lines.forEach((line, i) => box.append(textLine(line, n.x, n.y - n.height / 2 + 18 + 15 * i, "middle", n.code ? ".code" : "")));
        svg.append(box);
    }
    return svg;
}
