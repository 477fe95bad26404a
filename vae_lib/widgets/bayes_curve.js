// Bayes on a curve: drag the observed x; see prior, likelihood and posterior over z, and p(x).

import { chart } from "./chart.js";
import {
  announcer, button, cleanups, colour, fixed, frame, h, listen, readings, send, slider, tuple,
} from "./controls.js";
import { withFoot } from "./foot.js";
import { doublesOf, logIntegral, logNormal } from "./maths.js";
import { dot, paintOpacities, plane } from "./plane.js";

/**
 * @import {
 *   Binary, Box, Canvas, Context, Model, Movable, Pair, ToPixels, Undo, Values,
 * } from "./types.d.ts"
 * @typedef {{
 *   nodes: Binary, curve: Binary, extent: Box, z_range: Pair, x: Pair, std: number,
 *   std_range: Pair, places: Record<string, Pair>,
 * }} Traits
 * @typedef {ReturnType<typeof bayesOnCurve>} Bayes
 * @typedef {ReturnType<typeof readCurve>} Curve
 */

/**
 * Everything Bayes' rule gives for one x, on even nodes (trapezium rule). Logs throughout.
 * @param {Float64Array} nodes
 * @param {Float64Array} curve
 * @param {Pair} x
 * @param {number} std
 */
function bayesOnCurve(nodes, curve, x, std) {
  const count = nodes.length;
  const logStep = Math.log(nodes[1] - nodes[0]);
  const logWeights = new Float64Array(count).fill(logStep);
  logWeights[0] = logWeights[count - 1] = logStep - Math.LN2;
  const logPrior = Float64Array.from(nodes, (z) => logNormal(z, 0, 1));
  const logLikelihood = logPrior.map(
    (_, i) => logNormal(x[0], curve[2 * i], std) + logNormal(x[1], curve[2 * i + 1], std),
  );
  const logJoint = logPrior.map((value, i) => value + logLikelihood[i]);
  const logEvidence = logIntegral(logJoint, logWeights);
  const logPosterior = logJoint.map((value) => value - logEvidence);
  let [mean, square] = [0, 0];
  for (let i = 0; i < count; i++) {
    const mass = Math.exp(logPosterior[i] + logWeights[i]);
    mean += mass * nodes[i];
    square += mass * nodes[i] ** 2;
  }
  const spread = Math.sqrt(Math.max(square - mean ** 2, 0));
  return { logPrior, logLikelihood, logPosterior, logEvidence, mean, spread };
}

// p(x) on side x side points of a square, row by row from the top, as a share of its largest
// value. For shading every fifth node is enough, and terms below e^-12 would not show.
/** @type {(nodes: Values, curve: Values, std: number, box: Box, side: number) => Float64Array} */
function evidenceMap(nodes, curve, std, box, side) {
  const map = new Float64Array(side * side);
  let top = 0;
  for (let row = 0, at = 0; row < side; row++) {
    const y = box[3] - ((row + 0.5) / side) * (box[3] - box[2]);
    for (let column = 0; column < side; column++, at++) {
      const x = box[0] + ((column + 0.5) / side) * (box[1] - box[0]);
      for (let i = 0; i < nodes.length; i += 5) {
        const distance = (x - curve[2 * i]) ** 2 + (y - curve[2 * i + 1]) ** 2;
        const power = -0.5 * (nodes[i] ** 2 + distance / std ** 2);
        if (power > -12) map[at] += Math.exp(power);
      }
      top = Math.max(top, map[at]);
    }
  }
  return map.map((value) => value / top);
}

/**
 * The curve as the model has it; `seen` are the nodes that are shown, `at` values at those.
 * @param {Model<Traits>} model
 */
function readCurve(model) {
  const nodes = doublesOf(model.get("nodes"));
  const curve = doublesOf(model.get("curve"));
  const range = model.get("z_range");
  const seen = Array.from(nodes.keys()).filter((i) => nodes[i] >= range[0] && nodes[i] <= range[1]);
  /** @type {(values: Values) => number[]} */
  const at = (values) => seen.map((i) => values[i]);
  return { nodes, curve, box: model.get("extent"), range, seen, at };
}

/** @type {(context: Context<Traits>) => () => void} */
function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const read = readCurve(model);
  const bayes = () => bayesOnCurve(read.nodes, read.curve, model.get("x"), model.get("std"));
  const state = { now: bayes() };
  const surface = observedPlane(model, read, state, undo);
  const densities = densityCharts(read, undo);
  const [min, max] = model.get("std_range");
  const noise = slider({
    label: "noise σ", min, max, step: 0.01, value: model.get("std"),
    onInput: (std) => send(model, { std }),
  });
  const numbers = readings({
    log: "log evidence, log p(x)",
    plain: "evidence p(x), a density",
    posterior: "posterior mean ± standard deviation",
  });
  const places = Object.entries(model.get("places"));
  const buttons = places.map(([name, x]) => button(name, () => send(model, { x })));

  const show = frame(() => {
    const now = (state.now = bayes());
    const log = `${fixed(now.logEvidence)} nats`;
    const posterior = `${fixed(now.mean)} ± ${fixed(now.spread)}`;
    densities.show(now, posterior);
    const plain = Math.exp(now.logEvidence).toPrecision(2).replace("-", "−");
    numbers.show({ log, plain, posterior });
    noise.set(model.get("std"));
    surface.moveTo(model.get("x"));
    surface.repaint();
    said.say(`log p(x) ${log}, posterior ${posterior}`);
  });
  undo.add(show.cancel);

  const title = h("div", { class: "vw-title" }, "Drag x; shading is p(x)");
  const hint = "Drag the handle, or focus it and use the arrow keys (with Shift: larger steps).";
  const root = h("div", { class: "vw", role: "group", "aria-label": "Bayes' rule on a curve" });
  root.append(h("div", { class: "vw-pads" }, h("div", {}, title, surface.root), densities.root));
  root.append(h("div", { class: "vw-bar" }, ...buttons), noise.root, numbers.root);
  root.append(h("p", { class: "vw-note" }, hint), said.root);
  el.append(root);
  listen(model, ["x", "std"], show, undo);
  show();
  return undo.run;
}

// ---- the plane -----------------------------------------------------------------------------
/** @type {(model: Model<Traits>, read: Curve, state: { now: Bayes }, undo: Undo) => ReturnType<typeof plane>} */
function observedPlane(model, read, state, undo) {
  const shade = evidenceShade(model, read);
  return plane({
    label: "observed point x",
    names: ["x₁", "x₂"],
    extent: read.box,
    paint: (context, toPixels, size) => {
      context.drawImage(shade(colour(context.canvas, "--vw-text")), 0, 0, size, size);
      paintCurve(context, toPixels, size, read, state.now);
      paintNumbers(context, toPixels, size, read);
    },
    onMove: (x) => send(model, { x }),
    describe: (x) => `x = ${tuple(x, 1)}, log p(x) = ${fixed(state.now.logEvidence)} nats`,
    undo,
  });
}

// p(x) as a shade, painted anew when σ or the ink has changed.
/** @type {(model: Model<Traits>, read: Curve) => (ink: string) => HTMLCanvasElement} */
function evidenceShade(model, { nodes, curve, box }) {
  const canvas = h("canvas", { width: 64, height: 64 });
  let painted = "";
  return (ink) => {
    const std = model.get("std");
    if (painted === `${std} ${ink}`) return canvas;
    painted = `${std} ${ink}`;
    const shares = evidenceMap(nodes, curve, std, box, 64);
    paintOpacities(canvas, ink, shares.map((share) => 0.45 * share));
    return canvas;
  };
}

// The curve, faint where the prior is low, and on it the posterior: thick where it is high.
/** @type {(context: Canvas, toPixels: ToPixels, size: number, read: Curve, now: Bayes) => void} */
function paintCurve(context, toPixels, size, { curve, seen, at }, now) {
  const places = seen.map((i) => toPixels([curve[2 * i], curve[2 * i + 1]]));
  const unit = size / 220;
  /** @type {(logs: Values) => number[]} */
  const shareOf = (logs) => {
    const top = at(logs).reduce((a, b) => Math.max(a, b), -Infinity);
    return at(logs).map((v) => Math.exp(v - top));
  };
  const [prior, posterior] = [shareOf(now.logPrior), shareOf(now.logPosterior)];
  const [muted, strong] = ["--vw-muted", "--vw-posterior"].map((name) => colour(context.canvas, name));
  ribbon(context, places, muted, (i) => [0.2 + 0.8 * prior[i], unit]);
  ribbon(context, places, strong, (i) =>
    posterior[i] < 0.01 ? [0, 0] : [1, unit * (1 + 7 * posterior[i])],
  );
}

// The numbers of z from -2 to 2, beside the curve, towards the middle.
/** @type {(context: Canvas, toPixels: ToPixels, size: number, read: Curve) => void} */
function paintNumbers(context, toPixels, size, { nodes, curve, box, range: [low, high] }) {
  const middle = [(box[0] + box[1]) / 2, (box[2] + box[3]) / 2];
  context.fillStyle = colour(context.canvas, "--vw-text");
  context.font = `${Math.max(size / 26, 11)}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let z = Math.ceil(low); z <= high; z++) {
    const i = Math.round((z - nodes[0]) / (nodes[1] - nodes[0]));
    if (Math.abs(z) > 2 || i < 0 || i >= nodes.length) continue;
    const point = [curve[2 * i], curve[2 * i + 1]];
    dot(context, ...toPixels(point), size / 110);
    const inward = point.map((v, k) => middle[k] + 0.72 * (v - middle[k]));
    context.fillText(fixed(z, 0), ...toPixels(inward));
  }
}

// A line through pixels whose opacity and width change along it: look(i) gives both.
/** @type {(context: Canvas, places: Pair[], style: string, look: (i: number) => Pair) => void} */
function ribbon(context, places, style, look) {
  context.strokeStyle = style;
  for (let i = 1; i < places.length; i++) {
    [context.globalAlpha, context.lineWidth] = look(i);
    if (!context.globalAlpha) continue;
    context.beginPath();
    context.moveTo(...places[i - 1]);
    context.lineTo(...places[i]);
    context.stroke();
  }
  context.globalAlpha = 1;
}

// ---- the curves over z ---------------------------------------------------------------------
/** @param {Curve} read @param {Undo} undo */
function densityCharts({ nodes, range, at }, undo) {
  const common = { range, axis: "z", undo };
  const upper = chart({ ...common, label: "likelihood", height: 120, curves: ["likelihood"] });
  const lower = chart({ ...common, label: "posterior", height: 170, curves: ["prior", "posterior"] });
  const line = /** @type {SVGElement} */ (upper.root.querySelector(".likelihood"));
  line.style.stroke = "var(--vw-q)";
  /** @type {(name: string, text: string) => Element} */
  const key = (name, text) => h("span", { style: `color: var(${name})` }, text);
  const title = { class: "vw-title" };
  const above = h("div", title, key("--vw-q", "likelihood p(x|z)"), ", to its own scale");
  const prior = key("--vw-prior", "prior p(z), dotted");
  const below = h("div", title, prior, "; ", key("--vw-posterior", "posterior p(z|x)"));

  /** @type {(now: Bayes, summary: string) => void} */
  function show({ logLikelihood, logPrior, logPosterior }, summary) {
    const peak = logLikelihood.reduce((a, b) => Math.max(a, b), -Infinity);
    const z = at(nodes);
    upper.draw({ likelihood: at(logLikelihood).map((v) => Math.exp(v - peak)) }, z);
    lower.draw({ prior: at(logPrior).map(Math.exp), posterior: at(logPosterior).map(Math.exp) }, z);
    lower.relabel(`prior, and posterior with mean and standard deviation ${summary}`);
    upper.relabel(`likelihood of each z, largest at z = ${fixed(nodes[logLikelihood.indexOf(peak)])}`);
  }
  return { root: h("div", {}, above, upper.root, below, lower.root), show };
}

// What a link may set.
/** @type {(model: Model<Traits>) => Movable<Traits>} */
const movable = (model) => {
  const [left, right, bottom, top] = model.get("extent");
  return { x: { numbers: [[left, right], [bottom, top]] }, std: { number: model.get("std_range") } };
};

export default { render: withFoot("bayes-curve", movable, render) };
