// Two estimators of one gradient: how far means of S draws scatter about the exact value.
// f(z) = |z|² and q = N(mu, I) with every mu_j = 1, so the gradient by mu_1 is 2.

import { tenth } from "./chart.js";
import {
  announcer, button, cleanups, fixed, frame, h, listen, readings, send, slider, svg, withReset,
} from "./controls.js";
import { clamp, normalDraws, uniformDraws } from "./maths.js";

const REPEATS = 200;
const MOST = 8; // dimensions, and the power of two of the most samples
const TRUTH = 2;
const CLOUD = { top: 26, row: 52, reach: 20 }; // pixels; and gradients to either side
const SPREAD = { top: 190, base: 340, left: 40, low: 0.1, high: 30 }; // a logarithmic scale
const WAYS = ["score", "path"];

const meanOfF = (dimension) => 2 * dimension;

// Per draw: (f - c) eps_1, and 2 z_1.
function perDrawVariances(dimension, baseline) {
  const excess = baseline ? 0 : meanOfF(dimension);
  return { score: excess ** 2 + 4 * excess + 12 + 6 * dimension, path: 4 };
}

// Means of S gradients by either way, REPEATS of each, from a seed.
function meansOf(samples, dimension, baseline, seed) {
  const draw = normalDraws(seed);
  const means = { score: new Float64Array(REPEATS), path: new Float64Array(REPEATS) };
  const taken = baseline ? meanOfF(dimension) : 0;
  for (let r = 0; r < REPEATS; r++) {
    let score = 0;
    let path = 0;
    for (let s = 0; s < samples; s++) {
      const first = draw();
      let f = (1 + first) ** 2;
      for (let j = 1; j < dimension; j++) f += (1 + draw()) ** 2;
      score += (f - taken) * first;
      path += 2 * (1 + first);
    }
    means.score[r] = score / samples;
    means.path[r] = path / samples;
  }
  return means;
}

function deviation(values) {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

// The clouds above, the spread against S below.
function spreadPicture(undo) {
  const still = svg("g", { class: "vw-ticks" });
  const moving = svg("g", {});
  const picture = svg("svg", { height: SPREAD.base + 34, role: "img" }, still, moving);
  const root = h("div", { class: "vw-chart" }, picture);
  let width = 1; // read once a resize: reading it makes the browser lay the page out
  let last = null;
  const hue = { score: "var(--vw-q)", path: "var(--vw-posterior)" };
  const toX = (gradient) => width * (0.5 + (0.5 * (gradient - TRUTH)) / CLOUD.reach);
  const toS = (samples) => SPREAD.left + (Math.log2(samples) / MOST) * (width - SPREAD.left - 14);
  const toY = (std) => {
    const share = Math.log(std / SPREAD.low) / Math.log(SPREAD.high / SPREAD.low);
    return SPREAD.base - share * (SPREAD.base - SPREAD.top);
  };
  const text = (x, y, words, anchor = "middle") => svg("text", { x, y, "text-anchor": anchor }, words);

  function drawStill() {
    const foot = CLOUD.top + 2 * CLOUD.row;
    const parts = [
      svg("path", { d: `M0 ${foot}H${width}M${toX(TRUTH)} ${CLOUD.top - 6}V${foot + 4}` }),
      svg("path", { d: `M${SPREAD.left} ${SPREAD.top - 8}V${SPREAD.base}M${SPREAD.left} ${SPREAD.base}H${width}` }),
      text(2, SPREAD.top - 14, "standard deviation", "start"),
      text(toX(TRUTH), 14, "exact: 2"),
    ];
    for (const v of [-18, -8, 12, 22]) {
      const edge = Math.abs(v - TRUTH) === CLOUD.reach;
      parts.push(text(clamp(toX(v), 2, width - 2), foot + 16, fixed(v, 0), !edge ? "middle" : v < 0 ? "start" : "end"));
    }
    parts.push(text(toX(TRUTH), foot + 16, "2"));
    for (const v of [0.1, 1, 10]) {
      parts.push(text(SPREAD.left - 6, toY(v) + 4, String(v), "end"));
      parts.push(svg("path", { d: `M${SPREAD.left - 4} ${toY(v)}h4` }));
    }
    for (let k = 0; k <= MOST; k += width < 420 ? 2 : 1) {
      parts.push(text(toS(2 ** k), SPREAD.base + 16, String(2 ** k)));
    }
    parts.push(text(toS(2 ** (MOST / 2)), SPREAD.base + 31, "draws in each mean, S"));
    still.replaceChildren(...parts);
  }

  function draw(state) {
    last = state;
    if (width === 1) return; // not laid out yet: refit will draw
    const parts = [];
    WAYS.forEach((way, row) => {
      // A fixed scatter up and down, so that a dot moves along its own line only.
      const place = uniformDraws(row + 1);
      let path = "";
      for (const gradient of state.means[way]) {
        const y = CLOUD.top + CLOUD.row * (row + 0.15 + 0.7 * place());
        path += `M${tenth(clamp(toX(gradient), 2, width - 2))} ${tenth(y)}h0`;
      }
      parts.push(svg("path", { class: "vw-cloud", d: path, style: `stroke: ${hue[way]}` }));
      const [first, end] = [1, 2 ** MOST].map((s) => toY(Math.sqrt(state.variances[way] / s)));
      const line = `M${toS(1)} ${tenth(first)}L${toS(2 ** MOST)} ${tenth(end)}`;
      parts.push(svg("path", { class: `vw-curve ${way === "score" ? "q" : "posterior"}`, d: line }));
      const at = [tenth(toS(state.samples)), tenth(toY(deviation(state.means[way])))];
      parts.push(
        way === "score"
          ? svg("rect", { class: "vw-mark", x: at[0] - 5, y: at[1] - 5, width: 10, height: 10, style: `fill: ${hue[way]}` })
          : svg("circle", { class: "vw-mark", cx: at[0], cy: at[1], r: 6, style: `fill: ${hue[way]}` }),
      );
    });
    moving.replaceChildren(...parts);
  }

  const refit = frame(() => {
    width = Math.max(root.clientWidth, 1);
    picture.setAttribute("width", width);
    drawStill();
    if (last) draw(last);
  });
  const observer = new ResizeObserver(refit);
  observer.observe(root);
  undo.add(() => (observer.disconnect(), refit.cancel()));
  const relabel = (words) => picture.setAttribute("aria-label", words);
  return { root, draw, relabel };
}

function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const picture = spreadPicture(undo);
  const whole = { step: 1, value: 1, format: (v) => String(v) };
  const samples = slider({
    ...whole, label: "draws S", min: 0, max: MOST, value: 0, format: (k) => String(2 ** k),
    onInput: (k) => send(model, { samples: 2 ** k }),
  });
  const dimension = slider({
    ...whole, label: "dimension D", min: 1, max: MOST, onInput: (d) => send(model, { dimension: d }),
  });
  const choose = (text, chosen) => button(text, () => send(model, { baseline: chosen }));
  const choices = [choose("No baseline", false), choose("Baseline E f", true)];
  const again = button("Draw again", () => send(model, { seed: model.get("seed") + 1 }));
  const numbers = readings({ score: "score function, std", path: "reparameterised, std", worth: "how many of the first are worth one of the second" });
  const note = h("p", { class: "vw-note" });

  const work = frame(() => {
    const [S, D, based, seed] = ["samples", "dimension", "baseline", "seed"].map((name) => model.get(name));
    const means = meansOf(S, D, based, seed);
    const variances = perDrawVariances(D, based);
    picture.draw({ means, variances, samples: S });
    samples.set(Math.log2(S));
    dimension.set(D);
    choices.forEach((node, i) => node.setAttribute("aria-pressed", String(Boolean(i) === based)));
    const told = (way) => fixed(Math.sqrt(variances[way] / S), 3);
    const text = (way) => `${told(way)}, measured ${fixed(deviation(means[way]), 3)}`;
    numbers.show({ score: text("score"), path: text("path"), worth: fixed(variances.score / variances.path, 1) });
    const out = means.score.filter((v) => Math.abs(v - TRUTH) > CLOUD.reach).length;
    note.textContent = `Variance per draw: ${fixed(variances.score, 0)} and ${fixed(variances.path, 0)}. `
      + (out ? `${out} of the upper dots lie outside and are drawn at the edge.` : "All dots are in sight.");
    const words = `Standard deviation ${told("score")} for the score function, ${told("path")} for the path`;
    picture.relabel(`Means of ${S} gradients in ${D} dimensions about the exact value 2. ${words}.`);
    said.say(words);
  });

  const keyLine = (name) =>
    svg("svg", { "aria-hidden": "true" }, svg("path", { class: `vw-curve ${name}`, d: "M0 2H30" }));
  const key = h("div", { class: "vw-key" },
    h("span", {}, keyLine("q"), "score function (upper cloud, square)"),
    h("span", {}, keyLine("posterior"), "reparameterised (lower cloud, disc)"));
  const root = h(
    "div",
    { class: "vw", role: "group", "aria-label": "Number of draws against the spread of two gradients" },
    key,
    picture.root,
    h("div", { class: "vw-sliders" }, samples.root, dimension.root),
    h("div", { class: "vw-bar" }, ...choices, again),
    numbers.root,
    note,
    said.root,
  );
  listen(model, ["samples", "dimension", "baseline", "seed"], work, undo);
  undo.add(work.cancel);
  el.append(root);
  work();
  return undo.run;
}

export default { render: withReset(render) };
