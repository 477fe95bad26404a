// Move β over trained models: their place on the rate-distortion curve, and what they draw.

import { fitted, niceStep, tenth } from "./chart.js";
import {
  announcer, button, cleanups, figure, fixed, frame, h, listen, readings, send, setAttributes,
  slider, svg,
} from "./controls.js";
import { digitAt, digitTile } from "./digits.js";
import { SEEDS, withFoot } from "./foot.js";
import {
  bytesOf, clamp, doublesOf, normalDraws, outputsOf, readMlp, runMlp, sigmoid,
} from "./maths.js";
import { guessNumber, predictFirst, verdictInNats } from "./predict.js";

/**
 * @import { Binary, Context, Model, Movable, Spec, Undo, Values } from "./types.d.ts"
 * @typedef {{
 *   beta: number, rate: number, distortion: number, spec: Spec, weights: Binary, mu: Binary,
 *   logvar: Binary,
 * }} Trained
 * @typedef {{
 *   models: Trained[], images: Binary, chosen: number, seed: number, ask: boolean,
 * }} Traits
 * @typedef {ReturnType<typeof curveScale>} Scale
 */

const HEIGHT = 260; // of the picture, in pixels, and its margins
const MARGIN = { left: 44, foot: 40, top: 12 };
const INNER = HEIGHT - MARGIN.top - MARGIN.foot;

// Draws of N(0, I) from a seed: first an ε for each digit, then a z for each sample.
/** @type {(seed: number, count: number, size: number) => { eps: Float32Array[], z: Float32Array[] }} */
function latentDraws(seed, count, size) {
  const draw = normalDraws(seed);
  const rows = () => Array.from({ length: count }, () => Float32Array.from({ length: size }, draw));
  return { eps: rows(), z: rows() };
}

// z = μ + σ ε of digit i.
/** @type {(mu: Values, logvar: Values, eps: Float32Array, i: number) => Float32Array} */
function latentOf(mu, logvar, eps, i) {
  const at = i * eps.length;
  return eps.map((e, j) => mu[at + j] + Math.exp(0.5 * logvar[at + j]) * e);
}

// ---- the curve -----------------------------------------------------------------------------
/**
 * Pixels of rates and distortions, in a picture whose width is in `fit`.
 * @param {Trained[]} points
 * @param {{ width: number }} fit
 */
function curveScale(points, fit) {
  const distortions = points.map((point) => point.distortion);
  const [low, high] = [Math.min(...distortions), Math.max(...distortions)];
  const margin = 0.08 * (high - low || 1);
  const [bottom, ceiling] = [low - margin, high + margin];
  const wide = 1.05 * Math.max(...points.map((point) => point.rate)) || 1;
  /** @type {(rate: number) => number} */
  const toX = (rate) => MARGIN.left + (rate / wide) * (fit.width - MARGIN.left - 12);
  /** @type {(distortion: number) => number} */
  const toY = (distortion) => MARGIN.top + ((ceiling - distortion) / (ceiling - bottom)) * INNER;
  return { fit, bottom, ceiling, wide, toX, toY };
}

/**
 * The curve, its points, and the line of slope -β through the chosen one.
 * @param {Trained[]} points
 * @param {(i: number) => void} onChoose
 * @param {Undo} undo
 */
function curveOf(points, onChoose, undo) {
  const ticks = svg("g", { class: "vw-ticks" });
  const line = svg("path", { class: "vw-curve posterior" });
  const tangent = svg("path", { class: "vw-curve q" });
  const clip = svg("clipPath", { id: `rd-${Math.random().toString(36).slice(2)}` });
  const frameBox = svg("rect", { x: MARGIN.left, y: MARGIN.top, height: INNER });
  clip.append(frameBox);
  tangent.setAttribute("clip-path", `url(#${clip.id})`);
  const dots = points.map((_, i) =>
    svg("circle", { class: "vw-rd-point", r: 5, onclick: () => onChoose(i) }),
  );
  const marker = svg("circle", { class: "vw-rd-marker", r: 8 });
  const picture = svg("svg", { height: HEIGHT, role: "img", "aria-label": "Rate and distortion" });
  picture.append(clip, ticks, line, tangent, ...dots, marker);
  const root = h("div", { class: "vw-chart" }, picture);
  let shown = 0;

  const fit = fitted(root, picture, undo, () => {
    setAttributes(frameBox, { width: Math.max(fit.width - MARGIN.left, 1) });
    ticks.replaceChildren(...curveTicks(scale));
    draw();
  });
  const scale = curveScale(points, fit);
  const { toX, toY } = scale;
  /** @type {(rate: number, distortion: number) => string} */
  const place = (rate, distortion) => `${tenth(toX(rate))} ${tenth(toY(distortion))}`;
  function draw() {
    line.setAttribute("d", `M${points.map((point) => place(point.rate, point.distortion)).join("L")}`);
    dots.forEach((dot, i) => setAttributes(dot, { cx: toX(points[i].rate), cy: toY(points[i].distortion) }));
    const { rate, distortion, beta } = points[shown];
    setAttributes(marker, { cx: toX(rate), cy: toY(distortion) });
    const [left, right] = [0, scale.wide].map((r) => place(r, distortion - beta * (r - rate)));
    tangent.setAttribute("d", `M${left}L${right}`);
  }
  /** @type {(i: number, text: string) => void} */
  function show(i, text) {
    shown = i;
    picture.setAttribute("aria-label", text);
    if (fit.width > 1) draw();
  }
  return { root, show };
}

/** @type {(scale: Scale) => Element[]} */
function curveTicks({ fit: { width }, bottom, ceiling, wide, toX, toY }) {
  const { left, foot, top } = MARGIN;
  const base = HEIGHT - foot;
  /** @type {Element[]} */
  const parts = [svg("path", { d: `M${left} ${top}V${base}H${width}`, fill: "none" })];
  const across = niceStep(wide, (width - left) / 44);
  for (let v = 0; v <= wide + 1e-9; v += across) {
    const place = { x: toX(v), y: base + 15, "text-anchor": "middle" };
    parts.push(svg("text", place, fixed(v, across < 1 ? 1 : 0)));
  }
  const up = niceStep(ceiling - bottom, 6);
  for (let v = Math.ceil(bottom / up) * up; v <= ceiling; v += up) {
    const place = { x: left - 6, y: toY(v) + 4, "text-anchor": "end" };
    parts.push(svg("text", place, fixed(v, up < 1 ? 1 : 0)));
  }
  parts.push(svg("text", { x: width, y: base + 32, "text-anchor": "end" }, "rate R, nats"));
  parts.push(svg("text", { x: left + 8, y: top + 10 }, "distortion D, nats"));
  return parts;
}

// ---- the digits ----------------------------------------------------------------------------
/** @type {(trained: Trained) => { layers: ReturnType<typeof readMlp>, size: number, mu: Values, logvar: Values }} */
function networkOf({ spec, weights, mu, logvar }) {
  const [first] = spec.flatMap((layer) => (layer.kind === "linear" ? [layer.inputs] : []));
  return { layers: readMlp(spec, weights), size: first, mu: doublesOf(mu), logvar: doublesOf(logvar) };
}

/**
 * The digits, and for a chosen model their reconstructions and as many samples.
 * @param {Trained[]} models
 * @param {Uint8Array} images
 */
function threeRows(models, images) {
  const pixels = outputsOf(models[0].spec);
  const count = images.length / pixels;
  const networks = models.map(networkOf);
  const rowOf = (/** @type {string} */ title) => {
    const tiles = Array.from({ length: count }, () => digitTile(Math.sqrt(pixels)));
    const row = h("div", { class: "vw-rd-row" }, ...tiles.map((tile) => tile.canvas));
    return { tiles, root: figure(title, row) };
  };
  const digits = rowOf("digits");
  const decoded = rowOf("reconstructions, z from q(z|x)");
  const samples = rowOf("samples, z from N(0, I)");
  digits.tiles.forEach((tile, i) => {
    tile.paint(digitAt(images, i, pixels));
    tile.describe(`digit ${i + 1}`);
  });
  /** @type {(chosen: number, seed: number) => void} */
  function show(chosen, seed) {
    const { layers, size, mu, logvar } = networks[chosen];
    const { eps, z } = latentDraws(seed, count, size);
    const at = `at β = ${models[chosen].beta}`;
    for (let i = 0; i < count; i++) {
      decoded.tiles[i].paint(runMlp(layers, latentOf(mu, logvar, eps[i], i)), sigmoid);
      decoded.tiles[i].describe(`digit ${i + 1} reconstructed ${at}`);
      samples.tiles[i].paint(runMlp(layers, z[i]), sigmoid);
      samples.tiles[i].describe(`sample ${i + 1} ${at}`);
    }
  }
  return { nodes: [digits.root, decoded.root, samples.root], show };
}

/** @type {(context: Context<Traits>) => () => void} */
function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const models = model.get("models");
  const last = models.length - 1;
  const name = (/** @type {number} */ i) => String(models[i].beta);
  const choose = (/** @type {number} */ chosen) => send(model, { chosen });
  const curve = curveOf(models, choose, undo);
  const rows = threeRows(models, bytesOf(model.get("images")));
  const knob = slider({
    label: "weight β", min: 0, max: last, step: 1, value: 0, format: name, onInput: choose,
  });
  const numbers = readings({ rate: "rate R", distortion: "distortion D", total: "R + D, that is −ELBO" });

  const work = frame(() => {
    const chosen = clamp(model.get("chosen"), 0, last);
    rows.show(chosen, model.get("seed"));
    const { rate, distortion } = models[chosen];
    const nats = (/** @type {number} */ v) => `${fixed(v)} nats`;
    numbers.show({ rate: nats(rate), distortion: nats(distortion), total: nats(rate + distortion) });
    knob.set(chosen);
    const text = `β = ${name(chosen)}: rate ${nats(rate)}, distortion ${nats(distortion)}`;
    curve.show(chosen, text);
    said.say(text);
  });

  const again = button("Draw z again", () => send(model, { seed: model.get("seed") + 1 }));
  const left = h("div", { class: "vw-half" }, curve.root, knob.root, numbers.root);
  const bar = h("div", { class: "vw-bar" }, again);
  const right = h("div", { class: "vw-half" }, ...rows.nodes, bar);
  const label = "Rate and distortion for several β";
  const root = h("div", { class: "vw", role: "group", "aria-label": label });
  const first = howMuchItCarries(model, [curve.root, knob.root, numbers.root, bar, said.root], undo);
  root.append(first, h("div", { class: "vw-flow" }, left, right), said.root);
  listen(model, ["chosen", "seed"], work, undo);
  undo.add(work.cancel);
  work();
  el.append(root);
  return undo.run;
}

/** @type {(model: Model<Traits>, cover: Element[], undo: Undo) => Element} */
function howMuchItCarries(model, cover, undo) {
  const models = model.get("models");
  const now = () => models[clamp(model.get("chosen"), 0, models.length - 1)];
  return predictFirst({
    model, about: ["chosen"], cover, undo,
    question: () =>
      `Before you look at the curve: how many nats does the code carry about a digit at β = ${now().beta}? ` +
      `That is the rate R; to name one of ten classes takes ${fixed(Math.log(10), 1)}.`,
    guess: guessNumber({
      label: "guess, nats", min: 0, max: 30, step: 0.1, value: 15, format: (v) => fixed(v, 1),
    }),
    verdict: (guess) => verdictInNats(guess, now().rate),
  });
}

// What a link may set.
/** @type {(model: Model<Traits>) => Movable<Traits>} */
const movable = (model) => ({
  chosen: { whole: [0, model.get("models").length - 1] }, seed: { whole: SEEDS },
});

export default { render: withFoot("rate-distortion", movable, render) };
