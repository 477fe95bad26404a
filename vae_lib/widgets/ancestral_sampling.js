// Ancestral sampling: z from the prior, its pixel probabilities, black-and-white pixels from those.

import {
  announcer, button, cleanups, figure, fixed, frame, h, listen, readings, send, tuple,
} from "./controls.js";
import { digitTile } from "./digits.js";
import { DRAWN, SEEDS, withFoot } from "./foot.js";
import {
  bernoulliNll, logNormal, normalDraws, outputsOf, RADIUS_95, readMlp, runMlp, sigmoid, uniformDraws,
} from "./maths.js";
import { plane } from "./plane.js";

/**
 * @import { Binary, Box, Context, Layer, Model, Movable, Pair, Spec, Undo } from "./types.d.ts"
 * @typedef {1 | 2 | 3} Step
 * @typedef {{
 *   decoder: Spec, decoder_weights: Binary, z: Pair, step: Step, seed: number, pixel_seed: number,
 * }} Traits
 */

/** @type {Box} */
const EXTENT = [-3.5, 3.5, -3.5, 3.5];
const NEXT = { 1: "Decode z", 2: "Draw the pixels", 3: "Start again: draw z" };
const TOLD = {
  1: "z is drawn from N(0, I), or placed by hand. Nothing else is known yet.",
  2: "The decoder has turned z into the probability of ink in each pixel. This is no digit yet.",
  3:
    "Each pixel is drawn on its own, given its probability. This is x, a draw from p(x); z and x " +
    "together are one from p(x, z).",
};

/** @type {(context: Context<Traits>) => () => void} */
function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const layers = readMlp(model.get("decoder"), model.get("decoder_weights"));
  const size = outputsOf(model.get("decoder"));
  const surface = latentPlane(model, undo);
  const results = resultTiles(size);
  const numbers = readings({ prior: "log p(z)", likelihood: "log p(x|z)", joint: "log p(x, z)" });
  const told = h("p", { class: "vw-note" });
  const steps = stepButtons(model);

  const work = frame(() => {
    const [z, step] = [model.get("z"), model.get("step")];
    const { logits, x, prior, likelihood } = sample(layers, z, model.get("pixel_seed"));
    surface.moveTo(z);
    results.show(step, logits, x);
    numbers.show({
      prior: `${fixed(prior)} nats`,
      likelihood: step > 2 ? `${fixed(likelihood)} nats` : "–",
      joint: step > 2 ? `${fixed(prior + likelihood)} nats` : "–",
    });
    steps.show(step);
    told.textContent = `Step ${step} of 3. ${TOLD[step]}`;
    said.say(told.textContent);
  });

  const flow = h(
    "div",
    { class: "vw-flow" },
    h("div", { class: "vw-step vw-step-plane" }, figure("1. z from p(z)", surface.root)),
    h("div", { class: "vw-step" }, figure("2. decode to π", results.probabilities.canvas)),
    h("div", { class: "vw-step" }, figure("3. x from p(x|z)", results.pixels.canvas)),
  );
  const hint = "Or drag the handle: z can be placed by hand, with the arrow keys too.";
  const label = "Ancestral sampling, step by step";
  const root = h("div", { class: "vw", role: "group", "aria-label": label });
  root.append(flow, told, steps.root, numbers.root, h("p", { class: "vw-note" }, hint), said.root);
  listen(model, ["z", "step", "pixel_seed"], work, undo);
  undo.add(work.cancel);
  work();
  el.append(root);
  return undo.run;
}

/**
 * Logits at z, pixels drawn from them by a seed, and the logs of both densities.
 * @param {Layer[]} layers
 * @param {Pair} z
 * @param {number} seed
 */
function sample(layers, z, seed) {
  const logits = runMlp(layers, Float32Array.from(z));
  const uniform = uniformDraws(seed);
  const x = Float32Array.from(logits, (logit) => (uniform() < sigmoid(logit) ? 1 : 0));
  const prior = logNormal(z[0], 0, 1) + logNormal(z[1], 0, 1);
  return { logits, x, prior, likelihood: -bernoulliNll(x, logits) };
}

/** @type {(model: Model<Traits>, undo: Undo) => ReturnType<typeof plane>} */
function latentPlane(model, undo) {
  const surface = plane({
    label: "latent vector z",
    names: ["z₁", "z₂"],
    extent: EXTENT,
    onMove: (z) => send(model, { z }),
    describe: (z) => `z = ${tuple(z, 1)}`,
    undo,
  });
  surface.ellipse({ class: "vw-ring" })([0, 0], [RADIUS_95, RADIUS_95]);
  return surface;
}

// The tiles of the second and the third step, blank before it.
/** @param {number} size */
function resultTiles(size) {
  const [probabilities, pixels] = [digitTile(Math.sqrt(size)), digitTile(Math.sqrt(size))];
  const blank = new Float32Array(size);
  /** @type {(step: Step, logits: Float32Array, x: Float32Array) => void} */
  const show = (step, logits, x) => {
    if (step > 1) probabilities.paint(logits, sigmoid);
    else probabilities.paint(blank);
    pixels.paint(step > 2 ? x : blank);
    probabilities.describe(step > 1 ? "probability of ink in each pixel" : "nothing decoded yet");
    pixels.describe(step > 2 ? "a black-and-white digit, drawn pixel by pixel" : "nothing drawn yet");
  };
  return { probabilities, pixels, show };
}

/** @param {Model<Traits>} model */
function stepButtons(model) {
  const draws = normalDraws(model.get("seed"));
  const drawPixels = () => send(model, { pixel_seed: model.get("pixel_seed") + 1, step: 3 });
  const next = button("", () => {
    const step = model.get("step");
    if (step === 1) send(model, { step: 2 });
    else if (step === 2) drawPixels();
    else send(model, { z: [draws(), draws()], step: 1 });
  });
  const again = button("New pixels, same z", drawPixels);
  /** @type {(step: Step) => void} */
  const show = (step) => {
    next.textContent = NEXT[step];
    again.disabled = step < 3;
  };
  return { root: h("div", { class: "vw-bar" }, next, again), show };
}

// What a link may set.
/** @type {(model: Model<Traits>) => Movable<Traits>} */
const movable = () => ({
  z: { numbers: [DRAWN, DRAWN] }, step: { oneOf: [1, 2, 3] }, pixel_seed: { whole: SEEDS },
});

export default { render: withFoot("ancestral-sampling", movable, render) };
