// A VAE that learns in the page: its run lives in a Web Worker (vae_trainer.js), and
// this shows any epoch of it: the codes, both terms of the loss, copies and draws.

import {
  announcer, button, classLegend, cleanups, fixed, h, listen, press, readings, send, setAttributes,
  slider, svg,
} from "./controls.js";
import { digitTile } from "./digits.js";
import { SEEDS, withFoot, writeLink } from "./foot.js";
import { bytesOf, isEmpty, RADIUS_95 } from "./maths.js";
import { paintCodes, plane } from "./plane.js";
import TRAINER from "./vae_trainer.js?raw";

/**
 * @import { Binary, Context, Model, Movable, Undo, Values } from "./types.d.ts"
 * @import { Report, Settings } from "./training.d.ts"
 * @typedef {Settings & { digits: Binary, asked: boolean }} Traits
 * @typedef {ReturnType<typeof trainingRun>} Run
 * @typedef {ReturnType<typeof trainView>} View
 * @typedef {ReturnType<typeof trainControls>} Controls
 */

const SIDE = 14; // pixels across
const BYTES = 490000; // 5,000 digits of 196 pixels, two a byte; labels follow
const COPIED = 10; // digits that are copied, the 31st of each hundred held out
const LAST = 60; // epochs after which training stops by itself

/** @type {(context: Context<Traits>) => () => void} */
function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const view = trainView(undo);
  const run = trainingRun(model, undo, {
    report: (report) => session.heard(report),
    trouble: (text) => session.stop(text),
  });
  const controls = trainControls(model, {
    toggle: () => session.toggle(),
    step: () => (session.stop(), session.step()),
    restart: () => session.restart(),
    show: (epoch) => session.show(epoch),
  });
  const session = trainingSession({ model, run, view, controls, say: said.say });
  listen(model, ["beta", "prior", "seed"], controls.follow, undo);
  const root = h("div", { class: "vw vw-train", role: "group", "aria-label": "A VAE that learns in the page" });
  root.append(controls.bar, controls.beta, view.root, controls.time.root, said.root);
  controls.follow();
  el.append(root);
  return undo.run;
}

/** @type {(model: Model<Traits>) => Settings} */
const settingsOf = (model) => ({
  beta: model.get("beta"), prior: model.get("prior"), seed: model.get("seed"),
});

/**
 * The epochs so far, which of them is shown, and whether more are to follow by themselves.
 * @param {{
 *   model: Model<Traits>, run: Run, view: View, controls: Controls, say: (text: string) => void,
 * }} parts
 */
function trainingSession({ model, run, view, controls: { time, playing, follow }, say }) {
  /** @type {Report[]} */
  let reports = [];
  let [shown, running] = [0, false];

  /** @type {(epoch: number) => void} */
  function show(epoch) {
    shown = epoch;
    time.input.max = String(Math.max(reports.length - 1, 0));
    time.set(epoch);
    if (reports[epoch]) view.show(reports, epoch, model.get("prior"));
  }
  /** @type {(text?: string) => void} */
  function stop(text) {
    running = false;
    playing(false);
    if (text) say(view.note(text));
  }
  /** @type {(report: Report) => void} */
  function heard(report) {
    const follows = shown === reports.length - 1 || !reports.length;
    reports.push(report);
    const ended = report.epoch >= LAST;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches && running;
    if (follows && (!still || ended || report.epoch % 10 === 0)) show(report.epoch);
    else time.input.max = String(report.epoch);
    if (ended) stop(`${LAST} epochs are done.`);
    else if (running) run.epoch();
    if (!running && !ended) say(view.told(report));
  }
  async function step() {
    view.note(reports.length ? "" : "The digits are on their way: from the kernel, where there is one.");
    if (reports.length > LAST) restart();
    if (await run.open(view.begin)) run.epoch();
  }
  function toggle() {
    if (running) return stop();
    running = true;
    playing(true);
    step();
  }
  function restart() {
    stop();
    [reports, shown] = [[], 0];
    run.restart();
    writeLink(model, ["beta", "prior", "seed"]);
    follow();
  }
  return { heard, show, stop, step, toggle, restart };
}

/**
 * @param {Model<Traits>} model
 * @param {{ toggle(): void, step(): void, restart(): void, show(epoch: number): void }} on
 */
function trainControls(model, { toggle, step, restart, show }) {
  /** @type {(values: Partial<Settings>) => void} */
  const change = (values) => (send(model, values), restart());
  const train = button("Train", toggle);
  const modes = [true, false].map((prior) =>
    button(prior ? "VAE" : "Autoencoder", () => change({ prior })),
  );
  const beta = slider({
    label: "weight of the KL term, β", min: 0, max: 5, step: 0.25, value: model.get("beta"),
    onInput: (value) => change({ beta: value }),
  });
  const time = slider({
    label: "epoch shown", min: 0, max: 0, step: 1, value: 0, format: String, onInput: show,
  });
  const seed = button("Another seed", () => change({ seed: model.get("seed") + 1 }));
  const bar = h("div", { class: "vw-bar" }, train, button("One epoch", step), button("Reset", restart));
  bar.append(...modes, seed);

  function follow() {
    beta.set(model.get("beta"));
    beta.input.disabled = !model.get("prior");
    press(modes, model.get("prior") ? 0 : 1);
    time.input.max = "0";
    time.set(0);
  }
  const playing = (/** @type {boolean} */ on) => {
    train.textContent = on ? "Pause" : "Train";
  };
  return { bar, beta: beta.root, time, follow, playing };
}

// ---- the run -------------------------------------------------------------------------------

/**
 * The worker and what it is asked. Reports of a run that was given up are not passed on.
 * @param {Model<Traits>} model
 * @param {Undo} undo
 * @param {{ report: (report: Report) => void, trouble: (text: string) => void }} on
 */
function trainingRun(model, undo, on) {
  /** @type {Worker | undefined} */
  let worker;
  /** @type {Promise<boolean> | undefined} */
  let opening;
  let [ticket, busy, queued] = [0, false, false];
  const post = (/** @type {{ bytes?: Uint8Array, settings?: Settings }} */ message) => {
    busy = true;
    worker?.postMessage({ ticket, ...message });
  };
  const epoch = () => {
    if (busy) queued = true;
    else post({});
  };
  const heard = (/** @type {MessageEvent} */ { data }) => {
    const more = queued;
    [busy, queued] = [false, false];
    if (data.ticket === ticket) on.report(data);
    if (more && !busy) epoch(); // else the report has asked for it: one is under way, never two
  };
  /** @typedef {(labels: Uint8Array, originals: number[]) => void} Begin */
  /** @type {(begin: Begin) => Promise<boolean>} */
  async function start(begin) {
    const bytes = await digitBytes(model);
    begin(bytes.subarray(BYTES), originalsIn(bytes));
    worker = newWorker(heard, on.trouble, undo);
    post({ bytes: bytes.slice(), settings: settingsOf(model) });
    return true;
  }
  // Make the worker when it is first needed, and give it the digits; once, however often it is asked.
  const open = (/** @type {Begin} */ begin) => {
    opening ??= start(begin).catch((error) => {
      opening = undefined;
      on.trouble(error.message);
      return false;
    });
    return opening;
  };
  const restart = () => {
    ticket += 1;
    queued = false;
    if (worker) post({ settings: settingsOf(model) });
  };
  return { open, epoch, restart };
}

/** @type {(heard: (event: MessageEvent) => void, trouble: (text: string) => void, undo: Undo) => Worker} */
function newWorker(heard, trouble, undo) {
  const url = URL.createObjectURL(new Blob([TRAINER], { type: "text/javascript" }));
  const worker = new Worker(url);
  URL.revokeObjectURL(url);
  undo.add(() => worker.terminate());
  worker.onmessage = heard;
  worker.onerror = ({ message }) => trouble(`The training stopped: ${message ?? "no worker may run here"}.`);
  return worker;
}

// The digits: from the kernel where there is one, and on the book's pages from a script of their
// own, which is loaded now and never with the page. (fetch would not work from a folder.)
/** @type {(model: Model<Traits>) => Promise<Uint8Array>} */
function digitBytes(model) {
  const root = document.documentElement.dataset.content_root;
  return new Promise((done, failed) => {
    if (!isEmpty(model.get("digits"))) return done(bytesOf(model.get("digits")));
    if (root === undefined) {
      const heard = () => (model.off("change:digits", heard), done(bytesOf(model.get("digits"))));
      model.on("change:digits", heard);
      return send(model, { asked: true });
    }
    const arrived = () => done(Uint8Array.from(atob(window.bookDigits ?? ""), (c) => c.charCodeAt(0)));
    if (window.bookDigits) return arrived();
    const src = new URL(`${root}_static/digits-14.js`, document.baseURI).href;
    const missing = () => failed(new Error("The digits could not be loaded: is _static/digits-14.js there?"));
    document.head.append(h("script", { src, onload: arrived, onerror: missing }));
  });
}

// The grey values of the digits that are copied, in [0, 1].
/** @type {(bytes: Uint8Array) => number[]} */
function originalsIn(bytes) {
  const half = (SIDE * SIDE) / 2; // the bytes of a digit
  const digits = Array.from({ length: COPIED }, (_, k) => {
    const at = (4000 + 100 * k + 30) * half;
    return Array.from(bytes.subarray(at, at + half));
  });
  return digits.flat().flatMap((byte) => [(byte >> 4) / 15, (byte & 15) / 15]);
}

// ---- the view ------------------------------------------------------------------------------

/** @param {Undo} undo */
function trainView(undo) {
  const map = codeMap(undo);
  const charts = [lossChart("reconstruction, nats"), lossChart("KL, nats")];
  const numbers = readings({ nll: "reconstruction, held out", kl: "KL, held out", sum: "together" });
  const [originals, copies, draws] = ["held out", "copies", "drawn from N(0, I)"].map(strip);
  const note = h("p", { class: "vw-note" }, "Train loads the digits, 0.7 MB, and begins.");

  /** @type {(labels: Uint8Array, greys: number[]) => void} */
  function begin(labels, greys) {
    note.textContent = "";
    map.begin(labels);
    originals.paint(greys, (v) => v);
  }
  /** @type {(reports: Report[], epoch: number, prior: boolean) => void} */
  function show(reports, epoch, prior) {
    const report = reports[epoch];
    map.show(report.codes, epoch, prior);
    charts.forEach((chart, term) => chart.draw(reports, term, epoch));
    const [nll, kl] = report.held;
    const nats = (/** @type {number} */ value) => `${fixed(value, 1)} nats`;
    numbers.show({ nll: nats(nll), kl: nats(kl), sum: nats(nll + kl) });
    copies.paint(report.copies, (v) => v / 255);
    draws.paint(report.draws, (v) => v / 255);
  }
  /** @type {(report: Report) => string} */
  const told = ({ epoch, held }) => `After ${epoch} epochs: ${fixed(held[0] + held[1], 1)} nats, held out.`;
  const side = h("div", { class: "vw-verdict" }, ...charts.map((chart) => chart.root), numbers.root);
  const rows = [originals, copies, draws].map((row) => row.root);
  const root = h("div", {}, h("div", { class: "vw-flow" }, map.root, side));
  root.append(h("div", { class: "vw-strips" }, ...rows), note);
  return { root, begin, show, told, note: (/** @type {string} */ text) => (note.textContent = text) };
}

// The codes of the held-out digits on the plane.
/** @param {Undo} undo */
function codeMap(undo) {
  const shown = { codes: noValues, labels: noValues, chosen: -1 };
  const surface = plane({
    label: "Nothing is trained yet",
    names: ["z₁", "z₂"],
    extent: [-4, 4, -4, 4],
    paint: (context, toPixels, size) =>
      paintCodes(context, toPixels, size, shown.codes, shown.labels, shown.chosen),
    undo,
  });
  const ring = surface.ellipse({ class: "vw-ring" });
  const legend = classLegend((digit) => ((shown.chosen = digit), surface.repaint()));
  /** @type {(codes: Float32Array, epoch: number, prior: boolean) => void} */
  function show(codes, epoch, prior) {
    const reach = Math.max(4, Math.ceil(codes.reduce((most, v) => Math.max(most, Math.abs(v)), 0)));
    shown.codes = codes;
    surface.setExtent([-reach, reach, -reach, reach]);
    ring([0, 0], prior ? [RADIUS_95, RADIUS_95] : [0, 0]);
    surface.relabel(`The codes of 1,000 held-out digits after ${epoch} epochs, coloured by class`);
    surface.repaint();
  }
  const begin = (/** @type {Uint8Array} */ labels) => {
    shown.labels = labels;
  };
  return { root: h("div", { class: "vw-map" }, surface.root, legend), begin, show };
}

/** @type {Values} */
const noValues = [];

/**
 * A row of ten small digits.
 * @param {string} caption
 */
function strip(caption) {
  const tiles = Array.from({ length: COPIED }, () => digitTile(SIDE, { role: null, "aria-hidden": "true" }));
  const size = SIDE * SIDE;
  /** @type {(values: number[] | Uint8Array, map: (v: number) => number) => void} */
  const paint = (values, map) =>
    tiles.forEach((tile, k) => tile.paint(values.slice(k * size, (k + 1) * size), map));
  const row = h("div", { class: "vw-strip", role: "img", "aria-label": `ten digits: ${caption}` });
  row.append(...tiles.map(({ canvas }) => canvas));
  return { root: h("div", {}, h("span", { class: "vw-note" }, caption), row), paint };
}

// One term of the loss from epoch 1 on: held out (solid), in training (dashed), and the epoch shown.
/** @param {string} title */
function lossChart(title) {
  const lines = ["vw-held", "vw-as-it-went"].map((name) => svg("polyline", { class: `vw-loss ${name}` }));
  const now = svg("line", { class: "vw-loss-now", y1: 0, y2: 40 });
  const picture = svg("svg", { viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img", "aria-label": title });
  picture.append(now, ...lines);
  const range = h("span", { class: "vw-note" });
  const caption = h("div", { class: "vw-caption" }, title, " ", range);

  /** @type {(reports: Report[], term: number, epoch: number) => void} */
  function draw(reports, term, epoch) {
    const held = reports.slice(1).map((report) => report.held[term]);
    const trained = reports.slice(1).map((report) => report.trained?.[term] ?? NaN);
    const told = [...held, ...trained.slice(1)]; // the first average in training is far above the rest
    const [low, high] = [Math.min(...told), Math.max(...told)];
    /** @type {(k: number) => number} */
    const toX = (k) => (100 * k) / Math.max(held.length - 1, 1);
    /** @type {(v: number) => number} */
    const toY = (v) => 38 - (36 * (v - low)) / (high - low || 1);
    [held, trained].forEach((values, i) => {
      const points = values.map((v, k) => `${toX(k)},${toY(v)}`);
      lines[i].setAttribute("points", points.join(" "));
    });
    setAttributes(now, { x1: toX(epoch - 1), x2: toX(epoch - 1), visibility: epoch ? "visible" : "hidden" });
    range.textContent = held.length ? `${fixed(low, 1)} to ${fixed(high, 1)}` : "";
  }
  return { root: h("div", { class: "vw-losses" }, caption, picture), draw };
}

// What a link may set: #train=beta:2,prior:0,seed:3
/** @type {(model: Model<Traits>) => Movable<Traits>} */
const movable = () => ({
  beta: { number: [0, 5], step: 0.25 }, prior: { flag: true }, seed: { whole: SEEDS },
});

export default { render: withFoot("train", movable, render, { reset: false }) };
