// Two Gaussians to drag, both divergences between them, and the integrand that adds up to one.
// A Gaussian is [mean, std]; a and b stand for q and p in either order.

import { curvePath } from "./chart.js";
import {
  announcer, button, cleanups, fixed, frame, h, listen, readings, send, slider, svg, tuple,
  withReset,
} from "./controls.js";
import { clamp, logNormal } from "./maths.js";

const SPAN = [-8, 8];
const MEANS = [-4, 4];
const STDS = [0.3, 3];
const UPPER = { top: 16, base: 168 }; // pixels: the densities
const LOWER = { top: 212, base: 344 }; // the integrand
const NODES = Float64Array.from({ length: 801 }, (_, i) => SPAN[0] + (i * (SPAN[1] - SPAN[0])) / 800);

// KL(a || b) in nats.
function klGaussians([meanA, stdA], [meanB, stdB]) {
  const ratio = (stdA / stdB) ** 2;
  return 0.5 * (((meanA - meanB) / stdB) ** 2 + ratio - 1 - Math.log(ratio));
}

// a(z) log(a(z) / b(z)), in nats per unit of z.
function integrand(z, a, b) {
  const logA = logNormal(z, ...a);
  return Math.exp(logA) * (logA - logNormal(z, ...b));
}

// Its area above zero and its area below, by the trapezium rule where a has its mass.
function signedAreas(a, b, steps = 2000) {
  const width = (20 * a[1]) / steps;
  const areas = { positive: 0, negative: 0 };
  for (let i = 0; i <= steps; i++) {
    const value = integrand(a[0] - 10 * a[1] + i * width, a, b) * width;
    areas[value > 0 ? "positive" : "negative"] += Math.abs(value);
  }
  return areas;
}

const toBits = (nats) => nats / Math.LN2;
const rounded = (value) => Math.round(100 * value) / 100;
let pictures = 0; // so that each picture's hatching has a name of its own

// The two pictures, one above the other over one axis: densities with handles, and the integrand.
function twoPanels({ onMean, onStd, undo }) {
  const hatching = `vw-hatching-${++pictures}`;
  const stripe = svg("path", { d: "M0 6L6 0", style: "stroke: var(--vw-text); stroke-width: 1.3" });
  const size = { width: 6, height: 6, patternUnits: "userSpaceOnUse" };
  const defs = svg("defs", {}, svg("pattern", { id: hatching, ...size }, stripe));
  const areas = {
    positive: svg("path", { class: "vw-positive" }),
    negative: svg("path", { class: "vw-negative", fill: `url(#${hatching})` }),
  };
  const lines = {
    p: svg("path", { class: "vw-curve posterior" }),
    q: svg("path", { class: "vw-curve q" }),
    outline: svg("path", { class: "vw-curve", style: "stroke: var(--vw-text); stroke-width: 1.3" }),
  };
  const ticks = svg("g", { class: "vw-ticks" });
  const picture = svg("svg", { height: LOWER.base + 26, role: "img" },
    defs, ticks, ...Object.values(areas), ...Object.values(lines));
  const root = h("div", { class: "vw-chart" }, picture);
  let last = null;

  let width = 1; // read once a resize: reading it makes the browser lay the page out
  const toX = (z) => ((z - SPAN[0]) / (SPAN[1] - SPAN[0])) * width;
  const toZ = (x) => SPAN[0] + (x / width) * (SPAN[1] - SPAN[0]);
  const pathOf = (values, toY) => curvePath(NODES, values, toX, toY, width);

  // A handle that the pointer drags sideways; the sliders are for the keyboard.
  function handle(name, kind, onDrag) {
    const hue = name === "p" ? "--vw-q: var(--vw-posterior)" : ""; // grips are of q's colour
    const node = h("div", { class: `vw-grip vw-${kind} vw-of-${name}`, "aria-hidden": "true", style: hue });
    let offset = 0; // from where it was grasped to its middle
    const at = (event) => event.clientX - root.getBoundingClientRect().left;
    node.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      node.setPointerCapture(event.pointerId);
      offset = at(event) - parseFloat(node.style.left);
    });
    node.addEventListener("pointermove", (event) => {
      if (node.hasPointerCapture(event.pointerId)) onDrag(toZ(at(event) - offset));
    });
    root.append(node);
    return (z, y) => Object.assign(node.style, { left: `${toX(z)}px`, top: `${y}px` });
  }
  // The widths are held on the outer flanks, so that the handles of equal curves lie apart.
  const flank = { q: 1, p: -1 };
  const place = {};
  for (const name of ["p", "q"]) {
    place[name] = {
      std: handle(name, "width", (z) => onStd(name, flank[name] * (z - last[name][0]))),
      mean: handle(name, "mean", (z) => onMean(name, z)),
    };
  }

  function drawTicks(zero, scale) {
    const parts = [svg("path", { d: `M0 ${UPPER.base}H${width}M0 ${zero}H${width}` })];
    const step = width < 420 ? 4 : 2;
    for (let z = SPAN[0] + step; z < SPAN[1]; z += step) {
      const x = toX(z);
      parts.push(svg("text", { x, y: UPPER.base + 16, "text-anchor": "middle" }, fixed(z, 0)));
      parts.push(svg("path", { d: `M${x} ${UPPER.base}v4M${x} ${zero}v4` }));
    }
    parts.push(svg("text", { x: 2, y: UPPER.top - 4 }, "density"));
    parts.push(svg("text", { x: width - 4, y: UPPER.base + 16, "text-anchor": "end" }, "z"));
    parts.push(svg("text", { x: 2, y: LOWER.top - 6 }, scale));
    ticks.replaceChildren(...parts);
  }

  function draw(state) {
    last = state;
    if (width === 1) return; // not laid out yet: refit will draw
    const density = (name) => NODES.map((z) => Math.exp(logNormal(z, ...state[name])));
    const peak = (name) => Math.exp(logNormal(0, 0, state[name][1]));
    const top = Math.max(peak("q"), peak("p"));
    const toY = (y) => UPPER.base - (y / top) * (UPPER.base - UPPER.top - 16);
    for (const name of ["q", "p"]) {
      const [mean, std] = state[name];
      lines[name].setAttribute("d", pathOf(density(name), toY));
      place[name].mean(mean, toY(peak(name)));
      place[name].std(mean + flank[name] * std, toY(peak(name) * Math.exp(-0.5)));
    }
    drawIntegrand(...(state.shaded === "q||p" ? ["q", "p"] : ["p", "q"]));
  }

  function drawIntegrand(a, b) {
    const values = NODES.map((z) => integrand(z, last[a], last[b]));
    const high = Math.max(...values, 1e-3);
    const low = Math.min(...values, -1e-3);
    const toY = (v) => LOWER.top + ((high - v) / (high - low)) * (LOWER.base - LOWER.top);
    const zero = toY(0);
    const ends = `L${toX(SPAN[1])} ${zero}L${toX(SPAN[0])} ${zero}Z`;
    const clipped = (keep) => pathOf(values, (v) => toY(keep(v, 0))) + ends;
    areas.positive.setAttribute("d", clipped(Math.max));
    areas.negative.setAttribute("d", clipped(Math.min));
    areas.positive.setAttribute("style", `fill: var(--vw-${a === "q" ? "q" : "posterior"}); fill-opacity: 0.45`);
    lines.outline.setAttribute("d", pathOf(values, toY));
    const range = `, from ${fixed(low)} to ${fixed(high)} nats per unit of z`;
    drawTicks(zero, `${a} log(${a}/${b})${width < 420 ? "" : range}`);
  }

  const refit = frame(() => {
    width = Math.max(root.clientWidth, 1);
    picture.setAttribute("width", width);
    if (last) draw(last);
  });
  const observer = new ResizeObserver(refit);
  observer.observe(root);
  undo.add(() => (observer.disconnect(), refit.cancel()));
  const relabel = (text) => picture.setAttribute("aria-label", text);
  return { root, draw, relabel };
}

function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const setMean = (name, mean) =>
    send(model, { [name]: [rounded(clamp(mean, ...MEANS)), model.get(name)[1]] });
  const setStd = (name, std) =>
    send(model, { [name]: [model.get(name)[0], rounded(clamp(std, ...STDS))] });
  const panels = twoPanels({ onMean: setMean, onStd: setStd, undo });

  const sliders = {};
  for (const name of ["q", "p"]) {
    const common = { step: 0.01, value: 1 };
    const [means, stds] = [MEANS, STDS].map(([min, max]) => ({ min, max, ...common }));
    sliders[name] = [
      slider({ label: `mean of ${name}`, ...means, onInput: (v) => setMean(name, v) }),
      slider({ label: `std of ${name}`, ...stds, onInput: (v) => setStd(name, v) }),
    ];
  }
  const shade = (shaded) => button("", () => send(model, { shaded }));
  const shades = { "q||p": shade("q||p"), "p||q": shade("p||q") };
  shades["q||p"].textContent = "Shade q log(q/p)";
  shades["p||q"].textContent = "Shade p log(p/q)";
  const swap = button("Swap q and p", () => send(model, { q: model.get("p"), p: model.get("q") }));
  const numbers = readings({ qp: "KL(q ‖ p)", pq: "KL(p ‖ q)" });
  const sum = h("p", { class: "vw-note" });

  const work = frame(() => {
    const state = { q: model.get("q"), p: model.get("p"), shaded: model.get("shaded") };
    panels.draw(state);
    for (const name of ["q", "p"]) sliders[name].forEach((one, i) => one.set(state[name][i]));
    for (const [key, node] of Object.entries(shades)) {
      node.setAttribute("aria-pressed", String(key === state.shaded));
    }
    showNumbers(state);
  });

  function showNumbers({ q, p, shaded }) {
    const kl = { "q||p": klGaussians(q, p), "p||q": klGaussians(p, q) };
    const text = (nats) => `${fixed(nats, 3)} nats = ${fixed(toBits(nats), 3)} bits`;
    numbers.show({ qp: text(kl["q||p"]), pq: text(kl["p||q"]) });
    const { positive } = shaded === "q||p" ? signedAreas(q, p) : signedAreas(p, q);
    // The negative area is written as a difference of rounded numbers: so the line adds up.
    const [above, total] = [positive, kl[shaded]].map((v) => Math.round(1000 * v) / 1000);
    sum.textContent =
      `Shaded area ${fixed(above, 3)}, less hatched area ${fixed(above - total, 3)}, is ${fixed(total, 3)} nats.`;
    const both = `KL of q from p ${fixed(kl["q||p"], 3)} nats, of p from q ${fixed(kl["p||q"], 3)} nats`;
    panels.relabel(`Densities of q = N${tuple(q)} and p = N${tuple(p)}, mean and standard deviation. ${both}.`);
    said.say(both);
  }

  const keyLine = (name) =>
    svg("svg", { "aria-hidden": "true" }, svg("path", { class: `vw-curve ${name}`, d: "M0 2H30" }));
  const key = h("div", { class: "vw-key" },
    h("span", {}, keyLine("q"), "q"), h("span", {}, keyLine("posterior"), "p"));
  const hint = "Drag a round handle to move a curve, a bar on its flank to change its width, or use the sliders.";
  const column = (name) => h("div", { class: "vw-sliders" }, ...sliders[name].map((one) => one.root));
  const root = h(
    "div",
    { class: "vw", role: "group", "aria-label": "Two Gaussians and their divergences" },
    key,
    panels.root,
    numbers.root,
    sum,
    h("div", { class: "vw-bar" }, shades["q||p"], shades["p||q"], swap),
    h("div", { class: "vw-pads" }, column("q"), column("p")),
    h("p", { class: "vw-note" }, hint),
    said.root,
  );
  listen(model, ["q", "p", "shaded"], work, undo);
  undo.add(work.cancel);
  el.append(root);
  work();
  return undo.run;
}

export default { render: withReset(render) };
