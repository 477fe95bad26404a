// Two Gaussians to drag, both divergences between them, and the integrand that adds up to one.
// A Gaussian is [mean, std]; a and b stand for q and p in either order.

import { curveKey, curvePath, fitted } from "./chart.js";
import {
  announcer, button, cleanups, fixed, frame, h, listen, press, readings, send, slider, svg,
  tuple,
} from "./controls.js";
import { withFoot } from "./foot.js";
import { clamp, logNormal } from "./maths.js";
import { guessSide, predictFirst } from "./predict.js";

/**
 * @import { Context, Model, Movable, Pair, Undo } from "./types.d.ts"
 * @typedef {"q" | "p"} Name
 * @typedef {"q||p" | "p||q"} Order
 * @typedef {{ q: Pair, p: Pair, shaded: Order }} State
 * @typedef {State & { ask: boolean }} Traits
 */

/** @type {Pair} */
const SPAN = [-8, 8];
/** @type {Pair} */
const MEANS = [-4, 4];
/** @type {Pair} */
const STDS = [0.3, 3];
const UPPER = { top: 16, base: 168 }; // pixels: the densities
const LOWER = { top: 212, base: 344 }; // the integrand
const NODES = Float64Array.from({ length: 801 }, (_, i) => SPAN[0] + (i * (SPAN[1] - SPAN[0])) / 800);
const FLANK = { q: 1, p: -1 }; // the outer ones, where the handles of equal curves lie apart
/** @type {Name[]} */
const NAMES = ["q", "p"];

// KL(a || b) in nats.
/** @type {(a: Pair, b: Pair) => number} */
function klGaussians([meanA, stdA], [meanB, stdB]) {
  const ratio = (stdA / stdB) ** 2;
  return 0.5 * (((meanA - meanB) / stdB) ** 2 + ratio - 1 - Math.log(ratio));
}

// a(z) log(a(z) / b(z)), in nats per unit of z.
/** @type {(z: number, a: Pair, b: Pair) => number} */
function integrand(z, a, b) {
  const logA = logNormal(z, ...a);
  return Math.exp(logA) * (logA - logNormal(z, ...b));
}

// Its area above zero and its area below, by the trapezium rule where a has its mass.
/** @type {(a: Pair, b: Pair, steps?: number) => { positive: number, negative: number }} */
function signedAreas(a, b, steps = 2000) {
  const width = (20 * a[1]) / steps;
  const areas = { positive: 0, negative: 0 };
  for (let i = 0; i <= steps; i++) {
    const value = integrand(a[0] - 10 * a[1] + i * width, a, b) * width;
    areas[value > 0 ? "positive" : "negative"] += Math.abs(value);
  }
  return areas;
}

/** @type {(nats: number) => number} */
const toBits = (nats) => nats / Math.LN2;
/** @type {(value: number) => number} */
const rounded = (value) => Math.round(100 * value) / 100;

// ---- the pictures --------------------------------------------------------------------------
/** @typedef {ReturnType<typeof zScale>} Scale */

// From z to pixels and back, in a picture whose width is in `fit`.
/** @param {{ width: number }} fit */
function zScale(fit) {
  /** @type {(z: number) => number} */
  const toX = (z) => ((z - SPAN[0]) / (SPAN[1] - SPAN[0])) * fit.width;
  /** @type {(x: number) => number} */
  const toZ = (x) => SPAN[0] + (x / fit.width) * (SPAN[1] - SPAN[0]);
  /** @type {(values: Float64Array, toY: (v: number) => number) => string} */
  const pathOf = (values, toY) => curvePath(NODES, values, toX, toY, fit.width);
  return { fit, toX, toZ, pathOf };
}

/**
 * The two pictures, one above the other over one axis: densities with handles, and the integrand.
 * @param {{
 *   onMean: (name: Name, mean: number) => void, onStd: (name: Name, std: number) => void, undo: Undo,
 * }} options
 */
function twoPanels({ onMean, onStd, undo }) {
  const ticks = svg("g", { class: "vw-ticks" });
  const picture = svg("svg", { height: LOWER.base + 26, role: "img" });
  const root = h("div", { class: "vw-chart" }, picture);
  /** @type {State | null} */
  let last = null;
  const fit = fitted(root, picture, undo, () => {
    if (last) draw(last);
  });
  const scale = zScale(fit);
  const lower = integrandPanel(scale);
  const upper = densityPanel(root, scale, onMean, (name, z) => {
    if (last) onStd(name, FLANK[name] * (z - last[name][0]));
  });
  picture.append(lower.defs, ticks, ...lower.areas, ...upper.curves, lower.outline);

  /** @type {(state: State) => void} */
  function draw(state) {
    last = state;
    if (fit.width === 1) return; // not laid out yet: it is drawn then
    upper.draw(state);
    const [a, b] = state.shaded === "q||p" ? NAMES : [...NAMES].reverse();
    const { zero, range } = lower.draw(state[a], state[b], a);
    const told = `${a} log(${a}/${b})${fit.width < 420 ? "" : range}`;
    ticks.replaceChildren(...zTicks(scale, zero, told));
  }
  const relabel = (/** @type {string} */ text) => picture.setAttribute("aria-label", text);
  return { root, draw, relabel };
}

/** @type {(scale: Scale, zero: number, told: string) => Element[]} */
function zTicks({ fit: { width }, toX }, zero, told) {
  /** @type {Element[]} */
  const parts = [svg("path", { d: `M0 ${UPPER.base}H${width}M0 ${zero}H${width}` })];
  const step = width < 420 ? 4 : 2;
  for (let z = SPAN[0] + step; z < SPAN[1]; z += step) {
    const x = toX(z);
    parts.push(svg("text", { x, y: UPPER.base + 16, "text-anchor": "middle" }, fixed(z, 0)));
    parts.push(svg("path", { d: `M${x} ${UPPER.base}v4M${x} ${zero}v4` }));
  }
  parts.push(svg("text", { x: 2, y: UPPER.top - 4 }, "density"));
  parts.push(svg("text", { x: width - 4, y: UPPER.base + 16, "text-anchor": "end" }, "z"));
  parts.push(svg("text", { x: 2, y: LOWER.top - 6 }, told));
  return parts;
}

/**
 * Both densities, with handles at their means and on their flanks.
 * @param {HTMLElement} root
 * @param {Scale} scale
 * @param {(name: Name, z: number) => void} onMean
 * @param {(name: Name, z: number) => void} onFlank
 */
function densityPanel(root, scale, onMean, onFlank) {
  const p = svg("path", { class: "vw-curve posterior" });
  const q = svg("path", { class: "vw-curve q" });
  /** @type {(name: Name) => { std: Place, mean: Place }} */
  const handlesOf = (name) => ({
    std: handle(root, scale, name, "width", (z) => onFlank(name, z)),
    mean: handle(root, scale, name, "mean", (z) => onMean(name, z)),
  });
  const lines = { p, q };
  const place = { p: handlesOf("p"), q: handlesOf("q") };
  /** @type {(state: State) => void} */
  function draw(state) {
    /** @type {(name: Name) => number} */
    const peak = (name) => Math.exp(logNormal(0, 0, state[name][1]));
    const top = Math.max(peak("q"), peak("p"));
    /** @type {(y: number) => number} */
    const toY = (y) => UPPER.base - (y / top) * (UPPER.base - UPPER.top - 16);
    for (const name of NAMES) {
      const [mean, std] = state[name];
      const density = NODES.map((z) => Math.exp(logNormal(z, mean, std)));
      lines[name].setAttribute("d", scale.pathOf(density, toY));
      place[name].mean(mean, toY(peak(name)));
      place[name].std(mean + FLANK[name] * std, toY(peak(name) * Math.exp(-0.5)));
    }
  }
  return { curves: [p, q], draw };
}

/** @typedef {(z: number, y: number) => void} Place */

// A handle that the pointer drags sideways; the sliders are for the keyboard.
/** @type {(root: HTMLElement, scale: Scale, name: Name, kind: string, onDrag: (z: number) => void) => Place} */
function handle(root, { toX, toZ }, name, kind, onDrag) {
  const hue = name === "p" ? "--vw-q: var(--vw-posterior)" : ""; // grips are of q's colour
  const node = h("div", { class: `vw-grip vw-${kind} vw-of-${name}`, "aria-hidden": "true", style: hue });
  let offset = 0; // from where it was grasped to its middle
  const at = (/** @type {PointerEvent} */ event) => event.clientX - root.getBoundingClientRect().left;
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
  return (z, y) => {
    node.style.left = `${toX(z)}px`;
    node.style.top = `${y}px`;
  };
}

let pictures = 0; // so that each picture's hatching has a name of its own

/**
 * The integrand, shaded above zero and hatched below.
 * @param {Scale} scale
 */
function integrandPanel({ toX, pathOf }) {
  const hatching = `vw-hatching-${++pictures}`;
  const stripe = svg("path", { d: "M0 6L6 0", style: "stroke: var(--vw-text); stroke-width: 1.3" });
  const size = { width: 6, height: 6, patternUnits: "userSpaceOnUse" };
  const defs = svg("defs", {}, svg("pattern", { id: hatching, ...size }, stripe));
  const positive = svg("path", { class: "vw-positive" });
  const negative = svg("path", { class: "vw-negative", fill: `url(#${hatching})` });
  const outline = svg("path", { class: "vw-curve", style: "stroke: var(--vw-text); stroke-width: 1.3" });
  /** @type {(a: Pair, b: Pair, name: Name) => { zero: number, range: string }} */
  function draw(a, b, name) {
    const values = NODES.map((z) => integrand(z, a, b));
    const high = Math.max(...values, 1e-3);
    const low = Math.min(...values, -1e-3);
    /** @type {(v: number) => number} */
    const toY = (v) => LOWER.top + ((high - v) / (high - low)) * (LOWER.base - LOWER.top);
    const zero = toY(0);
    const ends = `L${toX(SPAN[1])} ${zero}L${toX(SPAN[0])} ${zero}Z`;
    positive.setAttribute("d", pathOf(values, (v) => toY(Math.max(v, 0))) + ends);
    negative.setAttribute("d", pathOf(values, (v) => toY(Math.min(v, 0))) + ends);
    const hue = `var(--vw-${name === "q" ? "q" : "posterior"})`;
    positive.setAttribute("style", `fill: ${hue}; fill-opacity: 0.45`);
    outline.setAttribute("d", pathOf(values, toY));
    return { zero, range: `, from ${fixed(low)} to ${fixed(high)} nats per unit of z` };
  }
  return { defs, areas: [positive, negative], outline, draw };
}

// ---- the figure ----------------------------------------------------------------------------
/** @type {(context: Context<Traits>) => () => void} */
function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  /** @type {(name: Name, mean: number) => void} */
  const onMean = (name, mean) =>
    send(model, { [name]: [rounded(clamp(mean, ...MEANS)), model.get(name)[1]] });
  /** @type {(name: Name, std: number) => void} */
  const onStd = (name, std) =>
    send(model, { [name]: [model.get(name)[0], rounded(clamp(std, ...STDS))] });
  const panels = twoPanels({ onMean, onStd, undo });
  const sliders = { q: slidersOf("q", onMean, onStd), p: slidersOf("p", onMean, onStd) };
  const orders = orderButtons(model);
  const numbers = readings({ qp: "KL(q ‖ p)", pq: "KL(p ‖ q)" });
  const sum = h("p", { class: "vw-note" });

  const work = frame(() => {
    const state = { q: model.get("q"), p: model.get("p"), shaded: model.get("shaded") };
    panels.draw(state);
    for (const name of NAMES) sliders[name].set(state[name]);
    orders.show(state.shaded);
    const told = inWords(state);
    numbers.show(told.numbers);
    sum.textContent = told.sum;
    const both = `Densities of q = N${tuple(state.q)} and p = N${tuple(state.p)}`;
    panels.relabel(`${both}, mean and standard deviation.${model.get("ask") ? "" : ` ${told.both}.`}`);
    said.say(told.both);
  });

  const hint = "Drag a round handle to move a curve, a bar on its flank to change its width, or use the sliders.";
  const label = "Two Gaussians and their divergences";
  const root = h("div", { class: "vw", role: "group", "aria-label": label });
  const pads = h("div", { class: "vw-pads" }, sliders.q.root, sliders.p.root);
  const cover = [numbers.root, sum, orders.root, pads, h("p", { class: "vw-note" }, hint), said.root];
  const first = whichIsLarger(model, cover, panels.root, undo);
  root.append(first, curveKey({ q: "q", posterior: "p" }), panels.root, ...cover);
  listen(model, ["q", "p", "shaded", "ask"], work, undo);
  undo.add(work.cancel);
  el.append(root);
  work();
  return undo.run;
}

/** @type {(model: Model<Traits>, cover: Element[], shown: HTMLElement, undo: Undo) => Element} */
function whichIsLarger(model, cover, shown, undo) {
  const names = ["KL(q ‖ p)", "KL(p ‖ q)"];
  /** @type {(guess: number | null) => string} */
  function verdict(guess) {
    const [q, p] = [model.get("q"), model.get("p")];
    const kl = [klGaussians(q, p), klGaussians(p, q)];
    const [low, high] = [Math.min(...kl), Math.max(...kl)].map((v) => `${fixed(v, 3)} nats`);
    const guessed = guess === null ? "" : `You guessed ${names[guess]}, but `;
    if (low === high) return `${guessed}both are ${low}.`;
    const larger = kl.indexOf(Math.max(...kl));
    const times = fixed(Math.max(...kl) / Math.min(...kl), 1);
    const truth = `${names[larger]} is the larger: ${high} against ${low}, ${times} times as much.`;
    return `${guess === larger ? "You guessed right, " : guessed}${truth}`;
  }
  return predictFirst({
    model, about: ["q", "p"], verdict, cover, still: [shown], undo,
    question: () => "Before you read the numbers: which direction is larger for the q and p drawn here?",
    guess: guessSide("The larger direction", names),
  });
}

/**
 * @param {Name} name
 * @param {(name: Name, mean: number) => void} onMean
 * @param {(name: Name, std: number) => void} onStd
 */
function slidersOf(name, onMean, onStd) {
  const common = { step: 0.01, value: 1 };
  const [means, stds] = [MEANS, STDS].map(([min, max]) => ({ min, max, ...common }));
  const mean = slider({ label: `mean of ${name}`, ...means, onInput: (v) => onMean(name, v) });
  const std = slider({ label: `std of ${name}`, ...stds, onInput: (v) => onStd(name, v) });
  const root = h("div", { class: "vw-sliders" }, mean.root, std.root);
  /** @type {(gaussian: Pair) => void} */
  const set = (gaussian) => [mean, std].forEach((one, i) => one.set(gaussian[i]));
  return { root, set };
}

// Which integrand is shaded, and a swap.
/** @param {Model<Traits>} model */
function orderButtons(model) {
  const shade = (/** @type {Order} */ shaded) => () => send(model, { shaded });
  const [q, p] = [
    button("Shade q log(q/p)", shade("q||p")), button("Shade p log(p/q)", shade("p||q")),
  ];
  const swap = button("Swap q and p", () => send(model, { q: model.get("p"), p: model.get("q") }));
  const show = (/** @type {Order} */ shaded) => press([q, p], shaded === "q||p" ? 0 : 1);
  return { root: h("div", { class: "vw-bar" }, q, p, swap), show };
}

// Both divergences, and how the shaded one adds up.
/** @type {(state: State) => { numbers: { qp: string, pq: string }, sum: string, both: string }} */
function inWords({ q, p, shaded }) {
  const kl = { "q||p": klGaussians(q, p), "p||q": klGaussians(p, q) };
  const text = (/** @type {number} */ nats) => `${fixed(nats, 3)} nats = ${fixed(toBits(nats), 3)} bits`;
  const { positive } = shaded === "q||p" ? signedAreas(q, p) : signedAreas(p, q);
  // The negative area is written as a difference of rounded numbers: so the line adds up.
  const [above, total] = [positive, kl[shaded]].map((v) => Math.round(1000 * v) / 1000);
  return {
    numbers: { qp: text(kl["q||p"]), pq: text(kl["p||q"]) },
    sum: `Shaded area ${fixed(above, 3)}, less hatched area ${fixed(above - total, 3)}, is ${fixed(total, 3)} nats.`,
    both: `KL of q from p ${fixed(kl["q||p"], 3)} nats, of p from q ${fixed(kl["p||q"], 3)} nats`,
  };
}

// What a link may set.
/** @type {(model: Model<Traits>) => Movable<Traits>} */
const movable = () => ({
  q: { numbers: [MEANS, STDS] },
  p: { numbers: [MEANS, STDS] },
  shaded: { oneOf: ["q||p", "p||q"] },
});

export default { render: withFoot("two-gaussians", movable, render) };
