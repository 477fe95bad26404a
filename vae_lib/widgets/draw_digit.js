// Draw a digit; the encoder gives q(z|x); a z from it is decoded.

import {
  announcer, button, classLegend, cleanups, figure, fixed, frame, h, listen, readings, send, tuple,
} from "./controls.js";
import { digitAt, digitRow, digitTile } from "./digits.js";
import { BOARD_KEYS, drawingBoard, likeMnist, PIXELS, SIDE } from "./drawing_board.js";
import { DRAWN, withFoot } from "./foot.js";
import { guide } from "./guide.js";
import {
  bernoulliNll, bytesOf, floatsOf, klToStandardNormal, normalDraws, RADIUS_95, readMlp, runMlp,
  sigmoid,
} from "./maths.js";
import { paintCodes, plane } from "./plane.js";

/**
 * @import {
 *   Binary, Box, Context, Layer, Model, Movable, Pair, Spec, Undo, Values,
 * } from "./types.d.ts"
 * @typedef {{
 *   encoder: Spec, encoder_weights: Binary, decoder: Spec, decoder_weights: Binary, samples: Binary,
 *   codes: Binary, labels: Binary, extent: Box, binarise: boolean, seed: number, image: Binary,
 *   eps: Pair, mu: number[], logvar: number[], z: number[],
 * }} Traits
 * @typedef {{ encoder: Layer[], decoder: Layer[] }} Networks
 * @typedef {{ mu: number[], logvar: number[], sigma: number[], z: number[], logits: Values }} Code
 */

/** @type {(context: Context<Traits>) => () => void} */
function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  /** @type {Networks} */
  const networks = { encoder: [], decoder: [] };
  const drawing = drawingSide(model, said.say, undo);
  const map = latentMap(model, undo, () => work());
  const result = resultTiles();
  const sampling = samplingBar(model, map.zoom);

  // Everything follows from the image and ε.
  const work = frame(() => {
    const ink = bytesOf(model.get("image"));
    /** @type {(level: number) => number} */
    const grey = (level) => (model.get("binarise") ? Number(level > 127) : level / 255);
    const x = Float32Array.from(ink, grey);
    const empty = x.every((level) => level === 0);
    root.classList.toggle("vw-empty", empty);
    const code = empty ? null : codeOf(networks, x, model.get("eps"));
    const terms = result.show(x, code, model.get("eps"));
    map.place(code?.mu ?? [0, 0], code?.sigma ?? [1, 1], code?.z ?? [0, 0]);
    if (!code) return;
    const { mu, logvar, z } = code;
    said.say(`z = ${tuple(z)}, ${terms}`);
    if (String(z) !== String(model.get("z"))) send(model, { mu, logvar, z });
  });
  const load = () => {
    networks.encoder = readMlp(model.get("encoder"), model.get("encoder_weights"));
    networks.decoder = readMlp(model.get("decoder"), model.get("decoder_weights"));
    map.load();
    work();
  };
  const follow = () => (drawing.follow(), work());

  const pointed = { board: drawing.board, ...map, sample: sampling.sample, decoded: result.decoded };
  const firstMinute = guide({ key: GUIDE_SEEN, steps: guideSteps(pointed), say: said.say, undo });
  drawing.tools.append(firstMinute.again);
  const root = h("div", { class: "vw", role: "group", "aria-label": "Draw a digit" }, firstMinute.root);
  root.append(h("div", { class: "vw-desk" }, drawing.root, map.figure(sampling.root), result.tiles));
  root.append(result.numbers, map.legend, ...drawing.loading, said.root);
  listen(model, ["encoder", "encoder_weights", "decoder", "decoder_weights", "codes", "labels"], load, undo);
  listen(model, ["image"], follow, undo);
  listen(model, ["eps", "binarise", "extent"], work, undo);
  undo.add(work.cancel);
  load();
  follow();
  el.append(root);
  return undo.run;
}

// q(z|x), the z that ε gives in it, and the logits there.
/** @type {(networks: Networks, x: Float32Array, eps: Pair) => Code} */
function codeOf({ encoder, decoder }, x, eps) {
  const parameters = Array.from(runMlp(encoder, x));
  const [mu, logvar] = [parameters.slice(0, 2), parameters.slice(2)];
  const sigma = logvar.map((v) => Math.exp(v / 2));
  const z = mu.map((m, i) => m + sigma[i] * eps[i]);
  return { mu, logvar, sigma, z, logits: runMlp(decoder, Float32Array.from(z)) };
}

// ---- the drawing ---------------------------------------------------------------------------
/**
 * The board, and held-out digits to load in place of a drawing.
 * @param {Model<Traits>} model
 * @param {(text: string) => void} say
 * @param {Undo} undo
 */
function drawingSide(model, say, undo) {
  const samples = bytesOf(model.get("samples"));
  /** @type {Uint8Array | null} */
  let own = null; // the image this view has just sent
  /** @type {(ink: Values) => void} */
  const sendImage = (ink) => {
    own = Uint8Array.from(ink, (level) => Math.round(255 * level));
    send(model, { image: new DataView(own.buffer) });
  };
  const board = drawingBoard((strokes) => sendImage(likeMnist(strokes)), say, undo);
  const row = digitRow(samples, PIXELS, "Held-out digits to load", (i) => {
    sendImage(digitAt(samples, i, PIXELS));
    board.show(digitAt(samples, i, PIXELS));
    row.choose(i);
  });
  const clear = () => {
    board.show(null);
    sendImage(new Float32Array(PIXELS));
  };
  // Python, or another view, has set the image: show it on the board.
  const follow = () => {
    const ink = bytesOf(model.get("image"));
    if (!own || !sameBytes(ink, own)) board.show(digitAt(ink, 0, PIXELS));
    row.choose(samples.length ? indexOf(samples, ink) : -1);
  };
  const tools = h("div", { class: "vw-bar" }, button("Clear", clear));
  const root = h("div", { class: "vw-figure vw-drawing" }, h("div", { class: "vw-caption" }, "Draw a digit"));
  root.append(board.canvas, tools);
  const note = (/** @type {string} */ text) => h("p", { class: "vw-note" }, text);
  const loading = [note("Or load a held-out digit:"), row.root, note(BOARD_KEYS)];
  return { root, board: board.canvas, tools, loading, follow };
}

// Which of the samples an image is; -1 if none.
/** @type {(samples: Uint8Array, image: Uint8Array) => number} */
function indexOf(samples, image) {
  for (let i = 0; i < samples.length / PIXELS; i++) {
    if (sameBytes(image, samples.subarray(PIXELS * i, PIXELS * (i + 1)))) return i;
  }
  return -1;
}

/** @type {(a: Uint8Array, b: Uint8Array) => boolean} */
function sameBytes(a, b) {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}

// ---- the latent plane ----------------------------------------------------------------------
/**
 * Codes of other digits, and on them q(z|x) and z. `onZoom` is to place these anew.
 * @param {Model<Traits>} model
 * @param {Undo} undo
 * @param {() => void} onZoom
 */
function latentMap(model, undo, onZoom) {
  const state = { codes: noValues, labels: noValues, chosen: -1, zoomed: false };
  const surface = plane({
    label: "Latent plane",
    names: ["z₁", "z₂"],
    extent: model.get("extent"),
    paint: (context, toPixels, size) =>
      paintCodes(context, toPixels, size, state.codes, state.labels, state.chosen),
    undo,
  });
  const drawRing = surface.ellipse({ class: "vw-ring" });
  const drawQ = surface.ellipse({ class: "vw-q-area" });
  const [placeMu, placeZ] = [surface.sign("vw-mu"), surface.sign("vw-z")];
  const zoom = button("Zoom in on q(z|x)", () => {
    state.zoomed = !state.zoomed;
    zoom.setAttribute("aria-pressed", String(state.zoomed));
    onZoom();
  }, { "aria-pressed": "false" });
  const legend = classLegend((digit) => {
    state.chosen = digit;
    surface.repaint();
  });
  const load = () => {
    state.codes = floatsOf(model.get("codes"));
    state.labels = bytesOf(model.get("labels"));
    legend.hidden = state.labels.length === 0;
    surface.repaint();
  };
  /** @type {(mu: number[], sigma: number[], z: number[]) => void} */
  function place(mu, sigma, z) {
    surface.setExtent(state.zoomed ? boxAround(mu, sigma, z) : model.get("extent"));
    drawRing([0, 0], [RADIUS_95, RADIUS_95]);
    drawQ(mu, sigma.map((s) => RADIUS_95 * s));
    placeMu(mu);
    placeZ(z);
    surface.relabel(`Latent plane: q(z|x) has mean ${tuple(mu)} and standard deviations ${tuple(sigma)}`);
  }
  const caption = h("div", { class: "vw-caption" }, "q(z|x) on the latent plane");
  const figure = (/** @type {Element} */ bar) =>
    h("div", { class: "vw-figure vw-middle" }, caption, surface.root, bar);
  return { plane: surface.root, zoom, legend, figure, load, place };
}

/** @type {Values} */
const noValues = [];

// Four standard deviations about the mean, and z in any case.
/** @type {(mu: number[], sigma: number[], z: number[]) => Box} */
function boxAround(mu, sigma, z) {
  const reach = Math.max(4 * Math.max(...sigma), Math.abs(z[0] - mu[0]), Math.abs(z[1] - mu[1]));
  return [mu[0] - reach, mu[0] + reach, mu[1] - reach, mu[1] + reach];
}

/** @param {Model<Traits>} model @param {Element} zoom */
function samplingBar(model, zoom) {
  const draws = normalDraws(model.get("seed"));
  const sample = button("Sample z again", () => send(model, { eps: [draws(), draws()] }));
  const mean = button("z = μ", () => send(model, { eps: [0, 0] }));
  return { sample, root: h("div", { class: "vw-bar" }, sample, mean, zoom) };
}

// ---- what comes of it ----------------------------------------------------------------------
function resultTiles() {
  const [seen, decoded] = [digitTile(SIDE), digitTile(SIDE)];
  const numbers = readings({
    mu: "μ",
    sigma: "σ",
    eps: "ε",
    z: "z = μ + σ ε",
    kl: "KL(q(z|x) ‖ p(z))",
    nll: "−log p(x|z)",
  });
  numbers.root.classList.add("vw-wide");

  // Show a digit and its code, if it has one; gives the bound's terms in words.
  /** @type {(x: Float32Array, code: Code | null, eps: Pair) => string} */
  function show(x, code, eps) {
    seen.paint(x);
    seen.describe(code ? "x, the digit as the encoder gets it" : "nothing drawn yet");
    if (!code) {
      decoded.paint(new Float32Array(PIXELS));
      decoded.describe("nothing decoded yet");
      numbers.show({ mu: "–", sigma: "–", eps: "–", z: "–", kl: "–", nll: "–" });
      return "";
    }
    decoded.paint(code.logits, sigmoid);
    decoded.describe(`the digit decoded from z = ${tuple(code.z)}`);
    const kl = `${fixed(klToStandardNormal(code.mu, code.logvar), 1)} nats`;
    const nll = `${fixed(bernoulliNll(x, code.logits), 1)} nats`;
    const [mu, sigma, z] = [code.mu, code.sigma, code.z].map((pair) => tuple(pair));
    numbers.show({ mu, sigma, eps: tuple(eps), z, kl, nll });
    return `KL ${kl}, minus log p of x given z ${nll}`;
  }
  const tiles = h("div", { class: "vw-tiles" }, figure("x", seen.canvas), figure("decoded", decoded.canvas));
  return { tiles, decoded: decoded.canvas, numbers: numbers.root, show };
}

// ---- the first minute ----------------------------------------------------------------------
const GUIDE_SEEN = "vae-book-draw-digit-guide"; // in the browser's storage, once it has been seen

/**
 * @param {Record<"board" | "plane" | "zoom" | "sample" | "decoded", Element>} nodes
 */
function guideSteps({ board, plane, zoom, sample, decoded }) {
  const onPlane = (/** @type {string} */ sign) => [plane, ...plane.querySelectorAll(sign)];
  return [
    {
      text:
        "Draw a digit on the board, or load one below it. With a keyboard: Tab to the board, then arrow " +
        "keys to move the pen and Space to put it down.",
      nodes: [board],
    },
    {
      text:
        "The cross on the plane is μ, where the encoder puts your digit. The dots around it are " +
        "digits that it puts near by. Draw on, and the cross moves.",
      nodes: onPlane(".vw-mu"),
    },
    {
      text:
        "The shaded ellipse shows σ: of all draws from q(z|x), 95 % fall inside. It is small, so zoom " +
        "in to see it, and see whether it grows for a scribble.",
      nodes: [...onPlane(".vw-q-area"), zoom],
    },
    {
      text:
        "Press “Sample z again”. The spot is a new z = μ + σ ε, and the decoder draws it. A small σ " +
        "leaves z near μ, and the decoded digit nearly as it was.",
      nodes: [sample, decoded],
    },
  ];
}

// What a link may set.
/** @type {(model: Model<Traits>) => Movable<Traits>} */
const movable = () => ({ image: { ink: PIXELS }, eps: { numbers: [DRAWN, DRAWN] } });

export default { render: withFoot("draw-digit", movable, render, { reset: false }) };
