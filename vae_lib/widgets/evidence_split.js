// A toy with one latent variable: move q(z), and see log p(x) split into the ELBO and a KL.

import { chart, curveKey } from "./chart.js";
import {
  announcer, button, cleanups, fixed, frame, h, listen, readings, send, slider,
} from "./controls.js";
import { withFoot } from "./foot.js";
import { clamp, doublesOf, logIntegral, logNormal, relativeEntropy } from "./maths.js";

/**
 * @import { Binary, Context, Model, Movable, Pair, Undo } from "./types.d.ts"
 * @typedef {{
 *   nodes: Binary, log_joint: Binary, log_weights: Binary, log_prior: Binary, mean: number,
 *   std: number, span: number,
 * }} Traits
 * @typedef {ReturnType<typeof readGrid>} Grid
 * @typedef {ReturnType<typeof readCurves>} Curves
 */

/**
 * Everything the figure says about q = N(m, s²), by quadrature on the grid. q is normalised on the
 * grid, so that ELBO + KL = log p(x) holds to rounding even when q leans out of the grid.
 * @param {Grid} grid
 * @param {number} m
 * @param {number} s
 */
function splitEvidence({ nodes, logJoint, logWeights, logPx, logPosterior }, m, s) {
  const raw = nodes.map((z) => logNormal(z, m, s));
  const logMass = logIntegral(raw, logWeights);
  const logQ = raw.map((v) => v - logMass);
  const elbo = -relativeEntropy(logQ, logJoint, logWeights);
  const kl = relativeEntropy(logQ, logPosterior, logWeights);
  return { logPx, elbo, kl, logQ };
}

/**
 * The tables of the model, with what does not depend on q.
 * @param {Model<Traits>} model
 */
function readGrid(model) {
  const nodes = doublesOf(model.get("nodes"));
  const logJoint = doublesOf(model.get("log_joint"));
  const logWeights = doublesOf(model.get("log_weights"));
  const logPx = logIntegral(logJoint, logWeights);
  return { nodes, logJoint, logWeights, logPx, logPosterior: logJoint.map((v) => v - logPx) };
}

// The Gaussian with the highest ELBO: the best of a coarse search, refined by halving steps.
/** @type {(grid: Grid, meanRange: Pair, stdRange: Pair) => Pair} */
function bestGaussian(grid, meanRange, stdRange) {
  /** @type {Pair} */
  let best = [0, 1];
  let top = -Infinity;
  /** @type {(m: number, s: number) => void} */
  const consider = (m, s) => {
    /** @type {Pair} */
    const point = [clamp(m, ...meanRange), clamp(s, ...stdRange)];
    const value = splitEvidence(grid, ...point).elbo;
    if (value > top) [top, best] = [value, point];
  };
  /** @type {(range: Pair, i: number, count: number) => number} */
  const across = (range, i, count) => range[0] + ((range[1] - range[0]) * i) / count;
  for (let i = 0; i <= 24; i++) {
    for (let j = 0; j <= 10; j++) consider(across(meanRange, i, 24), across(stdRange, j, 10));
  }
  for (let step = 0.2; step > 1e-4; step /= 2) {
    for (let tries = 0; tries < 8; tries++) {
      const [m, s] = best;
      for (const [dm, ds] of [[step, 0], [-step, 0], [0, step], [0, -step]]) consider(m + dm, s + ds);
      if (best[0] === m && best[1] === s) break;
    }
  }
  return best;
}

/**
 * The grid, the curves that do not move, and how far q may go.
 * @param {Model<Traits>} model
 */
function readCurves(model) {
  const grid = readGrid(model);
  const prior = doublesOf(model.get("log_prior"));
  const still = {
    posterior: grid.logPosterior.map(Math.exp),
    ...(prior.length && { prior: prior.map(Math.exp) }),
  };
  const [low, high] = [grid.nodes[0], grid.nodes[grid.nodes.length - 1]];
  return {
    grid,
    still,
    range: /** @type {Pair} */ ([low, high]),
    stdRange: /** @type {Pair} */ ([0.05, (high - low) / 5]),
  };
}

/** @type {(context: Context<Traits>) => () => void} */
function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const state = readCurves(model);
  const controls = gaussianControls(model, state);
  const plot = splitChart(state, controls, model, undo);
  const bar = splitBar();
  const numbers = readings({ elbo: "ELBO", kl: "KL(q ‖ p(z|x))", logPx: "their sum, log p(x)" });

  const work = frame(() => {
    const [m, s] = [model.get("mean"), model.get("std")];
    const { logPx, kl, logQ } = splitEvidence(state.grid, m, s);
    plot.show(state, logQ.map(Math.exp), m, s);
    controls.show(m, s);
    // The ELBO is written as the difference of the other two, rounded: so the page adds up.
    const [total, gap] = [logPx, kl].map((v) => Math.round(1000 * v) / 1000);
    const texts = { elbo: fixed(total - gap, 3), kl: fixed(gap, 3), logPx: fixed(total, 3) };
    const nats = (/** @type {keyof typeof texts} */ key) => `${texts[key]} nats`;
    numbers.show({ elbo: nats("elbo"), kl: nats("kl"), logPx: nats("logPx") });
    const label = `ELBO ${texts.elbo}, KL ${texts.kl}, together ${texts.logPx} nats`;
    bar.show(kl, model.get("span"), label);
    said.say(`ELBO ${texts.elbo}, KL ${texts.kl} nats`);
  });
  const load = () => {
    Object.assign(state, readCurves(model));
    work();
  };

  const root = h("div", { class: "vw", role: "group", "aria-label": "How q splits log p(x)" });
  root.append(plot.key, plot.root, controls.root);
  root.append(bar.root, bar.scale, numbers.root, bar.note, said.root);
  listen(model, ["nodes", "log_joint", "log_weights", "log_prior"], load, undo);
  listen(model, ["mean", "std", "span"], work, undo);
  undo.add(work.cancel);
  work();
  el.append(root);
  return undo.run;
}

/** @param {Model<Traits>} model @param {Curves} state */
function gaussianControls(model, state) {
  const setMean = (/** @type {number} */ mean) => send(model, { mean });
  const setStd = (/** @type {number} */ std) => send(model, { std: clamp(std, ...state.stdRange) });
  const { range, stdRange } = state;
  const mean = slider({
    label: "mean m", min: range[0], max: range[1], step: 0.01, value: 0, onInput: setMean,
  });
  const width = slider({
    label: "width s", min: stdRange[0], max: stdRange[1], step: 0.01, value: 1, onInput: setStd,
  });
  const fit = button("Best Gaussian", () => {
    const [mean, std] = bestGaussian(state.grid, state.range, state.stdRange);
    send(model, { mean, std });
  });
  const sliders = h("div", { class: "vw-sliders" }, mean.root, width.root);
  const root = h("div", { class: "vw-flow vw-under" }, sliders, h("div", { class: "vw-fit" }, fit));
  /** @type {(m: number, s: number) => void} */
  const show = (m, s) => {
    mean.set(m);
    width.set(s);
  };
  return { root, show, setMean, setStd };
}

/**
 * The posterior, q with a grip at its mean and one at its width, and the prior where there is one.
 * @param {Curves} state
 * @param {{ setMean: (m: number) => void, setStd: (s: number) => void }} controls
 * @param {Model<Traits>} model
 * @param {Undo} undo
 */
function splitChart({ still, range }, { setMean, setStd }, model, undo) {
  const curves = [...Object.keys(still), "q"];
  const plot = chart({ label: "The posterior p(z|x) and q(z)", range, curves, axis: "z", undo });
  const placeMean = plot.grip({ className: "vw-mean", top: 12, onDrag: setMean });
  const placeWidth = plot.grip({
    className: "vw-width",
    top: 38,
    onDrag: (z) => setStd(Math.abs(z - model.get("mean"))),
  });
  /** @type {(state: Curves, q: Float64Array, m: number, s: number) => void} */
  const show = ({ still, grid }, q, m, s) => {
    plot.draw({ ...still, q }, grid.nodes);
    placeMean(m);
    placeWidth(m + s);
  };
  const texts = { posterior: "posterior p(z|x)", q: "q(z) = N(m, s²)" };
  const key = curveKey({ ...texts, ...(still.prior && { prior: "prior p(z)" }) });
  return { root: plot.root, key, show };
}

// The bar whose right end is log p(x): the ELBO up to the KL.
function splitBar() {
  const elbo = h("div", { class: "vw-part-elbo" }, "ELBO");
  const gap = h("div", { class: "vw-part-kl" }, "KL");
  const root = h("div", { class: "vw-split", role: "img" }, elbo, gap);
  const left = h("span", {});
  const scale = h("div", { class: "vw-scale" }, left, h("span", {}, "log p(x)"));
  const note = h("p", { class: "vw-note" });
  /** @type {(node: HTMLElement, name: string, width: number) => void} */
  const size = (node, name, width) => {
    node.style.width = `${100 * width}%`;
    node.textContent = width > 0.15 ? name : "";
    node.style.paddingInline = width > 0.15 ? "" : "0";
  };
  /** @type {(kl: number, span: number, label: string) => void} */
  function show(kl, span, label) {
    const share = clamp(kl / span, 0, 1);
    size(elbo, "ELBO", 1 - share);
    size(gap, "KL", share);
    elbo.hidden = share > 0.98;
    root.setAttribute("aria-label", label);
    left.textContent = `log p(x) − ${fixed(span, 0)} nats`;
    note.textContent = kl > span
      ? "The KL is wider than the bar."
      : "The right end stays where it is: log p(x) does not depend on q.";
  }
  return { root, scale, note, show };
}

// What a link may set.
/** @type {(model: Model<Traits>) => Movable<Traits>} */
const movable = (model) => {
  const { range, stdRange } = readCurves(model);
  return { mean: { number: range }, std: { number: stdRange } };
};

export default { render: withFoot("evidence-split", movable, render) };
