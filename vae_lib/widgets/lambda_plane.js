// The λ plane: KL(q_λ || p) over log s₁ and log s₂, and q_λ over p on the latent plane.
// q_λ = N(m, diag s²), p = N(0, [[1, ρ], [ρ, 1]]).

import {
  announcer, button, cleanups, colour, figure, fixed, frame, h, listen, readings, send, slider,
  tuple, withReset,
} from "./controls.js";
import { clamp } from "./maths.js";
import { paintOpacities, plane } from "./plane.js";

const LOG_STDS = [-2.6, 0.9, -2.6, 0.9];
const LATENT = [-3, 3, -3, 3];
const RATE = 0.1;
const CELLS = 140; // of the shading, along each axis; ALONG holds the log s of each
const ALONG = Array.from(
  { length: CELLS },
  (_, k) => LOG_STDS[0] + ((k + 0.5) / CELLS) * (LOG_STDS[1] - LOG_STDS[0]),
);

// KL(q_λ || p) in nats, for λ = [m₁, m₂, log s₁, log s₂].
function meanFieldKl([m1, m2, l1, l2], rho) {
  const left = 1 - rho * rho;
  const spread = Math.exp(2 * l1) + Math.exp(2 * l2);
  const away = m1 * m1 - 2 * rho * m1 * m2 + m2 * m2;
  return 0.5 * ((spread + away) / left - 2 + Math.log(left)) - l1 - l2;
}

// Its gradient, component by component.
function meanFieldSlope([m1, m2, l1, l2], rho) {
  const left = 1 - rho * rho;
  return [
    (m1 - rho * m2) / left,
    (m2 - rho * m1) / left,
    Math.exp(2 * l1) / left - 1,
    Math.exp(2 * l2) / left - 1,
  ];
}

// One step down. The slope is scaled by 1 - ρ², so that one rate suits every ρ.
function stepDown(lambda, rho) {
  const slope = meanFieldSlope(lambda, rho);
  return lambda.map((v, i) => v - RATE * clamp(i < 2 ? (1 - rho * rho) * slope[i] : slope[i], -3, 3));
}

function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const lambda = () => [...model.get("mean"), ...model.get("log_std")];
  const klNow = () => meanFieldKl(lambda(), model.get("rho"));
  const numbers = readings({
    kl: "KL(q‖p)",
    least: "the least there can be",
    s1: "s₁, for a marginal of 1",
    s2: "s₂, for a marginal of 1",
  });

  const landscape = plane({
    label: "log s, the log standard deviations of q",
    names: ["log s₁", "log s₂"],
    extent: LOG_STDS,
    paint: paintLandscape,
    onMove: (log_std) => send(model, { log_std, path: [] }),
    describe: (value) => `log s = ${tuple(value, 1)}, KL ${fixed(klNow(), 2)} nats`,
    undo,
  });
  const latent = plane({
    label: "m, the mean of q",
    names: ["z₁", "z₂"],
    extent: LATENT,
    paint: paintPosterior,
    onMove: (mean) => send(model, { mean, path: [] }),
    describe: (value) => `m = ${tuple(value, 1)}, KL ${fixed(klNow(), 2)} nats`,
    undo,
  });
  const one = latent.ellipse({ class: "vw-q-area" });
  const two = latent.ellipse({ class: "vw-q-area" });

  // Shade by KL above the least: full at the bottom, half a nat a band. The KL is a sum of a term
  // in m, one in log s₁ and one in log s₂, so what each log s costs above its best adds up.
  const sheet = h("canvas", { width: CELLS, height: CELLS });
  function paintLandscape(context, toPixels, size) {
    const best = 0.5 * Math.log(1 - model.get("rho") ** 2);
    const excess = ALONG.map((l) => 0.5 * (Math.exp(2 * (l - best)) - 1) - (l - best));
    const opacities = new Float64Array(CELLS * CELLS);
    for (let row = 0, at = 0; row < CELLS; row++) {
      for (let column = 0; column < CELLS; column++, at++) {
        const band = Math.floor(2 * (excess[column] + excess[CELLS - 1 - row])) / 2;
        opacities[at] = 0.75 * Math.exp(-band / 1.5);
      }
    }
    paintOpacities(sheet, colour(root, "--vw-posterior"), opacities);
    context.drawImage(sheet, 0, 0, size, size); // smoothed
    paintPath(context, toPixels, ([, , l1, l2]) => [l1, l2]);
  }

  // Contours of p at one and two standard deviations.
  function paintPosterior(context, toPixels, size) {
    const rho = model.get("rho");
    context.strokeStyle = colour(root, "--vw-posterior");
    context.lineWidth = size / 130;
    for (const radius of [1, 2]) {
      context.beginPath();
      for (let k = 0; k <= 90; k++) {
        const [u, v] = [Math.cos((k * Math.PI) / 45), Math.sin((k * Math.PI) / 45)];
        const z = [radius * u, radius * (rho * u + Math.sqrt(1 - rho * rho) * v)];
        context.lineTo(...toPixels(z));
      }
      context.stroke();
    }
    paintPath(context, toPixels, ([m1, m2]) => [m1, m2]);
  }

  function paintPath(context, toPixels, point) {
    context.strokeStyle = colour(root, "--vw-text");
    context.lineWidth = 1.5 * (window.devicePixelRatio || 1);
    context.beginPath();
    for (const step of model.get("path")) context.lineTo(...toPixels(point(step)));
    context.stroke();
  }

  function descend(count) {
    const rho = model.get("rho");
    const path = model.get("path").length ? [...model.get("path")] : [lambda()];
    for (let k = 0; k < count; k++) path.push(stepDown(path.at(-1), rho));
    const [m1, m2, l1, l2] = path.at(-1);
    send(model, { mean: [m1, m2], log_std: [l1, l2], path });
  }

  const correlation = slider({
    label: "correlation ρ",
    min: -0.95,
    max: 0.95,
    step: 0.05,
    value: model.get("rho"),
    onInput: (rho) => send(model, { rho, path: [] }),
  });

  const work = frame(() => {
    const rho = model.get("rho");
    const [mean, logStd] = [model.get("mean"), model.get("log_std")];
    const std = logStd.map(Math.exp);
    landscape.moveTo(logStd);
    latent.moveTo(mean);
    one(mean, std);
    two(mean, std.map((s) => 2 * s));
    landscape.repaint();
    latent.repaint();
    correlation.set(rho);
    const kl = klNow();
    numbers.show({
      kl: `${fixed(kl, 3)} nats`,
      least: `${fixed(-0.5 * Math.log(1 - rho * rho), 3)} nats`,
      s1: fixed(std[0], 3),
      s2: fixed(std[1], 3),
    });
    said.say(`KL ${fixed(kl, 2)} nats`);
  });

  const root = h(
    "div",
    { class: "vw", role: "group", "aria-label": "The λ plane: a mean-field fit to a correlated posterior" },
    h(
      "div",
      { class: "vw-flow" },
      h("div", { class: "vw-half" }, figure("λ: the spreads, shaded by KL", landscape.root)),
      h("div", { class: "vw-half" }, figure("q (filled) over p (lines)", latent.root)),
    ),
    h("div", { class: "vw-bar" }, button("One step down", () => descend(1)), button("40 steps down", () => descend(40))),
    correlation.root,
    numbers.root,
    h("p", { class: "vw-note" }, "Drag either handle, or focus it and use the arrow keys."),
    said.root,
  );
  listen(model, ["rho", "mean", "log_std", "path"], work, undo);
  undo.add(work.cancel);
  work();
  el.append(root);
  return undo.run;
}

export default { render: withReset(render) };
