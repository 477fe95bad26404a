// Pick a digit, then turn the units of its code by hand and watch the decoder.

import {
  announcer, button, cleanups, figure, fixed, frame, h, listen, readings, send, slider, tuple,
} from "./controls.js";
import { digitAt, digitRow, digitTile } from "./digits.js";
import { withFoot } from "./foot.js";
import { bernoulliNll, bytesOf, outputsOf, readMlp, runMlp, sigmoid } from "./maths.js";

/**
 * @import { Binary, Context, Layer, Model, Movable, Pair, Spec, Values } from "./types.d.ts"
 * @typedef {{
 *   encoder: Spec, encoder_weights: Binary, decoder: Spec, decoder_weights: Binary, images: Binary,
 *   limits: Pair[], chosen: number, code: number[],
 * }} Traits
 */

/** @type {(context: Context<Traits>) => () => void} */
function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const coder = coderOf(model);
  const { images, size } = coder;
  const units = model.get("limits").length;
  /** @type {number | null} */
  let best = null; // the loss of the encoder's code, until the digit or a network changes

  /** @type {(chosen: number) => void} */
  const pick = (chosen) => send(model, { chosen, code: coder.encode(digitAt(images, chosen, size)) });
  const reset = () => send(model, { code: coder.encode(coder.original()) });
  const row = digitRow(images, size, "Held-out digits to pick from", pick);
  const pair = beforeAndAfter(size);
  const knobs = knobsOf(model);
  const numbers = readings({ loss: "loss, this code", best: "loss, the encoder's code" });

  const work = frame(() => {
    const x = coder.original();
    const code = model.get("code");
    if (code.length !== units) return reset();
    best ??= bernoulliNll(x, coder.decode(coder.encode(x)));
    const logits = coder.decode(code);
    const loss = fixed(bernoulliNll(x, logits), 1);
    pair.show(x, logits, model.get("chosen"), code);
    knobs.forEach((knob, i) => knob.set(code[i]));
    row.choose(model.get("chosen"));
    numbers.show({ loss: `${loss} nats`, best: `${fixed(best, 1)} nats` });
    said.say(`Loss ${loss} nats`);
  });
  const forget = () => ((best = null), work());
  const load = () => (coder.load(), forget());

  const left = h("div", { class: "vw-knob-side" }, pair.root, numbers.root);
  const sliders = h("div", { class: "vw-sliders" }, ...knobs.map((knob) => knob.root));
  const root = h("div", { class: "vw", role: "group", "aria-label": "Turn the units of a code" });
  root.append(h("div", { class: "vw-caption" }, "Pick a digit"), row.root);
  root.append(h("div", { class: "vw-flow" }, left, sliders));
  root.append(h("div", { class: "vw-bar" }, button("Back to the encoder's code", reset)), said.root);
  listen(model, ["encoder", "encoder_weights", "decoder", "decoder_weights"], load, undo);
  listen(model, ["chosen"], forget, undo);
  listen(model, ["code"], work, undo);
  undo.add(work.cancel);
  load();
  el.append(root);
  return undo.run;
}

/**
 * The digits and both networks; `load` reads the networks.
 * @param {Model<Traits>} model
 */
function coderOf(model) {
  const images = bytesOf(model.get("images"));
  const units = model.get("limits").length;
  const size = outputsOf(model.get("decoder")); // pixels of an image
  /** @type {Layer[]} */
  let encoder;
  /** @type {Layer[]} */
  let decoder;
  return {
    images,
    size,
    load() {
      encoder = readMlp(model.get("encoder"), model.get("encoder_weights"));
      decoder = readMlp(model.get("decoder"), model.get("decoder_weights"));
    },
    original: () => digitAt(images, model.get("chosen"), size),
    encode: (/** @type {Float32Array} */ x) => Array.from(runMlp(encoder, x).subarray(0, units)),
    decode: (/** @type {Values} */ code) => runMlp(decoder, Float32Array.from(code)),
  };
}

/** @param {number} size */
function beforeAndAfter(size) {
  const [before, after] = [digitTile(Math.sqrt(size)), digitTile(Math.sqrt(size))];
  const tiles = [figure("original", before.canvas), figure("decoded", after.canvas)];
  /** @type {(x: Values, logits: Values, chosen: number, code: Values) => void} */
  function show(x, logits, chosen, code) {
    before.paint(x);
    after.paint(logits, sigmoid);
    before.describe(`the original, digit ${chosen + 1} of the row`);
    after.describe(`decoded from the code ${tuple(code, 1)}`);
  }
  return { root: h("div", { class: "vw-pair" }, ...tiles), show };
}

// A slider for each unit, between its limits.
/** @param {Model<Traits>} model */
function knobsOf(model) {
  /** @type {(unit: number, value: number) => void} */
  const turn = (unit, value) =>
    send(model, { code: model.get("code").map((v, i) => (i === unit ? value : v)) });
  return model.get("limits").map(([min, max], unit) =>
    slider({
      label: `code unit ${unit + 1}`,
      min,
      max,
      step: (max - min) / 200,
      value: 0,
      onInput: (value) => turn(unit, value),
    }),
  );
}

// What a link may set.
/** @type {(model: Model<Traits>) => Movable<Traits>} */
const movable = (model) => ({
  chosen: { whole: [0, bytesOf(model.get("images")).length / outputsOf(model.get("decoder")) - 1] },
  // The encoder's own code may lie beyond what the sliders reach.
  code: { numbers: model.get("limits").map(([min, max]) => [2 * min - max, 2 * max - min]) },
});

export default { render: withFoot("code-knobs", movable, render) };
