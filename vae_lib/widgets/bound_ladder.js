// K importance samples: the bound L_K rises to log p(x), and few of the K may count.

import { chart } from "./chart.js";
import {
  announcer, button, cleanups, digitRow, fixed, frame, h, listen, readings, send, slider, svg,
  withReset,
} from "./controls.js";
import { bytesOf, clamp, doublesOf, floatsOf } from "./maths.js";

// log of the mean of exp(values[from .. to]), and (Σ w)² / Σ w².
function weigh(values, from, to) {
  let top = -Infinity;
  for (let i = from; i < to; i++) top = Math.max(top, values[i]);
  let sum = 0, squares = 0;
  for (let i = from; i < to; i++) {
    const share = Math.exp(values[i] - top);
    sum += share;
    squares += share * share;
  }
  return { log: top + Math.log(sum / (to - from)), effective: (sum * sum) / squares };
}

// L_K and the mean effective sample size, over as many groups of K as the weights make.
function ladder(logW, K) {
  const groups = Math.floor(logW.length / K);
  let bound = 0, effective = 0;
  for (let k = 0; k < groups; k++) {
    const one = weigh(logW, k * K, (k + 1) * K);
    bound += one.log / groups;
    effective += one.effective / groups;
  }
  return { bound, effective, groups };
}

function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const images = bytesOf(model.get("images"));
  const count = model.get("count"), pixels = images.length / count;
  const all = floatsOf(model.get("log_weights")); // [count, samples]
  const evidence = doublesOf(model.get("log_px"));
  const samples = all.length / count, most = Math.log2(samples);
  const nodes = Float64Array.from({ length: 4 * most + 1 }, (_, i) => i / 4); // log2 K
  const sizes = Array.from(nodes, (v) => Math.round(2 ** v));
  let logW, curves, low;

  // The curves of the chosen digit; the run is the first K weights from where it starts.
  function read() {
    const digit = model.get("chosen");
    logW = all.slice(digit * samples, (digit + 1) * samples);
    const start = (model.get("run") * 331) % samples;
    const turned = Float32Array.from(logW, (_, i) => logW[(start + i) % samples]);
    // The bound at powers of 2, whose groups use every weight; straight lines between.
    const exact = Array.from({ length: most + 1 }, (_, p) => ladder(logW, 2 ** p).bound);
    const between = (v) => exact[Math.floor(v)] + (v % 1) * (exact[Math.ceil(v)] - exact[Math.floor(v)]);
    const bound = Array.from(nodes, between);
    const run = sizes.map((K) => weigh(turned, 0, K).log);
    const level = evidence[digit];
    low = bound[0] - 0.15 * (level - bound[0]);
    const room = 1.5 * (level - low); // the scale, the same for every run of a digit
    const above = (v) => clamp(v - low, 0, room);
    curves = {
      prior: nodes.map(() => above(level)), posterior: bound.map(above), q: run.map(above),
      room: nodes.map(() => room),
    };
  }

  const power = slider({
    label: "samples K", min: 0, max: most, step: 1, value: 0, format: (p) => String(2 ** p),
    onInput: (value) => send(model, { power: value }),
  });
  const plot = chart({
    label: "The bound of K samples against log₂ K",
    range: [0, most], curves: ["prior", "posterior", "q", "room"], axis: "log₂ K", undo,
  });
  plot.root.querySelector(".room").style.stroke = "none";
  const place = plot.grip({
    className: "vw-mean", top: 12, onDrag: (v) => send(model, { power: Math.round(v) }),
  });
  const row = digitRow(images, pixels, "Held-out digits to pick from", (chosen) => send(model, { chosen }));
  const numbers = readings({
    bound: "bound of K samples", gap: "below log p(x)", logPx: "log p(x)", effective: "effective samples",
  });
  const note = h("p", { class: "vw-note" });

  const work = frame(() => {
    const K = 2 ** model.get("power"), digit = model.get("chosen");
    const { bound, effective, groups } = ladder(logW, K);
    plot.draw(curves, nodes);
    place(model.get("power"));
    power.set(model.get("power"));
    row.choose(digit);
    // The gap is the difference of the other two as they are written.
    const [lower, level] = [bound, evidence[digit]].map((v) => Math.round(100 * v) / 100);
    numbers.show({
      bound: `${fixed(lower)} nats`,
      gap: `${fixed(level - lower)} nats`,
      logPx: `${fixed(level)} nats`,
      effective: `${fixed(effective, 1)} of ${K}`,
    });
    note.textContent =
      `The bound is an average over ${groups} groups of ${K}. The chart begins at ${fixed(low, 1)} nats.`;
    said.say(`K = ${K}: bound ${fixed(lower)} nats, ${fixed(effective, 1)} effective samples`);
  });

  function load() {
    read();
    work();
  }

  const keyLine = (name) =>
    svg("svg", { "aria-hidden": "true" }, svg("path", { class: `vw-curve ${name}`, d: "M0 2H30" }));
  const texts = { prior: "log p(x)", posterior: "bound of K samples", q: "one run: its first K samples" };
  const key = h("div", { class: "vw-key" }, ...Object.entries(texts).map(([name, text]) =>
    h("span", {}, keyLine(name), text)));
  const again = button("Another run", () => send(model, { run: model.get("run") + 1 }));
  el.append(
    h("div", { class: "vw", role: "group", "aria-label": "The bound of K samples" },
      row.root, key, plot.root,
      h("div", { class: "vw-flow vw-under" },
        h("div", { class: "vw-sliders" }, power.root), h("div", { class: "vw-fit" }, again)),
      numbers.root, note, said.root),
  );
  listen(model, ["chosen", "run"], load, undo);
  listen(model, ["power"], work, undo);
  undo.add(work.cancel);
  load();
  return undo.run;
}

export default { render: withReset(render) };
