// A VAE that learns in the page: its run lives in a Web Worker (vae_trainer.js), and
// this shows any epoch of it: the codes, both terms of the loss, copies and draws.

import {
  announcer, button, classLegend, cleanups, digitTile, fixed, h, listen, readings, send,
  setAttributes, slider, svg,
} from "./controls.js";
import { bytesOf, isEmpty, RADIUS_95 } from "./maths.js";
import { paintCodes, plane } from "./plane.js";
import TRAINER from "./vae_trainer.js?raw";

const SIDE = 14; // pixels across
const BYTES = 490000; // 5,000 digits of 196 pixels, two a byte; labels follow
const COPIED = 10; // digits that are copied, the 31st of each hundred held out
const LAST = 60; // epochs after which training stops by itself

function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const state = { reports: [], shown: 0, running: false };
  const view = trainView(undo);
  const run = trainingRun(model, undo);
  readLink(model);

  const settings = () => ({ beta: model.get("beta"), prior: model.get("prior"), seed: model.get("seed") });
  const stop = (text) => {
    state.running = false;
    train.textContent = "Train";
    if (text) said.say(view.note(text));
  };
  const show = (epoch) => {
    state.shown = epoch;
    time.input.max = Math.max(state.reports.length - 1, 0);
    time.set(epoch);
    if (state.reports[epoch]) view.show(state.reports, epoch, settings());
  };
  run.onReport = (report) => {
    const follows = state.shown === state.reports.length - 1 || !state.reports.length;
    state.reports.push(report);
    const ended = report.epoch >= LAST;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches && state.running;
    if (follows && (!still || ended || report.epoch % 10 === 0)) show(report.epoch);
    else time.input.max = report.epoch;
    if (ended) stop(`${LAST} epochs are done.`);
    else if (state.running) run.epoch();
    if (!state.running && !ended) said.say(view.told(report));
  };
  run.onTrouble = stop;
  const step = async () => {
    view.note(state.reports.length ? "" : "The digits are on their way: from the kernel, where there is one.");
    if (state.reports.length > LAST) restart();
    if (await run.open(settings, view.begin)) run.epoch();
  };
  const train = button("Train", () => {
    if (state.running) return stop();
    state.running = true;
    train.textContent = "Pause";
    return step();
  });
  function restart() {
    stop();
    Object.assign(state, { reports: [], shown: 0 });
    run.restart(settings());
    writeLink(settings());
    follow();
  }
  const change = (values) => (send(model, values), restart());

  const modes = [true, false].map((prior) =>
    button(prior ? "VAE" : "Autoencoder", () => change({ prior })),
  );
  const beta = slider({ label: "weight of the KL term, β", min: 0, max: 5, step: 0.25, value: model.get("beta"), onInput: (value) => change({ beta: value }) });
  const time = slider({ label: "epoch shown", min: 0, max: 0, step: 1, value: 0, format: String, onInput: show });
  const bar = h("div", { class: "vw-bar" }, train);
  bar.append(button("One epoch", () => (stop(), step())), button("Reset", restart));
  bar.append(...modes, button("Another seed", () => change({ seed: model.get("seed") + 1 })));

  function follow() {
    beta.set(model.get("beta"));
    beta.input.disabled = !model.get("prior");
    modes.forEach((node, k) => node.setAttribute("aria-pressed", String(model.get("prior") === (k === 0))));
    time.input.max = 0;
    time.set(0);
  }
  listen(model, ["beta", "prior", "seed"], follow, undo);
  const root = h("div", { class: "vw vw-train", role: "group", "aria-label": "A VAE that learns in the page" });
  root.append(bar, beta.root, view.root, time.root, said.root);
  follow();
  el.append(root);
  return undo.run;
}

// ---- the run -------------------------------------------------------------------------------

// The worker and what it is asked. Reports of a run that was given up are not passed on.
function trainingRun(model, undo) {
  const run = { onReport: null, onTrouble: null };
  let [worker, opening, ticket, busy, queued] = [null, null, 0, false, false];
  const post = (message) => {
    busy = true;
    worker.postMessage({ ticket, ...message });
  };
  const heard = ({ data }) => {
    busy = false;
    if (data.ticket === ticket) run.onReport(data);
    if (!queued) return;
    queued = false;
    run.epoch();
  };
  async function start(settings, begin) {
    const bytes = await digitBytes(model);
    begin(bytes.subarray(BYTES), originalsIn(bytes));
    const url = URL.createObjectURL(new Blob([TRAINER], { type: "text/javascript" }));
    worker = new Worker(url);
    URL.revokeObjectURL(url);
    undo.add(() => worker.terminate());
    worker.onmessage = heard;
    worker.onerror = ({ message }) => run.onTrouble(`The training stopped: ${message ?? "no worker may run here"}.`);
    post({ bytes: bytes.slice(), settings: settings() });
    return true;
  }
  // Make the worker when it is first needed, and give it the digits; once, however often it is asked.
  run.open = (settings, begin) => {
    opening ??= start(settings, begin).catch((error) => {
      opening = null;
      run.onTrouble(error.message);
      return false;
    });
    return opening;
  };
  run.epoch = () => (busy ? (queued = true) : post({}));
  run.restart = (settings) => {
    ticket += 1;
    queued = false;
    if (worker) post({ settings });
  };
  return run;
}

// The digits: from the kernel where there is one, and on the book's pages from a script of their
// own, which is loaded now and never with the page. (fetch would not work from a folder.)
function digitBytes(model) {
  const root = document.documentElement.dataset.content_root;
  return new Promise((done, failed) => {
    if (!isEmpty(model.get("digits"))) return done(bytesOf(model.get("digits")));
    if (root === undefined) {
      const heard = () => (model.off("change:digits", heard), done(bytesOf(model.get("digits"))));
      model.on("change:digits", heard);
      return send(model, { asked: true });
    }
    const arrived = () => done(Uint8Array.from(atob(window.bookDigits), (c) => c.charCodeAt(0)));
    if (window.bookDigits) return arrived();
    const src = new URL(`${root}_static/digits-14.js`, document.baseURI).href;
    const missing = () => failed(new Error("The digits could not be loaded: is _static/digits-14.js there?"));
    document.head.append(h("script", { src, onload: arrived, onerror: missing }));
  });
}

// The grey values of the digits that are copied, in [0, 1].
function originalsIn(bytes) {
  return Array.from({ length: COPIED }, (_, k) => {
    const at = ((4000 + 100 * k + 30) * SIDE * SIDE) / 2;
    return Array.from(bytes.subarray(at, at + (SIDE * SIDE) / 2)).flatMap((byte) => [(byte >> 4) / 15, (byte & 15) / 15]);
  });
}

// ---- the view ------------------------------------------------------------------------------

function trainView(undo) {
  let shown = { codes: new Float32Array(0), labels: new Uint8Array(0) };
  const surface = plane({
    label: "Nothing is trained yet",
    names: ["z₁", "z₂"],
    extent: [-4, 4, -4, 4],
    paint: (context, toPixels, size) => paintCodes(context, toPixels, size, shown.codes, shown.labels, legend.chosen),
    undo,
  });
  const ring = surface.ellipse({ class: "vw-ring" });
  const legend = { chosen: -1 };
  legend.root = classLegend((digit) => ((legend.chosen = digit), surface.repaint()));
  const charts = { nll: lossChart("reconstruction, nats"), kl: lossChart("KL, nats") };
  const numbers = readings({ nll: "reconstruction, held out", kl: "KL, held out", sum: "together" });
  const strips = { originals: strip("held out"), copies: strip("copies"), draws: strip("drawn from N(0, I)") };
  const note = h("p", { class: "vw-note" }, "Train loads the digits, 0.7 MB, and begins.");

  function begin(labels, originals) {
    note.textContent = "";
    shown.labels = labels;
    strips.originals.paint(originals.flat(), (v) => v);
  }
  function show(reports, epoch, { prior }) {
    const report = reports[epoch];
    const reach = Math.max(4, Math.ceil(report.codes.reduce((most, v) => Math.max(most, Math.abs(v)), 0)));
    shown.codes = report.codes;
    surface.setExtent([-reach, reach, -reach, reach]);
    ring([0, 0], prior ? [RADIUS_95, RADIUS_95] : [0, 0]);
    surface.relabel(`The codes of 1,000 held-out digits after ${epoch} epochs, coloured by class`);
    surface.repaint();
    Object.keys(charts).forEach((name, k) => charts[name].draw(reports, k, epoch));
    const [nll, kl] = report.held;
    numbers.show({ nll: `${fixed(nll, 1)} nats`, kl: `${fixed(kl, 1)} nats`, sum: `${fixed(nll + kl, 1)} nats` });
    strips.copies.paint(report.copies, (v) => v / 255);
    strips.draws.paint(report.draws, (v) => v / 255);
  }
  const told = ({ epoch, held }) => `After ${epoch} epochs: ${fixed(held[0] + held[1], 1)} nats, held out.`;
  const side = h("div", { class: "vw-verdict" }, charts.nll.root, charts.kl.root, numbers.root);
  const map = h("div", { class: "vw-map" }, surface.root, legend.root);
  const rows = Object.values(strips).map(({ root }) => root);
  const root = h("div", {}, h("div", { class: "vw-flow" }, map, side), h("div", { class: "vw-strips" }, ...rows), note);
  return { root, begin, show, told, note: (text) => (note.textContent = text) };
}

// A row of ten small digits.
function strip(caption) {
  const tiles = Array.from({ length: COPIED }, () => digitTile(SIDE, { role: null, "aria-hidden": "true" }));
  const paint = (values, map) =>
    tiles.forEach((tile, k) => tile.paint(values.slice(k * SIDE * SIDE, (k + 1) * SIDE * SIDE), map));
  const row = h("div", { class: "vw-strip", role: "img", "aria-label": `ten digits: ${caption}` });
  row.append(...tiles.map(({ canvas }) => canvas));
  return { root: h("div", {}, h("span", { class: "vw-note" }, caption), row), paint };
}

// One term of the loss from epoch 1 on: held out (solid), in training (dashed), and the epoch shown.
function lossChart(title) {
  const lines = ["vw-held", "vw-as-it-went"].map((name) => svg("polyline", { class: `vw-loss ${name}` }));
  const now = svg("line", { class: "vw-loss-now", y1: 0, y2: 40 });
  const picture = svg("svg", { viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img", "aria-label": title });
  picture.append(now, ...lines);
  const range = h("span", { class: "vw-note" });
  const caption = h("div", { class: "vw-caption" }, title, " ", range);

  function draw(reports, term, epoch) {
    const held = reports.slice(1).map((report) => report.held[term]);
    const trained = reports.slice(1).map((report) => report.trained[term]);
    const told = [...held, ...trained.slice(1)]; // the first average in training is far above the rest
    const [low, high] = [Math.min(...told), Math.max(...told)];
    const toX = (k) => (100 * k) / Math.max(held.length - 1, 1);
    const toY = (v) => 38 - (36 * (v - low)) / (high - low || 1);
    [held, trained].forEach((values, i) => lines[i].setAttribute("points", values.map((v, k) => `${toX(k)},${toY(v)}`).join(" ")));
    setAttributes(now, { x1: toX(epoch - 1), x2: toX(epoch - 1), visibility: epoch ? "visible" : "hidden" });
    range.textContent = held.length ? `${fixed(low, 1)} to ${fixed(high, 1)}` : "";
  }
  return { root: h("div", { class: "vw-losses" }, caption, picture), draw };
}

// ---- settings in the link --------------------------------------------------------------------

// #train=beta:2,prior:0,seed:3 on a page of the book; what is no number, or out of range, is left.
function readLink(model) {
  if (document.documentElement.dataset.content_root === undefined) return;
  const told = /^#train=([\w:.,]*)$/.exec(location.hash);
  for (const [name, text] of (told?.[1] ?? "").split(",").map((pair) => pair.split(":"))) {
    const value = Number.parseFloat(text);
    if (name === "beta" && value >= 0 && value <= 5) model.set("beta", Math.round(4 * value) / 4);
    if (name === "prior" && (value === 0 || value === 1)) model.set("prior", value === 1);
    if (name === "seed" && value >= 0 && value < 1e6) model.set("seed", Math.round(value));
  }
}

function writeLink({ beta, prior, seed }) {
  if (document.documentElement.dataset.content_root === undefined) return;
  history.replaceState(null, "", `#train=beta:${beta},prior:${Number(prior)},seed:${seed}`);
}

export default { render };
