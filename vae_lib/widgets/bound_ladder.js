// K importance samples: the bound L_K rises to log p(x), and few of the K may count.

import { chart, curveKey } from "./chart.js";
import {
  announcer, button, cleanups, fixed, frame, h, listen, readings, send, slider,
} from "./controls.js";
import { digitRow } from "./digits.js";
import { SEEDS, withFoot } from "./foot.js";
import { bytesOf, clamp, doublesOf, floatsOf } from "./maths.js";
import { guessNumber, predictFirst, verdictInNats } from "./predict.js";

/**
 * @import { Binary, Context, Model, Movable, Undo, Values } from "./types.d.ts"
 * @typedef {{
 *   images: Binary, count: number, log_weights: Binary, log_px: Binary, chosen: number, run: number,
 *   power: number, ask: boolean,
 * }} Traits
 * @typedef {ReturnType<typeof readWeights>} Weights
 */

// log of the mean of exp(values[from .. to]), and (Σ w)² / Σ w².
/** @type {(values: Values, from: number, to: number) => { log: number, effective: number }} */
function weigh(values, from, to) {
  let top = -Infinity;
  for (let i = from; i < to; i++) top = Math.max(top, values[i]);
  let [sum, squares] = [0, 0];
  for (let i = from; i < to; i++) {
    const share = Math.exp(values[i] - top);
    sum += share;
    squares += share * share;
  }
  return { log: top + Math.log(sum / (to - from)), effective: (sum * sum) / squares };
}

// L_K and the mean effective sample size, over as many groups of K as the weights make.
/** @type {(logW: Values, K: number) => { bound: number, effective: number, groups: number }} */
function ladder(logW, K) {
  const groups = Math.floor(logW.length / K);
  let [bound, effective] = [0, 0];
  for (let k = 0; k < groups; k++) {
    const one = weigh(logW, k * K, (k + 1) * K);
    bound += one.log / groups;
    effective += one.effective / groups;
  }
  return { bound, effective, groups };
}

/** @param {Model<Traits>} model */
function readWeights(model) {
  const all = floatsOf(model.get("log_weights")); // [count, samples]
  const samples = all.length / model.get("count");
  const most = Math.log2(samples);
  const nodes = Float64Array.from({ length: 4 * most + 1 }, (_, i) => i / 4); // log2 K
  return { all, evidence: doublesOf(model.get("log_px")), samples, most, nodes };
}

/**
 * The curves of a digit, above `low`; the run is the first K weights from where it starts.
 * @param {Weights} weights
 * @param {number} digit
 * @param {number} run
 */
function curvesOf({ all, evidence, samples, most, nodes }, digit, run) {
  const logW = all.slice(digit * samples, (digit + 1) * samples);
  const start = (run * 331) % samples;
  const turned = Float32Array.from(logW, (_, i) => logW[(start + i) % samples]);
  // The bound at powers of 2, whose groups use every weight; straight lines between.
  const exact = Array.from({ length: most + 1 }, (_, p) => ladder(logW, 2 ** p).bound);
  /** @type {(v: number) => number} */
  const between = (v) => exact[Math.floor(v)] + (v % 1) * (exact[Math.ceil(v)] - exact[Math.floor(v)]);
  const bound = Array.from(nodes, between);
  const level = evidence[digit];
  const low = bound[0] - 0.15 * (level - bound[0]);
  const room = 1.5 * (level - low); // the scale, the same for every run of a digit
  /** @type {(v: number) => number} */
  const above = (v) => clamp(v - low, 0, room);
  const curves = {
    prior: nodes.map(() => above(level)),
    posterior: bound.map(above),
    q: Array.from(nodes, (v) => above(weigh(turned, 0, Math.round(2 ** v)).log)),
    room: nodes.map(() => room),
  };
  return { logW, low, curves };
}

/** @type {(context: Context<Traits>) => () => void} */
function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const weights = readWeights(model);
  const read = () => curvesOf(weights, model.get("chosen"), model.get("run"));
  let now = read();
  const images = bytesOf(model.get("images"));
  const choose = (/** @type {number} */ chosen) => send(model, { chosen });
  const row = digitRow(images, images.length / model.get("count"), "Held-out digits to pick from", choose);
  const power = slider({
    label: "samples K", min: 0, max: weights.most, step: 1, value: 0, format: (p) => String(2 ** p),
    onInput: (value) => send(model, { power: value }),
  });
  const plot = chart({
    label: "The bound of K samples against log₂ K",
    range: [0, weights.most], curves: Object.keys(now.curves), axis: "log₂ K", undo,
  });
  const line = /** @type {SVGElement} */ (plot.root.querySelector(".room"));
  line.style.stroke = "none";
  const onDrag = (/** @type {number} */ v) => send(model, { power: Math.round(v) });
  const place = plot.grip({ className: "vw-mean", top: 12, onDrag });
  const told = verdict(weights);

  const work = frame(() => {
    plot.draw(now.curves, weights.nodes);
    place(model.get("power"));
    power.set(model.get("power"));
    row.choose(model.get("chosen"));
    said.say(told.show(now, 2 ** model.get("power"), model.get("chosen")));
  });
  const load = () => ((now = read()), work());

  const again = button("Another run", () => send(model, { run: model.get("run") + 1 }));
  const root = h("div", { class: "vw", role: "group", "aria-label": "The bound of K samples" });
  const knobs = h("div", { class: "vw-sliders" }, power.root);
  const under = h("div", { class: "vw-flow vw-under" }, knobs, h("div", { class: "vw-fit" }, again));
  const cover = [plot.root, under, ...told.nodes, said.root];
  const first = howFarBelow(model, told, () => now.logW, { cover, still: [row.root], undo });
  root.append(first, row.root, curveKey(CURVES), ...cover);
  el.append(root);
  listen(model, ["chosen", "run"], load, undo);
  listen(model, ["power"], work, undo);
  undo.add(work.cancel);
  work();
  return undo.run;
}

const CURVES = { prior: "log p(x)", posterior: "bound of K samples", q: "one run: its first K samples" };

/** @param {Weights} weights */
function verdict({ evidence }) {
  const numbers = readings({
    bound: "bound of K samples", gap: "below log p(x)", logPx: "log p(x)", effective: "effective samples",
  });
  const note = h("p", { class: "vw-note" });
  // The bound and log p(x) as they are written; the gap is the difference of these.
  /** @type {(logW: Values, K: number, digit: number) => { lower: number, level: number }} */
  function rounded(logW, K, digit) {
    const [lower, level] = [ladder(logW, K).bound, evidence[digit]].map((v) => Math.round(100 * v) / 100);
    return { lower, level };
  }
  /** @type {(now: { logW: Values, low: number }, K: number, digit: number) => string} */
  function show({ logW, low }, K, digit) {
    const { effective, groups } = ladder(logW, K);
    const { lower, level } = rounded(logW, K, digit);
    numbers.show({
      bound: `${fixed(lower)} nats`,
      gap: `${fixed(level - lower)} nats`,
      logPx: `${fixed(level)} nats`,
      effective: `${fixed(effective, 1)} of ${K}`,
    });
    note.textContent =
      `The bound is an average over ${groups} groups of ${K}. The chart begins at ${fixed(low, 1)} nats.`;
    return `K = ${K}: bound ${fixed(lower)} nats, ${fixed(effective, 1)} effective samples`;
  }
  return { nodes: [numbers.root, note], rounded, show };
}

/**
 * @param {Model<Traits>} model
 * @param {ReturnType<typeof verdict>} told
 * @param {() => Values} logW
 * @param {{ cover: Element[], still: HTMLElement[], undo: Undo }} nodes
 */
function howFarBelow(model, told, logW, nodes) {
  const K = () => 2 ** model.get("power");
  return predictFirst({
    model, ...nodes, about: ["power", "chosen"],
    question: () =>
      `Before you look, for the digit that is marked: how many nats below log p(x) is the bound of K = ${K()} samples?`,
    guess: guessNumber({
      label: "guess, nats", min: 0, max: 10, step: 0.1, value: 5, format: (v) => fixed(v, 1),
    }),
    verdict: (guess) => {
      const { lower, level } = told.rounded(logW(), K(), model.get("chosen"));
      return verdictInNats(guess, level - lower);
    },
  });
}

// What a link may set.
/** @type {(model: Model<Traits>) => Movable<Traits>} */
const movable = (model) => ({
  chosen: { whole: [0, model.get("count") - 1] },
  power: { whole: [0, readWeights(model).most] },
  run: { whole: SEEDS },
});

export default { render: withFoot("bound-ladder", movable, render) };
