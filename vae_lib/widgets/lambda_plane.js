// The λ plane: KL(q_λ || p) over log s₁ and log s₂, and q_λ over p on the latent plane.
// q_λ = N(m, diag s²), p = N(0, [[1, ρ], [ρ, 1]]).

import {
  announcer, button, cleanups, colour, figure, fixed, frame, h, listen, readings, send, slider,
  tuple,
} from "./controls.js";
import { withFoot } from "./foot.js";
import { clamp } from "./maths.js";
import { paintOpacities, plane } from "./plane.js";

/**
 * @import { Box, Canvas, Context, Model, Movable, Pair, ToPixels, Undo } from "./types.d.ts"
 * @typedef {[number, number, number, number]} Lambda
 * @typedef {{ rho: number, mean: Pair, log_std: Pair, path: Lambda[] }} Traits
 */

/** @type {Box} */
const LOG_STDS = [-2.6, 0.9, -2.6, 0.9];
/** @type {Box} */
const LATENT = [-3, 3, -3, 3];
const RATE = 0.1;
const CELLS = 140; // of the shading, along each axis; ALONG holds the log s of each
const ALONG = Array.from(
  { length: CELLS },
  (_, k) => LOG_STDS[0] + ((k + 0.5) / CELLS) * (LOG_STDS[1] - LOG_STDS[0]),
);

// KL(q_λ || p) in nats, for λ = [m₁, m₂, log s₁, log s₂].
/** @type {(lambda: Lambda, rho: number) => number} */
function meanFieldKl([m1, m2, l1, l2], rho) {
  const left = 1 - rho * rho;
  const spread = Math.exp(2 * l1) + Math.exp(2 * l2);
  const away = m1 * m1 - 2 * rho * m1 * m2 + m2 * m2;
  return 0.5 * ((spread + away) / left - 2 + Math.log(left)) - l1 - l2;
}

// Its gradient, component by component.
/** @type {(lambda: Lambda, rho: number) => Lambda} */
function meanFieldSlope([m1, m2, l1, l2], rho) {
  const left = 1 - rho * rho;
  return [
    (m1 - rho * m2) / left,
    (m2 - rho * m1) / left,
    Math.exp(2 * l1) / left - 1,
    Math.exp(2 * l2) / left - 1,
  ];
}

// One step down. The slope is scaled by 1 - ρ², so that one rate suits every ρ.
/** @type {(lambda: Lambda, rho: number) => Lambda} */
function stepDown([m1, m2, l1, l2], rho) {
  const slope = meanFieldSlope([m1, m2, l1, l2], rho);
  const left = 1 - rho * rho;
  /** @type {(v: number, slope: number) => number} */
  const down = (v, slope) => v - RATE * clamp(slope, -3, 3);
  return [down(m1, left * slope[0]), down(m2, left * slope[1]), down(l1, slope[2]), down(l2, slope[3])];
}

/** @type {(context: Context<Traits>) => () => void} */
function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const landscape = landscapePlane(model, undo);
  const latent = latentPlane(model, undo);
  const [one, two] = [1, 2].map(() => latent.ellipse({ class: "vw-q-area" }));
  const numbers = readings({
    kl: "KL(q‖p)", least: "the least there can be", s1: "s₁, for a marginal of 1",
    s2: "s₂, for a marginal of 1",
  });
  const correlation = slider({
    label: "correlation ρ", min: -0.95, max: 0.95, step: 0.05, value: model.get("rho"),
    onInput: (rho) => send(model, { rho, path: [] }),
  });

  const work = frame(() => {
    const [rho, mean, logStd] = [model.get("rho"), model.get("mean"), model.get("log_std")];
    const std = logStd.map(Math.exp);
    landscape.moveTo(logStd);
    latent.moveTo(mean);
    one(mean, std);
    two(mean, std.map((s) => 2 * s));
    landscape.repaint();
    latent.repaint();
    correlation.set(rho);
    const kl = klOf(model);
    const least = -0.5 * Math.log(1 - rho * rho);
    const [s1, s2] = std.map((s) => fixed(s, 3));
    numbers.show({ kl: `${fixed(kl, 3)} nats`, least: `${fixed(least, 3)} nats`, s1, s2 });
    said.say(`KL ${fixed(kl, 2)} nats`);
  });

  const halves = [
    figure("λ: the spreads, shaded by KL", landscape.root),
    figure("q (filled) over p (lines)", latent.root),
  ].map((half) => h("div", { class: "vw-half" }, half));
  const label = "The λ plane: a mean-field fit to a correlated posterior";
  const root = h("div", { class: "vw", role: "group", "aria-label": label });
  root.append(h("div", { class: "vw-flow" }, ...halves), descentBar(model), correlation.root, numbers.root);
  const hint = "Drag either handle, or focus it and use the arrow keys.";
  root.append(h("p", { class: "vw-note" }, hint), said.root);
  listen(model, ["rho", "mean", "log_std", "path"], work, undo);
  undo.add(work.cancel);
  work();
  el.append(root);
  return undo.run;
}

/** @type {(model: Model<Traits>) => Lambda} */
const lambdaOf = (model) => [...model.get("mean"), ...model.get("log_std")];

/** @type {(model: Model<Traits>) => number} */
const klOf = (model) => meanFieldKl(lambdaOf(model), model.get("rho"));

// The buttons that go down from where λ is, on along the path if there is one.
/** @param {Model<Traits>} model */
function descentBar(model) {
  /** @type {(count: number) => void} */
  function descend(count) {
    const path = [...model.get("path")];
    let last = path.at(-1) ?? lambdaOf(model);
    if (!path.length) path.push(last);
    for (let k = 0; k < count; k++) path.push((last = stepDown(last, model.get("rho"))));
    send(model, { mean: [last[0], last[1]], log_std: [last[2], last[3]], path });
  }
  const one = button("One step down", () => descend(1));
  return h("div", { class: "vw-bar" }, one, button("40 steps down", () => descend(40)));
}

// ---- the planes ----------------------------------------------------------------------------
/** @type {(model: Model<Traits>, undo: Undo) => ReturnType<typeof plane>} */
function landscapePlane(model, undo) {
  const sheet = h("canvas", { width: CELLS, height: CELLS });
  return plane({
    label: "log s, the log standard deviations of q",
    names: ["log s₁", "log s₂"],
    extent: LOG_STDS,
    paint: (context, toPixels, size) => {
      const best = 0.5 * Math.log(1 - model.get("rho") ** 2);
      paintOpacities(sheet, colour(context.canvas, "--vw-posterior"), landscapeShade(best));
      context.drawImage(sheet, 0, 0, size, size); // smoothed
      paintPath(context, toPixels, model.get("path"), ([, , l1, l2]) => [l1, l2]);
    },
    onMove: (log_std) => send(model, { log_std, path: [] }),
    describe: (value) => `log s = ${tuple(value, 1)}, KL ${fixed(klOf(model), 2)} nats`,
    undo,
  });
}

// Opacities by KL above the least: full at the bottom, half a nat a band. The KL is a sum of a term
// in m, one in log s₁ and one in log s₂, so what each log s costs above its best adds up.
/** @type {(best: number) => Float64Array} */
function landscapeShade(best) {
  const excess = ALONG.map((l) => 0.5 * (Math.exp(2 * (l - best)) - 1) - (l - best));
  const opacities = new Float64Array(CELLS * CELLS);
  for (let row = 0, at = 0; row < CELLS; row++) {
    for (let column = 0; column < CELLS; column++, at++) {
      const band = Math.floor(2 * (excess[column] + excess[CELLS - 1 - row])) / 2;
      opacities[at] = 0.75 * Math.exp(-band / 1.5);
    }
  }
  return opacities;
}

/** @type {(model: Model<Traits>, undo: Undo) => ReturnType<typeof plane>} */
function latentPlane(model, undo) {
  return plane({
    label: "m, the mean of q",
    names: ["z₁", "z₂"],
    extent: LATENT,
    paint: (context, toPixels, size) => {
      paintPosterior(context, toPixels, size, model.get("rho"));
      paintPath(context, toPixels, model.get("path"), ([m1, m2]) => [m1, m2]);
    },
    onMove: (mean) => send(model, { mean, path: [] }),
    describe: (value) => `m = ${tuple(value, 1)}, KL ${fixed(klOf(model), 2)} nats`,
    undo,
  });
}

// Contours of p at one and two standard deviations.
/** @type {(context: Canvas, toPixels: ToPixels, size: number, rho: number) => void} */
function paintPosterior(context, toPixels, size, rho) {
  context.strokeStyle = colour(context.canvas, "--vw-posterior");
  context.lineWidth = size / 130;
  for (const radius of [1, 2]) {
    context.beginPath();
    for (let k = 0; k <= 90; k++) {
      const [u, v] = [Math.cos((k * Math.PI) / 45), Math.sin((k * Math.PI) / 45)];
      const z = [radius * u, radius * (rho * u + Math.sqrt(1 - rho * rho) * v)];
      context.lineTo(...toPixels(z));
    }
    context.stroke();
  }
}

/** @type {(context: Canvas, toPixels: ToPixels, path: Lambda[], point: (lambda: Lambda) => Pair) => void} */
function paintPath(context, toPixels, path, point) {
  context.strokeStyle = colour(context.canvas, "--vw-text");
  context.lineWidth = 1.5 * (window.devicePixelRatio || 1);
  context.beginPath();
  for (const step of path) context.lineTo(...toPixels(point(step)));
  context.stroke();
}

// What a link may set.
/** @type {(model: Model<Traits>) => Movable<Traits>} */
const movable = () => {
  /** @type {(box: Box) => Pair[]} */
  const inBox = ([left, right, bottom, top]) => [[left, right], [bottom, top]];
  return {
    rho: { number: [-0.98, 0.98] },
    mean: { numbers: inBox(LATENT) },
    log_std: { numbers: inBox(LOG_STDS) },
  };
};

export default { render: withFoot("lambda-plane", movable, render) };
