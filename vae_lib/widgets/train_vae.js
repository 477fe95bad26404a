// A VAE that learns in the page: its run lives in a Web Worker (vae_trainer.js), and
// this shows any epoch of it: the codes, both terms of the loss, copies and draws.

import {
  announcer, button, classLegend, cleanups, colour, fixed, h, listen, press, readings, send,
  setAttributes, slider, svg,
} from "./controls.js";
import { digitTile } from "./digits.js";
import { SEEDS, withFoot, writeLink } from "./foot.js";
import { bytesOf, isEmpty, RADIUS_95 } from "./maths.js";
import { ACROSS, drawingsIn, NOTHING_DRAWN, ownDigits, SOURCES } from "./own_digits.js";
import { paintCodes, plane } from "./plane.js";
import { MOST_TIMES } from "./training_set.js";
import TRAINER from "./vae_trainer.js?raw";

/**
 * @import { Binary, Canvas, Context, Model, Movable, ToPixels, Undo, Values } from "./types.d.ts"
 * @import { Drawings, Look, Message, Report, Settings } from "./training.d.ts"
 * @typedef {Settings & { digits: Binary, asked: boolean }} Traits
 * @typedef {ReturnType<typeof trainingRun>} Run
 * @typedef {ReturnType<typeof trainView>} View
 * @typedef {ReturnType<typeof trainControls>} Controls
 * @typedef {ReturnType<typeof ownDigits>} Own
 * @typedef {{
 *   reports: Report[], shown: number, running: boolean, begun: string, quiet: boolean, asked: number,
 * }} Session
 */

const BYTES = 490000; // 5,000 digits of 196 pixels, two a byte; labels follow
const COPIED = 10; // digits that are copied, the 31st of each hundred held out
const LAST = 60; // epochs after which training stops by itself

/** @type {(keyof Settings)[]} */
const SETTINGS = ["beta", "prior", "seed", "source", "times"];

/** @type {(context: Context<Traits>) => () => void} */
function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const view = trainView(undo);
  const own = ownDigits(model, undo, {
    say: said.say,
    changed: () => session.redrawn(),
    moved: () => moved(model),
    point: view.point,
  });
  const run = trainingRun(model, undo, own.drawings, {
    report: (report) => session.heard(report),
    looks: (looks) => session.looked(looks),
    trouble: (text) => session.stop(text),
  });
  const controls = trainControls(model, {
    toggle: () => session.toggle(),
    step: () => session.step(),
    restart: () => session.restart(),
    show: (epoch) => session.show(epoch),
  });
  const session = trainingSession({ model, run, view, controls, own, say: said.say });
  listen(model, SETTINGS, session.set, undo);
  const root = h("div", { class: "vw vw-train", role: "group", "aria-label": "A VAE that learns in the page" });
  root.append(controls.bar, controls.beta, view.root, controls.time.root, own.root, said.root);
  controls.follow();
  el.append(root);
  return undo.run;
}

/** @type {(model: Model<Traits>) => Settings} */
const settingsOf = (model) => ({
  beta: model.get("beta"), prior: model.get("prior"), seed: model.get("seed"),
  source: model.get("source"), times: model.get("times"),
});

/** @type {(model: Model<Traits>) => string} */
const asText = (model) => JSON.stringify(settingsOf(model));

// The reader has moved a setting: the page's address follows. What drawings count is in it where they may.
/** @type {(model: Model<Traits>) => void} */
const moved = (model) => writeLink(model, model.get("source") === "book" ? SETTINGS.slice(0, 3) : SETTINGS);

/**
 * The epochs so far, which of them is shown, and whether more are to follow by themselves.
 * @param {{
 *   model: Model<Traits>, run: Run, view: View, controls: Controls, own: Own, say: (text: string) => void,
 * }} parts
 */
function trainingSession({ model, run, view, controls: { time, playing, follow }, own, say }) {
  /** @type {Session} */
  const now = { reports: [], shown: 0, running: false, begun: asText(model), quiet: false, asked: 0 };

  /** @type {(epoch: number) => void} */
  function show(epoch) {
    now.shown = epoch;
    time.input.max = String(Math.max(now.reports.length - 1, 0));
    time.set(epoch);
    if (!now.reports[epoch]) return;
    view.show(now.reports, epoch, settingsOf(model));
    own.show(now.reports[epoch].look);
  }
  /** @type {(text?: string) => void} */
  function stop(text) {
    now.asked += 1; // an epoch that still waits for the digits is not wanted any more
    playing((now.running = false));
    if (text) say(view.note(text));
  }
  async function step(running = false) {
    stop();
    if (model.get("source") === "mine" && !own.drawings().ids.length) return (own.open(), stop(NOTHING_DRAWN));
    if (now.reports.length > LAST) begin();
    view.note(now.reports.length ? undefined : "The digits are on their way: from the kernel, where there is one.");
    playing((now.running = running));
    const { asked } = now;
    if ((await run.open(view.begin)) && asked === now.asked) run.epoch();
  }
  const toggle = () => (now.running ? stop() : step(true));
  // True where that gives up epochs.
  function begin(quiet = false) {
    const trained = now.reports.length > 1;
    stop();
    view.note();
    Object.assign(now, { reports: [], shown: 0, begun: asText(model), quiet });
    run.restart();
    follow();
    return trained;
  }
  const restart = () => (begin(), moved(model));
  // The reader, another view or Python has changed a setting.
  const set = () => asText(model) === now.begun || begin();
  // Drawings that are not trained on are looked at, in the run as it is. (They have been told of.)
  const redrawn = () => Boolean(model.get("source") === "book" ? run.look() : begin(true));
  /** @type {(looks: Look[]) => void} */
  function looked(looks) {
    now.reports.forEach((report, k) => (report.look = looks[k] ?? report.look));
    show(now.shown);
  }
  const heard = hearing(now, { show, stop, epoch: run.epoch, time, told: (report) => say(view.told(report)) });
  return { heard, looked, redrawn, set, show, stop, step, toggle, restart };
}

/**
 * What happens when an epoch has come in.
 * @param {Session} now
 * @param {{
 *   show: (epoch: number) => void, stop: (text: string) => void, epoch: () => void,
 *   time: Controls["time"], told: (report: Report) => void,
 * }} on
 * @returns {(report: Report) => void}
 */
function hearing(now, { show, stop, epoch, time, told }) {
  return (report) => {
    const follows = now.shown === now.reports.length - 1 || !now.reports.length;
    now.reports.push(report);
    const ended = report.epoch >= LAST;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches && now.running;
    if (follows && (!still || ended || report.epoch % 10 === 0)) show(report.epoch);
    else time.input.max = String(report.epoch);
    if (ended) stop(`${LAST} epochs are done.`);
    else if (now.running) epoch();
    if (!now.running && !ended && !(now.quiet && report.epoch === 0)) told(report);
  };
}

/**
 * @param {Model<Traits>} model
 * @param {{ toggle(): void, step(): void, restart(): void, show(epoch: number): void }} on
 */
function trainControls(model, { toggle, step, restart, show }) {
  /** @type {(values: Partial<Settings>) => void} */
  const change = (values) => (send(model, values), moved(model));
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
 * @param {() => Drawings} drawings
 * @param {{
 *   report: (report: Report) => void, looks: (looks: Look[]) => void, trouble: (text: string) => void,
 * }} on
 */
function trainingRun(model, undo, drawings, on) {
  /** @type {Worker | undefined} */
  let worker;
  /** @type {Promise<boolean> | undefined} */
  let opening;
  let [ticket, busy, queued] = [0, false, false];
  const post = (/** @type {Message} */ message) => {
    busy = true;
    worker?.postMessage({ ticket, ...message });
  };
  const epoch = () => {
    if (busy) queued = true;
    else post({});
  };
  const heard = (/** @type {MessageEvent} */ { data }) => {
    if (data.ticket !== ticket) return; // a run that was given up: the new one is under way
    if (data.looks) return on.looks(data.looks);
    const more = queued;
    [busy, queued] = [false, false];
    on.report(data);
    if (more && !busy) epoch(); // else the report has asked for it: one is under way, never two
  };
  /** @typedef {(labels: Uint8Array, originals: number[]) => void} Begin */
  /** @type {(begin: Begin) => Promise<boolean>} */
  async function start(begin) {
    const bytes = await digitBytes(model);
    begin(bytes.subarray(BYTES), originalsIn(bytes));
    worker = newWorker(heard, on.trouble, undo);
    post({ bytes: bytes.slice(), settings: settingsOf(model), drawings: drawings() });
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
    if (worker) post({ settings: settingsOf(model), drawings: drawings() });
  };
  const look = () => worker?.postMessage({ ticket, drawings: drawings() });
  return { open, epoch, restart, look };
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
  const half = (ACROSS * ACROSS) / 2; // the bytes of a digit
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
  const numbers = readings({
    nll: "reconstruction, held out", kl: "KL, held out", sum: "together", trained: "together, in training",
  });
  const inTraining = numbers.root.lastElementChild;
  inTraining?.toggleAttribute("hidden", true); // until there are drawings to compare
  const key = h("p", { class: "vw-note", hidden: true });
  const [originals, copies, draws] = ["held out", "copies", "drawn from N(0, I)"].map(strip);
  let calm = "Train loads the digits, 0.7 MB, and begins."; // where there is nothing else to say
  const note = h("p", { class: "vw-note" }, calm);

  /** @type {(labels: Uint8Array, greys: number[]) => void} */
  function begin(labels, greys) {
    note.textContent = calm = "";
    map.begin(labels);
    originals.paint(greys, (v) => v);
  }
  /** @type {(reports: Report[], epoch: number, settings: Settings) => void} */
  function show(reports, epoch, { prior, source }) {
    const report = reports[epoch];
    map.show(report, prior);
    charts.forEach((chart, term) => chart.draw(reports, term, epoch));
    const [nll, kl] = report.held;
    const nats = (/** @type {number} */ value) => `${fixed(value, 1)} nats`;
    const trained = report.trained ? nats(report.trained[0] + report.trained[1]) : "–";
    numbers.show({ nll: nats(nll), kl: nats(kl), sum: nats(nll + kl), trained });
    inTraining?.toggleAttribute("hidden", source === "book");
    key.hidden = source === "book";
    const what = WHAT[source === "both" && !report.look.ids.length ? "book" : source];
    key.textContent = `Solid: the book’s held-out digits, never yours. Dashed: in training, on ${what}.`;
    copies.paint(report.copies, (v) => v / 255);
    draws.paint(report.draws, (v) => v / 255);
  }
  /** @type {(report: Report) => string} */
  const told = ({ epoch, held }) => `After ${epoch} epochs: ${fixed(held[0] + held[1], 1)} nats, held out.`;
  const side = h("div", { class: "vw-verdict" }, ...charts.map((chart) => chart.root), key, numbers.root);
  const rows = [originals, copies, draws].map((row) => row.root);
  const root = h("div", {}, h("div", { class: "vw-flow" }, map.root, side));
  root.append(h("div", { class: "vw-strips" }, ...rows), note);
  const tell = (text = calm) => (note.textContent = text);
  return { root, begin, show, told, point: map.point, note: tell };
}

// What is trained on, in words.
const WHAT = { book: "the book’s digits", both: "the book’s and yours", mine: "yours alone" };

// The codes of the held-out digits on the plane, and of the drawings.
/** @param {Undo} undo */
function codeMap(undo) {
  const shown = { codes: noValues, labels: noValues, chosen: -1, look: NO_LOOK, pointed: -1 };
  const surface = plane({
    label: "Nothing is trained yet",
    names: ["z₁", "z₂"],
    extent: [-4, 4, -4, 4],
    paint: (context, toPixels, size) => {
      paintCodes(context, toPixels, size, shown.codes, shown.labels, shown.chosen);
      paintDrawings(context, toPixels, size, shown.look, shown.pointed);
    },
    undo,
  });
  const ring = surface.ellipse({ class: "vw-ring" });
  const legend = classLegend((digit) => ((shown.chosen = digit), surface.repaint()));
  const diamond = svg("svg", { viewBox: "0 0 16 16", class: "vw-diamond", "aria-hidden": "true" });
  diamond.append(svg("path", { d: "M8 1L15 8L8 15L1 8Z" }));
  const key = h("p", { class: "vw-key", hidden: true }, h("span", {}, diamond, "your drawings"));
  /** @type {(report: Report, prior: boolean) => void} */
  function show({ codes, look, epoch }, prior) {
    const furthest = [...codes, ...look.codes].reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const reach = Math.max(4, Math.ceil(furthest));
    Object.assign(shown, { codes, look });
    surface.setExtent([-reach, reach, -reach, reach]);
    ring([0, 0], prior ? [RADIUS_95, RADIUS_95] : [0, 0]);
    const drawn = look.ids.length;
    key.hidden = !drawn;
    const yours = drawn ? `, and your ${drawingsIn(drawn)} as diamonds` : "";
    surface.relabel(`The codes of 1,000 held-out digits after ${epoch} epochs, coloured by class${yours}`);
    surface.repaint();
  }
  const begin = (/** @type {Uint8Array} */ labels) => {
    shown.labels = labels;
  };
  const point = (/** @type {number} */ id) => {
    shown.pointed = id;
    surface.repaint();
  };
  return { root: h("div", { class: "vw-map" }, surface.root, legend, key), begin, show, point };
}

/** @type {Look} */
const NO_LOOK = { ids: [], codes: new Float32Array(), copies: new Uint8Array() };

const CORNERS = [[0, -1], [1, 0], [0, 1], [-1, 0]]; // of a diamond

// A diamond for each drawing; the one that is looked at in the row is filled, and in front.
/** @type {(context: Canvas, toPixels: ToPixels, size: number, look: Look, pointed: number) => void} */
function paintDrawings(context, toPixels, size, { ids, codes }, pointed) {
  const [paper, ink] = ["--vw-surface", "--vw-text"].map((name) => colour(context.canvas, name));
  context.strokeStyle = ink;
  context.lineWidth = Math.max(size / 180, 1.5);
  const order = [...ids.keys()].sort((a, b) => Number(ids[a] === pointed) - Number(ids[b] === pointed));
  for (const k of order) {
    const [x, y] = toPixels([codes[2 * k], codes[2 * k + 1]]);
    const radius = size / (ids[k] === pointed ? 30 : 50);
    context.fillStyle = ids[k] === pointed ? ink : paper;
    context.beginPath();
    for (const [right, down] of CORNERS) context.lineTo(x + right * radius, y + down * radius);
    context.closePath();
    context.fill();
    context.stroke();
  }
}

/** @type {Values} */
const noValues = [];

/**
 * A row of ten small digits.
 * @param {string} caption
 */
function strip(caption) {
  const tiles = Array.from({ length: COPIED }, () => digitTile(ACROSS, { role: null, "aria-hidden": "true" }));
  const size = ACROSS * ACROSS;
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

// What a link may set: #train=beta:2,prior:0,seed:3. It holds no drawings.
/** @type {(model: Model<Traits>) => Movable<Traits>} */
const movable = () => ({
  beta: { number: [0, 5], step: 0.25 }, prior: { flag: true }, seed: { whole: SEEDS },
  source: { oneOf: Object.keys(SOURCES) }, times: { whole: [1, MOST_TIMES] },
});

export default { render: withFoot("train", movable, render, { reset: false }) };
