// Two estimators of one gradient: how far means of S draws scatter about the exact value.
// f(z) = |z|² and q = N(mu, I) with every mu_j = 1, so the gradient by mu_1 is 2.

import { curveKey, fitted, tenth } from "./chart.js";
import {
  announcer, button, cleanups, fixed, frame, h, listen, press, readings, send, slider, svg,
} from "./controls.js";
import { SEEDS, withFoot } from "./foot.js";
import { clamp, normalDraws, uniformDraws } from "./maths.js";
import { guessNumber, predictFirst, verdictByFactor } from "./predict.js";

/**
 * @import { Context, Model, Movable, Undo } from "./types.d.ts"
 * @typedef {{
 *   samples: number, dimension: number, baseline: boolean, seed: number, ask: boolean,
 * }} Traits
 * @typedef {"score" | "path"} Way
 * @typedef {{
 *   samples: number, means: Record<Way, Float64Array>, variances: Record<Way, number>,
 * }} State
 */

const REPEATS = 200;
const MOST = 8; // dimensions, and the power of two of the most samples
const TRUTH = 2;
const CLOUD = { top: 26, row: 52, reach: 20 }; // pixels; and gradients to either side
const SPREAD = { top: 190, base: 340, left: 40, low: 0.1, high: 30 }; // a logarithmic scale
const HUES = { score: "var(--vw-q)", path: "var(--vw-posterior)" };

/** @type {(dimension: number) => number} */
const meanOfF = (dimension) => 2 * dimension;

// Per draw: (f - c) eps_1, and 2 z_1.
/** @type {(dimension: number, baseline: boolean) => Record<Way, number>} */
function perDrawVariances(dimension, baseline) {
  const excess = baseline ? 0 : meanOfF(dimension);
  return { score: excess ** 2 + 4 * excess + 12 + 6 * dimension, path: 4 };
}

// Means of S gradients by either way, REPEATS of each, from a seed.
/**
 * @type {(
 *   samples: number, dimension: number, baseline: boolean, seed: number,
 * ) => Record<Way, Float64Array>}
 */
function meansOf(samples, dimension, baseline, seed) {
  const draw = normalDraws(seed);
  const means = { score: new Float64Array(REPEATS), path: new Float64Array(REPEATS) };
  const taken = baseline ? meanOfF(dimension) : 0;
  for (let r = 0; r < REPEATS; r++) {
    let score = 0;
    let path = 0;
    for (let s = 0; s < samples; s++) {
      const first = draw();
      let f = (1 + first) ** 2;
      for (let j = 1; j < dimension; j++) f += (1 + draw()) ** 2;
      score += (f - taken) * first;
      path += 2 * (1 + first);
    }
    means.score[r] = score / samples;
    means.path[r] = path / samples;
  }
  return means;
}

/** @type {(values: Float64Array) => number} */
function deviation(values) {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

// ---- the picture ---------------------------------------------------------------------------
// The clouds above, the spread against S below.
/** @param {Undo} undo */
function spreadPicture(undo) {
  const still = svg("g", { class: "vw-ticks" });
  const moving = svg("g", {});
  const picture = svg("svg", { height: SPREAD.base + 34, role: "img" }, still, moving);
  const root = h("div", { class: "vw-chart" }, picture);
  /** @type {State | null} */
  let last = null;

  const fit = fitted(root, picture, undo, () => {
    const scale = scaleFor(fit.width);
    still.replaceChildren(...cloudTicks(scale), ...spreadTicks(scale));
    if (last) draw(last);
  });
  /** @type {(state: State) => void} */
  function draw(state) {
    last = state;
    if (fit.width === 1) return; // not laid out yet: it is drawn then
    const scale = scaleFor(fit.width);
    moving.replaceChildren(...waySigns("score", 0, state, scale), ...waySigns("path", 1, state, scale));
  }
  const relabel = (/** @type {string} */ words) => picture.setAttribute("aria-label", words);
  return { root, draw, relabel };
}

/** @typedef {ReturnType<typeof scaleFor>} Scale */

// From gradients, numbers of samples and deviations to pixels of a picture of some width.
/** @param {number} width */
function scaleFor(width) {
  /** @type {(gradient: number) => number} */
  const toX = (gradient) => width * (0.5 + (0.5 * (gradient - TRUTH)) / CLOUD.reach);
  /** @type {(samples: number) => number} */
  const toS = (samples) => SPREAD.left + (Math.log2(samples) / MOST) * (width - SPREAD.left - 14);
  /** @type {(std: number) => number} */
  const toY = (std) => {
    const share = Math.log(std / SPREAD.low) / Math.log(SPREAD.high / SPREAD.low);
    return SPREAD.base - share * (SPREAD.base - SPREAD.top);
  };
  return { width, toX, toS, toY };
}

/** @type {(x: number, y: number, words: string, anchor?: string) => Element} */
const text = (x, y, words, anchor = "middle") => svg("text", { x, y, "text-anchor": anchor }, words);

/** @type {(scale: Scale) => Element[]} */
function cloudTicks({ width, toX }) {
  const foot = CLOUD.top + 2 * CLOUD.row;
  const parts = [
    svg("path", { d: `M0 ${foot}H${width}M${toX(TRUTH)} ${CLOUD.top - 6}V${foot + 4}` }),
    text(toX(TRUTH), 14, "exact: 2"),
    text(toX(TRUTH), foot + 16, "2"),
  ];
  for (const v of [-18, -8, 12, 22]) {
    const edge = Math.abs(v - TRUTH) === CLOUD.reach;
    const anchor = !edge ? "middle" : v < 0 ? "start" : "end";
    parts.push(text(clamp(toX(v), 2, width - 2), foot + 16, fixed(v, 0), anchor));
  }
  return parts;
}

/** @type {(scale: Scale) => Element[]} */
function spreadTicks({ width, toS, toY }) {
  const { left, top, base } = SPREAD;
  const parts = [
    svg("path", { d: `M${left} ${top - 8}V${base}M${left} ${base}H${width}` }),
    text(2, top - 14, "standard deviation", "start"),
  ];
  for (const v of [0.1, 1, 10]) {
    parts.push(text(left - 6, toY(v) + 4, String(v), "end"));
    parts.push(svg("path", { d: `M${left - 4} ${toY(v)}h4` }));
  }
  for (let k = 0; k <= MOST; k += width < 420 ? 2 : 1) {
    parts.push(text(toS(2 ** k), base + 16, String(2 ** k)));
  }
  parts.push(text(toS(2 ** (MOST / 2)), base + 31, "draws in each mean, S"));
  return parts;
}

// The cloud of one way in its row, its line over S, and the mark of what was measured.
/** @type {(way: Way, row: number, state: State, scale: Scale) => Element[]} */
function waySigns(way, row, { samples, means, variances }, { width, toX, toS, toY }) {
  // A fixed scatter up and down, so that a dot moves along its own line only.
  const place = uniformDraws(row + 1);
  let path = "";
  for (const gradient of means[way]) {
    const y = CLOUD.top + CLOUD.row * (row + 0.15 + 0.7 * place());
    path += `M${tenth(clamp(toX(gradient), 2, width - 2))} ${tenth(y)}h0`;
  }
  const [first, end] = [1, 2 ** MOST].map((s) => toY(Math.sqrt(variances[way] / s)));
  const line = `M${toS(1)} ${tenth(first)}L${toS(2 ** MOST)} ${tenth(end)}`;
  const [x, y] = [tenth(toS(samples)), tenth(toY(deviation(means[way])))];
  const mark = { class: "vw-mark", style: `fill: ${HUES[way]}` };
  return [
    svg("path", { class: "vw-cloud", d: path, style: `stroke: ${HUES[way]}` }),
    svg("path", { class: `vw-curve ${way === "score" ? "q" : "posterior"}`, d: line }),
    way === "score"
      ? svg("rect", { ...mark, x: x - 5, y: y - 5, width: 10, height: 10 })
      : svg("circle", { ...mark, cx: x, cy: y, r: 6 }),
  ];
}

// ---- the figure ----------------------------------------------------------------------------
/** @type {(context: Context<Traits>) => () => void} */
function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const picture = spreadPicture(undo);
  const controls = spreadControls(model);
  const numbers = readings({
    score: "score function, std",
    path: "reparameterised, std",
    worth: "how many of the first are worth one of the second",
  });
  const note = h("p", { class: "vw-note" });

  const work = frame(() => {
    const [samples, dimension] = [model.get("samples"), model.get("dimension")];
    const baseline = model.get("baseline");
    const means = meansOf(samples, dimension, baseline, model.get("seed"));
    const variances = perDrawVariances(dimension, baseline);
    picture.draw({ means, variances, samples });
    controls.show();
    const told = (/** @type {Way} */ way) => fixed(Math.sqrt(variances[way] / samples), 3);
    const text = (/** @type {Way} */ way) => `${told(way)}, measured ${fixed(deviation(means[way]), 3)}`;
    const worth = fixed(variances.score / variances.path, 1);
    numbers.show({ score: text("score"), path: text("path"), worth });
    note.textContent = noteOn(means, variances);
    const words = `Standard deviation ${told("score")} for the score function, ${told("path")} for the path`;
    const exact = `Means of ${samples} gradients in ${dimension} dimensions about the exact value 2.`;
    picture.relabel(`${exact} ${words}.`);
    said.say(words);
  });

  const key = { q: "score function (upper cloud, square)", posterior: "reparameterised (lower cloud, disc)" };
  const label = "Number of draws against the spread of two gradients";
  const root = h("div", { class: "vw", role: "group", "aria-label": label });
  const cover = [picture.root, ...controls.nodes, numbers.root, note, said.root];
  root.append(howManyAreWorthOne(model, cover, undo), curveKey(key), ...cover);
  listen(model, ["samples", "dimension", "baseline", "seed"], work, undo);
  undo.add(work.cancel);
  el.append(root);
  work();
  return undo.run;
}

/** @type {(model: Model<Traits>, cover: Element[], undo: Undo) => Element} */
function howManyAreWorthOne(model, cover, undo) {
  const told = (/** @type {number} */ v) => fixed(v, v < 100 ? 1 : 0);
  /** @type {(guess: number | null) => string} */
  function verdict(guess) {
    const variances = perDrawVariances(model.get("dimension"), model.get("baseline"));
    return verdictByFactor(guess, variances.score / variances.path, told);
  }
  return predictFirst({
    model, about: ["dimension", "baseline"], verdict, cover, undo,
    question: () => {
      const where = `in D = ${model.get("dimension")}, ${model.get("baseline") ? "with" : "without"} a baseline`;
      return `Before you look: how many draws of the score function are worth one reparameterised draw, ${where}?`;
    },
    guess: guessNumber({
      label: "your guess", min: 0, max: 3, step: 0.02, value: 1.5, scale: (v) => 10 ** v, format: told,
    }),
  });
}

/** @param {Model<Traits>} model */
function spreadControls(model) {
  const whole = { step: 1, value: 1, format: (/** @type {number} */ v) => String(v) };
  const samples = slider({
    ...whole, label: "draws S", min: 0, max: MOST, value: 0, format: (k) => String(2 ** k),
    onInput: (k) => send(model, { samples: 2 ** k }),
  });
  const dimension = slider({
    ...whole, label: "dimension D", min: 1, max: MOST,
    onInput: (dimension) => send(model, { dimension }),
  });
  const choices = ["No baseline", "Baseline E f"].map((text, i) =>
    button(text, () => send(model, { baseline: i === 1 })),
  );
  const again = button("Draw again", () => send(model, { seed: model.get("seed") + 1 }));
  const show = () => {
    samples.set(Math.log2(model.get("samples")));
    dimension.set(model.get("dimension"));
    press(choices, Number(model.get("baseline")));
  };
  const sliders = h("div", { class: "vw-sliders" }, samples.root, dimension.root);
  return { nodes: [sliders, h("div", { class: "vw-bar" }, ...choices, again)], show };
}

/** @type {(means: State["means"], variances: State["variances"]) => string} */
function noteOn(means, variances) {
  const out = means.score.filter((v) => Math.abs(v - TRUTH) > CLOUD.reach).length;
  const outside = `${out} of the upper dots lie outside and are drawn at the edge.`;
  const each = `${fixed(variances.score, 0)} and ${fixed(variances.path, 0)}`;
  return `Variance per draw: ${each}. ${out ? outside : "All dots are in sight."}`;
}

// What a link may set.
/** @type {(model: Model<Traits>) => Movable<Traits>} */
const movable = () => ({
  samples: { oneOf: Array.from({ length: MOST + 1 }, (_, k) => 2 ** k) },
  dimension: { whole: [1, MOST] },
  baseline: { flag: true },
  seed: { whole: SEEDS },
});

export default { render: withFoot("gradient-spread", movable, render) };
