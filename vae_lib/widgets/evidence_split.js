// A toy with one latent variable: move q(z), and see log p(x) split into the ELBO and a KL.

import { chart } from "./chart.js";
import {
  announcer, button, cleanups, fixed, frame, h, listen, readings, send, slider, svg, withReset,
} from "./controls.js";
import { clamp, doublesOf, logIntegral, logNormal, relativeEntropy } from "./maths.js";

// Everything the figure says about q = N(m, s²), by quadrature on the grid. q is normalised on the
// grid, so that ELBO + KL = log p(x) holds to rounding even when q leans out of the grid.
function splitEvidence({ nodes, logJoint, logWeights, logPx, logPosterior }, m, s) {
  const raw = nodes.map((z) => logNormal(z, m, s));
  const logMass = logIntegral(raw, logWeights);
  const logQ = raw.map((v) => v - logMass);
  const elbo = -relativeEntropy(logQ, logJoint, logWeights);
  const kl = relativeEntropy(logQ, logPosterior, logWeights);
  return { logPx, elbo, kl, logQ };
}

// The tables of the model, with what does not depend on q.
function readGrid(model) {
  const names = ["nodes", "log_joint", "log_weights"];
  const [nodes, logJoint, logWeights] = names.map((name) => doublesOf(model.get(name)));
  const logPx = logIntegral(logJoint, logWeights);
  return { nodes, logJoint, logWeights, logPx, logPosterior: logJoint.map((v) => v - logPx) };
}

// The Gaussian with the highest ELBO: the best of a coarse search, refined by halving steps.
function bestGaussian(grid, meanRange, stdRange) {
  const score = ([m, s]) => splitEvidence(grid, m, s).elbo;
  let best = [0, 1];
  let top = -Infinity;
  const consider = (m, s) => {
    const point = [clamp(m, ...meanRange), clamp(s, ...stdRange)];
    const value = score(point);
    if (value > top) [top, best] = [value, point];
  };
  const across = (range, i, count) => range[0] + ((range[1] - range[0]) * i) / count;
  for (let i = 0; i <= 24; i++) {
    for (let j = 0; j <= 10; j++) consider(across(meanRange, i, 24), across(stdRange, j, 10));
  }
  for (let step = 0.2; step > 1e-4; step /= 2) {
    for (let tries = 0; tries < 8; tries++) {
      const [m, s] = best;
      for (const [dm, ds] of [[step, 0], [-step, 0], [0, step], [0, -step]]) consider(m + dm, s + ds);
      if (best[0] === m && best[1] === s) break;
    }
  }
  return best;
}

function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  let grid, range, stdRange;
  let still; // the curves that do not move

  const picture = () => chart({
    label: "The posterior p(z|x) and q(z)",
    range,
    curves: [...Object.keys(still), "q"],
    axis: "z",
    undo,
  });
  const setMean = (mean) => send(model, { mean });
  const setStd = (std) => send(model, { std: clamp(std, ...stdRange) });

  function read() {
    grid = readGrid(model);
    const prior = doublesOf(model.get("log_prior"));
    still = { posterior: grid.logPosterior.map(Math.exp) };
    if (prior.length) still.prior = prior.map(Math.exp);
    range = [grid.nodes[0], grid.nodes.at(-1)];
    stdRange = [0.05, (range[1] - range[0]) / 5];
  }

  read();
  const plot = picture();
  const placeMean = plot.grip({ className: "vw-mean", top: 12, onDrag: setMean });
  const placeWidth = plot.grip({
    className: "vw-width",
    top: 38,
    onDrag: (z) => setStd(Math.abs(z - model.get("mean"))),
  });
  const meanSlider = slider({
    label: "mean m", min: range[0], max: range[1], step: 0.01, value: 0, onInput: setMean,
  });
  const stdSlider = slider({
    label: "width s", min: stdRange[0], max: stdRange[1], step: 0.01, value: 1, onInput: setStd,
  });
  const parts = { elbo: h("div", { class: "vw-part-elbo" }, "ELBO"), kl: h("div", { class: "vw-part-kl" }, "KL") };
  const bar = h("div", { class: "vw-split", role: "img" }, parts.elbo, parts.kl);
  const ends = [h("span", {}), h("span", {}, "log p(x)")];
  const note = h("p", { class: "vw-note" });
  const numbers = readings({ elbo: "ELBO", kl: "KL(q ‖ p(z|x))", logPx: "their sum, log p(x)" });

  const work = frame(() => {
    const [m, s] = [model.get("mean"), model.get("std")];
    const { logPx, kl, logQ } = splitEvidence(grid, m, s);
    plot.draw({ ...still, q: logQ.map(Math.exp) }, grid.nodes);
    placeMean(m);
    placeWidth(m + s);
    meanSlider.set(m);
    stdSlider.set(s);
    showNumbers(logPx, kl);
  });

  // The ELBO is written as the difference of the other two, rounded: so the page adds up.
  function showNumbers(logPx, kl) {
    const [total, gap] = [logPx, kl].map((v) => Math.round(1000 * v) / 1000);
    const texts = { elbo: fixed(total - gap, 3), kl: fixed(gap, 3), logPx: fixed(total, 3) };
    numbers.show(Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, `${text} nats`])));
    const span = model.get("span");
    const share = clamp(kl / span, 0, 1);
    parts.elbo.style.width = `${100 * (1 - share)}%`;
    parts.kl.style.width = `${100 * share}%`;
    parts.elbo.hidden = share > 0.98;
    for (const [name, width] of [["elbo", 1 - share], ["kl", share]]) {
      parts[name].textContent = width > 0.15 ? name.toUpperCase() : "";
      parts[name].style.paddingInline = width > 0.15 ? "" : "0";
    }
    bar.setAttribute("aria-label", `ELBO ${texts.elbo}, KL ${texts.kl}, together ${texts.logPx} nats`);
    ends[0].textContent = `log p(x) − ${fixed(span, 0)} nats`;
    note.textContent = kl > span
      ? "The KL is wider than the bar."
      : "The right end stays where it is: log p(x) does not depend on q.";
    said.say(`ELBO ${texts.elbo}, KL ${texts.kl} nats`);
  }

  function load() {
    read();
    work();
  }

  const keyLine = (name) =>
    svg("svg", { "aria-hidden": "true" }, svg("path", { class: `vw-curve ${name}`, d: "M0 2H30" }));
  const keys = { posterior: "posterior p(z|x)", q: "q(z) = N(m, s²)", ...(still.prior && { prior: "prior p(z)" }) };
  const key = h("div", { class: "vw-key" }, ...Object.entries(keys).map(([name, text]) =>
    h("span", {}, keyLine(name), text)));
  const fit = button("Best Gaussian", () => {
    const [mean, std] = bestGaussian(grid, range, stdRange);
    send(model, { mean, std });
  });
  const root = h(
    "div",
    { class: "vw", role: "group", "aria-label": "How q splits log p(x)" },
    key,
    plot.root,
    h("div", { class: "vw-flow vw-under" },
      h("div", { class: "vw-sliders" }, meanSlider.root, stdSlider.root),
      h("div", { class: "vw-fit" }, fit)),
    bar,
    h("div", { class: "vw-scale" }, ...ends),
    numbers.root,
    note,
    said.root,
  );
  listen(model, ["nodes", "log_joint", "log_weights", "log_prior"], load, undo);
  listen(model, ["mean", "std", "span"], work, undo);
  undo.add(work.cancel);
  work();
  el.append(root);
  return undo.run;
}

export default { render: withReset(render) };
