// Decoders side by side: drag a handle over each one's latent plane and see what it decodes to.

import {
  announcer, button, classLegend, cleanups, frame, h, listen, send, tuple,
} from "./controls.js";
import { digitTile } from "./digits.js";
import { DRAWN, withFoot } from "./foot.js";
import {
  bytesOf, floatsOf, normalDraws, outputsOf, RADIUS_95, readMlp, runMlp, sigmoid,
} from "./maths.js";
import { paintCodes, plane } from "./plane.js";

/**
 * @import {
 *   Binary, Box, Context, Layer, Model, Movable, Pair, Spec, Undo, Values,
 * } from "./types.d.ts"
 * @typedef {{
 *   name: string, spec: Spec, weights: Binary, codes: Binary, extent: Box, prior: boolean,
 * }} Pad
 * @typedef {{ pads: Pad[], labels: Binary, positions: Record<string, Pair>, seed: number }} Traits
 * @typedef {ReturnType<typeof padView>} PadView
 */

/** @type {(context: Context<Traits>) => () => void} */
function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const grid = h("div", { class: "vw-pads" });
  /** @type {Map<string, PadView>} */
  let views = new Map(); // one for each decoder, by name
  let shown = ""; // the names of the views and the size of what they decode
  const state = { chosen: -1 }; // the class brought forward
  const legend = classLegend((digit) => {
    state.chosen = digit;
    views.forEach((view) => view.repaint());
  });
  /** @type {(positions: Record<string, Pair>) => void} */
  const place = (positions) => send(model, { positions: { ...model.get("positions"), ...positions } });

  const follow = () => {
    const positions = model.get("positions");
    for (const [name, view] of views) view.show(positions[name] ?? [0, 0]);
  };
  const load = () => {
    const pads = model.get("pads");
    const shape = pads.map((pad) => `${pad.name} ${outputsOf(pad.spec)}`).join("\n");
    if (shape !== shown) {
      shown = shape;
      views = new Map(pads.map((pad) => [pad.name, padView(pad, place, state, undo)]));
      grid.replaceChildren(...Array.from(views.values(), (view) => view.root));
      grid.classList.toggle("vw-single", pads.length === 1);
    }
    const labels = bytesOf(model.get("labels"));
    pads.forEach((pad) => views.get(pad.name)?.load(pad, labels));
    legend.hidden = labels.length === 0;
    follow();
  };
  const draw = drawFromPrior(model, (z) => {
    place(Object.fromEntries(Array.from(views.keys(), (name) => [name, z])));
    said.say(`z drawn from N(0, I): ${tuple(z, 1)}`);
  });

  const hint = "Drag the handle, or focus it and use the arrow keys.";
  const root = h("div", { class: "vw", role: "group", "aria-label": "Latent pad" }, grid, said.root);
  root.append(h("div", { class: "vw-bar" }, legend, draw), h("p", { class: "vw-note" }, hint));
  listen(model, ["pads", "labels"], load, undo);
  listen(model, ["positions"], follow, undo);
  load();
  el.append(root);
  return undo.run;
}

/** @type {(model: Model<Traits>, onDraw: (z: Pair) => void) => HTMLButtonElement} */
function drawFromPrior(model, onDraw) {
  const draws = normalDraws(model.get("seed"));
  return button("Draw z from N(0, I)", () => onDraw([draws(), draws()]));
}

/**
 * One decoder: its plane, and the digit at the handle.
 * @param {Pad} pad
 * @param {(positions: Record<string, Pair>) => void} place
 * @param {{ chosen: number }} state
 * @param {Undo} undo
 */
function padView({ name, spec }, place, state, undo) {
  const read = { layers: /** @type {Layer[]} */ ([]), codes: noValues, labels: noValues, ring: false };
  const tile = digitTile(Math.sqrt(outputsOf(spec)));
  const surface = plane({
    label: `${name}: latent vector z`,
    names: ["z₁", "z₂"],
    extent: [-3, 3, -3, 3],
    paint: (context, toPixels, size) =>
      paintCodes(context, toPixels, size, read.codes, read.labels, state.chosen),
    onMove: (z) => place({ [name]: z }),
    describe: (value) => `z = ${tuple(value, 1)}`,
    undo,
  });
  const drawRing = surface.ellipse({ class: "vw-ring" });
  const numbers = h("div", { class: "vw-number" });
  const note = h("p", { class: "vw-note" });
  /** @type {Pair} */
  let z = [0, 0];

  const decode = frame(() => {
    tile.paint(runMlp(read.layers, Float32Array.from(z)), sigmoid);
    tile.describe(`${name} decodes z = ${tuple(z, 1)} to this digit`);
    numbers.textContent = `z = ${tuple(z)}`;
    if (read.ring) note.textContent = ringText(z);
  });
  undo.add(decode.cancel);
  /** @type {(pad: Pad, labels: Values) => void} */
  function load({ spec, weights, codes, prior, extent }, labels) {
    Object.assign(read, { layers: readMlp(spec, weights), codes: floatsOf(codes), labels, ring: prior });
    surface.setExtent(extent);
    surface.repaint();
    drawRing([0, 0], prior ? [RADIUS_95, RADIUS_95] : [0, 0]);
  }
  /** @type {(next: Pair) => void} */
  function show(next) {
    z = next;
    surface.moveTo(z);
    decode();
  }
  const side = h("div", { class: "vw-side" }, tile.canvas, numbers, note);
  const pad = h("div", { class: "vw-pad" }, surface.root, side);
  const root = h("div", {}, h("div", { class: "vw-title" }, name), pad);
  return { root, repaint: surface.repaint, load, show };
}

/** @type {Values} */
const noValues = [];

/** @type {(z: Pair) => string} */
const ringText = (z) =>
  Math.hypot(z[0], z[1]) <= RADIUS_95
    ? "Inside the ring, which holds 95 % of p(z)."
    : "Outside the ring, which holds 95 % of p(z).";

// What a link may set.
/** @type {(model: Model<Traits>) => Movable<Traits>} */
const movable = (model) => {
  /** @type {(low: number, high: number) => Pair} */
  const reach = (low, high) => [Math.min(low, DRAWN[0]), Math.max(high, DRAWN[1])];
  const pads = model.get("pads").map(({ name, extent: [left, right, bottom, top] }) => [
    name, [reach(left, right), reach(bottom, top)],
  ]);
  return { positions: { points: Object.fromEntries(pads) } };
};

export default { render: withFoot("latent-pad", movable, render) };
