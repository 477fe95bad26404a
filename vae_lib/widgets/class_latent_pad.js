// One plane of styles z, a picture of the same z for each class to choose from, and the verdict of
// a classifier on the one that is chosen.

import {
  announcer, button, cleanups, fixed, frame, h, listen, press, send, tuple,
} from "./controls.js";
import { digitTile } from "./digits.js";
import { withFoot } from "./foot.js";
import {
  bytesOf, floatsOf, normalDraws, outputsOf, readMlp, runMlp, sigmoid, wholeWithin, within,
} from "./maths.js";
import { paintCodes, plane } from "./plane.js";

/**
 * @import { Binary, Box, Context, Model, Movable, Pair, Spec, Undo, Values } from "./types.d.ts"
 * @typedef {{
 *   decoder: Spec, weights: Binary, judge: Spec, judge_weights: Binary, extent: Box, codes: Binary,
 *   labels: Binary, z: Pair, y: number, seed: number,
 * }} Traits
 */

/** @type {(context: Context<Traits>) => () => void} */
function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const draws = normalDraws(model.get("seed"));
  const network = conditionalNetwork(model);
  const { classes } = network;
  const row = classRow(classes, Math.sqrt(network.pixels), (y) => send(model, { y }));
  const tile = digitTile(Math.sqrt(network.pixels));
  const votes = voteBars(classes);
  const where = h("div", { class: "vw-number" });
  const surface = stylePlane(model, undo);

  const redraw = frame(() => {
    const [z, y] = [styleOf(model), classOf(model)];
    for (let k = 0; k < classes; k++) row.paint(k, network.decode(z, k));
    const picture = network.decode(z, y);
    tile.paint(picture);
    tile.describe(`the decoder's ${y} at z = ${tuple(z, 1)}`);
    where.textContent = `at ${tuple(z, 1)}`;
    votes.show(network.judge(picture), y);
  });
  undo.add(redraw.cancel);
  const follow = () => {
    surface.moveTo(styleOf(model));
    row.choose(classOf(model));
    surface.repaint();
    redraw();
  };
  const drawStyle = () => {
    /** @type {Pair} */
    const z = [draws(), draws()];
    send(model, { z });
    said.say(`z drawn from N(0, I): ${tuple(styleOf(model), 1)}`);
  };

  const beside = h("div", { class: "vw-side" }, tile.canvas, where);
  const pad = h("div", { class: "vw-pad" }, surface.root, beside);
  const bar = h("div", { class: "vw-bar" }, button("Draw z from N(0, I)", drawStyle));
  const hint = "Choose a class above. Drag the handle, or focus it and use the arrow keys.";
  const root = h("div", { class: "vw vw-judged", role: "group", "aria-label": "Class and style" });
  const both = h("div", { class: "vw-flow" }, pad, votes.root);
  root.append(row.root, both, bar, h("p", { class: "vw-note" }, hint), said.root);
  listen(model, ["z", "y"], follow, undo);
  listen(model, ["codes", "labels"], surface.repaint, undo);
  follow();
  el.append(root);
  return undo.run;
}

// z as far as the handle reaches, and a class that there is, whatever the traits say.
/** @type {(model: Model<Traits>) => Pair} */
function styleOf(model) {
  const [left, right, bottom, top] = model.get("extent");
  const z = model.get("z");
  return [within(z[0], left, right), within(z[1], bottom, top)];
}

/** @type {(model: Model<Traits>) => number} */
const classOf = (model) => wholeWithin(model.get("y"), 0, outputsOf(model.get("judge")) - 1);

/** @type {(model: Model<Traits>, undo: Undo) => ReturnType<typeof plane>} */
function stylePlane(model, undo) {
  return plane({
    label: "style z",
    names: ["z₁", "z₂"],
    extent: model.get("extent"),
    paint: (context, toPixels, size) => {
      const [codes, labels] = [floatsOf(model.get("codes")), bytesOf(model.get("labels"))];
      paintCodes(context, toPixels, size, codes, labels, classOf(model));
    },
    onMove: (z) => send(model, { z }),
    describe: (z) => `z = ${tuple(z, 1)}`,
    undo,
  });
}

/**
 * The decoder of z and a one-hot label, and the judge of what it draws.
 * @param {Model<Traits>} model
 */
function conditionalNetwork(model) {
  const decoder = readMlp(model.get("decoder"), model.get("weights"));
  const classifier = readMlp(model.get("judge"), model.get("judge_weights"));
  const classes = outputsOf(model.get("judge"));
  const pixels = outputsOf(model.get("decoder"));
  const input = new Float32Array(2 + classes);
  // The probability of ink in each pixel, in an array of its own.
  /** @type {(z: Pair, y: number) => Float32Array} */
  function decode(z, y) {
    input.fill(0);
    input.set(z);
    input[2 + y] = 1;
    return Float32Array.from(runMlp(decoder, input), sigmoid);
  }
  // The probability of each class.
  /** @type {(picture: Float32Array) => number[]} */
  function judge(picture) {
    const logits = runMlp(classifier, picture);
    const top = Math.max(...logits);
    const odds = Array.from(logits, (l) => Math.exp(l - top));
    const sum = odds.reduce((a, b) => a + b, 0);
    return odds.map((o) => o / sum);
  }
  return { classes, pixels, decode, judge };
}

/**
 * A picture for each class, to choose from: one z in all of them.
 * @param {number} classes
 * @param {number} side
 * @param {(y: number) => void} onChoose
 */
function classRow(classes, side, onChoose) {
  const tiles = Array.from({ length: classes }, () =>
    digitTile(side, { role: null, "aria-hidden": "true" }),
  );
  const buttons = tiles.map((tile, y) => {
    const attributes = { class: "vw-pick", "aria-pressed": "false", "aria-label": `class ${y}` };
    return button(tile.canvas, () => onChoose(y), attributes);
  });
  const label = "The same z in each class; choose one";
  return {
    root: h("div", { class: "vw-row vw-class-row", role: "group", "aria-label": label }, ...buttons),
    paint: (/** @type {number} */ y, /** @type {Values} */ picture) => tiles[y].paint(picture),
    choose: (/** @type {number} */ y) => press(buttons, y),
  };
}

/**
 * A bar for each class, and the verdict in words.
 * @param {number} classes
 */
function voteBars(classes) {
  const bars = Array.from({ length: classes }, () => h("i", {}));
  const columns = bars.map((bar, y) => h("div", { class: "vw-vote" }, h("div", {}, bar), String(y)));
  const picture = h("div", { class: "vw-votes", role: "img" }, ...columns);
  const words = h("div", { class: "vw-number" });
  const note = h("p", { class: "vw-note" });
  const title = h("div", { class: "vw-caption" }, "The classifier");
  /** @type {(shares: number[], asked: number) => void} */
  function show(shares, asked) {
    const winner = shares.indexOf(Math.max(...shares));
    const said = `says ${winner}, ${fixed(100 * shares[winner], 0)} %`;
    bars.forEach((bar, y) => (bar.style.height = `${100 * shares[y]}%`));
    columns.forEach((column, y) => column.classList.toggle("vw-asked", y === asked));
    picture.setAttribute("aria-label", `the classifier ${said}`);
    words.textContent = said;
    note.textContent = winner === asked ? "as you asked" : `and you asked for a ${asked}`;
  }
  return { root: h("div", { class: "vw-verdict" }, title, picture, words, note), show };
}

// What a link may set.
/** @type {(model: Model<Traits>) => Movable<Traits>} */
const movable = (model) => {
  const [left, right, bottom, top] = model.get("extent");
  const last = outputsOf(model.get("judge")) - 1;
  return { z: { numbers: [[left, right], [bottom, top]] }, y: { whole: [0, last] } };
};

export default { render: withFoot("class-latent-pad", movable, render) };
