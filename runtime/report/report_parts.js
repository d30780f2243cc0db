// Small things: elements, numbers as text, what the data are written as, the theme.

const data = JSON.parse(document.getElementById("data").textContent);

// An element: el("p.note", {title: "…"}, "text", child, …)
function el(what, attributes, ...children) {
    const [tag, ...classes] = what.split(".");
    const svg = ["svg", "path", "rect", "line", "g", "text", "tspan"].includes(tag);
    const e = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    if (classes.length) e.setAttribute("class", classes.join(" "));
    for (const [name, value] of Object.entries(attributes || {})) {
        if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
        else if (value !== null && value !== undefined && value !== false) e.setAttribute(name, value === true ? "" : value);
    }
    e.append(...children.flat(Infinity).filter(c => c !== null && c !== undefined && c !== false));
    return e;
}

/* ---- numbers ---- */

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// base64 of little-endian f32; null where a number is not finite
function floats(text) {
    const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Array.from({length: bytes.length / 4}, (_, i) => {
        const v = view.getFloat32(4 * i, true);
        return Number.isFinite(v) ? v : null;
    });
}

function grouped(v) { return String(Math.round(v)).replace(/\B(?=(\d{3})+$)/g, "\u2009"); }

// four digits that count; powers of ten where there would be many zeros
function number(v, precision = 4) {
    if (v === null || v === undefined || !Number.isFinite(v)) return "–";
    const size = Math.abs(v);
    if (size !== 0 && (size < 1e-3 || size >= 1e7)) {
        const [mantissa, power] = v.toExponential(precision - 2).split("e");
        return (mantissa + "e" + String(+power)).replace(/-/g, "−");
    }
    if (size >= 10 ** (precision - 1) || Number.isInteger(v)) return grouped(v).replace("-", "−");
    return v.toPrecision(precision).replace("-", "−");
}

function percent(v) {
    if (!Number.isFinite(v)) return "–";
    return (v === 0 || v === 1 ? 100 * v : v > 0.995 ? Math.min(99.9, 100 * v).toFixed(1) : (100 * v).toFixed(1)) + "\u2009%";
}

function bytes(n) {
    const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let k = 0;
    while (n >= 1024 && k < units.length - 1) n /= 1024, k++;
    return (k === 0 ? grouped(n) : n.toPrecision(3 + (n >= 1000))) + " " + units[k];
}

function duration(s) {
    if (s < 0.1) return (1000 * s).toPrecision(2) + " ms";
    if (s < 100) return s.toPrecision(3) + " s";
    const minutes = Math.floor(s / 60);
    if (minutes < 100) return `${minutes} min ${Math.round(s - 60 * minutes)} s`;
    return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function count(n, one, many = one + "s") { return grouped(n) + " " + (n === 1 ? one : many); }

/* ---- the theme ---- */

const root = document.documentElement;
const repaints = []; // called when the theme has changed

function systemTheme() { return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"; }

function setTheme(theme) {
    root.dataset.theme = theme;
    for (const repaint of repaints) repaint();
}

function keptTheme() {
    try {
        return localStorage.getItem("nnc-theme");
    } catch {
        return null; // pages from files may have no storage
    }
}

function toggleTheme() {
    const theme = root.dataset.theme === "dark" ? "light" : "dark";
    setTheme(theme);
    try {
        localStorage.setItem("nnc-theme", theme);
    } catch {
        // it holds for this visit
    }
}

root.dataset.theme = keptTheme() || systemTheme();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => keptTheme() || setTheme(systemTheme()));

function colour(name) { return getComputedStyle(root).getPropertyValue("--" + name).trim(); }
function hue(i) { return colour("hue" + i % 6); }

/* ---- tables ---- */

// columns: [heading, class or null, row => cell]
function table(columns, rows) {
    return el("div.scroll", null, el("table.table", null,
        el("thead", null, el("tr", null, columns.map(([name, style]) => el("th" + (style === "number" ? ".number" : ""), null, name)))),
        el("tbody", null, rows.map(row => el("tr", null,
            columns.map(([, style, cell]) => el("td" + (style ? "." + style : ""), null, cell(row))))))));
}

function facts(pairs) {
    return el("dl.facts", null, pairs.map(([name, value]) => [el("dt", null, name), el("dd", null, value)]));
}

function card(title, ...children) { return el("div.card", null, title && el("h3", null, title), children); }

function section(id, title, note, ...children) {
    return el("section", {id}, el("h2", null, title), note && el("p.note", null, note), children);
}
